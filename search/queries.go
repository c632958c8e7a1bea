package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vecstore"
)

// queryCache remembers the vectors of texts that were searched with, least recently
// used first out, within a limit of bytes. It knows texts by their content keys,
// so that another model, or the same text in another role, is another entry. A
// text that several ask for at once is embedded once.
type queryCache struct {
	limit int64

	mu      sync.Mutex // guards all below
	cache   *byteLRU[vecstore.Key, []float32]
	asking  flights[question, answer]
	hits    int64 // answered from the cache, or by another's call; since the start
	missing int64 // embedded
}

// question is a text that is being embedded. The caller's key is part of it, so
// that a refusal goes to callers with that key alone.
type question struct {
	text      vecstore.Key
	callerKey contract.Secret
}

// answer is what a call returned. It is nothing to those who wait for it where
// the caller left before, or panicked: they ask again.
type answer struct {
	vector []float32
	ok     bool
}

// queryEntry is what an entry takes besides its numbers, in bytes: key, list
// and map.
const queryEntry = 200

func newQueryCache(limit int64) *queryCache {
	return &queryCache{limit: limit, cache: newByteLRU[vecstore.Key](entryBytes), asking: flights[question, answer]{}}
}

// vectors returns the vectors of texts, from memory or by calling embed once with
// the indexes of those that nobody else asks for at the moment, and why a text has
// none. Vectors are shared: they must not be changed.
func (r *queryCache) vectors(ctx context.Context, questions []question, embed func(mine []int) ([][]float32, []error)) ([][]float32, []error) {
	vectors, errs := make([][]float32, len(questions)), make([]error, len(questions))
	open := make([]int, len(questions)) // to be answered
	for i := range open {
		open[i] = i
	}
	for len(open) > 0 {
		var mine, others []int
		flying := make(map[int]*flight[answer])
		r.mu.Lock()
		for _, i := range open {
			if v, ok := r.cache.get(questions[i].text); ok {
				r.hits++
				vectors[i] = v
				continue
			}
			f, first := r.asking.join(questions[i])
			flying[i] = f
			if first {
				mine = append(mine, i)
			} else {
				others = append(others, i)
			}
		}
		r.mu.Unlock()
		if len(mine) > 0 { // before waiting for others, who may wait for these
			r.ask(ctx, questions, mine, flying, embed)
			for _, i := range mine {
				vectors[i], errs[i] = flying[i].value.vector, flying[i].err
			}
		}
		open = open[:0]
		for _, i := range others {
			f := flying[i]
			select {
			case <-f.done:
			case <-ctx.Done():
				errs[i] = context.Cause(ctx)
				continue
			}
			if !f.value.ok {
				open = append(open, i)
				continue
			}
			vectors[i], errs[i] = f.value.vector, f.err
			if f.err == nil {
				r.mu.Lock()
				r.hits++
				r.mu.Unlock()
			}
		}
	}
	return vectors, errs
}

// ask embeds for all who wait for these questions.
func (r *queryCache) ask(ctx context.Context, questions []question, mine []int, flying map[int]*flight[answer], embed func([]int) ([][]float32, []error)) {
	defer func() { // after a panic, too
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, i := range mine {
			r.asking.end(questions[i], flying[i])
			close(flying[i].done)
		}
	}()
	vectors, errs := embed(mine)
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, i := range mine {
		v, err := vectors[k], errs[k]
		flying[i].value, flying[i].err = answer{v, err == nil || ctx.Err() == nil}, err
		r.missing++
		if err != nil {
			continue
		}
		// With another key the text may have been embedded meanwhile.
		if _, ok := r.cache.get(questions[i].text); ok {
			continue
		}
		r.cache.add(questions[i].text, v)
		for more := true; more; {
			_, more = r.cache.shrink(r.limit, func([]float32) bool { return true })
		}
	}
}

func entryBytes(v []float32) int64 { return queryEntry + 4*int64(len(v)) }

// stats returns the number of entries and their bytes, and how often a text was
// found and not found.
func (r *queryCache) stats() (entries, bytes, hits, missing int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.cache.len()), r.cache.bytes, r.hits, r.missing
}

