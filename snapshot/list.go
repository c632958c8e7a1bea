package snapshot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vfs"
)

// Info is a commit file's header and its size in bytes.
type Info struct {
	Header
	Size int64
	// ID tells the file from others of its name, before it and after it.
	ID uint64
}

// Name returns the file's name.
func (i Info) Name() string { return FileName(i.Domain, i.Commit) }

// Same reports whether both describe the same file, and not one that took the
// other's place.
func (i Info) Same(o Info) bool {
	return i.ID == o.ID && i.Size == o.Size && i.Seq == o.Seq && i.Kind == o.Kind && i.Commit == o.Commit && i.Domain == o.Domain
}

// Damage is a file whose header cannot be read, or that this program does not
// understand. Err is a *CorruptError, wraps ErrVersion, or is the disk's.
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
	_ = parallel.Do(context.Background(), listers, len(names), func(_ context.Context, _, i int) error {
		results[i].info, results[i].err = ReadInfo(fsys, names[i])
		return nil
	})
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

// ReadInfo reads the header of the named file.
func ReadInfo(fsys vfs.FS, name string) (Info, error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return Info{}, fmt.Errorf("snapshot: read %s: %w", name, err)
	}
	l, err := readLayout(f, name, lastRead)
	if err := errors.Join(err, f.Close()); err != nil {
		return Info{}, at(name, "header", err)
	}
	return l.info(), nil
}

// at says where an error of the decoding functions happened: bad bytes become
// a *CorruptError, others (the disk's) are wrapped.
func at(name, section string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = badf("it ends early")
	}
	if bad, ok := errors.AsType[reason](err); ok {
		return &CorruptError{File: name, Section: section, Reason: string(bad)}
	}
	return fmt.Errorf("snapshot: read %s: %s: %w", name, section, err)
}

// layout is what a file says of its parts.
type layout struct {
	header Header
	rows   []row
	size   int64
	id     uint64
	legacy bool // of version 1 or 2
	// start is where the first section is, end where the last one ends.
	start, end int64
	body       uint32 // checksum of what is before end; not of a legacy file
	src        io.ReaderAt
	memory     int64 // bytes of the file that src keeps
}

func (l *layout) info() Info { return Info{Header: l.header, Size: l.size, ID: l.id} }

// readLayout reads and checks the header and the rows of the named file. It
// reads a file of up to whole bytes in one go, and goes on from what it read.
func readLayout(f vfs.File, name string, whole int64) (l layout, err error) {
	l.src = f
	if l.size, err = f.Size(); err != nil {
		return l, err
	}
	if l.size <= whole {
		p := make([]byte, l.size)
		if err := vfs.ReadFull(f, p, 0); err != nil {
			return l, err
		}
		l.src, l.memory = bytes.NewReader(p), l.size
	}
	p := make([]byte, min(l.size, lastRead))
	if err := vfs.ReadFull(l.src, p, l.size-int64(len(p))); err != nil {
		return l, err
	}
	if bytes.HasSuffix(p, []byte(endMagic)) {
		err = l.readTrailer(p)
	} else {
		err = l.readLegacy()
	}
	if err != nil {
		return l, err
	}
	if want := FileName(l.header.Domain, l.header.Commit); name != want {
		return l, badf("it belongs to the file %s", want)
	}
	return l, nil
}

// readTrailer reads the trailer of a file that ends with p.
func (l *layout) readTrailer(p []byte) error {
	n, err := trailerSize(p, l.size)
	if err != nil {
		return err
	}
	if n > len(p) {
		p = make([]byte, n)
		if err := vfs.ReadFull(l.src, p, l.size-int64(n)); err != nil {
			return err
		}
	}
	l.start, l.end = preambleSize, l.size-int64(n)
	if l.header, l.rows, l.body, l.id, err = decodeTrailer(p[len(p)-n:], l.size); err != nil {
		return err
	}
	return l.readAbout()
}

