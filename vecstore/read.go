package vecstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/vectorlink/vectorlink/vector"
)

// readPage reads the published records of a page from record from on into buf,
// which has the size of a page, checks them, and returns how many records of
// the page are in buf now and what is wrong with which. Memory of the records
// below from is not touched.
func (s *Store) readPage(page uint32, from int, buf []float32) (valid int, bad map[int]string, err error) {
	first := page * uint32(s.perPage)
	valid = int(min(uint32(s.perPage), max(s.published.Load(), first)-first))
	if valid <= from {
		return valid, nil, nil
	}
	b := bytesOf(buf)[from*s.record : valid*s.record]
	if n, err := s.reader.ReadAt(b, s.offset(first+uint32(from))); n < len(b) {
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, nil, wrap(s.name, fmt.Sprintf("read page %d", page), err)
		}
		clear(b[n:]) // the file was cut: these records fail their check
	}
	for i := from; i < valid; i++ {
		slot, rec := first+uint32(i), b[(i-from)*s.record:][:s.record]
		if reason := s.check(slot, rec); reason != "" {
			if bad == nil {
				bad = map[int]string{}
			}
			bad[i] = reason
			s.markDamaged(slot)
			continue
		}
		if !littleEndian {
			toNative(rec[:4*s.dim])
		}
	}
	return valid, bad, nil
}

// markDamaged makes Lookup pass over a slot.
func (s *Store) markDamaged(slot uint32) {
	s.maps.Lock()
	defer s.maps.Unlock()
	s.damaged[slot] = struct{}{}
}

// pinSlot pins a slot's page and returns the slot's index on it.
func (s *Store) pinSlot(slot uint32) (pin, int, error) {
	if n := s.published.Load(); slot >= n {
		return pin{}, 0, s.beyond(slot, n)
	}
	page, i := s.page(slot)
	p, err := s.pool.pin(s, page, i)
	return p, i, err
}

func (s *Store) beyond(slot, n uint32) error {
	return invalid("slot %d of %s, which has %d", slot, s.name, n)
}

// values returns the vector of record i of a pinned page.
func (s *Store) values(p pin, i int) []float32 {
	at := i * s.record / 4
	return p.f.buf[at : at+s.dim : at+s.dim]
}

// checkPinned returns the error of record i of a pinned page, if it is bad.
func (s *Store) checkPinned(p pin, i int, slot uint32) error {
	if reason := p.bad[i]; reason != "" {
		return &CorruptError{File: s.name, Slot: slot, Reason: reason}
	}
	return nil
}

// Pinned is a vector held in memory: its page stays in the pool until Release.
// A goroutine that holds one may not ask any store of the same pool for another
// vector, or all may end up waiting for each other.
type Pinned struct {
	pool *Pool
	f    *frame
	vals []float32
}

// Values returns the vector. It may be read, not written, until Release.
func (p *Pinned) Values() []float32 { return p.vals }

// Release ends the hold. Further calls do nothing.
func (p *Pinned) Release() {
	if p.f != nil {
		p.pool.release(p.f)
		*p = Pinned{}
	}
}

// Pin holds a slot's vector in memory, to read it without a copy. It waits
// while the pool is full of pinned pages. Release it soon.
func (s *Store) Pin(slot uint32) (Pinned, error) {
	p, i, err := s.pinSlot(slot)
	if err != nil {
		return Pinned{}, err
	}
	if err := s.checkPinned(p, i, slot); err != nil {
		s.pool.release(p.f)
		return Pinned{}, err
	}
	return Pinned{pool: s.pool, f: p.f, vals: s.values(p, i)}, nil
}

// Read copies a slot's vector into dst, which has Dim values.
func (s *Store) Read(slot uint32, dst []float32) error {
	if len(dst) != s.dim {
		return invalid("room for %d values, want %d", len(dst), s.dim)
	}
	p, err := s.Pin(slot)
	if err != nil {
		return err
	}
	defer p.Release()
	copy(dst, p.Values())
	return nil
}

