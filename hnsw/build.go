package hnsw

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vector"
)

// A batch is a 16th of the graph at most, so that what its members do not see
// of each other's neighbourhood does not matter, and bounded, so that comparing
// them with each other stays a small part of the work.
const (
	batchShare = 16
	batchMax   = 512
)

// builder is a graph under construction. Nodes are numbered as in the finished
// graph from the start; seq is the order of their insertion.
type builder struct {
	params  Params
	dim     int
	slots   []uint32     // by node
	codes   vector.Codes // by node
	layers  []layer
	seq     []uint32
	entry   uint32 // where searches begin while links are made
	top     int    // and the highest layer they begin in
	workers []*worker
}

// worker is one of the goroutines of a build, with its scratch memory. As a
// space, it is the graph under construction seen from query.
type worker struct {
	walker
	b      *builder
	query  vector.Query // the node worked on
	pick   vector.Query // a neighbour picked for it
	vec    []float32
	cands  []entry
	picked []entry
	alive  []entry
	ids    []uint32
	dots   []float32
	// Of a relinking, by numbers of the graph extended:
	marks  []bool   // of each node: met
	marked []uint32 // those met
	lost   []uint32 // and not kept
}

func (w *worker) links(layer int, node uint32) []uint32 { return w.b.layers[layer].links(node) }

// locate gives the nodes themselves.
func (w *worker) locate(nodes, places []uint32) []uint32 {
	vector.Prefetch(w.b.codes.Rows, w.b.codes.Stride, w.b.codes.Stride, nodes)
	return append(places, nodes...)
}

// screen drops none.
func (w *worker) screen(*batch, float32) {}

func (w *worker) similar(nodes []uint32, dst []float32) error {
	w.b.codes.Dots(dst, &w.query, nodes)
	return nil
}

func (w *worker) fetchLinks(layer int, nodes []uint32) {
	w.b.layers[layer].fetch(nodes, w.b.params.maxLinks(layer))
}

// look makes node the one that the worker measures by.
func (w *worker) look(node uint32) { w.query.SetRow(&w.b.codes, node, w.b.dim) }

// sim returns the similarity of node and the one looked from.
func (w *worker) sim(node uint32) float32 {
	w.ids = append(w.ids[:0], node)
	w.dots = resize(w.dots, 1)
	w.b.codes.Dots(w.dots, &w.query, w.ids)
	return ordered(w.dots[0])
}

// Build returns a graph of slots, which are distinct, in any order. The same
// slots and vectors give the same graph, to the byte, whatever the order of
// slots and the number of workers; workers < 1 stands for one per processor.
//
// Build works on 8-bit codes of the vectors: while it runs it holds, for each
// node, a byte per dimension and about 12·M bytes of links (580 bytes at 384
// dimensions and M 16). It looks at ctx between nodes. The error wraps
// [ErrInput] for bad parameters or a slot given twice, else it is that of vecs
// or of ctx.
func Build(ctx context.Context, vecs Vectors, slots []uint32, p Params, workers int) (*Graph, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b, err := newBuilder(vecs, p.withDefaults(), workers)
	if err != nil {
		return nil, err
	}
	nodes := make([]ranked, len(slots))
	for i, slot := range slots {
		nodes[i] = ranked{slot: slot, level: levelOf(slot, b.params.M)}
	}
	if err := b.number(nodes); err != nil {
		return nil, err
	}
	g, err := b.build(ctx, vecs)
	if err != nil {
		return nil, fmt.Errorf("hnsw: build: %w", err)
	}
	return g, nil
}

// newBuilder returns a builder that has no nodes yet.
func newBuilder(vecs Vectors, p Params, workers int) (*builder, error) {
	dim := vecs.Dim()
	if dim < 1 {
		return nil, fmt.Errorf("%w: vectors of %d dimensions", ErrInput, dim)
	}
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	b := &builder{params: p, dim: dim, workers: make([]*worker, workers)}
	for i := range b.workers {
		w := &worker{b: b, vec: make([]float32, dim)}
		w.space, b.workers[i] = w, w
	}
	return b, nil
}

