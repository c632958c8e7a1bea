package hnsw_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

// memory is Vectors in memory: the vector of slot s is row s.
type memory struct {
	dim      int
	rows     []float32
	measured atomic.Int64                     // by Dots
	hook     func(call string, n int64) error // called first by Read and Dots, with the count of calls
	calls    atomic.Int64
}

func (m *memory) Dim() int { return m.dim }

func (m *memory) Read(slot uint32, dst []float32) error {
	if m.hook != nil {
		if err := m.hook("Read", m.calls.Add(1)); err != nil {
			return err
		}
	}
	if len(dst) != m.dim {
		return fmt.Errorf("Read into %d floats, want %d", len(dst), m.dim)
	}
	copy(dst, m.row(slot))
	return nil
}

func (m *memory) Dots(q []float32, slots []uint32, dst []float32) error {
	if m.hook != nil {
		if err := m.hook("Dots", m.calls.Add(1)); err != nil {
			return err
		}
	}
	if len(dst) != len(slots) || len(q) != m.dim {
		return fmt.Errorf("Dots of %d floats and %d slots into %d", len(q), len(slots), len(dst))
	}
	for i, s := range slots {
		dst[i] = vector.Dot(q, m.row(s))
	}
	m.measured.Add(int64(len(slots)))
	return nil
}

func (m *memory) row(slot uint32) []float32 { return m.rows[int(slot)*m.dim:][:m.dim] }

func (m *memory) len() int { return len(m.rows) / m.dim }

// slots returns those that live admits, all if it is nil.
func (m *memory) slots(live func(uint32) bool) []uint32 {
	var slots []uint32
	for i := range m.len() {
		if live == nil || live(uint32(i)) {
			slots = append(slots, uint32(i))
		}
	}
	return slots
}

// coded is memory with codes, as a store has them.
type coded struct {
	*memory
	codes vector.Planes
}

func withCodes(m *memory) *coded {
	c := &coded{memory: m, codes: vector.Planes{Stride: vector.PlaneLen(m.dim), Scales: make([]float32, m.len())}}
	c.codes.Upper = vector.Memory(m.len() * c.codes.Stride)
	c.codes.Lower = vector.Memory(m.len() * c.codes.Stride)
	for i := range m.len() {
		c.codes.Set(uint32(i), m.row(uint32(i)))
	}
	return c
}

func (c *coded) Codes() vector.Planes { return c.codes }

// clustered returns n unit vectors around centres, sorted by centre as
// documents come sorted by class.
func clustered(seed uint64, n, dim, centres int, noise float32) *memory {
	r := rand.New(rand.NewPCG(seed, 0))
	centre := make([]float32, centres*dim)
	for i := range centre {
		centre[i] = float32(r.NormFloat64())
	}
	m := &memory{dim: dim, rows: make([]float32, n*dim)}
	for i := range n {
		row, at := m.row(uint32(i)), centre[i*centres/n*dim:][:dim]
		for j := range row {
			row[j] = at[j] + noise*float32(r.NormFloat64())
		}
		vector.Normalize(row)
	}
	return m
}

// queries returns unit vectors of the same kind as m's: its rows, blurred.
func (m *memory) queries(seed uint64, n int, noise float32) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	qs := make([][]float32, n)
	for i := range qs {
		q := slices.Clone(m.row(uint32(r.IntN(m.len()))))
		for j := range q {
			q[j] += noise * float32(r.NormFloat64())
		}
		vector.Normalize(q)
		qs[i] = q
	}
	return qs
}

// The data set most tests share: 4,000 × 32 in 200 crowds.
var shared = sync.OnceValue(func() *memory { return clustered(1, 4000, 32, 200, 1) })

var sharedGraph = sync.OnceValues(func() (*hnsw.Graph, error) {
	return hnsw.Build(context.Background(), shared(), shared().slots(nil), hnsw.Params{EfConstruction: 64}, 0)
})

func sharedFixture(t testing.TB) (*memory, *hnsw.Graph) {
	t.Helper()
	g, err := sharedGraph()
	if err != nil {
		t.Fatal(err)
	}
	return shared(), g
}

func mustBuild(t testing.TB, m *memory, slots []uint32, p hnsw.Params, workers int) *hnsw.Graph {
	t.Helper()
	g, err := hnsw.Build(t.Context(), m, slots, p, workers)
	if err != nil {
		t.Fatalf("Build of %d slots: %v", len(slots), err)
	}
	return g
}

// recall returns the share of the true k nearest live slots that the graph
// finds, and fails on hits that are wrong in themselves.
func recall(t testing.TB, m *memory, g *hnsw.Graph, qs [][]float32, k, ef int, live func(uint32) bool) float64 {
	t.Helper()
	return recallOf(t, m, m, g, qs, k, ef, live)
}

// recallOf is recall of a search with m's vectors as vecs brings them.
func recallOf(t testing.TB, m *memory, vecs hnsw.Vectors, g *hnsw.Graph, qs [][]float32, k, ef int, live func(uint32) bool) float64 {
	t.Helper()
	slots := m.slots(live)
	found, want := 0, 0
	for i, q := range qs {
		truth, err := hnsw.Scan(t.Context(), m, q, slots, k)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := g.Search(t.Context(), vecs, q, k, ef, live)
		if err != nil {
			t.Fatal(err)
		}
		checkHits(t, fmt.Sprintf("query %d", i), m, q, hits, live)
		if len(hits) != len(truth) {
			t.Errorf("query %d: %d hits, want %d", i, len(hits), len(truth))
		}
		want += len(truth)
		for _, h := range truth {
			if slices.Contains(hits, h) {
				found++
			}
		}
	}
	return float64(found) / float64(want)
}

// checkHits fails unless hits are live, distinct, in order and rightly measured.
func checkHits(t testing.TB, what string, m *memory, q []float32, hits []hnsw.Hit, live func(uint32) bool) {
	t.Helper()
	for i, h := range hits {
		if live != nil && !live(h.Slot) {
			t.Errorf("%s: hit %d is slot %d, which is not live", what, i, h.Slot)
		}
		if want := vector.Dot(q, m.row(h.Slot)); h.Dot != want {
			t.Errorf("%s: hit %d has dot %v, want %v", what, i, h.Dot, want)
		}
		if i == 0 {
			continue
		}
		if p := hits[i-1]; p.Dot < h.Dot || p.Dot == h.Dot && p.Slot >= h.Slot {
			t.Errorf("%s: hit %d is %v, behind %v", what, i, h, p)
		}
	}
}
