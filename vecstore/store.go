package vecstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

// chunkSize is about how many bytes are read or written at once where a file
// is read or written in order.
const chunkSize = 1 << 20

// Store is one open file of vectors.
type Store struct {
	codec
	fsys vfs.FS
	name string
	cfg  Config
	head header
	pool *Pool

	reader    vfs.File
	readOnly  bool
	id        vfs.FileID    // of the open file
	opened    int64         // the file's size then
	published atomic.Uint32 // slots that readers may see; all of them durable once recovered
	closed    atomic.Bool

	mu        sync.Mutex // one Recover, Append or Close at a time; taken before maps
	writer    vfs.File   // nil until recovered
	writeFail error      // the write or sync that ended appending

	ranges ranges
	life   life
	coder  coder
	frames []*frame // by page, nil for pages not in memory; guarded by Pool.mu

	maps    sync.RWMutex        // guards what follows
	keys    map[Key]uint32      // nil until recovered
	damaged map[uint32]struct{} // slots whose record is known to be bad
	freed   freed
}

// Create makes a new file for vectors of that configuration and opens it, ready
// for appending. The file and its name are durable when Create returns; if it
// fails, or the machine does, there is either no file of that name or a complete
// one, to be opened. An existing file is not touched: the error is then
// [io/fs.ErrExist]. The pool must have room for some pages, see [NewPool].
func Create(fsys vfs.FS, name string, cfg Config, pool *Pool) (*Store, error) {
	cfg = cfg.plain()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h := header{cfg: cfg, pageSize: choosePage(cfg.Dim)}
	if !pool.fits(h.pageSize) {
		return nil, tooSmall(h.pageSize, pool)
	}
	if f, err := fsys.Open(name, vfs.Read); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = errors.Join(fs.ErrExist, f.Close())
		}
		return nil, wrap(name, "create", err)
	}
	// Those of an earlier file of that name must not pass for this one's.
	if err := removeRanges(fsys, name); err != nil {
		return nil, wrap(name, "create", err)
	}
	err := vfs.WriteFile(fsys, name, func(w io.Writer) error {
		_, err := w.Write(h.encode())
		return err
	})
	if err != nil {
		return nil, wrap(name, "create", err)
	}
	s, err := Open(fsys, name, cfg, pool)
	if err != nil {
		return nil, err
	}
	if err := s.Recover(0); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func tooSmall(pageSize int, pool *Pool) error {
	return invalid("pages of %d bytes need a pool of %d bytes at least, it has %d", pageSize, pageSize*minFrames, pool.limit)
}

// Open opens a file for reading: it reads the header and the size, no more.
// Each field of want that is not zero must equal the file's, else Open returns
// [ErrMismatch]. Normalized is compared only if Metric is set, and Name only if
// Domain is. Until Recover, Len counts records that a crash may have left
// unfinished at the end of the file; reading such a one is an error like any
// damage.
func Open(fsys vfs.FS, name string, want Config, pool *Pool) (*Store, error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return nil, wrap(name, "open", err)
	}
	s, err := open(fsys, f, name, want, pool)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func open(fsys vfs.FS, f vfs.File, name string, want Config, pool *Pool) (*Store, error) {
	h, err := readHeader(f, name)
	if err != nil {
		return nil, err
	}
	lay, _ := newLayout(h.cfg.Dim, h.pageSize) // parseHeader has checked it
	if !pool.fits(h.pageSize) {
		return nil, tooSmall(h.pageSize, pool)
	}
	if err := h.cfg.mismatch(name, want.plain()); err != nil {
		return nil, err
	}
	id, _, err := vfs.ID(f)
	if err != nil {
		return nil, wrap(name, "open", err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, wrap(name, "size", err)
	}
	n, ok := lay.records(size)
	if !ok {
		return nil, &CorruptError{File: name, Slot: NoSlot, Reason: "more records than slot numbers"}
	}
	s := &Store{
		codec: newCodec(h, lay), fsys: fsys, name: name, cfg: h.cfg, head: h, pool: pool,
		reader: f, id: id, opened: size, damaged: map[uint32]struct{}{},
	}
	s.published.Store(n)
	return s, nil
}

func readHeader(f vfs.File, name string) (header, error) {
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, wrap(name, "read the header", err)
	}
	return parseHeader(name, b[:n])
}

