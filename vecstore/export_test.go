package vecstore

import "testing"

// Pool returns the store's pool.
func (s *Store) Pool() *Pool { return s.pool }

// SmallRanges has ranges be of one page until the test ends.
func SmallRanges(t testing.TB) {
	old := rangeBytes
	rangeBytes = 1
	t.Cleanup(func() { rangeBytes = old })
}
