package cluster

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

// keysOf returns n keys, each of its number.
func keysOf(n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = mix(uint64(i))
	}
	return keys
}

// graphOf returns the graph with these edges, all of weight 1.
func graphOf(n int, edges ...[2]uint32) *Graph {
	near := make([][]Neighbour, n)
	for _, e := range edges {
		near[e[0]] = append(near[e[0]], Neighbour{e[1], 0})
	}
	return NewGraph(n, func(v int) []Neighbour { return near[v] })
}

// modularity is that of Newman and Girvan with the resolution of Reichardt and
// Bornholdt, by its definition: a sum over all pairs of nodes.
func modularity(g *Graph, community []uint32, resolution float64) float64 {
	n := uint32(g.Len())
	strength, total := make([]float64, n), 0.0
	for v := range n {
		_, weight := g.row(v)
		for _, w := range weight {
			strength[v] += float64(w)
		}
		total += strength[v]
	}
	q := 0.0
	for v := range n {
		to, weight := g.row(v)
		for i, u := range to {
			if community[u] == community[v] {
				q += float64(weight[i]) / total
			}
		}
		for u := range n {
			if community[u] == community[v] {
				q -= resolution * strength[u] * strength[v] / total / total
			}
		}
	}
	return q
}

// karate is the club of Zachary (1977), members from 1.
var karate = [][2]uint32{
	{2, 1}, {3, 1}, {3, 2}, {4, 1}, {4, 2}, {4, 3}, {5, 1}, {6, 1}, {7, 1}, {7, 5}, {7, 6}, {8, 1}, {8, 2}, {8, 3}, {8, 4}, {9, 1}, {9, 3},
	{10, 3}, {11, 1}, {11, 5}, {11, 6}, {12, 1}, {13, 1}, {13, 4}, {14, 1}, {14, 2}, {14, 3}, {14, 4}, {17, 6}, {17, 7}, {18, 1}, {18, 2},
	{20, 1}, {20, 2}, {22, 1}, {22, 2}, {26, 24}, {26, 25}, {28, 3}, {28, 24}, {28, 25}, {29, 3}, {30, 24}, {30, 27}, {31, 2}, {31, 9},
	{32, 1}, {32, 25}, {32, 26}, {32, 29}, {33, 3}, {33, 9}, {33, 15}, {33, 16}, {33, 19}, {33, 21}, {33, 23}, {33, 24}, {33, 30}, {33, 31},
	{33, 32}, {34, 9}, {34, 10}, {34, 14}, {34, 15}, {34, 16}, {34, 19}, {34, 20}, {34, 21}, {34, 23}, {34, 24}, {34, 27}, {34, 28}, {34, 29},
	{34, 30}, {34, 31}, {34, 32}, {34, 33},
}

func TestLeidenKnownAnswers(t *testing.T) {
	club := slices.Clone(karate)
	for i := range club {
		club[i][0]--
		club[i][1]--
	}
	g := graphOf(34, club...)
	got, err := Leiden(t.Context(), g, keysOf(34), 1)
	if err != nil {
		t.Fatal(err)
	}
	// 0.4198 is the highest there is (Brandes et al. 2008).
	if q := modularity(g, got, 1); q < 0.4197 || slices.Max(got) != 3 {
		t.Errorf("karate club: modularity %.4f in %d communities, want 0.4198 in 4", q, slices.Max(got)+1)
	}

	// Cliques in a ring: at a resolution high enough each is a community of its own,
	// at 1 two neighbours are one (Fortunato, Barthélemy 2007).
	const cliques, size = 30, 5
	var edges [][2]uint32
	for c := range uint32(cliques) {
		for i := range uint32(size) {
			for j := range i {
				edges = append(edges, [2]uint32{c*size + i, c*size + j})
			}
		}
		edges = append(edges, [2]uint32{c * size, (c*size + size + 1) % (cliques * size)})
	}
	ring := graphOf(cliques*size, edges...)
	for resolution, want := range map[float64]uint32{1: 15, 4: 30} {
		got, err := Leiden(t.Context(), ring, keysOf(cliques*size), resolution)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Max(got)+1 != want {
			t.Errorf("ring of cliques at %v: %d communities, want %d", resolution, slices.Max(got)+1, want)
		}
	}
}

