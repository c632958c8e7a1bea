package cluster

import (
	"context"
	"slices"
)

// rounds is the most times that Leiden starts from what it found. The fifth adds less
// than a thousandth to the modularity, and all that follow cost as much as the first four.
const rounds = 4

// Leiden parts the nodes of g into communities of high modularity, where the edges
// within one are many against what chance would give, times the resolution: a
// higher one gives more and smaller communities (Reichardt, Bornholdt 2006). It
// returns each node's community; they are numbered from 0 by the first node of
// each. Every community is connected in g.
//
// The algorithm is that of Traag, Waltman and van Eck (Scientific Reports 9:5233,
// 2019), with the refinement taking the best merge instead of a random one, and
// started again from what it found until nothing moves, three times at most. The order in which nodes
// are looked at is that of the hashes of their keys. It looks at ctx between
// passes.
func Leiden(ctx context.Context, g *Graph, keys []uint64, resolution float64) ([]uint32, error) {
	n := g.Len()
	community := make([]uint32, n)
	for v := range community {
		community[v] = uint32(v)
	}
	base := newPartition(g, resolution)
	base.order = make([]uint32, n)
	for v := range base.order {
		base.order[v] = uint32(v)
	}
	slices.SortFunc(base.order, func(a, b uint32) int {
		if x, y := mix(keys[a]), mix(keys[b]); x != y {
			return compare(x, y)
		}
		return compare(a, b)
	})
	for range rounds {
		base.community = slices.Clone(community)
		changed, err := base.descend(ctx)
		if err != nil {
			return nil, err
		}
		copy(community, base.community)
		if !changed {
			break
		}
	}
	number(community)
	return community, nil
}

