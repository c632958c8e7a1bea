package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// Ext is the extension of commit files.
	Ext = "hnsw"
	// writeSize is how much is gathered before it is written.
	writeSize = 256 << 10
	// rememberTexts is how many texts Write knows to be in the file already.
	rememberTexts = 1 << 18
)

// FileName returns the name of a commit's file.
func FileName(domain, commit string) string { return vfs.FileName(domain, commit, Ext) }

// temporaries numbers temporary files, so that no two writers share one.
var temporaries atomic.Uint64

// Contents is what a commit file lists.
type Contents struct {
	// Changed yields the entries, ascending by key, with their texts, of which
	// few are in memory at a time. A checkpoint's are everything. It may be
	// run through more than once, and says the same each time.
	Changed iter.Seq2[EntryText, error]
	// Count is how many entries Changed yields. [View.WriteDelta] chooses by
	// it what the delta stands on; nothing else depends on it.
	Count int
	// Removed are keys of the snapshot that a delta stands on, ascending, none
	// of them in Changed: a delta's alone.
	Removed []Key
	// Skipped are the keys, ascending, of documents that the snapshot does not
	// hold as their commit does: they could not be taken. An alias has none
	// of its own.
	Skipped []Key
	// Graph is a graph over the main vectors, OtherGraphs are those over the
	// others, in the order of Header.Others; what is empty is none.
	Graph       []byte
	OtherGraphs [][]byte
	// Unreadable reports whether the text of a slot that Changed uses is one of
	// which the model knows next to nothing; nil: of none. See [View.Unreadable].
	Unreadable func(slot uint32) bool

	// hidden are more keys for Removed, ascending; those that Changed yields
	// are none.
	hidden []Key
}

// graph returns the graph over the vectors of that number.
func (c *Contents) graph(space int) []byte {
	switch {
	case space == 0:
		return c.Graph
	case space <= len(c.OtherGraphs):
		return c.OtherGraphs[space-1]
	}
	return nil
}

// appendUnreadable appends those slots of an entry that are unreadable, in the file
// of the main vectors.
func (c *Contents) appendUnreadable(slots []uint32, h *Header, et *EntryText) []uint32 {
	if c.Unreadable == nil {
		return slots
	}
	for i, chunks := range slices.Concat([][]Chunk{et.Chunks}, et.Others) {
		for _, chunk := range chunks {
			if h.vectors(i).Vecs == h.Vecs && c.Unreadable(chunk.Slot) {
				slots = append(slots, chunk.Slot)
			}
		}
	}
	return slots
}

// Write writes a commit file and returns what List says of it. When it returns without an error, the commit is durable; that is its
// commit point. After an error the commit is not there, unless the disk failed
// twice; in any case a file that is seen under the final name is whole.
//
// Write fills in TextHash and TextLen of the entries (a hash that is set must
// be the text's) and of the header Changed, Removed and Skipped, SlotEnd where the
// entries ask for more than what is given (the base's), On where it follows
// from the base, and for a checkpoint Documents and Chunks. Those of a delta or an alias are the
// caller's to give: [View.WriteDelta] and [View.WriteAlias] know them.
//
// Committed files are immutable. Where the commit has a file that is sound, the
// only writes allowed are a checkpoint, or an alias in an alias's place, that keeps
// the history and the counts of the file it replaces, and what [View.PrepareMerge]
// makes; any other is refused with [io/fs.ErrExist]. The caller sees to it that a commit is not written twice at
// the same time.
func Write(fsys vfs.FS, h Header, c Contents) (Info, error) {
	return write(fsys, h, c, nil)
}

// write is Write with a function that may complete the header at the end.
func write(fsys vfs.FS, h Header, c Contents, complete func(*Header)) (Info, error) {
	p, err := prepare(fsys, h, c, complete)
	if err != nil {
		return Info{}, err
	}
	return p.Commit()
}

// Prepared is a commit file that is written and synced, and does not have its
// name yet. End it by Commit or Discard.
type Prepared struct {
	fsys  vfs.FS
	temp  string
	info  Info
	merge bool // it says the same as the file it replaces
}

