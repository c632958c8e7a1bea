package search

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/vectorlink/vectorlink/internal/parallel"
)

// pool keeps what was opened from disk (commit files, views, graphs) within a
// limit of bytes, least recently used first out. Every value is reference
// counted: eviction only drops the pool's own reference, and the last holder
// closes the value, so nothing is closed under a reader.
//
// What counts against the limit is every value that is open, once, whoever holds
// it. Only those leave that nobody else holds, for the others would go on to
// take memory, and be opened a second time when they are asked for: a file goes
// after the snapshots that stand on it. So the limit can be passed by what is in
// use at a moment, and by nothing else.
//
// The cache underneath counts entries, not bytes, and cannot pin: it is given
// room for any number, and evicted by bytes in a loop.
type pool struct {
	limit int64

	mu      sync.Mutex // guards all below, and every lease's refs
	cache   *lru.Cache[string, *lease]
	bytes   int64      // of all values that are open
	open    int        // values not closed yet, in the cache or only in use
	loads   int64      // values loaded since the start
	dead    []resource // to be closed by unlock
	loading map[string]*flight
}

// resource is a value in the pool.
type resource interface {
	// size is the memory the value takes, in bytes; constant.
	size() int64
	// close releases what the value holds. Called once, after the last use.
	close()
}

// lease is a counted reference to a resource.
type lease struct {
	pool *pool
	res  resource
	refs int
}

// flight is a load that others wait for.
type flight struct {
	done    chan struct{}
	waiters int
	lease   *lease
	err     error
}

func newPool(limit int64) *pool {
	p := &pool{limit: limit, loading: make(map[string]*flight)}
	cache, err := lru.NewWithEvict(math.MaxInt32, func(_ string, l *lease) {
		// Called with p.mu held, by the Remove and RemoveOldest below.
		p.drop(l)
	})
	if err != nil {
		panic(err) // only a size below one is refused
	}
	p.cache = cache
	return p
}

// acquire returns a lease on the resource of that key, loading it if it is not
// there; of several callers one loads and the others wait for it, each until its
// context ends. The lease must be released.
func (p *pool) acquire(ctx context.Context, key string, load func() (resource, error)) (*lease, error) {
	p.mu.Lock()
	if l, ok := p.cache.Get(key); ok {
		l.refs++
		p.mu.Unlock()
		return l, nil
	}
	if f, ok := p.loading[key]; ok {
		f.waiters++
		p.mu.Unlock()
		select {
		case <-f.done:
			return f.lease, f.err
		case <-ctx.Done():
			p.leave(f)
			return nil, context.Cause(ctx)
		}
	}
	f := &flight{done: make(chan struct{})}
	p.loading[key] = f
	p.mu.Unlock()

	res, err := guardedLoad(load)

	p.mu.Lock()
	defer p.unlock()
	defer close(f.done)
	// A remove during the load has taken the flight out: the value is then
	// only for those who asked before.
	current := p.loading[key] == f
	if current {
		delete(p.loading, key)
	}
	if err != nil {
		f.err = err
		return nil, err
	}
	f.lease = &lease{pool: p, res: res, refs: 1 + f.waiters}
	if r, ok := res.(interface{ leased(*lease) }); ok {
		r.leased(f.lease)
	}
	p.open++
	p.loads++
	p.bytes += res.size()
	if current {
		f.lease.refs++
		p.cache.Add(key, f.lease)
	}
	return f.lease, nil
}

// leave ends the wait for a load, of which somebody else takes the result.
func (p *pool) leave(f *flight) {
	p.mu.Lock()
	defer p.unlock()
	switch {
	case f.lease != nil:
		p.drop(f.lease) // it came at the same moment
	case f.err == nil:
		f.waiters--
	}
}

// evict drops the value that was used least lately of those that nobody holds,
// if too much is open, and reports whether there was one. Called with p.mu held.
func (p *pool) evict() bool {
	if p.bytes <= p.limit {
		return false
	}
	for range p.cache.Len() {
		key, l, _ := p.cache.GetOldest()
		if l.refs == 1 {
			p.cache.Remove(key)
			return true
		}
		p.cache.Get(key) // it is being used
	}
	return false
}

// peek returns a lease on the resource of that key if it is there, else nil.
func (p *pool) peek(key string) *lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.cache.Get(key)
	if !ok {
		return nil
	}
	l.refs++
	return l
}

// guardedLoad turns a panic into an error, so that no caller waits for ever.
func guardedLoad(load func() (resource, error)) (res resource, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open snapshot: panic: %v", parallel.Cause(r))
		}
	}()
	return load()
}

// remove forgets the key: the next acquire loads it anew.
func (p *pool) remove(key string) {
	p.mu.Lock()
	defer p.unlock()
	p.cache.Remove(key)
	delete(p.loading, key)
}

// removeIf forgets the keys that match: at a cost of what is in the pool, however
// many there could be.
func (p *pool) removeIf(match func(key string) bool) {
	p.mu.Lock()
	defer p.unlock()
	for _, key := range p.cache.Keys() {
		if match(key) {
			p.cache.Remove(key)
		}
	}
	maps.DeleteFunc(p.loading, func(key string, _ *flight) bool { return match(key) })
}

// purge forgets everything.
func (p *pool) purge() {
	p.mu.Lock()
	defer p.unlock()
	for p.cache.Len() > 0 {
		p.cache.RemoveOldest()
	}
}

// stats returns the number of open values and their bytes.
func (p *pool) stats() (open int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open, p.bytes
}

// loaded returns the number of values loaded so far.
func (p *pool) loaded() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loads
}

// drop gives one reference back. Called with p.mu held, which must then be
// released by unlock: closing a value may release leases that it holds.
func (p *pool) drop(l *lease) {
	l.refs--
	if l.refs == 0 {
		p.open--
		p.bytes -= l.res.size()
		p.dead = append(p.dead, l.res)
	}
}

// unlock evicts what is too much, releases p.mu, and closes the values that
// nobody holds any more. One after the other: a value that is closed may give
// back others.
func (p *pool) unlock() {
	for {
		evicted := p.evict()
		dead := p.dead
		p.dead = nil
		p.mu.Unlock()
		for _, r := range dead {
			r.close()
		}
		if !evicted {
			return
		}
		p.mu.Lock()
	}
}

// release gives the lease back; the resource must not be used after it.
func (l *lease) release() {
	l.pool.mu.Lock()
	defer l.pool.unlock()
	l.pool.drop(l)
}
