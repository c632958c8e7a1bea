package textindex

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is written as one, and of what is taken apart.
const (
	maxChain = 8 // words
	maxParts = 5
)

// suffixOf returns the ++, + or # that a name such as C++ goes on with behind a
// word.
func suffixOf(word, rest string) string {
	if rest == "" || rest[0] != '+' && rest[0] != '#' && !strings.HasPrefix(rest, "♯") {
		return ""
	}
	if last, _ := utf8.DecodeLastRuneInString(word); !unicode.IsLetter(last) {
		return ""
	}
	if strings.HasPrefix(rest, "++") && !strings.HasPrefix(rest, "+++") {
		return "++"
	}
	_, n := utf8.DecodeRuneInString(rest)
	if next, _ := utf8.DecodeRuneInString(rest[n:]); wordly(next) || strings.ContainsRune("+#♯", next) {
		return ""
	}
	return rest[:n]
}

// spellings returns the terms of other ways to write a word that is one to the
// splitting, without the marks within it, and those of its parts: of an
// identifier, or letters and numbers.
func (a *analyzer) spellings(word, term string) (others, parts []string) {
	add := func(list *[]string, spelling string) {
		if t, _ := a.run(spelling); t != "" && t != term && !slices.Contains(*list, t) {
			*list = append(*list, t)
		}
	}
	within := func(r rune) bool { return !wordly(r) }
	if strings.ContainsFunc(strings.TrimRightFunc(word, within), within) { // not C++
		if digitEnds(word) {
			add(&others, ungrouped(word))
			return others, nil
		}
		add(&others, drop(word, within))
	}
	if list := split(word); len(list) > 1 && len(list) <= maxParts {
		for _, part := range list {
			if utf8.RuneCountInString(part) > 1 {
				add(&parts, part)
			}
		}
	}
	return others, parts
}

// digitEnds reports whether a word begins and ends with digits, as numbers do.
func digitEnds(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	return unicode.IsDigit(first) && unicode.IsDigit(last)
}

// ungrouped returns a number without the marks between its thousands, and with
// those of its fraction; empty if there are no thousands apart.
func ungrouped(number string) string {
	within := func(r rune) bool { return !wordly(r) }
	whole, fraction := number, ""
	first, _ := utf8.DecodeRuneInString(number[max(strings.IndexFunc(number, within), 0):])
	if i := strings.IndexFunc(number, func(r rune) bool { return within(r) && r != first }); i > 0 {
		whole, fraction = number[:i], number[i:]
	}
	if !thousands(whole) {
		return ""
	}
	return drop(whole, within) + fraction
}

// thousands reports whether word is a number whose thousands stand apart.
func thousands(word string) bool {
	groups := strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsDigit(r) })
	for i, g := range groups {
		if len(g) > 3 || i > 0 && len(g) != 3 {
			return false
		}
	}
	return len(groups) > 1
}

// split takes a word apart where small letters go over to capitals, letters to
// digits or back, and at marks other than apostrophes.
func split(word string) []string {
	var parts []string
	start, last := 0, rune(0)
	end := func(i int) {
		if start < i {
			parts = append(parts, word[start:i])
		}
		start = i
	}
	capitals := 0 // directly before
	for i, r := range word {
		n := utf8.RuneLen(r)
		switch {
		case !wordly(r) && !strings.ContainsRune("'’", r):
			end(i)
			start = i + n
		case unicode.IsDigit(r) != unicode.IsDigit(last) && i > start && !mark(r):
			end(i)
		case unicode.IsUpper(r) && unicode.IsLower(last) && utf8.RuneCountInString(word[start:i]) > 1:
			end(i)
		case unicode.IsLower(r) && capitals > 2:
			end(i - utf8.RuneLen(last))
		}
		if unicode.IsUpper(r) {
			capitals++
		} else {
			capitals = 0
		}
		last = r
	}
	end(len(word))
	return parts
}

// joiner writes words as one that stand close to each other: Wi-Fi, 1,000 and
// iPhone 12.
type joiner struct {
	analyzer *analyzer
	sink
	chain []link // words without a space between them
	at    int    // where the last word ends
}

