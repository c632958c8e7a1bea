package hnsw

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

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
	slots   []uint32  // by node
	rows    []float32 // by node: the vectors
	seq     []uint32
	layers  []growing
	workers []*worker
}

// growing holds the links of a layer, stride places a node. Between prunings a
// node may hold more links than the finished graph allows, up to stride: a
// list that is cut back only when it overflows is cut a dozen times less often,
// and cutting costs as much as searching.
type growing struct {
	stride int
	max    int      // links a node keeps in the end
	degree []uint16 // by node
	list   []uint32
}

func (g *growing) links(node uint32) []uint32 {
	at := int(node) * g.stride
	return g.list[at : at+int(g.degree[node])]
}

func (g *growing) set(node uint32, links []uint32) {
	copy(g.list[int(node)*g.stride:][:g.stride], links)
	g.degree[node] = uint16(len(links))
}

func (g *growing) add(node, link uint32) {
	g.list[int(node)*g.stride+int(g.degree[node])] = link
	g.degree[node]++
}

// worker is the scratch memory of one of the goroutines of a build.
type worker struct {
	walker
	cands  []candidate
	picked []candidate
	spare  []candidate
	ids    []uint32
}

// Build makes a graph of nodes, whose slots are distinct, in any order. The
// same nodes and vectors give the same graph, to the byte, whatever the order
// of nodes and the number of workers; workers < 1 stands for one per processor.
//
// While it runs, Build holds a copy of the vectors: for each node, 4 bytes per
// dimension and about 12·M bytes of links (1,730 bytes at 384 dimensions and
// M 16). It looks at ctx between nodes. The error wraps [ErrInput] for bad
// parameters or a slot given twice, else it is that of vecs or of ctx.
func Build(ctx context.Context, vecs Vectors, nodes []Node, p Params, workers int) (*Graph, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	if int64(len(nodes))*int64(p.maxLinks(0)) > layerLinks {
		return nil, fmt.Errorf("%w: %d nodes are more than a graph of M %d can hold", ErrInput, len(nodes), p.M)
	}
	dim := vecs.Dim()
	if dim < 1 {
		return nil, fmt.Errorf("%w: vectors of %d dimensions", ErrInput, dim)
	}
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	if len(nodes) == 0 {
		return &Graph{params: p}, nil
	}
	b := &builder{params: p, dim: dim, workers: make([]*worker, workers)}
	for i := range b.workers {
		b.workers[i] = new(worker)
	}
	if err := b.number(nodes); err != nil {
		return nil, err
	}
	if err := b.read(ctx, vecs); err != nil {
		return nil, fmt.Errorf("hnsw: build: %w", err)
	}
	for done := 0; done < len(b.seq); {
		size := min(max(done/batchShare, 1), batchMax, len(b.seq)-done)
		if err := b.insert(ctx, done, done+size); err != nil {
			return nil, fmt.Errorf("hnsw: build: %w", err)
		}
		done += size
	}
	for l := range b.layers {
		if err := b.trim(ctx, l); err != nil {
			return nil, fmt.Errorf("hnsw: build: %w", err)
		}
	}
	if err := b.connect(ctx); err != nil {
		return nil, fmt.Errorf("hnsw: build: %w", err)
	}
	return b.finish(), nil
}

// number decides the nodes' levels, numbers and order of insertion.
func (b *builder) number(nodes []Node) error {
	type ranked struct {
		Node
		level int
		order uint64
	}
	rank := make([]ranked, len(nodes))
	var count [maxLayers]int // nodes per layer
	for i, n := range nodes {
		level := levelOf(n.Hash, b.params.M)
		rank[i] = ranked{n, level, mix(n.Hash ^ orderSalt)}
		for l := range level + 1 {
			count[l]++
		}
	}
	// A layer of one node leads nowhere: the top one holds two or more.
	top := maxLayers - 1
	for top > 0 && count[top] < 2 {
		top--
	}
	for i := range rank {
		rank[i].level = min(rank[i].level, top)
	}

	slices.SortFunc(rank, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(y.level, x.level), cmp.Compare(x.Slot, y.Slot))
	})
	b.slots = make([]uint32, len(rank))
	b.seq = make([]uint32, len(rank))
	for i, r := range rank {
		b.slots[i], b.seq[i] = r.Slot, uint32(i)
	}
	sorted := slices.Clone(b.slots)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return fmt.Errorf("%w: slot %d is given twice", ErrInput, sorted[i])
		}
	}
	slices.SortFunc(b.seq, func(x, y uint32) int {
		return cmp.Or(
			cmp.Compare(rank[y].level, rank[x].level),
			cmp.Compare(rank[x].order, rank[y].order),
			cmp.Compare(x, y))
	})
	for l := range top + 1 {
		most := b.params.maxLinks(l)
		g := growing{stride: most + most/2, max: most}
		g.degree = make([]uint16, count[l])
		g.list = make([]uint32, count[l]*g.stride)
		b.layers = append(b.layers, g)
	}
	return nil
}

