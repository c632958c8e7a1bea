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

// measure turns what [vecstore.Store.Dots] gives, larger being nearer, into the
// distances that answers carry, smaller being nearer.
type measure struct {
	metric catalog.Metric
	unit   bool // vectors have unit length
}

func measureOf(s catalog.Settings) measure { return measure{s.Metric, s.Normalize} }

// distance returns the distance for a product: (1 − cos)/2 within [0, 1], 1 − q·x
// (for vectors of unit length within [0, 2]), or the squared distance.
func (m measure) distance(dot float32) float32 {
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
func (m measure) farthest() float32 {
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
func (m measure) likeness(d float32) float32 {
	switch m.metric {
	case catalog.MetricL2:
		return 1 / (1 + d)
	case catalog.MetricIP:
		return 1 - d
	}
	return 1 - 2*d
}

// between returns the distance of two vectors that are made ready as queries
// are, see [Snapshot.ready].
func (m measure) between(a, b []float32) float32 {
	if m.metric == catalog.MetricL2 {
		return vector.Square(a, b)
	}
	return m.distance(vector.Dot(a, b))
}

// ofTexts returns the distance of two texts whose vectors have distance d: 0 for
// the same text and more for others. With inner products of vectors of any
// length the texts say nothing, for there not even a vector is nearest to itself.
func (m measure) ofTexts(same bool, d float32) float32 {
	switch {
	case !m.zero():
		return d
	case same:
		return 0
	case m.metric == catalog.MetricL2:
		return max(d, minSquare)
	}
	return max(d, minDistance)
}

// ofEntries is ofTexts for two documents: what came with a vector is measured by
// that, whatever its text, and one vector has distance 0 to itself, whatever its
// product with itself is rounded to.
func (m measure) ofEntries(a, b *snapshot.Entry, d float32) float32 {
	if !a.Supplied() && !b.Supplied() {
		return m.ofTexts(a.TextHash == b.TextHash, d)
	}
	if m.zero() && identical(a, b) {
		return 0
	}
	return d
}

// identical reports whether two documents of a domain, at whatever commits, are
// the same to measure: of one text, or come with one vector, or without any.
func identical(a, b *snapshot.Entry) bool {
	if a.Supplied() || b.Supplied() {
		return a.Supplied() && b.Supplied() && slices.EqualFunc(a.Chunks, b.Chunks, func(x, y snapshot.Chunk) bool { return x.Slot == y.Slot })
	}
	return a.TextHash == b.TextHash
}

// zero reports whether equal vectors have distance 0.
func (m measure) zero() bool { return m.metric != catalog.MetricIP || m.unit }

// slack is more than the distance of a vector to itself.
func (m measure) slack() float32 {
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
		ok, err := s.queryVector(slot, stored)
		return ok && err == nil && slices.Equal(v, stored)
	}
}

// queryVector reads the vector of a slot into dst as searches measure it; false
// if it is damaged.
func (s *Snapshot) queryVector(slot uint32, dst []float32) (bool, error) {
	ok, err := s.readVector(slot, dst)
	if ok && !s.settings.Normalize && s.settings.Directed() {
		vector.Normalize(dst)
	}
	return ok, err
}

// outward returns a distance as answers tell it: what cannot be measured, a vector
// being damaged, is far.
func (m measure) outward(distance float32) float32 {
	if math.IsInf(float64(distance), 0) {
		return m.distance(-1)
	}
	return distance
}
