//go:build linux || darwin

package vfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vectorlink/vectorlink/vfs"
)

// TestDefaultLimit has a process that may open 256 files use 2,000, with a
// hundred others open.
func TestDefaultLimit(t *testing.T) {
	dir := os.Getenv("VFS_TEST_LIMIT")
	if dir == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDefaultLimit$")
		cmd.Env = append(os.Environ(), "VFS_TEST_LIMIT="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	for may, want := range map[uint64]int{256: 128, 100: 50, 20: 16, 1000: 872} {
		r := unix.Rlimit{Max: 1000}
		r.Cur = min(may, r.Max)
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &r))
		if got := vfs.DefaultLimit(); got != want {
			t.Errorf("of %d files DefaultLimit = %d, want %d", may, got, want)
		}
	}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 256, Max: 256}))
	for range 100 {
		f, err := os.Open(os.DevNull)
		must(t, err)
		defer f.Close()
	}
	l := vfs.Limit(newOS(t, dir), vfs.DefaultLimit())
	var files []vfs.File
	for i := range 2000 {
		name := fmt.Sprint(i)
		f, err := l.Open(name, vfs.Create)
		must(t, err)
		_, err = f.WriteAt([]byte(name), 0)
		must(t, err)
		if i%100 == 0 {
			must(t, f.Sync())
			files = append(files, f)
			continue
		}
		must(t, f.Close())
		files = append(files, openRead(t, l, name))
	}
	for i, f := range files {
		wantRead(t, f, fmt.Sprint(i))
	}
}