// build inserts all nodes, which are numbered, and returns the graph.
func (b *builder) build(ctx context.Context, vecs Vectors) (*Graph, error) {
	if len(b.slots) == 0 {
		return &Graph{params: b.params}, nil
	}
	if err := b.read(ctx, vecs); err != nil {
		return nil, err
	}
	all := make([]uint32, len(b.slots))
	for i := range all {
		all[i] = uint32(i)
	}
	b.seq = b.inserted(all)
	b.entry, b.top = b.seq[0], len(b.layers)-1
	for done := 0; done < len(b.seq); {
		size := min(max(done/batchShare, 1), batchMax, len(b.seq)-done)
		if err := b.insert(ctx, done, done+size); err != nil {
			return nil, err
		}
		done += size
	}
	return b.finish(ctx)
}

// parallel calls do for every i below n, spread over the builder's workers,
// each of which has its own w. It is [parallel.Do] else.
func (b *builder) parallel(ctx context.Context, n int, do func(ctx context.Context, w *worker, i int) error) error {
	return parallel.Do(ctx, len(b.workers), n, func(ctx context.Context, worker, i int) error {
		return do(ctx, b.workers[worker], i)
	})
}

// ranked is a node to be numbered.
type ranked struct {
	slot   uint32
	level  int
	origin uint32 // its number in the graph that is extended
}

// number caps the nodes' levels at the graph's, orders them by their numbers,
// and makes layers without links for them.
func (b *builder) number(rank []ranked) error {
	if len(rank) > maxNodes || int64(len(rank))*int64(b.params.maxLinks(0)) > layerLinks {
		return fmt.Errorf("%w: %d nodes are more than a graph of M %d can hold", ErrInput, len(rank), b.params.M)
	}
	var count [maxLayers]int // nodes per layer
	for _, n := range rank {
		for l := range n.level + 1 {
			count[l]++
		}
	}
	// A layer of one node is of no use: the top one holds two or more.
	top := maxLayers - 1
	for top > 0 && count[top] < 2 {
		top--
	}
	for i := range rank {
		rank[i].level = min(rank[i].level, top)
	}

	slices.SortFunc(rank, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(y.level, x.level), cmp.Compare(x.slot, y.slot))
	})
	b.slots = make([]uint32, len(rank))
	for i, r := range rank {
		b.slots[i] = r.slot
	}
	sorted := slices.Clone(b.slots)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return fmt.Errorf("%w: slot %d is given twice", ErrInput, sorted[i])
		}
	}
	for l := range top + 1 {
		// Between prunings a node may hold more links than the finished graph
		// allows: a list that is cut back only when it overflows is cut a dozen
		// times less often, and cutting costs as much as searching.
		most := b.params.maxLinks(l)
		b.layers = append(b.layers, newLayer(count[l], most+most/2-1))
	}
	return nil
}

// inserted returns nodes in the order of their insertion: highest level first,
// and by hash within a level, so that no likeness of slots next to each other
// shows in it.
func (b *builder) inserted(nodes []uint32) []uint32 {
	type place struct {
		node  uint32
		level int
		order uint64
	}
	places := make([]place, len(nodes))
	for i, node := range nodes {
		places[i] = place{node, b.level(node), mix(uint64(b.slots[node]) ^ orderSalt)}
	}
	slices.SortFunc(places, func(x, y place) int {
		return cmp.Or(cmp.Compare(y.level, x.level), cmp.Compare(x.order, y.order), cmp.Compare(x.node, y.node))
	})
	for i, p := range places {
		nodes[i] = p.node
	}
	return nodes
}

// Salts that make level and order independent of each other. They are part of
// what makes a build reproducible.
const (
	levelSalt = 0x8f3d_91c2_6be0_a457
	orderSalt = 0x2545_f491_4f6c_dd1d
)

// mix spreads x over 64 bits (the finalizer of splitmix64): slots that differ
// little give numbers that have nothing to do with each other.
func mix(x uint64) uint64 {
	x += 0x9e37_79b9_7f4a_7c15
	x = (x ^ x>>30) * 0xbf58_476d_1ce4_e5b9
	x = (x ^ x>>27) * 0x94d0_49bb_1331_11eb
	return x ^ x>>31
}

