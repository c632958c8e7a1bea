package catalog_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// prune prunes commits and removes their files, in that order.
func prune(fsys vfs.FS, d *catalog.Domain, commits ...string) error {
	return d.Update(func(tx *catalog.Tx) error {
		if err := tx.Prune(commits...); err != nil {
			return err
		}
		for _, c := range commits {
			if err := fsys.Remove(snapshot.FileName(d.Name(), c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return errors.Join(err, back(fsys, tx, d.Name(), c))
			}
		}
		return fsys.SyncDir()
	})
}

// deleteAll deletes a domain, as package indexer does.
func deleteAll(fsys vfs.FS, c *catalog.Catalog) error {
	d := c.Create("a/b")
	err := d.Update(func(tx *catalog.Tx) error {
		var commits []string
		for info := range tx.State().Newest() {
			commits = append(commits, info.Commit)
		}
		if err := tx.Remove(commits...); err != nil {
			return err
		}
		for _, c := range commits {
			if err := fsys.Remove(snapshot.FileName("a/b", c)); err != nil {
				return errors.Join(err, back(fsys, tx, "a/b", c))
			}
		}
		return errors.Join(fsys.SyncDir(), tx.ForgetPruned())
	})
	if err == nil {
		c.Forget(d)
	}
	return err
}

// prunings are changes to a data directory, each with what has become of commits
// after it. A step may find done what it is to do.
var prunings = []struct {
	name string
	do   func(fsys vfs.FS, c *catalog.Catalog) error
	then map[string]string
}{
	{"put", func(fsys vfs.FS, c *catalog.Catalog) error {
		var err error
		for _, commit := range []string{"c1", "c2", "c3", "c4", "c5"} {
			err = errors.Join(err, ensure(fsys, c, commit))
		}
		return err
	}, map[string]string{"c1": "there", "c2": "there", "c3": "there", "c4": "there", "c5": "there"}},
	{"prune c2 c3", func(fsys vfs.FS, c *catalog.Catalog) error { return prune(fsys, c.Create("a/b"), "c2", "c3") },
		map[string]string{"c2": "pruned", "c3": "pruned"}},
	{"put c2 again", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c2") }, map[string]string{"c2": "there"}},
	{"delete c2", func(fsys vfs.FS, c *catalog.Catalog) error { return drop(fsys, c, "c2") }, map[string]string{"c2": "gone"}},
	{"prune c1", func(fsys vfs.FS, c *catalog.Catalog) error { return prune(fsys, c.Create("a/b"), "c1") }, map[string]string{"c1": "pruned"}},
	{"put c1 c3", func(fsys vfs.FS, c *catalog.Catalog) error {
		return errors.Join(ensure(fsys, c, "c1"), ensure(fsys, c, "c3"))
	}, map[string]string{"c1": "there", "c3": "there"}},
	{"prune c1 c3 c4", func(fsys vfs.FS, c *catalog.Catalog) error {
		return prune(fsys, c.Create("a/b"), "c4", "c3", "c1")
	}, map[string]string{"c1": "pruned", "c3": "pruned", "c4": "pruned"}},
	{"delete all", deleteAll, map[string]string{"c1": "gone", "c3": "gone", "c4": "gone", "c5": "gone"}},
	{"put c1 at last", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c1") }, map[string]string{"c1": "there"}},
}

// fates returns what has become of the commits of the script.
func fates(c *catalog.Catalog) map[string]string {
	s := c.Create("a/b").State()
	got := make(map[string]string)
	for _, commit := range []string{"c1", "c2", "c3", "c4", "c5"} {
		switch {
		case s.Has(commit):
			got[commit] = "there"
		case s.Pruned(commit):
			got[commit] = "pruned"
		default:
			got[commit] = "gone"
		}
	}
	return got
}

// fits holds what is found against what was before a step and what is after it.
func fits(got, before, after map[string]string) error {
	for commit, fate := range got {
		if fate != before[commit] && fate != after[commit] {
			return fmt.Errorf("%s is %s; it was %s, and becomes %s", commit, fate, before[commit], after[commit])
		}
	}
	return nil
}

// afterCrash opens what a crash has left for reading, for writing, and once more.
func afterCrash(disk *vfstest.Mem, before, after map[string]string) error {
	var first map[string]string
	for i, readOnly := range []bool{true, false, false} {
		c, err := catalog.Open(catalog.Config{FS: disk, ReadOnly: readOnly})
		if err != nil {
			return err
		}
		got := fates(c)
		if first == nil {
			first = got
		}
		if err := fits(got, before, after); err != nil {
			return err
		}
		if !maps.Equal(got, first) {
			return fmt.Errorf("opened %d times, it says %v, and %v at first", i+1, got, first)
		}
	}
	list, err := disk.List()
	if err != nil {
		return err
	}
	for _, name := range list {
		if name == catalog.PrunedName("a/b") {
			return catalog.Verify(disk, name)
		}
	}
	return nil
}

// TestPrunedCrashAnywhere cuts the power before every operation, of a writer and of
// the one that comes after it: commits are what they were before a step or what they
// are after it.
func TestPrunedCrashAnywhere(t *testing.T) {
	for _, garbage := range []int{0, 64} {
		t.Run(fmt.Sprint(garbage), func(t *testing.T) {
			defer catalog.AllowGarbage(garbage)()
			mem := vfstest.NewMem()
			fault := vfstest.NewFault(mem)
			c, err := catalog.Open(catalog.Config{FS: fault})
			must(t)(err)
			reader, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
			must(t)(err)
			before, after := fates(c), map[string]string{}
			name := ""
			fault.OnOp(func(n int, op vfstest.Op) {
				must(t)(reader.Refresh())
				for _, share := range []float64{0, 0.5, 1} {
					seeds := uint64(1) // nothing is left to chance
					if share == 0.5 {
						seeds = 12
					}
					for seed := range seeds {
						where := fmt.Sprintf("before operation %d (%s) of %q, %g of the unsynced kept, seed %d", n, op, name, share, seed)
						disk := mem.CrashClone(seed, share)
						if seed == 0 {
							second := vfstest.NewFault(disk)
							second.OnOp(func(m int, op vfstest.Op) {
								if err := afterCrash(disk.CrashClone(uint64(m), share), before, after); err != nil {
									t.Fatalf("%s, and again before operation %d (%s): %v", where, m, op, err)
								}
							})
							if _, err := catalog.Open(catalog.Config{FS: second}); err != nil {
								t.Fatal(err)
							}
						}
						if err := afterCrash(disk, before, after); err != nil {
							t.Fatalf("%s: %v", where, err)
						}
					}
				}
			})
			for _, step := range prunings {
				name = step.name
				maps.Copy(after, before)
				maps.Copy(after, step.then)
				must(t)(step.do(fault, c))
				must(t)(reader.Refresh())
				for _, c := range []*catalog.Catalog{c, reader} {
					if got := fates(c); !maps.Equal(got, after) {
						t.Fatalf("%s: %v, want %v", name, got, after)
					}
				}
				before = maps.Clone(after)
				if err := afterCrash(mem.CrashClone(1, 0.5), before, after); err != nil {
					t.Fatalf("after %q: %v", name, err)
				}
			}
		})
	}
}

// TestPrunedFaultAnywhere fails every operation in turn: a step that was said to be
// done is done, also after a crash, and one that failed can be done again.
func TestPrunedFaultAnywhere(t *testing.T) {
	defer catalog.AllowGarbage(2)()
	for _, short := range []bool{false, true} {
		for n, hit := 0, true; hit; n++ {
			mem := vfstest.NewMem()
			fault := vfstest.NewFault(mem)
			fault.Set(vfstest.Plan{At: n, Err: syscall.EIO, Short: short})
			c, err := catalog.Open(catalog.Config{FS: fault})
			if err != nil {
				continue
			}
			before := fates(c)
			for _, step := range prunings {
				after := maps.Clone(before)
				maps.Copy(after, step.then)
				where := fmt.Sprintf("operation %d (short: %v), %q", n, short, step.name)
				err := step.do(fault, c)
				for seed, share := range []float64{0, 0.5, 1} {
					least := after
					if err != nil {
						least = before
					}
					if err := afterCrash(mem.CrashClone(uint64(seed), share), least, after); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
				}
				if err != nil {
					if err := step.do(fault, c); err != nil && !errors.Is(err, os.ErrExist) {
						t.Fatalf("%s, again: %v", where, err)
					}
				}
				if got := fates(c); !maps.Equal(got, after) {
					t.Fatalf("%s: %v, want %v", where, got, after)
				}
				before = after
			}
			hit = fault.Hits() > 0
		}
	}
}

// TestPrunedAnswers holds what is told of commits that are not indexed.
func TestPrunedAnswers(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	for _, commit := range []string{"c1", "c2", "c3"} {
		must(t)(put(mem, d, commit, ""))
	}
	must(t)(prune(mem, d, "c2", "c1", "none"))
	d = open(t, mem).Create("a/b")
	for commit, want := range map[string]error{"c1": contract.ErrPruned, "c2": contract.ErrPruned, "none": contract.ErrNotFound, "c3": nil} {
		if _, err := d.State().Resolve(catalog.Ref{Commit: commit}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", commit, err, want)
		}
	}
	if got, err := d.State().Resolve(catalog.Ref{Commit: "c2", Ancestors: []string{"c1", "c3"}}); got != "c3" || err != nil {
		t.Errorf("with ancestors: %q, %v", got, err)
	}
	if got := d.State().PrunedCommits(); !slices.Equal(got, []string{"c1", "c2"}) {
		t.Errorf("pruned: %v", got)
	}
}

// TestPrunedDamage damages a list at every byte: what is before the damage is known,
// nothing is known that was not pruned, and the file is sound afterwards.
func TestPrunedDamage(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	for _, commit := range []string{"c1", "c2", "c3"} {
		must(t)(put(mem, d, commit, ""))
	}
	must(t)(prune(mem, d, "c1"))
	must(t)(prune(mem, d, "c2"))
	name := catalog.PrunedName("a/b")
	data, err := mem.ReadFile(name)
	must(t)(err)
	for i := range data {
		disk := mem.CrashClone(0, 1)
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		disk.WriteFile(name, bad)
		damage := catalog.Verify(disk, name)
		if damage == nil {
			t.Fatalf("byte %d: no damage is found", i)
		}
		s := open(t, disk).Create("a/b").State()
		if !s.Has("c3") || s.Pruned("c3") || s.Pruned("c2") || len(s.PrunedCommits()) > 1 {
			t.Fatalf("byte %d: %v", i, s.PrunedCommits())
		}
		if bad[4] != data[4] || bad[5] != data[5] {
			// Of another version: it is left as it is.
			if kept, err := disk.ReadFile(name); err != nil || !bytes.Equal(kept, bad) {
				t.Errorf("byte %d: a list of another version was changed, %v", i, err)
			}
			if err := prune(disk, open(t, disk).Create("a/b"), "c3"); !errors.Is(err, contract.ErrStore) {
				t.Errorf("byte %d: pruned beside a list of another version: %v", i, err)
			}
			continue
		}
		if err := catalog.Verify(disk, name); err != nil {
			t.Errorf("byte %d, opened: %v", i, err)
		}
		must(t)(prune(disk, open(t, disk).Create("a/b"), "c3"))
		if s := open(t, disk); len(s.Domains()) != 0 {
			t.Errorf("byte %d: domains %v", i, s.Domains())
		}
	}
}

// TestPrunedMemory bounds what a pruned commit takes in memory.
func TestPrunedMemory(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	const n = 20_000
	for i := range n {
		must(t)(d.Update(func(tx *catalog.Tx) error {
			return tx.Put(info("a/b", fmt.Sprintf("%032x", i), "", "main", uint64(i+1)))
		}))
	}
	var list []string
	for i := range d.State().Oldest() {
		list = append(list, i.Commit)
	}
	must(t)(put(mem, d, "last", ""))
	must(t)(prune(mem, d, list...))
	list, d = nil, nil
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c := open(t, mem)
	each := (heap() - before) / n
	if got := len(c.Create("a/b").State().PrunedCommits()); got != n {
		t.Fatalf("%d are pruned", got)
	}
	if each > 130 { // what it was built on with it
		t.Errorf("%d bytes a pruned commit", each)
	}
	t.Logf("%d bytes a pruned commit", each)
}

// TestPrunedGolden holds the bytes of a list.
func TestPrunedGolden(t *testing.T) {
	const name = "testdata/pruned.golden"
	data := catalog.GoldenList()
	if *update {
		must(t)(os.WriteFile(name, []byte(hex.Dump(data)), 0o600))
	}
	want, err := os.ReadFile(name)
	must(t)(err)
	if got := hex.Dump(data); got != string(want) {
		t.Errorf("the bytes have changed; bump the version:\n%s", got)
	}
}

// TestPrunedModel prunes, puts and deletes at random, in two domains, and holds a
// writer that starts again and a reader that follows against a model.
func TestPrunedModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	defer catalog.AllowGarbage(4)()
	mem := vfstest.NewMem()
	w := open(t, mem)
	r, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
	must(t)(err)
	pruned := map[string]bool{}
	for n := range 400 {
		d, commit := w.Create(fmt.Sprint("d", rng.IntN(2))), fmt.Sprint("c", rng.IntN(8))
		key := d.Name() + commit
		switch has := d.State().Has(commit); {
		case !has:
			must(t)(put(mem, d, commit, ""))
			delete(pruned, key)
		case d.State().Len() == 1: // the last one stays
		case rng.IntN(3) == 0:
			must(t)(remove(mem, d, commit))
		default:
			must(t)(prune(mem, d, commit))
			pruned[key] = true
		}
		if n%20 == 0 {
			w = open(t, mem)
		}
		must(t)(r.Refresh())
		for _, c := range []*catalog.Catalog{w, r} {
			for _, d := range c.Domains() {
				for i := range 8 {
					commit := fmt.Sprint("c", i)
					if got := d.State().Pruned(commit); got != pruned[d.Name()+commit] {
						t.Fatalf("step %d: %s of %s is pruned: %v", n, commit, d.Name(), got)
					}
				}
			}
		}
	}
}
