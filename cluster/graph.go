package cluster

import (
	"math"
	"slices"
)

// Neighbour is a node near another.
type Neighbour struct {
	Node     uint32
	Distance float32 // not negative; less is nearer
}

// Graph is an undirected graph with weights in (0, 1], in compressed rows. Each
// edge stands in the rows of both its ends, ascending by the other end; there are
// no loops.
type Graph struct {
	start  []uint32 // of the rows, and the end of the last
	to     []uint32
	weight []float32
}

// Len returns the number of nodes.
func (g *Graph) Len() int { return len(g.start) - 1 }

// row returns the neighbours of a node and the weights of the edges to them.
func (g *Graph) row(v uint32) (to []uint32, weight []float32) {
	from, end := g.start[v], g.start[v+1]
	return g.to[from:end], g.weight[from:end]
}

// NewGraph returns the graph of n nodes of which near lists the nearest neighbours,
// nearest first. near is asked once for each node, in order, and what it returns is
// not kept. A list may be short or empty, and is best of one length for all; a node
// in its own list is left out.
//
// The weight of an edge is that of UMAP (McInnes, Healy, Melville 2018, §3): with ρ
// the distance to the nearest neighbour and σ such that the weights of a list add
// up to log₂ of its length, neighbour j has exp(−max(0, d−ρ)/σ), and what two nodes
// say of each other is joined as a + b − ab.
func NewGraph(n int, near func(node int) []Neighbour) *Graph {
	out := &Graph{start: make([]uint32, n+1)}
	var list []Neighbour
	for v := range n {
		list = append(list[:0], near(v)...)
		list = slices.DeleteFunc(list, func(e Neighbour) bool { return int(e.Node) == v })
		weights := membership(list)
		type edge struct {
			to     uint32
			weight float32
		}
		edges := make([]edge, len(list))
		for i, e := range list {
			edges[i] = edge{e.Node, weights[i]}
		}
		slices.SortFunc(edges, func(a, b edge) int { return int(a.to) - int(b.to) })
		for _, e := range edges {
			out.to, out.weight = append(out.to, e.to), append(out.weight, e.weight)
		}
		out.start[v+1] = uint32(len(out.to))
	}
	return union(out, out.transpose())
}

// membership returns the weights of a node's neighbours, nearest first.
func membership(list []Neighbour) []float32 {
	weights := make([]float32, len(list))
	if len(list) == 0 {
		return weights
	}
	nearest := float64(list[0].Distance)
	want := math.Log2(float64(max(len(list), 2)))
	low, high, width := 0.0, math.Inf(1), 1.0
	for range 48 {
		sum := 0.0
		for _, e := range list {
			sum += math.Exp(-(float64(e.Distance) - nearest) / width)
		}
		switch {
		case math.Abs(sum-want) < 1e-5:
			low, high = width, width
		case sum > want:
			high = width
		default:
			low = width
		}
		if low == high {
			break
		}
		if width = (low + high) / 2; math.IsInf(high, 1) {
			width = low * 2
		}
	}
	for i, e := range list {
		// Not less than what float32 tells from nothing.
		weights[i] = float32(max(math.Exp(-(float64(e.Distance)-nearest)/width), 1e-6))
	}
	return weights
}

// transpose returns the graph with every edge turned round; rows ascend again.
func (g *Graph) transpose() *Graph {
	n := g.Len()
	out := &Graph{start: make([]uint32, n+1), to: make([]uint32, len(g.to)), weight: make([]float32, len(g.to))}
	for _, to := range g.to {
		out.start[to+1]++
	}
	for v := range n {
		out.start[v+1] += out.start[v]
	}
	next := slices.Clone(out.start[:n])
	for v := range uint32(n) {
		to, weight := g.row(v)
		for i, u := range to {
			out.to[next[u]], out.weight[next[u]] = v, weight[i]
			next[u]++
		}
	}
	return out
}

// union joins two graphs whose rows ascend: an edge of both has weight a + b − ab.
func union(a, b *Graph) *Graph {
	n := a.Len()
	out := &Graph{start: make([]uint32, n+1)}
	for v := range uint32(n) {
		ta, wa := a.row(v)
		tb, wb := b.row(v)
		for len(ta) > 0 || len(tb) > 0 {
			switch {
			case len(tb) == 0 || len(ta) > 0 && ta[0] < tb[0]:
				out.to, out.weight = append(out.to, ta[0]), append(out.weight, wa[0])
				ta, wa = ta[1:], wa[1:]
			case len(ta) == 0 || tb[0] < ta[0]:
				out.to, out.weight = append(out.to, tb[0]), append(out.weight, wb[0])
				tb, wb = tb[1:], wb[1:]
			default:
				out.to = append(out.to, ta[0])
				out.weight = append(out.weight, wa[0]+wb[0]-float32(wa[0]*wb[0]))
				ta, wa, tb, wb = ta[1:], wa[1:], tb[1:], wb[1:]
			}
		}
		out.start[v+1] = uint32(len(out.to))
	}
	return out
}

// mix returns a hash of x, of which every bit depends on every bit (splitmix64,
// Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