// Key returns a slot's content key.
func (s *Store) Key(slot uint32) (Key, error) {
	p, i, err := s.pinSlot(slot)
	if err != nil {
		return Key{}, err
	}
	defer s.pool.release(p.f)
	if err := s.checkPinned(p, i, slot); err != nil {
		return Key{}, err
	}
	return s.key(bytesOf(p.f.buf)[i*s.record:]), nil
}

// dotsBatch is how many vectors Dots measures under the pins it takes at once,
// and dotsAhead how many vectors ahead it has their memory fetched.
const (
	dotsBatch = 64
	dotsAhead = 4
)

// Dots sets dst[i] to how near q, of Dim values, and the vector of slots[i] are
// by the store's metric, see [Metric]; larger is nearer. With Cosine q has unit
// length: then that is the inner product ([vector.Dot]), divided by the length of
// the slot's vector where it need not be 1. dst is as long as slots. Slots in
// order are fastest: those that share a page are measured together. After an error
// dst is undefined.
func (s *Store) Dots(q []float32, slots []uint32, dst []float32) error {
	if len(q) != s.dim || len(dst) != len(slots) {
		return invalid("a query of %d values, want %d; %d results for %d slots", len(q), s.dim, len(dst), len(slots))
	}
	for at := 0; at < len(slots); at += dotsBatch {
		end := min(at+dotsBatch, len(slots))
		if err := s.dots(q, slots[at:end], dst[at:end]); err != nil {
			return err
		}
	}
	return nil
}

// dots does Dots for a batch: first the slots whose pages are in memory, then,
// page by page, the others.
func (s *Store) dots(q []float32, slots []uint32, dst []float32) error {
	n := s.published.Load()
	for _, slot := range slots {
		if slot >= n {
			return s.beyond(slot, n)
		}
	}
	var room [dotsBatch]pinned
	present := s.pool.pinPresent(s, slots, room[:0])
	err := s.dotsPresent(q, slots, dst, present)
	for _, r := range present {
		s.pool.release(r.f)
	}
	for at := 0; at < len(slots) && err == nil; {
		if len(present) > 0 && present[0].from == at {
			at = present[0].to
			present = present[1:]
			continue
		}
		end := len(slots)
		if len(present) > 0 {
			end = present[0].from
		}
		var done int
		done, err = s.dotsOnPage(q, slots[at:end], dst[at:end])
		at += done
	}
	return err
}

// dotsPresent does Dots for the slots of pinned pages.
func (s *Store) dotsPresent(q []float32, slots []uint32, dst []float32, runs []pinned) error {
	fetch := func(runs []pinned) {
		for _, r := range runs {
			_, first := s.page(slots[r.from])
			vector.Prefetch(bytesOf(s.values(r.pin, first)), 0, 4*s.dim, []uint32{0})
		}
	}
	fetch(runs[:min(dotsAhead, len(runs))])
	for i, r := range runs {
		fetch(runs[min(i+dotsAhead, len(runs)):min(i+dotsAhead+1, len(runs))])
		if err := s.dotsPinned(q, slots[r.from:r.to], dst[r.from:r.to], r.pin); err != nil {
			return err
		}
	}
	return nil
}

// dotsPinned does Dots for slots of one pinned page, of which there are at most
// dotsBatch.
func (s *Store) dotsPinned(q []float32, slots []uint32, dst []float32, p pin) error {
	var room [dotsBatch]uint32
	rows := room[:len(slots)]
	for i, slot := range slots {
		_, at := s.page(slot)
		if p.bad != nil {
			if err := s.checkPinned(p, at, slot); err != nil {
				return err
			}
		}
		rows[i] = uint32(at)
	}
	switch {
	case s.cfg.Metric == Euclidean:
		vector.Squares(dst, q, p.f.buf, s.record/4, rows)
		for i, d := range dst {
			dst[i] = d / -2
		}
	case s.cfg.Metric == Cosine && !s.cfg.Normalized:
		vector.Dots(dst, q, p.f.buf, s.record/4, rows)
		for i, at := range rows {
			dst[i] /= length(s.values(p, int(at)))
		}
	default:
		vector.Dots(dst, q, p.f.buf, s.record/4, rows)
	}
	return nil
}

