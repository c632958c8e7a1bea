package hnsw_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

func TestRecall(t *testing.T) {
	m, g := sharedFixture(t)
	qs := m.queries(20, 100, 0.1)
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
		if got := recall(t, m, g, qs, tc.k, tc.ef, nil); got < tc.floor {
			t.Errorf("recall@%d at ef %d is %.4f, want %.2f", tc.k, tc.ef, got, tc.floor)
		} else {
			t.Logf("recall@%d at ef %d: %.4f", tc.k, tc.ef, got)
		}
	}
	// It must be the walk that finds them, at a fraction of a scan's cost.
	m.measured.Store(0)
	for _, q := range qs {
		if _, err := g.Search(t.Context(), m, q, 10, 50, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.measured.Load() / int64(len(qs)); got > int64(m.len()/3) {
		t.Errorf("a search at ef 50 measures %d of %d vectors", got, m.len())
	}
}

// Dead slots lead on, never come back, and cost no recall.
func TestRecallWithDead(t *testing.T) {
	m, g := sharedFixture(t)
	qs := m.queries(21, 60, 0.05)
	for _, dead := range []uint32{10, 30, 60, 90, 99} {
		live := func(slot uint32) bool { return slot*2654435761>>16%100 >= dead }
		if got := recall(t, m, g, qs, 10, 100, live); got < 0.98 {
			t.Errorf("%d%% dead: recall@10 at ef 100 is %.4f, want 0.98", dead, got)
		}
	}
	// All that is near is dead: the live ones are in other crowds.
	far := func(slot uint32) bool { return slot >= 3900 }
	if got := recall(t, m, g, m.queries(22, 20, 0.05), 10, 100, far); got < 0.98 {
		t.Errorf("live ones far off: recall %.4f, want 0.98", got)
	}
}

// The inner product is the similarity also where the vectors are not of unit
// length.
func TestRecallInnerProduct(t *testing.T) {
	m := clustered(23, 1500, 16, 75, 0.5)
	r := rand.New(rand.NewPCG(24, 0))
	for i := range m.len() {
		f := 0.7 + 0.6*r.Float32()
		for j := range m.row(uint32(i)) {
			m.row(uint32(i))[j] *= f
		}
	}
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 100}, 2)
	if got := recall(t, m, g, m.queries(25, 60, 0.05), 10, 100, nil); got < 0.97 {
		t.Errorf("recall@10 at ef 100 is %.4f, want 0.97", got)
	}
}

// Crowds of equal vectors shut nobody in: whoever asks for the vector of one
// crowd gets that crowd, its lowest slots first.
func TestEqualCrowds(t *testing.T) {
	const crowds, size = 50, 40
	m := clustered(26, crowds*size, 32, crowds, 0)
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{EfConstruction: 80}, 2)
	for c := range uint32(crowds) {
		q := m.row(c * size)
		hits, err := g.Search(t.Context(), m, q, size, size, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range hits {
			if want := c*size + uint32(i); h.Slot != want || len(hits) != size {
				t.Fatalf("crowd %d: hit %d of %d is slot %d, want %d", c, i, len(hits), h.Slot, want)
			}
		}
	}
}

// Any small set, any k, any ef: as many hits as there are, and with ef the
// whole set exactly those of a scan.
func TestSearchSmallSets(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 30))
		n := r.IntN(4)
		if seed%2 == 0 {
			n = r.IntN(70)
		}
		m := &memory{dim: 1 + r.IntN(4), rows: nil}
		m.rows = make([]float32, n*m.dim)
		for i := range m.rows {
			m.rows[i] = float32(r.IntN(5) - 2) // many ties, zero vectors too
		}
		p := hnsw.Params{M: 2 + r.IntN(3), EfConstruction: 4 + r.IntN(20)}
		g := mustBuild(t, m, m.slots(nil), p, 1+r.IntN(3))
		if problems := hnsw.Check(g); len(problems) > 0 {
			t.Errorf("seed %d: %v", seed, problems)
		}
		q := make([]float32, m.dim)
		for i := range q {
			q[i] = float32(r.NormFloat64())
		}
		share := r.IntN(5)
		live := func(slot uint32) bool { return int(slot*2654435761>>16)%4 < share }
		if share == 4 {
			live = nil
		}
		slots := m.slots(live)
		for _, k := range []int{-1, 0, 1, 2, 5, n, n + 1, math.MaxInt} {
			for _, ef := range []int{-1, 0, 1, k, n, math.MaxInt} {
				hits, err := g.Search(t.Context(), m, q, k, ef, live)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				checkHits(t, "small set", m, q, hits, live)
				if want := min(max(k, 0), len(slots)); len(hits) != want {
					t.Errorf("seed %d, n %d, k %d, ef %d: %d hits, want %d", seed, n, k, ef, len(hits), want)
				}
				if ef < n {
					continue
				}
				want, err := hnsw.Scan(t.Context(), m, q, slots, k)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(hits, want) {
					t.Errorf("seed %d, n %d, k %d, ef %d: hits %v, a scan gives %v", seed, n, k, ef, hits, want)
				}
			}
		}
	}
}

