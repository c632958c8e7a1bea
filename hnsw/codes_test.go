package hnsw_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

// A walk by codes finds what one by vectors finds, and measures few of these.
func TestRecallByCodes(t *testing.T) {
	m, g := sharedFixture(t)
	c := withCodes(m)
	qs := m.queries(60, 100, 0.1)
	for _, tc := range []struct {
		k, ef int
		floor float64
	}{
		{10, 10, 0.90},
		{10, 50, 0.985},
		{10, 100, 0.99},
		{1, 50, 0.99},
		{100, 200, 0.99},
	} {
		if got := recallOf(t, m, c, g, qs, tc.k, tc.ef, nil); got < tc.floor {
			t.Errorf("recall@%d at ef %d is %.4f, want %.3f", tc.k, tc.ef, got, tc.floor)
		}
	}
	m.measured.Store(0)
	for _, q := range qs {
		if _, err := g.Search(t.Context(), c, q, 10, 50, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.measured.Load() / int64(len(qs)); got > 25 {
		t.Errorf("a search at ef 50 measures %d vectors exactly", got)
	}
	for _, dead := range []uint32{10, 60, 90, 99} {
		live := func(slot uint32) bool { return slot*2654435761>>16%100 >= dead }
		if got := recallOf(t, m, c, g, qs, 10, 100, live); got < 0.98 {
			t.Errorf("%d%% dead: recall@10 at ef 100 is %.4f, want 0.98", dead, got)
		}
	}
}

// Where vectors are so near to each other that their codes cannot tell them
// apart, more of them are measured exactly.
func TestRecallAmongNearDuplicates(t *testing.T) {
	for dim, noises := range map[int][]float32{64: {0.1, 0.02, 0.005}, 768: {0.02}} {
		for _, noise := range noises {
			n := 96_000 / dim / 100 * 100
			m := clustered(61, n, dim, n/100, noise) // crowds of 100
			c := withCodes(m)
			g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 100}, 2)
			qs := m.queries(62, 50, noise/10)
			if got := recallOf(t, m, c, g, qs, 10, 200, nil); got < 0.98 {
				t.Errorf("dim %d, noise %g: recall@10 at ef 200 is %.4f, want 0.98", dim, noise, got)
			}
		}
	}
}

// Crowds of equal vectors have equal codes.
func TestEqualCrowdsByCodes(t *testing.T) {
	const crowds, size = 50, 40
	m := clustered(26, crowds*size, 32, crowds, 0)
	c := withCodes(m)
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 80}, 2)
	for i := range uint32(crowds) {
		hits, err := g.Search(t.Context(), c, m.row(i*size), size, size, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j, h := range hits {
			if want := i*size + uint32(j); h.Slot != want || len(hits) != size {
				t.Fatalf("crowd %d: hit %d of %d is slot %d, want %d", i, j, len(hits), h.Slot, want)
			}
		}
	}
}

// Any small set, any k, any ef: as many hits as there are live slots, with
// exact products and in order.
func TestSmallSetsByCodes(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 63))
		m := &memory{dim: 1 + r.IntN(4)}
		m.rows = make([]float32, r.IntN(60)*m.dim)
		for i := range m.rows {
			m.rows[i] = float32(r.IntN(5) - 2)
		}
		c := withCodes(m)
		g := mustBuild(t, m, m.slots(nil), hnsw.Params{M: 3, EfConstruction: 20}, 2)
		q := make([]float32, m.dim)
		for i := range q {
			q[i] = float32(r.NormFloat64())
		}
		share := r.IntN(5)
		live := func(slot uint32) bool { return int(slot*2654435761>>16)%4 < share }
		slots := m.slots(live)
		for _, k := range []int{1, 2, 5, m.len(), math.MaxInt} {
			for _, ef := range []int{1, k, m.len()} {
				hits, err := g.Search(t.Context(), c, q, k, ef, live)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				checkHits(t, "small set", m, q, hits, live)
				if want := min(k, len(slots)); len(hits) != want {
					t.Errorf("seed %d, k %d, ef %d: %d hits, want %d", seed, k, ef, len(hits), want)
				}
			}
		}
	}
}