// mismatch compares the file's configuration with the one asked for.
func (c Config) mismatch(name string, want Config) error {
	differ := func(what string, got, want any) error {
		return fmt.Errorf("vecstore: %s: %w: %s %v, want %v", name, ErrMismatch, what, got, want)
	}
	switch {
	case want.Domain != "" && c.Domain != want.Domain:
		return differ("domain", c.Domain, want.Domain)
	case want.Domain != "" && c.Name != want.Name:
		return differ("name", c.Name, want.Name)
	case want.Fingerprint != "" && c.Fingerprint != want.Fingerprint:
		return differ("fingerprint", c.Fingerprint, want.Fingerprint)
	case want.Dim != 0 && c.Dim != want.Dim:
		return differ("dimension", c.Dim, want.Dim)
	case want.Metric != 0 && c.Metric != want.Metric:
		return differ("metric", c.Metric, want.Metric)
	case want.Metric != 0 && c.Normalized != want.Normalized:
		return differ("unit length", c.Normalized, want.Normalized)
	}
	return nil
}

// Config returns what Create was given.
func (s *Store) Config() Config { return s.cfg }

// Dim returns the number of values of a vector.
func (s *Store) Dim() int { return s.cfg.Dim }

// Euclidean reports whether the store's metric is [Euclidean].
func (s *Store) Euclidean() bool { return s.cfg.Metric == Euclidean }

// Len returns the number of slots; they are 0 to Len−1.
func (s *Store) Len() uint32 { return s.published.Load() }

// Recover makes an opened store ready for Lookup and Append; on a recovered one
// it does nothing. floor is one more than the highest slot that any commit
// refers to, 0 for none.
//
// It reads the file to its end and checks every record. Bad records below floor
// stay where they are and are remembered, see [Store.Damaged]; those that were
// freed are none ([Store.Free]). Slots below floor
// that the file has lost become as many bad records, so that their numbers are
// never given to other vectors. No commit refers to slots from floor on, so there
// the file is cut at the first bad record. The good records from floor on may
// never have reached the disk (the process was killed before its sync, or the sync
// failed): they are written again and synced.
//
// The caller must not read slots from floor on meanwhile. After an error Recover
// may be called again.
func (s *Store) Recover(floor uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load() || s.life.isRetired():
		return wrap(s.name, "recover", ErrClosed)
	case s.readOnly:
		return invalid("recover %s, which is open for reading only", s.name)
	case s.writer != nil:
		return nil
	}
	w, err := s.fsys.Open(s.name, vfs.ReadWrite)
	if err != nil {
		return wrap(s.name, "recover", err)
	}
	err = s.recover(w, floor)
	if err == nil {
		// Create, or a process killed in it, has left this to us.
		err = s.fsys.SyncDir()
	}
	if err != nil {
		return errors.Join(err, w.Close())
	}
	s.writer = w
	return nil
}

