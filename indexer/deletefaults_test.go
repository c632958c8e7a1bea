package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// served returns the texts of every commit that is there, by id.
func (h *harness) served() map[string]map[string]string {
	h.t.Helper()
	infos, err := h.Commits(domain)
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		h.t.Fatal(err)
	}
	all := make(map[string]map[string]string)
	for _, info := range infos {
		all[info.Commit] = h.texts(info.Commit)
	}
	return all
}

// TestFailedDeletions fails each file operation of a deletion in turn, once and
// for good, among them those of the task journal: what is left is what a restart
// finds, nothing is lost from sight or comes back, and the deletion can be
// repeated.
func TestFailedDeletions(t *testing.T) {
	for name, remove := range map[string]func(h *harness) error{
		"domain":       func(h *harness) error { return h.DeleteDomain(t.Context(), domain, false) },
		"domain purge": func(h *harness) error { return h.DeleteDomain(t.Context(), domain, true) },
		"branch":       func(h *harness) error { return h.DeleteBranchIndex(t.Context(), domain, "main") },
	} {
		t.Run(name, func(t *testing.T) {
			// run does the deletion under a plan, and returns the number of its
			// operations and whether it failed.
			run := func(plan vfstest.Plan) (ops int, failed bool) {
				what := fmt.Sprintf("operation %d fails with %v, for good %t", plan.At, plan.Err, plan.Forever)
				mem := vfstest.NewMem()
				faults := vfstest.NewFault(mem)
				journal := func(c *indexer.Config) { c.TaskFile = taskFile }
				h := openPush(t, faults, &indexertest.Embedder{}, journal)
				p, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c1", StoreClustering: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, op := range puts("d/A/1", "one", "d/A/2", "two") {
					if err := p.Apply(op); err != nil {
						t.Fatal(err)
					}
				}
				p.Finish()
				<-p.Done()
				h.mustPush("main", "", "c2", puts("d/A/1", "uno")...)
				h.mustPush("fork", "c2", "f1", puts("d/A/3", "three")...)

				faults.Set(plan)
				err = remove(h)
				ops, failed = faults.Ops(), err != nil
				faults.Set(vfstest.Plan{})
				left := h.served()
				if err == nil && left["c1"] != nil {
					t.Errorf("%s: deleted, and c1 is served", what)
				}
				h.close()
				h = openPush(t, mem, &indexertest.Embedder{}, journal)
				defer h.close()
				if found := h.served(); !maps.EqualFunc(found, left, maps.Equal) {
					t.Errorf("%s (%v): served were %v, and after a restart %v", what, err, left, found)
				}
				if err := remove(h); err != nil {
					t.Errorf("%s: again: %v", what, err)
				}
				if left := h.served(); len(left) != map[string]int{"branch": 1}[name] {
					t.Errorf("%s: deleted again, and served are %v", what, left)
				}
				return ops, failed
			}
			total, failed := run(vfstest.Plan{})
			if failed {
				t.Fatal("a deletion without faults fails")
			}
			failures := 0
			for n := range total {
				for _, forever := range []bool{false, true} {
					if _, failed := run(vfstest.Plan{At: n, Err: syscall.EIO, Forever: forever}); failed {
						failures++
					}
				}
			}
			if failures < total/2 {
				t.Errorf("of %d operations that failed, %d surfaced", 2*total, failures)
			}
		})
	}
}
