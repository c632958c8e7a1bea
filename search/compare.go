package search

import (
	"context"
	"fmt"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
)

// CompareRequest asks how near two texts are. Both are embedded whole.
type CompareRequest struct {
	Source                 string `param:"source" need:"" help:"A text."`
	Target                 string `param:"target" need:"" help:"The text to measure it against."`
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
	texts := [2]string{req.Source, req.Target}
	roles := [2]contract.Role{req.SourceRole, req.TargetRole}
	var vectors [2][]float32
	err := parallel.Do(ctx, 2, 2, func(ctx context.Context, _, i int) (err error) {
		vectors[i], err = r.embedWhole(ctx, catalog.DefaultSettings, roles[i], texts[i], req.CallerKey)
		return err
	})
	if err != nil {
		return 0, err
	}
	a, b := vectors[0], vectors[1]
	if len(a) != len(b) {
		return 0, fmt.Errorf("%w: the vectors have different lengths", contract.ErrProvider)
	}
	m := MeasureOf(catalog.DefaultSettings) // of no domain, so of none's metric
	return m.OfTexts(false, m.Between(a, b)), nil
}
