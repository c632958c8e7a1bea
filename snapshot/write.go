package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// Ext is the extension of commit files.
	Ext = "hnsw"
	// endMagic ends every commit file.
	endMagic = "FCLV"
	// footerSize is the size of the footer: checksum and endMagic.
	footerSize = 8
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
	// Changed yields the entries, ids ascending, with their texts, of which
	// few are in memory at a time. A checkpoint's are everything.
	Changed iter.Seq2[EntryText, error]
	// Removed are ids of the base, ascending, none of them in Changed: a
	// delta's alone.
	Removed []string
	// Skipped are the ids, ascending, of documents that the snapshot does not
	// hold as their commit does: they could not be taken. An alias has none
	// of its own.
	Skipped []string
	// Graph is a checkpoint's alone; nil for none.
	Graph []byte
}

// Write writes a commit file and returns its completed header and its size in
// bytes. When it returns without an error, the commit is durable; that is its
// commit point. After an error the commit is not there, unless the disk failed
// twice; in any case a file that is seen under the final name is whole.
//
// Write fills in TextHash and TextLen of the entries (a hash that is set must
// be the text's) and of the header Changed, Removed and Skipped, SlotEnd where the
// entries ask for more than what is given (the base's), and for a checkpoint
// Documents and Chunks. Those of a delta or an alias are the caller's to give:
// [View.WriteDelta] and [View.WriteAlias] know them.
//
// Committed files are immutable. Where the commit has a file that is sound, the
// only write allowed is a checkpoint that keeps the history and the counts of
// the file it replaces; any other is refused with
// [io/fs.ErrExist]. The caller sees to it that a commit is not written twice at
// the same time.
func Write(fsys vfs.FS, h Header, c Contents) (Header, int64, error) {
	return write(fsys, h, c, nil)
}

// write is Write with a function that may complete the header at the end.
func write(fsys vfs.FS, h Header, c Contents, complete func(*Header)) (Header, int64, error) {
	p, err := prepare(fsys, h, c, complete)
	if err != nil {
		return h, 0, err
	}
	return p.Commit()
}

// Prepared is a commit file that is written and synced, and does not have its
// name yet. End it by Commit or Discard.
type Prepared struct {
	fsys vfs.FS
	temp string
	h    Header
	size int64
}

func prepare(fsys vfs.FS, h Header, c Contents, complete func(*Header)) (*Prepared, error) {
	name := FileName(h.Domain, h.Commit)
	if err := checkInput(&h, c); err != nil {
		return nil, fmt.Errorf("snapshot: write %s: %w", name, err)
	}
	temp := vfs.TempName(name + "." + strconv.FormatUint(temporaries.Add(1), 10))
	size, err := writeTemp(fsys, temp, &h, c, complete)
	if err != nil {
		return nil, fmt.Errorf("snapshot: write %s: %w", name, err)
	}
	return &Prepared{fsys, temp, h, size}, nil
}

// Commit gives the file its name, as Write does at its end.
func (p *Prepared) Commit() (Header, int64, error) {
	name := FileName(p.h.Domain, p.h.Commit)
	if err := commit(p.fsys, p.temp, name, &p.h); err != nil {
		return p.h, 0, fmt.Errorf("snapshot: write %s: %w", name, err)
	}
	return p.h, p.size, nil
}

// Discard removes the file. [Clean] finds what it leaves.
func (p *Prepared) Discard() { _ = p.fsys.Remove(p.temp) }

// checkInput checks what can be checked before the entries are seen.
func checkInput(h *Header, c Contents) error {
	switch {
	case h.Kind == Alias && (c.Changed != nil || len(c.Skipped) > 0),
		h.Kind != Delta && len(c.Removed) > 0, h.Kind != Checkpoint && len(c.Graph) > 0:
		return fmt.Errorf("a %v with sections of another kind", h.Kind)
	}
	for _, list := range [][]string{c.Removed, c.Skipped} {
		for i, id := range list {
			if id == "" || len(id) > MaxID || i > 0 && list[i-1] >= id {
				return fmt.Errorf("removed or skipped id %q is empty, too long or out of order", id)
			}
		}
	}
	h.Changed, h.Removed, h.Skipped = 0, uint32(len(c.Removed)), uint32(len(c.Skipped))
	check := *h
	if h.Kind == Checkpoint {
		check.Documents, check.Chunks = 0, 0
	}
	return check.validate()
}

