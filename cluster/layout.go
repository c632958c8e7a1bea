package cluster

import (
	"context"
	"math"
	"slices"
)

// Point is a place in the plane.
type Point struct{ X, Y float32 }

// Node is a node to be placed.
type Node struct {
	Key   uint64 // of its document
	At    Point  // where it stands, if Known
	Known bool
}

// extent is half the longer side of a layout that starts from principal components.
const extent = 10

// Place gives every node of g a place, near ones together: UMAP's optimisation
// (McInnes, Healy, Melville 2018) with the kernel 1/(1+d²) of t-SNE (Böhm, Berens,
// Kobak 2022), negative samples by hash. It looks at ctx between epochs, and works
// in the calling goroutine.
//
// Known nodes stay where they stand, so that a picture in which little changed
// changes little; the others start at the weighted mean of their known neighbours
// and find their place among them. Edges between known nodes are not needed, nor are
// rows. Where no node is known, the start is the first two principal components of
// rows, the longest axis scaled to ±10.
func Place(ctx context.Context, g *Graph, nodes []Node, rows Vectors) ([]Point, error) {
	l := &layout{g: g, nodes: nodes, at: make([]Point, g.Len())}
	if l.g.Len() == 0 {
		return l.at, nil
	}
	if slices.ContainsFunc(nodes, func(n Node) bool { return n.Known }) {
		l.epochs, l.step = 60, .5
		l.resume()
	} else {
		l.epochs, l.step = 200, 1
		l.principal(rows)
	}
	return l.at, l.descend(ctx)
}

type layout struct {
	g     *Graph
	nodes []Node
	at    []Point

	epochs int
	step   float32 // at first; falls to 0
}

// hops is how far from known nodes, in edges, those are that start beside their
// neighbours.
const hops = 3

// resume sets the places to start from, where some nodes are known: those beside
// known ones first, then those beside these. What is linked to none starts in the
// middle.
func (l *layout) resume() {
	placed := make([]bool, len(l.nodes))
	var x, y, known float64
	for v, n := range l.nodes {
		if n.Known {
			l.at[v], placed[v] = n.At, true
			x, y, known = x+float64(n.At.X), y+float64(n.At.Y), known+1
		}
	}
	for range hops {
		var now []uint32
		for v := range uint32(len(l.nodes)) {
			if placed[v] {
				continue
			}
			if p, ok := l.mean(v, placed); ok {
				l.at[v] = p
				now = append(now, v)
			}
		}
		for _, v := range now {
			placed[v] = true
		}
	}
	for v := range uint32(len(l.nodes)) {
		if !placed[v] {
			l.at[v] = Point{float32(x / known), float32(y / known)}
		}
		if !l.nodes[v].Known {
			l.shake(v)
		}
	}
}

// mean returns the weighted mean of the places of a node's placed neighbours.
func (l *layout) mean(v uint32, placed []bool) (Point, bool) {
	var x, y, sum float64
	to, weight := l.g.row(v)
	for i, u := range to {
		if !placed[u] {
			continue
		}
		w := float64(weight[i])
		x += float64(w * float64(l.at[u].X))
		y += float64(w * float64(l.at[u].Y))
		sum += w
	}
	if sum == 0 {
		return Point{}, false
	}
	return Point{float32(x / sum), float32(y / sum)}, true
}

// shake moves a node a little, so that what starts in one place parts.
func (l *layout) shake(v uint32) {
	h := mix(l.nodes[v].Key)
	l.at[v].X += (float32(uint32(h))/(1<<32) - .5) * 2e-3
	l.at[v].Y += (float32(h>>32)/(1<<32) - .5) * 2e-3
}

// byKey returns the nodes in the order of their keys.
func byKey(nodes []Node) []uint32 {
	order := make([]uint32, len(nodes))
	for v := range order {
		order[v] = uint32(v)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return compare(nodes[a].Key, nodes[b].Key) })
	return order
}

// principal sets the places to the first two principal components of rows, found by
// power iteration. The sign is such that the largest loading is positive.
func (l *layout) principal(rows Vectors) {
	n, dim := rows.Len(), rows.Dim
	mean := make([]float64, dim)
	for i := range n {
		for j, x := range rows.Row(i) {
			mean[j] += float64(x)
		}
	}
	for j := range mean {
		mean[j] /= float64(n)
	}
	// The covariance is dim², which is little beside the rows where they are many;
	// so rows are read twice a round and nothing is kept.
	axes := make([][]float64, 0, 2)
	scores := make([]float64, n)
	for axis := range 2 {
		v := make([]float64, dim)
		for j := range v {
			v[j] = float64(mix(uint64(axis*dim+j))>>11)/(1<<53) - .5
		}
		unit(v)
		for range 30 {
			next := make([]float64, dim)
			for i := range n {
				s := project(rows.Row(i), mean, v)
				for j, x := range rows.Row(i) {
					next[j] += float64(s * (float64(x) - mean[j]))
				}
			}
			for _, a := range axes {
				orthogonal(next, a)
			}
			if !unit(next) {
				break // the rows spread in fewer directions
			}
			v = next
		}
		for _, a := range axes {
			orthogonal(v, a)
		}
		unit(v)
		most := 0
		for j, x := range v {
			if math.Abs(x) > math.Abs(v[most]) {
				most = j
			}
		}
		if v[most] < 0 {
			for j := range v {
				v[j] = -v[j]
			}
		}
		axes = append(axes, v)
	}
	widest := 0.0
	for axis, v := range axes {
		for i := range n {
			scores[i] = project(rows.Row(i), mean, v)
			widest = max(widest, math.Abs(scores[i]))
			if axis == 0 {
				l.at[i].X = float32(scores[i])
			} else {
				l.at[i].Y = float32(scores[i])
			}
		}
	}
	if widest < 1e-6 {
		widest = math.Inf(1) // all alike
	}
	scale := float32(extent / widest)
	for v := range l.at {
		l.at[v].X *= scale
		l.at[v].Y *= scale
		l.shake(uint32(v))
	}
}