// Salts that make level and order independent of each other. They are part of
// what makes a build reproducible.
const (
	levelSalt = 0x8f3d_91c2_6be0_a457
	orderSalt = 0x2545_f491_4f6c_dd1d
)

// mix spreads x over 64 bits (the finalizer of splitmix64): hashes that differ
// little give numbers that have nothing to do with each other.
func mix(x uint64) uint64 {
	x += 0x9e37_79b9_7f4a_7c15
	x = (x ^ x>>30) * 0xbf58_476d_1ce4_e5b9
	x = (x ^ x>>27) * 0x94d0_49bb_1331_11eb
	return x ^ x>>31
}

// levelOf returns the level a hash gives: l or more with probability m^-l. In
// integers, since a logarithm may differ between machines in its last bit.
func levelOf(hash uint64, m int) int {
	x := mix(hash ^ levelSalt)
	level := 0
	for bound := math.MaxUint64 / uint64(m); x < bound && level < maxLayers-1; bound /= uint64(m) {
		level++
	}
	return level
}

// read copies the vectors.
func (b *builder) read(ctx context.Context, vecs Vectors) error {
	b.rows = make([]float32, len(b.slots)*b.dim)
	return b.parallel(ctx, len(b.slots), func(_ *worker, i int) error {
		return vecs.Read(b.slots[i], b.row(uint32(i)))
	})
}

func (b *builder) row(node uint32) []float32 {
	at := int(node) * b.dim
	return b.rows[at : at+b.dim : at+b.dim]
}

func (b *builder) sim(x, y uint32) float32 { return ordered(vector.Dot(b.row(x), b.row(y))) }

func (b *builder) links(l int, node uint32) []uint32 { return b.layers[l].links(node) }

func (b *builder) dots(q []float32, nodes []uint32, dst []float32) error {
	for i, node := range nodes {
		dst[i] = vector.Dot(q, b.row(node))
	}
	return nil
}

// level returns the highest layer that node belongs to.
func (b *builder) level(node uint32) int {
	l := len(b.layers) - 1
	for int(node) >= len(b.layers[l].degree) {
		l--
	}
	return l
}

