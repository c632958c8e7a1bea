package snapshot

import (
	"fmt"
	"slices"
	"sort"
)

// NewView makes the view of the last file given: a checkpoint and the deltas
// and aliases above it, oldest first, each on the one before.
// It takes its own reference on each.
func NewView(checkpoint *File, deltas ...*File) (*View, error) {
	v, err := newView(checkpoint, deltas)
	if err != nil {
		return nil, err
	}
	if err := v.retain(); err != nil {
		return nil, err
	}
	return v, nil
}

// Extend makes the view of a delta or an alias whose base is v's commit. The
// delta may stand on one of v's files other than the last: it then says again
// what those above that one say, and the view does without them. It shares with
// v whatever the delta does not change, takes its own references, and leaves v
// as it is.
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

// newView is NewView without taking references.
func newView(base *File, deltas []*File) (*View, error) {
	if base.header.Kind != Checkpoint {
		return nil, fmt.Errorf("snapshot: %s is no checkpoint to make a view of", base.name)
	}
	v := &View{files: []*File{base}, end: base.header.SlotEnd, live: base.slots.clone(), chunks: int(base.chunks)}
	v.live.owned = 0
	v.graph, v.graphs = -1, v.live
	if base.header.Graph {
		v.graph = 0
	}
	// All deltas at once, or those up to the newest graph and then the others:
	// what was live where it was made must be known.
	for len(deltas) > 0 {
		n := len(deltas)
		for i := n; i > 0; i-- {
			if deltas[i-1].header.Graph {
				n = i
				break
			}
		}
		files := slices.Clone(v.files)
		for _, d := range deltas[:n] {
			if err := fits(files, d); err != nil {
				return nil, at(d.name, "chain", err)
			}
			files = append(files, d)
		}
		var err error
		if v, err = v.overlay(files, flatten(deltas[:n]), nil); err != nil {
			return nil, err
		}
		deltas = deltas[n:]
	}
	return v, nil
}

// extend is Extend without taking references.
func (v *View) extend(d *File) (*View, error) {
	on := len(v.files) - 1
	for on > 0 && v.files[on].header.Commit != d.header.On {
		on--
	}
	files, absorbed := v.files[:on+1:on+1], v.files[on+1:]
	if err := fits(files, d); err != nil {
		return nil, at(d.name, "chain", err)
	}
	if top := v.Header().Commit; len(absorbed) > 0 && d.header.Base != top {
		return nil, at(d.name, "chain", badf("its base is commit %q, not %q", d.header.Base, top))
	}
	if v.graph > on {
		return newView(files[0], append(slices.Clone(files[1:]), d)) // what an older graph holds is not known
	}
	return v.overlay(append(files, d), flatten([]*File{d}), absorbed)
}

// fits returns the reason why the file does not belong above the last of those.
func fits(files []*File, d *File) error {
	h, on := &d.header, files[len(files)-1]
	top, end := &on.header, uint32(0)
	for _, f := range files {
		end = max(end, f.header.SlotEnd)
	}
	switch {
	case h.Kind != Delta && h.Kind != Alias:
		return badf("a %v stands on nothing", h.Kind)
	case h.Domain != top.Domain || h.On != top.Commit:
		return badf("it stands on commit %q of %q, not on %q of %q", h.On, h.Domain, top.Commit, top.Domain)
	case end > 0 && (h.Fingerprint != top.Fingerprint || h.Dim != top.Dim || h.Vecs != top.Vecs),
		// Files of before version 3 do not say.
		end > 0 && h.Metric != "" && top.Metric != "" && (h.Metric != top.Metric || h.Normalized != top.Normalized):
		return badf("its model or its file of vectors is not that of its base")
	case h.Settings != top.Settings:
		return badf("its settings are not those of its base")
	}
	return nil
}

// change is what files say of a key: its entry, or nil where it is removed.
type change struct {
	key   Key
	entry *Entry
}

// flatten returns what the files say, oldest first, each key once.
func flatten(files []*File) []change {
	if len(files) > 1 {
		half := len(files) / 2
		return mergeChanges(flatten(files[:half]), flatten(files[half:]))
	}
	f := files[0]
	entries := make([]change, len(f.entries))
	for i := range f.entries {
		entries[i] = change{f.entries[i].Key(), &f.entries[i]}
	}
	if len(f.removed) == 0 {
		return entries
	}
	removed := make([]change, len(f.removed))
	for i, k := range f.removed {
		removed[i].key = k
	}
	return mergeChanges(entries, removed)
}

// mergeChanges merges two lists; where both have a key, the newer one's counts.
func mergeChanges(old, newer []change) []change {
	merged := make([]change, 0, len(old)+len(newer))
	for len(old) > 0 && len(newer) > 0 {
		switch c := old[0].key.Compare(newer[0].key); {
		case c < 0:
			merged, old = append(merged, old[0]), old[1:]
		default:
			if c == 0 {
				old = old[1:]
			}
			merged, newer = append(merged, newer[0]), newer[1:]
		}
	}
	return append(append(merged, old...), newer...)
}

