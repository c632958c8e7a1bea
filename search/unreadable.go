package search

import "github.com/vectorlink/vectorlink/snapshot"

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

// comparable reports whether the distance of a chunk of a and one of b, of those
// slots, says how much alike they are: the model can read both, or they are the
// same text.
func (s *Snapshot) comparable(a, b *snapshot.Entry, slotA, slotB uint32) bool {
	return slotA == slotB || !s.view.Unreadable(slotA) && !s.view.Unreadable(slotB) || identical(a, b)
}
