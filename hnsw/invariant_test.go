package hnsw

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// check walks g and lists broken invariants: sizes, links in range and
// ascending, none to the node itself, every node reachable from node 0.
func check(g *Graph) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(g.layers) == 0 {
		if len(g.slots) != 0 {
			bad("%d slots and no layer", len(g.slots))
		}
		return problems
	}
	if got := g.layers[0].nodes; got != len(g.slots) {
		bad("the ground layer has %d nodes, the graph %d", got, len(g.slots))
	}
	for l := range g.layers {
		if !slices.IsSorted(g.level(l)) {
			bad("the slots of level %d are not sorted", l)
		}
		at := &g.layers[l]
		for node := range at.nodes {
			links := at.links(uint32(node))
			if len(links) > g.params.maxLinks(l) {
				bad("node %d has %d links in layer %d", node, len(links), l)
			}
			for i, to := range links {
				if int(to) >= at.nodes || int(to) == node || i > 0 && to <= links[i-1] {
					bad("node %d links to %v in layer %d of %d nodes", node, links, l, at.nodes)
					break
				}
			}
		}
	}
	reached := make([]bool, len(g.slots))
	reached[0] = true
	queue := []uint32{0}
	ground := &g.layers[0]
	for next := 0; next < len(queue); next++ {
		for _, to := range ground.links(queue[next]) {
			if !reached[to] {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	if len(queue) != len(g.slots) {
		bad("%d of %d nodes can be reached", len(queue), len(g.slots))
	}
	return problems
}

// short lists the nodes that have fewer links than Build and Extend give each: M,
// or all other nodes of a layer.
func short(g *Graph) (problems []string) {
	for l := range g.layers {
		at := &g.layers[l]
		for node := range at.nodes {
			if got, least := at.degree(uint32(node)), min(g.params.M, at.nodes-1); got < least {
				problems = append(problems, fmt.Sprintf("node %d has %d links in layer %d, want %d", node, got, l, least))
			}
		}
	}
	return problems
}

// TestPool compares the pool with its definition: the candidates down to the
// ef-th live one, best first. (A heap that takes its last leaf for the worst
// evicts the wrong ones.)
func TestPool(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n, ef := 1+r.IntN(80), 1+r.IntN(12)
		dead := make([]bool, n)
		for i := range n {
			dead[i] = r.IntN(3) == 0
		}
		var p pool
		p.start(ef, func(node uint32, _ float32) bool { return !dead[node] })
		var all []entry
		for _, i := range r.Perm(n) {
			sim, node := float32(r.IntN(20)), uint32(i)
			p.add(newEntry(sim, node))
			e := newEntry(sim, node)
			if dead[i] {
				e |= entryDead
			}
			all = append(all, e)
			slices.SortFunc(all, func(a, b entry) int {
				return cmp.Or(cmp.Compare(b.sim(), a.sim()), cmp.Compare(a.node(), b.node()))
			})
			want, live := []entry{}, 0
			for _, e := range all {
				if live == ef {
					break
				}
				want = append(want, e)
				if !e.dead() {
					live++
				}
			}
			if !slices.Equal(p.entries, want) || p.live != live {
				t.Fatalf("seed %d, ef %d, after %d: pool %v with %d live, want %v with %d", seed, ef, len(all), p.entries, p.live, want, live)
			}
		}
	}
}

// TestEntry: entries are ordered as what they hold, and give it back.
func TestEntry(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	zero := float32(0)
	sims := []float32{inf, math.MaxFloat32, 1, 0.5, math.SmallestNonzeroFloat32, 0, -math.SmallestNonzeroFloat32, -1, -math.MaxFloat32, -inf}
	var last entry
	for i, s := range sims {
		for _, node := range []uint32{0, 1, 77, maxNodes - 1} {
			e := newEntry(s, node)
			if e.sim() != s || e.node() != node || e.dead() || e.expanded() {
				t.Errorf("entry of %v, %d gives %v, %d", s, node, e.sim(), e.node())
			}
			if e <= last && (i > 0 || node > 0) {
				t.Errorf("entry of %v, %d does not come behind the one before", s, node)
			}
			last = e
		}
	}
	if newEntry(-zero, 1) != newEntry(0, 1) || newEntry(nan, 1) != newEntry(-inf, 1) {
		t.Error("a negative zero is not zero, or a NaN not the least")
	}
}

func TestLevelOf(t *testing.T) {
	const n = 1 << 18
	for _, m := range []int{2, 16, 64} {
		var at [maxLayers]int
		for i := range n {
			at[levelOf(uint32(i), m)]++
		}
		// A share of 1/m of each level goes on to the next.
		rest := n
		for l := 0; rest/m >= 1000; l++ {
			up := rest - at[l]
			if got, want := float64(up)/float64(rest), 1/float64(m); got < want*0.85 || got > want*1.15 {
				t.Errorf("M %d: a share of %.4f of level %d goes higher, want about %.4f", m, got, l, want)
			}
			rest = up
		}
	}
}
