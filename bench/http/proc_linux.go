package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf returns the CPU time, user and system, that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	var t unix.Timespec
	// The clock of another process, as clock_getcpuclockid(3) makes it.
	const scheduled = 2
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memoryOf returns the bytes of memory that a process has resident, and those
// of them that are its own: not pages of files, which the system can take back.
func memoryOf(pid int) (resident, own int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(b) {
		for name, v := range map[string]*int64{"VmRSS:": &resident, "RssAnon:": &own} {
			if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
				if _, err := fmt.Sscanf(string(rest), "%d kB", v); err != nil {
					return 0, 0, fmt.Errorf("memory of process %d: %w", pid, err)
				}
				*v <<= 10
			}
		}
	}
	return resident, own, nil
}
