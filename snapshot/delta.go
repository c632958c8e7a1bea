package snapshot

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// tierBase is T of the tiers, by which deltas absorb those below as the
	// levels of a log-structured merge tree do: a delta of n entries is of tier
	// log T of n, and where T−1 files of no higher tier lie below, the new one
	// says again what they say. So a chain has about T−1 files a tier, and an
	// entry is written again once a tier. With 4, 1,000 commits of one document
	// make a chain of up to 14 files and write 3.8 entries for each; 2 would
	// give shorter chains and write more, 8 the other way round.
	tierBase = 4
	// smallSnapshot is the number of documents up to which a snapshot is
	// written whole when a delta would hold a large part of it.
	smallSnapshot = 4096
	// largePart is that part: one of so many.
	largePart = 8
)

// tier returns the tier of a delta of n entries: log T of n.
func tier(n int) int { return max(bits.Len(uint(n))-1, 0) / (bits.Len(uint(tierBase)) - 1) }

// tierSize returns what the file counts for its tier.
func (f *File) tierSize() int { return len(f.entries) + len(f.removed) }

// WriteDelta writes the file that turns v into the snapshot of h.Commit, as
// Write does. Of the header it sets the kind, the domain, the base, what the file
// stands on, all counts of what is live, and the settings; model and vectors are
// v's as soon as v has any. c.Removed may name keys in any order, twice, or ones
// that v does not hold.
//
// Chains stay short: the delta says again what the last files of v's chain say
// and stands on the one below them, when there are several that are not larger.
// It passes over no checkpoint, no file with a graph, and none of the commit
// keep, for whose file others are waiting. Instead of a delta that would hold a
// large part of a small snapshot it writes a checkpoint. Where a text that would
// be written again is damaged, it writes a delta on v's commit alone.
func (v *View) WriteDelta(fsys vfs.FS, h Header, c Contents, keep string) (Info, error) {
	top := v.Header()
	h.Kind, h.Domain, h.Base, h.Settings = Delta, top.Domain, top.Commit, top.Settings
	if v.end > 0 {
		h.Fingerprint, h.Dim, h.Vecs = top.Fingerprint, top.Dim, top.Vecs
		if top.Metric != "" {
			h.Metric, h.Normalized = top.Metric, top.Normalized
		}
	}
	h.inheritOthers(&top)
	c.Removed = slices.DeleteFunc(sortedKeys(c.Removed), func(k Key) bool { _, ok := v.LookupKey(k); return !ok })
	if c.Changed == nil {
		c.Changed = func(func(EntryText, error) bool) {}
	}
	on, whole := v.choose(c.Count+len(c.Removed), c.Count, keep)
	info, err := v.writeOn(fsys, h, c, on, whole)
	if damage, ok := errors.AsType[*CorruptError](err); ok && damage.Section == "texts" {
		if plain := v.solid(); plain != on || whole {
			info, err = v.writeOn(fsys, h, c, plain, false)
		}
	}
	return info, err
}

// WriteWhole writes a checkpoint of what WriteDelta would have the snapshot of
// h.Commit be, v with the changes, as Write does. Of the header it sets the kind,
// what is counted, and takes over the vectors beside the main ones that v has.
func (v *View) WriteWhole(fsys vfs.FS, h Header, c Contents) (Info, error) {
	top := v.Header()
	h.Kind = Checkpoint
	h.inheritOthers(&top)
	c.Removed = sortedKeys(c.Removed)
	if c.Changed == nil {
		c.Changed = func(func(EntryText, error) bool) {}
	}
	return v.writeOn(fsys, h, c, v.solid(), true)
}

// inheritOthers takes over the vectors beside the main ones that top has.
func (h *Header) inheritOthers(top *Header) {
	h.Others = slices.Clone(h.Others)
	for _, o := range top.Others {
		if i := h.other(o.Name); i < 0 {
			h.Others = append(h.Others, o)
		} else if n := &h.Others[i].Vectors; o.SlotEnd > 0 {
			end := max(n.SlotEnd, o.SlotEnd)
			*n = o.Vectors
			n.SlotEnd = end
		}
	}
}

