package vfs

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// SpaceOf returns the room of the file system that a directory is on.
func SpaceOf(path string) (Space, error) {
	name, err := windows.UTF16PtrFromString(path)
	var free, size uint64
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(name, &free, &size, nil)
	}
	if err != nil {
		return Space{}, fmt.Errorf("vfs: space of %s: %w", path, err)
	}
	return Space{Free: int64(free), Size: int64(size)}, nil
}
