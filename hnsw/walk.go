package hnsw

import "context"

// ctxEvery is how many steps a walk takes between looks at its context: a few
// hundred microseconds.
const ctxEvery = 64

// stepNodes is how many candidates a walk expands in one step.
const stepNodes = 1

// space is what a walk moves through: the finished graph with the caller's
// vectors, or the graph under construction with its own.
type space interface {
	// links returns the neighbours of node in layer.
	links(layer int, node uint32) []uint32
	// similar sets dst[i] to the similarity of what is searched for and
	// nodes[i]; dst is as long as nodes.
	similar(nodes []uint32, dst []float32) error
	// fetchLinks and fetch hint that links of nodes in layer, and nodes
	// themselves, are to be asked for soon.
	fetchLinks(layer int, nodes []uint32)
	fetch(nodes []uint32)
}

// walker is the state of one search at a time; it is reused, since its slices
// are as large as the graph and the search ask for.
type walker struct {
	pool
	space space

	seen     []uint64 // bit per node: measured in this search
	measured int      // nodes measured in this search

	batch  []uint32 // nodes to measure together
	sims   []float32
	ahead  []uint32 // the batch after that
	chosen []uint32 // nodes to expand for the one after that
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

// measure sets w.sims to the similarities of w.batch.
func (w *walker) measure() error {
	w.sims = resize(w.sims, len(w.batch))
	return w.space.similar(w.batch, w.sims)
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
	best := newEntry(w.sims[0], from)
	for l := top; l >= bottom; l-- {
		// Each step is to a strictly better node, so the loop ends.
		for moved := true; moved; {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			moved = false
			w.batch = append(w.batch[:0], w.space.links(l, best.node())...)
			w.space.fetch(w.batch) // all at once, where measuring goes row by row
			if err := w.measure(); err != nil {
				return 0, err
			}
			for i, node := range w.batch {
				if e := newEntry(w.sims[i], node); e < best {
					best, moved = e, true
				}
			}
		}
	}
	return best.node(), nil
}

// seed measures nodes and adds them to the pool, as a walk's beginning.
func (w *walker) seed(nodes ...uint32) error {
	w.batch = w.batch[:0]
	w.gather(nodes)
	return w.addBatch()
}

// gather appends to the batch those of nodes that are not measured yet.
func (w *walker) gather(nodes []uint32) {
	n := len(w.batch)
	if cap(w.batch) < n+len(nodes) {
		w.batch = append(make([]uint32, 0, 2*(n+len(nodes))), w.batch...)
	}
	batch := w.batch[:n+len(nodes)]
	for _, node := range nodes {
		word, bit := &w.seen[node/64], node%64
		batch[n] = node
		// No branch: whether a node was seen is anybody's guess.
		n += int(^*word >> bit & 1)
		*word |= 1 << bit
	}
	w.batch = batch[:n]
}

// addBatch measures the batch and adds it to the pool.
func (w *walker) addBatch() error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.measure(); err != nil {
		return err
	}
	w.measured += len(w.batch)
	for i, node := range w.batch {
		if e := newEntry(w.sims[i], node); e < w.bar {
			w.add(e)
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
// is chosen before the last two steps' nodes are known; those who are expanded
// needlessly for that are few, since in the end every entry that stays in the
// pool is expanded.
func (w *walker) walk(ctx context.Context, layer int, stop func() bool) error {
	w.batch, w.chosen = w.batch[:0], w.chosen[:0]
	for steps := 1; ; steps++ {
		if steps%ctxEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if stop != nil && stop() {
			return nil
		}
		measured := w.batch
		w.batch = w.ahead[:0]
		for _, node := range w.chosen {
			w.gather(w.space.links(layer, node))
		}
		w.ahead, w.batch = w.batch, measured
		w.space.fetch(w.ahead)

		w.choose()
		w.space.fetchLinks(layer, w.chosen)

		if len(w.batch) == 0 && len(w.ahead) == 0 && len(w.chosen) == 0 {
			return nil
		}
		if err := w.addBatch(); err != nil {
			return err
		}
		w.batch, w.ahead = w.ahead, w.batch
	}
}

// choose sets chosen to the nearest nodes that are not expanded, and marks them
// as if they were.
func (w *walker) choose() {
	w.chosen = w.chosen[:0]
	for ; w.next < len(w.entries) && len(w.chosen) < stepNodes; w.next++ {
		if e := &w.entries[w.next]; !e.expanded() {
			*e |= entryExpanded
			w.chosen = append(w.chosen, e.node())
		}
	}
}
