package search

import (
	"cmp"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/snapshot"
)

// Hybrid search fuses two lists of chunks by reciprocal rank (Cormack, Clarke
// and Büttcher 2009): a chunk scores the sum over the lists of 1/(fusionK +
// rank), rank from 1.
const (
	fusionK     = 60
	fusionDepth = 1000 // least length of the lists
)

// fusion fuses lists of chunks.
type fusion struct {
	number     func(*snapshot.Entry) int // each has its own, from 0
	entries    int                       // all numbers are below
	byDistance bool                      // rank by distance instead of the fused score
}

// documents returns the first n documents of two lists of chunks. A document's
// score is its best chunk's; its distance that chunk's by vector, or by words if
// the vector did not find it.
func (fu *fusion) documents(byVector, byWords []scored, n int) []scored {
	type fused struct {
		scored
		score float64
		next  int32 // another chunk of the document, 1 above its index; 0 for none
	}
	chunks := make([]fused, 0, len(byVector)+len(byWords)) // never moved: next is written through pointers
	// By numbers of entries, the first of their chunks, as fused.next has them.
	heads := headPool.Get().(*[]int32)
	if len(*heads) < fu.entries {
		*heads = make([]int32, fu.entries)
	}
	for _, list := range [][]scored{byVector, byWords} {
		for i, c := range list {
			at := &(*heads)[fu.number(c.entry)]
			for *at != 0 && chunks[*at-1].chunk != c.chunk {
				at = &chunks[*at-1].next
			}
			if *at == 0 {
				*at = int32(len(chunks)) + 1
				chunks = append(chunks, fused{scored: c})
			}
			chunks[*at-1].score += 1 / float64(fusionK+i+1)
			chunks[*at-1].found |= c.found
		}
	}
	order := func(a, b *fused) int {
		score, distance := cmp.Compare(b.score, a.score), cmp.Compare(a.distance, b.distance)
		if fu.byDistance {
			return cmp.Or(distance, score)
		}
		return cmp.Or(score, distance)
	}
	ranked := make([]*fused, 0, len(chunks))
	for i := range chunks {
		head := &(*heads)[fu.number(chunks[i].entry)]
		if *head == 0 {
			continue // its document was looked at with another chunk
		}
		*head = 0
		best := &chunks[i]
		for at := best.next; at != 0; at = chunks[at-1].next {
			if f := &chunks[at-1]; cmp.Or(order(f, best), cmp.Compare(f.chunk, best.chunk)) < 0 {
				best = f
			}
		}
		ranked = append(ranked, best)
	}
	headPool.Put(heads)
	ranked = first(ranked, n, func(a, b *fused) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return strings.Compare(a.entry.ID, b.entry.ID)
	})
	out := make([]scored, len(ranked))
	for i, f := range ranked {
		out[i] = f.scored
		out[i].score = float32(f.score)
	}
	return out
}

// headPool holds slices of zeros.
var headPool = sync.Pool{New: func() any { return new([]int32) }}