// writeTemp writes and syncs the whole file under the temporary name; after an
// error the file is gone.
func writeTemp(fsys vfs.FS, temp string, h *Header, c Contents, complete func(*Header)) (size int64, err error) {
	f, err := fsys.Open(temp, vfs.Create)
	if err != nil {
		return 0, err
	}
	w := &fileWriter{f: f}
	err = w.file(h, c, complete)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		_ = fsys.Remove(temp) // Clean finds what this leaves
		return 0, err
	}
	return w.offset, nil
}

// commit gives the finished file its name, durably.
func commit(fsys vfs.FS, temp, name string, h *Header) error {
	replaces, err := mayReplace(fsys, name, h)
	if err == nil {
		err = fsys.Rename(temp, name)
	}
	if err != nil {
		_ = fsys.Remove(temp) // Clean finds what this leaves
		return err
	}
	if err := fsys.SyncDir(); err != nil {
		// The caller is told that the commit failed, so it should not be seen.
		// What a merge replaced cannot be brought back, and need not be: the
		// new file says the same.
		if !replaces {
			_ = fsys.Remove(name)
		}
		return err
	}
	return nil
}

// mayReplace reports whether there is a file of that name, and fails if h's
// must not take its place.
func mayReplace(fsys vfs.FS, name string, h *Header) (exists bool, err error) {
	old, err := readInfo(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, ErrCorrupt):
		return true, nil
	case err != nil:
		return true, err
	}
	o := old.Header
	if h.Kind == Checkpoint && o.Seq == h.Seq && o.Base == h.Base && o.Branch == h.Branch &&
		o.Settings == h.Settings && o.Documents == h.Documents && o.Chunks == h.Chunks {
		return true, nil
	}
	if err := Verify(fsys, name); errors.Is(err, ErrCorrupt) {
		return true, nil // damaged further in: indexing again is the cure
	} else if err != nil {
		return true, err
	}
	return true, fmt.Errorf("commit %q: %w", h.Commit, fs.ErrExist)
}

// fileWriter writes a file from front to back, all but the header, which is
// written last.
type fileWriter struct {
	f      vfs.File
	buf    []byte
	offset int64  // of the end of buf
	crc    uint32 // of what has been written, the header excepted
}

// write appends p to the file.
func (w *fileWriter) write(p []byte) error {
	w.crc = checksum(w.crc, p)
	w.offset += int64(len(p))
	if len(w.buf)+len(p) > writeSize {
		if err := w.flush(w.offset - int64(len(p))); err != nil {
			return err
		}
		if len(p) > writeSize {
			return writeFull(w.f, p, w.offset-int64(len(p)))
		}
	}
	w.buf = append(w.buf, p...)
	return nil
}

