package subword

import (
	"cmp"
	"slices"
)

// An addedToken is a text that is one token wherever it stands.
type addedToken struct {
	ID         int32
	Content    string
	SingleWord bool `json:"single_word"`
	LStrip     bool `json:"lstrip"`
	RStrip     bool `json:"rstrip"`
	Normalized bool // it is looked for in the normalized text
	Special    bool

	runes []rune
}

// added finds added tokens: the leftmost, and of those the longest.
type added struct {
	byFirst map[rune][]addedToken // the longest first
}

func newAdded(tokens []addedToken) added {
	a := added{byFirst: map[rune][]addedToken{}}
	for _, t := range tokens {
		if len(t.runes) > 0 {
			a.byFirst[t.runes[0]] = append(a.byFirst[t.runes[0]], t)
		}
	}
	for _, list := range a.byFirst {
		slices.SortStableFunc(list, func(x, y addedToken) int { return cmp.Compare(len(y.runes), len(x.runes)) })
	}
	return a
}

// split calls one for each added token in chars and rest for what stands
// between them, in order.
func (a added) split(chars []char, one func(id int32, chars []char), rest func([]char)) {
	at := 0 // what stands before is done
	if len(a.byFirst) > 0 {
		for i := 0; i < len(chars); {
			t, ok := a.at(chars[i:])
			if !ok {
				i++
				continue
			}
			start, end := i, i+len(t.runes)
			i = end
			if t.SingleWord && (start > 0 && isWord(chars[start-1].r) || end < len(chars) && isWord(chars[end].r)) {
				continue
			}
			for t.LStrip && start > at && isSpace(chars[start-1].r) {
				start--
			}
			for t.RStrip && end < len(chars) && isSpace(chars[end].r) {
				end++
			}
			if at < start {
				rest(chars[at:start])
			}
			one(t.ID, chars[start:end])
			at, i = end, end
		}
	}
	if at < len(chars) {
		rest(chars[at:])
	}
}

func (a added) at(chars []char) (addedToken, bool) {
	for _, t := range a.byFirst[chars[0].r] {
		if hasPrefix(chars, t.runes) {
			return t, true
		}
	}
	return addedToken{}, false
}
