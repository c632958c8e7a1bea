package vecstore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"io/fs"
	"sync"

	"github.com/vectorlink/vectorlink/vfs"
)

// The numbers of FORMAT.md, "Ranges".
const (
	rangesMagic   = "\x89VLRNGS\n"
	rangesVersion = 1

	rangesHeader = 64
	offRangeSize = 12
	offRangesOf  = 16
	offRangesCRC = rangesHeader - 4
	rangeEntry   = 40
	offRangeSum  = 4
	offRangeCRC  = rangeEntry - 4
)

// rangeBytes is about the size of a range. Tests make it small.
var rangeBytes = 4 << 20

// maxCatchUp is how many ranges Append closes at once: its own, and a few that
// an earlier one could not. A file that lacks more is left to Ranges.
const maxCatchUp = 8

// Range is a closed stretch of a file of vectors: full pages with all of their
// records, whose bytes change only if vectors are freed. First and Sum name it.
type Range struct {
	First  uint32 // slot
	Slots  uint32
	Offset int64 // of its bytes in the file
	Size   int64 // bytes
	Sum    [sha256.Size]byte
}

// ranges is what a Store knows of its closed ranges.
type ranges struct {
	mu     sync.Mutex
	loaded bool
	intact bool // the file of ranges can be appended to
	sums   [][sha256.Size]byte
	stored int // of sums, those in the file
}

// rangePages returns the pages of a range.
func (l layout) rangePages() int { return max(rangeBytes/l.pageSize, 1) }

// rangeSlots returns the slots of a range.
func (l layout) rangeSlots() uint32 { return uint32(l.rangePages() * l.perPage) }

// closedRanges returns how many closed ranges a file of n records has.
func (l layout) closedRanges(n uint32) int { return int(n / l.rangeSlots()) }

func (s *Store) rangeOf(r int, sum [sha256.Size]byte) Range {
	first := uint32(r) * s.rangeSlots()
	return Range{First: first, Slots: s.rangeSlots(), Offset: s.offset(first), Size: int64(s.rangePages() * s.pageSize), Sum: sum}
}

// Ranges returns the closed ranges in order. It computes the hashes that are not
// known yet, which reads their ranges, and keeps them in a file of their own
// beside the vectors; a store of OpenRead keeps them in memory. The store must be
// recovered, or refreshed.
func (s *Store) Ranges() ([]Range, error) {
	s.mu.Lock()
	ready := s.readOnly || s.writer != nil
	s.mu.Unlock()
	switch {
	case s.closed.Load():
		return nil, wrap(s.name, "ranges", ErrClosed)
	case !ready:
		return nil, invalid("ranges of %s before Recover", s.name)
	}
	s.ranges.mu.Lock()
	defer s.ranges.mu.Unlock()
	if err := s.updateRanges(); err != nil {
		return nil, err
	}
	list := make([]Range, len(s.ranges.sums))
	for r, sum := range s.ranges.sums {
		list[r] = s.rangeOf(r, sum)
	}
	return list, nil
}

// closeRanges is called by Append with the number of slots before. It returns no
// error: the vectors are stored, and missing hashes are computed by the next call
// or by Ranges.
func (s *Store) closeRanges(before uint32) {
	if s.closedRanges(before) == s.closedRanges(s.published.Load()) || !s.ranges.mu.TryLock() {
		return
	}
	defer s.ranges.mu.Unlock()
	if s.loadRanges() == nil && s.closedRanges(s.published.Load())-len(s.ranges.sums) <= maxCatchUp {
		_ = s.updateRanges()
	}
}

// updateRanges brings the ranges up to what is published. Called with ranges.mu
// held.
func (s *Store) updateRanges() error {
	if err := s.loadRanges(); err != nil {
		return err
	}
	rs := &s.ranges
	from := len(rs.sums)
	sum := s.newSummer(from, func(_ int, sum [sha256.Size]byte) { rs.sums = append(rs.sums, sum) })
	end := uint32(s.closedRanges(s.published.Load())) * s.rangeSlots()
	err := s.scan(uint32(from)*s.rangeSlots(), end, func(_ uint32, recs []byte, count int) (bool, error) {
		sum.write(recs, count)
		return true, nil
	})
	if err != nil {
		return err
	}
	if s.readOnly || rs.stored == len(rs.sums) {
		return nil
	}
	if err := s.storeRanges(); err != nil {
		return wrap(s.name, "write the ranges", err)
	}
	return nil
}

// summer hashes ranges as their pages come.
type summer struct {
	s    *Store
	h    hash.Hash
	r    int // the range under way
	page int // of it, how many pages are in h
	emit func(r int, sum [sha256.Size]byte)
}

// newSummer returns a summer whose first bytes are those of range r.
func (s *Store) newSummer(r int, emit func(int, [sha256.Size]byte)) *summer {
	return &summer{s: s, h: sha256.New(), r: r, emit: emit}
}

