package hnsw_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
)

func mustExtend(t testing.TB, g *hnsw.Graph, vecs hnsw.Vectors, add []uint32, live func(uint32) bool, workers int) *hnsw.Graph {
	t.Helper()
	extended, err := g.Extend(t.Context(), vecs, add, live, workers)
	if err != nil {
		t.Fatalf("Extend by %d slots: %v", len(add), err)
	}
	return extended
}

// TestExtendSequences: whatever is added and dropped, in one call or in
// several, the graph keeps the invariants of a built one and has its nodes, on
// the levels that they would have there, and its bytes do not depend on the
// number of workers.
func TestExtendSequences(t *testing.T) {
	first := rand.Uint64()
	t.Logf("first seed %d", first)
	for seed := first; seed < first+25; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		n := 2 + r.IntN(600)
		m := clustered(seed, n, 2+r.IntN(20), 1+r.IntN(40), []float32{0, 0.1, 0.5, 1}[r.IntN(4)])
		p := hnsw.Params{M: 2 + r.IntN(8), EfConstruction: 10 + r.IntN(50)}
		in := make([]bool, n)
		var slots []uint32
		for slot := range uint32(n) {
			if in[slot] = r.IntN(2) == 0; in[slot] {
				slots = append(slots, slot)
			}
		}
		g := mustBuild(t, m, slots, p, 2)
		for step := range 8 {
			var add []uint32
			drop := make([]bool, n)
			share, whole := []int{0, 2, 8, 30}[r.IntN(4)], r.IntN(4) == 0
			from := r.IntN(n)
			for slot := range uint32(n) {
				switch {
				case in[slot] && !whole && r.IntN(100) < share,
					in[slot] && whole && int(slot) >= from && int(slot) < from+n/6: // crowds in full
					drop[slot] = true
				case !in[slot] && r.IntN(100) < share:
					add = append(add, slot)
				}
			}
			before := g.AppendTo(nil)
			live := func(slot uint32) bool { return !drop[slot] }
			if r.IntN(4) == 0 {
				live, drop = nil, make([]bool, n)
			}
			var next *hnsw.Graph
			for _, workers := range []int{1, 2, 7} {
				r.Shuffle(len(add), func(i, j int) { add[i], add[j] = add[j], add[i] })
				got := mustExtend(t, g, m, add, live, workers)
				if next != nil && !bytes.Equal(got.AppendTo(nil), next.AppendTo(nil)) {
					t.Fatalf("seed %d, step %d: other bytes with %d workers", seed, step, workers)
				}
				next = got
			}
			if !bytes.Equal(g.AppendTo(nil), before) {
				t.Fatalf("seed %d, step %d: the graph that was extended has changed", seed, step)
			}
			for _, slot := range add {
				in[slot] = true
			}
			slots = slots[:0]
			for slot := range uint32(n) {
				if in[slot] = in[slot] && !drop[slot]; in[slot] {
					slots = append(slots, slot)
				}
			}
			if problems := append(hnsw.Check(next), hnsw.Short(next)...); len(problems) > 0 {
				t.Fatalf("seed %d, step %d: %v", seed, step, problems)
			}
			fresh := mustBuild(t, m, slots, p, 2)
			if !slices.Equal(next.Slots(), fresh.Slots()) {
				t.Fatalf("seed %d, step %d: other nodes or levels than a fresh build", seed, step)
			}
			for l, layer := range next.Describe().Layers {
				if want := fresh.Describe().Layers[l]; layer.Nodes != want.Nodes {
					t.Fatalf("seed %d, step %d: %d nodes in layer %d, want %d", seed, step, layer.Nodes, l, want.Nodes)
				}
			}
			again, err := hnsw.Decode(next.AppendTo(nil))
			if err != nil || !bytes.Equal(again.AppendTo(nil), next.AppendTo(nil)) {
				t.Fatalf("seed %d, step %d: decoded: %v", seed, step, err)
			}
			g = again
		}
	}
}

// TestExtendRecall: after twenty rounds in which a fiftieth of the slots is
// replaced, and dropped where an eighth of the graph is dead, the graph finds
// what a fresh one of the same slots finds.
func TestExtendRecall(t *testing.T) {
	const n, rounds, share = 2000, 20, 40
	m := clustered(70, n+rounds*share, 32, 140, 1)
	order := rand.New(rand.NewPCG(71, 0)).Perm(m.len())
	in := make([]bool, m.len())
	var slots []uint32
	for _, i := range order[:n] {
		in[i] = true
		slots = append(slots, uint32(i))
	}
	live := func(slot uint32) bool { return in[slot] }
	p := hnsw.Params{EfConstruction: 64}
	g := mustBuild(t, m, slots, p, 2)
	for round := range rounds {
		var add []uint32
		for i, at := range order[n+round*share:][:share] {
			in[order[round*share+i]], in[at] = false, true
			add = append(add, uint32(at))
		}
		dead := 0
		for _, slot := range g.Slots() {
			if !live(slot) {
				dead++
			}
		}
		if dead > g.Len()/8 {
			g = mustExtend(t, g, m, add, live, 2)
		} else {
			g = mustExtend(t, g, m, add, nil, 2)
		}
	}
	if problems := hnsw.Check(g); len(problems) > 0 {
		t.Error(problems)
	}
	fresh := mustBuild(t, m, m.slots(live), p, 2)
	qs := m.queries(72, 200, 0.1)
	for _, ef := range []int{20, 64} {
		got, want := recall(t, m, g, qs, 10, ef, live), recall(t, m, fresh, qs, 10, ef, live)
		t.Logf("ef %d: recall@10 %.4f, of a fresh graph %.4f", ef, got, want)
		if got < want-0.005 {
			t.Errorf("ef %d: recall@10 is %.4f, of a fresh graph %.4f", ef, got, want)
		}
	}
}

