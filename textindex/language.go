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
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/token/unicodenorm"
	segmenter "github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/registry"
)

// CJK is the name of the analyzer for Chinese, Japanese and Korean.
const CJK = "cjk"

// The filters that are not in bleve's registry under a name.
const (
	nfkc         = "nfkc"
	turkishLower = "lower_tr"
)

// languages are bleve's analyzers besides English: the names of their filters
// in order. They stand here and are not asked of bleve, because surfaces need
// the filters of spelling alone, and because of two differences: Turkish has
// its own lower case (I and ı, İ and i; bleve makes i of both capitals), and
// Chinese, Japanese and Korean are apart, see newCJK.
var languages = map[string][]string{
	"ar": {lowercase.Name, nfkc, ar.StopName, ar.NormalizeName, ar.StemmerName},
	"da": {lowercase.Name, da.StopName, da.SnowballStemmerName},
	"de": {lowercase.Name, de.StopName, de.NormalizeName, de.LightStemmerName},
	"es": {lowercase.Name, es.StopName, es.NormalizeName, es.LightStemmerName},
	"fa": {lowercase.Name, ar.NormalizeName, fa.NormalizeName, fa.StopName},
	"fi": {lowercase.Name, fi.StopName, fi.SnowballStemmerName},
	"fr": {lowercase.Name, fr.ElisionName, fr.StopName, fr.LightStemmerName},
	"hi": {lowercase.Name, in.NormalizeName, hi.NormalizeName, hi.StopName, hi.StemmerName},
	"hr": {lowercase.Name, hr.StopName, hr.SuffixTransformationFilterName, hr.StemmerName},
	"hu": {lowercase.Name, hu.StopName, hu.SnowballStemmerName},
	"it": {lowercase.Name, it.ElisionName, it.StopName, it.LightStemmerName},
	"nl": {lowercase.Name, nl.StopName, nl.SnowballStemmerName},
	"no": {lowercase.Name, no.StopName, no.SnowballStemmerName},
	"pt": {lowercase.Name, pt.StopName, pt.LightStemmerName},
	"ro": {lowercase.Name, ro.StopName, ro.SnowballStemmerName},
	"ru": {lowercase.Name, ru.StopName, ru.SnowballStemmerName},
	"sv": {lowercase.Name, sv.StopName, sv.SnowballStemmerName},
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
		case turkishLower:
			s.filter = turkishLowerFilter{}
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
		return nil, fmt.Errorf("%w %q", ErrAnalyzer, name)
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

// turkishLowerFilter lower-cases as Turkish does.
type turkishLowerFilter struct{}

func (turkishLowerFilter) Filter(stream analysis.TokenStream) analysis.TokenStream {
	for _, t := range stream {
		t.Term = bytes.ToLowerSpecial(unicode.TurkishCase, t.Term)
	}
	return stream
}

// newCJK is bleve's analyzer, but that pairs are made of Hangul as well: to find
// parts of words in one of the three scripts and not in the others would be
// strange.
func newCJK() *analyzer {
	steps := []analysis.TokenFilter{cjk.NewCJKWidthFilter(), lowercase.NewLowerCaseFilter(), hangulFilter{}, cjk.NewCJKBigramFilter(false)}
	return &analyzer{limit: longWord, whole: func(text string) analysis.TokenStream {
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