// insert adds seq[from:to] to the graph of seq[:from].
func (b *builder) insert(ctx context.Context, from, to int) error {
	batch := b.seq[from:to]
	err := b.parallel(ctx, len(batch), func(w *worker, i int) error {
		if err := b.candidates(ctx, w, batch[i], from > 0); err != nil {
			return err
		}
		// Mates ahead in the order are as those inserted before: their level is
		// the node's or higher.
		for _, mate := range batch[:i] {
			w.add(candidate{sim: b.sim(batch[i], mate), node: mate})
		}
		// Nobody links to the node yet, so its own links may be set while
		// others search.
		w.ids = w.ids[:0]
		for _, c := range b.choose(w, w.pool, b.params.M) {
			w.ids = append(w.ids, c.node)
		}
		for l := range b.level(batch[i]) + 1 {
			b.layers[l].set(batch[i], w.ids)
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

// candidates fills the pool of w with the nodes of the graph nearest to node;
// with none while nothing is inserted (started is false).
//
// All nodes inserted so far are on the new one's level or above. Its layers
// thus hold the same nodes, and one search of the ground layer, the densest,
// serves for them all.
//
// Nodes of the very same vector do not count among the candidates: a crowd of
// them would leave no room for a link that leads out of it.
func (b *builder) candidates(ctx context.Context, w *worker, node uint32, started bool) error {
	ef, same := b.params.EfConstruction, b.sim(node, node)
	w.start(b, b.slots, b.row(node), ef, func(c candidate) bool { return c.sim != same })
	if !started {
		return nil
	}
	near, err := w.descend(ctx, b.seq[0], len(b.layers)-1, b.level(node)+1)
	if err != nil {
		return err
	}
	if err := w.seed(near); err != nil {
		return err
	}
	// Only a walk through such a crowd gets to this limit.
	limit := ef * b.params.maxLinks(0)
	return w.walk(ctx, 0, func() bool { return w.measured >= limit })
}

// choose picks up to most of cands, which are ordered best first, as neighbours
// of the node they are measured against: first those nearer to it than to any
// picked before, so that links lead in every direction and not only into the
// nearest cluster; then, while there is room, the nearest of the others. The
// result is valid until the next call.
func (b *builder) choose(w *worker, cands []candidate, most int) []candidate {
	w.picked, w.spare = w.picked[:0], w.spare[:0]
next:
	for _, c := range cands {
		if len(w.picked) == most {
			break
		}
		for _, p := range w.picked {
			// The second case is a second node of the same vector as the one
			// they are measured against: a copy bars copies and nothing else.
			if s := b.sim(c.node, p.node); s > c.sim || s == c.sim && s == p.sim {
				w.spare = append(w.spare, c)
				continue next
			}
		}
		w.picked = append(w.picked, c)
	}
	room := min(most-len(w.picked), len(w.spare))
	w.picked = append(w.picked, w.spare[:room]...)
	return w.picked
}

// linkBack adds, in layer l, the links opposite to those that the batch made.
func (b *builder) linkBack(ctx context.Context, l int, batch []uint32) error {
	g := &b.layers[l]
	var edges []uint64 // from the linked-to node, high word, to the new one
	for _, node := range batch {
		if int(node) < len(g.degree) {
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
	return b.parallel(ctx, len(groups)-1, func(w *worker, i int) error {
		group := edges[groups[i]:groups[i+1]]
		node := uint32(group[0] >> 32)
		if int(g.degree[node])+len(group) <= g.stride {
			for _, e := range group {
				g.add(node, uint32(e))
			}
			return nil
		}
		w.ids = append(w.ids[:0], g.links(node)...)
		for _, e := range group {
			w.ids = append(w.ids, uint32(e))
		}
		b.prune(w, g, node, w.ids)
		return nil
	})
}

// prune gives node the best of links, as many as it keeps.
func (b *builder) prune(w *worker, g *growing, node uint32, links []uint32) {
	w.cands = w.cands[:0]
	for _, to := range links {
		w.cands = append(w.cands, candidate{sim: b.sim(node, to), node: to})
	}
	slices.SortFunc(w.cands, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.sim, x.sim), cmp.Compare(b.slots[x.node], b.slots[y.node]))
	})
	w.ids = w.ids[:0]
	for _, c := range b.choose(w, w.cands, g.max) {
		w.ids = append(w.ids, c.node)
	}
	g.set(node, w.ids)
}

// trim cuts the lists of layer l to their final size.
func (b *builder) trim(ctx context.Context, l int) error {
	g := &b.layers[l]
	return b.parallel(ctx, len(g.degree), func(w *worker, i int) error {
		if node := uint32(i); int(g.degree[node]) > g.max {
			b.prune(w, g, node, g.links(node))
		}
		return nil
	})
}

// finish returns the graph as built.
func (b *builder) finish() *Graph {
	g := &Graph{params: b.params, slots: b.slots, layers: make([]layer, len(b.layers))}
	for l := range b.layers {
		from, to := &b.layers[l], &g.layers[l]
		total := 0
		for _, d := range from.degree {
			total += int(d)
		}
		to.start = make([]uint32, 1, len(from.degree)+1)
		to.links = make([]uint32, 0, total)
		for node := range from.degree {
			to.links = append(to.links, from.links(uint32(node))...)
			slices.Sort(to.links[to.start[node]:])
			to.start = append(to.start, uint32(len(to.links)))
		}
	}
	return g
}
