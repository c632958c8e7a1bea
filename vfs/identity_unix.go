//go:build darwin || dragonfly || freebsd || illumos || netbsd || openbsd

package vfs

import (
	"os"
	"syscall"
)

func fileID(f *os.File) (FileID, error) {
	info, err := f.Stat()
	if err != nil {
		return FileID{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}, nil
	}
	return FileID{Device: uint64(st.Dev), Inode: uint64(st.Ino)}, nil
}
