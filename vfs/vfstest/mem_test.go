package vfstest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestMem(t *testing.T) {
	vfstest.TestFS(t, func(*testing.T) vfs.FS { return vfstest.NewMem() })
}

func TestFaultWithoutPlan(t *testing.T) {
	vfstest.TestFS(t, func(*testing.T) vfs.FS { return vfstest.NewFault(vfstest.NewMem()) })
}

// content returns a file's bytes, or "-" where there is none.
func content(t *testing.T, m *vfstest.Mem, name string) string {
	t.Helper()
	b, err := m.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func open(t *testing.T, fsys vfs.FS, name string, mode vfs.Mode) vfs.File {
	t.Helper()
	f, err := fsys.Open(name, mode)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// do ends the test on the first error.
func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func writeAt(t *testing.T, f vfs.File, s string, off int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(s), off); err != nil {
		t.Fatal(err)
	}
}

// TestCrashClone runs little histories and compares what 0 % and 100 % of the
// unsynced changes leave behind.
func TestCrashClone(t *testing.T) {
	tests := []struct {
		name      string
		run       func(t *testing.T, m *vfstest.Mem)
		file      string
		none, all string
	}{
		{"never synced", func(t *testing.T, m *vfstest.Mem) {
			writeAt(t, open(t, m, "a", vfs.Create), "x", 0)
		}, "a", "-", "x"},
		{"file synced, directory not", func(t *testing.T, m *vfstest.Mem) {
			f := open(t, m, "a", vfs.Create)
			writeAt(t, f, "x", 0)
			do(t, f.Sync())
		}, "a", "-", "x"},
		{"directory synced, file not", func(t *testing.T, m *vfstest.Mem) {
			writeAt(t, open(t, m, "a", vfs.Create), "x", 0)
			do(t, m.SyncDir())
		}, "a", "", "x"},
		{"both synced", func(t *testing.T, m *vfstest.Mem) {
			f := open(t, m, "a", vfs.Create)
			writeAt(t, f, "x", 0)
			do(t, f.Sync(), m.SyncDir())
			writeAt(t, f, "y", 0)
		}, "a", "x", "y"},
		{"rename not synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("old"))
			m.WriteFile("b", []byte("new"))
			do(t, m.Rename("b", "a"))
		}, "a", "old", "new"},
		{"rename synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("old"))
			m.WriteFile("b", []byte("new"))
			do(t, m.Rename("b", "a"), m.SyncDir())
		}, "a", "new", "new"},
		{"rename of bytes never synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("old"))
			writeAt(t, open(t, m, "b", vfs.Create), "new", 0)
			do(t, m.Rename("b", "a"), m.SyncDir())
		}, "a", "", "new"},
		{"removal not synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("x"))
			do(t, m.Remove("a"))
		}, "a", "x", "-"},
		{"removal synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("x"))
			do(t, m.Remove("a"), m.SyncDir())
		}, "a", "-", "-"},
		{"cut not synced", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("abc"))
			do(t, open(t, m, "a", vfs.ReadWrite).Truncate(1))
		}, "a", "abc", "a"},
		{"cut synced, then grown", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("abc"))
			f := open(t, m, "a", vfs.ReadWrite)
			do(t, f.Truncate(1), f.Sync(), f.Truncate(3))
		}, "a", "a", "a\x00\x00"},
		{"emptied by Create", func(t *testing.T, m *vfstest.Mem) {
			m.WriteFile("a", []byte("abc"))
			open(t, m, "a", vfs.Create)
		}, "a", "abc", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := vfstest.NewMem()
			tt.run(t, m)
			if got := content(t, m.CrashClone(1, 0), tt.file); got != tt.none {
				t.Errorf("nothing kept: %q, want %q", got, tt.none)
			}
			if got := content(t, m.CrashClone(1, 1), tt.file); got != tt.all {
				t.Errorf("all kept: %q, want %q", got, tt.all)
			}
		})
	}
}

// TestCrashCloneShare sees that sectors, sizes and names are kept one by one,
// that synced ones always are, and that a seed decides.
func TestCrashCloneShare(t *testing.T) {
	m := vfstest.NewMem()
	m.WriteFile("a", bytes.Repeat([]byte{'s'}, 3*512))
	f := open(t, m, "a", vfs.ReadWrite)
	writeAt(t, f, string(bytes.Repeat([]byte{'n'}, 4*512)), 512)
	do(t, m.Remove("a"))
	open(t, m, "b", vfs.Create)
	do(t, m.Rename("b", "c"))
	shapes := map[string]bool{}
	for seed := range uint64(500) {
		a := content(t, m.CrashClone(seed, 0.5), "a")
		if again := content(t, m.CrashClone(seed, 0.5), "a"); again != a {
			t.Fatalf("seed %d gives two clones", seed)
		}
		c := m.CrashClone(seed, 0.5)
		var shape strings.Builder
		shape.WriteString("c" + content(t, c, "c") + " b" + content(t, c, "b") + " ")
		if a != "-" && a[:512] != string(bytes.Repeat([]byte{'s'}, 512)) {
			t.Fatalf("seed %d: a synced sector changed", seed)
		}
		for at := 0; at < len(a); at += 512 {
			s := a[at:min(at+512, len(a))]
			if s != string(bytes.Repeat([]byte{s[0]}, len(s))) {
				t.Fatalf("seed %d: sector at %d is torn", seed, at)
			}
			fmt.Fprintf(&shape, "%q", s[0])
		}
		shapes[shape.String()] = true
	}
	// 3 outcomes of the names b and c, a kept or not, 4 sectors, sizes.
	if len(shapes) < 60 {
		t.Errorf("only %d different outcomes of 500 crashes", len(shapes))
	}
}

