package textindex

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	segment "github.com/blevesearch/scorch_segment_api/v2"
	"github.com/blevesearch/vellum/levenshtein"
)

const (
	// From so many letters on a word may be one edit, or two, from that meant.
	oneEdit, twoEdits = 4, 8
	// maxMisspelt is the longest word that may be misspelt, in letters.
	maxMisspelt = 32
	// maxNear bounds the words that stand in for a misspelt one, maxSpelt the
	// letters of the misspelt words of a query: an automaton of two edits takes
	// 75 KB for each.
	maxNear  = 50
	maxSpelt = 160
)

// automata make automata of the words near one, by one edit and by two: those
// that could do both would take the memory of two for one.
var automata = [...]func() (*levenshtein.LevenshteinAutomatonBuilder, error){
	sync.OnceValues(func() (*levenshtein.LevenshteinAutomatonBuilder, error) {
		return levenshtein.NewLevenshteinAutomatonBuilder(1, true)
	}),
	sync.OnceValues(func() (*levenshtein.LevenshteinAutomatonBuilder, error) {
		return levenshtein.NewLevenshteinAutomatonBuilder(2, true)
	}),
}

// edits returns how many a word may be from that meant.
func edits(word string) uint8 {
	switch n := utf8.RuneCountInString(word); {
	case n < oneEdit || n > maxMisspelt || strings.ContainsFunc(word, unicode.IsNumber):
		return 0
	case n < twoEdits:
		return 1
	}
	return 2
}

// nearWord is a leaf that stands in for a misspelt word, so many edits away.
type nearWord struct {
	edits uint8
	*leaf
}

