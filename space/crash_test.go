package space_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

type contents = map[space.Key][]float32

// want is what a space must hold: the contents of its branches and of its commits.
type want struct {
	branches, commits map[string]contents
	frozen            bool
}

func newWant() *want {
	return &want{branches: make(map[string]contents), commits: make(map[string]contents)}
}

func (w *want) clone() *want {
	c := &want{make(map[string]contents), maps.Clone(w.commits), w.frozen}
	for name, held := range w.branches {
		c.branches[name] = maps.Clone(held)
	}
	return c
}

func (w *want) branch(name string) contents {
	if w.branches[name] == nil {
		w.branches[name] = make(contents)
	}
	return w.branches[name]
}

// step is a change to a space, and what it makes of its contents.
type step struct {
	name  string
	do    func(w *world, sp *space.Space) (commit string, err error)
	model func(w *want)
}

func set(branch string, items ...space.Item) step {
	return step{"set on " + branch, func(_ *world, sp *space.Space) (string, error) {
		return "", sp.Set(context.Background(), space.At{Branch: branch}, items...)
	}, func(w *want) {
		for _, it := range items {
			w.branch(branch)[it.Key] = it.Vector
		}
	}}
}

func remove(branch string, k space.Key) step {
	return step{"delete on " + branch, func(_ *world, sp *space.Space) (string, error) {
		return "", sp.Delete(context.Background(), space.At{Branch: branch}, k)
	}, func(w *want) { delete(w.branch(branch), k) }}
}

func commit(branch string) step {
	return step{"commit " + branch, func(_ *world, sp *space.Space) (string, error) {
		return sp.Commit(context.Background(), space.At{Branch: branch})
	}, func(*want) {}}
}

// bulk is one of an item and a deletion.
func bulk(branch string, it space.Item, gone space.Key) step {
	return step{"bulk on " + branch, func(_ *world, sp *space.Space) (string, error) {
		b, err := sp.Bulk(context.Background(), space.At{Branch: branch})
		if err != nil {
			return "", err
		}
		defer b.Abort()
		if err := errors.Join(b.Set(it), b.Delete(gone)); err != nil {
			return "", err
		}
		return b.Commit()
	}, func(w *want) {
		w.branch(branch)[it.Key] = it.Vector
		delete(w.branch(branch), gone)
	}}
}

func item(k space.Key, x float32) space.Item { return space.Item{Key: k, Vector: []float32{x, -x}} }

const crashed = "s"

var steps = []step{
	set("main", item(str("a"), 1)),
	set("main", item(str("b"), 2), item(space.IntKey(1), 3), item(str("1"), 4)),
	remove("main", str("b")),
	commit("main"),
	set("main", item(str("a"), 5)),
	remove("main", space.IntKey(1)),
	bulk("main", item(str("c"), 6), str("1")),
	set("main", item(str("a"), 7)),
	{"branch", func(_ *world, sp *space.Space) (string, error) {
		return "", sp.MakeBranch(context.Background(), main_, "try")
	}, func(w *want) { w.branches["try"] = maps.Clone(w.branch("main")) }},
	set("try", item(str("a"), 8)),
	remove("try", str("c")),
	set("main", item(str("d"), 9)),
	{"merge", func(_ *world, sp *space.Space) (string, error) {
		c, _, err := sp.Merge(context.Background(), main_, "try")
		return c, err
	}, func(w *want) {
		w.branch("main")[str("a")] = []float32{8, -8}
		delete(w.branch("main"), str("c"))
	}},
	{"revert", func(_ *world, sp *space.Space) (string, error) {
		return sp.Revert(context.Background(), main_, "main~1")
	}, func(w *want) {
		m := w.branch("main")
		clear(m)
		m[str("a")], m[str("c")], m[str("d")] = []float32{7, -7}, []float32{6, -6}, []float32{9, -9}
	}},
	set("main", item(str("e"), 10)),
	{"delete all", func(_ *world, sp *space.Space) (string, error) {
		_, c, err := sp.DeleteAll(context.Background(), main_)
		return c, err
	}, func(w *want) { clear(w.branch("main")) }},
	set("main", item(str("f"), 11)),
	{"freeze", func(_ *world, sp *space.Space) (string, error) {
		return "", sp.Freeze(context.Background())
	}, func(w *want) { w.frozen = true }},
}

// boot opens what a disk holds.
func boot(files vfs.FS) (*world, error) {
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		return nil, err
	}
	return &world{files: files, ix: ix, Spaces: space.New(space.Config{FS: files, Service: service.New(ix.Reader, ix)})}, nil
}

func (w *world) end() error { return errors.Join(w.Close(), w.ix.Close(context.Background())) }