// Scan, and Merge of two, against sorting everything.
func TestScan(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 31))
		m := &memory{dim: 2, rows: make([]float32, 2*r.IntN(1500))}
		for i := range m.rows {
			m.rows[i] = float32(r.IntN(9) - 4)
		}
		slots := m.slots(func(uint32) bool { return r.IntN(3) > 0 })
		r.Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		q := []float32{1, 0.5}
		all := make([]hnsw.Hit, len(slots))
		for i, s := range slots {
			all[i] = hnsw.Hit{Slot: s, Dot: vector.Dot(q, m.row(s))}
		}
		slices.SortFunc(all, func(a, b hnsw.Hit) int {
			if a.Dot != b.Dot {
				if a.Dot > b.Dot {
					return -1
				}
				return 1
			}
			return int(a.Slot) - int(b.Slot)
		})
		for _, k := range []int{-1, 0, 1, 7, len(slots) / 2, len(slots), len(slots) + 9, math.MaxInt} {
			got, err := hnsw.Scan(t.Context(), m, q, slots, k)
			if want := all[:min(max(k, 0), len(all))]; err != nil || !slices.Equal(got, want) {
				t.Errorf("seed %d, %d slots, k %d: got %d hits (%v), want %d", seed, len(slots), k, len(got), err, len(want))
			}
			// The same in two parts.
			at := r.IntN(len(slots) + 1)
			a, errA := hnsw.Scan(t.Context(), m, q, slots[:at], k)
			b, errB := hnsw.Scan(t.Context(), m, q, slots[at:], k)
			if merged := hnsw.Merge(a, b, max(k, 0)); errA != nil || errB != nil || !slices.Equal(merged, got) {
				t.Errorf("seed %d, %d slots, k %d: parted at %d they give %d hits (%v, %v), want %d", seed, len(slots), k, at, len(merged), errA, errB, len(got))
			}
		}
	}
}

// A NaN in a query or a vector is nearer to nothing, and upsets no order.
func TestNaN(t *testing.T) {
	nan := float32(math.NaN())
	m := clustered(32, 200, 4, 10, 0.5)
	m.rows[4*77] = nan
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{M: 4}, 2)
	q := slices.Clone(m.row(5))
	hits, err := g.Search(t.Context(), m, q, 200, 200, nil)
	if err != nil || len(hits) != 200 {
		t.Fatalf("%d hits, %v", len(hits), err)
	}
	if last := hits[199]; last.Slot != 77 || !math.IsInf(float64(last.Dot), -1) {
		t.Errorf("the last hit is %v, want slot 77, -Inf", last)
	}
	q[0] = nan
	if hits, err := g.Search(t.Context(), m, q, 10, 10, nil); err != nil || len(hits) != 10 {
		t.Errorf("a query of NaN: %d hits, %v", len(hits), err)
	}
}

func TestSearchRefuses(t *testing.T) {
	m, g := sharedFixture(t)
	for _, q := range [][]float32{nil, make([]float32, 31), make([]float32, 33)} {
		if _, err := g.Search(t.Context(), m, q, 10, 10, nil); !errors.Is(err, hnsw.ErrInput) {
			t.Errorf("Search with %d dimensions: %v, want ErrInput", len(q), err)
		}
		if _, err := hnsw.Scan(t.Context(), m, q, []uint32{1}, 10); !errors.Is(err, hnsw.ErrInput) {
			t.Errorf("Scan with %d dimensions: %v, want ErrInput", len(q), err)
		}
	}
}

