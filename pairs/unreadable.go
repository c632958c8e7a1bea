package pairs

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// comparable reports whether the distance of a chunk of a and one of b, of those
// slots, says how much alike they are: the model can read both, or they are the
// same text.
func (s *opened) comparable(a, b *snapshot.Entry, slotA, slotB uint32) bool {
	return slotA == slotB || !s.view.Unreadable(slotA) && !s.view.Unreadable(slotB) || search.Identical(a, b)
}

// blindDistance is more than the distance of two texts whose vectors are the same.
const blindDistance = 3e-7

// blind reports whether a document and a chunk of another one are as near as if they
// were of one text only because the model does not know the words in which they
// differ.
func (s *opened) blind(a, b *snapshot.Entry, chunk int, distance float32) (bool, error) {
	slot := b.Chunks[chunk].Slot
	if distance > blindDistance || !s.measure.Zero() || a.Supplied() || b.Supplied() || search.Identical(a, b) ||
		slices.ContainsFunc(a.Chunks, func(c snapshot.Chunk) bool { return c.Slot == slot }) {
		return false, nil
	}
	textA, err := s.SoundText(a)
	if err != nil {
		return false, err
	}
	textB, err := s.SoundText(b)
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
