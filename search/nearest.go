package search

import (
	"context"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

// NearestRequest asks an open snapshot for the entries nearest to a vector.
type NearestRequest struct {
	Vector  []float32      // as the documents' are given, of any length
	Without []snapshot.Key // these are left out
	Options
}

// Nearest returns the entries nearest to a vector, nearest first. It is what package
// space reads a commit by.
func (s *Snapshot) Nearest(ctx context.Context, req NearestRequest) ([]Hit, error) {
	if s.view.Header().Fingerprint == "" {
		return nil, nil // no entry has a vector yet
	}
	v, err := s.ready(req.Vector)
	if err != nil {
		return nil, err
	}
	q := query{Options: req.Options, measure: measureOf(s.settings), vectors: [][]float32{v}, itself: s.itself(v)}
	q.without = slices.SortedFunc(slices.Values(req.Without), snapshot.Key.Compare)
	if q.among, err = s.selection(ctx, req.Filter, false); err != nil {
		return nil, err
	}
	return s.r.rank(ctx, s, q)
}

// Vector returns the vector of an entry's first chunk as it was given, nil for an
// entry without any. A damaged one is [contract.ErrCorrupt].
func (s *Snapshot) Vector(e *snapshot.Entry) ([]float32, error) {
	if len(e.Chunks) == 0 {
		return nil, nil
	}
	v := make([]float32, s.vecs.Dim())
	return v, catalog.StoreError(s.vecs.Read(e.Chunks[0].Slot, v))
}

// Distances returns the distance of vectors to one that is searched with, as
// [Snapshot.Nearest] measures it, for vectors that no snapshot holds. A vector
// without a direction is at the farthest distance, where only directions count. It is
// false where the one searched with has none.
func Distances(settings catalog.Settings, from []float32) (distance func(to []float32) float32, ok bool) {
	m := measureOf(settings)
	from = slices.Clone(from)
	if settings.Directed() && !vector.Normalize(from) {
		return nil, false
	}
	if m.metric == catalog.MetricL2 {
		return func(to []float32) float32 { return m.distance(vector.Square(from, to) / -2) }, true
	}
	return func(to []float32) float32 {
		dot := vector.Dot(from, to)
		if settings.Directed() {
			length := float32(math.Sqrt(float64(vector.Dot(to, to))))
			if dot /= length; length == 0 || dot != dot {
				return m.farthest()
			}
		}
		d := m.distance(dot)
		if m.zero() && d != 0 && d <= m.slack() && same(from, to, settings.Directed()) {
			return 0
		}
		return d
	}, true
}

// same reports whether a vector is from, which is of unit length where directed.
func same(from, to []float32, directed bool) bool {
	to = slices.Clone(to)
	if directed {
		vector.Normalize(to)
	}
	return slices.Equal(from, to)
}

// ScoreOf returns the score of a distance: see [Hit.Score].
func ScoreOf(settings catalog.Settings, distance float32) float32 {
	return measureOf(settings).likeness(distance)
}
