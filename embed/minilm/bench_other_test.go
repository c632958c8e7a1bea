//go:build !unix

package minilm_test

import "time"

var start = time.Now()

// processorTime stands in where processor time cannot be had: it is that of
// the clock.
func processorTime() time.Duration { return time.Since(start) }
