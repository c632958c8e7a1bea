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
	// maxNear bounds the words that stand in for a misspelt one.
	maxNear = 50
)

// automata makes automata of the words near one.
var automata = sync.OnceValues(func() (*levenshtein.LevenshteinAutomatonBuilder, error) {
	return levenshtein.NewLevenshteinAutomatonBuilder(2, true)
})

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

// nearWord is a word near a misspelt one.
type nearWord struct {
	surface string
	edits   uint8
	*leaf
}

// spell adds to the query the words near one of its own, which is or may be
// misspelt.
func (s *scratch) spell(ctx context.Context, x *Index, c *compiled, of *leaf) error {
	limit := edits(of.word)
	if limit == 0 {
		return nil
	}
	builder, err := automata()
	if err != nil {
		return fmt.Errorf("textindex: search: %w", err)
	}
	dfa, err := builder.BuildDfa(of.word, limit)
	if err != nil {
		return nil // too many states: the word stays as it is
	}
	near := map[string]nearWord{} // by their terms
	for i := range x.blocks {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("textindex: search: %w", err)
		}
		if err := guard(func() error { return s.nearWords(x.blocks[i].block, i, dfa, of, near) }); err != nil {
			return at(x.blocks[i].file, "search", err)
		}
	}
	list := slices.Collect(maps.Values(near))
	for n := range list {
		w := &list[n]
		for i := range x.blocks {
			from := len(s.postings)
			if err := guard(func() error { return s.read(&x.blocks[i], i, w.leaf) }); err != nil {
				return at(x.blocks[i].file, "search", err)
			}
			w.chunks += len(s.postings) - from
			s.postings = s.postings[:from]
		}
	}
	list = slices.DeleteFunc(list, func(w nearWord) bool { return w.chunks == 0 })
	slices.SortFunc(list, func(a, b nearWord) int {
		return cmp.Or(cmp.Compare(a.edits, b.edits), cmp.Compare(b.chunks, a.chunks), cmp.Compare(a.surface, b.surface))
	})
	chunks := 0
	for i, w := range list {
		if i == maxNear || c.fuzzy == FuzzyAuto && w.edits > list[0].edits {
			list = list[:i]
			break
		}
		chunks += w.chunks
	}
	for _, w := range list {
		w.weigh(x, min(chunks, int(x.stats.Chunks)))
		c.leaves = append(c.leaves, w.leaf)
	}
	return nil
}

// nearWords gathers the words of block i that the automaton accepts.
func (s *scratch) nearWords(b *block, i int, dfa *levenshtein.DFA, of *leaf, near map[string]nearWord) error {
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
			_, distance := dfa.MatchAndDistance(surface)
			if term == "" {
				if term, surface = surface, ""; term != of.elements[0].term {
					if surface, err = s.surfaceOf(b, i, term); err != nil {
						return err
					}
				}
			}
			old, ok := near[term]
			if term == of.elements[0].term || ok && cmp.Or(cmp.Compare(old.edits, distance), cmp.Compare(old.surface, surface)) <= 0 {
				continue
			}
			near[term] = nearWord{surface, distance, &leaf{
				elements: []element{{term: term}}, bits: of.bits, count: of.count, close: true, word: surface,
				share: variantShare / float64(max(distance, 1)),
			}}
		}
	}
	return nil
}

// surfaceOf returns a word of block i that has the term: the term, if that is one,
// and not only what stemming leaves of others.
func (s *scratch) surfaceOf(b *block, i int, term string) (string, error) {
	frequency := func(d segment.TermDictionary, key string) (n uint64, err error) {
		err = s.each(b, d, []byte(key), false, func(p segment.Posting) { n += p.Frequency() })
		return n, err
	}
	own, err := frequency(s.terms[i], term)
	if err != nil {
		return "", err
	}
	surface, start := term, cut(term, 3)
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
		if surface == term {
			surface = word
		}
		n, err := frequency(s.words[i], entry.Term)
		if err != nil {
			return "", err
		}
		if own -= min(n, own); own == 0 {
			return surface, nil
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
