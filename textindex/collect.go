package textindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// posting says how often a chunk of a block has a leaf.
type posting struct{ chunk, frequency uint32 }

// place is where a chunk of a block has an element.
type place struct{ chunk, position uint32 }

// span is a part of scratch.postings.
type span struct{ from, to int }

// scratch is the memory of one search. One that was left in the middle is not
// used again: its scores are not zero.
type scratch struct {
	words, terms []segment.TermDictionary // of the index's blocks
	list         segment.PostingsList     // for zapx to reuse
	iterator     segment.PostingsIterator
	postings     []posting
	spans        []span     // in postings, of each leaf in each block
	places       [2][]place // of a phrase as far as it was read, and of its next element
	expansion    map[string]struct{}
	scores       []float64 // of a block's chunks; zero between blocks
	touched      []uint32  // chunks whose score is not zero
	found        []uint64  // bits of the leaves that a part's documents have
}

var scratches = sync.Pool{New: func() any { return &scratch{expansion: map[string]struct{}{}} }}

// maxKept bounds the postings that a scratch keeps memory for.
const maxKept = 1 << 18

// reset drops what refers to the index, and memory that few searches need.
func (s *scratch) reset() {
	clear(s.terms)
	clear(s.words)
	clear(s.expansion)
	s.terms, s.words, s.spans = s.terms[:0], s.words[:0], s.spans[:0]
	s.list, s.iterator = nil, nil
	s.postings = s.postings[:0]
	if cap(s.postings) > maxKept {
		s.postings = nil
	}
	for i := range s.places {
		if cap(s.places[i]) > maxKept {
			s.places[i] = nil
		}
	}
}

// collect reads the postings of all leaves in all blocks, and weighs the leaves
// by how many live chunks have them.
func (s *scratch) collect(ctx context.Context, x *Index, c *compiled) error {
	if err := s.open(x); err != nil {
		return err
	}
	for n := 0; n < len(c.leaves); n++ { // more are added
		l := c.leaves[n]
		start := len(s.postings)
		for i := range x.blocks {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("textindex: search: %w", err)
			}
			lb, from := &x.blocks[i], len(s.postings)
			err := guard(func() error { return s.read(lb, i, l) })
			if wrong, ok := errors.AsType[*SyntaxError](err); ok {
				return wrong
			}
			if err != nil {
				return at(lb.file, "search", err)
			}
			if len(s.postings)-from > len(lb.lengths) {
				return at(lb.file, "search", badf("more postings than chunks"))
			}
			s.spans = append(s.spans, span{from, len(s.postings)})
		}
		l.chunks = len(s.postings) - start
		if l.base != nil {
			if apart := l.base.apart; apart != nil && l.chunks+l.base.chunks == 0 {
				apart.bits, apart.count = l.base.bits, l.base.count
				c.leaves = append(c.leaves, apart)
			}
			l.chunks = min(l.chunks+l.base.chunks, int(x.stats.Chunks))
			if l.base.word != "" && l.base.count > 0 && (c.fuzzy == FuzzyOn || c.fuzzy == FuzzyAuto && l.chunks == 0) {
				if err := s.spell(ctx, x, c, l.base); err != nil {
					return err
				}
			}
		}
		if !l.close {
			l.weigh(x, l.chunks)
		}
	}
	return nil
}

// weigh gives a leaf the weight of a term that so many live chunks have.
func (l *leaf) weigh(x *Index, chunks int) {
	n := float64(chunks)
	l.weight = math.Log((float64(x.stats.Chunks)-n+0.5)/(n+0.5)+1) * (k1 + 1) * l.share * float64(l.count)
}

// open opens the dictionaries.
func (s *scratch) open(x *Index) error {
	size := 0
	for i := range x.blocks {
		lb := &x.blocks[i]
		size = max(size, len(lb.lengths))
		err := guard(func() error {
			d, err := lb.base.Dictionary(textField)
			if s.terms = append(s.terms, d); err == nil {
				d, err = lb.base.Dictionary(wordField)
				s.words = append(s.words, d)
			}
			return err
		})
		if err != nil {
			return at(lb.file, "search", badf("a zap file: %v", err))
		}
	}
	if len(s.scores) < size {
		s.scores = make([]float64, size)
	}
	return nil
}

