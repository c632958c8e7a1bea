package snapshot

import (
	"iter"
	"math/bits"
)

const (
	pageBits  = 1 << 12 // numbers per page
	pageWords = pageBits / 64
)

// bitset is a set of numbers in pages. Clones share pages: a page is copied
// when it is first changed, so a clone costs little and a change half a
// kilobyte at most. Sets are changed only while they are being made.
type bitset struct {
	pages []*[pageWords]uint64 // nil: none of its numbers
	count int
	owned int // pages that this set or those it was cloned from have copied
}

// clone returns a copy; owned tells whether pages copied before count.
func (s *bitset) clone() bitset {
	return bitset{pages: append([]*[pageWords]uint64(nil), s.pages...), count: s.count, owned: s.owned}
}

// has reports whether n is in the set.
func (s *bitset) has(n uint32) bool {
	p := n / pageBits
	if uint64(p) >= uint64(len(s.pages)) || s.pages[p] == nil {
		return false
	}
	return s.pages[p][n%pageBits/64]>>(n%64)&1 != 0
}

// set puts n into the set or takes it out. Pages that base has too are copied
// before they change; base is nil, or the set this one was cloned from.
func (s *bitset) set(n uint32, in bool, base *bitset) {
	if s.has(n) == in {
		return
	}
	p := int(n / pageBits)
	for len(s.pages) <= p {
		s.pages = append(s.pages, nil)
	}
	switch page := s.pages[p]; {
	case page == nil:
		s.pages[p] = new([pageWords]uint64)
		s.owned++
	case base != nil && p < len(base.pages) && page == base.pages[p]:
		c := *page
		s.pages[p] = &c
		s.owned++
	}
	s.pages[p][n%pageBits/64] ^= 1 << (n % 64)
	if in {
		s.count++
	} else {
		s.count--
	}
}

// all yields the numbers, ascending.
func (s *bitset) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for p, page := range s.pages {
			if page == nil {
				continue
			}
			for w, word := range page {
				for ; word != 0; word &= word - 1 {
					if !yield(uint32(p*pageBits + w*64 + bits.TrailingZeros64(word))) {
						return
					}
				}
			}
		}
	}
}

// bytes returns the memory of the page table and of the pages in owned.
func (s *bitset) bytes() int64 { return int64(cap(s.pages))*8 + int64(s.owned)*pageWords*8 }
