package hnsw

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/vector"
)

// searcher is a walker on a finished graph with the caller's vectors.
type searcher struct {
	walker
	graph *Graph
	vecs  Vectors
	q     []float32
	codes vector.Planes // none (no Stride): the walk measures the vectors
	sums  []int32       // products of the batch at hand with their upper plane
	query vector.Query
	slots []uint32 // of the nodes being measured
	exact []Hit    // measured exactly
	dots  []float32
}

var searchers = sync.Pool{New: func() any {
	s := new(searcher)
	s.space = s
	return s
}}

func (s *searcher) links(layer int, node uint32) []uint32 {
	return s.graph.layers[layer].links(node)
}

func (s *searcher) fetchLinks(layer int, nodes []uint32) {
	l := &s.graph.layers[layer]
	l.fetch(nodes, l.room())
}

// locate gives slots.
func (s *searcher) locate(nodes, places []uint32) []uint32 {
	for _, node := range nodes {
		places = append(places, s.graph.slots[node])
	}
	if s.codes.Stride > 0 {
		vector.Prefetch(s.codes.Upper, s.codes.Stride, s.codes.Stride, places)
	}
	return places
}

// screen goes by the upper plane of the codes.
func (s *searcher) screen(b *batch, least float32) {
	if s.codes.Stride == 0 {
		return
	}
	s.sums = resize(s.sums, len(b.places))
	n := s.codes.Screen(s.sums, &s.query, b.places, b.nodes, least)
	b.nodes, b.places, s.sums = b.nodes[:n], b.places[:n], s.sums[:n]
	vector.Prefetch(s.codes.Lower, s.codes.Stride, s.codes.Stride, b.places)
}

func (s *searcher) similar(slots []uint32, dst []float32) error {
	if s.codes.Stride > 0 {
		s.codes.Dots(dst, s.sums, &s.query, slots)
		return nil
	}
	return s.vecs.Dots(s.q, slots, dst)
}

// Search returns the k live slots nearest to q, best first and equal ones by
// slot; approximately, holding ef candidates (at least k) on the way: more
// candidates find more of the true neighbours and take longer, in proportion.
//
// If vecs is a [Coder] the walk goes by its codes, and only the best candidates
// are measured exactly. The hits' inner products are exact either way.
//
// live says whether a slot may be a hit; nil means that all may. Slots that are
// not live still lead the walk on, and do not count among the ef candidates, so
// that recall does not suffer from them. Where they are so many that measuring
// every live slot costs no more than walking on, Search does that. Either way k
// hits come back when the graph has k live slots, and all of them when it has
// fewer.
//
// The same graph, vectors and arguments give the same answer. live is called
// from the calling goroutine only. The error wraps [ErrInput] when q has the
// wrong length, else it is that of vecs or of ctx.
func (g *Graph) Search(ctx context.Context, vecs Vectors, q []float32, k, ef int, live func(slot uint32) bool) ([]Hit, error) {
	return g.find(ctx, vecs, q, k, ef, live, nil)
}

// Subset are slots of a graph, known beforehand.
type Subset interface {
	Has(slot uint32) bool
	Len() int
	Slots() []uint32 // each once
}

// SearchIn is Search where the slots of a subset are live and no others. Since
// their number is known it finds out sooner what is the cheaper way.
func (g *Graph) SearchIn(ctx context.Context, vecs Vectors, q []float32, k, ef int, subset Subset) ([]Hit, error) {
	return g.find(ctx, vecs, q, k, ef, subset.Has, subset)
}

// find is Search or, with a subset, SearchIn.
func (g *Graph) find(ctx context.Context, vecs Vectors, q []float32, k, ef int, live func(slot uint32) bool, subset Subset) ([]Hit, error) {
	if err := checkQuery(vecs, q); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("hnsw: search: %w", err)
	}
	k = min(k, len(g.slots))
	if k <= 0 {
		return nil, nil
	}
	ef = min(max(ef, k), len(g.slots))

	s := searchers.Get().(*searcher)
	defer func() {
		// Nothing of the caller's is kept.
		s.graph, s.vecs, s.q, s.codes, s.admit = nil, nil, nil, vector.Planes{}, nil
		searchers.Put(s)
	}()
	s.graph, s.vecs, s.q = g, vecs, q
	if c, ok := vecs.(Coder); ok && g.coded(c.Codes()) {
		s.codes = c.Codes()
		s.query.Set(q)
	}
	if live != nil {
		s.start(len(g.slots), ef, func(node uint32, _ float32) bool { return live(g.slots[node]) })
	} else {
		live = func(uint32) bool { return true }
		s.start(len(g.slots), ef, nil)
	}
	exact, err := s.search(ctx, live, subset)
	if err != nil {
		return nil, fmt.Errorf("hnsw: search: %w", err)
	}
	if exact != nil {
		return Scan(ctx, vecs, q, exact, k)
	}
	if s.pool.live < k && s.measured < len(g.slots) {
		// Not in a graph made by Build, whose nodes can all be reached; one
		// read from a file is not known to be such.
		return Scan(ctx, vecs, q, g.liveSlots(live), k)
	}
	hits, err := s.hits(k)
	if err != nil {
		return nil, fmt.Errorf("hnsw: search: %w", err)
	}
	return hits, nil
}

