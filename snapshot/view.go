package snapshot

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"sync/atomic"
)

// View is one immutable snapshot: the live entries of a checkpoint and the
// deltas above it. Close it when it is not needed any more.
type View struct {
	files  []*File    // the checkpoint, then deltas and aliases, oldest first
	end    uint32     // the highest SlotEnd of files
	dead   bitset     // places of the checkpoint's entries that are not live
	over   []*Entry   // live entries of the deltas, ascending by key
	refs   []entryRef // of over's chunks, by slot, then key, then chunk
	live   bitset     // slots that live entries use
	tail   []uint32   // those of them that the graph does not hold
	chunks int
	// graph is the place in files of the newest one with a graph, -1 for none.
	graph  int
	graphs bitset // slots that were live there
	closed atomic.Bool
}

// entryRef says that a chunk of an entry of View.over uses a slot.
type entryRef struct {
	slot  uint32
	chunk uint32
	entry *Entry
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

// held reports whether a live entry uses the slot, which gone, not live, used.
func (v *View) held(slot uint32, gone *Entry) bool {
	base := v.files[0]
	if gone.file == base && !base.shared.has(slot) || !base.slots.has(slot) {
		i := sort.Search(len(v.refs), func(i int) bool { return v.refs[i].slot >= slot })
		return i < len(v.refs) && v.refs[i].slot == slot
	}
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

// Overlay returns how many entries the deltas add to those of the checkpoint, or
// take away: what NewView goes through.
func (v *View) Overlay() int { return len(v.over) + v.dead.count }

// Len returns the number of live entries.
func (v *View) Len() int { return len(v.files[0].entries) - v.dead.count + len(v.over) }

// Chunks returns the number of chunks of the live entries.
func (v *View) Chunks() int { return v.chunks }

// Skipped returns the keys of documents that the snapshot does not hold as its
// commit does, because they could not be taken, ascending. The slice is shared.
func (v *View) Skipped() []Key {
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
	return int64(cap(v.over))*8 + int64(cap(v.refs))*16 + int64(cap(v.tail))*4 + v.dead.bytes() + v.live.bytes() + v.graphs.bytes()
}

// Lookup returns the live entry of that id, a string.
func (v *View) Lookup(id string) (*Entry, bool) { return v.LookupKey(Key{ID: id}) }

// LookupKey returns the live entry of that key.
func (v *View) LookupKey(k Key) (*Entry, bool) {
	if i, ok := v.overlaid(k); ok {
		return v.over[i], true
	}
	base := v.files[0]
	if i := base.find(k); i >= 0 && !v.dead.has(uint32(i)) {
		return &base.entries[i], true
	}
	return nil, false
}

// overlaid returns the place in v.over of the key, or where it would be.
func (v *View) overlaid(k Key) (i int, ok bool) {
	i = sort.Search(len(v.over), func(i int) bool { return v.over[i].Key().Compare(k) >= 0 })
	return i, i < len(v.over) && v.over[i].Key() == k
}

// Files yields the files that the view stands on, the checkpoint first.
func (v *View) Files() iter.Seq[*File] { return slices.Values(v.files) }

// Holds reports whether the entry, one of a file that the view stands on, is
// live.
func (v *View) Holds(e *Entry) bool {
	if e.file == v.files[0] {
		return !v.dead.has(e.place)
	}
	i, ok := v.overlaid(e.Key())
	return ok && v.over[i] == e
}

// All yields the live entries, ascending by key.
func (v *View) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		entries, next := v.files[0].entries, 0
		for i := range entries {
			if v.dead.has(uint32(i)) {
				continue
			}
			for ; next < len(v.over) && compareEntries(v.over[next], &entries[i]) < 0; next++ {
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
// chunk that does: those of the checkpoint, then those of the deltas,
// ascending by key in each. An entry comes once for each such chunk.
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

// Using returns the live entries that use one of the ascending slots, for a main
// vector or for another in the same file of vectors, ascending by key. Where there
// are such others, it goes through all entries.
func (v *View) Using(slots []uint32) []*Entry {
	if len(slots) == 0 {
		return nil
	}
	found := make(map[*Entry]struct{})
	for _, slot := range slots {
		for e := range v.Holders(slot) {
			found[e] = struct{}{}
		}
	}
	h := v.Header()
	for _, o := range h.Others {
		if o.Vecs != h.Vecs || o.SlotEnd == 0 {
			continue
		}
		for e := range v.All() {
			if slices.ContainsFunc(e.ChunksOf(o.Name), func(c Chunk) bool {
				_, used := slices.BinarySearch(slots, c.Slot)
				return used
			}) {
				found[e] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), compareEntries)
}

// Live reports whether a live entry uses the slot. It is cheap: two loads.
func (v *View) Live(slot uint32) bool { return v.live.has(slot) }

// Unreadable reports whether the model knows next to nothing of the text that the
// live slot stands for, so that its vector says nothing. It is false for all
// slots of files that were written before this was noted.
func (v *View) Unreadable(slot uint32) bool {
	return slices.ContainsFunc(v.files, func(f *File) bool { return f.unreadable.has(slot) })
}

// UnreadableSlots returns the live slots that Unreadable reports, ascending.
func (v *View) UnreadableSlots() (slots []uint32) {
	for _, f := range v.files {
		for slot := range f.unreadable.all() {
			if v.live.has(slot) {
				slots = append(slots, slot)
			}
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// LiveSlots yields the slots that live entries use, ascending.
func (v *View) LiveSlots() iter.Seq[uint32] { return v.live.all() }

// LiveCount returns the number of slots that live entries use.
func (v *View) LiveCount() int { return v.live.count }

// GraphFile returns the newest file of the chain that holds a graph over the main
// vectors; nil where none does.
func (v *View) GraphFile() *File {
	if v.graph < 0 {
		return nil
	}
	return v.files[v.graph]
}

// Tail returns the live slots that the graph of GraphFile does not hold,
// ascending. Without such a file it goes, as GraphLen, GraphDead and GraphSlots
// do, by the checkpoint, as if that had one. The slice is shared.
func (v *View) Tail() []uint32 { return v.tail }

// GraphLen returns the number of slots that the graph of GraphFile was to hold,
// live now or not. Vectors that could not be read then are not in it.
func (v *View) GraphLen() int { return v.graphs.count }

// GraphDead returns how many of the GraphLen slots are not live any more.
func (v *View) GraphDead() int { return v.graphs.count - (v.live.count - len(v.tail)) }

// GraphSlots yields the GraphLen slots, ascending.
func (v *View) GraphSlots() iter.Seq[uint32] { return v.graphs.all() }

// Text reads the text of an entry that a view has handed out. One whose file
// is not open any more cannot be read.
func (v *View) Text(e *Entry) (string, error) {
	if e.file == nil {
		return "", fmt.Errorf("snapshot: entry %q is in no file", e.ID)
	}
	return e.file.text(e)
}

// Texts yields the live entries with their texts, ascending by key. An error
// ends it.
func (v *View) Texts() iter.Seq2[EntryText, error] {
	return func(yield func(EntryText, error) bool) {
		for e := range v.All() {
			text, err := v.Text(e)
			if !yield(EntryText{Entry: *e, Text: text, Others: othersOf(e, v.Header().Others)}, err) || err != nil {
				return
			}
		}
	}
}

// othersOf returns the entry's chunks of those vectors; nil for none.
func othersOf(e *Entry, vectors []NamedVectors) [][]Chunk {
	var others [][]Chunk
	for i := range vectors {
		if chunks := e.ChunksOf(vectors[i].Name); len(chunks) > 0 {
			if others == nil {
				others = make([][]Chunk, len(vectors))
			}
			others[i] = chunks
		}
	}
	return others
}