// read appends the leaf's postings in block i, ascending.
func (s *scratch) read(lb *liveBlock, i int, l *leaf) error {
	if len(l.elements) > 1 {
		return s.phrase(lb, i, l)
	}
	if e := l.elements[0]; !e.prefix {
		return s.term(lb, s.dictionary(i, e.term), []byte(e.term))
	}
	from, lists := len(s.postings), 0
	err := s.expand(lb, i, l, func(d segment.TermDictionary, term []byte) error {
		lists++
		return s.term(lb, d, term)
	})
	if err != nil || lists < 2 || len(s.postings) == from {
		return err
	}
	// One term of several: their postings are put together.
	list := s.postings[from:]
	slices.SortFunc(list, func(a, b posting) int { return cmp.Compare(a.chunk, b.chunk) })
	n := 0
	for _, p := range list[1:] {
		if list[n].chunk == p.chunk {
			list[n].frequency += p.frequency
		} else {
			n++
			list[n] = p
		}
	}
	s.postings = s.postings[:from+n+1]
	return nil
}

// dictionaries returns those of block i.
func (s *scratch) dictionaries(i int) [2]segment.TermDictionary {
	return [...]segment.TermDictionary{s.terms[i], s.words[i]}
}

// dictionary returns the one of block i that has such terms.
func (s *scratch) dictionary(i int, term string) segment.TermDictionary {
	if marked(term) {
		return s.words[i]
	}
	return s.terms[i]
}

// term appends the live postings of a term.
func (s *scratch) term(lb *liveBlock, d segment.TermDictionary, term []byte) error {
	from := len(s.postings)
	if all := lb.common.get(term); all != nil {
		s.postings = append(s.postings, all...)
	} else {
		err := s.each(lb.block, d, term, false, func(p segment.Posting) {
			s.postings = append(s.postings, posting{uint32(p.Number()), uint32(p.Frequency())})
		})
		if err != nil {
			return err
		}
		lb.common.put(term, s.postings[from:], int64(len(lb.raw)))
	}
	if lb.dead == nil {
		return nil
	}
	live := s.postings[:from]
	for _, p := range s.postings[from:] {
		if lb.has(p.chunk) {
			live = append(live, p)
		}
	}
	s.postings = live
	return nil
}

// each calls f with the postings of a term.
func (s *scratch) each(b *block, d segment.TermDictionary, term []byte, places bool, f func(segment.Posting)) error {
	var err error
	if s.list, err = d.PostingsList(term, nil, s.list); err != nil {
		return badf("a zap file: %v", err)
	}
	s.iterator = s.list.Iterator(true, false, places, s.iterator)
	last := int64(-1)
	for {
		p, err := s.iterator.Next()
		switch {
		case err != nil:
			return badf("a zap file: %v", err)
		case p == nil:
			return nil
		case p.Number() >= uint64(len(b.lengths)) || int64(p.Number()) <= last:
			return badf("a posting of chunk %d of %d", p.Number(), len(b.lengths))
		}
		last = int64(p.Number())
		f(p)
	}
}

// expand calls f with the terms that the prefix of a leaf, its last element,
// stands for in block i, and the dictionary they are in.
func (s *scratch) expand(lb *liveBlock, i int, l *leaf, f func(d segment.TermDictionary, term []byte) error) error {
	prefix := l.elements[len(l.elements)-1].term
	for _, d := range s.dictionaries(i) {
		// 0xFF is in no term, they are UTF-8.
		it := d.AutomatonIterator(nil, []byte(prefix), []byte(prefix+"\xff"))
		for {
			entry, err := it.Next()
			if err != nil {
				return badf("a zap file: %v", err)
			}
			if entry == nil {
				break
			}
			if _, term := splitWord(entry.Term); term != "" && strings.HasPrefix(term, prefix) {
				continue // found by its term already
			}
			from := len(s.postings) + len(s.places[1])
			if err := f(d, []byte(entry.Term)); err != nil {
				return err
			}
			if len(s.postings)+len(s.places[1]) > from { // what only dead chunks have does not count
				s.expansion[entry.Term] = struct{}{}
			}
			if len(s.expansion) > MaxExpansion {
				return &SyntaxError{l.position, fmt.Sprintf("the prefixes of the query stand for more than %d words; make them longer", MaxExpansion)}
			}
		}
	}
	return nil
}

