package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

// Info is a commit file's header, its name and its size in bytes.
type Info struct {
	Header
	Name string
	Size int64
}

// Damage is a file whose header cannot be read. Err is a *CorruptError, wraps
// ErrVersion, or is the disk's.
type Damage struct {
	Name string
	Err  error
}

// List reads the headers of all commit files, in the order of their names. A
// file that cannot be read is damaged and keeps none of the others from being
// listed; err concerns the directory.
func List(fsys vfs.FS) (infos []Info, damaged []Damage, err error) {
	names, err := fsys.List()
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: list: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, "."+Ext) })
	// Most of the time is the disk's and the system's.
	type result struct {
		info Info
		err  error
	}
	results := make([]result, len(names))
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range min(listers, len(names)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(names); i = next.Add(1) - 1 {
				results[i].info, results[i].err = readInfo(fsys, names[i])
			}
		})
	}
	wg.Wait()
	for i, r := range results {
		switch {
		case errors.Is(r.err, fs.ErrNotExist): // removed meanwhile
		case r.err != nil:
			damaged = append(damaged, Damage{Name: names[i], Err: r.err})
		default:
			infos = append(infos, r.info)
		}
	}
	return infos, damaged, nil
}

// listers is how many files List reads at once.
const listers = 8

// readInfo reads the header of the named file.
func readInfo(fsys vfs.FS, name string) (Info, error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return Info{}, fmt.Errorf("snapshot: read %s: %w", name, err)
	}
	h, _, _, size, err := readHeader(f, name)
	if err := errors.Join(err, f.Close()); err != nil {
		return Info{}, at(name, "header", err)
	}
	return Info{Header: h, Name: name, Size: size}, nil
}

// at says where an error of the decoding functions happened: bad bytes become
// a *CorruptError, others (the disk's) are wrapped.
func at(name, section string, err error) error {
	if bad, ok := errors.AsType[reason](err); ok {
		return &CorruptError{File: name, Section: section, Reason: string(bad)}
	}
	return fmt.Errorf("snapshot: read %s: %s: %w", name, section, err)
}

// readHeader reads and checks the header of the file, whose sections begin at
// start and fill it but for the footer.
func readHeader(f vfs.File, name string) (h Header, rows []row, start, size int64, err error) {
	fail := func(err error) (Header, []row, int64, int64, error) { return Header{}, nil, 0, 0, err }
	if size, err = f.Size(); err != nil {
		return fail(err)
	}
	p := make([]byte, min(size, firstRead))
	if err := readFull(f, p, 0); err != nil {
		return fail(err)
	}
	n, err := prelude(p)
	if err != nil {
		return fail(err)
	}
	if int64(n) > size {
		return fail(badf("it ends early"))
	}
	if n > len(p) {
		p = slices.Grow(p, n-len(p))[:n]
		if err := readFull(f, p[firstRead:], firstRead); err != nil {
			return fail(err)
		}
	}
	if h, rows, err = decodeHeader(p[:n]); err != nil {
		return fail(err)
	}
	if want := FileName(h.Domain, h.Commit); name != want {
		return fail(badf("it belongs to the file %s", want))
	}
	rest := size - int64(n) - footerSize
	for _, r := range rows {
		if rest < 0 || r.length > uint64(rest) {
			return fail(badf("the file is too short for its sections"))
		}
		rest -= int64(r.length)
	}
	if rest != 0 {
		return fail(badf("the file's size is not what its sections need"))
	}
	return h, rows, int64(n), size, nil
}

// File is an open commit file. It is immutable and counted: see the package
// comment.
type File struct {
	name    string
	size    int64
	header  Header
	f       vfs.File
	entries []Entry  // ids ascending
	removed []string // ascending
	skipped []string // ascending
	refs    []ref    // by slot, then entry, then chunk
	slots   bitset   // of entries' chunks
	chunks  uint32   // of all entries
	memory  int64
	texts   *blocks
	graph   row // typ 0: none
	graphAt int64

	users  atomic.Int64 // references to f
	closed atomic.Bool  // the opener's is gone
}

// ref says that an entry's chunk uses a slot.
type ref struct{ slot, entry, chunk uint32 }

// Open opens the named commit file. It reads and checks the entries; texts and
// graph are checked when they are read. Close it.
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
	return f, nil
}

// load reads all but texts and graph.
func (f *File) load() error {
	h, rows, start, size, err := readHeader(f.f, f.name)
	if err != nil {
		return at(f.name, "header", err)
	}
	f.header, f.size = h, size
	var textsEnd uint64
	for _, r := range rows {
		var err error
		switch r.typ {
		case textsSection:
			f.texts, err = readTable(f.f, &h, r, start)
			textsEnd = r.raw
		case entriesSection:
			err = f.loadEntries(r, start, textsEnd)
		case removedSection:
			f.removed, err = readIDs(f.f, &h, r, start, h.Removed)
		case skippedSection:
			f.skipped, err = readIDs(f.f, &h, r, start, h.Skipped)
		case graphSection:
			f.graph, f.graphAt = r, start
		}
		if err != nil {
			return at(f.name, r.typ.String(), err)
		}
		start += int64(r.length)
	}
	if err := f.index(); err != nil {
		return at(f.name, "entries", err)
	}
	return nil
}

func (f *File) loadEntries(r row, start int64, textsEnd uint64) error {
	stream, err := readTable(f.f, &f.header, r, start)
	if err != nil {
		return err
	}
	raw, err := stream.all(f.f)
	if err != nil {
		return err
	}
	f.entries, err = decodeEntries(raw, f.header.Changed, f.header.SlotEnd, textsEnd)
	return err
}

