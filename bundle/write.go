package bundle

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
)

// Ext is the extension of snapshot files, and MediaType their media type.
const (
	Ext       = "vlsnap"
	MediaType = "application/vnd.vectorlink.snapshot"
)

// Contents is the open snapshot that a file is made of. It must stay open.
type Contents struct {
	View    *snapshot.View
	Vectors *vecstore.Store // nil where the commit has none
	Graph   *hnsw.Graph     // that searches walk; nil for none
	// Text, where not nil, is the full text of the commit's file as it is written here.
	Text *textindex.Segment
	// Branch, where not empty, is the branch whose last commit this is in the file.
	Branch string
	// Alias, where not nil, is another name of the commit, which the file knows too.
	Alias *snapshot.Header
	// Space, where not empty, is what the domain is as a space: the journal of one
	// without writes. Opaque here.
	Space []byte
}

// Writer writes the snapshot file of a commit, as often as it is asked to.
type Writer struct {
	c        Contents
	header   snapshot.Header
	manifest Manifest
	graph    []byte
	// slots are those that the commit needs, ascending: a slot's place is its number
	// in the file.
	slots   []uint32
	vectors int64 // bytes of the file of vectors
	size    int64 // 0: not measured yet
}

// New returns a Writer of the snapshot. It has read none of its texts and vectors.
func New(c Contents) (*Writer, error) {
	w := &Writer{c: c, header: c.View.Header()}
	h := &w.header
	for _, o := range h.Others {
		if o.SlotEnd > 0 && o.Vecs != h.Vecs {
			return nil, fmt.Errorf("%w: the vectors %s lie in a file of their own, which snapshot files do not hold", contract.ErrInvalid, o.Name)
		}
	}
	w.slots = w.needed()
	h.Kind, h.On, h.SlotEnd = snapshot.Checkpoint, "", uint32(len(w.slots))
	for i := range h.Others {
		h.Others[i].SlotEnd = 0 // Encode counts
	}
	if c.Branch != "" {
		h.Branch = c.Branch
	}
	var cfg vecstore.Config
	if len(w.slots) > 0 {
		var err error
		cfg = c.Vectors.Config()
		if w.vectors, err = vecstore.FileSize(cfg, len(w.slots)); err != nil {
			return nil, err
		}
	}
	w.manifest = manifestOf(h, cfg, len(w.slots))
	if c.Alias != nil {
		w.manifest.Alias = c.Alias.Commit
	}
	return w, nil
}

// needed returns the slots that the commit refers to, and those of dead nodes, by
// which searches walk through the graph.
func (w *Writer) needed() []uint32 {
	slots := slices.Collect(w.c.View.LiveSlots())
	if w.c.Graph != nil {
		slots = append(slots, w.c.Graph.Slots()...)
	}
	if len(w.header.Others) > 0 {
		for e := range w.c.View.All() {
			for _, o := range w.header.Others {
				for _, c := range e.ChunksOf(o.Name) {
					slots = append(slots, c.Slot)
				}
			}
		}
	}
	slices.Sort(slots)
	return slices.Clip(slices.Compact(slots))
}

// place returns the number of a needed slot in the file.
func (w *Writer) place(slot uint32) uint32 {
	return uint32(sort.Search(len(w.slots), func(i int) bool { return w.slots[i] >= slot }))
}

func (w *Writer) moved(chunks []snapshot.Chunk) []snapshot.Chunk {
	chunks = slices.Clone(chunks)
	for i := range chunks {
		chunks[i].Slot = w.place(chunks[i].Slot)
	}
	return chunks
}

// entries yields the documents as they stand in the file.
func (w *Writer) entries() iter.Seq2[snapshot.EntryText, error] {
	return func(yield func(snapshot.EntryText, error) bool) {
		for et, err := range w.c.View.Texts() {
			et.Chunks, et.Others = w.moved(et.Chunks), slices.Clone(et.Others)
			for i := range et.Others {
				et.Others[i] = w.moved(et.Others[i])
			}
			if !yield(et, err) {
				return
			}
		}
	}
}

// Manifest returns what the file says of itself.
func (w *Writer) Manifest() Manifest { return w.manifest }

// Identity returns a hash that is another one for files of other bytes: damage that
// comes to light later aside.
func (w *Writer) Identity() (sum [sha256.Size]byte) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%+v\n%d\n%q\n", w.manifest, w.header.Seq, w.c.Space)
	if w.c.Text != nil {
		fmt.Fprintln(hash, "text", w.c.Text.Sum())
	}
	for f := range w.c.View.Files() {
		fmt.Fprintf(hash, "%q %d %d\n", f.Name(), f.Info().ID, f.Size())
	}
	if w.c.Vectors != nil {
		for _, slot := range w.c.Vectors.Damaged() {
			fmt.Fprintln(hash, slot)
		}
	}
	hash.Sum(sum[:0])
	return sum
}

