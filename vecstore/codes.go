package vecstore

import (
	"context"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vector"
)

// Codes are a store's vectors together with 8-bit codes, in memory, of those
// that it was asked for. Codes belong to slots: all Codes of a store share one
// arena of them, which leaves memory with the last Release.
type Codes struct {
	store *Store
	arena *arena
	slots int // it was asked for
	once  sync.Once
}

// arena holds the codes of a store. Row s is that of slot s, whether it is
// needed or not: memory that was never written to takes none.
type arena struct {
	vector.Planes
	free func()   // gives Rows back
	have []uint64 // bit per slot: its codes are made. Guarded by coder.mu
	refs int      // guarded by coder.mu
}

// coder is the part of a Store that makes codes.
type coder struct {
	mu      sync.Mutex
	current *arena // nil while no Codes are held
}

// Codes returns the vectors with the codes of at least these slots, in any
// order. It computes codes that are not there yet, which reads their records from
// the disk, in order and past the pool; it takes about a second per 2 GB and
// processor. Damaged records get codes of zeros, are [Store.Damaged] from then
// on, and return their error when their values are read. Release the Codes when no
// search uses them any more. The caller must not request slots at or above the
// recovery floor before Recover has run.
func (s *Store) Codes(slots []uint32) (*Codes, error) {
	end, n := 0, s.published.Load()
	for _, slot := range slots {
		if slot >= n {
			return nil, s.beyond(slot, n)
		}
		end = max(end, int(slot)+1)
	}
	if s.closed.Load() {
		return nil, wrap(s.name, "make codes", ErrClosed)
	}
	s.coder.mu.Lock()
	defer s.coder.mu.Unlock()
	a := s.coder.current
	if a == nil || len(a.Scales) < end {
		a = s.newArena(end)
		a.take(s.coder.current)
	}
	if err := s.fill(a, slots); err != nil {
		if a.refs == 0 {
			a.free()
		}
		return nil, err
	}
	a.refs++
	s.coder.current = a
	return &Codes{store: s, arena: a, slots: len(slots)}, nil
}

// Coded reports whether anybody holds codes of the store.
func (s *Store) Coded() bool {
	s.coder.mu.Lock()
	defer s.coder.mu.Unlock()
	return s.coder.current != nil
}

// newArena returns an arena for n rows and some more.
func (s *Store) newArena(n int) *arena {
	stride := vector.PlaneLen(s.dim)
	rows, free := allocate(n, 2*stride)
	room := len(rows) / (2 * stride)
	a := &arena{
		Planes: vector.Planes{
			Stride: stride, Upper: rows[:room*stride], Lower: rows[room*stride:], Scales: make([]float32, room),
		},
		free: free,
		have: make([]uint64, (room+63)/64),
	}
	if s.cfg.Metric == Euclidean {
		a.Halves = make([]float32, room)
	}
	return a
}

// take copies the codes of a smaller arena.
func (a *arena) take(old *arena) {
	if old == nil {
		return
	}
	copy(a.have, old.have)
	copy(a.Scales, old.Scales)
	copy(a.Halves, old.Halves)
	for w, word := range old.have {
		for ; word != 0; word &= word - 1 {
			at := (64*w + bits.TrailingZeros64(word)) * a.Stride
			copy(a.Upper[at:at+a.Stride], old.Upper[at:])
			copy(a.Lower[at:at+a.Stride], old.Lower[at:])
		}
	}
}

// run is a stretch of the file to be read at once: from the first to the last
// of some slots in order, all of which lack their codes.
type run struct{ slots []uint32 }

// fill computes the codes of those slots that lack them.
func (s *Store) fill(a *arena, slots []uint32) error {
	var missing []uint32
	for _, slot := range slots {
		if a.have[slot/64]>>(slot%64)&1 == 0 {
			missing = append(missing, slot)
		}
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)

	var runs []run
	size := int64(0) // of the longest run
	for from, i := 0, 1; i <= len(missing); i++ {
		if i < len(missing) && s.offset(missing[i])+int64(s.record)-s.offset(missing[from]) <= chunkSize {
			continue
		}
		runs = append(runs, run{missing[from:i]})
		size = max(size, s.offset(missing[i-1])+int64(s.record)-s.offset(missing[from]))
		from = i
	}
	buffers := make([][]float32, runtime.GOMAXPROCS(0)) // by worker
	err := parallel.Do(context.Background(), len(buffers), len(runs), func(_ context.Context, worker, i int) error {
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, size/4)
		}
		return s.encode(a, runs[i], buffers[worker])
	})
	if err != nil {
		return err // the next call computes all of them again
	}
	for _, slot := range missing {
		a.have[slot/64] |= 1 << (slot % 64)
	}
	return nil
}

// encode computes the codes of a run's slots. buf is scratch memory.
func (s *Store) encode(a *arena, r run, buf []float32) error {
	first, last := r.slots[0], r.slots[len(r.slots)-1]
	start := s.offset(first)
	b := bytesOf(buf)[:s.offset(last)+int64(s.record)-start]
	if err := s.readRecords(b, first, last); err != nil {
		return err
	}
	for _, slot := range r.slots {
		at := int(s.offset(slot) - start)
		rec := b[at : at+s.record]
		if s.check(slot, rec) != "" {
			s.markDamaged(slot)
			clear(rec)
		} else if !littleEndian {
			toNative(rec[:4*s.dim])
		}
		v := buf[at/4:][:s.dim]
		a.Set(slot, v)
		if s.cfg.Metric == Cosine && !s.cfg.Normalized {
			if n := length(v); n > 0 {
				a.Scales[slot] /= n // the codes of the vector at unit length
			}
		}
	}
	return nil
}

// Dim returns the number of values of a vector.
func (c *Codes) Dim() int { return c.store.Dim() }

// Read is [Store.Read].
func (c *Codes) Read(slot uint32, dst []float32) error { return c.store.Read(slot, dst) }

// Dots is [Store.Dots].
func (c *Codes) Dots(q []float32, slots []uint32, dst []float32) error {
	return c.store.Dots(q, slots, dst)
}

// Codes returns the codes by slot; rows of slots that were not requested are
// undefined. They are valid until Release.
func (c *Codes) Codes() vector.Planes { return c.arena.Planes }

// Bytes returns the memory that the requested codes take. Codes of the same slots
// share it, and each counts it.
func (c *Codes) Bytes() int64 { return int64(c.slots) * int64(2*c.arena.Stride+4) }

// Euclidean reports whether the store's metric is [Euclidean].
func (c *Codes) Euclidean() bool { return c.store.Euclidean() }

// Release ends the use of the codes. Further calls do nothing.
func (c *Codes) Release() {
	c.once.Do(func() {
		coder := &c.store.coder
		coder.mu.Lock()
		defer coder.mu.Unlock()
		c.arena.refs--
		if c.arena.refs > 0 {
			return
		}
		if coder.current == c.arena {
			coder.current = nil
		}
		c.arena.free()
	})
}