// holds compares a space with one of several wants.
func (w *world) holds(t *testing.T, any ...*want) error {
	sp, _, err := w.Find(context.Background(), crashed)
	if err != nil {
		return err
	}
	for _, now := range any {
		err = nil
		for name, held := range now.branches {
			at, e := sp.Resolve(name)
			if e != nil {
				err = e
			} else if got := all(t, sp, at); !equal(got, held) {
				err = fmt.Errorf("branch %s has %v, want %v", name, got, held)
			}
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	for id, held := range any[0].commits {
		at, err := sp.Resolve(id)
		if err != nil {
			return err
		}
		if got := all(t, sp, at); !equal(got, held) {
			return fmt.Errorf("commit %s has %v, want %v", id, got, held)
		}
	}
	return nil
}

// TestCrashAnywhere cuts the power before every operation of a script. Whatever the disk
// has kept, each write that was acknowledged is there, one in the making is there whole
// or not at all, every commit has its contents, and the space takes writes.
func TestCrashAnywhere(t *testing.T) {
	long := os.Getenv("VECTORLINK_LONG") != ""
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	var mu sync.Mutex // guards made, now, next, doing
	made, now, doing := false, newWant(), "create"
	next := now
	crashes := 0
	look := func(disk *vfstest.Mem, n int) error {
		w, err := boot(disk)
		if err != nil {
			return err
		}
		if _, _, err := w.Find(context.Background(), crashed); !made && errors.Is(err, contract.ErrNotFound) {
			return w.end()
		}
		if err := w.holds(t, now, next); err != nil {
			return errors.Join(err, w.end())
		}
		if n%4 == 0 && len(now.branches) > 0 && !next.frozen {
			// It goes on, and a second crash takes nothing.
			sp, _, err := w.Find(context.Background(), crashed)
			more := item(str("more"), float32(n))
			if err == nil {
				err = sp.Set(context.Background(), main_, more)
			}
			if err != nil {
				return errors.Join(err, w.end())
			}
			again, err := boot(disk.CrashClone(uint64(n), 0))
			if err != nil {
				return errors.Join(err, w.end())
			}
			a, b := now.clone(), next.clone()
			a.branch("main")[more.Key], b.branch("main")[more.Key] = more.Vector, more.Vector
			if err := errors.Join(again.holds(t, a, b), again.end()); err != nil {
				return errors.Join(fmt.Errorf("and once more: %w", err), w.end())
			}
		}
		return w.end()
	}
	fault.OnOp(func(n int, op vfstest.Op) {
		mu.Lock()
		defer mu.Unlock()
		if t.Failed() {
			return // one is enough; whoever is here may not be ended
		}
		if op == vfstest.OpReadAt || op == vfstest.OpSize || op == vfstest.OpList || op == vfstest.OpOpen || op == vfstest.OpClose {
			return // they leave the disk as it was before the next that does not
		}
		for _, share := range []float64{0, 0.5, 1} {
			seeds := uint64(1)
			if long && share == 0.5 {
				seeds = 20
			}
			for seed := range seeds {
				if !long && share == 0.5 && n%3 > 0 {
					continue
				}
				crashes++
				if err := look(mem.CrashClone(seed, share), n); err != nil {
					t.Errorf("in %s, before operation %d (%s), %g of the unsynced kept, seed %d: %v", doing, n, op, share, seed, err)
					return
				}
			}
		}
	})
	w, err := boot(fault)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Create(t.Context(), crashed, space.Schema{Dims: 2}); err != nil {
		t.Fatal(err)
	}
	sp, _, err := w.Find(context.Background(), crashed)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	made = true
	mu.Unlock()
	for _, s := range steps {
		after := now.clone()
		s.model(after)
		mu.Lock()
		next, doing = after, s.name
		mu.Unlock()
		id, err := s.do(w, sp)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		mu.Lock()
		if id != "" {
			after.commits[id] = maps.Clone(after.branch("main"))
		}
		now = after
		mu.Unlock()
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", crashes)
}

// TestFaultAnywhere fails every operation of the script in turn: what was told to be
// written is there, also after a crash, and what was not is there whole or not at all.
func TestFaultAnywhere(t *testing.T) {
	stride := 7
	if os.Getenv("VECTORLINK_LONG") != "" {
		stride = 1
	}
	for _, plan := range []vfstest.Plan{{}, {Forever: true}, {Short: true}} {
		for n := 0; ; n += stride {
			plan.At, plan.Err = n, syscall.EIO
			if !faultAt(t, plan) {
				break
			}
		}
	}
}

// faultAt reports whether the script has such an operation.
func faultAt(t *testing.T, plan vfstest.Plan) bool {
	where := fmt.Sprintf("operation %d (for good: %v, short: %v)", plan.At, plan.Forever, plan.Short)
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	w, err := boot(fault)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Create(t.Context(), crashed, space.Schema{Dims: 2}); err != nil {
		t.Fatal(err)
	}
	fault.Set(plan)
	now := newWant()
	next := now
	for _, s := range steps {
		next = now.clone()
		s.model(next)
		var id string
		sp, _, e := w.Find(context.Background(), crashed)
		if e == nil {
			id, e = s.do(w, sp)
		}
		if err = e; err != nil {
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("%s, %s: %v", where, s.name, err)
			}
			break
		}
		if id != "" {
			next.commits[id] = maps.Clone(next.branch("main"))
		}
		now = next
	}
	hit := fault.Hits() > 0
	for seed, share := range []float64{0, 0.5, 1} {
		disk, err := boot(mem.CrashClone(uint64(seed), share))
		if err == nil {
			err = errors.Join(disk.holds(t, now, next), disk.end())
		}
		if err != nil {
			t.Fatalf("%s, a crash that keeps %g: %v", where, share, err)
		}
	}
	// The disk is well again, and the process goes on.
	fault.Set(vfstest.Plan{})
	if err := w.holds(t, now, next); err != nil {
		t.Fatalf("%s, afterwards: %v", where, err)
	}
	sp, _, err := w.Find(context.Background(), crashed)
	if err == nil {
		err = sp.Set(context.Background(), main_, item(str("z"), 1))
	}
	if err != nil && !errors.Is(err, contract.ErrFrozen) {
		t.Fatalf("%s, afterwards: %v", where, err)
	}
	if err := w.end(); err != nil {
		t.Fatalf("%s, at the end: %v", where, err)
	}
	return hit
}
