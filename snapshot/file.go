package snapshot

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

// File is an open commit file. It is immutable and counted: see the package
// comment.
type File struct {
	name       string
	layout     layout
	header     Header
	f          vfs.File // nil where src has all of it
	src        io.ReaderAt
	entries    []Entry      // ascending by key
	others     []chunkTable // of the vectors beside the main ones
	removed    []Key        // ascending
	skipped    []Key        // ascending
	refs       []ref        // by slot, then entry, then chunk
	slots      bitset       // of entries' chunks
	shared     bitset       // those of several chunks
	unreadable bitset       // those of texts that the model cannot read
	chunks     uint32       // of all entries
	memory     int64
	texts      *blocks // nil where all texts are empty
	graphs     []row   // by vectors; typ 0: none

	users  atomic.Int64 // references to f
	closed atomic.Bool  // the opener's is gone
}

// ref says that an entry's chunk uses a slot.
type ref struct{ slot, entry, chunk uint32 }

// Open opens the named commit file. It reads and checks the entries; texts and
// graphs are checked when they are read. A small file is read whole, and its
// descriptor is not kept. Close it.
func Open(fsys vfs.FS, name string) (*File, error) {
	vf, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return nil, fmt.Errorf("snapshot: read %s: %w", name, err)
	}
	f := &File{name: name, f: vf}
	f.users.Store(1)
	if err := f.load(); err != nil {
		return nil, errors.Join(err, vf.Close())
	}
	if f.layout.memory > 0 {
		f.f = nil
		if err := vf.Close(); err != nil {
			return nil, fmt.Errorf("snapshot: read %s: %w", name, err)
		}
	}
	return f, nil
}

// load reads all but texts and graphs.
func (f *File) load() error {
	l, err := readLayout(f.f, f.name, smallFile)
	if err != nil {
		return at(f.name, "header", err)
	}
	f.layout, f.header, f.src = l, l.header, l.src
	t := newTable(&l.header)
	for _, r := range l.rows {
		if !r.known() && !l.legacy {
			continue
		}
		if err := l.read(t, r); err != nil {
			return at(f.name, r.name(&l.header), err)
		}
	}
	f.texts, f.entries, f.removed, f.skipped, f.graphs = t.texts, t.entries, t.removed, t.skipped, t.graphs
	f.unreadable = t.unreadable
	f.others, f.chunks = t.chunks[1:], t.chunks[0].count
	if err := f.index(t); err != nil {
		return at(f.name, "entries", err)
	}
	return nil
}

// index makes what is found by slot, and checks the counts.
func (f *File) index(t *table) error {
	f.memory = int64(cap(f.entries))*entrySize + f.layout.memory + int64(len(t.fields))
	for i := range f.entries {
		f.entries[i].file, f.entries[i].place = f, uint32(i)
		f.memory += int64(len(f.entries[i].ID))
		if f.layout.legacy {
			f.memory += int64(len(f.entries[i].Fields))
		}
	}
	f.sortRefs(int(f.chunks))
	if f.header.Kind == Checkpoint {
		for i := range t.chunks {
			if want := f.header.vectors(i).Chunks; want != t.chunks[i].count {
				return badf("%d chunks, the header counts %d", t.chunks[i].count, want)
			}
		}
	}
	for _, k := range f.removed {
		if f.find(k) >= 0 {
			return badf("id %q is both changed and removed", k.ID)
		}
	}
	f.memory += int64(f.chunks)*(20+12) + f.slots.bytes() + f.shared.bytes() + f.unreadable.bytes()
	for _, c := range f.others {
		f.memory += int64(c.count)*20 + int64(len(c.chunks))*24
	}
	for _, keys := range [][]Key{f.removed, f.skipped} {
		for _, k := range keys {
			f.memory += 24 + int64(len(k.ID))
		}
	}
	if f.texts != nil {
		f.memory += int64(len(f.texts.rows))*16 + int64(min(len(f.texts.rows), cacheBlocks))*blockSize
	}
	return nil
}

