package search

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/vectorlink/vectorlink/internal/parallel"
)

// pool keeps what was opened from disk (commit files, views, graphs) within a
// limit of bytes, least recently used first out. Every value is reference
// counted: eviction only drops the pool's own reference, and the last holder
// closes the value, so nothing is closed under a reader.
//
// What counts against the limit is every value that is open, once, however many
// hold it. Only those leave that the pool alone holds, for the others would go on to
// take memory, and be opened a second time when they are asked for: a file goes
// after the snapshots whose chains have it. So the limit can be passed by what is
// in use at a moment, and by nothing else.
type pool struct {
	limit int64

	mu      sync.Mutex // guards all below, and every lease's refs
	cache   *byteLRU[string, *lease]
	strays  int64      // bytes of open values that are not in the cache
	open    int        // values not closed yet, in the cache or only in use
	loads   int64      // values loaded since the start
	dead    []resource // to be closed by unlock
	loading flights[string, *lease]
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

func (l *lease) size() int64 { return l.res.size() }

func newPool(limit int64) *pool {
	return &pool{limit: limit, cache: newByteLRU[string]((*lease).size), loading: flights[string, *lease]{}}
}

// acquire returns a lease on the resource of that key, loading it if it is not
// there; of several callers one loads and the others wait for it, each until its
// context ends. The lease must be released.
func (p *pool) acquire(ctx context.Context, key string, load func() (resource, error)) (*lease, error) {
	p.mu.Lock()
	if l, ok := p.cache.get(key); ok {
		l.refs++
		p.mu.Unlock()
		return l, nil
	}
	f, first := p.loading.join(key)
	p.mu.Unlock()
	if !first {
		select {
		case <-f.done:
			return f.value, f.err
		case <-ctx.Done():
			p.leave(f)
			return nil, context.Cause(ctx)
		}
	}

	res, err := guardedLoad(load)

	p.mu.Lock()
	defer p.unlock()
	defer close(f.done)
	// A remove during the load has taken the flight out: the value then serves
	// only the callers from before.
	current := p.loading.end(key, f)
	if err != nil {
		f.err = err
		return nil, err
	}
	l := &lease{pool: p, res: res, refs: 1 + f.waiters}
	if r, ok := res.(interface{ leased(*lease) }); ok {
		r.leased(l)
	}
	p.open++
	p.loads++
	if current {
		l.refs++
		p.cache.add(key, l)
	} else {
		p.strays += l.size()
	}
	f.value = l
	return l, nil
}

// leave ends the wait for a load.
func (p *pool) leave(f *flight[*lease]) {
	p.mu.Lock()
	defer p.unlock()
	switch {
	case f.value != nil:
		p.drop(f.value) // it came at the same moment
	case f.err == nil:
		f.waiters--
	}
}

// evict drops the value used least recently of those without other holders, if
// too much is open, and reports whether there was one. Called with p.mu held.
func (p *pool) evict() bool {
	l, ok := p.cache.shrink(p.limit-p.strays, func(l *lease) bool { return l.refs == 1 })
	if ok {
		p.expelled(l)
	}
	return ok
}

// expelled gives up the reference of the cache, which l has left. Called with
// p.mu held.
func (p *pool) expelled(l *lease) {
	p.strays += l.size()
	p.drop(l)
}

// peek returns a lease on the resource of that key if it is there, else nil.
func (p *pool) peek(key string) *lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.cache.get(key)
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

// remove forgets the key: the next acquire loads it again.
func (p *pool) remove(key string) {
	p.mu.Lock()
	defer p.unlock()
	if l, ok := p.cache.remove(key); ok {
		p.expelled(l)
	}
	delete(p.loading, key)
}

// each calls use with every value that is in the pool.
func (p *pool) each(use func(key string, res resource)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range p.cache.keys() {
		if l, ok := p.cache.peek(key); ok {
			use(key, l.res)
		}
	}
}

// removeIf forgets the keys that match: at a cost of what is in the pool, however
// many there could be.
func (p *pool) removeIf(match func(key string) bool) {
	p.mu.Lock()
	defer p.unlock()
	for _, key := range p.cache.keys() {
		if !match(key) {
			continue
		}
		if l, ok := p.cache.remove(key); ok {
			p.expelled(l)
		}
	}
	maps.DeleteFunc(p.loading, func(key string, _ *flight[*lease]) bool { return match(key) })
}

// purge forgets everything.
func (p *pool) purge() {
	p.mu.Lock()
	defer p.unlock()
	for {
		l, ok := p.cache.shrink(-1, func(*lease) bool { return true })
		if !ok {
			return
		}
		p.expelled(l)
	}
}

// stats returns the number of open values and their bytes.
func (p *pool) stats() (open int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open, p.cache.bytes + p.strays
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
		p.strays -= l.size() // it has left the cache, which holds a reference
		p.dead = append(p.dead, l.res)
	}
}

// unlock evicts what is too much, releases p.mu, and closes the values that are
// not held any more. One after the other: a value that is closed may give
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
