package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

const (
	// neighbours is how many neighbours of each document clusters and maps go by.
	neighbours = 15
	// exactNeighbours is the number of documents up to which they are found by
	// measuring all pairs, and not through the graph.
	exactNeighbours = 5_000
	// maxRows bounds the memory for the vectors of the documents that are clustered
	// or placed, in bytes.
	maxRows = 2 << 30
)

// vectorSet is a set of documents with one vector each, by ascending id.
type vectorSet struct {
	s         *Snapshot
	documents []*snapshot.Entry
	keys      []uint64 // hashes of the ids
	number    map[*snapshot.Entry]uint32
	among     *selection // for searches
	measure   measure
	rows      cluster.Vectors // empty until load; zero for what turns out to be damaged
}

// vectorSet returns the documents of a selection that have vectors that say something
// of them, and counts the others.
func (s *Snapshot) vectorSet(among *selection) (p *vectorSet, others int) {
	p = &vectorSet{s: s, measure: measureOf(s.settings), among: among}
	total := s.view.Len()
	if among != nil {
		total = among.documents
	}
	if s.vecs == nil {
		return p, total
	}
	bad := s.Harmed()
	p.documents = slices.DeleteFunc(s.documents(among), func(e *snapshot.Entry) bool {
		whole := slices.ContainsFunc(e.Chunks, func(c snapshot.Chunk) bool {
			_, harmed := slices.BinarySearch(bad, c.Slot)
			return !harmed
		})
		return !whole || s.Unreadable(e)
	})
	p.number = make(map[*snapshot.Entry]uint32, len(p.documents))
	p.keys = make([]uint64, len(p.documents))
	for i, e := range p.documents {
		p.number[e], p.keys[i] = uint32(i), hashID(e.ID)
	}
	return p, total - len(p.documents)
}

// load reads all vectors into memory.
func (p *vectorSet) load(ctx context.Context) error {
	if p.rows.Dim > 0 || len(p.documents) == 0 {
		return nil
	}
	dim := p.s.vecs.Dim()
	if bytes := int64(len(p.documents)) * int64(dim) * 4; bytes > maxRows {
		return fmt.Errorf("%w: the vectors of %d documents take %d MiB, more than %d; choose fewer by a filter", contract.ErrInvalid, len(p.documents), bytes>>20, maxRows>>20)
	}
	rows := make([]float32, 0, len(p.documents)*dim)
	for i := range p.documents {
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := p.row(uint32(i))
		if err != nil {
			return err
		}
		rows = append(rows, row...)
	}
	p.rows = cluster.Vectors{Dim: dim, Rows: rows}
	return nil
}

// row returns the vector of a document as searches measure it (see Snapshot.ready):
// of one with several chunks their mean.
func (p *vectorSet) row(v uint32) ([]float32, error) {
	if p.rows.Dim > 0 {
		return p.rows.Row(int(v)), nil
	}
	vectors, err := p.s.chunkVectors(p.documents[v])
	if err != nil || len(vectors) == 0 {
		return make([]float32, p.s.vecs.Dim()), err
	}
	if len(vectors) == 1 {
		return vectors[0], nil
	}
	row := mean(vectors)
	if p.s.settings.Directed() && !vector.Normalize(row) {
		clear(row) // they cancel each other out
	}
	return row, nil
}

func hashID(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}

// neighboursOf returns the nearest neighbours of the documents of those numbers,
// nearest first and equal ones by id: exactly where the set is small, else those that
// the snapshot's graph finds.
func (r *Reader) neighboursOf(ctx context.Context, p *vectorSet, of []uint32) ([][]cluster.Neighbour, error) {
	lists := make([][]cluster.Neighbour, len(of))
	find := r.walk
	if len(p.documents) <= exactNeighbours {
		find = r.scan
	}
	if len(p.documents) <= max(exactNeighbours, 8*len(of)) {
		if err := p.load(ctx); err != nil {
			return nil, err
		}
	}
	err := parallel.Do(ctx, r.cfg.Workers, len(of), func(ctx context.Context, _, i int) (err error) {
		lists[i], err = find(ctx, p, of[i])
		return err
	})
	return lists, err
}

// scan measures a document against all others.
func (r *Reader) scan(ctx context.Context, p *vectorSet, v uint32) ([]cluster.Neighbour, error) {
	best := make([]cluster.Neighbour, 0, neighbours+1)
	row := p.rows.Row(int(v))
	for u := range uint32(len(p.documents)) {
		if u != v {
			best = addNeighbour(best, cluster.Neighbour{Node: u, Distance: p.measure.between(row, p.rows.Row(int(u)))})
		}
	}
	return best, context.Cause(ctx)
}

// addNeighbour adds a neighbour to a list in order, unless it is full of nearer ones.
func addNeighbour(best []cluster.Neighbour, n cluster.Neighbour) []cluster.Neighbour {
	if len(best) == neighbours && compareNeighbours(n, best[neighbours-1]) >= 0 {
		return best
	}
	at, _ := slices.BinarySearchFunc(best, n, compareNeighbours)
	best = slices.Insert(best, at, n)
	return best[:min(len(best), neighbours)]
}

func compareNeighbours(a, b cluster.Neighbour) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Node, b.Node))
}

// walk looks for a document's neighbours through the graph: among those whose chunks
// are near its own vector.
func (r *Reader) walk(ctx context.Context, p *vectorSet, v uint32) ([]cluster.Neighbour, error) {
	row, err := p.row(v)
	if err != nil {
		return nil, err
	}
	var best []cluster.Neighbour
	for k := 2 * neighbours; ; k *= 2 {
		hits, err := r.slots(ctx, p.s, row, p.among, k, 0)
		if err != nil {
			return nil, err
		}
		best = best[:0]
		seen := make(map[uint32]struct{}, k)
		for _, h := range hits {
			for e := range p.s.view.Holders(h.Slot) {
				u, ok := p.number[e]
				if _, again := seen[u]; !ok || again || u == v {
					continue
				}
				seen[u] = struct{}{}
				other, err := p.row(u)
				if err != nil {
					return nil, err
				}
				best = addNeighbour(best, cluster.Neighbour{Node: u, Distance: p.measure.between(row, other)})
			}
		}
		// A document of many chunks may fill a list by itself.
		if len(best) == neighbours || len(hits) < k || k > 64*neighbours {
			return best, nil
		}
	}
}

// derived returns what is derived from a snapshot, from memory or by derive. It is
// kept in the pool, and derived once for all who ask at the same time.
func (r *Reader) derived(ctx context.Context, key string, derive func(context.Context) (resource, error)) (resource, error) {
	for {
		l, err := r.pool.acquire(ctx, key, func() (resource, error) {
			done, err := r.heavyTurn(ctx)
			if err != nil {
				return nil, err
			}
			defer done()
			return derive(ctx)
		})
		switch {
		case err == nil:
			defer l.release() // it is memory alone, which outlives the lease
			return l.res, nil
		case ctx.Err() != nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
			return nil, catalog.StoreError(err)
		}
		// Another caller derived it, and went away.
	}
}
