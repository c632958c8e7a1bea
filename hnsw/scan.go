package hnsw

import (
	"context"
	"fmt"
	"slices"
)

// scanBatch is how many slots [Scan] measures in one call: large against the
// cost of a call, small against memory and the patience of a cancelled caller.
const scanBatch = 512

// Scan returns the k of slots nearest to q, best first and equal ones by slot,
// by measuring them all. slots are distinct. The error wraps [ErrInput] when q
// has the wrong length, else it is that of vecs or of ctx.
func Scan(ctx context.Context, vecs Vectors, q []float32, slots []uint32, k int) ([]Hit, error) {
	if err := checkQuery(vecs, q); err != nil {
		return nil, err
	}
	k = min(k, len(slots))
	if k <= 0 {
		return nil, nil
	}
	// best holds the k best so far and as many newcomers again at most, which
	// is cut back by sorting: linear in slots whatever k.
	best := make([]Hit, 0, min(2*k, len(slots)))
	full := false // best[k-1] is the k-th best so far
	var sims [scanBatch]float32
	for part := range slices.Chunk(slots, scanBatch) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("hnsw: scan: %w", err)
		}
		if err := vecs.Dots(q, part, sims[:len(part)]); err != nil {
			return nil, fmt.Errorf("hnsw: scan: %w", err)
		}
		for i, slot := range part {
			h := Hit{Slot: slot, Dot: ordered(sims[i])}
			if full && compareHits(h, best[k-1]) > 0 {
				continue
			}
			best = append(best, h)
			if len(best) == 2*k {
				slices.SortFunc(best, compareHits)
				best, full = best[:k], true
			}
		}
	}
	slices.SortFunc(best, compareHits)
	return best[:k:k], nil
}

// Merge returns the k best of two lists in order, of different slots, in order.
func Merge(a, b []Hit, k int) []Hit {
	if len(b) == 0 {
		return a[:min(k, len(a))]
	}
	out := make([]Hit, 0, min(k, len(a)+len(b)))
	for len(out) < cap(out) {
		if len(b) == 0 || len(a) > 0 && compareHits(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

// checkQuery reports a query that does not fit the vectors.
func checkQuery(vecs Vectors, q []float32) error {
	if dim := vecs.Dim(); len(q) != dim {
		return fmt.Errorf("%w: the query has %d dimensions, the vectors %d", ErrInput, len(q), dim)
	}
	return nil
}