// readIDs reads a section of that many ids.
func readIDs(f io.ReaderAt, h *Header, r row, start int64, n uint32) ([]string, error) {
	p, err := readPlain(f, h, r, start)
	if err != nil {
		return nil, err
	}
	return decodeIDs(p, n)
}

// readPlain reads and checks a section that is stored as it is. Its length has
// been checked against the file's size.
func readPlain(f io.ReaderAt, h *Header, r row, start int64) ([]byte, error) {
	p := make([]byte, r.length)
	if err := readFull(f, p, start); err != nil {
		return nil, err
	}
	if checksum(h.identity(r.typ), p) != r.crc {
		return nil, badf("its checksum does not match")
	}
	return p, nil
}

// index makes what is found by slot, and checks the counts.
func (f *File) index() error {
	n := 0
	for i := range f.entries {
		f.entries[i].file, f.entries[i].place = f, uint32(i)
		n += len(f.entries[i].Chunks)
		f.memory += int64(len(f.entries[i].ID) + len(f.entries[i].Fields))
	}
	f.sortRefs(n)
	f.chunks = uint32(n)
	if f.header.Kind == Checkpoint && f.header.Chunks != f.chunks {
		return badf("%d chunks, the header counts %d", f.chunks, f.header.Chunks)
	}
	for _, id := range f.removed {
		if f.find(id) >= 0 {
			return badf("id %q is both changed and removed", id)
		}
	}
	f.memory += int64(cap(f.entries))*entrySize + int64(n)*(20+12) + f.slots.bytes()
	for _, ids := range [][]string{f.removed, f.skipped} {
		for _, id := range ids {
			f.memory += 16 + int64(len(id))
		}
	}
	if f.texts != nil {
		f.memory += int64(len(f.texts.rows))*16 + int64(min(len(f.texts.rows), cacheBlocks))*blockSize
	}
	return nil
}

// sortRefs makes the refs of the n chunks. They are gathered in the order of
// entries and chunks; sorting slots with the place in that order is three times
// as fast as comparing whole refs.
func (f *File) sortRefs(n int) {
	refs, keys := make([]ref, 0, n), make([]uint64, 0, n)
	for i := range f.entries {
		for j, c := range f.entries[i].Chunks {
			keys = append(keys, uint64(c.Slot)<<32|uint64(len(refs)))
			refs = append(refs, ref{c.Slot, uint32(i), uint32(j)})
			f.slots.set(c.Slot, true, nil)
		}
	}
	slices.Sort(keys)
	f.refs = make([]ref, n)
	for i, k := range keys {
		f.refs[i] = refs[uint32(k)]
	}
}

// entrySize is about what an Entry takes without what it points to.
const entrySize = 144

// find returns the index of the entry of that id, or -1.
func (f *File) find(id string) int {
	i := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].ID >= id })
	if i < len(f.entries) && f.entries[i].ID == id {
		return i
	}
	return -1
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
func (f *File) Size() int64 { return f.size }

// Bytes returns about how many bytes of memory the open file takes.
func (f *File) Bytes() int64 { return f.memory }

// Entries returns the entries that the file lists, ids ascending: all of a
// checkpoint, those changed by a delta. The slice is shared.
func (f *File) Entries() []Entry { return f.entries }

// Removed returns the ids that a delta removes, ascending. The slice is shared.
func (f *File) Removed() []string { return f.removed }

// Skipped returns the ids of documents that could not be taken, ascending. The
// slice is shared.
func (f *File) Skipped() []string { return f.skipped }

// SlotCount returns the number of distinct slots that the entries use.
func (f *File) SlotCount() int { return f.slots.count }

// Text reads the text of one of the file's entries.
func (f *File) Text(e *Entry) (string, error) {
	if e.file != f {
		return "", fmt.Errorf("snapshot: entry %q is not of %s", e.ID, f.name)
	}
	return f.text(e)
}

// Graph reads the graph section and checks it; nil if there is none. The
// caller owns the bytes. A damaged graph harms nothing else: it can be built
// again from the vectors.
func (f *File) Graph() ([]byte, error) {
	if f.graph.typ == 0 {
		return nil, nil
	}
	p, err := readPlain(f.f, &f.header, f.graph, f.graphAt)
	if err != nil {
		return nil, at(f.name, "graph", err)
	}
	return p, nil
}

// text reads the text of one of the file's entries and checks it.
func (f *File) text(e *Entry) (string, error) {
	s, err := f.texts.read(f.f, e.offset, int(e.TextLen))
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
	if f.users.Add(-1) > 0 {
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
	if _, err := f.Graph(); err != nil {
		return err
	}
	for i := range f.entries {
		if _, err := f.text(&f.entries[i]); err != nil {
			return err
		}
	}
	if err := f.verifyWhole(); err != nil {
		return at(name, "footer", err)
	}
	return nil
}

// verifyWhole checks the footer: the checksum over all bytes behind the header,
// then the header's.
func (f *File) verifyWhole() error {
	head := make([]byte, f.header.encodedSize(sections(&f.header, f.graph.typ != 0)))
	if err := readFull(f.f, head, 0); err != nil {
		return err
	}
	crc, end := uint32(0), f.size-footerSize
	buf := make([]byte, min(writeSize, end))
	for offset := int64(len(head)); offset < end; {
		p := buf[:min(int64(len(buf)), end-offset)]
		if err := readFull(f.f, p, offset); err != nil {
			return err
		}
		crc = checksum(crc, p)
		offset += int64(len(p))
	}
	foot := make([]byte, footerSize)
	if err := readFull(f.f, foot, end); err != nil {
		return err
	}
	if string(foot[4:]) != endMagic || binary.LittleEndian.Uint32(foot) != checksum(crc, head) {
		return badf("its magic or the checksum of the whole file does not match")
	}
	return nil
}