func prepare(fsys vfs.FS, h Header, c Contents, complete func(*Header)) (*Prepared, error) {
	name := FileName(h.Domain, h.Commit)
	if err := checkInput(&h, &c); err != nil {
		return nil, fmt.Errorf("snapshot: write %s: %w", name, err)
	}
	temp := vfs.TempName(name + "." + strconv.FormatUint(temporaries.Add(1), 10))
	info, err := writeTemp(fsys, temp, &h, &c, complete)
	if err != nil {
		return nil, fmt.Errorf("snapshot: write %s: %w", name, err)
	}
	return &Prepared{fsys: fsys, temp: temp, info: info, merge: h.Kind != Delta}, nil
}

// Commit gives the file its name, as Write does at its end.
func (p *Prepared) Commit() (Info, error) {
	if err := p.commit(); err != nil {
		return Info{}, fmt.Errorf("snapshot: write %s: %w", p.info.Name(), err)
	}
	return p.info, nil
}

// Discard removes the file. [vfs.Clean] finds what it leaves.
func (p *Prepared) Discard() { _ = p.fsys.Remove(p.temp) }

// checkInput checks what can be checked before the entries are seen.
func checkInput(h *Header, c *Contents) error {
	if h.On == "" || h.Kind == Checkpoint {
		h.On = h.usualOn()
	}
	if h.Kind == Alias && (c.Changed != nil || len(c.Skipped) > 0) || h.Kind != Delta && len(c.Removed) > 0 ||
		len(c.OtherGraphs) > len(h.Others) {
		return fmt.Errorf("a %v with sections of another kind", h.Kind)
	}
	h.Others = slices.Clone(h.Others)
	for i := range 1 + len(h.Others) {
		h.vectors(i).Graph = len(c.graph(i)) > 0
	}
	for _, list := range [][]Key{c.Removed, c.Skipped} {
		for i, k := range list {
			if err := k.check(); err != nil {
				return fmt.Errorf("removed or skipped: %w", err)
			}
			if i > 0 && list[i-1].Compare(k) >= 0 {
				return fmt.Errorf("removed or skipped id %q is out of order", k.ID)
			}
		}
	}
	h.Changed, h.Removed, h.Skipped = 0, uint32(len(c.Removed)), uint32(len(c.Skipped))
	check := *h
	if h.Kind != Alias { // they are counted later
		check.Documents, check.Others = 0, slices.Clone(h.Others)
		for i := range 1 + len(check.Others) {
			check.vectors(i).Chunks = 0
		}
	}
	return check.validate()
}

// writeTemp writes and syncs the whole file under the temporary name; after an
// error the file is gone.
func writeTemp(fsys vfs.FS, temp string, h *Header, c *Contents, complete func(*Header)) (info Info, err error) {
	f, err := fsys.Open(temp, vfs.Create)
	if err != nil {
		return Info{}, err
	}
	info, err = encode(&appender{f: f}, h, c, complete)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		_ = fsys.Remove(temp) // Clean finds what this leaves
		return Info{}, err
	}
	return info, nil
}

// Encode writes the bytes of the commit file that Write would make, and returns
// what List would say of it. Equal contents have equal bytes. It is for files that
// go elsewhere: nothing is durable.
func Encode(out io.Writer, h Header, c Contents) (Info, error) {
	err := checkInput(&h, &c)
	if err == nil {
		var info Info
		if info, err = encode(out, &h, &c, nil); err == nil {
			return info, nil
		}
	}
	return Info{}, fmt.Errorf("snapshot: encode %s: %w", FileName(h.Domain, h.Commit), err)
}

func encode(out io.Writer, h *Header, c *Contents, complete func(*Header)) (Info, error) {
	w := &fileWriter{out: bufio.NewWriterSize(out, writeSize)}
	err := w.file(h, c, complete)
	if err == nil {
		err = w.out.Flush()
	}
	return Info{Header: *h, Size: w.size, ID: w.id}, err
}

