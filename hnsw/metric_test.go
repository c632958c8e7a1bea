package hnsw_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

// euclidean is memory whose vectors are near by their distance.
type euclidean struct {
	*memory
	codes vector.Planes
}

func (e *euclidean) Euclidean() bool { return true }

func (e *euclidean) Codes() vector.Planes { return e.codes }

func (e *euclidean) Dots(q []float32, slots []uint32, dst []float32) error {
	if err := e.memory.Dots(q, slots, dst); err != nil {
		return err
	}
	for i, s := range slots {
		dst[i] = vector.Square(q, e.row(s)) / -2
	}
	return nil
}

// places returns n vectors of any length around centres that lie offset from
// the origin, and the same with codes.
func places(seed uint64, n, dim, centres int, offset float32) (plain, coded *euclidean) {
	r := rand.New(rand.NewPCG(seed, 0))
	centre := make([]float32, centres*dim)
	for i := range centre {
		centre[i] = offset + float32(r.NormFloat64())
	}
	m := &memory{dim: dim, rows: make([]float32, n*dim)}
	for i := range n {
		row, at := m.row(uint32(i)), centre[i*centres/n*dim:][:dim]
		for j := range row {
			row[j] = at[j] + float32(r.NormFloat64())
		}
	}
	c := vector.Planes{Stride: vector.PlaneLen(dim), Scales: make([]float32, n), Halves: make([]float32, n)}
	c.Upper, c.Lower = vector.Memory(n*c.Stride), vector.Memory(n*c.Stride)
	for i := range n {
		c.Set(uint32(i), m.row(uint32(i)))
	}
	return &euclidean{memory: m}, &euclidean{m, c}
}

// blurred returns vectors near some of m's.
func (m *memory) blurred(seed uint64, n int, noise float32) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	qs := make([][]float32, n)
	for i := range qs {
		qs[i] = slices.Clone(m.row(uint32(r.IntN(m.len()))))
		for j := range qs[i] {
			qs[i][j] += noise * float32(r.NormFloat64())
		}
	}
	return qs
}

// found returns the share of the true k nearest that searches find, and fails
// on what is not measured rightly.
func found(t *testing.T, vecs hnsw.Vectors, n int, g *hnsw.Graph, qs [][]float32, k, ef int, live func(uint32) bool) float64 {
	t.Helper()
	slots := (&memory{dim: 1, rows: make([]float32, n)}).slots(live)
	got, want := 0, 0
	for _, q := range qs {
		truth, err := hnsw.Scan(t.Context(), vecs, q, slots, k)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := g.Search(t.Context(), vecs, q, k, ef, live)
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) != len(truth) {
			t.Errorf("%d hits, want %d", len(hits), len(truth))
		}
		want += len(truth)
		for _, h := range hits {
			var exact [1]float32
			if err := vecs.Dots(q, []uint32{h.Slot}, exact[:]); err != nil || exact[0] != h.Dot {
				t.Fatalf("slot %d is measured as %v, is %v (%v)", h.Slot, h.Dot, exact[0], err)
			}
			if slices.Contains(truth, h) {
				got++
			}
		}
	}
	return float64(got) / float64(want)
}

// TestRecallByDistance: graphs of the Euclidean distance find what a scan does,
// by vectors and by codes, dead ones among them, and far from the origin too.
func TestRecallByDistance(t *testing.T) {
	n, offsets := 4000, []float32{0, 3, 30}
	if raceEnabled {
		n, offsets = 1000, offsets[2:]
	}
	for _, offset := range offsets {
		plain, coded := places(31, n, 32, 50, offset)
		p := hnsw.Params{EfConstruction: 100}
		g, err := hnsw.Build(t.Context(), plain, plain.slots(nil), p, 2)
		if err != nil {
			t.Fatal(err)
		}
		again, err := hnsw.Build(t.Context(), coded, plain.slots(nil), p, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.AppendTo(nil), again.AppendTo(nil)) {
			t.Errorf("offset %v: another number of workers builds another graph", offset)
		}
		qs := plain.blurred(32, 100, 0.5)
		for _, tc := range []struct {
			k, ef int
			floor float64
		}{{10, 64, 0.98}, {10, 128, 0.99}, {1, 64, 0.98}, {100, 200, 0.98}} {
			for name, vecs := range map[string]hnsw.Vectors{"vectors": &onlyVectors{plain}, "codes": coded} {
				got := found(t, vecs, n, g, qs, tc.k, tc.ef, nil)
				t.Logf("offset %v, by %s: recall@%d at ef %d is %.4f", offset, name, tc.k, tc.ef, got)
				if got < tc.floor {
					t.Errorf("offset %v, by %s: recall@%d at ef %d is %.4f, want %.3f", offset, name, tc.k, tc.ef, got, tc.floor)
				}
			}
		}
		for _, dead := range []uint32{10, 60, 95} {
			live := func(slot uint32) bool { return slot*2654435761>>16%100 >= dead }
			if got := found(t, coded, n, g, qs, 10, 100, live); got < 0.98 {
				t.Errorf("offset %v, %d%% dead: recall@10 is %.4f", offset, dead, got)
			}
		}
	}
}

// onlyVectors hides the codes.
type onlyVectors struct{ e *euclidean }

func (o *onlyVectors) Dim() int                                        { return o.e.dim }
func (o *onlyVectors) Read(slot uint32, dst []float32) error           { return o.e.Read(slot, dst) }
func (o *onlyVectors) Euclidean() bool                                 { return true }
func (o *onlyVectors) Dots(q []float32, s []uint32, d []float32) error { return o.e.Dots(q, s, d) }

// TestRecallOfProducts: the same for inner products of vectors whose lengths
// differ.
func TestRecallOfProducts(t *testing.T) {
	n, spreads := 4000, []float32{0, 0.3, 1}
	if raceEnabled {
		n, spreads = 1000, spreads[2:]
	}
	for _, spread := range spreads {
		m := clustered(33, n, 32, n/20, 1)
		r := rand.New(rand.NewPCG(34, 0))
		for i := range m.len() {
			row, scale := m.row(uint32(i)), 1+spread*r.Float32()
			for j := range row {
				row[j] *= scale
			}
		}
		g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 100}, 2)
		qs := m.queries(35, 100, 0.1)
		for name, vecs := range map[string]hnsw.Vectors{"vectors": m, "codes": withCodes(m)} {
			got := found(t, vecs, m.len(), g, qs, 10, 100, nil)
			t.Logf("spread %v, by %s: recall@10 at ef 100 is %.4f", spread, name, got)
			if got < 0.97 {
				t.Errorf("spread %v, by %s: recall@10 at ef 100 is %.4f", spread, name, got)
			}
		}
	}
}

// Crowds of equal vectors are found whole, at distance 0.
func TestEqualCrowdsByDistance(t *testing.T) {
	const crowds, size = 30, 40
	_, c := places(36, crowds*size, 16, crowds, 2)
	for i := range crowds * size {
		copy(c.row(uint32(i)), c.row(uint32(i/size*size)))
		c.codes.Set(uint32(i), c.row(uint32(i)))
	}
	g, err := hnsw.Build(t.Context(), c, c.slots(nil), hnsw.Params{EfConstruction: 80}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(crowds) {
		hits, err := g.Search(t.Context(), c, c.row(i*size), size, size, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint(size, " hits of crowd ", i)
		for j, h := range hits {
			if h.Slot != i*size+uint32(j) || h.Dot != 0 || len(hits) != size {
				t.Fatalf("hit %d of %d is %v, want %s", j, len(hits), h, want)
			}
		}
	}
}
