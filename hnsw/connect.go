package hnsw

import (
	"context"
	"math"
)

// noNode stands for no node, such as the parent of one that is not reached.
const noNode = math.MaxUint32

// connect makes every node reachable from node 0 in the ground layer. Pruning
// can leave a node without a link to it, typically in a crowd of near
// duplicates, and searches find only nodes that a link leads to.
//
// It walks the graph breadth first and remembers the link by which each node
// was first reached. A node left over is linked to from the nearest one that
// has room, or that has a link by which no node was first reached, which it
// gives up: so every node that was reached still is.
func (b *builder) connect(ctx context.Context) error {
	g := &b.layers[0]
	parent := make([]uint32, len(b.slots))
	for i := range parent {
		parent[i] = noNode
	}
	var queue []uint32
	reach := func(from, node uint32) {
		parent[node] = from
		queue = append(queue[:0], node)
		for next := 0; next < len(queue); next++ {
			at := queue[next]
			for _, to := range g.links(at) {
				if parent[to] == noNode {
					parent[to] = at
					queue = append(queue, to)
				}
			}
		}
	}
	reach(0, 0)
	w := b.workers[0]
	for i := range b.slots {
		node := uint32(i)
		if parent[node] != noNode {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.candidates(ctx, node, true); err != nil {
			return err
		}
		from := uint32(noNode)
		for _, e := range w.entries {
			if near := e.node(); parent[near] != noNode && w.adopt(parent, near, node) {
				from = near
				break
			}
		}
		// Such a node exists: each node is first reached by exactly one link,
		// so some node has a link to spare.
		for other := uint32(0); from == noNode; other++ {
			if parent[other] != noNode && w.adopt(parent, other, node) {
				from = other
			}
		}
		reach(from, node)
	}
	return nil
}

// adopt links from one node to another in the ground layer, if it can without
// giving up a link by which a node was first reached.
func (w *worker) adopt(parent []uint32, from, to uint32) bool {
	g := &w.b.layers[0]
	if g.degree(from) < w.b.params.maxLinks(0) {
		g.add(from, to)
		return true
	}
	w.look(from)
	links := g.links(from)
	worst, place := float32(math.Inf(1)), -1
	for i, link := range links {
		if parent[link] == from {
			continue
		}
		if s := w.sim(link); place < 0 || s < worst {
			worst, place = s, i
		}
	}
	if place < 0 {
		return false
	}
	links[place] = to
	return true
}
