package search

import (
	"context"
	"fmt"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

// sources returns the documents of the ids, by ascending id, each once.
func (s *Snapshot) sources(ids []string, commit string) ([]*snapshot.Entry, error) {
	if len(ids) > MaxSimilarIDs {
		return nil, fmt.Errorf("%w: ids names more than %d documents", contract.ErrInvalid, MaxSimilarIDs)
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	found := make([]*snapshot.Entry, len(ids))
	for i, id := range ids {
		e, ok := s.view.Lookup(id)
		if !ok {
			return nil, fmt.Errorf("%w: no document %.200q at commit %s", contract.ErrNotFound, id, commit)
		}
		found[i] = e
	}
	return found, nil
}

// meanVector returns the mean of the documents' vectors, as the only one of a
// query; none where no document has any. A document's vector is the mean of its
// chunks', so that a long one counts no more than a short one. All means are of
// unit length, where only directions count. Damaged vectors are left out.
func (s *Snapshot) meanVector(documents []*snapshot.Entry) ([][]float32, error) {
	directed := s.settings.Directed()
	var sum []float64
	count := 0
	for _, e := range documents {
		vectors, err := s.ChunkVectors(e)
		if err != nil {
			return nil, err
		}
		if len(vectors) == 0 {
			continue
		}
		one := Mean(vectors)
		if directed && !vector.Normalize(one) {
			clear(one) // they cancel each other out
		}
		count++
		if sum == nil {
			sum = make([]float64, len(one))
		}
		for i, x := range one {
			sum[i] += float64(x)
		}
	}
	if sum == nil {
		return nil, nil
	}
	mean := narrow(sum, count)
	if directed && !vector.Normalize(mean) {
		return nil, fmt.Errorf("%w: the vectors of ids cancel each other out: their mean has no direction", contract.ErrInvalid)
	}
	return [][]float32{mean}, nil
}

// Mean returns the mean of some vectors.
func Mean(vectors [][]float32) []float32 {
	sum := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for i, x := range v {
			sum[i] += float64(x)
		}
	}
	return narrow(sum, len(vectors))
}

func narrow(sum []float64, count int) []float32 {
	v := make([]float32, len(sum))
	for i, x := range sum {
		v[i] = float32(x / float64(count))
	}
	return v
}

// feedbackWeight is what the mean of the first hits counts beside the query.
const feedbackWeight = 0.6

// feedback moves the vector of a query towards the mean of the first n hits of its
// search.
func (s *Snapshot) feedback(ctx context.Context, q *query, search func(context.Context, *Snapshot, query) ([]Hit, error), n int) error {
	first := *q
	first.Options = Options{Page: Page{Count: n}, Filter: q.Filter, Ef: q.Ef}
	hits, err := search(ctx, s, first)
	if err != nil || len(hits) == 0 {
		return err
	}
	moved, v := slices.Clone(q.vectors[0]), make([]float32, len(q.vectors[0]))
	for _, h := range hits {
		e, ok := s.view.Lookup(h.ID)
		if !ok {
			continue
		}
		if ok, err := s.QueryVector(e.Chunks[h.Chunk.Index].Slot, v); err != nil {
			return err
		} else if ok {
			for i, x := range v {
				moved[i] += feedbackWeight * x / float32(len(hits))
			}
		}
	}
	if s.settings.Directed() {
		vector.Normalize(moved)
	} else {
		for i := range moved {
			moved[i] /= 1 + feedbackWeight
		}
	}
	q.vectors, q.sameText, q.itself = [][]float32{moved}, nil, nil // it is none of theirs any more
	return nil
}