// readLegacy reads the header of a file that does not end as one of this
// version.
func (l *layout) readLegacy() error {
	p := make([]byte, min(l.size, firstRead))
	if err := vfs.ReadFull(l.src, p, 0); err != nil {
		return err
	}
	v, n, err := prelude(p)
	if err != nil {
		return err
	}
	if int64(n) > l.size {
		return badf("it ends early")
	}
	if n > len(p) {
		p = make([]byte, n)
		if err := vfs.ReadFull(l.src, p, 0); err != nil {
			return err
		}
	}
	if err := checkVersion(p[:n]); err != nil {
		return err
	}
	if v > legacyVersion {
		return badf("the trailer is missing")
	}
	if l.header, l.rows, err = decodeLegacy(p[:n]); err != nil {
		return err
	}
	l.legacy, l.start, l.end = true, int64(n), int64(n)
	l.id = uint64(binary.LittleEndian.Uint32(p[n-4:]))
	for _, r := range l.rows {
		if l.end > l.size || r.length > uint64(l.size-l.end) {
			return badf("the file is too short for its sections")
		}
		l.end += int64(r.length)
	}
	if l.end != l.size-legacyFooter {
		return badf("the file's size is not what its sections need")
	}
	return nil
}

// readPlain reads and checks a section that is stored as it is. Its length has
// been checked against the file's size.
func readPlain(f io.ReaderAt, h *Header, r row) ([]byte, error) {
	p := make([]byte, r.length)
	if err := vfs.ReadFull(f, p, r.offset); err != nil {
		return nil, err
	}
	if vfs.Checksum(h.identity(r), p) != r.crc {
		return nil, badf("its checksum does not match")
	}
	return p, nil
}

// readKeys reads a section of that many keys.
func (l *layout) readKeys(r row, n uint32) ([]Key, error) {
	p, err := readPlain(l.src, &l.header, r)
	if err != nil {
		return nil, err
	}
	if l.legacy {
		return decodeLegacyIDs(p, n)
	}
	return decodeKeys(p, n)
}

// table is what a file lists, as it is read.
type table struct {
	texts      *blocks
	textsEnd   uint64 // raw length of the texts
	fields     string // of all entries
	entries    []Entry
	chunks     []chunkTable // by space; the main ones are the entries'
	removed    []Key
	skipped    []Key
	unreadable bitset // slots
	graphs     []row  // by space; typ 0: none
}

// read reads a section into t; sections come in the order of the file. Of
// texts it reads the table, graphs only find their place.
func (l *layout) read(t *table, r row) (err error) {
	h := &l.header
	switch r.typ {
	case textsSection:
		t.textsEnd = r.raw
		t.texts, err = readTable(l.src, h, r)
	case fieldsSection:
		var stream *blocks
		if stream, err = readTable(l.src, h, r); err == nil {
			t.fields, err = stream.all(l.src)
		}
	case entriesSection:
		if l.legacy {
			err = l.readLegacyEntries(t, r)
			break
		}
		var p []byte
		if p, err = readPlain(l.src, h, r); err == nil {
			t.entries, err = decodeEntries(p, h.Changed, t.textsEnd, t.fields)
		}
	case chunksSection:
		err = l.readChunks(t, r)
	case removedSection:
		t.removed, err = l.readKeys(r, h.Removed)
	case skippedSection:
		t.skipped, err = l.readKeys(r, h.Skipped)
	case unreadableSection:
		var p []byte
		if p, err = readPlain(l.src, h, r); err == nil {
			t.unreadable, err = decodeSlots(p, h.SlotEnd)
		}
	case graphSection:
		t.graphs[r.space] = r
	}
	return err
}

func (l *layout) readLegacyEntries(t *table, r row) error {
	stream, err := readTable(l.src, &l.header, r)
	if err != nil {
		return err
	}
	raw, err := stream.all(l.src)
	if err != nil {
		return err
	}
	t.entries, err = decodeLegacyEntries([]byte(raw), l.header.Changed, l.header.SlotEnd, t.textsEnd)
	for i := range t.entries {
		t.chunks[0].count += uint32(len(t.entries[i].Chunks))
	}
	return err
}

func (l *layout) readChunks(t *table, r row) error {
	if r.length < uint64(len(t.entries)) {
		return badf("%d bytes cannot hold the chunks of %d entries", r.length, len(t.entries))
	}
	p, err := readPlain(l.src, &l.header, r)
	if err != nil {
		return err
	}
	c := &t.chunks[r.space]
	take := func(i int, chunks []Chunk) { t.entries[i].Chunks = chunks }
	if r.space > 0 {
		c.chunks = make([][]Chunk, len(t.entries))
		take = func(i int, chunks []Chunk) { c.chunks[i] = chunks }
	}
	c.count, err = decodeChunks(p, t.entries, l.header.vectors(int(r.space)).SlotEnd, take)
	return err
}

func newTable(h *Header) *table {
	return &table{chunks: make([]chunkTable, 1+len(h.Others)), graphs: make([]row, 1+len(h.Others))}
}