func (s *Store) recover(w vfs.File, floor uint32) error {
	size, err := w.Size()
	if err != nil {
		return wrap(s.name, "recover: size", err)
	}
	n, ok := s.records(size)
	if !ok {
		return &CorruptError{File: s.name, Slot: NoSlot, Reason: "more records than slot numbers"}
	}
	// The hint spares the map some growing; a size from outside buys no memory.
	keys := make(map[Key]uint32, min(n, 1<<16))
	damaged := map[uint32]struct{}{}
	var gone freed
	rewritten := false
	err = s.scan(0, n, func(first uint32, recs []byte, count int) (bool, error) {
		good := count
		for i := range count {
			slot, rec := first+uint32(i), recs[s.offset(uint32(i))-headerSize:]
			switch {
			case gone.add(s.codec, slot, rec[:s.record]):
				continue
			case s.check(slot, rec[:s.record]) == "":
				if _, known := keys[s.key(rec)]; !known {
					keys[s.key(rec)] = slot
				}
				continue
			case slot < floor:
				damaged[slot] = struct{}{}
				continue
			}
			good, n = i, slot
			break
		}
		if last := first + uint32(good); good > 0 && last > floor {
			if good < count {
				recs = recs[:s.end(uint32(good))-headerSize]
			}
			for _, gap := range s.gaps(recs) {
				clear(gap)
			}
			from := max(first, floor)
			recs = recs[s.offset(from-first)-headerSize:]
			if _, err := w.WriteAt(recs, s.offset(from)); err != nil {
				return false, wrap(s.name, "recover: write", err)
			}
			rewritten = true
		}
		return good == count, nil
	})
	if err != nil {
		return err
	}
	if err := s.cutRanges(n); err != nil {
		return wrap(s.name, "recover: ranges", err)
	}
	for ; n < floor; n++ {
		if !gone.has(n) {
			damaged[n] = struct{}{}
		}
	}
	if end := s.end(n); size != end {
		if err := w.Truncate(end); err != nil {
			return wrap(s.name, "recover: truncate", err)
		}
		rewritten = true
	}
	if rewritten {
		if err := w.Sync(); err != nil {
			return wrap(s.name, "recover: sync", err)
		}
	}

	if s.published.Load() != n {
		// Pages read before may hold what was cut off.
		s.published.Store(n)
		page, _ := s.page(n)
		s.pool.dropFrom(s, page)
	}
	s.maps.Lock()
	defer s.maps.Unlock()
	s.keys, s.damaged, s.freed = keys, damaged, gone
	return nil
}

// scan reads the records from slot from, the first of a page, up to slot n in
// order and hands them to fn in chunks of full pages: the first slot, the bytes
// from the start of its page on (up to the next chunk, zeros where the file has
// ended), and the number of records. fn may change the bytes, but not keep them.
// It ends the scan with false or an error.
func (s *Store) scan(from, n uint32, fn func(first uint32, recs []byte, count int) (bool, error)) error {
	pages := max(chunkSize/s.pageSize, 1)
	step := uint32(pages * s.perPage)
	buf := make([]byte, min(int64(pages*s.pageSize), max(s.end(n)-s.offset(from), 0)))
	for first := from; first < n; {
		count := min(step, n-first)
		b := buf[:min(int64(len(buf)), s.end(n)-s.offset(first))]
		if err := s.readRecords(b, first, first+count-1); err != nil {
			return err
		}
		if more, err := fn(first, b, int(count)); err != nil || !more {
			return err
		}
		first += count
	}
	return nil
}

// readRecords fills b from the first record on, which reaches to the last one or
// beyond; with zeros where the file ends.
func (s *Store) readRecords(b []byte, first, last uint32) error {
	n, err := s.reader.ReadAt(b, s.offset(first))
	if n < len(b) && err != nil && !errors.Is(err, io.EOF) {
		return wrap(s.name, fmt.Sprintf("read slots %d to %d", first, last), err)
	}
	clear(b[n:])
	return nil
}

// gaps returns the bytes after the last record of each page in a chunk.
func (s *Store) gaps(chunk []byte) [][]byte {
	var gaps [][]byte
	for ; len(chunk) >= s.pageSize; chunk = chunk[s.pageSize:] {
		gaps = append(gaps, chunk[s.perPage*s.record:s.pageSize])
	}
	return gaps
}

// Lookup returns the slot of a key's vector. Slots known to be damaged are not
// found, so that their text is embedded again. Before Recover nothing is found.
func (s *Store) Lookup(k Key) (slot uint32, ok bool) {
	s.maps.RLock()
	defer s.maps.RUnlock()
	return s.lookup(k)
}

// lookup is Lookup with maps held.
func (s *Store) lookup(k Key) (uint32, bool) {
	slot, ok := s.keys[k]
	if _, bad := s.damaged[slot]; !ok || bad {
		return 0, false
	}
	return slot, true
}

// Damaged returns, in order, the slots whose records are known to be bad:
// those that Recover found below its floor, and those met since by reading.
func (s *Store) Damaged() []uint32 {
	s.maps.RLock()
	defer s.maps.RUnlock()
	return slices.Sorted(maps.Keys(s.damaged))
}

