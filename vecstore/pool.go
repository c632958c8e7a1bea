package vecstore

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// minFrames is how many pages of a file must fit into its pool: with one page
// searches would only wait for each other.
const minFrames = 4

// Pool holds pages of vectors in memory, never more bytes than its limit. One
// pool serves all stores of a process, from any number of goroutines.
//
// A page in use is pinned and stays; of the others the ones not used lately
// leave when room is needed (the clock algorithm). If everything is pinned, the
// goroutine that needs room waits for a release, in order of arrival. Since a
// goroutine holds at most one pin when it asks for a page, and holds none while
// it waits for room, the holders of pins run on and release them: waiting ends. A
// page that several goroutines need is read once.
type Pool struct {
	limit int64

	// waiting counts goroutines that wait for room. Release looks at it
	// without the lock: a waiter raises it before it looks at the pins.
	waiting atomic.Int32

	mu        sync.RWMutex // guards what follows, fields of frames, and Store.frames
	room      sync.Cond    // on mu; signalled when a pin or bytes are released
	ring      []*frame     // all frames, in the clock's order
	hand      int
	used      int64 // bytes of all buffers, those of dropped frames included
	queue     []*waiter
	loads     uint64
	evictions uint64
	waits     uint64
}

// frameKey is a page of a file.
type frameKey struct {
	store *Store
	page  uint32
}

// frame returns the page's frame, or nil. Called with Pool.mu held.
func (k frameKey) frame() *frame {
	if int64(k.page) >= int64(len(k.store.frames)) {
		return nil
	}
	return k.store.frames[k.page]
}

// set makes f the page's frame, nil for none. Called with Pool.mu held for
// writing.
func (k frameKey) set(f *frame) {
	if missing := int(k.page) + 1 - len(k.store.frames); missing > 0 {
		k.store.frames = append(k.store.frames, make([]*frame, missing)...)
	}
	k.store.frames[k.page] = f
}

// frame is a page in memory, or one on its way there.
type frame struct {
	key frameKey
	buf []float32 // the page as it is in the file, values native
	// pins counts the users. It rises only under Pool.mu (read or write), so
	// that under the write lock a zero stays zero.
	pins   atomic.Int32
	recent atomic.Bool // used since the clock's hand last passed
	// gone: no longer in the pool; the last release gives the bytes back.
	gone atomic.Bool

	// Guarded by Pool.mu. Records below valid are read and checked, and their
	// memory does not change any more; bad holds those that failed, and is
	// replaced, not changed.
	pos     int // in Pool.ring
	valid   int
	bad     map[int]string
	loading *load
	freed   bool
}

// waiter is one goroutine in the queue for room.
type waiter struct{ key frameKey }

// load is a read of a page in progress. err is set before done is closed.
type load struct {
	done chan struct{}
	err  error
}

// pin is a hold on a frame and what was known of its records then.
type pin struct {
	f     *frame
	valid int
	bad   map[int]string
}

// NewPool returns an empty pool of at most that many bytes. It takes them as
// pages come in. Files whose pages are larger than a quarter of it cannot be
// opened with it; 64 MiB and more is usual.
func NewPool(bytes int64) *Pool {
	p := &Pool{limit: bytes}
	p.room.L = &p.mu
	return p
}

// Stats is a moment in the life of a pool.
type Stats struct {
	Limit     int64  // bytes at most
	Used      int64  // bytes taken by pages
	Free      int64  // bytes never taken or given back
	Loading   int    // pages being read
	Loaded    int    // pages held by at least one pin
	Cached    int    // pages held by none, ready to be used or to leave
	Loads     uint64 // pages read so far, in full or in part
	Evictions uint64 // pages that have left to make room
	Waits     uint64 // times a reader had to wait for room
}

// Stats counts what is in the pool.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{
		Limit: p.limit, Used: p.used, Free: p.limit - p.used,
		Loads: p.loads, Evictions: p.evictions, Waits: p.waits,
	}
	for _, f := range p.ring {
		switch {
		case f.loading != nil:
			s.Loading++
		case f.pins.Load() > 0:
			s.Loaded++
		default:
			s.Cached++
		}
	}
	return s
}

// fits reports whether files of that page size can be read through the pool.
func (p *Pool) fits(pageSize int) bool { return int64(pageSize)*minFrames <= p.limit }

// hold pins f. Called with mu held, for reading at least.
func (f *frame) hold() pin {
	f.pins.Add(1)
	if !f.recent.Load() { // spares the cache line a write in most cases
		f.recent.Store(true)
	}
	return pin{f: f, valid: f.valid, bad: f.bad}
}

// pin returns a pin on a page whose record i, which must be published, has been
// read. It may wait for room: the caller holds no pin. Release it.
func (p *Pool) pin(s *Store, page uint32, i int) (pin, error) {
	key := frameKey{s, page}
	p.mu.RLock()
	if f := key.frame(); f != nil && i < f.valid {
		h := f.hold()
		p.mu.RUnlock()
		return h, nil
	}
	p.mu.RUnlock()

	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if s.closed.Load() {
			return pin{}, wrap(s.name, "read", ErrClosed)
		}
		f := key.frame()
		if f == nil {
			buf := p.reserve(key)
			if buf == nil {
				continue
			}
			f = &frame{key: key, buf: buf, pos: len(p.ring)}
			key.set(f)
			p.ring = append(p.ring, f)
		}
		if i < f.valid {
			return f.hold(), nil
		}
		if l := f.loading; l != nil {
			f.pins.Add(1) // so that it is still there afterwards
			p.mu.Unlock()
			<-l.done
			p.mu.Lock()
			p.unpin(f)
			if l.err != nil {
				return pin{}, l.err
			}
			continue
		}
		if err := p.fill(f); err != nil {
			return pin{}, err
		}
		if i < f.valid {
			h := f.hold()
			p.unpin(f)
			return h, nil
		}
		// Recover has cut the slot off meanwhile.
		p.unpin(f)
		return pin{}, invalid("slot %d of page %d is beyond the end", i, page)
	}
}