func compare[T uint32 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// number renames the communities 0, 1, …, by their first nodes, and returns how many
// there are. The names must be less than the number of nodes.
func number(community []uint32) int {
	names := make([]uint32, len(community)) // plus one
	count := uint32(0)
	for v, c := range community {
		if names[c] == 0 {
			count++
			names[c] = count
		}
		community[v] = names[c] - 1
	}
	return int(count)
}

// partition is a graph with a community for each of its nodes. The nodes may stand
// for sets of nodes of another graph.
type partition struct {
	g          *Graph
	strength   []float64 // by node: weights of its edges, those within its set twice
	resolution float64   // over the strength of all
	order      []uint32  // in which nodes are looked at; nil: by number
	community  []uint32

	sum     []float64 // by community: strength of its nodes
	along   []float64 // by community: weight of the edges from the node looked at
	touched []uint32  // those with an entry in along
}

func newPartition(g *Graph, resolution float64) *partition {
	p := &partition{g: g, strength: make([]float64, g.Len())}
	total := 0.0
	for v := range uint32(g.Len()) {
		_, weight := g.row(v)
		for _, w := range weight {
			p.strength[v] += float64(w)
		}
		total += p.strength[v]
	}
	if total > 0 {
		p.resolution = resolution / total
	}
	p.scratch()
	return p
}

func (p *partition) scratch() {
	n := p.g.Len()
	p.sum, p.along = make([]float64, n), make([]float64, n)
}

// descend moves nodes, then does so with the sets of nodes that the refinement
// leaves together, and so on; it reports whether anything moved.
func (p *partition) descend(ctx context.Context) (changed bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	changed = p.move()
	refined := p.refine()
	sets := number(refined)
	if sets == p.g.Len() {
		return changed, nil
	}
	whole := p.join(refined, sets)
	below, err := whole.descend(ctx)
	if err != nil {
		return false, err
	}
	for v := range p.community {
		p.community[v] = whole.community[refined[v]]
	}
	return changed || below, nil
}

// measure sets along to the weights of the edges from v to each community of its
// neighbours, as of says it, itself left out.
func (p *partition) measure(v uint32, of []uint32, counts func(u uint32) bool) {
	for _, c := range p.touched {
		p.along[c] = 0
	}
	p.touched = p.touched[:0]
	to, weight := p.g.row(v)
	for i, u := range to {
		if counts != nil && !counts(u) {
			continue
		}
		c := of[u]
		if p.along[c] == 0 {
			p.touched = append(p.touched, c)
		}
		p.along[c] += float64(weight[i])
	}
}

// least is what a move has to gain, so that rounding does not move a node to and
// fro for ever.
const least = 1e-9

// move puts nodes, one at a time, where modularity grows most, until none wants to:
// only nodes beside one that moved are looked at again.
func (p *partition) move() (changed bool) {
	n := p.g.Len()
	clear(p.sum)
	size := make([]uint32, n)
	for v, c := range p.community {
		p.sum[c] += p.strength[v]
		size[c]++
	}
	var free []uint32 // communities without a node
	for c := range slices.Backward(size) {
		if size[c] == 0 {
			free = append(free, uint32(c))
		}
	}
	queue := newQueue(n, p.order)
	for {
		v, ok := queue.pop()
		if !ok {
			return changed
		}
		own, k := p.community[v], p.strength[v]
		p.measure(v, p.community, nil)
		p.sum[own] -= k
		gain := func(c uint32) float64 { return p.along[c] - float64(p.resolution*k)*p.sum[c] }
		best, most := own, gain(own)
		for _, c := range p.touched {
			if x := gain(c); x > most+least || x > most-least && best != own && c < best {
				best, most = c, max(x, most)
			}
		}
		if most < -least && size[own] > 1 && len(free) > 0 {
			best = free[len(free)-1]
			free = free[:len(free)-1]
		}
		p.sum[best] += k
		if best == own {
			continue
		}
		changed = true
		p.community[v] = best
		size[best]++
		if size[own]--; size[own] == 0 {
			free = append(free, own)
		}
		to, _ := p.g.row(v)
		for _, u := range to {
			if p.community[u] != best {
				queue.push(u)
			}
		}
	}
}

// refine parts every community into sets that hang together well, and returns the
// set of each node, under the number of a node of it. A node that is still alone
// joins the set of its community where modularity grows most, if both it and the
// set are linked to the rest of the community by no less than chance would give.
func (p *partition) refine() []uint32 {
	n := p.g.Len()
	whole := make([]float64, n) // by community: strength
	for v, c := range p.community {
		whole[c] += p.strength[v]
	}
	set := make([]uint32, n)
	inside := make([]float64, n) // by set: weight of its edges to the rest of its community
	alone := make([]bool, n)
	for v := range uint32(n) {
		set[v], alone[v] = v, true
		p.sum[v] = p.strength[v]
		to, weight := p.g.row(v)
		for i, u := range to {
			if p.community[u] == p.community[v] {
				inside[v] += float64(weight[i])
			}
		}
	}
	linked := func(s uint32, all float64) bool {
		return inside[s] >= float64(p.resolution*p.sum[s])*(all-p.sum[s])-least
	}
	for i := range n {
		v := uint32(i)
		if p.order != nil {
			v = p.order[i]
		}
		all := whole[p.community[v]]
		if !alone[v] || !linked(v, all) {
			continue
		}
		k := p.strength[v]
		p.measure(v, set, func(u uint32) bool { return p.community[u] == p.community[v] })
		best, most := v, 0.0
		for _, s := range p.touched {
			if s == v || !linked(s, all) {
				continue
			}
			if x := p.along[s] - float64(p.resolution*k)*p.sum[s]; x > most+least || x > most-least && s < best && best != v {
				best, most = s, max(x, most)
			}
		}
		if best == v {
			continue
		}
		set[v], alone[v], alone[best] = best, false, false
		p.sum[best] += k
		p.sum[v] = 0
		inside[best] += inside[v] - 2*p.along[best]
	}
	return set
}

// join returns the graph whose nodes are the sets, each in the community of its
// nodes. Edges within a set count in its strength alone.
func (p *partition) join(set []uint32, sets int) *partition {
	members := make([]uint32, len(set)) // by set
	start := make([]uint32, sets+1)
	for _, s := range set {
		start[s+1]++
	}
	for s := range sets {
		start[s+1] += start[s]
	}
	next := slices.Clone(start[:sets])
	for v, s := range set {
		members[next[s]] = uint32(v)
		next[s]++
	}
	whole := &partition{
		g: &Graph{start: make([]uint32, sets+1)}, resolution: p.resolution,
		strength: make([]float64, sets), community: make([]uint32, sets),
	}
	// Communities are named by less than the number of sets, of which each
	// community has one at least.
	names := slices.Clone(p.community)
	number(names)
	for _, c := range p.touched {
		p.along[c] = 0
	}
	p.touched = p.touched[:0]
	for s := range uint32(sets) {
		for _, v := range members[start[s]:start[s+1]] {
			whole.strength[s] += p.strength[v]
			whole.community[s] = names[v]
			to, weight := p.g.row(v)
			for i, u := range to {
				t := set[u]
				if t == s {
					continue
				}
				if p.along[t] == 0 {
					p.touched = append(p.touched, t)
				}
				p.along[t] += float64(weight[i])
			}
		}
		slices.Sort(p.touched)
		for _, t := range p.touched {
			whole.g.to, whole.g.weight = append(whole.g.to, t), append(whole.g.weight, float32(p.along[t]))
			p.along[t] = 0
		}
		p.touched = p.touched[:0]
		whole.g.start[s+1] = uint32(len(whole.g.to))
	}
	whole.scratch()
	return whole
}

// queue holds each node at most once, first in, first out.
type queue struct {
	nodes       []uint32
	waits       []bool
	front, size int
}

// newQueue returns a queue of all n nodes, in order.
func newQueue(n int, order []uint32) *queue {
	q := &queue{nodes: make([]uint32, n), waits: make([]bool, n), size: n}
	for i := range q.nodes {
		q.nodes[i], q.waits[i] = uint32(i), true
	}
	copy(q.nodes, order)
	return q
}

func (q *queue) push(v uint32) {
	if q.waits[v] {
		return
	}
	q.waits[v] = true
	q.nodes[(q.front+q.size)%len(q.nodes)] = v
	q.size++
}

func (q *queue) pop() (v uint32, ok bool) {
	if q.size == 0 {
		return 0, false
	}
	v = q.nodes[q.front]
	q.front, q.size = (q.front+1)%len(q.nodes), q.size-1
	q.waits[v] = false
	return v, true
}
