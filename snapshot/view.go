package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

// View is one immutable snapshot: the live entries of a checkpoint and the
// deltas above it. Close it when it is not needed any more.
type View struct {
	files  []*File // the checkpoint, then deltas and aliases, oldest first
	end    uint32  // the highest SlotEnd of files
	dead   bitset  // indexes of the checkpoint's entries that are not live
	over   []*Entry
	refs   []overRef
	live   bitset // slots that live entries use
	tail   []uint32
	chunks int
	closed atomic.Bool
}

// overRef says that a chunk of an entry of View.over uses a slot.
type overRef struct {
	slot  uint32
	chunk uint32
	entry *Entry
}

func compareRefs(a, b overRef) int {
	if a.slot != b.slot {
		return cmp.Compare(a.slot, b.slot)
	}
	if c := strings.Compare(a.entry.ID, b.entry.ID); c != 0 {
		return c
	}
	return cmp.Compare(a.chunk, b.chunk)
}

// NewView makes the view of the last file given: a checkpoint and the deltas
// and aliases above it, oldest first, each one's base being the commit before.
// It takes its own reference on each.
func NewView(checkpoint *File, deltas ...*File) (*View, error) {
	if checkpoint.header.Kind != Checkpoint {
		return nil, fmt.Errorf("snapshot: %s is no checkpoint to make a view of", checkpoint.name)
	}
	v := &View{files: []*File{checkpoint}, end: checkpoint.header.SlotEnd, live: checkpoint.slots.clone(), chunks: int(checkpoint.chunks)}
	v.live.owned = 0
	for _, d := range deltas {
		var err error
		if v, err = v.extend(d); err != nil {
			return nil, err
		}
	}
	if err := v.retain(); err != nil {
		return nil, err
	}
	return v, nil
}

// Extend makes the view of a delta or an alias on v's commit. It shares with v
// whatever the delta does not change, takes its own references, and leaves v as
// it is.
func (v *View) Extend(delta *File) (*View, error) {
	n, err := v.extend(delta)
	if err != nil {
		return nil, err
	}
	if err := n.retain(); err != nil {
		return nil, err
	}
	return n, nil
}

// retain takes a reference on every file.
func (v *View) retain() error {
	for i, f := range v.files {
		if !f.retain() {
			for _, g := range v.files[:i] {
				_ = g.release() // not the last one: its owner has it
			}
			return fmt.Errorf("snapshot: %s is closed", f.name)
		}
	}
	return nil
}

// Close gives the view's references back. The second Close does nothing.
func (v *View) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, f := range v.files {
		errs = append(errs, f.release())
	}
	return errors.Join(errs...)
}

// extend is Extend without taking references.
func (v *View) extend(d *File) (*View, error) {
	if err := v.fits(&d.header); err != nil {
		return nil, at(d.name, "chain", err)
	}
	base := v.files[0]
	n := &View{
		files:  append(slices.Clip(slices.Clone(v.files)), d),
		end:    max(v.end, d.header.SlotEnd),
		dead:   v.dead.clone(),
		live:   v.live.clone(),
		chunks: v.chunks + int(d.chunks),
	}
	// What d replaces or removes, in the checkpoint and in the overlay.
	gone := map[*Entry]bool{}
	drop := func(id string) {
		if e, ok := v.Lookup(id); ok {
			if e.file == base {
				n.dead.set(uint32(base.find(id)), true, &v.dead)
			}
			gone[e] = true
			n.chunks -= len(e.Chunks)
		}
	}
	for i := range d.entries {
		drop(d.entries[i].ID)
	}
	for _, id := range d.removed {
		drop(id)
	}

	n.over = make([]*Entry, 0, len(v.over)+len(d.entries))
	n.refs = make([]overRef, 0, len(v.refs)+len(d.refs))
	next := 0 // in d.entries
	for _, e := range v.over {
		for ; next < len(d.entries) && d.entries[next].ID < e.ID; next++ {
			n.over = append(n.over, &d.entries[next])
		}
		if !gone[e] {
			n.over = append(n.over, e)
		}
	}
	for ; next < len(d.entries); next++ {
		n.over = append(n.over, &d.entries[next])
	}
	for _, r := range v.refs {
		if !gone[r.entry] {
			n.refs = append(n.refs, r)
		}
	}
	for _, r := range d.refs {
		n.refs = append(n.refs, overRef{r.slot, r.chunk, &d.entries[r.entry]})
	}
	slices.SortFunc(n.refs, compareRefs)

	for _, r := range d.refs {
		n.live.set(r.slot, true, &v.live)
	}
	for e := range gone {
		for _, c := range e.Chunks {
			if !n.held(c.Slot) {
				n.live.set(c.Slot, false, &v.live)
			}
		}
	}
	for i, r := range n.refs {
		if (i == 0 || n.refs[i-1].slot != r.slot) && !base.slots.has(r.slot) {
			n.tail = append(n.tail, r.slot)
		}
	}
	if h := &d.header; n.Len() != int(h.Documents) || n.chunks != int(h.Chunks) {
		return nil, at(d.name, "chain", badf("%d documents with %d chunks, the header counts %d and %d",
			n.Len(), n.chunks, h.Documents, h.Chunks))
	}
	return n, nil
}

