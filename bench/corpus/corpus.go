// Package corpus makes the texts that the benchmarks index and search for, and
// embeds them at no cost.
package corpus

import (
	"math/rand/v2"
	"strconv"
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
	words := make([]string, n)
	for i := range words {
		words[i] = Word(c.zipf.Uint64())
	}
	return strings.Join(words, " ")
}

// Word returns the word of a number. It is of letters alone: full text takes a
// word of letters and digits for one of several parts, and has more terms for it
// than for a word of prose.
func Word(n uint64) string {
	const letters = "aeioubdglr"
	word := []byte("w")
	for _, digit := range strconv.FormatUint(n, 10) {
		word = append(word, letters[digit-'0'])
	}
	return string(word)
}
