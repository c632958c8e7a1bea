package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// The least distance of texts that differ: only byte-identical texts have
// distance 0 (wire contract §7.7). That of squares is no more than a sign, since
// they may be as small as anything.
const (
	minDistance = 1e-7
	minSquare   = 1e-37
)

// rounding is more than what the distance of a vector to itself can be, where
// the distance is made of a product.
const rounding = 1e-5

// Measure turns what [vecstore.Store.Dots] gives, larger being nearer, into the
// distances that answers carry, smaller being nearer.
type Measure struct {
	metric catalog.Metric
	unit   bool // vectors have unit length
}

func MeasureOf(s catalog.Settings) Measure { return Measure{s.Metric, s.Normalize} }

// Distance returns the distance for a product: (1 − cos)/2 within [0, 1], 1 − q·x
// (for vectors of unit length within [0, 2]), or the squared distance.
func (m Measure) Distance(dot float32) float32 {
	switch {
	case m.metric == catalog.MetricL2:
		return 0 - 2*dot // never −0
	case m.metric == catalog.MetricIP && m.unit:
		return min(max(1-dot, 0), 2)
	case m.metric == catalog.MetricIP:
		return 1 - dot
	}
	return vector.Distance(dot)
}

// farthest returns the distance of what is not comparable: none is greater.
func (m Measure) farthest() float32 {
	switch {
	case m.metric == catalog.MetricCosine:
		return 1
	case m.metric == catalog.MetricIP && m.unit:
		return 2
	}
	return math.MaxFloat32
}

// likeness returns the score of a distance, greater being better: the cosine, the
// inner product, or 1/(1 + d).
func (m Measure) likeness(d float32) float32 {
	switch m.metric {
	case catalog.MetricL2:
		return 1 / (1 + d)
	case catalog.MetricIP:
		return 1 - d
	}
	return 1 - 2*d
}

// Between returns the distance of two vectors that are made ready as queries
// are, see [Snapshot.ready].
func (m Measure) Between(a, b []float32) float32 {
	if m.metric == catalog.MetricL2 {
		return vector.Square(a, b)
	}
	return m.Distance(vector.Dot(a, b))
}

// OfTexts returns the distance of two texts whose vectors have distance d: 0 for
// the same text and more for others. With inner products of vectors of any
// length the texts say nothing, for there not even a vector is nearest to itself.
func (m Measure) OfTexts(same bool, d float32) float32 {
	switch {
	case !m.Zero():
		return d
	case same:
		return 0
	case m.metric == catalog.MetricL2:
		return max(d, minSquare)
	}
	return max(d, minDistance)
}

// OfEntries is OfTexts for two documents: what came with a vector is measured by
// that, whatever its text, and one vector has distance 0 to itself, whatever its
// product with itself is rounded to.
func (m Measure) OfEntries(a, b *snapshot.Entry, d float32) float32 {
	if !a.Supplied() && !b.Supplied() {
		return m.OfTexts(a.TextHash == b.TextHash, d)
	}
	if m.Zero() && Identical(a, b) {
		return 0
	}
	return d
}

// Identical reports whether two documents of a domain, at whatever commits, are
// the same to measure: of one text, or come with one vector, or without any.
func Identical(a, b *snapshot.Entry) bool {
	if a.Supplied() || b.Supplied() {
		return a.Supplied() && b.Supplied() && slices.EqualFunc(a.Chunks, b.Chunks, func(x, y snapshot.Chunk) bool { return x.Slot == y.Slot })
	}
	return a.TextHash == b.TextHash
}

// Zero reports whether equal vectors have distance 0.
func (m Measure) Zero() bool { return m.metric != catalog.MetricIP || m.unit }

// slack is more than the distance of a vector to itself.
func (m Measure) Slack() float32 {
	switch {
	case m.metric == catalog.MetricCosine:
		return rounding
	case m.metric == catalog.MetricIP && m.unit:
		return 2 * rounding
	}
	return 0
}

// ready returns v as searches measure it: a copy, of unit length where only
// directions count.
func (s *Snapshot) ready(v []float32) ([]float32, error) {
	if want := int(s.view.Header().Dim); len(v) != want {
		return nil, fmt.Errorf("%w: the query vector has %d dimensions, the vectors of %s have %d", contract.ErrConflict, len(v), s.d.Name(), want)
	}
	v = slices.Clone(v)
	if s.settings.Directed() && !vector.Normalize(v) {
		return nil, fmt.Errorf("%w: the query vector must be finite and not zero", contract.ErrInvalid)
	}
	if err := (vecstore.Config{Dim: len(v), Metric: vecstore.Euclidean}).Check(v); err != nil {
		return nil, fmt.Errorf("%w: the query vector: %w", contract.ErrInvalid, err)
	}
	return v, nil
}

// itself returns a function that reports whether a slot has that vector, made ready.
func (s *Snapshot) itself(v []float32) func(slot uint32) bool {
	stored := make([]float32, len(v))
	return func(slot uint32) bool {
		ok, err := s.QueryVector(slot, stored)
		return ok && err == nil && slices.Equal(v, stored)
	}
}

// QueryVector reads the vector of a slot into dst as searches measure it; false
// if it is damaged.
func (s *Snapshot) QueryVector(slot uint32, dst []float32) (bool, error) {
	ok, err := s.ReadVector(slot, dst)
	if ok && !s.settings.Normalize && s.settings.Directed() {
		vector.Normalize(dst)
	}
	return ok, err
}

// ChunkVectors reads the vectors of a document's chunks, those that are damaged
// left out, and those that the model cannot read where it can read another.
func (s *Snapshot) ChunkVectors(e *snapshot.Entry) ([][]float32, error) {
	vectors, all := make([][]float32, 0, len(e.Chunks)), s.Unreadable(e)
	for _, c := range e.Chunks {
		if !all && s.view.Unreadable(c.Slot) {
			continue
		}
		v := make([]float32, s.vecs.Dim())
		if ok, err := s.QueryVector(c.Slot, v); err != nil {
			return nil, err
		} else if ok {
			vectors = append(vectors, v)
		}
	}
	return vectors, nil
}
