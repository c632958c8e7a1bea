package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// restTime is how long next to nothing must have happened for the program
	// to be at rest.
	restTime = 15 * time.Second
	// restBytes is what it may allocate meanwhile: probes go on. worthBytes is
	// what must have been allocated or given up for it to be worth giving
	// memory back to the system.
	restBytes  = 1 << 20
	worthBytes = 4 << 20
)

// rest tells when the program has come to rest after work.
type rest struct{ seen, given uint64 }

// look is told, every restTime, how many bytes were allocated since the start.
// At rest it calls trim, which gives up what is not needed and returns its
// bytes, and reports whether memory is to be given back to the system.
func (r *rest) look(allocated uint64, trim func() int64) bool {
	quiet := allocated-r.seen <= restBytes
	r.seen = allocated
	if !quiet || allocated-r.given+uint64(trim()) < worthBytes {
		return false
	}
	r.given = allocated
	return true
}

// giveBack returns memory to the system whenever the program comes to rest,
// until ctx ends. The runtime by itself keeps what work has taken, about twice
// of what is in use, for work to come.
func giveBack(ctx context.Context, trim func() int64) {
	tick := time.NewTicker(restTime)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var r rest
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		if r.look(sample[0].Value.Uint64(), trim) {
			debug.FreeOSMemory()
		}
	}
}
