package hnsw

import (
	"context"
	"fmt"
	"slices"
)

const (
	// extendBatch is smaller than batchMax: no batch has to be large for all
	// workers to be busy, and mates are compared with each other.
	extendBatch = 128
	// A search holds EfConstruction candidates, of which it expands the nearest
	// ones only, a third, but at least 4·M. In a complete graph the others lead
	// to nothing better; measured, the recall is the same, for half the work.
	expandedShare = 3
	expandedLeast = 4
)

// Extend returns a graph of the slots of g that live keeps and of those in add;
// live nil keeps all. g is not changed, and the result has its parameters.
//
// A new node is inserted as [Build] inserts one. Where live drops nodes, those
// that linked to them choose their links again, among what they had and what
// the dropped ones linked to. The cost is that of the nodes inserted and linked
// again; where they would be most of the graph, Extend is Build. Besides, every
// vector is read once, and memory is taken as by Build. The result keeps what
// Build promises: every node can be reached, and the same arguments give the
// same bytes, whatever the order of add and the number of workers.
//
// A slot that g holds may be in add only if live drops it. Vectors of dropped
// slots are not read: a slot whose vector is damaged has to be dropped. live is
// called from the calling goroutine only. The error wraps [ErrInput] for a slot
// given twice, else it is that of vecs or of ctx.
func (g *Graph) Extend(ctx context.Context, vecs Vectors, add []uint32, live func(slot uint32) bool, workers int) (*Graph, error) {
	kept := g.slots
	if live != nil {
		kept = g.liveSlots(live)
	}
	dropped := len(g.slots) - len(kept)
	if dropped+len(add) == 0 {
		return g, nil
	}
	if dropped+len(add) > len(kept) {
		return Build(ctx, vecs, slices.Concat(kept, add), g.params, workers)
	}
	b, err := newBuilder(vecs, g.params.withDefaults(), workers)
	if err != nil {
		return nil, err
	}
	x := &extension{builder: b, from: g}
	if err := x.renumber(kept, add); err != nil {
		return nil, err
	}
	if err := b.read(ctx, vecs); err != nil {
		return nil, fmt.Errorf("hnsw: extend: %w", err)
	}
	for l := range min(len(g.layers), len(b.layers)) {
		if err := x.carry(ctx, l); err != nil {
			return nil, fmt.Errorf("hnsw: extend: %w", err)
		}
	}
	if !x.enter() {
		return Build(ctx, vecs, slices.Concat(kept, add), g.params, workers)
	}
	extended, err := x.extend(ctx)
	if err != nil {
		return nil, fmt.Errorf("hnsw: extend: %w", err)
	}
	return extended, nil
}

// extension is a builder that begins with the links of another graph.
type extension struct {
	*builder
	from   *Graph
	origin []uint32 // of each node: its number in from, or noNode
	moved  []uint32 // of each node of from: its number, or noNode
	poor   []bool   // of each node: it lost links, and found too few in their stead
	picks  [][]pick // of each node of a batch
}

// pick is the links chosen for a node in a layer.
type pick struct {
	layer int
	links []uint32
}

// renumber numbers the nodes of both graphs. kept are in the order of from.
func (x *extension) renumber(kept, add []uint32) error {
	nodes := make([]ranked, 0, len(kept)+len(add))
	top, level, m := len(x.from.layers)-1, len(x.from.layers)-1, x.params.M
	for i, slot := range x.from.slots {
		if len(nodes) == len(kept) || kept[len(nodes)] != slot {
			continue
		}
		for i >= x.from.layers[level].nodes {
			level--
		}
		n := ranked{slot: slot, level: level, origin: uint32(i)}
		if level == top {
			// Its level was capped at the graph's, which may be higher now.
			n.level = max(level, levelOf(slot, m))
		}
		nodes = append(nodes, n)
	}
	for _, slot := range add {
		nodes = append(nodes, ranked{slot: slot, level: levelOf(slot, m), origin: noNode})
	}
	if err := x.number(nodes); err != nil {
		return err
	}
	x.poor = make([]bool, len(nodes))
	x.origin = make([]uint32, len(nodes))
	x.moved = slices.Repeat([]uint32{noNode}, len(x.from.slots))
	for i, n := range nodes {
		x.origin[i] = n.origin
		if n.origin != noNode {
			x.moved[n.origin] = uint32(i)
		}
	}
	return nil
}

// carry gives the kept nodes their links in layer l, which both graphs have.
func (x *extension) carry(ctx context.Context, l int) error {
	return x.parallel(ctx, x.layers[l].nodes, func(_ context.Context, w *worker, i int) error {
		node, from := uint32(i), x.origin[i]
		if from == noNode {
			return nil
		}
		links := w.now.nodes[:0]
		for _, to := range x.from.layers[l].links(from) {
			if to = x.moved[to]; to != noNode {
				links = append(links, to)
			}
		}
		w.now.nodes = links
		if len(links) == x.from.layers[l].degree(from) {
			x.layers[l].set(node, links)
			return nil
		}
		return x.relink(w, l, node)
	})
}

