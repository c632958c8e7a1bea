package hnsw

import (
	"math"
	"math/bits"
)

// entry is a node that a walk has measured, packed so that one comparison of
// integers orders entries: the similarity turned round (32 bits), the node
// (30 bits) and two marks. Smaller is better; equal similarities are ordered by
// node, so that the order is total and no result depends on the way to it.
type entry uint64

const (
	entryDead     = 1 << 0 // it does not count as a result and only leads on
	entryExpanded = 1 << 1 // its neighbours have been measured
	entryNodeBits = 30
	maxNodes      = 1 << entryNodeBits
)

// newEntry packs a node; a NaN, which has no place in any order, becomes the
// least similarity.
func newEntry(sim float32, node uint32) entry {
	// Adding zero makes a plain zero of a negative one. The bits of positive
	// numbers are in the numbers' order, those of negative ones reversed.
	bits := math.Float32bits(ordered(sim) + 0)
	if bits>>31 == 0 {
		bits ^= 1<<31 - 1
	}
	return entry(bits)<<32 | entry(node)<<2
}

func (e entry) node() uint32   { return uint32(e) >> 2 }
func (e entry) dead() bool     { return e&entryDead != 0 }
func (e entry) expanded() bool { return e&entryExpanded != 0 }

func (e entry) sim() float32 {
	bits := uint32(e >> 32)
	if bits>>31 == 0 {
		bits ^= 1<<31 - 1
	}
	return math.Float32frombits(bits)
}

// ordered returns s, or the least similarity for a NaN.
func ordered(s float32) float32 {
	if s != s {
		return float32(math.Inf(-1))
	}
	return s
}

// pool holds what a walk has measured, best first, down to the ef-th live
// entry: what lies behind that can neither be a result nor lead to one. It is a
// sorted slice, for that gives best, worst and next alike, and at these sizes an
// insertion is one short move of memory.
type pool struct {
	entries []entry
	ef      int
	live    int                               // live entries
	next    int                               // all entries before it are expanded
	bar     entry                             // what is not better has no place
	admit   func(node uint32, s float32) bool // whether a node is live; nil: all are
}

// start empties the pool for a walk that holds ef live entries.
func (p *pool) start(ef int, admit func(node uint32, s float32) bool) {
	p.entries, p.ef, p.admit = p.entries[:0], ef, admit
	p.live, p.next, p.bar = 0, 0, math.MaxUint64
}

// add puts e into its place, unless ef live entries are better.
func (p *pool) add(e entry) {
	if e >= p.bar {
		return
	}
	if p.admit != nil && !p.admit(e.node(), e.sim()) {
		e |= entryDead
	} else {
		p.live++
	}
	// A binary search without branches, which could not be predicted.
	all, lo := p.entries, uint(0)
	for n := uint(len(all)); n > 0; {
		half := (n + 1) / 2
		_, less := bits.Sub64(uint64(all[lo+half-1]), uint64(e), 0)
		lo += half & -uint(less)
		n -= half
	}
	p.entries = append(p.entries, 0)
	copy(p.entries[lo+1:], p.entries[lo:])
	p.entries[lo] = e
	p.next = min(p.next, int(lo))
	if p.live < p.ef {
		return
	}
	// Cut behind the ef-th live entry.
	last := len(p.entries) - 1
	for ; p.live > p.ef || p.entries[last].dead(); last-- {
		if !p.entries[last].dead() {
			p.live--
		}
	}
	p.entries = p.entries[:last+1]
	p.bar = p.entries[last]
	p.next = min(p.next, len(p.entries))
}
