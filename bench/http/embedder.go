package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vector"
)

const dim = 384

// instant is the embedder inside the server: each word of a text adds a
// direction of its own, so that texts that share words are near. It takes some
// microseconds a text, to measure everything else.
type instant struct{}

func (instant) Fingerprint() string { return fmt.Sprintf("bench/words/%d", dim) }

func (instant) Dim(context.Context, contract.Secret) (int, error) { return dim, nil }

func (instant) Up() bool { return true }

func (instant) Batch() int { return 256 }

func (instant) Split(text string) ([]contract.Chunk, int) {
	words := len(strings.Fields(text))
	return []contract.Chunk{{End: len(text), Tokens: words}}, words
}

func (instant) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	out := make([][]float32, len(r.Texts))
	for i, text := range r.Texts {
		out[i] = vectorOf(text)
	}
	return out, context.Cause(ctx)
}

// vectorOf returns the unit vector of a text.
func vectorOf(text string) []float32 {
	v := make([]float32, dim)
	v[0] = 0.01 // so that the empty text has a direction too
	for word := range strings.FieldsSeq(text) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(word)) // never fails
		x := h.Sum64() | 1
		for i := range v {
			x ^= x << 13 // xorshift64 (Marsaglia 2003)
			x ^= x >> 7
			x ^= x << 17
			v[i] += float32(x>>40)/(1<<23) - 1
		}
	}
	vector.Normalize(v)
	return v
}