// Append stores vectors under their keys and returns one slot per key, in
// order. A key that is known, or comes twice, answers with its first slot and
// is not stored again; the others get the next slots in order. Everything
// returned is durable. A wrong number of values, one that is not finite, or a
// length that the store does not take (in a normalized one, any that is not 1
// within a thousandth) is [ErrInvalid] and nothing is stored. The vectors are
// not kept.
func (s *Store) Append(keys []Key, vecs [][]float32) ([]uint32, error) {
	if len(keys) != len(vecs) {
		return nil, invalid("%d keys for %d vectors", len(keys), len(vecs))
	}
	for i, v := range vecs {
		if err := s.cfg.Check(v); err != nil {
			return nil, fmt.Errorf("%w (vector %d of %d)", err, i, len(vecs))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load() || s.life.isRetired():
		return nil, wrap(s.name, "append", ErrClosed)
	case s.writer == nil:
		return nil, invalid("append to %s before Recover", s.name)
	case s.writeFail != nil:
		return nil, wrap(s.name, "append", fmt.Errorf("%w: %w", ErrFailed, s.writeFail))
	}

	slots := make([]uint32, len(keys))
	old := s.published.Load()
	var added []int // indexes of the keys that get new slots
	fresh := map[Key]uint32{}
	s.maps.RLock()
	for i, k := range keys {
		slot, ok := s.lookup(k)
		if !ok {
			slot, ok = fresh[k]
		}
		if !ok {
			slot = old + uint32(len(added))
			fresh[k] = slot
			added = append(added, i)
		}
		slots[i] = slot
	}
	s.maps.RUnlock()
	if len(added) == 0 {
		return slots, nil
	}
	if uint64(old)+uint64(len(added)) >= NoSlot {
		return nil, wrap(s.name, "append", errors.New("no slot numbers left"))
	}

	if err := s.write(old, added, keys, vecs); err != nil {
		s.writeFail = err
		return nil, wrap(s.name, "append", err)
	}
	s.published.Store(old + uint32(len(added)))
	s.maps.Lock()
	maps.Copy(s.keys, fresh)
	s.maps.Unlock()
	s.closeRanges(old)
	return slots, nil
}

// write puts records behind the first n, and syncs.
func (s *Store) write(n uint32, added []int, keys []Key, vecs [][]float32) error {
	var buf []byte
	start := s.end(n) // of buf in the file
	for j, i := range added {
		slot := n + uint32(j)
		// Zeros to the start of a page, if the record begins one.
		buf = append(buf, make([]byte, s.offset(slot)-start-int64(len(buf)))...)
		buf = s.appendRecord(buf, slot, keys[i], vecs[i])
		if len(buf) >= chunkSize || j == len(added)-1 {
			if _, err := s.writer.WriteAt(buf, start); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			start, buf = start+int64(len(buf)), buf[:0]
		}
	}
	if err := s.writer.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// Check returns, as an [ErrInvalid], why a vector cannot be stored.
func (c Config) Check(v []float32) error {
	if len(v) != c.Dim {
		return invalid("a vector of %d values, want %d", len(v), c.Dim)
	}
	var norm float64 // squared; not finite if a value is not
	for _, x := range v {
		norm += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(norm) || math.IsInf(norm, 0):
		return invalid("a vector with a value that is not finite")
	case c.Normalized && math.Abs(math.Sqrt(norm)-1) > 1e-3:
		return invalid("a vector of length %.4g, want 1", math.Sqrt(norm))
	case !c.Normalized && norm > MaxLength*MaxLength:
		return invalid("a vector of length %.4g, want up to %g", math.Sqrt(norm), MaxLength)
	case !c.Normalized && c.Metric == Cosine && norm < MinLength*MinLength:
		return invalid("a vector of length %.4g, which has no direction", math.Sqrt(norm))
	}
	return nil
}

// Close waits for a running Append and closes the file. Vectors that are still
// pinned stay valid until their release; reads that are running may fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Swap(true) {
		return wrap(s.name, "close", ErrClosed)
	}
	s.pool.dropFrom(s, 0)
	err := s.reader.Close()
	if s.writer != nil {
		err = errors.Join(err, s.writer.Close())
	}
	if err != nil {
		return wrap(s.name, "close", err)
	}
	return nil
}