// coded reports whether there are codes for all slots of the graph.
func (g *Graph) coded(c vector.Planes) bool {
	return c.Stride > 0 && int64(g.lastSlot) < int64(len(c.Scales))
}

// search fills the pool. Where an exact scan is the better way, it returns the
// live slots to scan instead.
func (s *searcher) search(ctx context.Context, live func(slot uint32) bool, subset Subset) (exact []uint32, err error) {
	// Node 0 reaches every other. The last layer above the ground is left out:
	// the walk below is as fast, and sees more from farther away.
	if err := s.descend(ctx, 0, len(s.graph.layers)-1, 2); err != nil {
		return nil, err
	}
	var all []uint32 // the live slots, once they are worth counting
	err = s.walk(ctx, 0, func() bool {
		if subset != nil {
			// What the walk measures, by codes, costs a quarter or a third of
			// what a scan does.
			if s.measured >= 4*subset.Len() {
				exact = subset.Slots()
			}
			return exact != nil
		}
		if all == nil {
			// Asking live for every slot costs about as much as measuring a
			// 64th of them. It is worth that once the walk has cost as much
			// and most of what it meets is not live.
			if s.measured < len(s.graph.slots)/64 || 2*s.pool.live > len(s.entries) {
				return false
			}
			all = s.graph.liveSlots(live)
		}
		// From here on the walk may cost as much as the scan would, so that
		// both together are at most twice the cheaper one.
		if s.measured >= len(all) {
			exact = all
		}
		return exact != nil
	})
	return exact, err
}

// hits returns the best k of the pool.
func (s *searcher) hits(k int) ([]Hit, error) {
	s.exact = s.exact[:0]
	if s.codes.Stride > 0 {
		if err := s.rerank(k); err != nil {
			return nil, err
		}
	} else {
		for _, e := range s.entries {
			if e.dead() {
				continue
			}
			// Entries that equal the k-th may be before it by slot.
			if n := len(s.exact); n >= k && s.exact[n-1].Dot != e.sim() {
				break
			}
			s.exact = append(s.exact, Hit{Slot: s.graph.slots[e.node()], Dot: e.sim()})
		}
	}
	slices.SortFunc(s.exact, compareHits)
	return slices.Clone(s.exact[:min(k, len(s.exact))]), nil
}

// A pool of candidates by their codes is measured exactly from its head, so
// many at least, down to where a true neighbour is most unlikely.
const rerankHead = 10

// rerank measures exactly those in the pool that may be among the best k.
func (s *searcher) rerank(k int) error {
	head := max(k, rerankHead)
	from, err := s.measureExactly(0, func(entry) bool { return len(s.slots) < head })
	if err != nil || from == len(s.entries) {
		return err
	}
	// A product of codes errs by what is lost of the query, which near vectors
	// have in common, and by what is lost of the vector, which differs from one
	// to the next. The head shows what both come to, but shows it wrong where it
	// is the head because the second made up for the first. So the second, by
	// theory, sets a limit: what is lost of a value is anywhere within a scale.
	var sum, squares, scale float64
	at, lost := 0, 0
	for _, e := range s.entries[:from] {
		if e.dead() {
			continue
		}
		hit := s.exact[at]
		at++
		if math.IsInf(float64(hit.Dot), -1) {
			lost++ // a vector that cannot be read says nothing of the others
			continue
		}
		diff := float64(hit.Dot) - float64(e.sim())
		sum += diff
		squares += float64(diff * diff)
		scale = max(scale, float64(s.codes.Scales[hit.Slot]))
	}
	if at -= lost; at == 0 {
		_, err = s.measureExactly(from, func(entry) bool { return true })
		return err
	}
	norm := math.Sqrt(float64(vector.Dot(s.q, s.q)))
	if s.codes.Halves != nil {
		// What is lost of the vector tells only where it differs from the query.
		norm = math.Sqrt(2 * max(-float64(slices.MaxFunc(s.exact, compareHits).Dot), 0))
	}
	mean := sum / float64(at)
	margin := max(3*math.Sqrt(max(squares/float64(at)-float64(mean*mean), 0)), 4*norm*scale/math.Sqrt(12))
	slices.SortFunc(s.exact, compareHits)
	bar := float64(s.exact[k-1].Dot) - mean - margin
	_, err = s.measureExactly(from, func(e entry) bool { return float64(e.sim()) >= bar })
	return err
}

// measureExactly appends to exact the live entries from a place in the pool on
// as long as more says so, and returns the place it came to.
func (s *searcher) measureExactly(from int, more func(e entry) bool) (int, error) {
	s.slots = s.slots[:0]
	for from < len(s.entries) && more(s.entries[from]) {
		if e := s.entries[from]; !e.dead() {
			s.slots = append(s.slots, s.graph.slots[e.node()])
		}
		from++
	}
	s.dots = resize(s.dots, len(s.slots))
	if err := s.vecs.Dots(s.q, s.slots, s.dots); err != nil {
		return 0, err
	}
	for i, slot := range s.slots {
		s.exact = append(s.exact, Hit{Slot: slot, Dot: ordered(s.dots[i])})
	}
	return from, nil
}

// liveSlots returns the slots of the graph that are live; never nil.
func (g *Graph) liveSlots(live func(slot uint32) bool) []uint32 {
	slots := []uint32{}
	for _, slot := range g.slots {
		if live(slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}
