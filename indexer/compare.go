package indexer

import (
	"context"
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/vector"
)

// CompareRequest asks how near two texts are. Both are embedded whole.
type CompareRequest struct {
	Source, Target         string
	SourceRole, TargetRole Role
	// CallerKey: see IndexRequest.
	CallerKey string
}

// Compare returns the distance of two texts. That of equal ones is 0, which
// needs no embedding, and that of any others is more.
func (ix *Indexer) Compare(ctx context.Context, req CompareRequest) (float32, error) {
	if req.Source == "" || req.Target == "" {
		return 0, fmt.Errorf("%w: source and target must not be empty", ErrInvalid)
	}
	if req.Source == req.Target {
		return 0, nil
	}
	if req.CallerKey != "" {
		ctx = CallerKey(ctx, req.CallerKey)
	}
	var vectors [][]float32
	var err error
	if req.SourceRole == req.TargetRole {
		vectors, err = ix.embedWhole(ctx, req.SourceRole, req.Source, req.Target)
	} else if vectors, err = ix.embedWhole(ctx, req.SourceRole, req.Source); err == nil {
		var other [][]float32
		other, err = ix.embedWhole(ctx, req.TargetRole, req.Target)
		vectors = append(vectors, other...)
	}
	if err != nil {
		return 0, err
	}
	a, b := vectors[0], vectors[1]
	if len(a) != len(b) {
		return 0, fmt.Errorf("%w: the vectors have different lengths", ErrProvider)
	}
	return max(vector.Distance(vector.Dot(a, b)), minDistance), nil
}

// embedWhole embeds texts without cutting them into chunks.
func (ix *Indexer) embedWhole(ctx context.Context, role Role, texts ...string) ([][]float32, error) {
	vectors, err := ix.embed(ctx, role, texts)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	case err != nil:
		return nil, err
	case len(vectors) != len(texts):
		return nil, fmt.Errorf("%w: %d vectors for %d texts", ErrProvider, len(vectors), len(texts))
	}
	return vectors, nil
}