// levelOf returns the level of a slot by its hash: l or more with probability
// m^-l. In integers, since a logarithm may differ between machines in its last
// bit.
func levelOf(slot uint32, m int) int {
	x := mix(uint64(slot) ^ levelSalt)
	level := 0
	for bound := math.MaxUint64 / uint64(m); x < bound && level < maxLayers-1; bound /= uint64(m) {
		level++
	}
	return level
}

// read makes the vectors' codes.
func (b *builder) read(ctx context.Context, vecs Vectors) error {
	b.codes.Stride = vector.CodeLen(b.dim)
	b.codes.Rows = vector.Memory(len(b.slots) * b.codes.Stride)
	b.codes.Scales = make([]float32, len(b.slots))
	if euclidean(vecs) {
		b.codes.Halves = make([]float32, len(b.slots))
	}
	return b.parallel(ctx, len(b.slots), func(ctx context.Context, w *worker, i int) error {
		if err := vecs.Read(b.slots[i], w.vec); err != nil {
			return err
		}
		b.codes.Set(uint32(i), w.vec)
		return nil
	})
}

// level returns the highest layer that node belongs to.
func (b *builder) level(node uint32) int {
	l := len(b.layers) - 1
	for int(node) >= b.layers[l].nodes {
		l--
	}
	return l
}

