package textindex

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// English is the name of the analyzer for English text.
const English = "en"

const (
	// maxLetters is the length of a term in letters. What is longer is cut,
	// in texts and in queries.
	maxLetters = 160
	// maxMemo bounds the words that an analyzer remembers.
	maxMemo = 1 << 15
)

// revision is raised when an analyzer returns other terms than before for some
// text. Files of another revision are stale.
const revision = 2

// Token is a term and the bytes of the text that it was made from.
type Token struct {
	Term       string
	Start, End int // byte offsets, End exclusive
	// Position numbers the text's words from 0, those that have no term too:
	// terms of one phrase stand as far apart as its words.
	Position int
}

// Analyze returns the terms of a text, in its order, by the analyzer of that
// name; [ErrAnalyzer] if there is none. It is a pure function.
//
// All analyzers compose letters and marks (NFC, and NFKC where that leaves
// letters), leave out invisible characters within words, and cut words after
// 160 letters. Text in Thai, Lao, Khmer and Burmese, which is written without
// spaces, becomes overlapping pairs of characters.
//
// [English], in this order: split where a character is neither alphabetic nor
// numeric (bytes that are not UTF-8 count as such), but keep C++ and C# whole;
// lower-case; fold to ASCII; English Snowball stem; drop the stop words. For the
// others see [Languages].
func Analyze(analyzer, text string) ([]Token, error) {
	a, err := newAnalyzer(analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	var tokens []Token
	a.each(text, sink{word: func(w word) {
		if w.Term != "" {
			tokens = append(tokens, w.Token)
		}
	}})
	return tokens, nil
}

// word is a word of a text, or a symbol. Without a term it is silent: a stop
// word or a symbol, which phrases can have, and queries of nothing else. It then
// has a surface.
type word struct {
	Token
	surface string // the word as it stands there, spelled in the one way
	symbol  bool
	pair    bool // of characters, in a script without spaces
}

// sink takes what an analyzer finds in a text, in its order.
type sink struct {
	word func(w word)
	// other, if not nil, takes the terms of other ways to write some of the
	// words: of so many words in one, or, at 0, of a part of one.
	other func(term string, words int)
	// loose, if not nil, takes any other two words that stand side by side as one.
	loose func(term string)
}

// piece is what a text is split into.
type piece struct {
	start, end int
	term       string // of a pair of characters; else empty
}

// analyzer turns text into terms. It is used by one goroutine at a time.
type analyzer struct {
	split func(text string, emit func(p piece))
	// run returns a word's term, which is empty for a stop word, and surface.
	run func(word string) (term, surface string)
	// parted: the text has non-joiners that part words.
	parted bool
	// memo maps words to their forms. Words repeat; without it most of the
	// analysis would be stemming them again.
	memo map[string]form
}

// form is the result of analyzing a word.
type form struct {
	term, surface string
	// others are the terms of other ways to write it, parts those of its parts.
	others, parts []string
}

func newAnalyzer(name string) (*analyzer, error) {
	if name == English {
		return &analyzer{split: splitEnglish, run: runEnglish, memo: map[string]form{}}, nil
	}
	return newLanguage(name)
}

// each passes the words of the text to the sink.
func (a *analyzer) each(text string, s sink) {
	text, origin := clean(text, a.parted)
	j := joiner{analyzer: a, sink: s}
	position, last := 0, 0
	token := func(start, end int) Token {
		t := Token{Start: start, End: end, Position: position}
		if origin != nil {
			t.Start, t.End = origin[start], origin[end]
		}
		return t
	}
	gap := func(end int) {
		if last < end {
			symbols(text[last:end], func(start, end int, symbol string) {
				w := word{Token: token(last+start, last+end), surface: symbol, symbol: true}
				w.Position-- // it stands with the word before it
				s.word(w)
			})
		}
	}
	pair := piece{}
	a.split(text, func(p piece) {
		gap(p.start)
		if pair.term != "" && p.start >= pair.end {
			j.single(pair, true)
		}
		pair = piece{}
		w := word{Token: token(p.start, p.end), surface: p.term, pair: p.term != ""}
		if w.pair {
			w.Term, pair = p.term, p
			j.end()
			j.single(p, false)
		} else {
			suffix := suffixOf(text[p.start:p.end], text[p.end:])
			raw := cut(text[p.start:p.end], maxLetters)
			if suffix != "" && utf8.RuneCountInString(raw) == 1 {
				p.end += len(suffix)
				w.End += len(suffix)
				raw, suffix = raw+strings.Replace(suffix, "♯", "#", 1), ""
			}
			f := a.form(raw)
			w.Term, w.surface = f.term, f.surface
			j.add(text, p, raw, f, suffix)
		}
		if w.surface != "" {
			s.word(w)
		}
		last = max(last, p.end)
		position++
	})
	if pair.term != "" {
		j.single(pair, true)
	}
	j.end()
	gap(len(text))
}

// form returns the form of a word.
func (a *analyzer) form(raw string) form {
	if f, ok := a.memo[raw]; ok {
		return f
	}
	if len(a.memo) >= maxMemo {
		clear(a.memo)
	}
	var f form
	f.term, f.surface = a.run(raw)
	if f.surface == f.term {
		f.surface = f.term // one string, not two
	}
	f.others, f.parts = a.spellings(raw, f.term)
	a.memo[strings.Clone(raw)] = f // a clone, not to hold the text
	return f
}

// cut returns the first letters of a word, so many at most.
func cut(word string, letters int) string {
	if len(word) <= letters {
		return word
	}
	n := 0
	for i := range word {
		if n == letters {
			return word[:i]
		}
		n++
	}
	return word
}

// alphanumeric reports whether a word can begin with r: Unicode's properties
// Alphabetic and Numeric.
func alphanumeric(r rune) bool {
	if r < unicode.MaxASCII {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r) && !unicode.IsMark(r)
}
