package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func fileID(f *os.File) (FileID, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return FileID{}, err
	}
	var st unix.Statx_t
	var statErr error
	err = conn.Control(func(fd uintptr) {
		for {
			statErr = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st)
			if !errors.Is(statErr, unix.EINTR) {
				return
			}
		}
	})
	switch {
	case err != nil:
		return FileID{}, &os.PathError{Op: "statx", Path: f.Name(), Err: os.ErrClosed}
	case statErr != nil:
		return FileID{}, &os.PathError{Op: "statx", Path: f.Name(), Err: statErr}
	}
	id := FileID{Device: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.Born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id, nil
}