// embedWhole returns the vector of a text that a request searches or compares
// with: of all of it, as a domain with such settings has vectors. The vector is
// shared: it must not be changed.
func (r *Reader) embedWhole(ctx context.Context, s catalog.Settings, role contract.Role, text string, callerKey contract.Secret) ([]float32, error) {
	vectors, errs := r.embedAll(ctx, s, role, []string{text}, callerKey)
	return vectors[0], errs[0]
}

// embedders is how many calls of the embedder one request makes at once.
const embedders = 4

// embedAll is embedWhole of several texts, with why a text has no vector. It embeds
// those that are not known in as many calls as the embedder wants.
func (r *Reader) embedAll(ctx context.Context, s catalog.Settings, role contract.Role, texts []string, callerKey contract.Secret) ([][]float32, []error) {
	defer timed(ctx, PartEmbed)()
	questions := make([]question, len(texts))
	for i, text := range texts {
		questions[i] = question{vecstore.ContentKey(s.Model(r.cfg.Embedder.Fingerprint()), role, text), callerKey}
	}
	return r.queries.vectors(ctx, questions, func(mine []int) ([][]float32, []error) {
		vectors, errs := make([][]float32, len(mine)), make([]error, len(mine))
		batches := slices.Collect(slices.Chunk(mine, max(r.cfg.Embedder.Batch(), 1)))
		// The first that fails has no further one begun; those under way go on,
		// because they may be paid for.
		ended := parallel.Do(ctx, embedders, len(batches), func(_ context.Context, _, n int) error {
			batch, at := batches[n], n*len(batches[0])
			asked := make([]string, len(batch))
			for k, i := range batch {
				asked[k] = texts[i]
			}
			got, err := r.cfg.Embedder.Embed(ctx, contract.EmbedRequest{Role: role, Texts: asked, AsGiven: !s.Normalize, Key: callerKey})
			var refused *contract.RefusedError
			if err == nil && len(got) != len(batch) {
				got, err = nil, fmt.Errorf("%w: %d vectors for %d texts", contract.ErrProvider, len(got), len(batch))
			}
			copy(vectors[at:], got)
			if errors.As(err, &refused) {
				for k, why := range refused.Texts {
					errs[at+k] = fmt.Errorf("%w: %w", contract.ErrProvider, &contract.RefusedError{Texts: map[int]error{0: why}})
				}
				return nil // of the other texts nothing is known to be wrong
			}
			return err
		})
		if ended == nil {
			ended = fmt.Errorf("%w: no vector for a text", contract.ErrProvider)
		}
		for k, v := range vectors {
			if v == nil && errs[k] == nil {
				errs[k] = ended
			}
		}
		return vectors, errs
	})
}

// EmbedRequest asks for the vectors of texts, of each as a whole.
type EmbedRequest struct {
	Texts []string
	Role  contract.Role
	// CallerKey: see IndexRequest.
	CallerKey contract.Secret
}

// Embedded are the vectors of texts, at unit length.
type Embedded struct {
	// Vectors are in the order of the texts. They are shared: they must not be
	// changed.
	Vectors [][]float32
	Tokens  int // of all texts
	// Cut counts the texts that the model cannot read as one.
	Cut int
}

// TextError is why one of several texts has no vector.
type TextError struct {
	Index int
	Err   error
}

// Error names the text by its index.
func (e *TextError) Error() string { return fmt.Sprintf("text %d: %v", e.Index, e.Err) }

// Unwrap returns what is wrong.
func (e *TextError) Unwrap() error { return e.Err }

// Embed returns the vectors of texts, from memory where they were asked for before.
// Nothing of it is stored. Where it fails, the vectors that were made are in memory
// all the same.
func (r *Reader) Embed(ctx context.Context, req EmbedRequest) (Embedded, error) {
	var out Embedded
	for _, text := range req.Texts {
		chunks, tokens := r.cfg.Embedder.Split(text)
		out.Tokens += tokens
		if len(chunks) > 1 {
			out.Cut++
		}
	}
	vectors, errs := r.embedAll(ctx, catalog.DefaultSettings, req.Role, req.Texts, req.CallerKey)
	for i, err := range errs {
		if err != nil {
			return Embedded{}, &TextError{i, err}
		}
	}
	out.Vectors = vectors
	return out, nil
}
