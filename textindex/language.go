package textindex

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/ar"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fa"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hi"
	"github.com/blevesearch/bleve/v2/analysis/lang/hr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/in"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/bleve/v2/analysis/token/apostrophe"
	"github.com/blevesearch/bleve/v2/analysis/token/unicodenorm"
	segmenter "github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/registry"
)

// CJK is the name of the analyzer for Chinese, Japanese and Korean.
const CJK = "cjk"

// The filters that are not in bleve's registry under a name.
const (
	lower         = "lower"
	turkishLower  = "lower_tr"
	romanianComma = "comma_ro"
	nfkc          = "nfkc"
)

// languages are bleve's analyzers besides English: the names of their filters
// in order. They stand here and are not asked of bleve, because surfaces need
// the filters of spelling alone, and because of some differences: bleve's lower
// case garbles words with a letter that becomes shorter, as İ; Turkish has a
// lower case of its own (I and ı, İ and i); Romanian is written with ș and ț,
// where bleve knows ş and ţ; Chinese, Japanese and Korean are apart, see newCJK.
var languages = map[string][]string{
	"ar": {lower, nfkc, ar.StopName, ar.NormalizeName, ar.StemmerName},
	"da": {lower, da.StopName, da.SnowballStemmerName},
	"de": {lower, de.StopName, de.NormalizeName, de.LightStemmerName},
	"es": {lower, es.StopName, es.NormalizeName, es.LightStemmerName},
	"fa": {lower, ar.NormalizeName, fa.NormalizeName, fa.StopName},
	"fi": {lower, fi.StopName, fi.SnowballStemmerName},
	"fr": {lower, fr.ElisionName, fr.StopName, fr.LightStemmerName},
	"hi": {lower, in.NormalizeName, hi.NormalizeName, hi.StopName, hi.StemmerName},
	"hr": {lower, hr.StopName, hr.SuffixTransformationFilterName, hr.StemmerName},
	"hu": {lower, hu.StopName, hu.SnowballStemmerName},
	"it": {lower, it.ElisionName, it.StopName, it.LightStemmerName},
	"nl": {lower, nl.StopName, nl.SnowballStemmerName},
	"no": {lower, no.StopName, no.SnowballStemmerName},
	"pt": {lower, pt.StopName, pt.LightStemmerName},
	"ro": {lower, romanianComma, ro.StopName, ro.SnowballStemmerName},
	"ru": {lower, ru.StopName, ru.SnowballStemmerName},
	"sv": {lower, sv.StopName, sv.SnowballStemmerName},
	"tr": {apostrophe.Name, turkishLower, tr.StopName, tr.SnowballStemmerName},
}

// Languages returns the names of all analyzers, ascending: [English], [CJK], and
// languages by their ISO 639-1 codes. Those besides English split words as
// Unicode's rules say (UAX #29), drop the language's stop words and stem, as
// bleve's analyzers do, and drop words of 160 bytes or more. CJK takes text of
// these scripts as overlapping pairs of characters, so that any two that stand
// together are found, and other words as they are.
func Languages() []string {
	return slices.Sorted(maps.Keys(allAnalyzers))
}

// allAnalyzers has every name.
var allAnalyzers = func() map[string]bool {
	names := map[string]bool{English: true, CJK: true}
	for name := range languages {
		names[name] = true
	}
	return names
}()

var (
	filterMu sync.Mutex // guards the two below
	filters  = registry.NewCache()
	chains   = map[string][]step{}
)

// chain returns a language's steps, which are made once: some have large tables.
func chain(name string) ([]step, error) {
	filterMu.Lock()
	defer filterMu.Unlock()
	if steps, ok := chains[name]; ok {
		return steps, nil
	}
	var steps []step
	for _, filter := range languages[name] {
		s := step{spelling: !strings.HasPrefix(filter, "stop_") && !strings.HasPrefix(filter, "stemmer_") && filter != hr.SuffixTransformationFilterName}
		var err error
		switch filter {
		case nfkc:
			s.filter, err = unicodenorm.NewUnicodeNormalizeFilter(unicodenorm.NFKC)
		case lower:
			s.filter = letterFilter(bytes.ToLower)
		case turkishLower:
			s.filter = letterFilter(func(term []byte) []byte { return bytes.ToLowerSpecial(unicode.TurkishCase, term) })
		case romanianComma:
			s.filter = letterFilter(cedillas)
		default:
			s.filter, err = filters.TokenFilterNamed(filter)
		}
		if err != nil {
			return nil, fmt.Errorf("the filter %s of the language %s: %w", filter, name, err)
		}
		steps = append(steps, s)
	}
	chains[name] = steps
	return steps, nil
}

func newLanguage(name string) (*analyzer, error) {
	switch _, ok := languages[name]; {
	case name == CJK:
		return newCJK(), nil
	case !ok:
		return nil, fmt.Errorf("%w %.40q; there are %s", ErrAnalyzer, name, strings.Join(Languages(), ", "))
	}
	steps, err := chain(name)
	if err != nil {
		return nil, err
	}
	split := func(text string, emit func(start, end int)) {
		for _, t := range segments(text) {
			emit(t.Start, t.End)
		}
	}
	return &analyzer{split: split, limit: longWord, steps: steps, memo: map[string]form{}}, nil
}

// segments splits a text at the boundaries of words. Bytes that are not UTF-8,
// U+FFFD, at both of which bleve would stop for good, and the non-joiner, by
// which Persian parts words that are written together, count as spaces.
func segments(text string) analysis.TokenStream {
	b := []byte(text)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError || r == '\u200c' {
			copy(b[i:i+n], "   ")
		}
		i += n
	}
	return segmenter.NewUnicodeTokenizer().Tokenize(b)
}

// letterFilter changes terms one by one.
type letterFilter func(term []byte) []byte

func (f letterFilter) Filter(stream analysis.TokenStream) analysis.TokenStream {
	for _, t := range stream {
		t.Term = f(t.Term)
	}
	return stream
}

// cedillas writes ș and ț as bleve's stop words and stemmer have them.
func cedillas(term []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch r {
		case 'ș':
			return 'ş'
		case 'ț':
			return 'ţ'
		}
		return r
	}, term)
}

// newCJK is bleve's analyzer, but that pairs are made of Hangul as well: to find
// parts of words in one of the three scripts and not in the others would be
// strange.
func newCJK() *analyzer {
	steps := []analysis.TokenFilter{cjk.NewCJKWidthFilter(), letterFilter(bytes.ToLower), hangulFilter{}, cjk.NewCJKBigramFilter(false)}
	return &analyzer{limit: longWord, stream: func(text string) analysis.TokenStream {
		stream := segments(text)
		for _, f := range steps {
			stream = f.Filter(stream)
		}
		return stream
	}}
}

// hangulFilter has words in Hangul taken as ideographic.
type hangulFilter struct{}

func (hangulFilter) Filter(stream analysis.TokenStream) analysis.TokenStream {
	for _, t := range stream {
		if t.Type == analysis.AlphaNumeric && !bytes.ContainsFunc(t.Term, func(r rune) bool { return !unicode.Is(unicode.Hangul, r) }) {
			t.Type = analysis.Ideographic
		}
	}
	return stream
}