// commit gives the finished file its name, durably.
func (p *Prepared) commit() error {
	name := p.info.Name()
	replaces, err := p.mayReplace(name)
	if err == nil {
		err = p.fsys.Rename(p.temp, name)
	}
	if err != nil {
		_ = p.fsys.Remove(p.temp) // Clean finds what this leaves
		return err
	}
	if err := p.fsys.SyncDir(); err != nil {
		// The caller gets an error, so the commit must not be seen.
		// What a merge replaced cannot be brought back, and need not be: the
		// new file says the same.
		if !replaces {
			_ = p.fsys.Remove(name)
		}
		return err
	}
	return nil
}

// mayReplace reports whether there is a file of that name, and fails if p's
// must not take its place.
func (p *Prepared) mayReplace(name string) (exists bool, err error) {
	old, err := ReadInfo(p.fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, ErrCorrupt):
		return true, nil
	case err != nil:
		return true, err
	}
	h := &p.info.Header
	// A commit may be taken off its branch.
	if p.merge && (h.Kind != Alias || old.Kind == Alias) && old.Seq == h.Seq && old.Base == h.Base && (old.Branch == h.Branch || h.Branch == "") &&
		old.Settings == h.Settings && old.Documents == h.Documents && old.Chunks == h.Chunks {
		return true, nil
	}
	if err := Verify(p.fsys, name); errors.Is(err, ErrCorrupt) {
		return true, nil // damaged further in: indexing again is the cure
	} else if err != nil {
		return true, err
	}
	return true, fmt.Errorf("commit %q: %w", h.Commit, fs.ErrExist)
}

// appender writes at the end of a file.
type appender struct {
	f      vfs.File
	offset int64
}

func (a *appender) Write(p []byte) (int, error) {
	n, err := a.f.WriteAt(p, a.offset)
	a.offset += int64(n)
	return n, err
}

// fileWriter writes a file from front to back.
type fileWriter struct {
	out  *bufio.Writer
	size int64
	crc  uint32 // of all that has been written
	rows []row
	id   uint64

	unreadable []uint32 // slots of the entries; in any order, some more than once
}

// write appends p to the file.
func (w *fileWriter) write(p []byte) error {
	w.crc = vfs.Checksum(w.crc, p)
	w.size += int64(len(p))
	_, err := w.out.Write(p)
	return err
}

// file writes everything, the trailer last: what ends before it is no file.
func (w *fileWriter) file(h *Header, c *Contents, complete func(*Header)) error {
	if err := w.write(preamble); err != nil {
		return err
	}
	if h.Kind != Alias {
		if err := w.entries(h, c); err != nil {
			return err
		}
	}
	if err := w.plain(h, row{typ: removedSection}, appendKeys(nil, c.Removed)); err != nil {
		return err
	}
	if err := w.plain(h, row{typ: skippedSection}, appendKeys(nil, c.Skipped)); err != nil {
		return err
	}
	if err := w.plain(h, row{typ: unreadableSection}, appendSlots(nil, w.unreadable)); err != nil {
		return err
	}
	for i := range 1 + len(h.Others) {
		if err := w.plain(h, row{typ: graphSection, space: uint16(i)}, c.graph(i)); err != nil {
			return err
		}
	}
	if err := w.plain(h, row{typ: aboutSection}, appendAbout(nil, h.About)); err != nil {
		return err
	}
	if complete != nil {
		complete(h)
	}
	if err := h.validate(); err != nil {
		return err
	}
	trailer := appendTrailer(nil, h, w.rows, w.crc)
	w.id = uint64(binary.LittleEndian.Uint32(trailer[len(trailer)-8:]))<<32 | uint64(w.crc)
	return w.write(trailer)
}

// plain writes a section that is stored as it is; none where there is nothing
// in it.
func (w *fileWriter) plain(h *Header, r row, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if r.version = 1; r.typ.required() {
		r.flags = requiredFlag
	}
	r.length, r.raw = uint64(len(p)), uint64(len(p))
	r.crc = vfs.Checksum(h.identity(r), p)
	w.rows = append(w.rows, r)
	return w.write(p)
}

