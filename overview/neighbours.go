package overview

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

const (
	// neighbours is how many neighbours of each document clusters and maps go by.
	neighbours = 15
	// exactNeighbours is the number of documents up to which they are found by
	// measuring all pairs, and not through a graph.
	exactNeighbours = 5_000
	// maxRows bounds the memory for the vectors of the documents that are clustered
	// or placed, in bytes.
	maxRows = 2 << 30
)

// vectorSet is a set of documents with one vector each, by ascending id.
type vectorSet struct {
	s         *search.Snapshot
	memory    search.Memory // as the snapshot was when the set was made
	settings  catalog.Settings
	documents []*snapshot.Entry
	keys      []uint64 // hashes of the ids
	number    map[*snapshot.Entry]uint32
	measure   search.Measure
	rows      cluster.Vectors // empty until load; zero for what turns out to be damaged
}

// vectorSetOf returns the documents of a selection that have vectors that say something
// of them, and counts the others.
func vectorSetOf(s *search.Snapshot, among *search.Selection) (p *vectorSet, others int) {
	settings := s.Settings()
	p = &vectorSet{s: s, memory: s.Memory(), settings: settings, measure: search.MeasureOf(settings)}
	total := s.View().Len()
	if among != nil {
		total = among.Admitted()
	}
	bad := s.Harmed()
	p.documents = slices.DeleteFunc(s.Documents(among), func(e *snapshot.Entry) bool {
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

// dim returns the number of dimensions of the vectors.
func (p *vectorSet) dim() int { return int(p.s.View().Header().Dim) }

// load reads all vectors into memory.
func (p *vectorSet) load(ctx context.Context) error {
	if p.rows.Dim > 0 || len(p.documents) == 0 {
		return nil
	}
	dim := p.dim()
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

// row returns the vector of a document as searches measure it (see [search.Snapshot.QueryVector]):
// of one with several chunks their mean.
func (p *vectorSet) row(v uint32) ([]float32, error) {
	if p.rows.Dim > 0 {
		return p.rows.Row(int(v)), nil
	}
	vectors, err := p.s.ChunkVectors(p.documents[v])
	if err != nil || len(vectors) == 0 {
		return make([]float32, p.dim()), err
	}
	if len(vectors) == 1 {
		return vectors[0], nil
	}
	row := search.Mean(vectors)
	if p.settings.Directed() && !vector.Normalize(row) {
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
// nearest first and equal ones by id. They depend on what the documents are alone, not
// on how the snapshot's graph has grown: few are measured against all others, many
// are looked for through a graph that is built of them.
func (o *Overview) neighboursOf(ctx context.Context, p *vectorSet, of []uint32) ([][]cluster.Neighbour, error) {
	lists := make([][]cluster.Neighbour, len(of))
	var find func(ctx context.Context, v uint32) ([]cluster.Neighbour, error)
	if len(p.documents) <= exactNeighbours || len(of) <= len(p.documents)/64 {
		slots := search.SlotsOf(p.documents)
		find = func(ctx context.Context, v uint32) ([]cluster.Neighbour, error) { return p.scan(ctx, slots, v) }
	} else {
		if err := p.load(ctx); err != nil {
			return nil, err
		}
		vecs := newRowVectors(p)
		graph, err := hnsw.Build(ctx, vecs, numbers(len(p.documents)), hnsw.Params{M: 12, EfConstruction: 64}, o.r.Workers())
		if err != nil {
			return nil, err
		}
		find = func(ctx context.Context, v uint32) ([]cluster.Neighbour, error) { return p.walk(ctx, graph, vecs, v) }
	}
	err := parallel.Do(ctx, o.r.Workers(), len(of), func(ctx context.Context, _, i int) (err error) {
		lists[i], err = find(ctx, of[i])
		return err
	})
	return lists, err
}

// rowVectors are the vectors of a set by the numbers of their documents.
type rowVectors struct {
	rows   cluster.Vectors
	square bool // they are near by their distance
	codes  vector.Planes
}

func newRowVectors(p *vectorSet) *rowVectors {
	n, length := p.rows.Len(), vector.PlaneLen(p.rows.Dim)
	r := &rowVectors{rows: p.rows, square: p.settings.Metric == catalog.MetricL2, codes: vector.Planes{
		Stride: length, Upper: vector.Memory(n * length), Lower: vector.Memory(n * length), Scales: make([]float32, n),
	}}
	if r.square {
		r.codes.Halves = make([]float32, n)
	}
	for v := range n {
		r.codes.Set(uint32(v), p.rows.Row(v))
	}
	return r
}

func (r *rowVectors) Dim() int             { return r.rows.Dim }
func (r *rowVectors) Euclidean() bool      { return r.square }
func (r *rowVectors) Codes() vector.Planes { return r.codes }

func (r *rowVectors) Read(v uint32, dst []float32) error {
	copy(dst, r.rows.Row(int(v)))
	return nil
}

func (r *rowVectors) Dots(q []float32, of []uint32, dst []float32) error {
	if !r.square {
		vector.Dots(dst, q, r.rows.Rows, r.rows.Dim, of)
		return nil
	}
	vector.Squares(dst, q, r.rows.Rows, r.rows.Dim, of)
	for i := range dst {
		dst[i] /= -2
	}
	return nil
}

// neighbourLists are what neighboursOf returns for all documents.
type neighbourLists [][]cluster.Neighbour

// Bytes is the memory that they take.
func (l neighbourLists) Bytes() int64 { return int64(len(l)) * (24 + 8*neighbours) }

// allNeighbours is neighboursOf for every document of a set that what says, from
// memory where clusters and the map were asked for one after the other. Where damage
// comes to light meanwhile, [search.Derive] asks anew.
func (o *Overview) allNeighbours(ctx context.Context, p *vectorSet, what string) (neighbourLists, error) {
	return search.Remember(ctx, p.memory, "neighbours\x00"+what, func() (neighbourLists, error) {
		return o.neighboursOf(ctx, p, numbers(len(p.documents)))
	})
}

// numbers returns 0, 1, … to n−1.
func numbers(n int) []uint32 {
	all := make([]uint32, n)
	for v := range all {
		all[v] = uint32(v)
	}
	return all
}

// walk looks for a document's neighbours through a graph of all rows.
func (p *vectorSet) walk(ctx context.Context, graph *hnsw.Graph, vecs hnsw.Vectors, v uint32) ([]cluster.Neighbour, error) {
	hits, err := graph.Search(ctx, vecs, p.rows.Row(int(v)), neighbours+1, 3*neighbours, nil)
	var best []cluster.Neighbour
	for _, h := range hits {
		if h.Slot != v {
			best = addNeighbour(best, cluster.Neighbour{Node: h.Slot, Distance: p.measure.Distance(h.Dot)})
		}
	}
	return best, err
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

// scan looks for a document's neighbours among those whose chunks are nearest to its
// own vector.
func (p *vectorSet) scan(ctx context.Context, slots []uint32, v uint32) ([]cluster.Neighbour, error) {
	row, err := p.row(v)
	if err != nil {
		return nil, err
	}
	var best []cluster.Neighbour
	for k := 2 * neighbours; ; k *= 2 {
		hits, err := hnsw.Scan(ctx, p.s.Vectors(), row, slots, k)
		if err != nil {
			return nil, err
		}
		best = best[:0]
		seen := make(map[uint32]struct{}, k)
		for _, h := range hits {
			for e := range p.s.View().Holders(h.Slot) {
				u, ok := p.number[e]
				if _, again := seen[u]; !ok || again || u == v {
					continue
				}
				seen[u] = struct{}{}
				other, err := p.row(u)
				if err != nil {
					return nil, err
				}
				best = addNeighbour(best, cluster.Neighbour{Node: u, Distance: p.measure.Between(row, other)})
			}
		}
		// A document of many chunks may fill a list by itself.
		if len(best) == neighbours || len(hits) < k || k > 64*neighbours {
			return best, nil
		}
	}
}
