package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

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
	cache   *lru.Cache[vecstore.Key, []float32]
	bytes   int64
	asking  map[question]*asked
	hits    int64 // answered from the cache, or by another's call; since the start
	missing int64 // embedded
}

// question is a text that somebody has embedded at the moment. A caller's key is
// part of it, so that nobody gets the refusal of another's.
type question struct {
	text      vecstore.Key
	callerKey contract.Secret
}

// asked is a call that others wait for.
type asked struct {
	done   chan struct{}
	vector []float32
	err    error
	left   bool // whoever called did not wait for the answer: it says nothing
}

// queryEntry is what an entry takes besides its numbers, in bytes: key, list
// and map.
const queryEntry = 200

func newQueryCache(limit int64) *queryCache {
	cache, err := lru.New[vecstore.Key, []float32](math.MaxInt32)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &queryCache{limit: limit, cache: cache, asking: make(map[question]*asked)}
}

// vector returns the vector of a text, from memory or by calling embed. It is
// shared: it must not be changed.
func (r *queryCache) vector(ctx context.Context, q question, embed func() ([]float32, error)) ([]float32, error) {
	for {
		r.mu.Lock()
		if v, ok := r.cache.Get(q.text); ok {
			r.hits++
			r.mu.Unlock()
			return v, nil
		}
		a, under := r.asking[q]
		if !under {
			a = &asked{done: make(chan struct{}), left: true}
			r.asking[q] = a
			r.mu.Unlock()
			return r.ask(ctx, q, a, embed)
		}
		r.mu.Unlock()
		select {
		case <-a.done:
			if a.left {
				continue
			}
			if a.err == nil {
				r.mu.Lock()
				r.hits++
				r.mu.Unlock()
			}
			return a.vector, a.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ask embeds for all who wait for the question.
func (r *queryCache) ask(ctx context.Context, q question, a *asked, embed func() ([]float32, error)) ([]float32, error) {
	defer func() { // after a panic, too
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.asking, q)
		close(a.done)
	}()
	a.vector, a.err = embed()
	a.left = ctx.Err() != nil && a.err != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing++
	if a.err != nil || r.cache.Contains(q.text) {
		return a.vector, a.err
	}
	r.cache.Add(q.text, a.vector)
	r.bytes += entryBytes(a.vector)
	for r.bytes > r.limit {
		_, old, ok := r.cache.RemoveOldest()
		if !ok {
			break
		}
		r.bytes -= entryBytes(old)
	}
	return a.vector, nil
}

func entryBytes(v []float32) int64 { return queryEntry + 4*int64(len(v)) }

// stats returns the number of entries and their bytes, and how often a text was
// found and not found.
func (r *queryCache) stats() (entries, bytes, hits, missing int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.cache.Len()), r.bytes, r.hits, r.missing
}

// embedWhole returns the vector of a text that somebody searches or compares
// with, whole, as a domain with such settings has vectors. The vector is shared:
// it must not be changed.
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