func TestCrashCloneIsIndependent(t *testing.T) {
	m := vfstest.NewMem()
	m.WriteFile("a", []byte("x"))
	l, err := m.Lock("LOCK")
	do(t, err)
	c := m.CrashClone(1, 1)
	writeAt(t, open(t, c, "a", vfs.ReadWrite), "y", 0)
	if got := content(t, m, "a"); got != "x" {
		t.Errorf("writing to the clone changed the original to %q", got)
	}
	cl, err := c.Lock("LOCK")
	do(t, err)
	do(t, l.Close(), cl.Close())
}

// TestFailedSyncLosesBytes: what a failed Sync was to write stays visible, is
// not on the disk after the next good one, and is once written again.
func TestFailedSyncLosesBytes(t *testing.T) {
	m := vfstest.NewMem()
	m.WriteFile("a", []byte("old"))
	f := vfstest.NewFault(m)
	file := open(t, f, "a", vfs.ReadWrite)
	writeAt(t, file, "new!", 0)
	f.Set(vfstest.Plan{Err: syscall.EIO})
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync = %v, want EIO", err)
	}
	do(t, file.Sync())
	if got := content(t, m, "a"); got != "new!" {
		t.Errorf("visible: %q, want new!", got)
	}
	if got := content(t, m.CrashClone(1, 1), "a"); got != "old" {
		t.Errorf("after a crash: %q, want old", got)
	}
	writeAt(t, file, "new!", 0)
	do(t, file.Sync())
	if got := content(t, m.CrashClone(1, 0), "a"); got != "new!" {
		t.Errorf("written again, after a crash: %q, want new!", got)
	}
}

// everyOp does each operation once and returns the errors by number.
func everyOp(f *vfstest.Fault, file vfs.File, lock func() error) []error {
	_, openErr := f.Open("a", vfs.Read)
	_, listErr := f.List()
	_, lockErr := f.Lock("L2")
	_, readErr := file.ReadAt(make([]byte, 1), 0)
	_, writeErr := file.WriteAt([]byte("wxyz"), 0)
	_, sizeErr := file.Size()
	return []error{
		openErr, listErr, lockErr, readErr, writeErr, sizeErr,
		f.Rename("r", "s"), f.Remove("d"), f.SyncDir(),
		file.Truncate(9), file.Sync(), file.Close(), lock(),
	}
}

// TestFaultEveryOp proves that no operation escapes numbering and injection.
func TestFaultEveryOp(t *testing.T) {
	const ops = 13
	for _, forever := range []bool{false, true} {
		for i := range ops + 1 {
			m := vfstest.NewMem()
			for _, name := range []string{"a", "r", "d"} {
				m.WriteFile(name, []byte("123456789"))
			}
			f := vfstest.NewFault(m)
			file := open(t, f, "a", vfs.ReadWrite)
			l, err := f.Lock("L1")
			do(t, err)
			f.Set(vfstest.Plan{At: i, Forever: forever, Err: syscall.ENOSPC})
			hits := 0
			for n, err := range everyOp(f, file, l.Close) {
				want := n == i || forever && n > i
				if got := errors.Is(err, syscall.ENOSPC); got != want {
					t.Errorf("fail %d (forever %t): operation %d returned %v", i, forever, n, err)
				}
				if want {
					hits++
				}
			}
			if f.Ops() != ops || f.Hits() != hits {
				t.Errorf("fail %d: Ops, Hits = %d, %d, want %d, %d", i, f.Ops(), f.Hits(), ops, hits)
			}
		}
	}
}

func TestFaultShortWriteOnlyAndHook(t *testing.T) {
	m := vfstest.NewMem()
	f := vfstest.NewFault(m)
	var ops []vfstest.Op
	f.OnOp(func(n int, op vfstest.Op) {
		if n != len(ops) {
			t.Errorf("operation %d has number %d", len(ops), n)
		}
		ops = append(ops, op)
	})
	f.Set(vfstest.Plan{Forever: true, Only: []vfstest.Op{vfstest.OpWriteAt}, Err: syscall.ENOSPC, Short: true})
	file := open(t, f, "a", vfs.Create)
	n, err := file.WriteAt([]byte("123456"), 0)
	if n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v, want 3, ENOSPC", n, err)
	}
	do(t, file.Sync(), file.Close())
	if got := content(t, m, "a"); got != "123" {
		t.Errorf("content = %q, want 123", got)
	}
	if got, want := fmt.Sprint(ops), "[open writeat sync close]"; got != want {
		t.Errorf("operations = %s, want %s", got, want)
	}
}