// Whatever call of Dots fails, or sees the search cancelled, the error comes
// back.
func TestSearchFails(t *testing.T) {
	_, g := sharedFixture(t)
	m := &memory{dim: shared().dim, rows: shared().rows}
	q := m.row(17)
	few := func(slot uint32) bool { return slot%100 == 0 } // ends in a scan
	broken := errors.New("broken page")
	for _, live := range []func(uint32) bool{nil, few} {
		for at := int64(1); ; at++ {
			m.calls.Store(0)
			m.hook = func(_ string, n int64) error {
				if n == at {
					return broken
				}
				return nil
			}
			_, err := g.Search(t.Context(), m, q, 10, 30, live)
			if m.calls.Load() < at {
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("call %d failed: Search returned %v", at, err)
			}
		}
	}
	m.hook = func(string, int64) error { return broken }
	if _, err := hnsw.Scan(t.Context(), m, q, []uint32{1}, 1); !errors.Is(err, broken) {
		t.Errorf("Scan returned %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	m.calls.Store(0)
	m.hook = func(_ string, n int64) error {
		if n == 40 {
			cancel()
		}
		return nil
	}
	if _, err := g.Search(ctx, m, q, 1000, 2000, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in its course: %v", err)
	}
	if calls := m.calls.Load(); calls > 200 {
		t.Errorf("cancelled at call 40, went on to %d", calls)
	}
	if _, err := g.Search(ctx, m, q, 1, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Search, cancelled before: %v", err)
	}
	if _, err := hnsw.Scan(ctx, m, q, []uint32{1}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan, cancelled before: %v", err)
	}
}

// Many at once share scratch memory and nothing else.
func TestSearchConcurrently(t *testing.T) {
	m, g := sharedFixture(t)
	small := clustered(33, 90, 32, 9, 0.5)
	gs := mustBuild(t, small, small.slots(nil), hnsw.Params{M: 4}, 2)
	qs := m.queries(34, 24, 0.1)
	search := func(g *hnsw.Graph, m *memory, q []float32) []hnsw.Hit {
		hits, err := g.Search(t.Context(), m, q, 10, 40, nil)
		if err != nil {
			t.Error(err)
		}
		return hits
	}
	var want [][]hnsw.Hit
	for _, q := range qs {
		want = append(want, search(g, m, q), search(gs, small, q))
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i, q := range qs {
				if !slices.Equal(search(g, m, q), want[2*i]) || !slices.Equal(search(gs, small, q), want[2*i+1]) {
					t.Errorf("query %d: other hits than alone", i)
				}
			}
		})
	}
	wg.Wait()
}

// A search of the usual size takes its memory from the pool.
func TestSearchAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector a sync.Pool drops some of what it is given")
	}
	m, g := sharedFixture(t)
	q := m.row(3)
	got := testing.AllocsPerRun(100, func() {
		if _, err := g.Search(t.Context(), m, q, 10, 50, nil); err != nil {
			t.Fatal(err)
		}
	})
	if got > 8 {
		t.Errorf("a search allocates %.0f times", got)
	}
}

// chosen is a subset of slots.
type chosen []uint32

func (c chosen) Has(slot uint32) bool { _, ok := slices.BinarySearch(c, slot); return ok }
func (c chosen) Len() int             { return len(c) }
func (c chosen) Slots() []uint32      { return c }

// TestSearchInSubsets: a search among some slots finds those alone, k of them
// where there are k, few or many, and nearly all of the nearest.
func TestSearchInSubsets(t *testing.T) {
	m := clustered(5, 2000, 16, 20, 0.5)
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{}, 0)
	for _, every := range []int{1, 2, 7, 50, 700, 5000} {
		var subset chosen
		for slot := range uint32(2000) {
			if int(slot*2654435761>>8)%every == 0 {
				subset = append(subset, slot)
			}
		}
		found, want := 0, 0
		for i := range 50 {
			q := m.row(uint32(i * 31))
			got, err := g.SearchIn(t.Context(), m, q, 10, 60, subset)
			if err != nil || len(got) != min(10, len(subset)) {
				t.Fatalf("every %d: %d hits, %v", every, len(got), err)
			}
			truth, err := hnsw.Scan(t.Context(), m, q, subset, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range got {
				if !subset.Has(h.Slot) {
					t.Fatalf("every %d: slot %d is not among them", every, h.Slot)
				}
				if h.Dot >= truth[len(truth)-1].Dot {
					found++
				}
			}
			want += len(truth)
		}
		if float64(found) < 0.99*float64(want) {
			t.Errorf("every %d: %d of %d found", every, found, want)
		}
	}
}
