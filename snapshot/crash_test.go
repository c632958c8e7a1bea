package snapshot_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// script is a run of writes; each step is acknowledged when it returns.
var script = []struct {
	commit string // what the step makes, or remakes
	want   string // contents of that commit
	do     func(fsys vfs.FS) error
}{
	{"c1", "map[a:Luke b:Leia]", func(fsys vfs.FS) error {
		_, err := snapshot.Write(fsys, header(snapshot.Checkpoint, "c1", "", 1), snapshot.Contents{Changed: seq(doc("a", "Luke", 0), doc("b", "Leia", 1))})
		return err
	}},
	{"c2", "map[b:Leia c:Yoda]", func(fsys vfs.FS) error {
		return on(fsys, "c1", func(v *snapshot.View) error {
			_, err := v.WriteDelta(fsys, header(0, "c2", "", 2), snapshot.Contents{Changed: seq(doc("c", "Yoda", 2)), Removed: keys("a")}, "")
			return err
		})
	}},
	{"c3", "map[b:Leia c:Yoda]", func(fsys vfs.FS) error {
		return on(fsys, "c2", func(v *snapshot.View) error {
			_, err := v.WriteAlias(fsys, snapshot.Header{Commit: "c3", Seq: 3})
			return err
		})
	}},
	{"c2", "map[b:Leia c:Yoda]", func(fsys vfs.FS) error {
		return on(fsys, "c2", func(v *snapshot.View) error {
			_, err := merge(fsys, v, []byte("graph"))
			return err
		})
	}},
}

// on calls do with the view of a commit.
func on(fsys vfs.FS, commit string, do func(*snapshot.View) error) error {
	v, err := chain(fsys, commit)
	if err != nil {
		return err
	}
	return errors.Join(do(v), v.Close())
}

