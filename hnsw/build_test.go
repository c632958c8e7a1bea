package hnsw_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
)

// The bytes of a graph depend on its nodes and vectors, and on nothing else.
func TestBuildDeterministic(t *testing.T) {
	m := clustered(2, 900, 16, 40, 0.5)
	p := hnsw.Params{M: 8, EfConstruction: 40}
	nodes := m.slots(nil)
	want := mustBuild(t, m, nodes, p, 1).AppendTo(nil)
	for _, workers := range []int{1, 2, 7} {
		rand.New(rand.NewPCG(3, uint64(workers))).Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		got := mustBuild(t, m, nodes, p, workers).AppendTo(nil)
		if !bytes.Equal(got, want) {
			t.Errorf("%d workers, nodes shuffled: other bytes (%d, want %d)", workers, len(got), len(want))
		}
	}
}

func TestBuildInvariants(t *testing.T) {
	identical := &memory{dim: 4, rows: slices.Repeat([]float32{0.5, 0.5, 0.5, 0.5}, 400)}
	opposite := &memory{dim: 1, rows: slices.Repeat([]float32{1, -1}, 150)}
	zero := &memory{dim: 3, rows: make([]float32, 3*100)}
	crowds := clustered(4, 600, 16, 6, 0) // 6 × 100 equal vectors
	_, big := sharedFixture(t)
	if problems := hnsw.Check(big); len(problems) > 0 {
		t.Errorf("4,000 clustered: %v", problems)
	}
	for _, tc := range []struct {
		name string
		m    *memory
		p    hnsw.Params
	}{
		{"identical", identical, hnsw.Params{}},
		{"identical, M 2", identical, hnsw.Params{M: 2, EfConstruction: 4}},
		{"two vectors", opposite, hnsw.Params{M: 4}},
		{"zero vectors", zero, hnsw.Params{M: 3}},
		{"equal crowds", crowds, hnsw.Params{M: 8, EfConstruction: 50}},
		{"narrow search", clustered(5, 1000, 16, 20, 0.3), hnsw.Params{M: 2, EfConstruction: 2}},
		{"wide", clustered(6, 400, 8, 40, 0.3), hnsw.Params{M: 256}},
	} {
		g := mustBuild(t, tc.m, tc.m.slots(nil), tc.p, 2)
		if problems := append(hnsw.Check(g), hnsw.Short(g)...); len(problems) > 0 {
			t.Errorf("%s: %v", tc.name, problems)
		}
		if g.Len() != tc.m.len() {
			t.Errorf("%s: Len is %d, want %d", tc.name, g.Len(), tc.m.len())
		}
	}
}

func TestHasLenBytes(t *testing.T) {
	m := clustered(9, 300, 8, 30, 0.5)
	nodes := m.slots(func(slot uint32) bool { return slot%3 == 0 })
	g := mustBuild(t, m, nodes, hnsw.Params{M: 3}, 1)
	for slot := range uint32(310) {
		if got, want := g.Has(slot), slot < 300 && slot%3 == 0; got != want {
			t.Errorf("Has(%d) = %v, want %v", slot, got, want)
		}
	}
	if got := g.Len(); got != 100 {
		t.Errorf("Len() = %d, want 100", got)
	}
	// At least slots, starts and one link each; at most what M allows.
	if got := g.Bytes(); got < 4*3*100 || got > 4*100*(2+6)*2 {
		t.Errorf("Bytes() = %d", got)
	}
	if empty := new(hnsw.Graph); empty.Has(0) || empty.Len() != 0 || empty.Bytes() != 0 {
		t.Error("the zero graph is not empty")
	}
}

func TestBuildRefuses(t *testing.T) {
	m := clustered(10, 10, 4, 2, 0.5)
	twice := append(m.slots(nil), 7)
	for _, tc := range []struct {
		name  string
		vecs  hnsw.Vectors
		slots []uint32
		p     hnsw.Params
	}{
		{"slot given twice", m, twice, hnsw.Params{}},
		{"M 1", m, m.slots(nil), hnsw.Params{M: 1}},
		{"M negative", m, m.slots(nil), hnsw.Params{M: -16}},
		{"M 257", m, m.slots(nil), hnsw.Params{M: 257}},
		{"EfConstruction below M", m, m.slots(nil), hnsw.Params{M: 16, EfConstruction: 15}},
		{"EfConstruction huge", m, m.slots(nil), hnsw.Params{EfConstruction: 1<<16 + 1}},
		{"no dimensions", &memory{dim: 0}, nil, hnsw.Params{}},
	} {
		if g, err := hnsw.Build(t.Context(), tc.vecs, tc.slots, tc.p, 1); !errors.Is(err, hnsw.ErrInput) || g != nil {
			t.Errorf("%s: got %v, %v, want ErrInput", tc.name, g, err)
		}
	}
	for _, p := range []hnsw.Params{{}, {M: 2}, {M: 256}, {M: 16, EfConstruction: 16}} {
		if err := p.Validate(); err != nil {
			t.Errorf("Validate(%+v) = %v, want nil", p, err)
		}
	}
}

// Build hands on the error of its vectors, and no goroutine outlives it.
func TestBuildFails(t *testing.T) {
	broken := errors.New("broken page")
	for _, workers := range []int{1, 4} {
		m := clustered(11, 200, 4, 10, 0.5)
		var running atomic.Int64
		m.hook = func(_ string, n int64) error {
			running.Add(1)
			defer running.Add(-1)
			if n >= 100 {
				return broken
			}
			return nil
		}
		_, err := hnsw.Build(t.Context(), m, m.slots(nil), hnsw.Params{}, workers)
		if !errors.Is(err, broken) {
			t.Errorf("%d workers: got %v, want the vectors' error", workers, err)
		}
		if n := running.Load(); n != 0 {
			t.Errorf("%d workers: %d calls still running", workers, n)
		}
	}
}

func TestBuildCancelled(t *testing.T) {
	for _, workers := range []int{1, 4} {
		ctx, cancel := context.WithCancel(t.Context())
		m := clustered(12, 3000, 16, 10, 0.5)
		m.hook = func(_ string, n int64) error {
			if n == int64(m.len()) { // the last vector is read, no node inserted
				cancel()
			}
			return nil
		}
		if _, err := hnsw.Build(ctx, m, m.slots(nil), hnsw.Params{}, workers); !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: got %v, want context.Canceled", workers, err)
		}
	}
}

// A panic in a worker reaches whoever called Build and can recover.
func TestBuildPanic(t *testing.T) {
	for _, workers := range []int{1, 4} {
		m := clustered(13, 100, 4, 10, 0.5)
		m.hook = func(_ string, n int64) error {
			if n == 50 {
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
			_, err := hnsw.Build(t.Context(), m, m.slots(nil), hnsw.Params{}, workers)
			t.Errorf("%d workers: Build returned %v", workers, err)
		}()
	}
}