// write takes a chunk of [Store.scan]. A page that lacks records is not hashed;
// none follows it. One that lacks what is after its last record ends the file,
// which stops there, as if zeros did follow.
func (m *summer) write(chunk []byte, records int) {
	for ; records >= m.s.perPage; records -= m.s.perPage {
		n := min(m.s.pageSize, len(chunk))
		m.h.Write(chunk[:n])
		m.h.Write(make([]byte, m.s.pageSize-n))
		chunk = chunk[n:]
		if m.page++; m.page == m.s.rangePages() {
			m.emit(m.r, [sha256.Size]byte(m.h.Sum(nil)))
			m.h.Reset()
			m.r, m.page = m.r+1, 0
		}
	}
}

// rangesHead returns the first bytes of the file of ranges.
func (s *Store) rangesHead() []byte {
	b := make([]byte, rangesHeader)
	copy(b, rangesMagic)
	le := binary.LittleEndian
	le.PutUint32(b[offVersion:], rangesVersion)
	le.PutUint32(b[offRangeSize:], uint32(s.rangePages()*s.pageSize))
	copy(b[offRangesOf:], s.identity[:])
	le.PutUint32(b[offRangesCRC:], vfs.Checksum(0, b[:offRangesCRC]))
	return b
}

// appendRange appends the entry of a range to b.
func (s *Store) appendRange(b []byte, r int, sum [sha256.Size]byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(r)*s.rangeSlots())
	b = append(b, sum[:]...)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(s.seed, b[start:]))
}

// loadRanges reads the file of ranges, once. Called with ranges.mu held.
func (s *Store) loadRanges() error {
	if s.ranges.loaded {
		return nil
	}
	sums, intact, err := s.readRanges(s.published.Load())
	if err != nil {
		return err
	}
	s.ranges.loaded, s.ranges.intact, s.ranges.sums, s.ranges.stored = true, intact, sums, len(sums)
	return nil
}

// readRanges returns the hashes that the file of ranges has for the first n
// slots, up to the first entry that is not what it should be, and whether more
// can be written behind them. A file that is missing, damaged, of another
// version or of another file of vectors has none.
func (s *Store) readRanges(n uint32) (sums [][sha256.Size]byte, intact bool, err error) {
	f, err := s.fsys.Open(RangesName(s.name), vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, wrap(s.name, "read the ranges", err)
	}
	defer func() {
		if closeErr := f.Close(); closeErr != nil {
			err = errors.Join(err, wrap(s.name, "read the ranges", closeErr))
		}
	}()
	head := make([]byte, rangesHeader)
	if err := vfs.ReadFull(f, head, 0); errors.Is(err, io.ErrUnexpectedEOF) || err == nil && !bytes.Equal(head, s.rangesHead()) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, wrap(s.name, "read the ranges", err)
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, rangesHeader, int64(s.closedRanges(n))*rangeEntry), 64<<10)
	entry := make([]byte, rangeEntry)
	for len(sums) < s.closedRanges(n) {
		if _, err := io.ReadFull(r, entry); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return nil, false, wrap(s.name, "read the ranges", err)
		}
		sum := [sha256.Size]byte(entry[offRangeSum:])
		if !bytes.Equal(entry, s.appendRange(nil, len(sums), sum)) {
			break
		}
		sums = append(sums, sum)
	}
	return sums, true, nil
}

// storeRanges writes the entries that the file of ranges lacks. They are not
// synced: those that a crash loses are rebuilt. Called with ranges.mu held.
func (s *Store) storeRanges() error {
	rs := &s.ranges
	if !rs.intact {
		err := vfs.WriteFile(s.fsys, RangesName(s.name), func(w io.Writer) error {
			b := s.rangesHead()
			for r, sum := range rs.sums {
				b = s.appendRange(b, r, sum)
			}
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return err
		}
		rs.intact, rs.stored = true, len(rs.sums)
		return nil
	}
	var entries []byte
	for r := rs.stored; r < len(rs.sums); r++ {
		entries = s.appendRange(entries, r, rs.sums[r])
	}
	f, err := s.fsys.Open(RangesName(s.name), vfs.ReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		rs.intact = false // removed by hand
		return s.storeRanges()
	}
	if err != nil {
		return err
	}
	end := int64(rangesHeader + rs.stored*rangeEntry)
	err = f.Truncate(end) // of what was not an entry
	if err == nil {
		_, err = f.WriteAt(entries, end)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	rs.stored = len(rs.sums)
	return nil
}

// cutRanges removes the file of ranges if it speaks of more than the first n
// slots: others may be given to other vectors now. Durably, before they are.
func (s *Store) cutRanges(n uint32) error {
	f, err := s.fsys.Open(RangesName(s.name), vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if size <= rangesHeader+int64(s.closedRanges(n))*rangeEntry {
		return nil
	}
	return removeRanges(s.fsys, s.name)
}

// removeRanges removes the file of ranges beside the named file of vectors, if
// there is one, durably.
func removeRanges(fsys vfs.FS, name string) error {
	err := fsys.Remove(RangesName(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, fsys.SyncDir())
}

// Remove removes a file of vectors and what stands beside it. A file that is not
// there is [fs.ErrNotExist]. Stores that have it open go on reading. It is
// durable after [vfs.FS.SyncDir].
func Remove(fsys vfs.FS, name string) error {
	err := removeRanges(fsys, name)
	if err == nil {
		err = fsys.Remove(name)
	}
	if err != nil {
		return wrap(name, "remove", err)
	}
	return nil
}