// sortRefs makes the refs of the n chunks. They are gathered in the order of
// entries and chunks, and sorted by slot without changing that order.
func (f *File) sortRefs(n int) {
	if n == 0 {
		return
	}
	refs := make([]ref, 0, n)
	for i := range f.entries {
		for j := range f.entries[i].Chunks {
			refs = append(refs, ref{f.entries[i].Chunks[j].Slot, uint32(i), uint32(j)})
		}
	}
	f.refs = sortBySlot(refs, func(r ref) uint32 { return r.slot })
	for i, r := range f.refs {
		if i > 0 && f.refs[i-1].slot == r.slot {
			f.shared.set(r.slot, true, nil)
		} else {
			f.slots.set(r.slot, true, nil)
		}
	}
}

// sortBySlot sorts by slot and keeps the order of equal ones: a radix sort, a
// fifth of the time of one that compares.
func sortBySlot[T any](list []T, slot func(T) uint32) []T {
	const digit = 11
	high, sorted := uint32(0), true
	for i := range list {
		high |= slot(list[i])
		sorted = sorted && (i == 0 || slot(list[i-1]) <= slot(list[i]))
	}
	if sorted {
		return list
	}
	if len(list) < 256 {
		slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(slot(a), slot(b)) })
		return list
	}
	other := make([]T, len(list))
	for shift := uint(0); shift < 32 && high>>shift > 0; shift += digit {
		var starts [1 << digit]int
		for i := range list {
			starts[slot(list[i])>>shift%(1<<digit)]++
		}
		at := 0
		for d, n := range starts {
			starts[d] = at
			at += n
		}
		for i := range list {
			d := slot(list[i]) >> shift % (1 << digit)
			other[starts[d]] = list[i]
			starts[d]++
		}
		list, other = other, list
	}
	return list
}

// entrySize is about what an Entry takes without what it points to.
const entrySize = 144

// find returns the index of the entry of that key, or -1.
func (f *File) find(k Key) int {
	i := sort.Search(len(f.entries), func(i int) bool { return compareKeys(f.entries[i].ID, f.entries[i].Int, k.ID, k.Int) >= 0 })
	if i < len(f.entries) && f.entries[i].Key() == k {
		return i
	}
	return -1
}

// lists reports whether the file says something of the key: that its document
// is what e says, or, where e is nil, that it is removed.
func (f *File) lists(k Key) (e *Entry, listed bool) {
	if i := f.find(k); i >= 0 {
		return &f.entries[i], true
	}
	_, removed := slices.BinarySearchFunc(f.removed, k, Key.Compare)
	return nil, removed
}

// holders returns the entries' chunks that use the slot.
func (f *File) holders(slot uint32) []ref {
	lo := sort.Search(len(f.refs), func(i int) bool { return f.refs[i].slot >= slot })
	hi := lo
	for hi < len(f.refs) && f.refs[hi].slot == slot {
		hi++
	}
	return f.refs[lo:hi]
}

// Header returns the file's header.
func (f *File) Header() Header { return f.header }

// Name returns the file's name.
func (f *File) Name() string { return f.name }

// Size returns the file's size in bytes.
func (f *File) Size() int64 { return f.layout.size }

// Info returns what List says of the file.
func (f *File) Info() Info { return f.layout.info() }

// Bytes returns about how many bytes of memory the open file takes.
func (f *File) Bytes() int64 { return f.memory }

// Entries returns the entries that the file lists, ascending by key: all of a
// checkpoint, those changed by a delta. The slice is shared.
func (f *File) Entries() []Entry { return f.entries }

// Removed returns the keys that a delta removes, ascending. The slice is shared.
func (f *File) Removed() []Key { return f.removed }

// Skipped returns the keys of documents that could not be taken, ascending. The
// slice is shared.
func (f *File) Skipped() []Key { return f.skipped }

// Text reads the text of one of the file's entries.
func (f *File) Text(e *Entry) (string, error) {
	if e.file != f {
		return "", fmt.Errorf("snapshot: entry %q is not of %s", e.ID, f.name)
	}
	return f.text(e)
}

