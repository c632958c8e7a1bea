//go:build unix

package vecstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// blocks returns how many bytes of a file are on the disk, and its size.
func blocks(t *testing.T, name string) (disk, size int64) {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512, info.Size()
}

// TestFreeWhileRead: who reads the file goes on with the old one, another process
// that follows it is told, and the disk has its bytes back.
func TestFreeWhileRead(t *testing.T) {
	dir := t.TempDir()
	disk, err := vfs.NewOS(dir)
	must(t, err)
	defer func() { must(t, disk.Close()) }()
	freeStore(t, disk)
	r, err := vecstore.OpenRead(vfs.Limit(disk, 4), file, vecstore.Config{}, vecstore.NewPool(4*8192))
	must(t, err)
	defer closeStore(t, r)
	must(t, r.Refresh(70))
	wantVec(t, r, 7, 7)
	before, whole := blocks(t, filepath.Join(dir, file))
	sum, err := free(disk, false)
	must(t, err)
	for slot := range uint32(70) {
		wantVec(t, r, slot, int(slot))
	}
	if err := r.Refresh(70); !errors.Is(err, vfs.ErrReplaced) {
		t.Errorf("Refresh: %v, want ErrReplaced", err)
	}
	wantFreed(t, disk, false)
	after, whole2 := blocks(t, filepath.Join(dir, file))
	if before-after < sum.Bytes || whole != whole2 {
		t.Errorf("%d of %d bytes on the disk became %d of %d, freed are %d", before, whole, after, whole2, sum.Bytes)
	}
}
