package minilm

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Ids of the vocabulary that the model gives a meaning of their own.
const (
	idUnknown = 100
	idStart   = 101
	idEnd     = 102
)

// maxWord is the length in characters from which a word is unknown as a whole.
const maxWord = 100

// A Token is a piece of a text and its place in the vocabulary.
type Token struct {
	ID         int32
	Start, End int // byte range in the text
}

// A tokenizer cuts text as BERT's uncased tokenizer does: control characters
// are dropped, ideographs stand alone, accents are stripped and letters made
// small, punctuation is split off, and each word is cut greedily into the
// longest pieces that the vocabulary holds.
type tokenizer struct {
	first map[string]int32 // pieces that begin a word
	next  map[string]int32 // pieces that continue one, without their "##"
	limit int              // characters of the longest piece
}

func newTokenizer(vocab string) (*tokenizer, error) {
	t := &tokenizer{
		first: make(map[string]int32, vocabSize),
		next:  make(map[string]int32, vocabSize/4),
	}
	id := int32(0)
	for piece := range strings.SplitSeq(strings.TrimSuffix(vocab, "\n"), "\n") {
		if rest, ok := strings.CutPrefix(piece, "##"); ok {
			t.next[rest] = id
			t.limit = max(t.limit, utf8.RuneCountInString(rest))
		} else {
			t.first[piece] = id
			t.limit = max(t.limit, utf8.RuneCountInString(piece))
		}
		id++
	}
	if id != vocabSize || t.first["[UNK]"] != idUnknown || t.first["[CLS]"] != idStart || t.first["[SEP]"] != idEnd {
		return nil, errors.New("the built-in vocabulary is damaged: build the binary again")
	}
	return t, nil
}

// tokens returns the first tokens of text, at most limit, or all if limit is
// negative. The special tokens are not among them.
func (t *tokenizer) tokens(text string, limit int) []Token {
	chars := normalize(text)
	out := make([]Token, 0, len(chars)/4+1)
	var buf []byte
	for i := 0; i < len(chars) && (limit < 0 || len(out) < limit); {
		c := chars[i]
		if c.r == ' ' {
			i++
			continue
		}
		j := i + 1
		if !isPunct(c.r) {
			for j < len(chars) && chars[j].r != ' ' && !isPunct(chars[j].r) {
				j++
			}
		}
		out, buf = t.word(out, chars[i:j], buf)
		i = j
	}
	if limit >= 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// word appends the pieces of one word. The buffer is reused between calls.
func (t *tokenizer) word(out []Token, word []char, buf []byte) ([]Token, []byte) {
	unknown := Token{ID: idUnknown, Start: word[0].start, End: word[len(word)-1].end}
	if len(word) > maxWord {
		return append(out, unknown), buf
	}
	var at [maxWord + 1]int // byte offset of each character in buf
	buf = buf[:0]
	for i, c := range word {
		at[i] = len(buf)
		buf = utf8.AppendRune(buf, c.r)
	}
	at[len(word)] = len(buf)
	mark := len(out)
	pieces := t.first
	for i := 0; i < len(word); {
		j := min(len(word), i+t.limit)
		for ; j > i; j-- {
			if id, ok := pieces[string(buf[at[i]:at[j]])]; ok {
				out = append(out, Token{ID: id, Start: word[i].start, End: word[j-1].end})
				break
			}
		}
		if j == i {
			return append(out[:mark], unknown), buf
		}
		i = j
		pieces = t.next
	}
	return out, buf
}

// A char is a character after normalisation and the bytes that it came from.
type char struct {
	r          rune
	start, end int
}

// normalize cleans text, sets ideographs apart, decomposes canonically, drops
// nonspacing marks and makes letters small, in this order.
func normalize(text string) []char {
	chars := make([]char, 0, len(text)+8)
	plain := true // nothing to decompose, to order or to drop
	for i, r := range text {
		if r < utf8.RuneSelf {
			switch {
			case r >= ' ' && r != 0x7F:
			case r == '\t' || r == '\n' || r == '\r':
				r = ' '
			default:
				continue
			}
			chars = append(chars, char{r, i, i + 1})
			continue
		}
		// A broken byte decodes as RuneError too, three bytes long in the
		// alphabet but one in the text; both kinds are dropped.
		if r == utf8.RuneError || unicode.Is(unicode.C, r) {
			continue
		}
		end := i + utf8.RuneLen(r)
		switch {
		case unicode.Is(unicode.Zs, r):
			chars = append(chars, char{' ', i, end})
		case isIdeograph(r):
			chars = append(chars, char{' ', i, i})
			chars, plain = decompose(chars, r, i, end), false
			chars = append(chars, char{' ', end, end})
		default:
			chars, plain = decompose(chars, r, i, end), false
		}
	}
	if !plain {
		chars = dropMarks(order(chars))
	}
	for i := range chars {
		chars[i].r = lower(chars, i)
	}
	return chars
}

// decompose appends the canonical decomposition of r.
func decompose(chars []char, r rune, start, end int) []char {
	const (
		base, last       = 0xAC00, 0xD7A3 // Hangul syllables
		lead, vowel, tra = 0x1100, 0x1161, 0x11A7
		vowels, trails   = 21, 28
	)
	if r >= base && r <= last {
		s := r - base
		chars = append(chars, char{lead + s/(vowels*trails), start, end}, char{vowel + s%(vowels*trails)/trails, start, end})
		if t := s % trails; t != 0 {
			chars = append(chars, char{tra + t, start, end})
		}
		return chars
	}
	var b [utf8.UTFMax]byte
	d := norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).Decomposition()
	if d == nil {
		return append(chars, char{r, start, end})
	}
	for len(d) > 0 {
		r, n := utf8.DecodeRune(d)
		chars = append(chars, char{r, start, end})
		d = d[n:]
	}
	return chars
}