// solid returns the place of the last file that is no alias.
func (v *View) solid() int {
	on := len(v.files) - 1
	for v.files[on].header.Kind == Alias {
		on--
	}
	return on
}

// choose returns the place of the file on which a delta of n entries shall
// stand, and whether it shall be a checkpoint instead; at most added documents
// come to the snapshot.
func (v *View) choose(n, added int, keep string) (on int, whole bool) {
	on = v.solid()
	for {
		// The next T−1 files, passing over aliases.
		below, files, entries := on, 0, 0
		for ; files < tierBase-1; below-- {
			f := v.files[below]
			switch {
			case f.header.Kind == Alias:
				continue
			case below == 0 || f.header.Graph || f.header.Commit == keep || tier(f.tierSize()) > tier(n):
				return on, false
			}
			files++
			entries += f.tierSize()
		}
		for v.files[below].header.Kind == Alias {
			below--
		}
		on, n = below, n+entries
		if v.graph < 0 && v.Len()+added <= smallSnapshot && n*largePart >= v.Len() && !v.stands(keep) {
			return on, true
		}
	}
}

// stands reports whether a file of that commit is in the chain.
func (v *View) stands(commit string) bool {
	return slices.ContainsFunc(v.files, func(f *File) bool { return f.header.Commit == commit })
}

// writeOn writes what WriteDelta does, on the file at that place, or whole.
func (v *View) writeOn(fsys vfs.FS, h Header, c Contents, on int, whole bool) (Info, error) {
	h.On, h.SlotEnd = v.files[on].header.Commit, max(h.SlotEnd, v.end)
	added := c.Unreadable
	c.Unreadable = func(slot uint32) bool { return v.Unreadable(slot) || added != nil && added(slot) }
	absorbed := v.files[on+1:]
	again := v.liveOf(absorbed)
	if whole {
		h.Kind, h.On, again = Checkpoint, "", slices.Collect(v.All())
	} else {
		c.hidden = v.hidden(on, absorbed, c.Removed)
	}
	count := newTally(v, &h)
	for _, k := range c.Removed {
		count.drop(k)
	}
	c.Changed = v.merge(c.Changed, again, c.Removed, count)
	c.Removed = nil
	return write(fsys, h, c, count.complete)
}

// liveOf returns the live entries of files, ascending by key.
func (v *View) liveOf(files []*File) []*Entry {
	var live []*Entry
	for _, f := range files {
		for i := range f.entries {
			if v.Holds(&f.entries[i]) {
				live = append(live, &f.entries[i])
			}
		}
	}
	slices.SortFunc(live, compareEntries)
	return live
}

// hidden returns the keys, ascending, that live at the file on, and are removed
// now or, as absorbed says, before: a delta on that file has to hide them, and
// no others.
func (v *View) hidden(on int, absorbed []*File, removed []Key) []Key {
	keys := slices.Clone(removed)
	for _, f := range absorbed {
		for _, k := range f.removed {
			if _, live := v.LookupKey(k); !live {
				keys = append(keys, k)
			}
		}
	}
	return slices.DeleteFunc(sortedKeys(keys), func(k Key) bool {
		for _, f := range slices.Backward(v.files[:on+1]) {
			if e, listed := f.lists(k); listed {
				return e == nil
			}
		}
		return true
	})
}

// merge yields the changed entries and those of again that are neither changed
// nor removed, ascending by key, and counts the changed ones.
func (v *View) merge(changed iter.Seq2[EntryText, error], again []*Entry, removed []Key, count *tally) iter.Seq2[EntryText, error] {
	return func(yield func(EntryText, error) bool) {
		again := again
		// below yields those of again below the key, all for nil.
		below := func(k *Key) bool {
			for ; len(again) > 0 && (k == nil || again[0].Key().Compare(*k) < 0); again = again[1:] {
				e := again[0]
				if _, gone := slices.BinarySearchFunc(removed, e.Key(), Key.Compare); gone {
					continue
				}
				text, err := v.Text(e)
				if !yield(EntryText{Entry: *e, Text: text, Others: othersOf(e, count.others)}, err) || err != nil {
					return false
				}
			}
			return true
		}
		for et, err := range changed {
			if err != nil {
				yield(et, err)
				return
			}
			k := et.Key()
			if !below(&k) {
				return
			}
			if len(again) > 0 && again[0].Key() == k {
				again = again[1:]
			}
			if _, both := slices.BinarySearchFunc(removed, k, Key.Compare); both {
				yield(et, fmt.Errorf("id %q is both changed and removed", k.ID))
				return
			}
			count.drop(k)
			count.add(&et)
			if !yield(et, nil) {
				return
			}
		}
		below(nil)
	}
}

