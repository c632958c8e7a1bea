//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// lock makes a file that must not exist. Systems without a lock that ends with
// its process leave it behind when the process is killed; it must then be
// removed by hand.
func lock(root *os.Root, name string) (io.Closer, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return &exclusive{f, root, name}, nil
}

type exclusive struct {
	*os.File
	root *os.Root
	name string
}

func (e *exclusive) Close() error {
	return errors.Join(e.File.Close(), e.root.Remove(e.name))
}
