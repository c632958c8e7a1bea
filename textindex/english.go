package textindex

import (
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
)

// stopWords are the English stop words of the contract: Lucene's list, which is
// what the peers drop. bleve's own list has 174 words; with it scores would
// differ from theirs. They are compared with stems.
var stopWords = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with") {
		words[w] = true
	}
	return words
}()

// The parts of the analysis of English keep nothing between calls.
var (
	englishStemmer = en.NewEnglishStemmerFilter()
	folding        = asciifolding.New()
)

// Fold returns the text without accents, and with the letters of ASCII in the place
// of those that are like them.
func Fold(text string) string {
	if isASCII(text) {
		return text
	}
	return string(folding.Filter([]byte(unaccented(text))))
}

// runEnglish returns a word's term, empty for a stop word, and surface. Accents
// are folded before the stemmer, which knows no word with one; a stop word has
// none.
func runEnglish(word string) (term, surface string) {
	plain := compatible(strings.ToLower(compatible(word)))
	folded := string(folding.Filter([]byte(unaccented(plain))))
	stem := string(englishStemmer.Filter(analysis.TokenStream{{Term: []byte(folded)}})[0].Term)
	if folded == plain && stopWords[stem] {
		stem = ""
	}
	return stem, folded
}

// splitEnglish splits where a character is neither alphabetic nor numeric, nor a
// mark on one that is.
//
// It is our own: bleve's tokenizer stops for good at the first U+FFFD or byte
// that is not UTF-8.
func splitEnglish(text string, emit func(p piece)) {
	start, unspaced := -1, false
	end := func(i int) {
		switch {
		case start < 0:
		case unspaced:
			pairs(text, start, i, emit)
		default:
			emit(piece{start: start, end: i})
		}
		start = -1
	}
	for i, r := range text {
		if r >= utf8.RuneSelf && mark(r) {
			continue // it belongs to what is before it
		}
		if !alphanumeric(r) {
			end(i)
			continue
		}
		if u := r >= utf8.RuneSelf && spaceless(r); start < 0 || u != unspaced {
			end(i)
			start, unspaced = i, u
		}
	}
	end(len(text))
}
