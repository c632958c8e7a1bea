package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// script is a run of changes to a data directory. Each step may find done what it
// is to do, after a crash.
var script = []struct {
	name string
	do   func(fsys vfs.FS, c *catalog.Catalog) error
}{
	{"put c1", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c1") }},
	{"put c2", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c2") }},
	{"replace c1", func(fsys vfs.FS, c *catalog.Catalog) error { return change1(fsys, c, "c1", "a longer text of c1") }},
	{"put c3", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c3") }},
	{"remove c2 c3", func(fsys vfs.FS, c *catalog.Catalog) error { return drop(fsys, c, "c3", "c2") }},
	// The same name with other contents.
	{"put c2 again", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c2") }},
	{"replace c1 twice", func(fsys vfs.FS, c *catalog.Catalog) error {
		for _, text := range []string{"short", "of yet another length"} {
			if err := change1(fsys, c, "c1", text); err != nil {
				return err
			}
		}
		return nil
	}},
	{"lose c2", func(fsys vfs.FS, c *catalog.Catalog) error { return lose(fsys, "c2") }},
	{"open", nil},
	{"put c2 once more", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c2") }},
	{"compact", func(fsys vfs.FS, c *catalog.Catalog) error {
		for n := range 12 {
			if err := change1(fsys, c, "c1", fmt.Sprintf("%0*d", n%3+1, n)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"replace c1 behind it", func(fsys vfs.FS, c *catalog.Catalog) error { return change1(fsys, c, "c1", "a text behind it") }},
	{"delete all", func(fsys vfs.FS, c *catalog.Catalog) error { return drop(fsys, c, "c2", "c1") }},
	{"forget", func(fsys vfs.FS, c *catalog.Catalog) error {
		c.Forget(c.Create("a/b"))
		return nil
	}},
	{"put c1 at last", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c1") }},
	{"lose c1", func(fsys vfs.FS, c *catalog.Catalog) error { return lose(fsys, "c1") }},
	{"open what is empty", nil},
	{"put c1 in its place", func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c1") }},
}

// ensure puts a commit unless it is there; its size tells the time when.
func ensure(fsys vfs.FS, c *catalog.Catalog, commit string) error {
	d := c.Create("a/b")
	return d.Update(func(tx *catalog.Tx) error {
		if tx.State().Has(commit) {
			return nil
		}
		seq := d.NextSeq()
		info, err := write(fsys, "a/b", commit, "", seq, fmt.Sprintf("%0*d", seq, 0))
		if err != nil {
			return err
		}
		return tx.Put(info)
	})
}

func change1(fsys vfs.FS, c *catalog.Catalog, commit, text string) error {
	if err := ensure(fsys, c, commit); err != nil {
		return err
	}
	return replace(fsys, c.Create("a/b"), commit, text)
}

// lose removes a commit's file behind the catalog's back.
func lose(fsys vfs.FS, commit string) error {
	err := fsys.Remove(snapshot.FileName("a/b", commit))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, fsys.SyncDir())
}

// drop removes those of the commits that are there.
func drop(fsys vfs.FS, c *catalog.Catalog, commits ...string) error {
	d := c.Create("a/b")
	for _, commit := range commits {
		if !d.State().Has(commit) {
			continue
		}
		if err := remove(fsys, d, commit); err != nil {
			return err
		}
	}
	return nil
}

// play does the steps, and calls done after each. It returns the catalog that it
// had at last.
func play(cfg catalog.Config, done func(step int)) (*catalog.Catalog, error) {
	c, err := catalog.Open(cfg)
	if err != nil {
		return nil, err
	}
	for i, step := range script {
		if step.do == nil {
			again, err := catalog.Open(cfg)
			if err != nil {
				return c, err
			}
			c = again
		} else if err := step.do(cfg.FS, c); err != nil {
			return c, fmt.Errorf("%s: %w", step.name, err)
		}
		done(i)
	}
	return c, nil
}

// reopen opens what a crash has left, for reading and for writing, and holds it
// against the commit files.
func reopen(disk *vfstest.Mem) (*catalog.Catalog, error) {
	reader, err := catalog.Open(catalog.Config{FS: disk, ReadOnly: true})
	if err == nil {
		err = agree(reader, disk)
	}
	if err != nil {
		return nil, fmt.Errorf("for reading: %w", err)
	}
	c, err := catalog.Open(catalog.Config{FS: disk})
	if err == nil {
		err = errors.Join(vfs.Clean(disk), agree(c, disk))
	}
	return c, err
}

// TestCrashAnywhere cuts the power before every operation, looks at what a disk
// may have kept, goes on from there, and cuts it again.
func TestCrashAnywhere(t *testing.T) {
	// Files are compacted behind an intent, or behind its end.
	for _, garbage := range []int{8, 9} {
		t.Run(fmt.Sprint(garbage), func(t *testing.T) {
			defer catalog.AllowGarbage(garbage)()
			crashAnywhere(t)
		})
	}
}

func crashAnywhere(t *testing.T) {
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	step, crashes, seeds := 0, 0, uint64(2)
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 40
	}
	crash := func(n int, op vfstest.Op) {
		for _, share := range []float64{0, 0.5, 1} {
			seeds := seeds
			if op == vfstest.OpSyncDir {
				seeds *= 20 // several names are in doubt
			}
			for seed := range seeds {
				if share != 0.5 && seed > 0 {
					continue
				}
				crashes++
				where := fmt.Sprintf("before operation %d (%s) of %q, %g of the unsynced kept, seed %d", n, op, script[step].name, share, seed)
				disk := mem.CrashClone(seed, share)
				if _, err := reopen(disk); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if (n+int(seed))%16 != 0 {
					continue
				}
				again := vfstest.NewFault(disk)
				second := func(m int, op vfstest.Op) {
					if m%3 != 0 {
						return
					}
					crashes++
					if _, err := reopen(disk.CrashClone(uint64(m), share)); err != nil {
						t.Fatalf("%s; and again before operation %d (%s): %v", where, m, op, err)
					}
				}
				again.OnOp(second)
				c, err := catalog.Open(catalog.Config{FS: again})
				if err != nil {
					t.Fatal(err)
				}
				last := min(step+2, len(script)-1)
				for i := step; i <= last && err == nil; i++ {
					if script[i].do != nil {
						err = script[i].do(again, c)
					}
				}
				if err != nil {
					t.Fatalf("%s: going on: %v", where, err)
				}
			}
		}
	}
	fault.OnOp(crash)
	_, err := play(catalog.Config{FS: fault}, func(i int) {
		crash(fault.Ops(), "return")
		step = min(i+1, len(script)-1)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", crashes)
}

// TestFaultAnywhere fails every operation of the script in turn, once and for good:
// what was not told as an error is so on the disk, also after a crash, and also
// when the disk is well again.
func TestFaultAnywhere(t *testing.T) {
	defer catalog.AllowGarbage(9)()
	for _, plan := range []struct{ forever, short bool }{{}, {forever: true}, {short: true}} {
		for n := 0; faultAt(t, n, plan.forever, plan.short); n++ {
		}
	}
}

// faultAt reports whether the script has an n-th operation.
func faultAt(t *testing.T, n int, forever, short bool) bool {
	where := fmt.Sprintf("operation %d (for good: %v, short: %v)", n, forever, short)
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	var logged bytes.Buffer
	fault.Set(vfstest.Plan{At: n, Forever: forever, Err: syscall.EIO, Short: short})
	done := -1
	c, err := play(catalog.Config{FS: fault, Logger: slog.New(slog.NewTextHandler(&logged, nil))}, func(i int) { done = i })
	if fault.Hits() == 0 {
		return false
	}
	if err == nil && logged.Len() == 0 {
		t.Errorf("%s: no error and not a word", where)
	}
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Errorf("%s: %v", where, err)
	}
	for seed, share := range []float64{0, 0.5, 1} {
		if _, err := reopen(mem.CrashClone(uint64(seed), share)); err != nil {
			t.Fatalf("%s, a crash that keeps %g: %v", where, share, err)
		}
	}
	// The disk is well again, and the process goes on.
	fault.Set(vfstest.Plan{})
	if c == nil {
		return true
	}
	from := done + 1
	if !forever && !short {
		fault.OnOp(func(m int, op vfstest.Op) {
			if m > 8 && os.Getenv("VECTORLINK_LONG") == "" {
				return // it is as in TestCrashAnywhere again
			}
			for seed := range uint64(2) {
				if _, err := reopen(mem.CrashClone(seed, 0.5)); err != nil {
					t.Fatalf("%s, afterwards, before operation %d (%s), seed %d: %v", where, m, op, seed, err)
				}
			}
		})
	}
	if from < len(script) && script[from].do != nil {
		// A commit that was told to have failed may have left its file.
		if err := script[from].do(fault, c); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatalf("%s, afterwards: %v", where, err)
		}
	}
	for seed, share := range []float64{0, 0.5, 1} {
		if _, err := reopen(mem.CrashClone(uint64(seed), share)); err != nil {
			t.Fatalf("%s, afterwards, a crash that keeps %g: %v", where, share, err)
		}
	}
	return true
}