// length returns the length of a vector.
func length(v []float32) float32 { return float32(math.Sqrt(float64(vector.Dot(v, v)))) }

// dotsOnPage does Dots for the first slot and those after it on the same page,
// waiting for it if need be, and returns how many they are.
func (s *Store) dotsOnPage(q []float32, slots []uint32, dst []float32) (int, error) {
	p, i, err := s.pinSlot(slots[0])
	if err != nil {
		return 0, err
	}
	defer s.pool.release(p.f)
	first := slots[0] - uint32(i) // slot of the page's first record
	n := 1
	// A difference is too large, by wrapping, also for slots before the page.
	for n < len(slots) && slots[n]-first < uint32(p.valid) {
		n++
	}
	return n, s.dotsPinned(q, slots[:n], dst[:n], p)
}

// Verify reads the file from the disk, not from the pool, to its end, and checks
// the header, every record, the bytes between them, and the hashes of ranges that
// are kept beside the file. It calls report, if not nil, for each damage found
// with the slot, or [NoSlot], and a [*CorruptError]. Verify returns nil if there
// was none, an [ErrCorrupt] if there was some, and another error if it could not
// go on. Reading and appending go on meanwhile.
func (s *Store) Verify(report func(slot uint32, err error)) error {
	damages := 0
	found := func(slot uint32, reason string) {
		damages++
		if report != nil {
			report(slot, &CorruptError{File: s.name, Slot: slot, Reason: reason})
		}
	}
	n, err := s.verifyEnds(found)
	if err != nil {
		return err
	}
	sums, _, err := s.readRanges(n)
	if err != nil {
		return err
	}
	before := 0 // damages found before the range under way
	sum := s.newSummer(0, func(r int, sum [sha256.Size]byte) {
		// A damaged record explains it.
		if r < len(sums) && sum != sums[r] && damages == before {
			found(NoSlot, fmt.Sprintf("range %d is not what %s says", r, RangesName(s.name)))
		}
		before = damages
	})
	var gone freed
	err = s.scan(0, n, func(first uint32, recs []byte, count int) (bool, error) {
		for i := range count {
			slot, rec := first+uint32(i), recs[s.offset(uint32(i))-headerSize:][:s.record]
			if gone.add(s.codec, slot, rec) {
				continue
			}
			if reason := s.check(slot, rec); reason != "" {
				found(slot, reason)
			}
		}
		page, _ := s.page(first)
		for i, gap := range s.gaps(recs) {
			if !allZero(gap) {
				found(NoSlot, fmt.Sprintf("bytes after the records of page %d are not zero", page+uint32(i)))
			}
		}
		if sum.r < len(sums) {
			sum.write(recs, count)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	s.maps.Lock()
	s.freed = gone
	s.maps.Unlock()
	if damages > 0 {
		return wrap(s.name, fmt.Sprintf("verify: %d damages in %d vectors", damages, n), ErrCorrupt)
	}
	return nil
}

// verifyEnds checks the header and what follows the last record, and returns
// the number of records.
func (s *Store) verifyEnds(found func(uint32, string)) (uint32, error) {
	s.mu.Lock() // an Append under way is not a torn end
	defer s.mu.Unlock()
	if s.closed.Load() {
		return 0, wrap(s.name, "verify", ErrClosed)
	}
	h, err := readHeader(s.reader, s.name)
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		found(NoSlot, corrupt.Reason)
	case errors.Is(err, ErrVersion):
		found(NoSlot, "header: version has changed")
	case err != nil:
		return 0, err
	case h != s.head:
		found(NoSlot, "header: not the one of this file")
	}
	size, err := s.reader.Size()
	if err != nil {
		return 0, wrap(s.name, "size", err)
	}
	n := s.published.Load()
	// A file that grows, and not by this Store, has another process at work on it.
	if end := s.end(n); size > end && !s.readOnly && (s.writer != nil || size == s.opened) {
		found(NoSlot, fmt.Sprintf("%d bytes after the last record", size-end))
	}
	return n, nil
}
