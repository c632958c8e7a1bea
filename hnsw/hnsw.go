package hnsw

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/vector"
)

var (
	// ErrInput is wrapped by the errors of a call that cannot be right whatever
	// the graph holds (a query of the wrong dimension, a slot given twice):
	// correct the call.
	ErrInput = errors.New("hnsw: bad input")
	// ErrCorrupt is wrapped by [Decode] for bytes that are no graph: rebuild
	// the graph from its vectors.
	ErrCorrupt = errors.New("hnsw: damaged graph")
	// ErrVersion is wrapped by [Decode] for a graph of a format version this
	// program does not know: use a newer program, or rebuild.
	ErrVersion = errors.New("hnsw: unknown graph version")
)

// Limits of [Params]; they also bound what [Decode] accepts.
const (
	defaultM   = 16
	minM       = 2 // M 1 would put every node on every level
	maxM       = 256
	defaultEf  = 200
	maxEf      = 1 << 16
	maxLayers  = 32
	layerLinks = math.MaxUint32 // most links in a layer, which uint32 numbers
)

// Params shape a graph. The zero value stands for the defaults.
type Params struct {
	// M is the number of links a node makes when it is inserted, and the most
	// it keeps in an upper layer; in the ground layer it keeps up to 2·M. 0
	// means 16; 2 to 256.
	M int
	// EfConstruction is how many candidates the search for a new node's
	// neighbours holds. 0 means 200; M to 65536.
	EfConstruction int
}

// withDefaults returns p with its zero fields replaced.
func (p Params) withDefaults() Params {
	if p.M == 0 {
		p.M = defaultM
	}
	if p.EfConstruction == 0 {
		p.EfConstruction = max(defaultEf, p.M)
	}
	return p
}

// Validate reports, as an [ErrInput], parameters out of range.
func (p Params) Validate() error {
	p = p.withDefaults()
	if p.M < minM || p.M > maxM {
		return fmt.Errorf("%w: M is %d, must be %d to %d", ErrInput, p.M, minM, maxM)
	}
	if p.EfConstruction < p.M || p.EfConstruction > maxEf {
		return fmt.Errorf("%w: EfConstruction is %d, must be M (%d) to %d", ErrInput, p.EfConstruction, p.M, maxEf)
	}
	return nil
}

// maxLinks is the most links a node keeps in a layer.
func (p Params) maxLinks(layer int) int {
	if layer == 0 {
		return 2 * p.M
	}
	return p.M
}

// Vectors gives a graph the vectors of slots. Its methods may be called from
// several goroutines at once. What they are near by is the inner product, or,
// where it is [Euclidean], minus half the squared distance.
type Vectors interface {
	// Dim is the length of every vector, at least 1.
	Dim() int
	// Read copies the vector of slot into dst, which is Dim long.
	Read(slot uint32, dst []float32) error
	// Dots sets dst[i] to how near q, which is Dim long, and the vector of
	// slots[i] are; dst is as long as slots. It keeps none of them.
	Dots(q []float32, slots []uint32, dst []float32) error
}

// Euclidean is Vectors that say whether they are near by their distance. Its
// codes then have [vector.Codes.Halves].
type Euclidean interface {
	Vectors
	Euclidean() bool
}

func euclidean(vecs Vectors) bool {
	e, ok := vecs.(Euclidean)
	return ok && e.Euclidean()
}

// Coder is Vectors that [Graph.Search] can also measure by 8-bit codes, which is
// several times faster.
type Coder interface {
	Vectors
	// Codes returns codes whose row s is that of the vector of slot s, for
	// every slot of the graph searched. They hold until the search is over.
	// If they have fewer rows, they are not used.
	Codes() vector.Planes
}

// Hit is one result of a search.
type Hit struct {
	Slot uint32
	// Dot is what [Vectors].Dots gives of the query: larger is nearer.
	Dot float32
}

// compareHits orders hits best first, equal ones by slot.
func compareHits(a, b Hit) int {
	if c := cmp.Compare(b.Dot, a.Dot); c != 0 {
		return c
	}
	return cmp.Compare(a.Slot, b.Slot)
}

// Graph is an immutable graph over slots. The zero value is an empty graph.
type Graph struct {
	params Params
	slots  []uint32 // by node; ascending among the nodes of one level
	layers []layer  // ground first; none in an empty graph
	// lastSlot is the greatest of slots.
	lastSlot uint32
}

// Len returns the number of slots in the graph.
func (g *Graph) Len() int { return len(g.slots) }

// Has reports whether slot is in the graph.
func (g *Graph) Has(slot uint32) bool {
	for l := range g.layers {
		if _, ok := slices.BinarySearch(g.level(l), slot); ok {
			return true
		}
	}
	return false
}

// Slots returns the slots in the graph, in no order; not to be changed.
func (g *Graph) Slots() []uint32 { return g.slots }

// Renumber returns the graph of the same nodes and links under other slots. place
// gives each slot its new one, and keeps their order, so that a search finds the
// same. The graphs share their links.
func (g *Graph) Renumber(place func(slot uint32) uint32) *Graph {
	r := *g
	r.slots = make([]uint32, len(g.slots))
	for i, slot := range g.slots {
		r.slots[i] = place(slot)
	}
	r.lastSlot = 0
	if len(r.slots) > 0 {
		r.lastSlot = slices.Max(r.slots)
	}
	return &r
}

// level returns the slots whose highest layer is l, ascending.
func (g *Graph) level(l int) []uint32 {
	above := 0
	if l+1 < len(g.layers) {
		above = g.layers[l+1].nodes
	}
	return g.slots[above:g.layers[l].nodes]
}

// Bytes returns the memory the graph holds, in bytes.
func (g *Graph) Bytes() int64 {
	words := cap(g.slots)
	for _, l := range g.layers {
		words += len(l.rows)
	}
	return 4 * int64(words)
}
