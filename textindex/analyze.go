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
	// longToken is the length in bytes from which tokens are dropped.
	longToken = 40
	// maxMemo bounds the tokens that an analyzer remembers.
	maxMemo = 1 << 15
)

// Token is a term and the bytes of the text that it was made from.
type Token struct {
	Term       string
	Start, End int // byte offsets, End exclusive
}

// Analyze returns the terms of a text, in its order, by the analyzer of that
// name; [ErrAnalyzer] if there is none. It is a pure function.
//
// [English], in this order: split where a character is neither alphabetic nor
// numeric (bytes that are not UTF-8 count as such); drop tokens of 40 bytes or
// more; lower-case; English Snowball stem; drop the stop words; fold to ASCII.
func Analyze(analyzer, text string) ([]Token, error) {
	a, err := newAnalyzer(analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	var tokens []Token
	a.each(text, func(t Token) { tokens = append(tokens, t) })
	return tokens, nil
}

// revision is raised when an analyzer comes to say something else of some
// text. Files of another revision are stale.
const revision = 1

// stopWords are the English stop words of the contract: Lucene's list, which is
// what the peers drop. bleve's own list has 174 words; with it scores would
// differ from theirs. They are compared with stems.
const stopWords = "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with"

// englishFilters follow the splitting, folding follows them; they keep nothing
// between calls.
var (
	englishFilters = []analysis.TokenFilter{
		lowercase.NewLowerCaseFilter(),
		en.NewEnglishStemmerFilter(),
		stop.NewStopTokensFilter(wordMap(stopWords)),
	}
	folding = asciifolding.New()
)

func wordMap(words string) analysis.TokenMap {
	m := analysis.NewTokenMap()
	for w := range strings.FieldsSeq(words) {
		m.AddToken(w)
	}
	return m
}

// analyzer turns text into terms. It is used by one goroutine at a time.
type analyzer struct {
	filters []analysis.TokenFilter
	// memo maps tokens to terms, "" for none. Words repeat; without it most of
	// the analysis would be stemming them again.
	memo map[string]string
}

func newAnalyzer(name string) (*analyzer, error) {
	if name != English {
		return nil, fmt.Errorf("%w %q", ErrAnalyzer, name)
	}
	return &analyzer{filters: englishFilters, memo: map[string]string{}}, nil
}

// each calls yield with every token of the text.
//
// Splitting and the limit are our own: bleve's tokenizer stops for good at the
// first U+FFFD or byte that is not UTF-8, and its length filter counts
// characters.
func (a *analyzer) each(text string, yield func(Token)) {
	start := -1
	emit := func(end int) {
		if start < 0 {
			return
		}
		if end-start < longToken {
			if term := a.term(text[start:end]); term != "" {
				yield(Token{Term: term, Start: start, End: end})
			}
		}
		start = -1
	}
	for i, r := range text {
		switch {
		case !alphanumeric(r):
			emit(i)
		case start < 0:
			start = i
		}
	}
	emit(len(text))
}

// alphanumeric reports whether r belongs to a token: Unicode's properties
// Alphabetic and Numeric.
func alphanumeric(r rune) bool {
	if r < unicode.MaxASCII {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r)
}

// term returns the term of a token, "" if it has none.
func (a *analyzer) term(token string) string {
	if term, ok := a.memo[token]; ok {
		return term
	}
	if len(a.memo) >= maxMemo {
		clear(a.memo)
	}
	term := a.filter(token)
	a.memo[strings.Clone(token)] = term // a clone, not to hold the text
	return term
}

func (a *analyzer) filter(token string) string {
	stream := analysis.TokenStream{{Term: []byte(token)}} // a copy: lower-casing writes into it
	for _, f := range a.filters {
		if stream = f.Filter(stream); len(stream) == 0 {
			return ""
		}
	}
	return string(folding.Filter(stream[0].Term))
}