// phrase appends the postings of a phrase. It goes by the places of its first
// element, and throws out those that the next does not go on from.
func (s *scratch) phrase(lb *liveBlock, i int, l *leaf) error {
	for n, e := range l.elements {
		s.places[1] = s.places[1][:0]
		var err error
		if e.prefix {
			err = s.expand(lb, i, l, func(d segment.TermDictionary, term []byte) error {
				return s.prefixPlaces(lb, i, d, term, e.offset)
			})
			slices.SortFunc(s.places[1], comparePlaces)
			s.places[1] = slices.Compact(s.places[1])
		} else {
			err = s.termPlaces(lb, i, []byte(e.term), e.offset, nil)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			s.places[0], s.places[1] = s.places[1], s.places[0]
		} else {
			s.places[0] = intersect(s.places[0], s.places[1])
		}
		if len(s.places[0]) == 0 {
			return nil
		}
	}
	from := len(s.postings)
	for _, p := range s.places[0] {
		if n := len(s.postings); n > from && s.postings[n-1].chunk == p.chunk {
			s.postings[n-1].frequency++
		} else {
			s.postings = append(s.postings, posting{p.chunk, 1})
		}
	}
	return nil
}

// termPlaces appends where a phrase would begin that has the term so many words
// after its first, in the given chunks (nil: all live ones).
func (s *scratch) termPlaces(lb *liveBlock, i int, term []byte, offset int, within map[uint32]struct{}) error {
	return s.each(lb.block, s.dictionary(i, string(term)), term, true, func(p segment.Posting) {
		chunk := uint32(p.Number())
		if _, ok := within[chunk]; within != nil && !ok || !lb.has(chunk) {
			return
		}
		for _, at := range p.Locations() {
			if pos := at.Pos(); pos >= uint64(offset) {
				s.places[1] = append(s.places[1], place{chunk, uint32(pos) - uint32(offset)})
			}
		}
	})
}

// prefixPlaces is termPlaces for a term that a prefix stands for. Words have no
// places: theirs are those of their term in the chunks that have the word.
func (s *scratch) prefixPlaces(lb *liveBlock, i int, d segment.TermDictionary, term []byte, offset int) error {
	if d == s.terms[i] {
		return s.termPlaces(lb, i, term, offset, nil)
	}
	within := map[uint32]struct{}{}
	err := s.each(lb.block, d, term, false, func(p segment.Posting) { within[uint32(p.Number())] = struct{}{} })
	if err != nil {
		return err
	}
	_, stem := splitWord(string(term))
	return s.termPlaces(lb, i, []byte(stem), offset, within)
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.chunk, b.chunk), cmp.Compare(a.position, b.position))
}

// intersect keeps the places of a that are in b. Both ascend.
func intersect(a, b []place) []place {
	n := 0
	for _, p := range a {
		for len(b) > 0 && comparePlaces(b[0], p) < 0 {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == p {
			a[n] = p
			n++
		}
	}
	return a[:n]
}

// find gathers what the documents of a part have.
func (s *scratch) find(x *Index, c *compiled, part int) {
	p := &x.parts[part]
	if cap(s.found) < p.count {
		s.found = make([]uint64, p.count)
	}
	s.found = s.found[:p.count]
	clear(s.found)
	for i := range x.blocks {
		lb := &x.blocks[i]
		if lb.part != part {
			continue
		}
		for n, l := range c.leaves {
			for _, p := range s.of(x, n, i) {
				s.found[x.parts[part].document(lb.first+p.chunk)] |= l.bits
			}
		}
	}
}

// of returns the postings of a leaf in a block.
func (s *scratch) of(x *Index, leaf, block int) []posting {
	at := s.spans[leaf*len(x.blocks)+block]
	return s.postings[at.from:at.to]
}

// score adds up the scores of a block's live chunks.
func (s *scratch) score(x *Index, c *compiled, block int) {
	lengths := x.blocks[block].lengths
	fixed, perTerm := k1*(1-b0), 0.0
	if x.stats.Terms > 0 {
		perTerm = k1 * b0 / x.stats.AvgLen()
	}
	for n, l := range c.leaves {
		if l.count == 0 {
			continue
		}
		for _, p := range s.of(x, n, block) {
			if s.scores[p.chunk] == 0 {
				s.touched = append(s.touched, p.chunk)
			}
			f := float64(p.frequency)
			s.scores[p.chunk] += l.weight * f / (f + fixed + perTerm*float64(lengths[p.chunk]))
		}
	}
}
