package hnsw

import (
	"context"
	"math"
)

// ctxEvery is how many nodes a walk expands between looks at its context: a
// few hundred microseconds.
const ctxEvery = 64

// space is what a walk moves through: the finished graph with the caller's
// vectors, or the graph under construction with its own copy of them.
type space interface {
	// links returns the neighbours of node in layer.
	links(layer int, node uint32) []uint32
	// dots sets dst[i] to the inner product of q and the vector of nodes[i].
	dots(q []float32, nodes []uint32, dst []float32) error
}

// candidate is a node a walk has measured.
type candidate struct {
	sim      float32 // never NaN
	node     uint32
	expanded bool // its neighbours have been measured
	live     bool // it counts as a result; others only lead on
}

// walker is the state of one search at a time; it is reused, since its slices
// are as large as the graph and the search ask for.
type walker struct {
	space space
	slots []uint32 // by node: what orders equal similarities
	q     []float32
	live  func(candidate) bool // counts among the ef; nil: all do

	// pool holds what was measured, best first, down to the ef-th live
	// candidate: what lies behind that can neither be a result nor lead to
	// one. A sorted slice, for it gives best, worst and next alike, and at
	// these sizes an insertion is one short memmove.
	pool     []candidate
	ef       int
	poolLive int // live candidates in pool
	next     int // all candidates before it are expanded

	seen     []uint64 // bit per node: measured in this search
	measured int      // nodes measured in this search

	batch []uint32 // nodes to measure together
	sims  []float32
}

// start readies w for a search for q among n nodes.
func (w *walker) start(s space, slots []uint32, q []float32, ef int, live func(candidate) bool) {
	w.space, w.slots, w.q, w.ef, w.live = s, slots, q, ef, live
	words := (len(slots) + 63) / 64
	if cap(w.seen) < words {
		w.seen = make([]uint64, words)
	}
	w.seen = w.seen[:words]
	clear(w.seen)
	w.pool = w.pool[:0]
	w.poolLive, w.next, w.measured = 0, 0, 0
}

// release drops what belongs to the caller of a finished search.
func (w *walker) release() {
	w.space, w.slots, w.q, w.live = nil, nil, nil, nil
}

// better reports whether a is nearer than b; equal ones are ordered by slot,
// so that the order is total and a result does not depend on the way to it.
func (w *walker) better(a, b candidate) bool {
	if a.sim != b.sim {
		return a.sim > b.sim
	}
	return w.slots[a.node] < w.slots[b.node]
}

// measure sets w.sims to the similarities of w.batch.
func (w *walker) measure() error {
	if cap(w.sims) < len(w.batch) {
		w.sims = make([]float32, len(w.batch), 2*len(w.batch))
	}
	w.sims = w.sims[:len(w.batch)]
	if err := w.space.dots(w.q, w.batch, w.sims); err != nil {
		return err
	}
	for i, s := range w.sims {
		w.sims[i] = ordered(s)
	}
	return nil
}

// ordered returns s, or the least similarity for a NaN, which would have no
// place in any order.
func ordered(s float32) float32 {
	if s != s {
		return float32(math.Inf(-1))
	}
	return s
}

// descend walks greedily from node `from` through layers top … bottom and
// returns the nearest node it came to.
func (w *walker) descend(ctx context.Context, from uint32, top, bottom int) (uint32, error) {
	if top < bottom {
		return from, nil
	}
	w.batch = append(w.batch[:0], from)
	if err := w.measure(); err != nil {
		return 0, err
	}
	best := candidate{sim: w.sims[0], node: from}
	for l := top; l >= bottom; l-- {
		// Each step is to a strictly better node, so the loop ends.
		for moved := true; moved; {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			moved = false
			w.batch = append(w.batch[:0], w.space.links(l, best.node)...)
			if err := w.measure(); err != nil {
				return 0, err
			}
			for i, node := range w.batch {
				if c := (candidate{sim: w.sims[i], node: node}); w.better(c, best) {
					best, moved = c, true
				}
			}
		}
	}
	return best.node, nil
}

// seed measures nodes and adds them to the pool, as a walk's beginning.
func (w *walker) seed(nodes ...uint32) error {
	w.batch = w.batch[:0]
	w.gather(nodes)
	return w.addBatch()
}

// gather appends to the batch those of nodes that are not measured yet.
func (w *walker) gather(nodes []uint32) {
	for _, node := range nodes {
		if bit := uint64(1) << (node % 64); w.seen[node/64]&bit == 0 {
			w.seen[node/64] |= bit
			w.batch = append(w.batch, node)
		}
	}
}

// addBatch measures the batch and adds it to the pool.
func (w *walker) addBatch() error {
	if err := w.measure(); err != nil {
		return err
	}
	w.measured += len(w.batch)
	for i, node := range w.batch {
		w.add(candidate{sim: w.sims[i], node: node})
	}
	return nil
}

// walk expands the pool's candidates in layer, nearest first, until none is
// left or stop, asked between two of them, says so.
func (w *walker) walk(ctx context.Context, layer int, stop func() bool) error {
	for steps := 1; ; steps++ {
		for w.next < len(w.pool) && w.pool[w.next].expanded {
			w.next++
		}
		if w.next == len(w.pool) || stop != nil && stop() {
			return nil
		}
		if steps%ctxEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		c := &w.pool[w.next]
		c.expanded = true
		w.batch = w.batch[:0]
		w.gather(w.space.links(layer, c.node))
		if len(w.batch) == 0 {
			continue
		}
		if err := w.addBatch(); err != nil {
			return err
		}
	}
}

// add puts c into its place in the pool, unless ef live candidates are nearer.
func (w *walker) add(c candidate) {
	if w.poolLive == w.ef && !w.better(c, w.pool[len(w.pool)-1]) {
		return
	}
	c.live = w.live == nil || w.live(c)
	lo, hi := 0, len(w.pool)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); w.better(c, w.pool[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	w.pool = append(w.pool, candidate{})
	copy(w.pool[lo+1:], w.pool[lo:])
	w.pool[lo] = c
	w.next = min(w.next, lo)
	if c.live {
		w.poolLive++
	}
	// Cut behind the ef-th live candidate.
	for last := len(w.pool) - 1; w.poolLive > w.ef || w.poolLive == w.ef && !w.pool[last].live; last-- {
		if w.pool[last].live {
			w.poolLive--
		}
		w.pool = w.pool[:last]
	}
	w.next = min(w.next, len(w.pool))
}
