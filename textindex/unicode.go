package textindex

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

const (
	softHyphen = '\u00ad'
	nonJoiner  = '\u200c'
	joinsEmoji = '\u200d'
)

// mark reports whether r belongs to the character before it.
func mark(r rune) bool { return unicode.Is(unicode.M, r) }

// wordly reports whether r can stand within a word.
func wordly(r rune) bool { return alphanumeric(r) || r >= utf8.RuneSelf && mark(r) }

// spaceless reports whether r is of a script that is written without spaces
// between words and is no part of [CJK].
func spaceless(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) && !unicode.IsNumber(r)
}

// ignorable reports whether r is invisible and parts no words. The zero-width
// space does.
func ignorable(r rune) bool {
	return r >= softHyphen && r != '\u200b' &&
		(unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
			unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point))
}

// clean returns the text in NFC without the ignorable characters within its
// words, and for every byte of it, and its end, where in text that came from;
// nil if the text is clean. A soft hyphen takes a line break behind it along.
// Non-joiners stay where they part words.
func clean(text string, parted bool) (string, []int) {
	if isASCII(text) || norm.NFC.IsNormalString(text) && !strings.ContainsFunc(text, ignorable) {
		return text, nil
	}
	var kept strings.Builder
	var from []int
	inside := false // a word, so far
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if inside && ignorable(r) && (r != nonJoiner || !parted) {
			i += n
			if line, ok := strings.CutPrefix(strings.TrimLeft(text[i:], " \t\r"), "\n"); ok && r == softHyphen {
				line = strings.TrimLeft(line, " \t")
				if next, _ := utf8.DecodeRuneInString(line); wordly(next) {
					i = len(text) - len(line)
				}
			}
			continue
		}
		kept.WriteString(text[i : i+n])
		for range n {
			from = append(from, i)
		}
		inside = wordly(r)
		i += n
	}
	from = append(from, len(text))
	var composed []byte
	var origin []int
	var it norm.Iter
	for it.InitString(norm.NFC, kept.String()); !it.Done(); {
		at := from[it.Pos()]
		segment := it.Next()
		composed = append(composed, segment...)
		for len(origin) < len(composed) {
			origin = append(origin, at)
		}
	}
	return string(composed), append(origin, len(text))
}

// digits reports whether r is one or several digits, as ２, ² and ⑫ are.
func digits(r rune) bool {
	return unicode.IsNumber(r) && !strings.ContainsFunc(norm.NFKC.String(string(r)), func(r rune) bool { return !unicode.IsDigit(r) })
}

// compatible returns a word with the letters that its own are compatible with
// (those of ﬁ, Ⅷ and full width), if that is a word too, and ASCII's digits.
// Points and vowel signs of Hebrew and Arabic, which most texts are written
// without, are left out.
func compatible(word string) string {
	if isASCII(word) {
		return word
	}
	if whole := norm.NFKC.String(word); !strings.ContainsFunc(whole, func(r rune) bool { return !wordly(r) }) {
		word = whole
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= utf8.RuneSelf && unicode.IsDigit(r):
			zero := r
			for unicode.IsDigit(zero - 1) {
				zero--
			}
			return '0' + (r-zero)%10
		case r == 'ς':
			return 'σ'
		case r >= 0x0591 && r <= 0x0670 && unicode.Is(unicode.Mn, r) && (r < 0x0600 || r == 0x0670 || r >= 0x064b && r <= 0x0652),
			r == '\u0640', // tatweel
			unicode.Is(unicode.Me, r):
			return -1
		}
		return r
	}, word)
}

// unaccented returns a word without accents on its Latin and Greek letters, and
// without marks that no letter is written with.
func unaccented(word string) string {
	if isASCII(word) {
		return word
	}
	var b []rune
	base := rune(0)
	for _, r := range norm.NFD.String(word) {
		if !mark(r) {
			base = r
		} else if unicode.Is(unicode.Inherited, r) && r <= 0x036f && !unicode.Is(unicode.Cyrillic, base) {
			continue
		}
		b = append(b, r)
	}
	return norm.NFC.String(string(b))
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// pairs emits the overlapping pairs of characters of text[start:end], or its
// one character.
func pairs(text string, start, end int, emit func(p piece)) {
	last, state, rest := -1, -1, text[start:end]
	for at := start; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		next := at + len(cluster)
		if last >= 0 || rest == "" {
			from := at
			if last >= 0 {
				from = last
			}
			emit(piece{from, next, cut(compatible(text[from:next]), maxLetters)})
		}
		last, at = at, next
	}
}

// symbols calls emit with the symbols between two words: currency signs, emoji
// and their sequences, and others that are no punctuation. Of a sequence it
// names what it is a sequence of, too.
func symbols(gap string, emit func(start, end int, symbol string)) {
	if isASCII(gap) && !strings.Contains(gap, "$") {
		return
	}
	state, rest := -1, gap
	for at := 0; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		start, end := at, at+len(cluster)
		at = end
		first, n := utf8.DecodeRuneInString(cluster)
		whole := drop(cluster, func(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) })
		if n == 1 && first != '$' && whole == cluster ||
			!unicode.In(first, unicode.So, unicode.Sc, unicode.Sm, unicode.No) && whole == cluster || first == utf8.RuneError {
			continue
		}
		names := []string{cut(whole, maxLetters)}
		if toneless := drop(whole, func(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }); toneless != "" {
			names = append(names, cut(toneless, maxLetters))
		}
		if strings.ContainsRune(whole, joinsEmoji) {
			names = append(names, string(first))
		}
		for _, name := range slices.Compact(names) {
			emit(start, end, name)
		}
	}
}

func drop(s string, which func(r rune) bool) string {
	return strings.Map(func(r rune) rune {
		if which(r) {
			return -1
		}
		return r
	}, s)
}
