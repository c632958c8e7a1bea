package search

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// openText is the full text of one commit file in the pool, shared by every
// snapshot whose chain has the file. A file's chunks are numbered entry by
// entry, each entry's in their order.
type openText struct {
	segment *textindex.Segment
	lost    []string // ids of entries whose texts cannot be read
	cause   error    // why
	starts  []uint32 // number of the first chunk of each entry
	owners  []uint32 // index of the entry of each chunk
}

func (t *openText) size() int64 {
	return t.segment.Bytes() + 4*int64(len(t.starts)) + 4*int64(len(t.owners))
}

func (t *openText) close() {}

// textPart is the full text of one file of a snapshot's chain. Its entries are
// those of the snapshot's own opening of the file: they are told apart by where
// they are, and the full text may have been made by way of another opening.
type textPart struct {
	*openText
	file *snapshot.File
}

// owner returns the entry that a chunk belongs to, and its index there.
func (p *textPart) owner(chunk uint32) (*snapshot.Entry, int) {
	i := p.owners[chunk]
	return &p.file.Entries()[i], int(chunk - p.starts[i])
}

// textView is the full text of one snapshot.
type textView struct {
	index *textindex.Index
	parts []textPart
}

// place returns where the index has a chunk.
func (v *textView) place(c scored) textindex.Place {
	i := slices.IndexFunc(v.parts, func(p textPart) bool { return p.file == c.entry.File() })
	return textindex.Place{Part: i, Chunk: v.parts[i].starts[c.entry.Place()] + uint32(c.chunk)}
}

// textKey names a commit file's full text in the pool. The file's ID is part
// of it because a merge puts another file under the name.
func textKey(info snapshot.Info) string { return fmt.Sprint("text\x00", info.Name(), "\x00", info.ID) }

// PrepareText has the snapshot's full text at hand, so that the first search by
// words does not wait for it.
func (r *Reader) PrepareText(ctx context.Context, s *Snapshot) error {
	_, err := r.text(ctx, s)
	return err
}

// text returns the snapshot's full text, opened at its first use: searches by
// vector do without it.
func (r *Reader) text(ctx context.Context, s *Snapshot) (*textView, error) {
	s.textMu.Lock()
	defer s.textMu.Unlock()
	if s.text != nil {
		return s.text, nil
	}
	v := &textView{}
	var leases []*lease
	fail := func(err error) (*textView, error) {
		for _, l := range leases {
			l.release()
		}
		return nil, err
	}
	// s.files is the chain from the commit down to its checkpoint.
	for _, file := range slices.Backward(s.files) {
		l, err := r.leaseText(ctx, file)
		if err != nil {
			return fail(err)
		}
		leases = append(leases, l)
		part := textPart{l.res.(*openText), file.res.(*openFile).file}
		v.parts = append(v.parts, part)
	}
	parts := make([]textindex.Part, len(v.parts))
	for i := range parts {
		p := &v.parts[i]
		parts[i] = textindex.Part{Segment: p.segment, Dead: p.dead(v.parts[i+1:]), Documents: p.owners}
	}
	var err error
	if v.index, err = textindex.NewIndex(parts...); err != nil {
		return fail(err)
	}
	for i := range v.parts {
		v.parts[i].report(s)
	}
	s.text, s.texts = v, leases
	return v, nil
}

// report tells the snapshot which of its documents p does without.
func (p *textPart) report(s *Snapshot) {
	for _, id := range p.lost {
		if e, ok := s.view.Lookup(id); ok && e.File() == p.file {
			s.noteText(id, p.cause)
		}
	}
}

// dead returns the chunks of p whose entries the files above change or remove.
func (p *textPart) dead(above []textPart) *textindex.Bitmap {
	var dead textindex.Bitmap
	entries := p.file.Entries()
	drop := func(id string) {
		i := sort.Search(len(entries), func(i int) bool { return entries[i].ID >= id })
		if i < len(entries) && entries[i].ID == id {
			dead.AddRange(uint64(p.starts[i]), uint64(p.starts[i])+uint64(len(entries[i].Chunks)))
		}
	}
	for _, a := range above {
		for i := range a.file.Entries() {
			drop(a.file.Entries()[i].ID)
		}
		for _, k := range a.file.Removed() {
			drop(k.ID)
		}
	}
	if dead.IsEmpty() {
		return nil
	}
	return &dead
}

// leaseText leases the full text of a commit file: from its own file, or made
// again where that is missing, stale or damaged.
func (r *Reader) leaseText(ctx context.Context, file *lease) (*lease, error) {
	f := file.res.(*openFile).file
	h := f.Header()
	settings, err := catalog.ParseSettings(h.Settings)
	if err != nil {
		return nil, err
	}
	return r.pool.acquire(ctx, textKey(f.Info()), func() (resource, error) {
		id := textindex.Identity{
			Domain: h.Domain, Commit: h.Commit, Seq: h.Seq,
			Checkpoint: h.Kind == snapshot.Checkpoint, Content: textContent(f), Analyzer: settings.Language,
		}
		var t openText
		seg, err := textindex.Open(r.cfg.FS, id)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				r.log.Info("rebuilding full-text index", "domain", h.Domain, "commit", h.Commit, "why", err)
			}
			if seg, err = r.makeText(f, id, &t); err != nil {
				return nil, err
			}
		}
		t.segment, t.starts = seg, make([]uint32, len(f.Entries()))
		t.owners = make([]uint32, 0, seg.Count())
		for i := range f.Entries() {
			t.starts[i] = uint32(len(t.owners))
			for range f.Entries()[i].Chunks {
				t.owners = append(t.owners, uint32(i))
			}
		}
		if n := len(t.owners); n != int(seg.Count()) {
			return nil, fmt.Errorf("full text of %s has %d chunks, the commit file %d", f.Name(), seg.Count(), n)
		}
		return &t, nil
	})
}