// Crowds that go leave no hole: their neighbours find others, however far.
func TestExtendDropsCrowds(t *testing.T) {
	m := clustered(73, 2000, 32, 40, 0.3) // crowds of 50
	g := mustBuild(t, m, m.slots(nil), hnsw.Params{M: 8, EfConstruction: 64}, 2)
	// Of every crowd but a few, all; of the others, all but three.
	live := func(slot uint32) bool { return slot/50%5 > 0 || slot/50 < 20 && slot%50 < 3 }
	g = mustExtend(t, g, m, nil, live, 2)
	if problems := append(hnsw.Check(g), hnsw.Short(g)...); len(problems) > 0 {
		t.Error(problems)
	}
	if want := len(m.slots(live)); g.Len() != want {
		t.Errorf("%d nodes, want %d", g.Len(), want)
	}
	if got := recall(t, m, g, m.queries(74, 100, 0.05), 10, 100, live); got < 0.98 {
		t.Errorf("recall@10 at ef 100 is %.4f, want 0.98", got)
	}
}

// New crowds, all in one batch, find each other, on every level.
func TestExtendByCrowds(t *testing.T) {
	m := clustered(79, 2400, 32, 48, 0.5) // crowds of 50
	p := hnsw.Params{M: 3, EfConstruction: 32}
	old := func(slot uint32) bool { return slot/50%24 > 0 }
	g := mustBuild(t, m, m.slots(old), p, 2)
	added := m.slots(func(slot uint32) bool { return !old(slot) })
	g = mustExtend(t, g, m, added, nil, 2)
	fresh := mustBuild(t, m, m.slots(nil), p, 2)
	var qs [][]float32
	for _, slot := range added {
		qs = append(qs, m.row(slot))
	}
	got, want := recall(t, m, g, qs, 10, 40, nil), recall(t, m, fresh, qs, 10, 40, nil)
	t.Logf("recall@10 at ef 40 is %.4f, of a fresh graph %.4f", got, want)
	if got < want-0.005 {
		t.Errorf("recall@10 at ef 40 is %.4f, of a fresh graph %.4f", got, want)
	}
}

// TestExtendByDistance: the Euclidean distance too.
func TestExtendByDistance(t *testing.T) {
	plain, coded := places(75, 1500, 16, 30, 3)
	live := func(slot uint32) bool { return slot%9 > 0 }
	half := func(slot uint32) bool { return slot%16 > 0 }
	g, err := hnsw.Build(t.Context(), plain, plain.slots(half), hnsw.Params{EfConstruction: 64}, 2)
	if err != nil {
		t.Fatal(err)
	}
	rest := plain.slots(func(slot uint32) bool { return !half(slot) && live(slot) })
	extended := mustExtend(t, g, plain, rest, live, 2)
	if problems := hnsw.Check(extended); len(problems) > 0 {
		t.Error(problems)
	}
	if got := found(t, coded, 1500, extended, plain.blurred(76, 60, 0.1), 10, 64, live); got < 0.98 {
		t.Errorf("recall@10 at ef 64 is %.4f, want 0.98", got)
	}
}

// Extend reads the vectors of slots that stay or come, each once, and no others:
// those of dropped slots may be unreadable.
func TestExtendReads(t *testing.T) {
	m, g := sharedFixture(t)
	r := &reads{memory: m, count: make([]atomic.Int32, m.len())}
	live := func(slot uint32) bool { return slot%10 > 0 }
	mustExtend(t, g, r, nil, live, 2)
	for slot := range r.count {
		want := int32(1)
		if !live(uint32(slot)) {
			want = 0
		}
		if got := r.count[slot].Load(); got != want {
			t.Errorf("slot %d is read %d times, want %d", slot, got, want)
		}
	}
	if same := mustExtend(t, g, r, nil, nil, 2); same != g {
		t.Error("with nothing to do, there is another graph")
	}
}

// reads counts how often vectors are read.
type reads struct {
	*memory
	count []atomic.Int32
}