// entries writes the texts as they come and the rest after them, and counts in
// the header.
func (w *fileWriter) entries(h *Header, c *Contents) error {
	var fieldBlocks []byte // the section of fields, until the texts are done
	texts := newBlockWriter(h, textsSection, w.write)
	fields := newBlockWriter(h, fieldsSection, func(p []byte) error { fieldBlocks = append(fieldBlocks, p...); return nil })
	entries := newEntryEncoder(1 + len(h.Others))
	written := map[[32]byte]uint64{}
	var last *Key
	var gone []Key // of hidden, those that nothing changed
	hidden := c.hidden
	changed := c.Changed
	if changed == nil {
		changed = func(func(EntryText, error) bool) {}
	}
	for et, err := range changed {
		if err != nil {
			return err
		}
		e, key := &et.Entry, et.Key()
		if err := completeEntry(&et, last, len(h.Others)); err != nil {
			return err
		}
		if _, both := slices.BinarySearchFunc(c.Removed, key, Key.Compare); both {
			return fmt.Errorf("id %q is both changed and removed", key.ID)
		}
		last = &key
		for len(hidden) > 0 && hidden[0].Compare(key) <= 0 {
			if hidden[0] != key {
				gone = append(gone, hidden[0])
			}
			hidden = hidden[1:]
		}
		if !e.NoText {
			offset, ok := written[e.TextHash]
			if !ok {
				offset = texts.row.raw
				if len(written) == rememberTexts {
					clear(written)
				}
				written[e.TextHash] = offset
				if err := texts.write(et.Text); err != nil {
					return err
				}
			}
			e.offset = offset
		}
		if err := fields.write(e.Fields); err != nil {
			return err
		}
		entries.add(e, et.Others)
		w.unreadable = c.appendUnreadable(w.unreadable, h, &et)
		h.Changed++
	}
	c.Removed = sortedKeys(slices.Concat(c.Removed, gone, hidden))
	h.Removed = uint32(len(c.Removed))
	for i, enc := range entries.chunks {
		v := h.vectors(i)
		v.SlotEnd = max(v.SlotEnd, enc.end)
		if h.Kind == Checkpoint {
			h.Documents, v.Chunks = h.Changed, enc.count
		}
	}
	for i := range h.Others {
		if o := &h.Others[i].Vectors; o.Vecs == h.Vecs {
			h.SlotEnd = max(h.SlotEnd, o.SlotEnd)
		}
	}
	if h.Changed == 0 {
		return nil
	}
	if err := w.stream(texts, nil); err != nil {
		return err
	}
	if err := w.stream(fields, &fieldBlocks); err != nil {
		return err
	}
	if err := w.plain(h, row{typ: entriesSection}, entries.section()); err != nil {
		return err
	}
	for i := range entries.chunks {
		if err := w.plain(h, row{typ: chunksSection, space: uint16(i)}, entries.chunks[i].section()); err != nil {
			return err
		}
	}
	return nil
}

// stream ends a block stream, and writes its blocks if they were gathered.
func (w *fileWriter) stream(b *blockWriter, gathered *[]byte) error {
	if b.row.raw == 0 {
		return nil
	}
	r, err := b.finish()
	if err != nil {
		return err
	}
	w.rows = append(w.rows, r)
	if gathered == nil {
		return nil
	}
	return w.write(*gathered)
}

// completeEntry fills in what follows from the text and checks the rest. last is
// the key before, if there is one.
func completeEntry(et *EntryText, last *Key, others int) error {
	e := &et.Entry
	if err := CheckEntry(e.Type, et.Text, e.Fields); err != nil {
		return fmt.Errorf("entry %q: %w", e.ID, err)
	}
	if last != nil && last.Compare(e.Key()) >= 0 {
		return fmt.Errorf("entry %q is out of order", e.ID)
	}
	hash := HashText(et.Text)
	if e.NoText {
		if et.Text != "" {
			return fmt.Errorf("entry %q has a text and none", e.ID)
		}
		hash = [32]byte{}
	}
	if e.TextHash != hash && e.TextHash != [32]byte{} {
		return fmt.Errorf("entry %q has the hash of another text", e.ID)
	}
	e.TextHash, e.TextLen = hash, uint32(len(et.Text))
	if len(et.Others) > others {
		return fmt.Errorf("entry %q has chunks of %d vectors beside the main ones, the header names %d", e.ID, len(et.Others), others)
	}
	for _, chunks := range et.Others {
		if err := e.checkChunks(chunks); err != nil {
			return err
		}
	}
	return e.check()
}