// tally counts what is live in the snapshot that a delta makes.
type tally struct {
	v         *View
	documents int
	chunks    int
	others    []NamedVectors
	numbers   []int // of the chunks of others
}

// newTally begins with what v holds.
func newTally(v *View, h *Header) *tally {
	t := &tally{v: v, documents: v.Len(), chunks: v.chunks, others: h.Others, numbers: make([]int, len(h.Others))}
	top := v.Header()
	for i := range h.Others {
		if o := top.other(h.Others[i].Name); o >= 0 {
			t.numbers[i] = int(top.Others[o].Chunks)
		}
	}
	return t
}

// drop takes the live entry of the key out, if there is one.
func (t *tally) drop(k Key) {
	if e, ok := t.v.LookupKey(k); ok {
		t.documents--
		t.chunks -= len(e.Chunks)
		for i := range t.others {
			t.numbers[i] -= len(e.ChunksOf(t.others[i].Name))
		}
	}
}

// add puts an entry in.
func (t *tally) add(et *EntryText) {
	t.documents++
	t.chunks += len(et.Chunks)
	for i := range min(len(et.Others), len(t.numbers)) {
		t.numbers[i] += len(et.Others[i])
	}
}

// complete writes the counts into the header of a delta; a checkpoint counts
// what it lists.
func (t *tally) complete(h *Header) {
	if h.Kind == Checkpoint {
		return
	}
	h.Documents, h.Chunks = uint32(t.documents), uint32(t.chunks)
	for i, n := range t.numbers {
		h.Others[i].Chunks = uint32(max(n, 0))
	}
}

// WriteAlias writes the alias that makes h.Commit another name of v's commit,
// as Write does. Of the header it takes Commit, Branch, Seq, Created and Tag.
func (v *View) WriteAlias(fsys vfs.FS, h Header) (Info, error) {
	top := v.Header()
	alias := Header{
		Kind: Alias, Domain: top.Domain, Base: top.Commit, Settings: top.Settings, Documents: top.Documents,
		Commit: h.Commit, Branch: h.Branch, Seq: h.Seq, Created: h.Created, Tag: h.Tag, About: h.About,
		Vectors: top.Vectors, Others: top.Others,
	}
	alias.SlotEnd = v.end
	return Write(fsys, alias, Contents{})
}

// PrepareMerge writes a file of the same contents as v that may take the place
// of the file of v's commit, of whatever kind, with a graph over the main
// vectors (nil for none), but does not put it there yet: see [Prepared]. In
// full, that is a checkpoint, which needs no other file. Else it is a delta on
// the checkpoint of v's chain, which holds all that is above; where nothing is,
// it is a checkpoint nevertheless. v and other open views go on as they are.
func (v *View) PrepareMerge(fsys vfs.FS, full bool, graph []byte) (*Prepared, error) {
	h := v.Header()
	c := Contents{Skipped: v.Skipped(), Graph: graph, Unreadable: v.Unreadable}
	if full || v.solid() == 0 {
		h.Kind, h.On, c.Changed = Checkpoint, "", v.Texts()
		return prepare(fsys, h, c, nil)
	}
	base := v.files[0]
	h.Kind, h.On = Delta, base.header.Commit
	c.hidden = make([]Key, 0, v.dead.count)
	for place := range v.dead.all() {
		c.hidden = append(c.hidden, base.entries[place].Key())
	}
	c.Changed = v.merge(func(func(EntryText, error) bool) {}, v.over, nil, &tally{others: h.Others})
	p, err := prepare(fsys, h, c, nil)
	if err == nil {
		p.merge = true
	}
	return p, err
}
