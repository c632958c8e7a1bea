package search

import (
	"context"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// unreadable reports whether the model knows next to nothing of a text that is
// searched with.
func (r *Reader) unreadable(text string) bool {
	chunks, _ := r.cfg.Embedder.Split(text)
	return !slices.ContainsFunc(chunks, func(c contract.Chunk) bool { return !c.Unreadable })
}

// Unreadable reports whether the model knows next to nothing of an entry's text:
// its vectors are about those of all such texts, so they say nothing of it. An
// entry of several chunks has one that the model can read if it is false.
func (s *Snapshot) Unreadable(e *snapshot.Entry) bool {
	for _, c := range e.Chunks {
		if !s.view.Unreadable(c.Slot) {
			return false
		}
	}
	return len(e.Chunks) > 0
}

// maxUnreadable is how many documents listUnreadable names.
const maxUnreadable = 100

// listUnreadable names the first of the documents of the newest commit that are
// Unreadable, by id, and counts all. A commit that cannot be opened has none.
func (r *Reader) listUnreadable(d *Domain) (ids []string, total int) {
	for newest := range d.State().Newest() {
		s, err := r.Open(context.Background(), d, newest.Commit)
		if err != nil {
			return nil, 0 // searches report it
		}
		defer s.Release()
		for _, e := range s.view.Using(s.unreadable) {
			if s.Unreadable(e) {
				ids = append(ids, e.ID)
			}
		}
		return slices.Clone(ids[:min(maxUnreadable, len(ids))]), len(ids)
	}
	return nil, 0
}

// Last returns which slots come after all others in a search: those of texts that
// the model cannot read, but for those of the text that is searched with. It is nil
// where there are none.
func (s *Snapshot) Last(own []uint32) func(slot uint32) bool {
	if len(s.unreadable) == 0 {
		return nil
	}
	return func(slot uint32) bool { return s.view.Unreadable(slot) && !slices.Contains(own, slot) }
}

// slotsOfText returns the slots of a text that the model cannot read.
func (s *Snapshot) slotsOfText(hash [32]byte) (own []uint32) {
	for _, slot := range s.unreadable {
		for e := range s.view.Holders(slot) {
			if e.TextHash == hash {
				own = append(own, slot)
				break
			}
		}
	}
	return own
}

// without returns the slots that are not to be dropped; drop is nil where all
// stay.
func without(slots []uint32, drop func(slot uint32) bool) []uint32 {
	if drop == nil {
		return slots
	}
	return slices.DeleteFunc(slices.Clone(slots), drop)
}