// fits returns the reason why a file with that header does not stand on v.
func (v *View) fits(h *Header) error {
	top := v.Header()
	switch {
	case h.Kind != Delta && h.Kind != Alias:
		return badf("a %v stands on nothing", h.Kind)
	case h.Domain != top.Domain || h.Base != top.Commit:
		return badf("it stands on commit %q of %q, not on %q of %q", h.Base, h.Domain, top.Commit, top.Domain)
	case v.end > 0 && (h.Fingerprint != top.Fingerprint || h.Dim != top.Dim || h.Vecs != top.Vecs):
		return badf("its model or its file of vectors is not that of its base")
	case h.Settings != top.Settings:
		return badf("its settings are not those of its base")
	}
	return nil
}

// held reports whether a live entry uses the slot.
func (v *View) held(slot uint32) bool {
	for range v.Holders(slot) {
		return true
	}
	return false
}

// Header returns the header of the view's commit.
func (v *View) Header() Header { return v.files[len(v.files)-1].header }

// Checkpoint returns the file at the bottom; it stays open at least as long as
// the view.
func (v *View) Checkpoint() *File { return v.files[0] }

// Deltas returns the number of files above the checkpoint.
func (v *View) Deltas() int { return len(v.files) - 1 }

// Len returns the number of live entries.
func (v *View) Len() int { return len(v.files[0].entries) - v.dead.count + len(v.over) }

// Chunks returns the number of chunks of the live entries.
func (v *View) Chunks() int { return v.chunks }

// Skipped returns the ids of documents that the snapshot does not hold as its
// commit does, because they could not be taken, ascending. The slice is shared.
func (v *View) Skipped() []string {
	top := len(v.files) - 1
	for v.files[top].header.Kind == Alias {
		top--
	}
	return v.files[top].skipped
}

// SlotEnd returns 1 + the highest slot that the view or what it stands on
// refers to.
func (v *View) SlotEnd() uint32 { return v.end }

// Bytes returns about how many bytes of memory the view takes, without the files
// that it stands on. Pages shared with other views are counted in each.
func (v *View) Bytes() int64 {
	return int64(cap(v.over))*8 + int64(cap(v.refs))*16 + int64(cap(v.tail))*4 + v.dead.bytes() + v.live.bytes()
}

// Lookup returns the live entry of that id.
func (v *View) Lookup(id string) (*Entry, bool) {
	if i := sort.Search(len(v.over), func(i int) bool { return v.over[i].ID >= id }); i < len(v.over) && v.over[i].ID == id {
		return v.over[i], true
	}
	base := v.files[0]
	if i := base.find(id); i >= 0 && !v.dead.has(uint32(i)) {
		return &base.entries[i], true
	}
	return nil, false
}

// Files yields the files that the view stands on, the checkpoint first.
func (v *View) Files() iter.Seq[*File] { return slices.Values(v.files) }

// Holds reports whether the entry, one of a file that the view stands on, is
// live.
func (v *View) Holds(e *Entry) bool {
	if e.file == v.files[0] {
		return !v.dead.has(e.place)
	}
	i := sort.Search(len(v.over), func(i int) bool { return v.over[i].ID >= e.ID })
	return i < len(v.over) && v.over[i] == e
}

// All yields the live entries, ids ascending.
func (v *View) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		entries, next := v.files[0].entries, 0
		for i := range entries {
			if v.dead.has(uint32(i)) {
				continue
			}
			for ; next < len(v.over) && v.over[next].ID < entries[i].ID; next++ {
				if !yield(v.over[next]) {
					return
				}
			}
			if !yield(&entries[i]) {
				return
			}
		}
		for _, e := range v.over[next:] {
			if !yield(e) {
				return
			}
		}
	}
}

// Holders yields the live entries that use the slot, with the index of the
// chunk that does: those of the checkpoint, then those of the deltas, ids
// ascending in each. An entry comes once for each such chunk.
func (v *View) Holders(slot uint32) iter.Seq2[*Entry, int] {
	return func(yield func(*Entry, int) bool) {
		base := v.files[0]
		for _, r := range base.holders(slot) {
			if !v.dead.has(r.entry) && !yield(&base.entries[r.entry], int(r.chunk)) {
				return
			}
		}
		i := sort.Search(len(v.refs), func(i int) bool { return v.refs[i].slot >= slot })
		for ; i < len(v.refs) && v.refs[i].slot == slot; i++ {
			if !yield(v.refs[i].entry, int(v.refs[i].chunk)) {
				return
			}
		}
	}
}

