package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// fdatasync is the system call; a test counts its calls.
var fdatasync = unix.Fdatasync

// syncData makes the bytes and the size of f durable. fdatasync covers the
// size, as every attribute needed to read the bytes back, but spares the
// journal a write for the time stamps.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = conn.Control(func(fd uintptr) {
		for {
			// An interrupted call has reported nothing and lost nothing.
			if syncErr = fdatasync(int(fd)); !errors.Is(syncErr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		err = os.ErrClosed // nothing else keeps Control from its call
	} else {
		err = syncErr
	}
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}