// Size returns the number of bytes that WriteTo writes. The first time it reads all
// texts, so that a damaged one shows before anything is written.
func (w *Writer) Size() (int64, error) {
	if w.size > 0 {
		return w.size, nil
	}
	var n counter
	if err := w.write(&n, func(out io.Writer) error {
		_, err := io.CopyN(out, zeros{}, w.vectors)
		return err
	}); err != nil {
		return 0, err
	}
	w.size = int64(n)
	return w.size, nil
}

// counter counts what is written to it.
type counter int64

func (n *counter) Write(p []byte) (int, error) { *n += counter(len(p)); return len(p), nil }

// zeros stands for vectors where only their number matters.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Write writes the file, the same bytes each time.
func (w *Writer) Write(out io.Writer) error {
	return w.write(out, func(out io.Writer) error { return w.c.Vectors.Copy(out, w.slots) })
}

func (w *Writer) write(out io.Writer, vectors func(io.Writer) error) error {
	archive := zip.NewWriter(out)
	member := func(name string, write func(io.Writer) error) error {
		m, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: w.manifest.Created})
		if err != nil {
			return err
		}
		buffered := bufio.NewWriterSize(m, 256<<10)
		return errors.Join(write(buffered), buffered.Flush())
	}
	err := member(manifestName, func(out io.Writer) error {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(w.manifest)
	})
	if err != nil {
		return err
	}
	if w.graph == nil && w.c.Graph != nil {
		w.graph = w.c.Graph.Renumber(w.place).AppendTo(nil)
	}
	contents := snapshot.Contents{
		Changed: w.entries(), Skipped: w.c.View.Skipped(), Graph: w.graph,
		Unreadable: func(slot uint32) bool { return w.c.View.Unreadable(w.slots[slot]) },
	}
	var info snapshot.Info
	err = member(snapshot.FileName(w.header.Domain, w.header.Commit), func(out io.Writer) (err error) {
		info, err = snapshot.Encode(out, w.header, contents)
		return err
	})
	if err != nil {
		return err
	}
	if a := w.c.Alias; a != nil {
		h := info.Header
		h = snapshot.Header{
			Kind: snapshot.Alias, Tag: a.Tag, Domain: h.Domain, Commit: a.Commit, Base: h.Commit, Branch: a.Branch, Seq: a.Seq, Created: a.Created,
			Settings: h.Settings, Vectors: h.Vectors, Others: h.Others, Documents: h.Documents,
		}
		err := member(snapshot.FileName(h.Domain, h.Commit), func(out io.Writer) error {
			_, err := snapshot.Encode(out, h, snapshot.Contents{})
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(w.slots) > 0 {
		if err := member(vecstore.FileName(w.header.Domain, vecstore.Main), vectors); err != nil {
			return err
		}
	}
	if w.c.Text != nil {
		if err := member(textindex.FileName(w.header.Domain, w.header.Commit), w.c.Text.Encode); err != nil {
			return err
		}
	}
	if len(w.c.Space) > 0 {
		err := member(SpaceName(w.header.Domain), func(out io.Writer) error {
			_, err := out.Write(w.c.Space)
			return err
		})
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// Reader reads the file that a Writer writes, without keeping it anywhere. It may be
// used by one goroutine, and must be closed.
type Reader struct {
	w    *Writer
	at   int64
	next func() ([]byte, error, bool) // nil: nothing is being written
	stop func()
	rest []byte
}

// Reader returns a Reader at the beginning.
func (w *Writer) Reader() *Reader { return &Reader{w: w} }

// errEnough ends a Write of which no more is wanted.
var errEnough = errors.New("bundle: no more is wanted")

// Read reads on.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == nil {
			r.next, r.stop = iter.Pull2(r.w.from(r.at))
		}
		piece, err, more := r.next()
		if !more {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		r.rest = piece
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.at += int64(n)
	return n, nil
}

// Seek chooses what is read next. To go on from the middle costs what reading up to
// there does, but for sending it.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		size, err := r.w.Size()
		if err != nil {
			return 0, err
		}
		offset += size
	}
	if offset < 0 {
		return 0, errors.New("bundle: seek to before the beginning")
	}
	if offset != r.at {
		_ = r.Close()
		r.at = offset
	}
	return offset, nil
}

// Close ends reading.
func (r *Reader) Close() error {
	if r.stop != nil {
		r.stop()
	}
	r.next, r.stop, r.rest = nil, nil, nil
	return nil
}

// writerFunc is a function as a writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// from yields the bytes of the file from offset on. A piece is valid up to the next.
func (w *Writer) from(offset int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := w.Write(writerFunc(func(p []byte) (int, error) {
			skip := min(offset, int64(len(p)))
			offset -= skip
			if int(skip) < len(p) && !yield(p[skip:], nil) {
				return 0, errEnough
			}
			return len(p), nil
		}))
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}
