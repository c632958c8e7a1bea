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
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
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
	s         *Snapshot
	held      string // as the snapshot was when the set was made
	documents []*snapshot.Entry
	keys      []uint64 // hashes of the ids
	number    map[*snapshot.Entry]uint32
	measure   Measure
	rows      cluster.Vectors // empty until load; zero for what turns out to be damaged
}

// vectorSet returns the documents of a selection that have vectors that say something
// of them, and counts the others.
func (s *Snapshot) vectorSet(among *Selection) (p *vectorSet, others int) {
	p = &vectorSet{s: s, held: s.held(), measure: MeasureOf(s.settings)}
	total := s.view.Len()
	if among != nil {
		total = among.documents
	}
	if s.vecs == nil {
		return p, total
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
	vectors, err := p.s.ChunkVectors(p.documents[v])
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
// nearest first and equal ones by id. They depend on what the documents are alone, not
// on how the snapshot's graph has grown: few are measured against all others, many
// are looked for through a graph that is built of them.
func (r *Reader) neighboursOf(ctx context.Context, p *vectorSet, of []uint32) ([][]cluster.Neighbour, error) {
	lists := make([][]cluster.Neighbour, len(of))
	var find func(ctx context.Context, v uint32) ([]cluster.Neighbour, error)
	if len(p.documents) <= exactNeighbours || len(of) <= len(p.documents)/64 {
		slots := SlotsOf(p.documents)
		find = func(ctx context.Context, v uint32) ([]cluster.Neighbour, error) { return p.scan(ctx, slots, v) }
	} else {
		if err := p.load(ctx); err != nil {
			return nil, err
		}
		vecs := newRowVectors(p)
		graph, err := hnsw.Build(ctx, vecs, numbers(len(p.documents)), hnsw.Params{M: 12, EfConstruction: 64}, r.cfg.Workers)
		if err != nil {
			return nil, err
		}
		find = func(ctx context.Context, v uint32) ([]cluster.Neighbour, error) { return p.walk(ctx, graph, vecs, v) }
	}
	err := parallel.Do(ctx, r.cfg.Workers, len(of), func(ctx context.Context, _, i int) (err error) {
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
	r := &rowVectors{rows: p.rows, square: p.measure.metric == catalog.MetricL2, codes: vector.Planes{
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

func (l neighbourLists) size() int64 { return int64(len(l)) * (24 + 8*neighbours) }

func (l neighbourLists) close() {}

// allNeighbours is neighboursOf for every document of a set that what says, from
// memory where clusters and the map were asked for one after the other. Where damage
// comes to light meanwhile, [Reader.derived] asks anew.
func (r *Reader) allNeighbours(ctx context.Context, p *vectorSet, what string) (neighbourLists, error) {
	l, err := r.pool.acquire(ctx, p.held+"\x00neighbours\x00"+what, func() (resource, error) {
		lists, err := r.neighboursOf(ctx, p, numbers(len(p.documents)))
		return neighbourLists(lists), err
	})
	if err != nil {
		return nil, err
	}
	defer l.release() // it is memory alone, which outlives the lease
	return l.res.(neighbourLists), nil
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
				best = addNeighbour(best, cluster.Neighbour{Node: u, Distance: p.measure.Between(row, other)})
			}
		}
		// A document of many chunks may fill a list by itself.
		if len(best) == neighbours || len(hits) < k || k > 64*neighbours {
			return best, nil
		}
	}
}

// held names what the snapshot holds that can be read, as far as that is known: other
// than its serial it is the same after a merge.
func (s *Snapshot) held() string {
	return heldName(s.d.Name(), s.real, s.view.Header().Seq, s.harmed())
}

// heldName is Snapshot.held of a commit that need not be open. A sequence number is
// given once.
func heldName(domain, commit string, seq, harm uint64) string {
	return fmt.Sprintf("%s%s\x00%d\x00%x", derivedPrefix(domain), commit, seq, harm)
}

// derivedPrefix is what the pool's keys of what is derived from a domain's snapshots
// begin with.
func derivedPrefix(domain string) string { return "derived\x00" + domain + "\x00" }

// harmed returns a hash of what is known to be damaged.
func (s *Snapshot) harmed() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, s.Harmed(), s.Damaged())
	return h.Sum64()
}

// errHarmed is why something is derived again: vectors turned out to be damaged.
var errHarmed = errors.New("damage came to light")

// derived returns what is derived from a snapshot, from memory or by derive. It is
// kept in the pool under key and what the snapshot holds, and derived once for all who
// ask at the same time. Damage that comes to light meanwhile has it derived again, so
// that the answer is that of who knew, and what is kept holds once it is mended.
func (r *Reader) derived(ctx context.Context, s *Snapshot, key string, derive func(context.Context) (resource, error)) (resource, error) {
	for {
		held := s.held()
		l, err := r.pool.acquire(ctx, held+"\x00"+key, func() (resource, error) {
			done, err := r.Turn(ctx)
			if err != nil {
				return nil, err
			}
			defer done()
			res, err := derive(ctx)
			if err == nil && held != s.held() {
				return nil, errHarmed
			}
			return res, err
		})
		switch {
		case err == nil:
			defer l.release() // it is memory alone, which outlives the lease
			return l.res, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, errHarmed) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
			return nil, catalog.StoreError(err)
		}
		// Or another caller derived it, and went away.
	}
}