// flush writes what is gathered, which ends at end.
func (w *fileWriter) flush(end int64) error {
	if len(w.buf) == 0 {
		return nil
	}
	err := writeFull(w.f, w.buf, end-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

func writeFull(f vfs.File, p []byte, offset int64) error {
	n, err := f.WriteAt(p, offset)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// file writes everything.
func (w *fileWriter) file(h *Header, c Contents, complete func(*Header)) error {
	var rows []row
	var err error
	headerSize := h.encodedSize(sections(h, len(c.Graph) > 0))
	w.offset = int64(headerSize)
	if h.Kind != Alias {
		if rows, err = w.entries(h, c.Changed, c.Removed); err != nil {
			return err
		}
	}
	plain := func(t sectionType, p []byte) {
		if err == nil {
			var r row
			r, err = w.plain(h, t, p)
			rows = append(rows, r)
		}
	}
	if h.Kind == Delta {
		plain(removedSection, appendIDs(nil, c.Removed))
	}
	if len(c.Graph) > 0 {
		plain(graphSection, c.Graph)
	}
	if len(c.Skipped) > 0 {
		plain(skippedSection, appendIDs(nil, c.Skipped))
	}
	if err != nil {
		return err
	}
	if complete != nil {
		complete(h)
	}
	if err := h.validate(); err != nil {
		return err
	}
	header := h.appendTo(make([]byte, 0, headerSize), rows)
	footer := binary.LittleEndian.AppendUint32(nil, checksum(w.crc, header))
	if err := w.write(append(footer, endMagic...)); err != nil {
		return err
	}
	if err := w.flush(w.offset); err != nil {
		return err
	}
	return writeFull(w.f, header, 0)
}

// sections returns how many sections a file has.
func sections(h *Header, graph bool) int {
	n := 2
	switch {
	case h.Kind == Alias:
		return 0
	case h.Kind == Delta || graph:
		n++
	}
	if h.Skipped > 0 {
		n++
	}
	return n
}

// plain writes a section that is stored as it is.
func (w *fileWriter) plain(h *Header, t sectionType, p []byte) (row, error) {
	n := uint64(len(p))
	return row{typ: t, length: n, raw: n, crc: checksum(h.identity(t), p)}, w.write(p)
}

// entries writes the texts as they come and the entries after them, and counts
// both in the header.
func (w *fileWriter) entries(h *Header, changed iter.Seq2[EntryText, error], removed []string) ([]row, error) {
	var table []byte // the section of entries, until the texts are done
	texts := newBlockWriter(h, textsSection, w.write)
	entries := newBlockWriter(h, entriesSection, func(p []byte) error { table = append(table, p...); return nil })
	written := map[[32]byte]uint64{}
	var scratch []byte
	var last string
	chunks := uint32(0)
	if changed == nil {
		changed = func(func(EntryText, error) bool) {}
	}
	for et, err := range changed {
		if err != nil {
			return nil, err
		}
		e := &et.Entry
		if err := completeEntry(e, et.Text, last); err != nil {
			return nil, err
		}
		if i, both := slices.BinarySearch(removed, e.ID); both {
			return nil, fmt.Errorf("id %q is both changed and removed", removed[i])
		}
		last = e.ID
		offset, ok := written[e.TextHash]
		if !ok {
			offset = texts.raw
			if len(written) == rememberTexts {
				clear(written)
			}
			written[e.TextHash] = offset
			if err := texts.write(et.Text); err != nil {
				return nil, err
			}
		}
		e.offset = offset
		scratch = appendEntry(scratch[:0], e)
		if err := entries.write(string(scratch)); err != nil {
			return nil, err
		}
		h.Changed++
		chunks += uint32(len(e.Chunks))
		for _, c := range e.Chunks {
			h.SlotEnd = max(h.SlotEnd, c.Slot+1)
		}
	}
	if h.Kind == Checkpoint {
		h.Documents, h.Chunks = h.Changed, chunks
	}
	textsRow, err := texts.finish()
	if err != nil {
		return nil, err
	}
	entriesRow, err := entries.finish()
	if err != nil {
		return nil, err
	}
	return []row{textsRow, entriesRow}, w.write(table)
}

// completeEntry fills in what follows from the text and checks the rest.
func completeEntry(e *Entry, text, last string) error {
	if len(text) > MaxText {
		return fmt.Errorf("entry %q has a text of %d bytes, the limit is %d", e.ID, len(text), MaxText)
	}
	if e.ID <= last && last != "" {
		return fmt.Errorf("entry %q is out of order", e.ID)
	}
	hash := HashText(text)
	if e.TextHash != hash && e.TextHash != [32]byte{} {
		return fmt.Errorf("entry %q has the hash of another text", e.ID)
	}
	e.TextHash, e.TextLen = hash, uint32(len(text))
	return e.check()
}

// Clean removes temporary files that writers have left behind. Nothing may be
// writing in the directory meanwhile.
func Clean(fsys vfs.FS) error {
	names, err := fsys.List()
	if err != nil {
		return fmt.Errorf("snapshot: clean: %w", err)
	}
	removed := false
	for _, name := range names {
		if !vfs.IsTemp(name) || !strings.Contains(name, "."+Ext+".") {
			continue
		}
		if err := fsys.Remove(name); err != nil {
			return fmt.Errorf("snapshot: clean: %w", err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	if err := fsys.SyncDir(); err != nil {
		return fmt.Errorf("snapshot: clean: %w", err)
	}
	return nil
}
