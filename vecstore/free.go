package vecstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sort"

	"github.com/vectorlink/vectorlink/vfs"
)

// freedKey begins the key of a record that stands for freed pages, see FORMAT.md.
// The number of their slots follows.
const freedKey = "vectorlink: freed vectors   "

// freedShare: a file is written again if at least this part of it comes free.
const freedShare = 32

// Freed is what a Free has freed, or would.
type Freed struct {
	Vectors int
	Bytes   int64 // on the disk
}

// span is a stretch of slots.
type span struct{ first, slots uint32 }

// freed holds the slots of a file that were freed, in order.
type freed []span

// end returns the slot behind the last span.
func (f freed) end() uint32 {
	if len(f) == 0 {
		return 0
	}
	return f[len(f)-1].first + f[len(f)-1].slots
}

// has reports whether a slot was freed.
func (f freed) has(slot uint32) bool {
	i := sort.Search(len(f), func(i int) bool { return f[i].first > slot })
	return i > 0 && slot-f[i-1].first < f[i-1].slots
}

// add takes the record of a slot, and reports whether the slot was freed. Records
// come in order.
func (f *freed) add(c codec, slot uint32, rec []byte) bool {
	if slot < f.end() {
		return true
	}
	n := c.freedAt(slot, rec)
	if n > 0 {
		*f = append(*f, span{slot, n})
	}
	return n > 0
}

// freedAt returns how many slots from this one on were freed, by what the record
// says; 0 for that of a vector.
func (c codec) freedAt(slot uint32, rec []byte) uint32 {
	k := c.key(rec)
	if string(k[:len(freedKey)]) != freedKey || c.stored(rec) != c.sum(slot, rec) {
		return 0
	}
	return min(binary.LittleEndian.Uint32(k[len(freedKey):]), NoSlot-slot)
}

// appendFreed appends the record that stands for the slots of a span to b.
func (c codec) appendFreed(b []byte, sp span) []byte {
	var k Key
	copy(k[:], freedKey)
	binary.LittleEndian.PutUint32(k[len(freedKey):], sp.slots)
	return c.appendRecord(b, sp.first, k, make([]float32, c.dim))
}

// IsFreed reports whether the slot's vector was freed, as far as Recover or Verify
// has come to know it: nothing may refer to it.
func (s *Store) IsFreed(slot uint32) bool {
	s.maps.RLock()
	defer s.maps.RUnlock()
	return s.freed.has(slot)
}

// Freed returns how many slots IsFreed reports.
func (s *Store) Freed() int {
	s.maps.RLock()
	defer s.maps.RUnlock()
	n := 0
	for _, sp := range s.freed {
		n += int(sp.slots)
	}
	return n
}

// Free gives the disk back what vectors take that are not used: those of whole
// pages below end. Slots keep their numbers, and freed ones are not given again. The
// file is written again, with holes, under a temporary name, synced and renamed, and
// needs a file system that keeps holes to become smaller; nothing is written where it
// would hardly do so, or with dry. Stores that have the file open go on reading the
// old one, this one too; the caller sees to it that none appends. It is durable when
// it returns; after a crash before that the file is the old one or the new one.
func (s *Store) Free(end uint32, used func(slot uint32) bool, dry bool) (Freed, error) {
	spans, sum, err := s.freeable(min(end, s.published.Load()), used)
	if err != nil || dry || sum.Bytes == 0 {
		return sum, err
	}
	temp, err := s.writeFreed(spans)
	if err != nil {
		return Freed{}, wrap(s.name, "free", err)
	}
	// Hashes of ranges are those of the old file.
	err = removeRanges(s.fsys, s.name)
	if err == nil {
		err = s.fsys.Rename(temp, s.name)
	}
	if err != nil {
		return Freed{}, wrap(s.name, "free", errors.Join(err, s.fsys.Remove(temp)))
	}
	if err := s.fsys.SyncDir(); err != nil {
		return Freed{}, wrap(s.name, "free", err)
	}
	return sum, nil
}

// freeable returns the spans of whole pages below end whose slots are not used and
// not freed yet, if they are worth it.
func (s *Store) freeable(end uint32, used func(slot uint32) bool) (spans []span, sum Freed, err error) {
	per := uint32(s.perPage)
	rec := make([]byte, s.record)
	for first := uint32(0); first+per <= end; first += per {
		if s.anyUsed(first, used) {
			continue
		}
		if err := s.readRecords(rec, first, first); err != nil {
			return nil, Freed{}, err
		}
		if n := min(s.freedAt(first, rec), end-first) / per; n > 0 {
			first += (n - 1) * per
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].first+spans[n-1].slots == first {
			spans[n-1].slots += per
		} else {
			spans = append(spans, span{first, per})
		}
	}
	head := int64(roundUp(s.record, pageAlign)) // stays, of a span
	kept := spans[:0]
	for _, sp := range spans {
		if n := int64(sp.slots/per)*int64(s.pageSize) - head; n > 0 {
			kept = append(kept, sp)
			sum.Vectors += int(sp.slots)
			sum.Bytes += n
		}
	}
	if sum.Bytes*freedShare < s.end(s.published.Load()) {
		return nil, Freed{}, nil
	}
	return kept, sum, nil
}

// anyUsed reports whether a slot of the page that begins with first is used.
func (s *Store) anyUsed(first uint32, used func(slot uint32) bool) bool {
	for i := range uint32(s.perPage) {
		if used(first + i) {
			return true
		}
	}
	return false
}

// writeFreed writes the file without the vectors of the spans under a temporary
// name, which it returns, and syncs it.
func (s *Store) writeFreed(spans []span) (temp string, err error) {
	size, err := s.reader.Size()
	if err != nil {
		return "", err
	}
	temp = vfs.TempName(s.name)
	f, err := s.fsys.Open(temp, vfs.Create)
	if err != nil {
		return "", err
	}
	rest := spans
	err = copyHoles(f, s.reader, size, func(at int64, b []byte) {
		end := at + int64(len(b))
		for len(rest) > 0 && s.offset(rest[0].first) < end {
			to := s.offset(rest[0].first + rest[0].slots)
			clear(b[max(s.offset(rest[0].first), at)-at : min(to, end)-at])
			if to > end {
				break
			}
			rest = rest[1:]
		}
	})
	for i := 0; i < len(spans) && err == nil; i++ {
		_, err = f.WriteAt(s.appendFreed(nil, spans[i]), s.offset(spans[i].first))
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, s.fsys.Remove(temp))
	}
	return temp, nil
}

// copyHoles copies size bytes, after change has altered them, and does not write
// blocks of zeros.
func copyHoles(w io.WriterAt, r io.ReaderAt, size int64, change func(at int64, b []byte)) error {
	buf, zero := make([]byte, chunkSize), make([]byte, pageAlign)
	isZero := func(b []byte) bool { return bytes.Equal(b, zero[:len(b)]) }
	for at := int64(0); at < size; at += chunkSize {
		b := buf[:min(chunkSize, size-at)]
		if err := vfs.ReadFull(r, b, at); err != nil {
			return err
		}
		change(at, b)
		for from := 0; from < len(b); {
			to := min(from+pageAlign, len(b))
			if isZero(b[from:to]) {
				from = to
				continue
			}
			for to < len(b) && !isZero(b[to:min(to+pageAlign, len(b))]) {
				to = min(to+pageAlign, len(b))
			}
			if _, err := w.WriteAt(b[from:to], at+int64(from)); err != nil {
				return err
			}
			from = to
		}
	}
	return nil
}