// relink gives node links in layer l in the stead of lost ones. It looks at the
// links of its lost neighbours, and as long as they give too few, at those of
// their lost neighbours in turn.
func (x *extension) relink(w *worker, l int, node uint32) error {
	most := x.params.maxLinks(l)
	old := &x.from.layers[l]
	if len(w.marks) == 0 {
		w.marks = make([]bool, len(x.from.slots))
	}
	w.lost, w.marked = w.lost[:0], w.marked[:0]
	meet := func(to uint32) {
		if w.marks[to] {
			return
		}
		w.marks[to] = true
		w.marked = append(w.marked, to)
		if at := x.moved[to]; at != noNode {
			w.now.nodes = append(w.now.nodes, at)
		} else {
			w.lost = append(w.lost, to)
		}
	}
	w.now.nodes = w.now.nodes[:0]
	w.marks[x.origin[node]] = true
	w.marked = append(w.marked, x.origin[node])
	for _, to := range old.links(x.origin[node]) {
		meet(to)
	}
	for i, direct := 0, len(w.lost); i < len(w.lost) && (i < direct || i < most && len(w.now.nodes) < most); i++ {
		for _, to := range old.links(w.lost[i]) {
			meet(to)
		}
	}
	for _, to := range w.marked {
		w.marks[to] = false
	}
	if len(w.now.nodes) < min(x.params.M, x.layers[l].nodes-1) {
		x.poor[node] = true
	}
	return w.prune(l, node, w.now.nodes)
}

// enter finds the node where searches begin: the first that was kept and is not
// poor. It returns false if most nodes are poor.
func (x *extension) enter() bool {
	count, found := 0, false
	for i := range x.slots {
		switch {
		case x.poor[i]:
			count++
		case x.origin[i] != noNode && !found:
			found = true
			x.entry, x.top = uint32(i), min(x.level(uint32(i)), len(x.from.layers)-1)
		}
	}
	return found && 2*count <= len(x.slots)
}

// extend inserts the nodes that are new or poor and returns the graph.
func (x *extension) extend(ctx context.Context) (*Graph, error) {
	var nodes []uint32
	for i := range x.slots {
		if x.poor[i] || x.origin[i] == noNode {
			nodes = append(nodes, uint32(i))
		}
	}
	nodes = x.inserted(nodes)
	for batch := range slices.Chunk(nodes, min(extendBatch, max(len(x.slots)/batchShare, 1))) {
		if err := x.insertAmong(ctx, batch); err != nil {
			return nil, err
		}
	}
	// Of the layers above the entry, all nodes are new, poor, or new there.
	for l := x.top + 1; l < len(x.layers); l++ {
		if err := x.fill(ctx, l); err != nil {
			return nil, err
		}
	}
	return x.finish(ctx)
}

// insertAmong links the nodes of batch, in the layers up to the entry's, to
// nodes of any level: unlike in a Build, each layer has to be searched. Kept
// nodes have links already, by which others come across them. So no links are
// set before all searches are over.
func (x *extension) insertAmong(ctx context.Context, batch []uint32) error {
	x.picks = resize(x.picks, len(batch))
	err := x.parallel(ctx, len(batch), func(ctx context.Context, w *worker, i int) error {
		x.picks[i] = x.picks[i][:0]
		node := batch[i]
		level := min(x.level(node), x.top)
		w.lookAround(node)
		if err := w.descend(ctx, x.entry, x.top, level+1); err != nil {
			return err
		}
		for l := level; l >= 0; l-- {
			if err := w.explore(ctx, l, x.layers[l].links(node), batch[:i]); err != nil {
				return err
			}
			x.picks[i] = append(x.picks[i], pick{l, slices.Clone(w.pickLinks(w.entries, x.params.M))})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.link(ctx, batch)
}

// fill makes layer l, in which no node has links worth keeping.
func (x *extension) fill(ctx context.Context, l int) error {
	nodes := make([]uint32, x.layers[l].nodes)
	for i := range nodes {
		nodes[i] = uint32(i)
	}
	nodes = x.inserted(nodes)
	for done := 0; done < len(nodes); {
		batch := nodes[done:][:min(max(done/batchShare, 1), batchMax, len(nodes)-done)]
		x.picks = resize(x.picks, len(batch))
		err := x.parallel(ctx, len(batch), func(ctx context.Context, w *worker, i int) error {
			w.lookAround(batch[i])
			if err := w.explore(ctx, l, nodes[:min(done, 1)], batch[:i]); err != nil {
				return err
			}
			x.picks[i] = append(x.picks[i][:0], pick{l, slices.Clone(w.pickLinks(w.entries, x.params.M))})
			return nil
		})
		if err != nil {
			return err
		}
		if err := x.link(ctx, batch); err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}

// link sets the links picked for batch, and the opposite ones.
func (x *extension) link(ctx context.Context, batch []uint32) error {
	var touched [maxLayers]bool
	for i, node := range batch {
		for _, p := range x.picks[i] {
			x.layers[p.layer].set(node, p.links)
			touched[p.layer] = true
		}
	}
	for l := range x.layers {
		if !touched[l] {
			continue
		}
		if err := x.linkBack(ctx, l, batch); err != nil {
			return err
		}
	}
	return nil
}

// lookAround readies w for a search from node, which finds others than node.
func (w *worker) lookAround(node uint32) {
	w.look(node)
	same := w.sim(node)
	w.start(len(w.b.slots), w.b.params.EfConstruction, func(_ uint32, sim float32) bool { return sim != same })
	w.seen[node/64] |= 1 << (node % 64)
}

// explore walks layer l from what the pool holds and the nodes of from, and adds
// mates to the pool.
func (w *worker) explore(ctx context.Context, l int, from, mates []uint32) error {
	w.gather(&w.now, from)
	w.walker.screen()
	if err := w.add(); err != nil {
		return err
	}
	for i := range w.entries {
		w.entries[i] &^= entryExpanded
	}
	w.next = 0
	p := w.b.params
	enough := max(p.EfConstruction/expandedShare, expandedLeast*p.M)
	limit := w.measured + p.EfConstruction*p.maxLinks(l)
	if err := w.walk(ctx, l, func() bool { return w.next >= enough || w.measured >= limit }); err != nil {
		return err
	}
	w.gather(&w.now, mates)
	return w.add()
}
