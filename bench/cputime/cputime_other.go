//go:build !linux

// Package cputime reads the CPU time that the program has used. Where that is
// not to be had wall time stands for it.
package cputime

import "time"

var start = time.Now()

// Thread returns wall time.
func Thread() time.Duration { return time.Since(start) }

// Process returns wall time.
func Process() time.Duration { return time.Since(start) }
