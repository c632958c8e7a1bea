package vfs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// durably makes a directory in a directory, and in it a file of two durable
// writes under a durable name: it asks for two syncs of the file, one of each
// directory's parent, and one of the data directory.
func durably(t *testing.T, dir string) {
	t.Helper()
	o, err := NewOS(filepath.Join(dir, "outer", "data"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := o.Open("a", Create)
	if err != nil {
		t.Fatal(err)
	}
	for off := range int64(2) {
		if _, err := f.WriteAt([]byte("x"), off); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Close(), o.SyncDir(), o.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestSyncsAreMade counts what reaches the last functions before the system.
func TestSyncsAreMade(t *testing.T) {
	var files, dirs int
	realFile, realDir := fdatasync, fsync
	defer func() { fdatasync, fsync = realFile, realDir }()
	fdatasync = func(fd int) error { files++; return realFile(fd) }
	fsync = func(f *os.File) error { dirs++; return realDir(f) }
	durably(t, t.TempDir())
	if files != 2 || dirs != 3 {
		t.Errorf("%d syncs of files and %d of directories, want 2 and 3", files, dirs)
	}
}

// TestSyncsReachTheKernel has strace count the calls of a process: no seam of
// ours could be wired to nothing.
func TestSyncsReachTheKernel(t *testing.T) {
	if dir := os.Getenv("VFS_TEST_SYNC"); dir != "" {
		durably(t, dir)
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	if out, err := exec.Command(strace, "-f", "-qq", "-e", "trace=fsync", "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, out)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "trace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o", log,
		os.Args[0], "-test.run=^TestSyncsReachTheKernel$")
	cmd.Env = append(os.Environ(), "VFS_TEST_SYNC="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]int{
		`fdatasync\(\d+<[^>]*/outer/data/a>`:        2,
		`fsync\(\d+<[^>]*/outer/data>`:              1,
		`fsync\(\d+<[^>]*/outer>`:                   1,
		`fsync\(\d+<` + regexp.QuoteMeta(dir) + `>`: 1,
	} {
		if got := len(regexp.MustCompile(call).FindAll(trace, -1)); got != want {
			t.Errorf("%d calls of %s, want %d:\n%s", got, call, want, trace)
		}
	}
}