// textContent is a hash over the texts of a file and where they are cut.
func textContent(f *snapshot.File) uint64 {
	h := sha256.New()
	var b []byte
	for i := range f.Entries() {
		e := &f.Entries()[i]
		b = append(b[:0], e.TextHash[:]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Chunks)))
		for _, c := range e.Chunks {
			b = binary.LittleEndian.AppendUint32(b, c.Start)
			b = binary.LittleEndian.AppendUint32(b, c.End)
		}
		h.Write(b)
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// makeText builds the full text of a commit file and keeps it in a file of its own,
// for the next opening. Where that fails the search goes on.
func (r *Reader) makeText(f *snapshot.File, id textindex.Identity, t *openText) (*textindex.Segment, error) {
	seg, err := textindex.Build(id, func(yield func(string, error) bool) {
		for i := range f.Entries() {
			e := &f.Entries()[i]
			text, err := f.Text(e)
			if errors.Is(err, snapshot.ErrCorrupt) {
				t.lost, t.cause = append(t.lost, e.ID), err
				text = strings.Repeat(" ", int(e.TextLen)) // no words
			} else if err != nil {
				yield("", err)
				return
			}
			for _, c := range e.Chunks {
				if !yield(text[c.Start:c.End], nil) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if len(t.lost) > 0 || r.cfg.ReadOnly {
		return seg, nil // with texts lost it is built again when they are back
	}
	if err := seg.Write(r.cfg.FS); err != nil {
		// It can be made again at any time.
		r.log.Warn("full text was not kept", "domain", id.Domain, "commit", id.Commit, "err", err)
	}
	return seg, nil
}

func compareChunks(a, b scored) int {
	if c := compareScored(a, b); c != 0 {
		return c
	}
	return cmp.Compare(a.chunk, b.chunk)
}

// textChunks returns the k chunks that the query matches best, or all that
// match if there are fewer, and the scores of others. The distance is 1/(1+BM25).
func (r *Reader) textChunks(ctx context.Context, s *Snapshot, words textindex.Query, among *Selection, k int, others ...scored) (found []scored, scores []float32, err error) {
	defer timed(ctx, PartWords)()
	v, err := r.text(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	places := make([]textindex.Place, len(others))
	for i, c := range others {
		places[i] = v.place(c)
	}
	var admit func(part int, chunk uint32) bool
	if among != nil {
		admit = func(part int, chunk uint32) bool {
			e, _ := v.parts[part].owner(chunk)
			return among.Admits(e)
		}
	}
	hits, scores, err := v.index.SearchAnd(ctx, words, k, admit, places)
	if err != nil {
		return nil, nil, textError(err)
	}
	out := make([]scored, len(hits))
	for i, h := range hits {
		e, chunk := v.parts[h.Part].owner(h.Chunk)
		out[i] = scored{entry: e, chunk: chunk, distance: 1 / (1 + h.Score), score: h.Score, found: FoundWords, matched: h.Matched}
	}
	slices.SortFunc(out, compareChunks)
	return out[:min(k, len(out))], scores, nil
}

// unanalyzed returns warnings of the words of a query that the snapshot's
// language knows no forms of.
func (s *Snapshot) unanalyzed(q textindex.Query) (warnings []string) {
	for _, script := range textindex.Unanalyzed(s.settings.Language, q.Words()) {
		warnings = append(warnings, fmt.Sprintf("words in %s script are found as they are written and in no other form: full text of this database is analysed as language=%s", script, s.settings.Language))
	}
	return warnings
}

// textError makes a mistake in a query the caller's.
func textError(err error) error {
	if wrong, ok := errors.AsType[*textindex.SyntaxError](err); ok {
		return fmt.Errorf("%w: q: %w", contract.ErrInvalid, wrong)
	}
	return err
}

// conditions returns what the query selects, narrowed to the documents that
// have what its words require and nothing that they exclude.
func (r *Reader) conditions(ctx context.Context, s *Snapshot, q query) (*Selection, error) {
	defer timed(ctx, PartWords)()
	v, err := r.text(ctx, s)
	if err != nil {
		return nil, err
	}
	documents, ok, err := v.index.Conditions(ctx, q.words)
	if err != nil || !ok {
		return q.among, textError(err)
	}
	l := &Selection{slots: make([]uint64, (int(s.view.SlotEnd())+63)/64)}
	for i, t := range v.parts {
		file := t.file
		places := q.among.places(file)
		if documents.Others {
			places.AndNot(documents.Parts[i])
		} else {
			places.And(documents.Parts[i])
		}
		l.add(s.view, file, places, nil)
	}
	l.finish(s)
	return l, nil
}

// searchText ranks by words alone: documents by their best chunk.
func (r *Reader) searchText(ctx context.Context, s *Snapshot, q query) ([]Hit, error) {
	need := q.Page.Start + q.Page.Count
	for k := need; ; k *= 2 {
		chunks, _, err := r.textChunks(ctx, s, q.words, q.among, k)
		if err != nil {
			return nil, err
		}
		// In order, so a document's first chunk is its best.
		var ranked []scored
		seen := make(map[*snapshot.Entry]struct{}, len(chunks))
		for _, c := range chunks {
			if _, ok := seen[c.entry]; !ok {
				seen[c.entry] = struct{}{}
				ranked = append(ranked, c)
			}
		}
		if len(ranked) >= need || len(chunks) < k {
			return s.page(ctx, ranked, q)
		}
	}
}
