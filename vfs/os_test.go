package vfs_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func newOS(t testing.TB, dir string) *vfs.OS {
	t.Helper()
	o, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func TestOS(t *testing.T) {
	vfstest.TestFS(t, func(t *testing.T) vfs.FS { return newOS(t, t.TempDir()) })
}

func TestNewOSMakesDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x", "y", "data")
	newOS(t, dir)
	newOS(t, dir) // and takes it as it is
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode = %o, want 700", got)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := vfs.NewOS(file); err == nil {
		o.Close()
		t.Error("NewOS on a file: no error")
	}
}

// TestOSStaysInside plants symbolic links that lead out of the directory.
func TestOSStaysInside(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := newOS(t, dir)
	for _, mode := range []vfs.Mode{vfs.Read, vfs.ReadWrite, vfs.Create} {
		if _, err := o.Open("link", mode); err == nil {
			t.Errorf("Open of a link to the outside with mode %d: no error", mode)
		}
	}
	if _, err := o.Lock("link"); err == nil {
		t.Error("Lock of a link to the outside: no error")
	}
	if names, err := o.List(); err != nil || len(names) != 0 {
		t.Errorf("List = %q, %v, want no links and no directories", names, err)
	}
}

// TestLockBetweenProcesses holds the lock in a second process, which is then
// killed: nothing stale may remain. That process waits for the end of its input,
// which comes even if this one dies; a goroutine that waits for nothing would be
// a deadlock to the runtime.
func TestLockBetweenProcesses(t *testing.T) {
	if dir := os.Getenv("VFS_TEST_LOCK"); dir != "" {
		if _, err := newOS(t, dir).Lock("LOCK"); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("locked\n")
		io.Copy(io.Discard, os.Stdin)
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockBetweenProcesses$")
	cmd.Env = append(os.Environ(), "VFS_TEST_LOCK="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("locked\n"))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "locked\n" {
		t.Fatalf("the second process said %q, %v", line, err)
	}
	o := newOS(t, dir)
	if _, err := o.Lock("LOCK"); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("Lock = %v, want ErrLocked", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	l, err := o.Lock("LOCK")
	if err != nil {
		t.Fatalf("Lock after the holder was killed: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
