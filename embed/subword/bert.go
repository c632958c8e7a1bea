package subword

import (
	"errors"
	"unicode"
)

// BERT returns the tokenizer of BERT's uncased models, given the pieces of
// their vocabulary in order. Unlike those read from a file it writes a capital sigma at
// the end of a word as ς, as the first implementation of these models did.
func BERT(vocabulary []string) (*Tokenizer, error) {
	ids := make(map[string]int32, len(vocabulary))
	for i, piece := range vocabulary {
		ids[piece] = int32(i)
	}
	unknown, ok := ids["[UNK]"]
	if !ok {
		return nil, errors.New("subword: the vocabulary has no token for what is unknown")
	}
	b := bert{clean: true, ideographs: true, strip: true, lowercase: true}
	return &Tokenizer{
		normalize: func(chars []char) []char { return b.normalize(sigmas(chars)) },
		split:     bertSplit,
		model:     newWordPiece(ids, "##", 100, unknown),
		special:   2,
	}, nil
}

// sigmas makes small what is a capital sigma at the end of a word.
func sigmas(chars []char) []char {
	for i := range chars {
		if chars[i].r == 'Σ' && endsWord(chars, i) {
			chars[i].r = 'ς'
		}
	}
	return chars
}

// endsWord reports whether a letter precedes position i and none follows,
// apart from characters that case passes over.
func endsWord(chars []char, i int) bool {
	j := i - 1
	for j >= 0 && caseIgnorable(chars[j].r) {
		j--
	}
	if j < 0 || !cased(chars[j].r) {
		return false
	}
	j = i + 1
	for j < len(chars) && caseIgnorable(chars[j].r) {
		j++
	}
	return j == len(chars) || !cased(chars[j].r)
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '\u0387', '\u055F', '\u05F4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\uFE13', '\uFE52', '\uFE55', '\uFF07', '\uFF0E', '\uFF1A':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
