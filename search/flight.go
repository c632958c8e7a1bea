package search

// flight is work on a key that the first caller does for all who ask meanwhile.
// Others wait until done is closed, or for the end of their own context; value
// and err are set before.
//
// [golang.org/x/sync/singleflight] differs where it counts here. It lets callers
// leave only by running the work on a goroutine of its own, which has no owner
// and ends the process when the work panics; here the work runs on the goroutine
// of the request that began it. It reports a value without the number of those
// who wait for it, for each of whom the pool counts a reference before the value
// can be evicted. And its keys are strings, where a question holds a secret.
type flight[V any] struct {
	done    chan struct{}
	waiters int // callers besides the first
	value   V
	err     error
}

// flights are the work under way. Its owner's lock guards it and the flights'
// waiters.
type flights[K comparable, V any] map[K]*flight[V]

// join returns the flight of a key. It is the caller's to do the work of if
// there was none.
func (m flights[K, V]) join(key K) (f *flight[V], first bool) {
	if f, ok := m[key]; ok {
		f.waiters++
		return f, false
	}
	f = &flight[V]{done: make(chan struct{})}
	m[key] = f
	return f, true
}

// end has no further caller join f, and reports whether one could have: not if the
// key was taken out before.
func (m flights[K, V]) end(key K, f *flight[V]) bool {
	if m[key] != f {
		return false
	}
	delete(m, key)
	return true
}
