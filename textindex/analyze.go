package textindex

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/token/stop"
)

// English is the name of the analyzer for English text.
const English = "en"

const (
	// longToken is the length in bytes from which tokens of English are
	// dropped, longWord that of other languages, whose letters take up to four.
	longToken = 40
	longWord  = 4 * longToken
	// maxMemo bounds the tokens that an analyzer remembers.
	maxMemo = 1 << 15
)

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
// [English], in this order: split where a character is neither alphabetic nor
// numeric (bytes that are not UTF-8 count as such); drop tokens of 40 bytes or
// more; lower-case; English Snowball stem; drop the stop words; fold to ASCII.
// For the others see [Languages].
func Analyze(analyzer, text string) ([]Token, error) {
	a, err := newAnalyzer(analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	var tokens []Token
	a.each(text, func(t Token, _ string) {
		if t.Term != "" {
			tokens = append(tokens, t)
		}
	})
	return tokens, nil
}

// revision is raised when an analyzer returns other terms than before for some
// text. Files of another revision are stale.
const revision = 1

// stopWords are the English stop words of the contract: Lucene's list, which is
// what the peers drop. bleve's own list has 174 words; with it scores would
// differ from theirs. They are compared with stems.
const stopWords = "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with"

// englishSteps keep nothing between calls.
var englishSteps = []step{
	{filter: lowercase.NewLowerCaseFilter(), spelling: true},
	{filter: en.NewEnglishStemmerFilter()},
	{filter: stop.NewStopTokensFilter(wordMap(stopWords))},
	{filter: foldingFilter{}, spelling: true},
}

// foldingFilter folds to ASCII, which bleve does before the splitting alone.
type foldingFilter struct{}

var folding = asciifolding.New()

func (foldingFilter) Filter(stream analysis.TokenStream) analysis.TokenStream {
	for _, t := range stream {
		t.Term = folding.Filter(t.Term)
	}
	return stream
}

func wordMap(words string) analysis.TokenMap {
	m := analysis.NewTokenMap()
	for w := range strings.FieldsSeq(words) {
		m.AddToken(w)
	}
	return m
}

// step is a part of the way from a token to its term.
type step struct {
	filter analysis.TokenFilter
	// spelling steps bring the spellings of one word together: they make the
	// word's surface. The others drop words, or parts of them.
	spelling bool
}

// analyzer turns text into terms. It is used by one goroutine at a time.
type analyzer struct {
	split func(text string, emit func(start, end int))
	limit int // tokens of so many bytes are dropped
	steps []step
	// stream, if set, replaces the above: it analyzes a text in one step, since
	// tokens depend on their neighbours.
	stream func(text string) analysis.TokenStream
	// memo maps tokens to their forms. Words repeat; without it most of the
	// analysis would be stemming them again.
	memo map[string]form
}

// form is the result of analyzing a token.
type form struct{ term, surface string }

func newAnalyzer(name string) (*analyzer, error) {
	if name == English {
		return &analyzer{split: splitEnglish, limit: longToken, steps: englishSteps, memo: map[string]form{}}, nil
	}
	return newLanguage(name)
}

// each calls yield with every token of the text and the token's surface, which
// is the word as it stands there, spelled in the one way. The term is empty
// where the word is a stop word; where it is too long, the surface too.
func (a *analyzer) each(text string, yield func(t Token, surface string)) {
	position := 0
	if a.stream != nil {
		for _, t := range a.stream(text) {
			if len(t.Term) > 0 && len(t.Term) < a.limit {
				term := string(t.Term)
				yield(Token{Term: term, Start: t.Start, End: t.End, Position: t.Position - 1}, term)
			}
		}
		return
	}
	a.split(text, func(start, end int) {
		var f form
		if end-start < a.limit {
			f = a.form(text[start:end])
		}
		yield(Token{Term: f.term, Start: start, End: end, Position: position}, f.surface)
		position++
	})
}

// splitEnglish splits where a character is neither alphabetic nor numeric.
//
// It is our own: bleve's tokenizer stops for good at the first U+FFFD or byte
// that is not UTF-8, and its length filter counts characters.
func splitEnglish(text string, emit func(start, end int)) {
	start := -1
	for i, r := range text {
		switch {
		case !alphanumeric(r):
			if start >= 0 {
				emit(start, i)
				start = -1
			}
		case start < 0:
			start = i
		}
	}
	if start >= 0 {
		emit(start, len(text))
	}
}

// alphanumeric reports whether r belongs to a token: Unicode's properties
// Alphabetic and Numeric.
func alphanumeric(r rune) bool {
	if r < unicode.MaxASCII {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r)
}

// form returns the form of a token.
func (a *analyzer) form(token string) form {
	if f, ok := a.memo[token]; ok {
		return f
	}
	if len(a.memo) >= maxMemo {
		clear(a.memo)
	}
	f := form{term: a.run(token, false), surface: a.run(token, true)}
	if f.surface == f.term {
		f.surface = f.term // one string, not two
	}
	a.memo[strings.Clone(token)] = f // a clone, not to hold the text
	return f
}

// run takes a token through the steps, or through those of spelling alone, and
// returns what is left of it.
func (a *analyzer) run(token string, spelling bool) string {
	stream := analysis.TokenStream{{Term: []byte(token)}} // a copy: lower-casing writes into it
	for _, s := range a.steps {
		if spelling && !s.spelling {
			continue
		}
		if stream = s.filter.Filter(stream); len(stream) == 0 {
			return ""
		}
	}
	return string(stream[0].Term)
}
