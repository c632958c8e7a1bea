//go:build linux || darwin || freebsd

package vfs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SpaceOf returns the room of the file system that a path is on.
func SpaceOf(path string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Space{}, fmt.Errorf("vfs: space of %s: %w", path, err)
	}
	return Space{Free: int64(s.Bavail) * int64(s.Bsize), Size: int64(s.Blocks) * int64(s.Bsize)}, nil
}
