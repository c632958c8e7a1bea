package search

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
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

// vector returns the vector of a text, from memory or by calling embed. It is
// shared: it must not be changed.
func (r *queryCache) vector(ctx context.Context, q question, embed func() ([]float32, error)) ([]float32, error) {
	for {
		r.mu.Lock()
		if v, ok := r.cache.get(q.text); ok {
			r.hits++
			r.mu.Unlock()
			return v, nil
		}
		f, first := r.asking.join(q)
		r.mu.Unlock()
		if first {
			return r.ask(ctx, q, f, embed)
		}
		select {
		case <-f.done:
			if !f.value.ok {
				continue
			}
			if f.err == nil {
				r.mu.Lock()
				r.hits++
				r.mu.Unlock()
			}
			return f.value.vector, f.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ask embeds for all who wait for the question.
func (r *queryCache) ask(ctx context.Context, q question, f *flight[answer], embed func() ([]float32, error)) ([]float32, error) {
	defer func() { // after a panic, too
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asking.end(q, f)
		close(f.done)
	}()
	v, err := embed()
	f.value, f.err = answer{v, err == nil || ctx.Err() == nil}, err
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing++
	if err != nil {
		return v, err
	}
	// With another key the text may have been embedded meanwhile.
	if _, ok := r.cache.get(q.text); ok {
		return v, nil
	}
	r.cache.add(q.text, v)
	for more := true; more; {
		_, more = r.cache.shrink(r.limit, func([]float32) bool { return true })
	}
	return v, nil
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
	q := question{vecstore.ContentKey(s.Model(r.cfg.Embedder.Fingerprint()), role, text), callerKey}
	return r.queries.vector(ctx, q, func() ([]float32, error) {
		vectors, err := r.cfg.Embedder.Embed(ctx, contract.EmbedRequest{
			Role: role, Texts: []string{text}, AsGiven: !s.Normalize, Key: callerKey,
		})
		var refused *contract.RefusedError
		switch {
		case errors.As(err, &refused):
			return nil, fmt.Errorf("%w: %w", contract.ErrProvider, err)
		case err != nil:
			return nil, err
		case len(vectors) != 1:
			return nil, fmt.Errorf("%w: %d vectors for a text", contract.ErrProvider, len(vectors))
		}
		return vectors[0], nil
	})
}
