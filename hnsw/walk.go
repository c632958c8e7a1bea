package hnsw

import "context"

// ctxEvery is how many steps a walk takes between looks at its context: a few
// hundred microseconds.
const ctxEvery = 64

// space is what a walk moves through: the finished graph with the caller's
// vectors, or the graph under construction with its own.
type space interface {
	// links returns the neighbours of node in layer.
	links(layer int, node uint32) []uint32
	// fetchLinks hints that links of nodes in layer are to be asked for soon.
	fetchLinks(layer int, nodes []uint32)
	// locate appends to places those of the nodes' vectors, and hints that they
	// are to be measured soon.
	locate(nodes, places []uint32) []uint32
	// screen drops nodes of b that are surely less similar than least, and
	// hints that the others are to be measured at once.
	screen(b *batch, least float32)
	// similar sets dst[i] to the similarity of what is searched for and the
	// vector at places[i], all of which were screened last; dst is as long as
	// places.
	similar(places []uint32, dst []float32) error
}

// batch are nodes to be measured together, and where their vectors are.
type batch struct{ nodes, places []uint32 }

// walker is the state of one search at a time; it is reused, since its slices
// are as large as the graph and the search ask for.
type walker struct {
	pool
	space space

	seen     []uint64 // bit per node: measured in this search
	measured int      // nodes measured in this search

	chosen []uint32 // nodes expanded in the next step
	ahead  batch    // their neighbours a step later
	now    batch    // and those being measured
	sims   []float32
}

// start readies w for a search among n nodes.
func (w *walker) start(n, ef int, admit func(node uint32, sim float32) bool) {
	w.pool.start(ef, admit)
	w.measured = 0
	w.seen = resize(w.seen, (n+63)/64)
	clear(w.seen)
}

// resize returns s, or a new slice, with n elements of any value.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// gather makes b those of the nodes that are not measured yet.
func (w *walker) gather(b *batch, nodes []uint32) {
	unseen, n := resize(b.nodes, len(nodes)), 0
	for _, node := range nodes {
		word, bit := &w.seen[node/64], node%64
		unseen[n] = node
		// No branch: whether a node was seen is anybody's guess.
		n += int(^*word >> bit & 1)
		*word |= 1 << bit
	}
	w.batch(b, unseen[:n])
}

// batch makes b nodes.
func (w *walker) batch(b *batch, nodes []uint32) {
	b.nodes = nodes
	b.places = w.space.locate(nodes, b.places[:0])
}

// measure sets sims to the similarities of the batch at hand.
func (w *walker) measure() error {
	w.sims = resize(w.sims, len(w.now.nodes))
	if len(w.now.nodes) == 0 {
		return nil
	}
	return w.space.similar(w.now.places, w.sims)
}

// screen drops what is surely not good enough for the pool.
func (w *walker) screen() {
	w.measured += len(w.now.nodes)
	if len(w.now.nodes) > 0 {
		w.space.screen(&w.now, w.bar.sim())
	}
}

// add measures the batch at hand, which was screened, and adds it to the pool.
func (w *walker) add() error {
	if err := w.measure(); err != nil {
		return err
	}
	for i, node := range w.now.nodes {
		if e := newEntry(w.sims[i], node); e < w.bar {
			w.pool.add(e)
		}
	}
	return nil
}

// descend walks greedily from a node through layers top … bottom, each time to
// the nearest of all measured so far. They all go into the pool, as the
// beginning of a walk through the layer below.
func (w *walker) descend(ctx context.Context, from uint32, top, bottom int) error {
	w.gather(&w.now, []uint32{from})
	w.screen()
	if err := w.add(); err != nil {
		return err
	}
	for l := top; l >= bottom; l-- {
		// Each step is to a strictly better node, so the loop ends.
		for best, moved := w.entries[0].node(), true; moved; {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.gather(&w.now, w.space.links(l, best))
			w.screen()
			if err := w.add(); err != nil {
				return err
			}
			moved = w.entries[0].node() != best
			best = w.entries[0].node()
		}
	}
	return nil
}

// walk expands the pool's entries in layer, nearest first, until none is left
// or stop, asked between two steps, says so.
//
// Most of a walk's time goes by waiting for memory. So it works on three steps
// at once: while one's nodes are measured, the next one's are on their way from
// memory, and so are the links of the one after that. The price is that a node
// is chosen before the last two steps' nodes are known; those that are expanded
// needlessly for that are few, since in the end every entry that stays in the
// pool is expanded.
func (w *walker) walk(ctx context.Context, layer int, stop func() bool) error {
	w.now.nodes, w.chosen = w.now.nodes[:0], w.chosen[:0]
	for steps := 1; ; steps++ {
		if steps%ctxEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if stop != nil && stop() {
			return nil
		}
		w.screen()
		var links []uint32
		if len(w.chosen) > 0 {
			links = w.space.links(layer, w.chosen[0])
		}
		w.gather(&w.ahead, links)
		w.choose()
		w.space.fetchLinks(layer, w.chosen)
		if len(w.now.nodes) == 0 && len(w.ahead.nodes) == 0 && len(w.chosen) == 0 {
			return nil
		}
		if err := w.add(); err != nil {
			return err
		}
		w.now, w.ahead = w.ahead, w.now
	}
}

// choose makes chosen the nearest node that is not expanded, if there is one,
// and marks it as if it were.
func (w *walker) choose() {
	w.chosen = w.chosen[:0]
	for ; w.next < len(w.entries) && len(w.chosen) == 0; w.next++ {
		if e := &w.entries[w.next]; !e.expanded() {
			*e |= entryExpanded
			w.chosen = append(w.chosen, e.node())
		}
	}
}
