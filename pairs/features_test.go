package pairs

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGramSet holds the set against sorting: it yields each hash once, in order, and
// is empty then.
func TestGramSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s gramSet
	for range 50 {
		list := []uint16{0, 1<<16 - 1, 4095, 4096}
		for range rng.IntN(300) {
			list = append(list, uint16(rng.Uint32()))
		}
		for _, g := range list {
			s.add(g)
		}
		slices.Sort(list)
		want := append([]uint16{7}, slices.Compact(list)...)
		if got := s.drain([]uint16{7}); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if got := s.drain(nil); len(got) > 0 {
		t.Errorf("%v are left", got)
	}
}