// Codes that lack the graph's last slot are not used; a NaN is the least.
func TestOddCodes(t *testing.T) {
	m, g := sharedFixture(t)
	q := m.row(3)
	want, err := g.Search(t.Context(), m, q, 10, 50, nil)
	if err != nil {
		t.Fatal(err)
	}
	short := withCodes(m)
	short.codes.Scales = short.codes.Scales[:m.len()-1]
	for _, c := range []*coded{short, {memory: m}} {
		got, err := g.Search(t.Context(), c, q, 10, 50, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("with %d rows of codes: %v, %v, want %v", len(c.codes.Scales), got, err, want)
		}
	}

	odd := clustered(64, 200, 4, 10, 0.5)
	odd.rows[4*77] = float32(math.NaN())
	g = mustBuild(t, odd, odd.slots(nil), hnsw.Params{M: 4}, 2)
	hits, err := g.Search(t.Context(), withCodes(odd), odd.row(5), 200, 200, nil)
	if err != nil || len(hits) != 200 || hits[199].Slot != 77 {
		t.Errorf("%d hits, %v, the last %v; want slot 77 last of 200", len(hits), err, hits[len(hits)-1:])
	}
	nan := []float32{float32(math.NaN()), 0, 0, 1}
	if hits, err := g.Search(t.Context(), withCodes(odd), nan, 10, 10, nil); err != nil || len(hits) != 10 {
		t.Errorf("a query of NaN: %d hits, %v", len(hits), err)
	}
}

// An error of the exact measurements comes back.
func TestSearchByCodesFails(t *testing.T) {
	_, g := sharedFixture(t)
	m := &memory{dim: shared().dim, rows: shared().rows}
	c := withCodes(m)
	broken := errors.New("broken page")
	for at := int64(1); ; at++ {
		m.calls.Store(0)
		m.hook = func(_ string, n int64) error {
			if n == at {
				return broken
			}
			return nil
		}
		_, err := g.Search(t.Context(), c, m.row(17), 10, 30, nil)
		if m.calls.Load() < at {
			break
		}
		if !errors.Is(err, broken) {
			t.Fatalf("call %d failed: Search returned %v", at, err)
		}
	}
}

// The codes a store would have change no byte of a build.
func TestBuildIgnoresCodes(t *testing.T) {
	m := clustered(65, 300, 16, 20, 0.5)
	c := withCodes(m)
	c.codes = vector.Planes{}
	p := hnsw.Params{M: 4, EfConstruction: 20}
	a, err1 := hnsw.Build(t.Context(), c, m.slots(nil), p, 2)
	b, err2 := hnsw.Build(t.Context(), m, m.slots(nil), p, 2)
	if err := errors.Join(err1, err2); err != nil || !slices.Equal(a.AppendTo(nil), b.AppendTo(nil)) {
		t.Errorf("a build with codes differs (%v)", err)
	}
}

// spoilt are vectors with codes of which one has become unreadable since.
type spoilt struct {
	*coded
	slot uint32
}

func (s spoilt) Dots(q []float32, slots []uint32, dst []float32) error {
	err := s.coded.Dots(q, slots, dst)
	if i := slices.Index(slots, s.slot); i >= 0 {
		dst[i] = float32(math.NaN())
	}
	return err
}

// A vector among the best that turns out to be unreadable costs its own place
// and no other's.
func TestUnreadableVectorAmongTheBest(t *testing.T) {
	m := clustered(63, 1500, 64, 15, 0.02) // crowds of 100
	c := withCodes(m)
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 100}, 2)
	found, want := 0, 0
	for _, q := range m.queries(64, 50, 0.002) {
		exact, err := hnsw.Scan(t.Context(), m, q, m.slots(nil), 11)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := g.Search(t.Context(), spoilt{c, exact[0].Slot}, q, 11, 200, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range exact[1:] {
			want++
			if slices.Contains(hits, h) {
				found++
			}
		}
	}
	if got := float64(found) / float64(want); got < 0.98 {
		t.Errorf("recall of the others is %.4f, want 0.98", got)
	}
}
