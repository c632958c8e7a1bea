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
	q := query{Options: req.Options, measure: MeasureOf(s.settings), vectors: [][]float32{v}, itself: s.itself(v)}
	q.without = slices.SortedFunc(slices.Values(req.Without), snapshot.Key.Compare)
	if q.among, err = s.Select(ctx, req.Filter, false); err != nil {
		return nil, err
	}
	return s.r.rank(ctx, s, q)
}

// Near is an entry near another one, by the chunk that is nearest.
type Near struct {
	Entry    *snapshot.Entry
	Chunk    int
	Distance float32
}

// NearestTo returns the entries of a selection that are nearest to one of the
// snapshot's own: need of them and perhaps more, or all that are within limit. Those of
// the ids are left out.
func (s *Snapshot) NearestTo(ctx context.Context, e *snapshot.Entry, among *Selection, without []string, need int, limit float32) ([]Near, error) {
	own := SlotsOf([]*snapshot.Entry{e}) // chunks of one text share a vector
	q := query{measure: MeasureOf(s.settings), source: e, without: snapshot.StringKeys(slices.Sorted(slices.Values(without))), among: among, limit: &limit, last: s.Last(own)}
	var err error
	if q.vectors, err = s.ChunkVectors(e); err != nil {
		return nil, err
	}
	ranked, err := s.r.nearest(ctx, s, q, need)
	list := make([]Near, len(ranked))
	for i, r := range ranked {
		list[i] = Near{r.entry, r.chunk, r.distance}
	}
	return list, err
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
	m := MeasureOf(settings)
	from = slices.Clone(from)
	if settings.Directed() && !vector.Normalize(from) {
		return nil, false
	}
	if m.metric == catalog.MetricL2 {
		return func(to []float32) float32 { return m.Distance(vector.Square(from, to) / -2) }, true
	}
	return func(to []float32) float32 {
		dot := vector.Dot(from, to)
		if settings.Directed() {
			length := float32(math.Sqrt(float64(vector.Dot(to, to))))
			if dot /= length; length == 0 || dot != dot {
				return m.farthest()
			}
		}
		d := m.Distance(dot)
		if m.Zero() && d != 0 && d <= m.Slack() && same(from, to, settings.Directed()) {
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
	return MeasureOf(settings).likeness(distance)
}
