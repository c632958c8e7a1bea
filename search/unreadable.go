package search

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
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

// comparable reports whether the distance of a chunk of a and one of b, of those
// slots, says how much alike they are: the model can read both, or they are the
// same text.
func (s *Snapshot) comparable(a, b *snapshot.Entry, slotA, slotB uint32) bool {
	return slotA == slotB || !s.view.Unreadable(slotA) && !s.view.Unreadable(slotB) || identical(a, b)
}

// blindDistance is more than the distance of two texts whose vectors are the same.
const blindDistance = 3e-7

// blind reports whether a document and a chunk of another one are as near as if they
// were of one text only because the model does not know the words in which they
// differ.
func (s *Snapshot) blind(a, b *snapshot.Entry, chunk int, distance float32) (bool, error) {
	slot := b.Chunks[chunk].Slot
	if distance > blindDistance || !measureOf(s.settings).zero() || a.Supplied() || b.Supplied() || identical(a, b) ||
		slices.ContainsFunc(a.Chunks, func(c snapshot.Chunk) bool { return c.Slot == slot }) {
		return false, nil
	}
	textA, err := s.soundText(a)
	if err != nil {
		return false, err
	}
	textB, err := s.soundText(b)
	if err != nil || textA == "" || textB == "" {
		return false, err
	}
	words := tokensOf(textB[b.Chunks[chunk].Start:b.Chunks[chunk].End])
	return !slices.ContainsFunc(a.Chunks, func(c snapshot.Chunk) bool {
		return maps.Equal(tokensOf(textA[c.Start:c.End]), words)
	}), nil
}

// tokensOf returns the words of a text and its other characters, as far as a model
// may tell them apart: blanks, case and accents do not count.
func tokensOf(text string) map[string]bool {
	tokens, from := make(map[string]bool), -1
	text = strings.ToLower(textindex.Fold(text))
	for i, r := range text {
		word := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		if from >= 0 && !word {
			tokens[text[from:i]], from = true, -1
		}
		switch {
		case word && from < 0:
			from = i
		case !word && !unicode.IsSpace(r) && !unicode.IsControl(r):
			tokens[string(r)] = true
		}
	}
	if from >= 0 {
		tokens[text[from:]] = true
	}
	return tokens
}

// last returns which slots come after all others in a search: those of texts that
// the model cannot read, but for those of the text that is searched with. It is nil
// where there are none.
func (s *Snapshot) last(own []uint32) func(slot uint32) bool {
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
