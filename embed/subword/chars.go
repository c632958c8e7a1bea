package subword

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A char is a character of a text under way and the bytes that it came from.
type char struct {
	r          rune
	start, end int32
	extra      bool // a decomposition's second character or a later one
}

// charsOf returns the characters of text. A byte that is no UTF-8 stands for
// U+FFFD, as it does in JSON.
func charsOf(text string) []char {
	chars := make([]char, 0, len(text))
	for i, r := range text {
		n := 1
		if r != utf8.RuneError {
			n = utf8.RuneLen(r)
		} else {
			_, n = utf8.DecodeRuneInString(text[i:])
		}
		chars = append(chars, char{r: r, start: int32(i), end: int32(i + n)})
	}
	return chars
}

// appendText appends the characters in UTF-8.
func appendText(b []byte, chars []char) []byte {
	for _, c := range chars {
		b = utf8.AppendRune(b, c.r)
	}
	return b
}

// runesOf appends the characters' runes.
func runesOf(runes []rune, chars []char) []rune {
	for _, c := range chars {
		runes = append(runes, c.r)
	}
	return runes
}

// with returns another character from the same place.
func (c char) with(r rune, extra bool) char { return char{r, c.start, c.end, extra} }

// keep drops the characters that f does not want. It writes over chars.
func keep(chars []char, f func(rune) bool) []char {
	return slices.DeleteFunc(chars, func(c char) bool { return !f(c.r) })
}

// change replaces every character by f of it. It writes over chars.
func change(chars []char, f func(rune) rune) []char {
	for i := range chars {
		chars[i].r = f(chars[i].r)
	}
	return chars
}

// decompose returns the characters' decomposition by form, NFD or NFKD.
func decompose(chars []char, form norm.Form) []char {
	i := 0
	for i < len(chars) && chars[i].r < utf8.RuneSelf {
		i++
	}
	if i == len(chars) {
		return chars
	}
	out := append(make([]char, 0, len(chars)+8), chars[:i]...)
	for _, c := range chars[i:] {
		out = appendDecomposed(out, c, form)
	}
	return order(out)
}

func appendDecomposed(out []char, c char, form norm.Form) []char {
	const (
		base, last         = 0xAC00, 0xD7A3 // Hangul syllables
		lead, vowel, trail = 0x1100, 0x1161, 0x11A7
		vowels, trails     = 21, 28
	)
	switch {
	case c.r < utf8.RuneSelf:
		return append(out, c)
	case c.r >= base && c.r <= last:
		s := c.r - base
		out = append(out, c.with(lead+s/(vowels*trails), false), c.with(vowel+s%(vowels*trails)/trails, true))
		if t := s % trails; t != 0 {
			out = append(out, c.with(trail+t, true))
		}
		return out
	}
	d := properties(c.r, form).Decomposition()
	if d == nil {
		return append(out, c)
	}
	for extra := false; len(d) > 0; extra = true {
		r, n := utf8.DecodeRune(d)
		out = append(out, c.with(r, extra))
		d = d[n:]
	}
	return out
}

func properties(r rune, form norm.Form) norm.Properties {
	var b [utf8.UTFMax]byte
	return form.Properties(b[:utf8.EncodeRune(b[:], r)])
}

// class returns the canonical combining class.
func class(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	return properties(r, norm.NFD).CCC()
}

// order sorts each run of combining characters by class, as the canonical
// forms want it. The places do not go with the characters: they stay in the
// order of the text, an extra character having that of the one before it.
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
		before := slices.Clone(chars[i:j])
		slices.SortStableFunc(chars[i:j], func(a, b char) int { return int(class(a.r)) - int(class(b.r)) })
		places := slices.DeleteFunc(before, func(c char) bool { return c.extra })
		for k := i; k < j; k++ {
			switch {
			case !chars[k].extra:
				chars[k] = places[0].with(chars[k].r, false)
				places = places[1:]
			case k > 0:
				chars[k] = chars[k-1].with(chars[k].r, true)
			}
		}
		i = j
	}
	return chars
}

// compose joins decomposed characters that have one of their own, which has
// the bytes of the first. It writes over chars.
func compose(chars []char) []char {
	out := chars[:0]
	starter, before := -1, uint8(0) // the last starter in out, the class of what follows it
	for _, c := range chars {
		cc := class(c.r)
		if starter >= 0 && (before < cc || before == 0 && starter == len(out)-1) {
			if r, ok := pair(out[starter].r, c.r); ok {
				out[starter].r = r
				continue
			}
		}
		if cc == 0 {
			starter = len(out)
		}
		before = cc
		out = append(out, c)
	}
	return out
}

// pair returns the one character that a followed by b is.
func pair(a, b rune) (rune, bool) {
	if b < 0x300 { // nothing below joins what is before it
		return 0, false
	}
	var in, out [2 * utf8.UTFMax]byte
	joined := norm.NFC.Append(out[:0], utf8.AppendRune(utf8.AppendRune(in[:0], a), b)...)
	r, n := utf8.DecodeRune(joined)
	return r, n == len(joined)
}

// appendLower appends the small form of c, which is two characters for İ.
func appendLower(out []char, c char) []char {
	if c.r == 'İ' {
		return append(out, c.with('i', false), c.with('\u0307', true))
	}
	return append(out, c.with(unicode.ToLower(c.r), c.extra))
}

// isSpace reports what Unicode calls white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isWord reports what patterns call a word character.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

// isPunct reports punctuation and every ASCII sign.
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
