package embed

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed/minilm"
)

// localWindow is the rule by which Local splits texts: the model reads 256
// tokens, two of which are its own.
var localWindow = windowOf(minilm.Window - 2)

// localFingerprint changes whenever the vectors do.
const localFingerprint = "local/all-MiniLM-L6-v2/384/w256/int8-1"

// LocalEmbedder is the model inside the binary.
type LocalEmbedder struct {
	model   *minilm.Model
	workers int
	observe func(contract.EmbedCall)
}

var _ contract.Embedder = (*LocalEmbedder)(nil)

// Local returns the built-in model, all-MiniLM-L6-v2 with 384 dimensions. Each
// Embed call spreads its texts over that many goroutines; 0 stands for one
// per processor. All LocalEmbedders share one model in memory. It fails only
// in a binary that was built from damaged files.
func Local(workers int) (*LocalEmbedder, error) {
	m, err := minilm.Load()
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &LocalEmbedder{model: m, workers: workers}, nil
}

// Observe has f told of every Embed call from now on. It is not for a time when
// calls are under way.
func (l *LocalEmbedder) Observe(f func(contract.EmbedCall)) { l.observe = f }

// Fingerprint implements contract.Embedder.
func (l *LocalEmbedder) Fingerprint() string { return localFingerprint }

// Language returns the one language that the model knows, as settings of full text
// name it.
func (l *LocalEmbedder) Language() string { return "en" }

// Dim returns 384.
func (l *LocalEmbedder) Dim(context.Context, contract.Secret) (int, error) { return minilm.Dim, nil }

// Batch returns 32.
func (l *LocalEmbedder) Batch() int { return 32 }

// Tokens returns the number of tokens in text.
func (l *LocalEmbedder) Tokens(text string) int { return len(l.model.Tokens(text)) }

// Kernels names the code that this machine runs: "avx512", "avx2" or
// "portable".
func (l *LocalEmbedder) Kernels() string { return l.model.Kernels() }

// Split cuts a text of more than 254 tokens into windows of 254 that overlap
// by 36, and marks those that the model cannot read.
func (l *LocalEmbedder) Split(text string) ([]contract.Chunk, int) {
	tokens := l.model.Tokens(text)
	chunks := localWindow.split(text, len(tokens), func(i int) (int, int) {
		return tokens[i].Start, tokens[i].End
	})
	for i := range chunks {
		c := &chunks[i]
		c.Unreadable = l.model.Unreadable(tokens[c.TokenStart : c.TokenStart+c.Tokens])
	}
	return chunks, len(tokens)
}

// Embed returns a vector for every text, the empty one included; of a text
// that Split would cut, the first 254 tokens count. The role does not matter
// to this model, which gives all vectors unit length. The only error is the
// context's.
func (l *LocalEmbedder) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	began := time.Now()
	vectors, err := l.model.Embed(ctx, r.Texts, l.workers)
	if l.observe != nil {
		call := contract.EmbedCall{Took: time.Since(began), Texts: len(r.Texts), Tokens: roughTokens(r.Texts), Outcome: "ok"}
		if err != nil {
			call.Tokens, call.Outcome = 0, "cancelled"
		}
		l.observe(call)
	}
	return vectors, err
}

// Up returns true.
func (l *LocalEmbedder) Up() bool { return true }

// Notice returns the notice and licence of the built-in model, which must
// accompany every copy of the program.
func Notice() string { return minilm.Notice() }