func project(row []float32, mean, axis []float64) float64 {
	sum := 0.0
	for j, x := range row {
		sum += float64((float64(x) - mean[j]) * axis[j])
	}
	return sum
}

func orthogonal(v, axis []float64) {
	dot := 0.0
	for j, x := range axis {
		dot += float64(x * v[j])
	}
	for j, x := range axis {
		v[j] -= float64(dot * x)
	}
}

func unit(v []float64) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x * x)
	}
	if sum < 1e-24 {
		return false
	}
	length := math.Sqrt(sum)
	for j := range v {
		v[j] /= length
	}
	return true
}

// negatives is how many nodes an end of an edge is pushed away from, for each time
// that it is pulled along it.
const negatives = 5

// descend moves the nodes along the gradient.
func (l *layout) descend(ctx context.Context) error {
	type edge struct {
		a, b        uint32
		period, due float32 // in epochs
		hash        uint64
	}
	var heaviest float32
	for _, w := range l.g.weight {
		heaviest = max(heaviest, w)
	}
	var edges []edge
	order := byKey(l.nodes)
	rank := make([]uint32, len(order)) // by node: its place by key
	for i, v := range order {
		rank[v] = uint32(i)
	}
	for _, a := range order {
		to, weight := l.g.row(a)
		for i, b := range to {
			period := heaviest / weight[i]
			if rank[a] > rank[b] || period > float32(l.epochs) || l.nodes[a].Known && l.nodes[b].Known {
				continue
			}
			edges = append(edges, edge{a, b, period, period, mix(l.nodes[a].Key ^ mix(l.nodes[b].Key))})
		}
	}
	// By keys within a row too, so that the order of nodes does not matter.
	slices.SortStableFunc(edges, func(x, y edge) int {
		if x.a != y.a {
			return compare(rank[x.a], rank[y.a])
		}
		return compare(rank[x.b], rank[y.b])
	})
	n := uint64(len(order))
	for epoch := range l.epochs {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		step := l.step * (1 - float32(epoch)/float32(l.epochs))
		for i := range edges {
			e := &edges[i]
			if e.due > float32(epoch+1) {
				continue
			}
			e.due += e.period
			l.attract(e.a, e.b, step)
			h := mix(e.hash + uint64(epoch))
			for end, v := range [2]uint32{e.a, e.b} {
				if l.nodes[v].Known {
					continue
				}
				p := l.at[v]
				for k := range uint64(negatives) {
					h = mix(h + uint64(end*negatives) + k)
					if u := order[h>>32*n>>32]; u != v {
						p = p.repelled(l.at[u], step)
					}
				}
				l.at[v] = p
			}
		}
	}
	return nil
}

// limit bounds how far a node is moved by another at once, before the step.
const limit = 4

func clip(x float32) float32 {
	switch { // not min and max, which cost several times as much for the sake of zeros
	case x > limit:
		return limit
	case x < -limit:
		return -limit
	}
	return x
}

// attract draws the ends of an edge together: the gradient of log 1/(1+d²).
func (l *layout) attract(a, b uint32, step float32) {
	x, y := l.at[a].X-l.at[b].X, l.at[a].Y-l.at[b].Y
	f := -2 / (1 + float32(x*x) + float32(y*y))
	x, y = step*clip(f*x), step*clip(f*y)
	if !l.nodes[a].Known {
		l.at[a].X += x
		l.at[a].Y += y
	}
	if !l.nodes[b].Known {
		l.at[b].X -= x
		l.at[b].Y -= y
	}
}

// repelled returns p driven away from q: the gradient of log(1 − 1/(1+d²)).
func (p Point) repelled(q Point, step float32) Point {
	x, y := p.X-q.X, p.Y-q.Y
	square := float32(x*x) + float32(y*y)
	if square == 0 {
		return p // one place: copies of one text stay together
	}
	f := 2 / ((.001 + square) * (1 + square))
	return Point{p.X + float32(step*clip(f*x)), p.Y + float32(step*clip(f*y))}
}
