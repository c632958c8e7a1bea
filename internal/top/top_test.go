package top

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFirst holds First against sorting everything.
func TestFirst(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		all := rng.Perm(rng.IntN(200))
		n := rng.IntN(220)
		sorted := slices.Sorted(slices.Values(all))
		if got, want := First(all, n, cmp.Compare[int]), sorted[:min(n, len(sorted))]; !slices.Equal(got, want) {
			t.Fatalf("seed %d: first %d of %d: got %v, want %v", seed, n, len(sorted), got, want)
		}
	}
}
