package corpus

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vector"
)

// Dim is the length of the vectors of an [Embedder].
const Dim = 384

// Embedder is an embedder that costs next to nothing, to measure everything
// else: each word of a text adds a direction of its own, so that texts that
// share words are near. A text takes some microseconds.
type Embedder struct{}

// Fingerprint implements contract.Embedder.
func (Embedder) Fingerprint() string { return fmt.Sprintf("bench/words/%d", Dim) }

// Dim implements contract.Embedder.
func (Embedder) Dim(context.Context, contract.Secret) (int, error) { return Dim, nil }

// Up implements contract.Embedder.
func (Embedder) Up() bool { return true }

// Batch implements contract.Embedder.
func (Embedder) Batch() int { return 256 }

// Split implements contract.Embedder.
func (Embedder) Split(text string) ([]contract.Chunk, int) {
	words := len(strings.Fields(text))
	return []contract.Chunk{{End: len(text), Tokens: words}}, words
}

// Embed implements contract.Embedder.
func (Embedder) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	out := make([][]float32, len(r.Texts))
	for i, text := range r.Texts {
		out[i] = Vector(text)
	}
	return out, context.Cause(ctx)
}

// Vector returns the unit vector of a text.
func Vector(text string) []float32 {
	v := make([]float32, Dim)
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