func (r *reads) Read(slot uint32, dst []float32) error {
	r.count[slot].Add(1)
	return r.memory.Read(slot, dst)
}

// Where most of a graph changes, and where nothing is left.
func TestExtendAll(t *testing.T) {
	m := clustered(77, 400, 8, 20, 0.5)
	few := m.slots(func(slot uint32) bool { return slot < 50 })
	g := mustBuild(t, m, few, hnsw.Params{M: 4}, 2)
	fresh := mustBuild(t, m, m.slots(nil), hnsw.Params{M: 4}, 2)
	got := mustExtend(t, g, m, m.slots(func(slot uint32) bool { return slot >= 50 }), nil, 2)
	if !bytes.Equal(got.AppendTo(nil), fresh.AppendTo(nil)) {
		t.Error("a graph extended to many times its size is not that of a fresh build")
	}
	none := mustExtend(t, g, m, nil, func(uint32) bool { return false }, 2)
	if none.Len() != 0 || len(none.Slots()) != 0 {
		t.Errorf("%d nodes are left of none", none.Len())
	}
	one := mustExtend(t, none, m, []uint32{7}, nil, 2)
	if one.Len() != 1 || !one.Has(7) || one.Describe().Params.M != 4 {
		t.Errorf("one slot added to none: %+v", one.Describe())
	}
}

func TestExtendRefuses(t *testing.T) {
	m, g := sharedFixture(t)
	some, err := g.Extend(t.Context(), m, nil, func(slot uint32) bool { return slot >= 10 }, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, add := range [][]uint32{{10}, {3, 11}, {4, 4}} {
		if g, err := some.Extend(t.Context(), m, add, nil, 2); !errors.Is(err, hnsw.ErrInput) || g != nil {
			t.Errorf("add %v: got %v, %v, want ErrInput", add, g, err)
		}
	}
	if _, err := some.Extend(t.Context(), &memory{}, []uint32{1}, nil, 2); !errors.Is(err, hnsw.ErrInput) {
		t.Errorf("no dimensions: %v, want ErrInput", err)
	}
	// A slot that is dropped may come again.
	again, err := some.Extend(t.Context(), m, []uint32{10}, func(slot uint32) bool { return slot != 10 }, 2)
	if err != nil || !again.Has(10) || again.Len() != some.Len() {
		t.Errorf("slot 10 dropped and added: %v", err)
	}
}

// An error, a panic and the end of ctx end an Extend, with all its goroutines:
// a bubble does not end before they do.
func TestExtendFails(t *testing.T) {
	m := clustered(78, 1200, 16, 40, 0.5)
	p := hnsw.Params{M: 6, EfConstruction: 30}
	old := func(slot uint32) bool { return slot%6 > 0 }
	live := func(slot uint32) bool { return slot%10 > 0 }
	add := m.slots(func(slot uint32) bool { return !old(slot) })
	g := mustBuild(t, m, m.slots(old), p, 2)
	before := g.AppendTo(nil)
	broken := errors.New("broken page")
	for _, workers := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			m := &memory{dim: m.dim, rows: m.rows}
			m.hook = func(_ string, n int64) error {
				if n == 500 {
					return broken
				}
				return nil
			}
			if got, err := g.Extend(t.Context(), m, add, live, workers); !errors.Is(err, broken) || got != nil {
				t.Errorf("%d workers: got %v, want the vectors' error", workers, err)
			}
			m.calls.Store(0)
			m.hook = func(_ string, n int64) error {
				if n == 500 {
					panic("bug below")
				}
				return nil
			}
			func() {
				defer func() {
					if p, ok := recover().(*parallel.Panic); !ok || p.Value != "bug below" {
						t.Errorf("%d workers: recovered %v", workers, p)
					}
				}()
				_, err := g.Extend(t.Context(), m, add, live, workers)
				t.Errorf("%d workers: Extend returned %v", workers, err)
			}()
			// Cancelled while vectors are read, and when the last is.
			for _, at := range []int64{1, 500, int64(len(m.slots(func(slot uint32) bool { return live(slot) && old(slot) })) + len(add))} {
				ctx, cancel := context.WithCancel(t.Context())
				m.calls.Store(0)
				m.hook = func(_ string, n int64) error {
					if n == at {
						cancel()
					} else if n > at {
						<-ctx.Done() // the canceller may not have come to it yet
					}
					return nil
				}
				if got, err := g.Extend(ctx, m, add, live, workers); !errors.Is(err, context.Canceled) || got != nil {
					t.Errorf("%d workers: cancelled at call %d: %v", workers, at, err)
				}
				if n := m.calls.Load(); n >= at+2*int64(workers) { // a call that waited, and one that had begun
					t.Errorf("%d workers: cancelled at call %d, went on to %d", workers, at, n)
				}
			}
		})
	}
	if !bytes.Equal(g.AppendTo(nil), before) {
		t.Error("the graph that was not extended has changed")
	}
}
