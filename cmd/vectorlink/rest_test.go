package main

import "testing"

func TestRest(t *testing.T) {
	const mb = 1 << 20
	var r rest
	for i, step := range []struct {
		allocated uint64
		trimmed   int64
		trim, due bool // whether trim is called, and the answer
	}{
		{3 * mb, 0, false, false},     // the start
		{3 * mb, 0, true, false},      // at rest, with little to give back
		{30 * mb, 0, false, false},    // work
		{60 * mb, 0, false, false},    // still
		{60.5 * mb, 0, true, true},    // at rest, but for a probe
		{61 * mb, 0, true, false},     // it was given back
		{61 * mb, 9 * mb, true, true}, // something was not needed any more
		{61 * mb, 0, true, false},
		{63 * mb, 0, false, false},
		{63 * mb, 0, true, false}, // not worth it
		{66 * mb, 0, false, false},
		{66 * mb, 0, true, true},
	} {
		called := false
		due := r.look(step.allocated, func() int64 { called = true; return step.trimmed })
		if due != step.due || called != step.trim {
			t.Errorf("step %d, %d bytes allocated: %v, trimmed %v, want %v, %v", i, step.allocated, due, called, step.due, step.trim)
		}
	}
}