// Graph reads the graph over the main vectors and checks it; nil if there is
// none. The caller owns the bytes. A damaged graph harms nothing else: it can be
// built again from the vectors.
func (f *File) Graph() ([]byte, error) { return f.graph(0) }

// GraphOf is Graph for the vectors of that name.
func (f *File) GraphOf(name string) ([]byte, error) {
	if name == MainVectors {
		return f.graph(0)
	}
	i := f.header.other(name)
	if i < 0 {
		return nil, nil
	}
	return f.graph(i + 1)
}

func (f *File) graph(space int) ([]byte, error) {
	r := f.graphs[space]
	if r.typ == 0 {
		return nil, nil
	}
	p, err := readPlain(f.src, &f.header, r)
	if err != nil {
		return nil, at(f.name, r.name(&f.header), err)
	}
	return p, nil
}

// text reads the text of one of the file's entries and checks it.
func (f *File) text(e *Entry) (string, error) {
	if e.NoText {
		return "", nil
	}
	var s string
	var err error
	if e.TextLen > 0 {
		s, err = f.texts.read(f.src, e.offset, int(e.TextLen))
	}
	if err == nil && HashText(s) != e.TextHash {
		err = badf("the text of %q is not the one the entry was made for", e.ID)
	}
	if err != nil {
		return "", at(f.name, "texts", err)
	}
	return s, nil
}

// Close gives back the opener's reference. The second Close does nothing.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	return f.release()
}

// retain takes a reference, if the file is still open.
func (f *File) retain() bool {
	for {
		n := f.users.Load()
		if n == 0 {
			return false
		}
		if f.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back.
func (f *File) release() error {
	if f.users.Add(-1) > 0 || f.f == nil {
		return nil
	}
	if err := f.f.Close(); err != nil {
		return fmt.Errorf("snapshot: close %s: %w", f.name, err)
	}
	return nil
}

// Verify reads the named file to the last byte and checks everything that one
// file can tell.
func Verify(fsys vfs.FS, name string) (err error) {
	f, err := Open(fsys, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range f.graphs {
		if _, err := f.graph(i); err != nil {
			return err
		}
	}
	for i := range f.entries {
		if _, err := f.text(&f.entries[i]); err != nil {
			return err
		}
	}
	if err := f.layout.verifyWhole(); err != nil {
		return at(name, "trailer", err)
	}
	return nil
}

// verifyWhole checks the checksum of the whole file.
func (l *layout) verifyWhole() error {
	if !l.legacy {
		head := make([]byte, preambleSize)
		if err := vfs.ReadFull(l.src, head, 0); err != nil {
			return err
		}
		if string(head) != string(preamble) {
			return badf("the file does not begin as it should")
		}
		crc, err := l.sum(vfs.Checksum(0, head))
		if err == nil && crc != l.body {
			err = badf("the checksum of the whole file does not match")
		}
		return err
	}
	// The footer's checksum covers the sections, then the header.
	crc, err := l.sum(0)
	if err != nil {
		return err
	}
	head, foot := make([]byte, l.start), make([]byte, legacyFooter)
	if err := vfs.ReadFull(l.src, head, 0); err != nil {
		return err
	}
	if err := vfs.ReadFull(l.src, foot, l.end); err != nil {
		return err
	}
	if string(foot[4:]) != legacyEnd || binary.LittleEndian.Uint32(foot) != vfs.Checksum(crc, head) {
		return badf("the magic at the end or the checksum of the whole file does not match")
	}
	return nil
}

// sum returns the checksum of the sections, begun with crc.
func (l *layout) sum(crc uint32) (uint32, error) {
	buf := make([]byte, min(writeSize, l.end-l.start))
	for offset := l.start; offset < l.end; {
		p := buf[:min(int64(len(buf)), l.end-offset)]
		if err := vfs.ReadFull(l.src, p, offset); err != nil {
			return 0, err
		}
		crc = vfs.Checksum(crc, p)
		offset += int64(len(p))
	}
	return crc, nil
}
