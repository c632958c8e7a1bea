//go:build unix

package catalog_test

import (
	"syscall"
	"time"
)

// cpuTime returns the process's CPU time so far.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