// spell adds to the query the words near one of its own, which is or may be
// misspelt.
func (s *scratch) spell(ctx context.Context, x *Index, c *compiled, of *leaf) error {
	limit, letters := edits(of.word), utf8.RuneCountInString(of.word)
	if limit == 0 || c.spelt+letters > maxSpelt {
		return nil
	}
	c.spelt += letters
	builder, err := automata[limit-1]()
	if err != nil {
		return fmt.Errorf("textindex: search: %w", err)
	}
	dfa, err := builder.BuildDfa(of.word, limit)
	if err != nil {
		return nil // too many states: the word stays as it is
	}
	near := map[string]nearWord{} // by their terms
	// each calls f with every block.
	each := func(f func(b *liveBlock, i int) error) error {
		for i := range x.blocks {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("textindex: search: %w", err)
			}
			if err := guard(func() error { return f(&x.blocks[i], i) }); err != nil {
				return at(x.blocks[i].file, "search", err)
			}
		}
		return nil
	}
	if err := each(func(_ *liveBlock, i int) error { return s.nearWords(i, dfa, of, near) }); err != nil {
		return err
	}
	order := func(a, b nearWord) int {
		return cmp.Or(cmp.Compare(a.edits, b.edits), cmp.Compare(b.chunks, a.chunks), cmp.Compare(a.elements[0].term, b.elements[0].term))
	}
	var live []nearWord
	for _, w := range slices.SortedFunc(maps.Values(near), order) {
		if c.fuzzy == FuzzyAuto && len(live) > 0 && w.edits > live[0].edits {
			break
		}
		err := each(func(lb *liveBlock, i int) error {
			from := len(s.postings)
			err := s.read(lb, i, w.leaf)
			w.chunks += len(s.postings) - from
			s.postings = s.postings[:from]
			return err
		})
		if err != nil {
			return err
		}
		if w.chunks > 0 {
			live = append(live, w)
		}
	}
	slices.SortFunc(live, order)
	live = live[:min(len(live), maxNear)]
	chunks := 0
	for _, w := range live {
		chunks += w.chunks
	}
	for _, w := range live {
		if term := w.elements[0].term; w.word == term {
			w.word = ""
			err := each(func(lb *liveBlock, i int) error {
				word, err := s.wordOf(lb.block, i, term)
				if w.word == "" || word == term {
					w.word = cmp.Or(word, w.word)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		w.weigh(x, min(chunks, int(x.stats.Chunks)))
		c.leaves = append(c.leaves, w.leaf)
	}
	return nil
}

// nearWords gathers the words of block i that the automaton accepts.
func (s *scratch) nearWords(i int, dfa *levenshtein.DFA, of *leaf, near map[string]nearWord) error {
	_, n := utf8.DecodeRuneInString(of.word)
	first := of.word[:n]
	for _, d := range s.dictionaries(i) {
		it := d.AutomatonIterator(toSurface{dfa}, []byte(first), []byte(first+"\xff"))
		for {
			entry, err := it.Next()
			if err != nil {
				return badf("a zap file: %v", err)
			}
			if entry == nil {
				break
			}
			surface, term := splitWord(entry.Term)
			term = cmp.Or(term, surface)
			_, distance := dfa.MatchAndDistance(surface)
			old, ok := near[term]
			if term == of.elements[0].term || ok && cmp.Or(cmp.Compare(old.edits, distance), cmp.Compare(old.word, surface)) <= 0 {
				continue
			}
			near[term] = nearWord{distance, &leaf{
				elements: []element{{term: term}}, bits: of.bits, count: of.count, close: true, word: surface,
				share: variantShare / float64(max(distance, 1)),
			}}
		}
	}
	return nil
}

// wordOf returns a word of a block that has the term: the term, if that is one,
// and not only what stemming leaves of others; "" for none.
func (s *scratch) wordOf(b *block, i int, term string) (string, error) {
	frequency := func(d segment.TermDictionary, key string) (n uint64, err error) {
		err = s.each(b, d, []byte(key), false, func(p segment.Posting) { n += p.Frequency() })
		return n, err
	}
	own, err := frequency(s.terms[i], term)
	if err != nil || own == 0 {
		return "", err
	}
	first, start := "", cut(term, 3)
	for it := s.words[i].AutomatonIterator(nil, []byte(start), []byte(start+"\xff")); ; {
		entry, err := it.Next()
		if err != nil {
			return "", badf("a zap file: %v", err)
		}
		if entry == nil {
			return term, nil
		}
		word, of := splitWord(entry.Term)
		if of != term {
			continue
		}
		first = cmp.Or(first, word)
		n, err := frequency(s.words[i], entry.Term)
		if err != nil {
			return "", err
		}
		if own -= min(n, own); own == 0 {
			return first, nil
		}
	}
}

// toSurface has an automaton accept the keys of words by their surfaces.
type toSurface struct{ surfaces *levenshtein.DFA }

// behind is the state behind the zero byte of a key.
const behind = -1

func (a toSurface) Start() int                     { return a.surfaces.Start() }
func (a toSurface) IsMatch(state int) bool         { return state == behind || a.surfaces.IsMatch(state) }
func (a toSurface) CanMatch(state int) bool        { return state == behind || a.surfaces.CanMatch(state) }
func (a toSurface) WillAlwaysMatch(state int) bool { return state == behind }

func (a toSurface) Accept(state int, b byte) int {
	switch {
	case state == behind, b == 0 && a.surfaces.IsMatch(state):
		return behind
	case b == 0:
		return int(levenshtein.SinkState)
	}
	return a.surfaces.Accept(state, b)
}

// name tells the hits which words they have in the place of misspelt ones.
func (s *scratch) name(x *Index, c *compiled, hits []Hit) {
	for n, l := range c.leaves {
		if !l.close {
			continue
		}
		for i := range x.blocks {
			lb, list := &x.blocks[i], s.of(x, n, i)
			for h := range hits {
				hit := &hits[h]
				if hit.Part != lb.part || hit.Chunk < lb.first {
					continue
				}
				_, ok := slices.BinarySearchFunc(list, hit.Chunk-lb.first, func(p posting, chunk uint32) int { return cmp.Compare(p.chunk, chunk) })
				if ok {
					hit.Matched = strings.TrimPrefix(hit.Matched+" "+l.word, " ")
				}
			}
		}
	}
}
