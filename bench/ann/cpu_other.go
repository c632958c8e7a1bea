//go:build !linux

package main

import "time"

var start = time.Now()

// Where CPU time is not to be had wall time stands for it.

func threadCPU() time.Duration { return time.Since(start) }

func processCPU() time.Duration { return time.Since(start) }