// pinned is a stretch of slots that stand on one page, in order or not, and a
// pin on that page.
type pinned struct {
	pin
	from, to int // places in a list of slots
}

// pinPresent pins the pages of slots that are in memory with those slots, all
// of which are published, and appends them to runs. Others are left out. It
// never waits, so that the caller may hold many pins; until all of them are
// released, it must not ask for more.
func (p *Pool) pinPresent(s *Store, slots []uint32, runs []pinned) []pinned {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for at, slot := range slots {
		page, i := s.page(slot)
		if n := len(runs); n > 0 && runs[n-1].to == at && runs[n-1].f.key.page == page && i < runs[n-1].valid {
			runs[n-1].to++
			continue
		}
		if f := (frameKey{s, page}).frame(); f != nil && i < f.valid {
			runs = append(runs, pinned{f.hold(), at, at + 1})
		}
	}
	return runs
}

// errUnread is returned to goroutines that wait for a page whose read panicked.
var errUnread = errors.New("vecstore: reading a page panicked")

// fill reads the records of f that are published and not read yet. If it
// succeeds f is pinned once more than before. mu is held, but not while the
// disk works; pinned readers go on with the records they can see. mu is held
// after a panic too, and f can be read again.
func (p *Pool) fill(f *frame) (err error) {
	l := &load{done: make(chan struct{})}
	f.loading = l
	f.pins.Add(1)
	from := f.valid
	p.loads++
	p.mu.Unlock()
	var (
		valid int
		bad   map[int]string
	)
	err = errUnread
	defer func() {
		p.mu.Lock()
		f.loading = nil
		if err != nil {
			p.unpin(f) // f stays, as it was, for the next to try or to evict
		} else {
			f.valid = valid
			if len(bad) > 0 {
				maps.Copy(bad, f.bad)
				f.bad = bad
			}
		}
		l.err = err
		close(l.done)
	}()
	valid, bad, err = f.key.store.readPage(f.key.page, from, f.buf)
	return err
}

// release ends a pin.
func (p *Pool) release(f *frame) {
	if f.pins.Add(-1) == 0 && (f.gone.Load() || p.waiting.Load() > 0) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settle(f)
	}
}

// unpin is release with mu held.
func (p *Pool) unpin(f *frame) {
	if f.pins.Add(-1) == 0 {
		p.settle(f)
	}
}

// settle frees the bytes of a dropped frame without pins, and wakes those that
// wait for room.
func (p *Pool) settle(f *frame) {
	if f.gone.Load() && f.pins.Load() == 0 && !f.freed {
		f.freed = true
		p.used -= int64(4 * len(f.buf))
	}
	p.room.Broadcast()
}

// drop takes f out of the pool; its bytes come back with the last pin.
func (p *Pool) drop(f *frame) {
	if f.gone.Load() {
		return
	}
	f.key.set(nil)
	last := p.ring[len(p.ring)-1]
	p.ring[f.pos], last.pos = last, f.pos
	p.ring[len(p.ring)-1] = nil
	p.ring = p.ring[:len(p.ring)-1]
	f.gone.Store(true)
	p.settle(f)
}

// dropFrom drops the pages of a store from a page on.
func (p *Pool) dropFrom(s *Store, page uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range s.frames[min(int(page), len(s.frames)):] {
		if f != nil {
			p.drop(f)
		}
	}
	p.room.Broadcast() // to those who wait to read a store that is closed now
}

// reserve returns a buffer for a page and counts its bytes as used. If there is
// no room it waits its turn, with mu released, and returns nil if meanwhile
// another has brought the page or the store was closed.
func (p *Pool) reserve(key frameKey) []float32 {
	size := key.store.pageSize
	if len(p.queue) == 0 {
		if buf := p.take(size); buf != nil {
			return buf
		}
	}
	w := &waiter{key}
	p.queue = append(p.queue, w)
	p.waits++
	p.waiting.Add(1)
	var buf []float32
	for key.frame() == nil && !key.store.closed.Load() {
		if p.queue[0] == w {
			if buf = p.take(size); buf != nil {
				break
			}
		}
		p.room.Wait()
	}
	p.waiting.Add(-1)
	p.queue = slices.DeleteFunc(p.queue, func(other *waiter) bool { return other == w })
	p.room.Broadcast() // to the next, and to those that wait for the same page
	return buf
}

// take makes room for a page, by evicting others if need be, and returns a
// buffer for it, or nil if too much is pinned.
func (p *Pool) take(pageSize int) []float32 {
	var buf []float32
	// In two rounds the hand meets every frame without its mark.
	for steps := 2 * len(p.ring); p.used+int64(pageSize) > p.limit; steps-- {
		if steps == 0 || len(p.ring) == 0 {
			return nil
		}
		if p.hand >= len(p.ring) {
			p.hand = 0
		}
		f := p.ring[p.hand]
		if f.pins.Load() > 0 || f.recent.Swap(false) {
			p.hand++
			continue
		}
		p.drop(f) // another takes its place under the hand
		p.evictions++
		if 4*len(f.buf) == pageSize {
			buf = f.buf
		}
	}
	p.used += int64(pageSize)
	if buf == nil {
		buf = make([]float32, pageSize/4)
	}
	return buf
}
