//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package vfs

import "golang.org/x/sys/unix"

// openFiles returns how many files this process may have open, 0 if unknown.
// (The Go runtime has raised the soft limit to the hard one.)
func openFiles() uint64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return uint64(r.Cur)
}
