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
	composed      = "composed"
)

// languages are bleve's analyzers besides English: the names of their filters
// in order. They stand here and are not asked of bleve, because surfaces need
// the filters of spelling alone, and because of some differences: bleve's lower
// case garbles words with a letter that becomes shorter, as İ; Turkish has a
// lower case of its own (I and ı, İ and i); Romanian is written with ș and ț,
// where bleve knows ş and ţ; Chinese, Japanese and Korean are apart, see newCJK.
var languages = map[string][]string{
	"ar": {lower, ar.StopName, ar.NormalizeName, ar.StemmerName},
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
// bleve's analyzers do. CJK takes text of these scripts as overlapping pairs of
// characters, so that any that stand together are found, and other words as
// they are.
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
	for _, filter := range append([]string{composed}, languages[name]...) {
		s := step{spelling: !strings.HasPrefix(filter, "stop_") && !strings.HasPrefix(filter, "stemmer_") && filter != hr.SuffixTransformationFilterName}
		var err error
		switch filter {
		case composed:
			s.filter = letterFilter(func(term []byte) []byte { return []byte(compatible(string(term))) })
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
	return &analyzer{split: splitWords, parted: name == "fa", memo: map[string]form{}, run: func(word string) (term, surface string) {
		return runSteps(steps, word, false), runSteps(steps, word, true)
	}}, nil
}

// step is a part of the way from a word to its term.
type step struct {
	filter analysis.TokenFilter
	// spelling steps bring the spellings of one word together: they make the
	// word's surface. The others drop words, or parts of them.
	spelling bool
}

// runSteps takes a word through the steps, or through those of spelling alone,
// and returns what is left of it.
func runSteps(steps []step, word string, spelling bool) string {
	stream := analysis.TokenStream{{Term: []byte(word)}} // a copy: filters write into it
	for _, s := range steps {
		if spelling && !s.spelling {
			continue
		}
		if stream = s.filter.Filter(stream); len(stream) == 0 {
			return ""
		}
	}
	return cut(string(stream[0].Term), maxLetters)
}

// splitWords splits a text at the boundaries of words.
func splitWords(text string, emit func(p piece)) {
	for _, t := range segments(text) {
		if t.Type == analysis.Double {
			pairs(text, t.Start, t.End, emit)
		} else {
			emit(piece{start: t.Start, end: t.End})
		}
	}
}

// segments returns the words of a text; runs in scripts without spaces have the
// type Double. Bytes that are not UTF-8, U+FFFD, at both of which bleve would
// stop for good, and the non-joiner, by which Persian parts words that are
// written together, count as spaces. Digits of all kinds are some.
func segments(text string) analysis.TokenStream {
	b := []byte(text)
	var runs analysis.TokenStream
	end := 0 // of the last run
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case spaceless(r):
			if len(runs) == 0 || end < i {
				runs = append(runs, &analysis.Token{Start: i, Type: analysis.Double})
			}
			end = i + n
			runs[len(runs)-1].End = end
			fallthrough
		case r == utf8.RuneError, r == nonJoiner:
			copy(b[i:i+n], "   ")
		case n > 1 && digits(r): // bleve knows few of them
			copy(b[i:], [...]string{2: "٢", 3: "२", 4: "𝟐"}[n])
		}
		i += n
	}
	stream := segmenter.NewUnicodeTokenizer().Tokenize(b)
	if len(runs) > 0 {
		stream = append(stream, runs...)
		slices.SortFunc(stream, func(a, b *analysis.Token) int { return a.Start - b.Start })
	}
	return stream
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
	steps := []analysis.TokenFilter{cjk.NewCJKWidthFilter(), hangulFilter{}, cjk.NewCJKBigramFilter(false)}
	split := func(text string, emit func(p piece)) {
		stream := segments(text)
		for _, f := range steps {
			stream = f.Filter(stream)
		}
		for _, t := range stream {
			switch t.Type {
			case analysis.AlphaNumeric, analysis.Numeric:
				emit(piece{start: t.Start, end: t.End})
			case analysis.Double:
				if len(t.Term) == 0 {
					pairs(text, t.Start, t.End, emit)
					continue
				}
				fallthrough
			default:
				emit(piece{t.Start, t.End, string(t.Term)})
			}
		}
	}
	run := func(word string) (term, surface string) {
		term = cut(compatible(strings.ToLower(compatible(word))), maxLetters)
		return term, term
	}
	return &analyzer{split: split, run: run, memo: map[string]form{}}
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