// overlay returns the view of files: what v says, without what absorbed, its
// last files, say, and with the changes. The changes say again what absorbed
// hides or removes below.
func (v *View) overlay(files []*File, changes []change, absorbed []*File) (*View, error) {
	base, top := v.files[0], files[len(files)-1]
	n := &View{
		files: files,
		dead:  v.dead.clone(), live: v.live.clone(), chunks: v.chunks, graph: v.graph, graphs: v.graphs,
	}
	for _, f := range files {
		n.end = max(n.end, f.header.SlotEnd)
	}
	var gone []*Entry // live in v, and not in n
	var drop []int    // places of those in v.over
	put := make([]insertion[*Entry], 0, len(changes))
	for _, f := range absorbed {
		for i := range f.entries {
			if at, ok := v.overlaid(f.entries[i].Key()); ok && v.over[at] == &f.entries[i] {
				drop, gone = append(drop, at), append(gone, v.over[at])
			}
		}
	}
	place := 0 // in base.entries
	for _, c := range changes {
		at, ok := v.overlaid(c.key)
		if ok && !slices.Contains(absorbed, v.over[at].file) {
			drop, gone = append(drop, at), append(gone, v.over[at])
		}
		place = base.seek(place, c.key)
		if place < len(base.entries) && !v.dead.has(uint32(place)) && base.entries[place].Key() == c.key {
			n.dead.set(uint32(place), true, &v.dead)
			gone = append(gone, &base.entries[place])
		}
		if c.entry != nil {
			put = append(put, insertion[*Entry]{at, c.entry})
			n.chunks += len(c.entry.Chunks)
		}
	}
	slices.Sort(drop)
	n.over = splice(v.over, drop, put)
	n.spliceRefs(v, gone, put)

	for _, in := range put {
		for _, c := range in.value.Chunks {
			n.live.set(c.Slot, true, &v.live)
		}
	}
	for _, e := range gone {
		n.chunks -= len(e.Chunks)
		for _, c := range e.Chunks {
			if !n.held(c.Slot, e) {
				n.live.set(c.Slot, false, &v.live)
			}
		}
	}
	if top.header.Graph {
		n.graph, n.graphs = len(files)-1, n.live
	} else {
		for i, r := range n.refs {
			if (i == 0 || n.refs[i-1].slot != r.slot) && !n.graphs.has(r.slot) {
				n.tail = append(n.tail, r.slot)
			}
		}
	}
	if h := &top.header; n.Len() != int(h.Documents) || n.chunks != int(h.Chunks) {
		return nil, at(top.name, "chain", badf("%d documents with %d chunks, the header counts %d and %d",
			n.Len(), n.chunks, h.Documents, h.Chunks))
	}
	return n, nil
}

// spliceRefs makes n.refs of v's: without those of the entries gone, with those
// of the entries put.
func (n *View) spliceRefs(v *View, gone []*Entry, put []insertion[*Entry]) {
	var drop []int
	for _, e := range gone {
		if e.file == v.files[0] {
			continue
		}
		for i := range e.Chunks {
			drop = append(drop, v.refAt(entryRef{e.Chunks[i].Slot, uint32(i), e}))
		}
	}
	slices.Sort(drop)
	added := make([]entryRef, 0, len(put))
	for _, in := range put {
		for i := range in.value.Chunks {
			added = append(added, entryRef{in.value.Chunks[i].Slot, uint32(i), in.value})
		}
	}
	// They come by key and chunk, as those of one slot have to.
	added = sortBySlot(added, func(r entryRef) uint32 { return r.slot })
	places := make([]insertion[entryRef], len(added))
	for i, r := range added {
		places[i] = insertion[entryRef]{v.refAt(r), r}
	}
	n.refs = splice(v.refs, drop, places)
}

// refAt returns the place of a ref in v.refs, or where it would be.
func (v *View) refAt(r entryRef) int {
	return sort.Search(len(v.refs), func(i int) bool {
		o := &v.refs[i]
		if o.slot != r.slot {
			return o.slot > r.slot
		}
		if c := compareEntries(o.entry, r.entry); c != 0 {
			return c > 0
		}
		return o.chunk >= r.chunk
	})
}

// insertion is a value that comes before what is at a place.
type insertion[T any] struct {
	at    int
	value T
}

// splice returns list without what is at the places drop, ascending, and with
// what is put, ascending by place. It copies what lies between as it is.
func splice[T any](list []T, drop []int, put []insertion[T]) []T {
	out := make([]T, 0, len(list)-len(drop)+len(put))
	next := 0
	for len(drop) > 0 || len(put) > 0 {
		if len(drop) == 0 || len(put) > 0 && put[0].at <= drop[0] {
			out = append(append(out, list[next:put[0].at]...), put[0].value)
			next, put = put[0].at, put[1:]
			continue
		}
		out = append(out, list[next:drop[0]]...)
		next, drop = drop[0]+1, drop[1:]
	}
	return append(out, list[next:]...)
}

// seek returns the place of the first entry from start on whose key is not below
// k. It is quick where that is near.
func (f *File) seek(start int, k Key) int {
	below := func(i int) bool { return compareKeys(f.entries[i].ID, f.entries[i].Int, k.ID, k.Int) < 0 }
	low, step := start, 1
	for low+step-1 < len(f.entries) && below(low+step-1) {
		low += step
		step *= 2
	}
	high := min(low+step-1, len(f.entries))
	return low + sort.Search(high-low, func(i int) bool { return !below(low + i) })
}
