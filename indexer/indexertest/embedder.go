package indexertest

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vector"
)

// Embedder is a counting embedder: each word of a text adds a fixed
// pseudo-random direction, so texts that share words are near. Set its fields
// before its first use.
type Embedder struct {
	Dimensions int    // default 32
	Name       string // part of the fingerprint
	BatchSize  int    // default 8
	// Window is the number of words in a chunk; 0: a text is one chunk.
	Window int
	// Forget has Texts hold nothing, for tests that watch memory.
	Forget bool
	// Fail, when set, is asked before each call; an error ends the call.
	Fail func(texts []string) error
	// Refuse, when set, names the texts that are refused.
	Refuse func(text string) error

	mu    sync.Mutex
	texts []string
	calls int
}

// Fingerprint implements contract.Embedder.
func (e *Embedder) Fingerprint() string { return fmt.Sprintf("test/%s/%d", e.Name, e.dim()) }

// Dim implements contract.Embedder.
func (e *Embedder) Dim(context.Context, contract.Secret) (int, error) { return e.dim(), nil }

// Batch implements contract.Embedder.
func (e *Embedder) Batch() int {
	if e.BatchSize == 0 {
		return 8
	}
	return e.BatchSize
}

func (e *Embedder) dim() int {
	if e.Dimensions == 0 {
		return 32
	}
	return e.Dimensions
}

// Split implements contract.Embedder: words are tokens, and chunks do not
// overlap.
func (e *Embedder) Split(text string) ([]contract.Chunk, int) {
	words := 0
	var chunks []contract.Chunk
	start, inWord := 0, false
	for i, r := range text {
		space := r == ' '
		if !space && !inWord {
			if e.Window > 0 && words > 0 && words%e.Window == 0 {
				chunks = append(chunks, contract.Chunk{Start: start, End: i, TokenStart: words - e.Window, Tokens: e.Window})
				start = i
			}
			words++
		}
		inWord = !space
	}
	first := 0
	if len(chunks) > 0 {
		first = len(chunks) * e.Window
	}
	return append(chunks, contract.Chunk{Start: start, End: len(text), TokenStart: first, Tokens: words - first}), words
}

// Embed implements contract.Embedder.
func (e *Embedder) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	texts := r.Texts
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if e.Fail != nil {
		if err := e.Fail(texts); err != nil {
			return nil, err
		}
	}
	out := make([][]float32, len(texts))
	refused := make(map[int]error)
	for i, t := range texts {
		if e.Refuse != nil {
			if err := e.Refuse(t); err != nil {
				refused[i] = err
				continue
			}
		}
		out[i] = Vector(t, e.dim())
		if r.AsGiven {
			out[i] = Given(t, e.dim())
		}
	}
	e.mu.Lock()
	e.calls++
	if !e.Forget {
		e.texts = append(e.texts, texts...)
	}
	e.mu.Unlock()
	if len(refused) > 0 {
		return out, &contract.RefusedError{Texts: refused}
	}
	return out, nil
}

// Up implements contract.Embedder.
func (e *Embedder) Up() bool { return true }

// Texts returns every text embedded since the last Reset, in order.
func (e *Embedder) Texts() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.texts...)
}

// Reset forgets what was counted.
func (e *Embedder) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.texts, e.calls = nil, 0
}

// Given is the vector of a text as the model gives it: its length is from 1 to
// 2, a pure function of the text.
func Given(text string, dim int) []float32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	v := Vector(text, dim)
	for i := range v {
		v[i] *= 1 + float32(h.Sum32()%1000)/1000
	}
	return v
}

// Vector is the vector of a text: a pure function of its words.
func Vector(text string, dim int) []float32 {
	v := make([]float32, dim)
	add := func(word string, weight float32) {
		h := fnv.New64a()
		h.Write([]byte(word))
		x := h.Sum64() | 1
		for i := range v {
			// xorshift64 (Marsaglia 2003)
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			v[i] += weight * (float32(x>>40)/(1<<23) - 1)
		}
	}
	add("\x00base", 0.1) // so that the empty text has a direction too
	for word := range strings.FieldsSeq(text) {
		add(word, 1)
	}
	vector.Normalize(v)
	return v
}