// insert adds seq[from:to] to the graph of seq[:from].
func (b *builder) insert(ctx context.Context, from, to int) error {
	batch := b.seq[from:to]
	err := b.parallel(ctx, len(batch), func(ctx context.Context, w *worker, i int) error {
		if err := w.candidates(ctx, batch[i], from > 0); err != nil {
			return err
		}
		// Mates ahead in the order are as those inserted before: their level is
		// the node's or higher.
		w.batch(&w.now, append(w.now.nodes[:0], batch[:i]...))
		if err := w.add(); err != nil {
			return err
		}
		// No node links to this one yet, so its own links may be set while
		// others search.
		links := w.pickLinks(w.entries, b.params.M)
		for l := range b.level(batch[i]) + 1 {
			b.layers[l].set(batch[i], links)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for l := range b.layers {
		if err := b.linkBack(ctx, l, batch); err != nil {
			return err
		}
	}
	return nil
}

// candidates looks from node and fills the pool with the nodes of the graph
// nearest to it; with none while nothing is inserted (started is false).
//
// All nodes inserted so far are on the new one's level or above. Its layers
// thus hold the same nodes, and one search of the ground layer, the densest,
// serves for them all.
//
// Nodes of the very same vector do not count among the candidates: a crowd of
// them would leave no room for a link that leads out of it.
func (w *worker) candidates(ctx context.Context, node uint32, started bool) error {
	b := w.b
	w.look(node)
	ef, same := b.params.EfConstruction, w.sim(node)
	w.start(len(b.slots), ef, func(_ uint32, sim float32) bool { return sim != same })
	if !started {
		return nil
	}
	if err := w.descend(ctx, b.entry, b.top, b.level(node)+1); err != nil {
		return err
	}
	// Only a walk through such a crowd gets to this limit.
	limit := ef * b.params.maxLinks(0)
	return w.walk(ctx, 0, func() bool { return w.measured >= limit })
}

// chooseBlock is how many candidates choose compares with a picked one in one
// call: most choices end within the first block.
const chooseBlock = 64

// pickLinks picks up to most of cands, which are ordered best first, as neighbours
// of the node looked from: first those nearer to it than to any picked before,
// so that links lead in every direction and not only into the nearest cluster;
// then, while there is room, the nearest of the others. The result is valid
// until the next call.
func (w *worker) pickLinks(cands []entry, most int) []uint32 {
	w.picked = w.picked[:0]
	for from := 0; from < len(cands) && len(w.picked) < most; from += chooseBlock {
		w.alive = append(w.alive[:0], cands[from:min(from+chooseBlock, len(cands))]...)
		alive := w.alive
		for _, p := range w.picked {
			alive = w.bar(alive, p)
		}
		for len(alive) > 0 && len(w.picked) < most {
			p := alive[0]
			w.picked = append(w.picked, p)
			alive = w.bar(alive[1:], p)
		}
	}
	w.ids = w.ids[:0]
	for _, p := range w.picked {
		w.ids = append(w.ids, p.node())
	}
	// Both are in the same order: what is not picked is found on the way.
	for i, at := 0, 0; i < len(cands) && len(w.ids) < most; i++ {
		if at < len(w.picked) && cands[i] == w.picked[at] {
			at++
		} else {
			w.ids = append(w.ids, cands[i].node())
		}
	}
	return w.ids
}

// bar takes out of alive those that are nearer to the picked one than to the
// node looked from, and returns the others.
func (w *worker) bar(alive []entry, picked entry) []entry {
	if len(alive) == 0 {
		return nil
	}
	w.pick.SetRow(&w.b.codes, picked.node(), w.b.dim)
	w.ids = w.ids[:0]
	for _, e := range alive {
		w.ids = append(w.ids, e.node())
	}
	w.dots = resize(w.dots, len(w.ids))
	w.b.codes.Dots(w.dots, &w.pick, w.ids)
	left := alive[:0]
	for i, e := range alive {
		s, c := ordered(w.dots[i]), e.sim()
		// The second case is a second node of the same vector as the one they
		// are measured against: a copy bars copies and nothing else.
		if !(s > c || s == c && s == picked.sim()) {
			left = append(left, e)
		}
	}
	return left
}

// linkBack adds, in layer l, the links opposite to those that the batch made.
func (b *builder) linkBack(ctx context.Context, l int, batch []uint32) error {
	g := &b.layers[l]
	var edges []uint64 // from the linked-to node, high word, to the new one
	for _, node := range batch {
		if int(node) < g.nodes {
			for _, to := range g.links(node) {
				edges = append(edges, uint64(to)<<32|uint64(node))
			}
		}
	}
	if len(edges) == 0 {
		return nil
	}
	slices.Sort(edges)
	var groups []int // where the edges from another node begin
	for i := range edges {
		if i == 0 || edges[i]>>32 != edges[i-1]>>32 {
			groups = append(groups, i)
		}
	}
	groups = append(groups, len(edges))
	return b.parallel(ctx, len(groups)-1, func(ctx context.Context, w *worker, i int) error {
		group := edges[groups[i]:groups[i+1]]
		node := uint32(group[0] >> 32)
		// In an extension, two nodes may have picked each other.
		old := g.links(node)
		group = slices.DeleteFunc(group, func(e uint64) bool { return slices.Contains(old, uint32(e)) })
		if g.degree(node)+len(group) <= g.room() {
			for _, e := range group {
				g.add(node, uint32(e))
			}
			return nil
		}
		links := append(w.now.nodes[:0], g.links(node)...)
		for _, e := range group {
			links = append(links, uint32(e))
		}
		return w.prune(l, node, links)
	})
}

// prune gives node, in layer l, the best of links, as many as it keeps.
func (w *worker) prune(l int, node uint32, links []uint32) error {
	w.look(node)
	w.batch(&w.now, links)
	if err := w.measure(); err != nil {
		return err
	}
	w.cands = w.cands[:0]
	for i, to := range links {
		w.cands = append(w.cands, newEntry(w.sims[i], to))
	}
	slices.Sort(w.cands)
	w.b.layers[l].set(node, w.pickLinks(w.cands, w.b.params.maxLinks(l)))
	return nil
}

// trim cuts the lists of layer l to their final size.
func (b *builder) trim(ctx context.Context, l int) error {
	g := &b.layers[l]
	return b.parallel(ctx, g.nodes, func(ctx context.Context, w *worker, i int) error {
		node := uint32(i)
		if g.degree(node) <= b.params.maxLinks(l) {
			return nil
		}
		return w.prune(l, node, append(w.now.nodes[:0], g.links(node)...))
	})
}

// finish cuts the lists to their final size, makes every node reachable, and
// returns the graph.
func (b *builder) finish(ctx context.Context) (*Graph, error) {
	for l := range b.layers {
		if err := b.trim(ctx, l); err != nil {
			return nil, err
		}
	}
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	g := &Graph{params: b.params, slots: b.slots, layers: make([]layer, len(b.layers)), lastSlot: slices.Max(b.slots)}
	for l := range b.layers {
		from := &b.layers[l]
		to := newLayer(from.nodes, b.params.maxLinks(l))
		for node := range uint32(from.nodes) {
			to.set(node, from.links(node))
			slices.Sort(to.links(node))
		}
		g.layers[l] = to
	}
	return g, nil
}
