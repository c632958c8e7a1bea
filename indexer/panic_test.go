package indexer_test

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestPanicsOfWorkers: a bug that a worker of a request meets is a panic of the
// request's own goroutine, where it is recovered, and leaves nothing behind that
// the next request would wait for.
func TestPanicsOfWorkers(t *testing.T) {
	corpus := nearCorpus(rand.New(rand.NewPCG(1, 1)), 300)
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: corpus})
	var ops []contract.Op
	for id, text := range corpus {
		ops = append(ops, put(id, text))
	}
	cosine, euclidean := vfstest.NewMem(), vfstest.NewMem()
	workers := func(c *indexer.Config) { c.Workers = 3 }
	h := open(t, cosine, src, &indexertest.Embedder{Window: 3}, workers)
	h.mustIndex("c1", "")
	h.close()
	h = open(t, euclidean, src, &indexertest.Embedder{Window: 3}, workers)
	if task := h.pushWith("c1", catalog.SettingsRequest{Metric: catalog.MetricL2}, ops...); task.State != tasks.Complete {
		t.Fatalf("%+v", task)
	}
	h.close()

	found := pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Threshold: 0.1}
	for _, c := range []struct {
		name    string
		files   *vfstest.Mem
		request func(h *harness) error
	}{
		{"near pairs, by codes", cosine, func(h *harness) error {
			_, err := h.near(found)
			return err
		}},
		{"near pairs, without codes", euclidean, func(h *harness) error {
			_, err := h.near(found)
			return err
		}},
		{"duplicates", cosine, func(h *harness) error {
			_, err := pairs.New(h.Reader).Duplicates(t.Context(), found)
			return err
		}},
		{"candidates", cosine, func(h *harness) error {
			_, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
				Domain: domain, Ref: search.Ref{Commit: "c1"}, K: 3, SetThreshold: 1, TargetThreshold: 1,
			})
			return err
		}},
		{"compare", cosine, func(h *harness) error {
			_, err := h.Compare(t.Context(), search.CompareRequest{Source: "red apple", Target: "green sea"})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var armed atomic.Bool
			bug := func() {
				if armed.Load() {
					panic("bug below")
				}
			}
			fault := vfstest.NewFault(c.files)
			fault.OnOp(func(_ int, op vfstest.Op) {
				if op == vfstest.OpReadAt {
					bug()
				}
			})
			emb := &indexertest.Embedder{Window: 3, Fail: func([]string) error { bug(); return nil }}
			h := open(t, fault, src, emb, workers)
			h.searchMode("c1", "red", search.ModeText, search.Filter{}, 1) // opens the snapshot and reads no vector
			armed.Store(true)
			for range 3 {
				p, err := caught(func() error { return c.request(h) })
				if p, ok := p.(*parallel.Panic); !ok || p.Value != "bug below" {
					t.Fatalf("recovered %v, error %v; want the worker's panic", p, err)
				}
			}
			armed.Store(false)
			if err := c.request(h); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func caught(f func() error) (p any, err error) {
	defer func() { p = recover() }()
	return nil, f()
}

// TestPanicOfATask: the task says what it failed of, and its reader is spared the
// stack.
func TestPanicOfATask(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "red apple")})
	emb := &indexertest.Embedder{Fail: func([]string) error {
		panic(&parallel.Panic{Value: "bug below", Stack: []byte("goroutine 1")})
	}}
	h := open(t, vfstest.NewMem(), src, emb)
	task := h.index("c1", "")
	if task.State != tasks.Failed || !strings.HasSuffix(task.Error, "panic: bug below") {
		t.Errorf("state %v, error %q", task.State, task.Error)
	}
}