// random returns a graph of n nodes in a few groups, with links across.
func random(r *rand.Rand, n int) *Graph {
	near := make([][]Neighbour, n)
	groups := 1 + r.IntN(8)
	for v := range near {
		for range r.IntN(12) {
			u := r.IntN(n)
			if r.IntN(4) > 0 {
				u = u/groups*groups + v%groups
			}
			if u < n && u != v && !slices.ContainsFunc(near[v], func(e Neighbour) bool { return e.Node == uint32(u) }) {
				near[v] = append(near[v], Neighbour{uint32(u), r.Float32()})
			}
		}
		slices.SortFunc(near[v], func(a, b Neighbour) int { return int(math.Copysign(1, float64(a.Distance-b.Distance))) })
	}
	return NewGraph(n, func(v int) []Neighbour { return near[v] })
}

func TestLeidenPromises(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := 1 + r.IntN(300)
		g, keys := random(r, n), keysOf(n)
		resolution := []float64{0.3, 1, 5}[r.IntN(3)]
		got, err := Leiden(t.Context(), g, keys, resolution)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]bool, n)
		count := uint32(0)
		for v := range got {
			if got[v] > count {
				t.Fatalf("seed %d: node %d is in community %d before any is in %d", seed, v, got[v], count)
			}
			if got[v] == count {
				count++
			}
			seen[got[v]] = true
		}
		// Every community is connected.
		reached := make([]bool, n)
		for c := range count {
			stack := []uint32{uint32(slices.Index(got, c))}
			reached[stack[0]] = true
			for len(stack) > 0 {
				v := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				to, _ := g.row(v)
				for _, u := range to {
					if got[u] == c && !reached[u] {
						reached[u] = true
						stack = append(stack, u)
					}
				}
			}
		}
		if v := slices.Index(reached, false); v >= 0 {
			t.Errorf("seed %d: community %d is not connected", seed, got[v])
		}
		// No node would rather be elsewhere.
		q := modularity(g, got, resolution)
		for range 30 {
			v := r.IntN(n)
			moved := slices.Clone(got)
			moved[v] = uint32(r.IntN(int(count)))
			if x := modularity(g, moved, resolution); x > q+1e-6 {
				t.Errorf("seed %d: node %d would rather be in community %d: modularity %.7f instead of %.7f", seed, v, moved[v], x, q)
			}
		}
		again, _ := Leiden(t.Context(), g, keys, resolution)
		if !slices.Equal(got, again) {
			t.Errorf("seed %d: another answer the second time", seed)
		}
	}
}

// blobs returns rows around a few directions, and the direction of each.
func blobs(r *rand.Rand, n, dim, groups int, spread float64) (Vectors, []uint32) {
	rows := Vectors{Dim: dim, Rows: make([]float32, n*dim)}
	centres := Vectors{Dim: dim, Rows: make([]float32, groups*dim)}
	for i := range centres.Rows {
		centres.Rows[i] = float32(r.NormFloat64())
	}
	label := make([]uint32, n)
	for i := range n {
		g := i % groups
		label[i] = uint32(g)
		for j := range dim {
			rows.Row(i)[j] = centres.Row(g)[j] + float32(spread*r.NormFloat64())
		}
		vector.Normalize(rows.Row(i))
	}
	return rows, label
}

// nearest returns the k nearest rows of each.
func nearest(rows Vectors, k int) func(int) []Neighbour {
	return func(i int) []Neighbour {
		var list []Neighbour
		for j := range rows.Len() {
			if j != i {
				list = append(list, Neighbour{uint32(j), vector.Distance(vector.Dot(rows.Row(i), rows.Row(j)))})
			}
		}
		slices.SortStableFunc(list, func(a, b Neighbour) int {
			switch {
			case a.Distance < b.Distance:
				return -1
			case a.Distance > b.Distance:
				return 1
			}
			return 0
		})
		return list[:min(k, len(list))]
	}
}

func TestGroupsAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rows, want := blobs(r, 400, 24, 8, 0.5)
	keys := keysOf(400)
	communities, err := Leiden(t.Context(), NewGraph(400, nearest(rows, 15)), keys, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(communities, want) {
		t.Errorf("Leiden: %v, want i mod 8", communities)
	}
	for _, workers := range []int{1, 3} {
		means, err := KMeans(t.Context(), rows, keys, 8, workers)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(means, want) {
			t.Errorf("k-means with %d workers: %v, want i mod 8", workers, means)
		}
	}
}

func TestKMeansBounds(t *testing.T) {
	same := Vectors{Dim: 2, Rows: []float32{1, 0, 1, 0, 1, 0, 0, 1, 0, 0}}
	for k := range 8 {
		got, err := KMeans(t.Context(), same, keysOf(5), k, 2)
		if err != nil || len(got) != 5 {
			t.Fatalf("k=%d: %v, %v", k, got, err)
		}
		if k >= 2 && (got[0] != got[1] || got[1] != got[2] || got[3] == got[0]) {
			t.Errorf("k=%d: %v, want the three equal rows in one, the fourth in another", k, got)
		}
	}
	if got, err := KMeans(t.Context(), Vectors{Dim: 2}, nil, 3, 1); err != nil || len(got) != 0 {
		t.Errorf("no rows: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := KMeans(ctx, same, keysOf(5), 2, 2); err == nil {
		t.Error("KMeans went on after it was cancelled")
	}
	if _, err := Leiden(ctx, graphOf(2, [2]uint32{0, 1}), keysOf(2), 1); err == nil {
		t.Error("Leiden went on after it was cancelled")
	}
	if _, err := Place(ctx, graphOf(2, [2]uint32{0, 1}), make([]Node, 2), Vectors{2, make([]float32, 4)}); err == nil {
		t.Error("Place went on after it was cancelled")
	}
}

// trustworthiness is that of Venna and Kaski (2001), of k neighbours.
func trustworthiness(rows Vectors, at []Point, k int) float64 {
	n, sum := rows.Len(), 0.0
	for i := range n {
		rank := make([]int, n)
		for at, e := range nearest(rows, n)(i) {
			rank[e.Node] = at + 1
		}
		var low []Neighbour
		for j := range at {
			if j != i {
				x, y := at[i].X-at[j].X, at[i].Y-at[j].Y
				low = append(low, Neighbour{uint32(j), x*x + y*y})
			}
		}
		slices.SortFunc(low, func(a, b Neighbour) int { return int(math.Copysign(1, float64(a.Distance-b.Distance))) })
		for _, e := range low[:k] {
			sum += float64(max(rank[e.Node]-k, 0))
		}
	}
	return 1 - 2*sum/float64(n*k*(2*n-3*k-1))
}

func TestPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 300
	rows, label := blobs(r, n, 24, 6, 0.6)
	g := NewGraph(n, nearest(rows, 15))
	nodes := make([]Node, n)
	for i, key := range keysOf(n) {
		nodes[i].Key = key
	}
	at, err := Place(t.Context(), g, nodes, rows)
	if err != nil {
		t.Fatal(err)
	}
	if x := trustworthiness(rows, at, 15); x < 0.93 {
		t.Errorf("trustworthiness %.3f", x)
	}
	// Some leave and come again among those that stand still.
	again := slices.Clone(nodes)
	for i := range again {
		again[i].At, again[i].Known = at[i], i%10 != 3
	}
	moved, err := Place(t.Context(), g, again, Vectors{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range moved {
		if again[i].Known && moved[i] != at[i] {
			t.Fatalf("node %d moved from %v to %v", i, at[i], moved[i])
		}
	}
	wrong := 0
	for i := 3; i < n; i += 10 {
		best, least := -1, float32(math.Inf(1))
		for j := range at {
			x, y := moved[i].X-at[j].X, moved[i].Y-at[j].Y
			if d := x*x + y*y; again[j].Known && d < least {
				best, least = j, d
			}
		}
		if label[best] != label[i] {
			wrong++
		}
	}
	if wrong > 1 {
		t.Errorf("%d of %d that came again stand beside others than they should", wrong, n/10)
	}
	if x := trustworthiness(rows, moved, 15); x < 0.93 {
		t.Errorf("trustworthiness %.3f with some placed later", x)
	}
}

func TestPlaceBounds(t *testing.T) {
	for _, n := range []int{0, 1, 2, 15, 40} {
		for name, rows := range map[string]Vectors{
			"alike": {Dim: 3, Rows: make([]float32, 3*n)},
			"apart": {Dim: 3, Rows: make([]float32, 3*n)},
		} {
			if name == "apart" {
				for i := range n {
					rows.Row(i)[i%2] = 1
				}
			}
			for known := range 2 {
				nodes := make([]Node, n)
				for i := range nodes {
					nodes[i] = Node{Key: uint64(i % 7), Known: known == 1 && i == 0}
				}
				at, err := Place(t.Context(), NewGraph(n, nearest(rows, 15)), nodes, rows)
				if err != nil || len(at) != n {
					t.Fatalf("%d %s: %d places, %v", n, name, len(at), err)
				}
				for i, p := range at {
					if !(math.Abs(float64(p.X)) < 1e3 && math.Abs(float64(p.Y)) < 1e3) {
						t.Errorf("%d %s, known %d: node %d is at %v", n, name, known, i, p)
					}
				}
			}
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, from, to string // a letter for each member's cluster, '.' for none
		want           string
	}{
		{"nothing", "", "", ""},
		{"same", "aaabbb", "aaabbb", "same [0]>[0] 3+0-0, same [1]>[1] 3+0-0"},
		{"other names", "aaabbb", "bbbaaa", "same [0]>[1] 3+0-0, same [1]>[0] 3+0-0"},
		{"grew", "aaa..", "aaaaa", "grew [0]>[0] 3+2-0"},
		{"shrank", "aaaa", "aaa.", "shrank [0]>[0] 3+0-1"},
		{"other members", "aaaa.", ".aaaa", "changed [0]>[0] 3+1-1"},
		{"split", "aaaaaaaa", "aaaabbbb", "split [0]>[0 1] 8+0-0"},
		{"merged", "aaaabbbb", "aaaaaaaa", "merged [0 1]>[0] 8+0-0"},
		{"a crumb goes", "aaaaaaaaaabbbbbbbbbb", "aaaaaaaaabbbbbbbbbbb", "shrank [0]>[0] 9+0-1, grew [1]>[1] 10+1-0"},
		{"appeared", "aaa...", "aaabbb", "same [0]>[0] 3+0-0, appeared []>[1] 0+3-0"},
		{"vanished", "aaabbb", "aaa...", "same [0]>[0] 3+0-0, vanished [1]>[] 0+0-3"},
	}
	read := func(s string) []int {
		var out []int
		for _, c := range s {
			out = append(out, max(int(c-'a'), -1))
		}
		return out
	}
	for _, test := range tests {
		var got strings.Builder
		for i, c := range Match(read(test.from), read(test.to)) {
			if i > 0 {
				got.WriteString(", ")
			}
			fmt.Fprintf(&got, "%s %v>%v %d+%d-%d", c.Fate, c.From, c.To, c.Stayed, c.Came, c.Left)
		}
		if got.String() != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got.String(), test.want)
		}
	}
}

// weighted returns a graph of undirected edges with weights.
func weighted(n int, edges ...[3]float32) *Graph {
	type half struct {
		to uint32
		w  float32
	}
	rows := make([][]half, n)
	for _, e := range edges {
		a, b := uint32(e[0]), uint32(e[1])
		rows[a], rows[b] = append(rows[a], half{b, e[2]}), append(rows[b], half{a, e[2]})
	}
	g := &Graph{start: make([]uint32, n+1)}
	for v, row := range rows {
		slices.SortFunc(row, func(x, y half) int { return int(x.to) - int(y.to) })
		for _, h := range row {
			g.to, g.weight = append(g.to, h.to), append(g.weight, h.w)
		}
		g.start[v+1] = uint32(len(g.to))
	}
	return g
}

// TestLeidenSteps checks the moves and the refinement by themselves.
func TestLeidenSteps(t *testing.T) {
	// Node 6 is hardly linked to two triangles and would rather be in neither.
	alone := newPartition(weighted(7, [3]float32{0, 1, 1}, [3]float32{0, 2, 1}, [3]float32{1, 2, 1}, [3]float32{3, 4, 1}, [3]float32{3, 5, 1}, [3]float32{4, 5, 1},
		[3]float32{6, 0, .1}, [3]float32{6, 3, .1}), 2.5)
	alone.community = []uint32{0, 0, 0, 3, 3, 3, 0}
	if !alone.move() || slices.Contains(alone.community[:6], alone.community[6]) {
		t.Errorf("node 6 is in a community with others: %v", alone.community)
	}

	// Node 4 is in the community of a clique, but nearly all of its weight leads out: it
	// stays alone, though it would gain by joining node 8.
	clique := [][3]float32{{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {1, 2, 1}, {1, 3, 1}, {2, 3, 1}, {8, 0, .3}, {4, 8, .2}, {4, 5, 6}, {5, 6, 3}, {6, 7, 3}, {5, 7, 3}}
	p := newPartition(weighted(9, clique...), 1)
	p.community = []uint32{0, 0, 0, 0, 0, 5, 5, 5, 0}
	set := p.refine()
	if set[4] != 4 || set[8] == 4 {
		t.Errorf("node 4, hardly linked to its community, is in set %d", set[4])
	}
	for v, s := range set {
		if p.community[v] != p.community[s] {
			t.Errorf("node %d of community %d is in a set of community %d", v, p.community[v], p.community[s])
		}
	}
	if set[0] != set[1] || set[1] != set[2] || set[2] != set[3] {
		t.Errorf("the clique is in sets %v", set[:4])
	}
}

// TestRefinementCountsItsLinks checks on random graphs that a set is joined only while
// it is linked to the rest of its community as well as chance would have it, by
// counting the links anew.
func TestRefinementCountsItsLinks(t *testing.T) {
	merged := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := 20 + r.IntN(80)
		g := random(r, n)
		p := newPartition(g, 1)
		p.community = make([]uint32, n)
		for v := range p.community {
			p.community[v] = uint32(v % 3)
		}
		set := p.refine()
		all := make([]float64, n)
		for v, c := range p.community {
			all[c] += p.strength[v]
		}
		// The last node that joined a set found the others well linked. Which one that
		// was is not told: one of them must be it.
		members := map[uint32][]uint32{}
		for v, s := range set {
			members[s] = append(members[s], uint32(v))
		}
		for s, list := range members {
			if len(list) < 2 {
				continue
			}
			merged++
			if !slices.ContainsFunc(list, func(last uint32) bool {
				inside, sum := 0.0, 0.0
				for _, v := range list {
					if v == last {
						continue
					}
					sum += p.strength[v]
					to, weight := g.row(v)
					for i, u := range to {
						if p.community[u] == p.community[v] && (set[u] != s || u == last) {
							inside += float64(weight[i])
						}
					}
				}
				return inside >= p.resolution*sum*(all[p.community[s]]-sum)-1e-6
			}) {
				t.Errorf("seed %d: the set of node %d grew past what its links allow", seed, s)
			}
		}
	}
	if merged < 100 {
		t.Errorf("only %d sets of several nodes", merged)
	}
}
