// Package corpus makes the texts that the benchmarks index and search for, and
// embeds them at no cost.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Corpus makes texts of words as frequent as those of English without its
// commonest. It is for one goroutine.
type Corpus struct {
	*rand.Rand
	zipf *rand.Zipf
}

// New returns the corpus of a seed: the same texts whenever it is made.
func New(seed uint64) *Corpus {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &Corpus{rng, rand.NewZipf(rng, 1.1, 10, 20_000)}
}

// Text returns a text of n words.
func (c *Corpus) Text(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "w%d ", c.zipf.Uint64())
	}
	return strings.TrimSpace(b.String())
}
