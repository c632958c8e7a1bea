//go:build unix

package vecstore_test

import (
	"os"
	"syscall"
	"testing"
)

// blocks returns how many bytes of a file are on the disk, and its size.
func blocks(t *testing.T, name string) (disk, size int64) {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512, info.Size()
}
