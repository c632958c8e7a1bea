package search

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
)

// CompareRequest asks how near two texts are. Both are embedded whole.
type CompareRequest struct {
	Source, Target         string
	SourceRole, TargetRole contract.Role
	// CallerKey: see IndexRequest.
	CallerKey contract.Secret
}

// Compare returns the distance of two texts. That of equal ones is 0, which
// needs no embedding, and that of any others is more.
func (r *Reader) Compare(ctx context.Context, req CompareRequest) (float32, error) {
	if req.Source == "" || req.Target == "" {
		return 0, fmt.Errorf("%w: source and target must not be empty", contract.ErrInvalid)
	}
	if req.Source == req.Target {
		return 0, nil
	}
	var a, b []float32
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		a, err = r.embedWhole(ctx, catalog.DefaultSettings, req.SourceRole, req.Source, req.CallerKey)
		return err
	})
	group.Go(func() (err error) {
		b, err = r.embedWhole(ctx, catalog.DefaultSettings, req.TargetRole, req.Target, req.CallerKey)
		return err
	})
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if len(a) != len(b) {
		return 0, fmt.Errorf("%w: the vectors have different lengths", contract.ErrProvider)
	}
	m := measureOf(catalog.DefaultSettings) // of no domain, so of none's metric
	return m.ofTexts(false, m.between(a, b)), nil
}