// order sorts each run of combining characters by class, as the canonical
// form wants it.
func order(chars []char) []char {
	for i := 0; i < len(chars); {
		if class(chars[i].r) == 0 {
			i++
			continue
		}
		j := i + 1
		for j < len(chars) && class(chars[j].r) != 0 {
			j++
		}
		slices.SortStableFunc(chars[i:j], func(a, b char) int {
			return int(class(a.r)) - int(class(b.r))
		})
		i = j
	}
	return chars
}

// class returns the canonical combining class.
func class(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// dropMarks takes the nonspacing marks out. The character before a mark takes
// over its bytes, so that no chunk begins with an accent.
func dropMarks(chars []char) []char {
	kept := chars[:0]
	for _, c := range chars {
		if c.r < 0x300 || !unicode.Is(unicode.Mn, c.r) {
			kept = append(kept, c)
		} else if n := len(kept); n > 0 && kept[n-1].end == c.start {
			kept[n-1].end = c.end
		}
	}
	return kept
}

// lower returns the small form of chars[i], given that those before i are
// small already: a small letter is as much a letter as a capital one.
func lower(chars []char, i int) rune {
	r := chars[i].r
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	case r == 'Σ' && endsWord(chars, i):
		return 'ς'
	}
	return unicode.ToLower(r)
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

// isPunct reports whether r stands alone: punctuation, and every ASCII sign.
func isPunct(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.Is(unicode.P, r)
}

// isIdeograph reports whether r is in one of the blocks of Chinese characters
// that BERT sets apart.
func isIdeograph(r rune) bool {
	return r >= 0x3400 && (r <= 0x4DBF ||
		0x4E00 <= r && r <= 0x9FFF ||
		0xF900 <= r && r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B73F ||
		0x2B740 <= r && r <= 0x2B81F ||
		0x2B820 <= r && r <= 0x2CEAF ||
		0x2F800 <= r && r <= 0x2FA1F)
}