// Live reports whether a live entry uses the slot. It is cheap: two loads.
func (v *View) Live(slot uint32) bool { return v.live.has(slot) }

// LiveSlots yields the slots that live entries use, ascending.
func (v *View) LiveSlots() iter.Seq[uint32] { return v.live.all() }

// LiveCount returns the number of slots that live entries use.
func (v *View) LiveCount() int { return v.live.count }

// Tail returns the live slots that the checkpoint's entries do not use,
// ascending: those that its graph cannot know. The slice is shared.
func (v *View) Tail() []uint32 { return v.tail }

// CheckpointSlots returns the distinct slots of the checkpoint's entries, live
// or not, ascending: those its graph is built over. The slice is the caller's.
func (v *View) CheckpointSlots() []uint32 {
	slots := &v.files[0].slots
	return slices.AppendSeq(make([]uint32, 0, slots.count), slots.all())
}

// Text reads the text of an entry that a view has handed out. One whose file
// is not open any more cannot be read.
func (v *View) Text(e *Entry) (string, error) {
	if e.file == nil {
		return "", fmt.Errorf("snapshot: entry %q is in no file", e.ID)
	}
	return e.file.text(e)
}

// Texts yields the live entries with their texts, ids ascending. An error ends
// it.
func (v *View) Texts() iter.Seq2[EntryText, error] {
	return func(yield func(EntryText, error) bool) {
		for e := range v.All() {
			text, err := v.Text(e)
			if !yield(EntryText{Entry: *e, Text: text}, err) || err != nil {
				return
			}
		}
	}
}

// WriteDelta writes the delta that turns v into the snapshot of h.Commit, as
// Write does. Of the header it sets the kind, the domain, the base and all
// counts of what is live, and the settings; model and vectors are v's as soon as v has any.
// c.Removed may name ids in any order, twice, or ones that v does not hold.
func (v *View) WriteDelta(fsys vfs.FS, h Header, c Contents) (Header, int64, error) {
	top := v.Header()
	h.Kind, h.Domain, h.Base = Delta, top.Domain, top.Commit
	h.SlotEnd, h.Settings = max(h.SlotEnd, v.end), top.Settings
	if v.end > 0 {
		h.Fingerprint, h.Dim, h.Vecs = top.Fingerprint, top.Dim, top.Vecs
	}
	documents, chunks := v.Len(), v.chunks
	drop := func(id string) bool {
		e, ok := v.Lookup(id)
		if ok {
			documents--
			chunks -= len(e.Chunks)
		}
		return ok
	}
	removed := slices.Compact(slices.Sorted(slices.Values(c.Removed)))
	c.Removed = slices.DeleteFunc(removed, func(id string) bool { return !drop(id) })
	changed := c.Changed
	c.Changed = func(yield func(EntryText, error) bool) {
		if changed == nil {
			return
		}
		for et, err := range changed {
			drop(et.ID)
			documents++
			chunks += len(et.Chunks)
			if !yield(et, err) {
				return
			}
		}
	}
	h.Documents, h.Chunks = 0, 0
	return write(fsys, h, c, func(h *Header) {
		h.Documents, h.Chunks = uint32(documents), uint32(chunks)
	})
}

// WriteAlias writes the alias that makes h.Commit another name of v's commit,
// as Write does. Of the header it takes Commit, Branch, Seq and Created.
func (v *View) WriteAlias(fsys vfs.FS, h Header) (Header, int64, error) {
	top := v.Header()
	return Write(fsys, Header{
		Kind: Alias, Domain: top.Domain, Base: top.Commit,
		Commit: h.Commit, Branch: h.Branch, Seq: h.Seq, Created: h.Created,
		Fingerprint: top.Fingerprint, Dim: top.Dim, Vecs: top.Vecs, SlotEnd: v.end, Settings: top.Settings,
		Documents: top.Documents, Chunks: top.Chunks,
	}, Contents{})
}

// WriteCheckpoint replaces the file of v's commit, of whatever kind, by a
// checkpoint of the same contents with that graph (nil for none), as Write
// does. The commit then stands on no other. v and other open views go on as
// they are.
func (v *View) WriteCheckpoint(fsys vfs.FS, graph []byte) (Header, int64, error) {
	p, err := v.PrepareCheckpoint(fsys, graph)
	if err != nil {
		return v.Header(), 0, err
	}
	return p.Commit()
}

// PrepareCheckpoint does the long part of WriteCheckpoint: all but to put the
// file into its place.
func (v *View) PrepareCheckpoint(fsys vfs.FS, graph []byte) (*Prepared, error) {
	h := v.Header()
	h.Kind = Checkpoint
	return prepare(fsys, h, Contents{Changed: v.Texts(), Skipped: v.Skipped(), Graph: graph}, nil)
}