// link is a word of a chain.
type link struct {
	raw    string
	term   string
	silent bool
}

// add takes the next word, and what follows it as suffixOf says.
func (j *joiner) add(text string, p piece, raw string, f form, suffix string) {
	if j.other == nil {
		return
	}
	next := link{raw, f.term, f.term == ""}
	if n := len(j.chain); n > 0 {
		last, between := j.chain[n-1], text[j.at:p.start]
		switch {
		case tight(last.raw, raw, between):
		case spaced(last, next, between):
			j.end()
			j.join(last, next)
		case j.loose != nil && strings.TrimSpace(between) == "" && !last.silent && !next.silent:
			j.end()
			if term := j.joint(last, next); term != "" {
				j.loose(term)
			}
		default:
			j.end()
		}
	}
	j.chain, j.at = append(j.chain, next), p.end
	for _, t := range f.others {
		j.other(t, 1)
	}
	for _, t := range f.parts {
		j.other(t, 0)
	}
	if suffix != "" {
		j.at += len(suffix)
		j.other(f.surface+suffix, 1)
	}
}

// single passes a character of a pair on, the first or the last.
func (j *joiner) single(p piece, last bool) {
	if j.other == nil {
		return
	}
	if _, n := utf8.DecodeRuneInString(p.term); n < len(p.term) {
		if last {
			_, n = utf8.DecodeLastRuneInString(p.term)
			j.other(p.term[len(p.term)-n:], 0)
		} else {
			j.other(p.term[:n], 0)
		}
	}
}

// end ends a chain: it is written as one, and so are any two of more than two.
func (j *joiner) end() {
	c := j.chain
	j.chain = j.chain[:0]
	if len(c) < 2 {
		return
	}
	if len(c) <= maxChain {
		j.join(c...)
	}
	for i := 1; i < len(c) && len(c) > 2; i++ {
		a, b := c[i-1], c[i]
		if !a.silent && !b.silent && len(a.raw) > 1 && len(b.raw) > 1 && !(digitEnds(a.raw) && digitEnds(b.raw)) {
			j.join(a, b)
		}
	}
}

func (j *joiner) join(words ...link) {
	if term := j.joint(words...); term != "" {
		j.other(term, len(words))
	}
}

// joint returns the term of words written as one, empty if it is that of one of
// them.
func (j *joiner) joint(words ...link) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w.raw)
	}
	term := j.analyzer.form(cut(strings.ToLower(b.String()), maxLetters)).term
	if slices.ContainsFunc(words, func(w link) bool { return w.term == term }) {
		return ""
	}
	return term
}

// tight reports whether two words make one with what stands between them.
func tight(a, b, between string) bool {
	if line := strings.TrimLeft(between, "-\u2010"); len(line) < len(between) && strings.Contains(line, "\n") && strings.TrimSpace(line) == "" {
		return true // hyphenated at the end of a line
	}
	r, n := utf8.DecodeRuneInString(between)
	if n == 0 || n < len(between) {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	numbers := unicode.IsDigit(last) && unicode.IsDigit(first)
	switch r {
	case '-', '\u2010', '\u2011', '_', nonJoiner, '\u200b':
		return true
	case '.', '\'', '’', ',', ' ', '\u00a0', '\u2009', '\u202f':
		if numbers {
			return thousands(a + " " + b)
		}
		return strings.ContainsRune(".'’", r)
	case 'ʼ', '·', '״', '׳':
		return !numbers
	case '/', '&':
		return !numbers && len(a) <= 3 && len(b) <= 3
	}
	return false
}

// spaced reports whether a space parts letters from a number, as in iPhone 12
// and 256 GB.
func spaced(a, b link, between string) bool {
	switch between {
	case " ", "\u00a0", "\u2009", "\u202f":
	default:
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(a.raw)
	first, _ := utf8.DecodeRuneInString(b.raw)
	return !a.silent && !b.silent && !(unicode.IsDigit(last) && unicode.IsDigit(first)) &&
		(strings.ContainsFunc(a.raw, unicode.IsDigit) || strings.ContainsFunc(b.raw, unicode.IsDigit))
}
