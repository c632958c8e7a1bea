package cluster

import "slices"

// Fate is what became of a cluster from one moment to another.
type Fate string

const (
	Same     Fate = "same"     // the same members
	Grew     Fate = "grew"     // one to one, with more members
	Shrank   Fate = "shrank"   // one to one, with fewer
	Changed  Fate = "changed"  // one to one, as many, but others
	Split    Fate = "split"    // into several
	Merged   Fate = "merged"   // out of several
	Appeared Fate = "appeared" // out of none
	Vanished Fate = "vanished" // into none
)

// Change tells of the clusters that belong together at two moments.
type Change struct {
	Fate     Fate
	From, To []uint32 // clusters, ascending
	// Stayed, Came and Left count members: in From and To, in To alone, in From
	// alone.
	Stayed, Came, Left int
}

// share is how much of a cluster must go along for the two to belong together.
const share = 0.3

// Match says what became of clusters (Greene, Doyle, Cunningham 2010). from and to
// hold each member's cluster at both moments, or −1 where it is in none; sizes
// follow. Two clusters belong together where one has three tenths of its members in
// the other, and these are more than half of the other's; as where they share half of
// all they have. Changes come by From, then by To; each cluster is in one of them.
func Match(from, to []int) []Change {
	type pair struct{ a, b uint32 }
	both := map[pair]int{}
	var sizeA, sizeB []int
	count := func(sizes *[]int, c int) {
		for len(*sizes) <= c {
			*sizes = append(*sizes, 0)
		}
		(*sizes)[c]++
	}
	for i := range from {
		if from[i] >= 0 {
			count(&sizeA, from[i])
		}
		if to[i] >= 0 {
			count(&sizeB, to[i])
		}
		if from[i] >= 0 && to[i] >= 0 {
			both[pair{uint32(from[i]), uint32(to[i])}]++
		}
	}
	// Clusters that belong together are joined into one change.
	joined := make([]int, len(sizeA)+len(sizeB))
	for i := range joined {
		joined[i] = i
	}
	var root func(i int) int
	root = func(i int) int {
		if joined[i] != i {
			joined[i] = root(joined[i])
		}
		return joined[i]
	}
	for p, n := range both {
		a, b := sizeA[p.a], sizeB[p.b]
		if float64(n) >= share*float64(a) && 2*n > b || float64(n) >= share*float64(b) && 2*n > a {
			x, y := root(int(p.a)), root(len(sizeA)+int(p.b))
			joined[max(x, y)] = min(x, y)
		}
	}
	changes := map[int]*Change{}
	at := func(i int) *Change {
		r := root(i)
		if changes[r] == nil {
			changes[r] = &Change{}
		}
		return changes[r]
	}
	for a, size := range sizeA {
		if size > 0 {
			c := at(a)
			c.From, c.Left = append(c.From, uint32(a)), c.Left+size
		}
	}
	for b, size := range sizeB {
		if size > 0 {
			c := at(len(sizeA) + b)
			c.To, c.Came = append(c.To, uint32(b)), c.Came+size
		}
	}
	for p, n := range both {
		if x := at(int(p.a)); x == at(len(sizeA)+int(p.b)) {
			x.Stayed, x.Came, x.Left = x.Stayed+n, x.Came-n, x.Left-n
		}
	}
	var out []Change
	for _, c := range changes {
		c.Fate = c.fate()
		out = append(out, *c)
	}
	slices.SortFunc(out, func(x, y Change) int {
		if c := slices.Compare(x.From, y.From); c != 0 && len(x.From) > 0 && len(y.From) > 0 {
			return c
		}
		if len(x.From) > 0 != (len(y.From) > 0) {
			return len(y.From) - len(x.From)
		}
		return slices.Compare(x.To, y.To)
	})
	return out
}

func (c *Change) fate() Fate {
	switch {
	case len(c.From) == 0:
		return Appeared
	case len(c.To) == 0:
		return Vanished
	case len(c.To) > 1 && len(c.From) == 1:
		return Split
	case len(c.From) > 1:
		return Merged
	case c.Came == 0 && c.Left == 0:
		return Same
	case c.Came > c.Left:
		return Grew
	case c.Left > c.Came:
		return Shrank
	}
	return Changed
}
