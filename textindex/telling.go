package textindex

import (
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
)

// moreStopWords are English words that name nothing, more than the ones that searches
// leave out: bleve's, and the modal verbs that its list leaves to the reader.
var moreStopWords = func() analysis.TokenMap {
	m := analysis.NewTokenMap()
	if err := m.LoadBytes(en.EnglishStopWords); err != nil {
		panic(err) // it is part of the program
	}
	for _, modal := range []string{"can", "may", "might", "must", "shall", "will"} {
		m.AddToken(modal)
	}
	return m
}()

// Telling reports whether a word in lower case can be a label of texts by the
// analyzer of that name: no single letter or digit of a script that is written in
// words, and in English no stop word of a longer list than that of the searches.
func Telling(analyzer, word string) bool {
	r, size := utf8.DecodeRuneInString(word)
	if size == len(word) && !ideographic(r) {
		return false
	}
	return analyzer != English || !moreStopWords[word]
}

func ideographic(r rune) bool { return r >= 0x2e80 }