// state checks that everything in the directory is whole and says what the
// script says, and returns the commits.
func state(fsys vfs.FS) (map[string]bool, error) {
	infos, bad, err := snapshot.List(fsys)
	if err != nil || len(bad) > 0 {
		return nil, fmt.Errorf("List: %v, %v", bad, err)
	}
	have := map[string]bool{}
	for _, info := range infos {
		if err := snapshot.Verify(fsys, info.Name()); err != nil {
			return nil, err
		}
		have[info.Commit] = true
	}
	for _, step := range script {
		if !have[step.commit] {
			continue
		}
		err := on(fsys, step.commit, func(v *snapshot.View) error {
			m, err := contents(v)
			if err == nil && fmt.Sprint(m) != step.want {
				err = fmt.Errorf("%s holds %v, want %s", step.commit, m, step.want)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return have, nil
}

// TestCrashAnywhere cuts the power before every operation and looks at what a
// disk may have kept.
func TestCrashAnywhere(t *testing.T) {
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	acked := map[string]bool{}
	crashes, seeds := 0, uint64(4)
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 200
	}
	crash := func(n int, op vfstest.Op) {
		for _, share := range []float64{0, 0.5, 1} {
			for seed := range seeds {
				if share != 0.5 && seed > 0 {
					continue
				}
				crashes++
				disk := mem.CrashClone(seed, share)
				have, err := state(disk)
				if err != nil {
					t.Fatalf("before operation %d (%s), %g of the unsynced kept, seed %d: %v", n, op, share, seed, err)
				}
				for c := range acked {
					if !have[c] {
						t.Fatalf("before operation %d (%s), %g of the unsynced kept, seed %d: commit %s is lost", n, op, share, seed, c)
					}
				}
				if err := vfs.Clean(disk); err != nil {
					t.Fatal(err)
				}
				names, _ := disk.List()
				if len(names) != len(have) {
					t.Fatalf("Clean left %v", names)
				}
				if again, err := state(disk.CrashClone(seed, share)); err != nil || !maps.Equal(again, have) {
					t.Fatalf("after Clean: %v, %v", again, err)
				}
			}
		}
	}
	fault.OnOp(crash)
	for _, step := range script {
		if err := step.do(fault); err != nil {
			t.Fatal(err)
		}
		acked[step.commit] = true
		crash(fault.Ops(), "return")
	}
	t.Logf("%d crashes", crashes)
}

// TestEveryFaultSurfaces fails every operation in turn, once and for good.
func TestEveryFaultSurfaces(t *testing.T) {
	for _, forever := range []bool{false, true} {
		for _, short := range []bool{false, true} {
			for step := range script {
				for n := 0; faultAt(t, step, n, forever, short); n++ {
				}
			}
		}
	}
}

// faultAt runs the script with operation n of a step failing, and reports
// whether there is such an operation.
func faultAt(t *testing.T, step, n int, forever, short bool) bool {
	t.Helper()
	at := fmt.Sprintf("step %d, operation %d, forever %v, short %v", step, n, forever, short)
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	for _, s := range script[:step] {
		if err := s.do(fault); err != nil {
			t.Fatal(err)
		}
	}
	before, err := state(mem)
	if err != nil {
		t.Fatal(err)
	}
	fault.Set(vfstest.Plan{At: n, Forever: forever, Err: syscall.ENOSPC, Short: short})
	err = script[step].do(fault)
	if fault.Hits() == 0 {
		if err != nil {
			t.Fatalf("%s: no fault, but %v", at, err)
		}
		return false
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%s: the fault does not surface: %v", at, err)
	}
	if errors.Is(err, snapshot.ErrCorrupt) {
		t.Fatalf("%s: a failing disk is taken for damage: %v", at, err)
	}
	fault.Set(vfstest.Plan{})
	have, err := state(mem)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for c := range before {
		if !have[c] {
			t.Fatalf("%s: commit %s is lost", at, c)
		}
	}
	made := have[script[step].commit]
	if !forever && made && !before[script[step].commit] {
		// Only where closing what was read for the write is what failed.
		if names, _ := mem.CrashClone(0, 0).List(); !strings.Contains(fmt.Sprint(names), "@"+script[step].commit) {
			t.Fatalf("%s: the commit failed and is there", at)
		}
	}
	// The same request works once the cause is gone.
	switch err := script[step].do(fault); {
	case err == nil, made && errors.Is(err, fs.ErrExist):
	default:
		t.Fatalf("%s: again: %v", at, err)
	}
	if err := vfs.Clean(mem); err != nil {
		t.Fatal(err)
	}
	have, err = state(mem)
	if err != nil || !have[script[step].commit] {
		t.Fatalf("%s: in the end %v, %v", at, have, err)
	}
	if names, _ := mem.List(); len(names) != len(have) {
		t.Fatalf("%s: Clean left %v", at, names)
	}
	return true
}

// TestFaultsWhileReading fails every operation of reading.
func TestFaultsWhileReading(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	fault := vfstest.NewFault(mem)
	reads := map[string]func() error{
		"verify": func() error { return snapshot.Verify(fault, snapshot.FileName(domain, "c1")) },
		"view": func() error {
			return on(fault, "c3", func(v *snapshot.View) error {
				_, err := contents(v)
				return err
			})
		},
		"list": func() error {
			infos, bad, err := snapshot.List(fault)
			for _, b := range bad {
				err = errors.Join(err, b.Err)
			}
			if err == nil && len(infos) != 3 {
				err = fmt.Errorf("%d files listed", len(infos))
			}
			return err
		},
	}
	for name, read := range reads {
		for n := 0; ; n++ {
			fault.Set(vfstest.Plan{At: n, Err: syscall.EIO})
			err := read()
			if fault.Hits() == 0 {
				if err != nil || n < 3 {
					t.Errorf("%s without a fault after %d operations: %v", name, n, err)
				}
				break
			}
			if !errors.Is(err, syscall.EIO) || errors.Is(err, snapshot.ErrCorrupt) {
				t.Errorf("%s: fault %d does not surface: %v", name, n, err)
			}
		}
	}
}
