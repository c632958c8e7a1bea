package hnsw

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// scanBatch is how many slots [Scan] measures in one call: large against the
// cost of a call, small against memory and the patience of a cancelled caller.
const scanBatch = 512

// searcher is a walker on a finished graph with the caller's vectors.
type searcher struct {
	walker
	graph *Graph
	vecs  Vectors
	buf   []uint32 // slots of the nodes being measured
}

var searchers = sync.Pool{New: func() any { return new(searcher) }}

func (s *searcher) links(layer int, node uint32) []uint32 {
	l := &s.graph.layers[layer]
	return l.links[l.start[node]:l.start[node+1]]
}

func (s *searcher) dots(q []float32, nodes []uint32, dst []float32) error {
	s.buf = s.buf[:0]
	for _, node := range nodes {
		s.buf = append(s.buf, s.graph.slots[node])
	}
	return s.vecs.Dots(q, s.buf, dst)
}

// Search returns the k live slots nearest to q, best first and equal ones by
// slot; approximately, holding ef candidates (at least k) on the way: more
// candidates find more of the true neighbours and take longer, in proportion.
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
		s.release()
		s.graph, s.vecs = nil, nil
		searchers.Put(s)
	}()
	s.graph, s.vecs = g, vecs
	if live != nil {
		s.start(s, g.slots, q, ef, func(c candidate) bool { return live(g.slots[c.node]) })
	} else {
		live = func(uint32) bool { return true }
		s.start(s, g.slots, q, ef, nil)
	}
	exact, err := s.search(ctx, live)
	if err != nil {
		return nil, fmt.Errorf("hnsw: search: %w", err)
	}
	if exact != nil {
		return Scan(ctx, vecs, q, exact, k)
	}
	if s.poolLive < k && s.measured < len(g.slots) {
		// Not in a graph made by Build, whose nodes can all be reached; one
		// read from a file is not known to be such.
		return Scan(ctx, vecs, q, g.liveSlots(live), k)
	}
	hits := make([]Hit, 0, min(k, s.poolLive))
	for _, c := range s.pool {
		if len(hits) == k {
			break
		}
		if c.live {
			hits = append(hits, Hit{Slot: g.slots[c.node], Dot: c.sim})
		}
	}
	return hits, nil
}

// search fills the pool. Where an exact scan is the better way, it returns the
// live slots to scan instead.
func (s *searcher) search(ctx context.Context, live func(slot uint32) bool) (exact []uint32, err error) {
	near, err := s.descend(ctx, 0, len(s.graph.layers)-1, 1)
	if err != nil {
		return nil, err
	}
	// Node 0 reaches every other; the descent's end need not.
	if err := s.seed(near, 0); err != nil {
		return nil, err
	}
	var all []uint32 // the live slots, once they are worth counting
	err = s.walk(ctx, 0, func() bool {
		if all == nil {
			// Asking live for every slot costs about as much as measuring a
			// 64th of them. It is worth that once the walk has cost as much
			// and most of what it meets is not live.
			if s.measured < len(s.slots)/64 || 2*s.poolLive > len(s.pool) {
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

// Scan returns the k of slots nearest to q, best first and equal ones by slot,
// by measuring them all. slots are distinct. The error wraps [ErrInput] when q
// has the wrong length, else it is that of vecs or of ctx.
func Scan(ctx context.Context, vecs Vectors, q []float32, slots []uint32, k int) ([]Hit, error) {
	if err := checkQuery(vecs, q); err != nil {
		return nil, err
	}
	k = min(k, len(slots))
	if k <= 0 {
		return nil, nil
	}
	// best holds the k best so far and as many newcomers again at most, which
	// is cut back by sorting: linear in slots whatever k.
	best := make([]Hit, 0, min(2*k, len(slots)))
	full := false // best[k-1] is the k-th best so far
	var sims [scanBatch]float32
	for part := range slices.Chunk(slots, scanBatch) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("hnsw: scan: %w", err)
		}
		if err := vecs.Dots(q, part, sims[:len(part)]); err != nil {
			return nil, fmt.Errorf("hnsw: scan: %w", err)
		}
		for i, slot := range part {
			h := Hit{Slot: slot, Dot: ordered(sims[i])}
			if full && compareHits(h, best[k-1]) > 0 {
				continue
			}
			best = append(best, h)
			if len(best) == 2*k {
				slices.SortFunc(best, compareHits)
				best, full = best[:k], true
			}
		}
	}
	slices.SortFunc(best, compareHits)
	return best[:k:k], nil
}

// checkQuery reports a query that does not fit the vectors.
func checkQuery(vecs Vectors, q []float32) error {
	if dim := vecs.Dim(); len(q) != dim {
		return fmt.Errorf("%w: the query has %d dimensions, the vectors %d", ErrInput, len(q), dim)
	}
	return nil
}
