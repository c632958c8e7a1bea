package hnsw

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The section's layout; FORMAT.md says it in full.
const (
	magic         = "vlgr"
	formatVersion = 1

	offVersion = 4  // uint16
	offM       = 6  // uint16
	offEf      = 8  // uint32
	offLayers  = 12 // uint8; the next three bytes are zero
	headerSize = 16

	layerSize = 8 // in the layer table: nodes uint32, links uint32
)

// AppendTo appends the graph's section of a commit file to dst and returns the
// extended slice. Equal graphs have equal bytes.
func (g *Graph) AppendTo(dst []byte) []byte {
	p := g.params.withDefaults()
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(p.M))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(p.EfConstruction))
	dst = append(dst, byte(len(g.layers)), 0, 0, 0)
	for i := range g.layers {
		l := &g.layers[i]
		dst = binary.LittleEndian.AppendUint32(dst, uint32(l.nodes()))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(l.links)))
	}
	for i := len(g.layers) - 1; i >= 0; i-- {
		dst = appendAscending(dst, g.level(i))
	}
	for i := range g.layers {
		l := &g.layers[i]
		for node := range l.nodes() {
			links := l.links[l.start[node]:l.start[node+1]]
			dst = binary.AppendUvarint(dst, uint64(len(links)))
			dst = appendAscending(dst, links)
		}
	}
	return dst
}

// appendAscending appends strictly ascending numbers, each as a varint of what
// lies between it and the one before.
func appendAscending(dst []byte, numbers []uint32) []byte {
	var next uint32
	for _, x := range numbers {
		dst = binary.AppendUvarint(dst, uint64(x-next))
		next = x + 1
	}
	return dst
}

// Decode reads what [Graph.AppendTo] wrote; b is the whole section and nothing
// else, and is not kept. Bytes that are no graph give an error that wraps
// [ErrCorrupt], or [ErrVersion] for a later format. Every length is checked
// against the bytes there are before memory is taken for it, at most four times
// their size; whatever Decode accepts can be searched, and AppendTo gives the
// same bytes again.
//
// Decode cannot tell a changed link from the right one: that is the checksums'
// office in the commit file around the section.
func Decode(b []byte) (*Graph, error) {
	if len(b) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes are too few for a header", ErrCorrupt, len(b))
	}
	if string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrCorrupt, magic)
	}
	if v := binary.LittleEndian.Uint16(b[offVersion:]); v != formatVersion {
		return nil, fmt.Errorf("%w: %d, this program reads %d", ErrVersion, v, formatVersion)
	}
	g := &Graph{params: Params{
		M:              int(binary.LittleEndian.Uint16(b[offM:])),
		EfConstruction: int(binary.LittleEndian.Uint32(b[offEf:])),
	}}
	layers := int(b[offLayers])
	// Zero would read as the default.
	if g.params.M == 0 || g.params.EfConstruction == 0 || g.params.Validate() != nil {
		return nil, fmt.Errorf("%w: M %d with EfConstruction %d", ErrCorrupt, g.params.M, g.params.EfConstruction)
	}
	if layers > maxLayers || b[offLayers+1]|b[offLayers+2]|b[offLayers+3] != 0 {
		return nil, fmt.Errorf("%w: %d layers, reserved bytes % x", ErrCorrupt, layers, b[offLayers+1:headerSize])
	}
	r := reader{b: b, off: headerSize}
	if err := g.decodeTable(&r, layers); err != nil {
		return nil, err
	}
	if err := g.decodeSlots(&r); err != nil {
		return nil, err
	}
	for l := range g.layers {
		if err := g.decodeLinks(&r, l); err != nil {
			return nil, err
		}
	}
	if rest := len(b) - r.off; rest != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind its end", ErrCorrupt, rest)
	}
	return g, nil
}

// decodeTable reads the layer table and takes the memory it asks for.
func (g *Graph) decodeTable(r *reader, layers int) error {
	if len(r.b)-r.off < layers*layerSize {
		return fmt.Errorf("%w: its table of %d layers is cut off", ErrCorrupt, layers)
	}
	table := r.b[r.off : r.off+layers*layerSize]
	r.off += len(table)
	var need uint64 // bytes: a slot, a degree and a link take one or more each
	g.layers = make([]layer, layers)
	sizes := make([][2]uint32, layers)
	for l := range layers {
		nodes := binary.LittleEndian.Uint32(table[l*layerSize:])
		links := binary.LittleEndian.Uint32(table[l*layerSize+4:])
		if nodes == 0 || nodes > maxNodes || l > 0 && nodes > sizes[l-1][0] {
			return fmt.Errorf("%w: layer %d has %d nodes", ErrCorrupt, l, nodes)
		}
		sizes[l] = [2]uint32{nodes, links}
		need += uint64(nodes) + uint64(links)
		if l == 0 {
			need += uint64(nodes)
		}
	}
	if need > uint64(len(r.b)-r.off) {
		return fmt.Errorf("%w: %d bytes cannot hold its nodes and links", ErrCorrupt, len(r.b)-r.off)
	}
	for l, size := range sizes {
		if l == 0 {
			g.slots = make([]uint32, size[0])
		}
		g.layers[l].start = make([]uint32, size[0]+1)
		g.layers[l].links = make([]uint32, size[1])
	}
	return nil
}

// decodeSlots reads the slots of each level, the highest first.
func (g *Graph) decodeSlots(r *reader) error {
	for l := len(g.layers) - 1; l >= 0; l-- {
		if at, ok := r.ascending(g.level(l), 1<<32); !ok {
			return fmt.Errorf("%w: bad slot at byte %d", ErrCorrupt, at)
		}
	}
	for l := range g.layers {
		if slots := g.level(l); len(slots) > 0 {
			g.lastSlot = max(g.lastSlot, slots[len(slots)-1])
		}
	}
	// Ascending within a level, a slot can only be in two of them. Most nodes
	// are on the ground level: looking up the others is cheap.
	for l := 1; l < len(g.layers); l++ {
		for _, slot := range g.level(l) {
			for below := range l {
				if _, twice := slices.BinarySearch(g.level(below), slot); twice {
					return fmt.Errorf("%w: slot %d is there twice", ErrCorrupt, slot)
				}
			}
		}
	}
	return nil
}

// decodeLinks reads the links of layer l.
func (g *Graph) decodeLinks(r *reader, l int) error {
	to := &g.layers[l]
	nodes, most := to.nodes(), g.params.maxLinks(l)
	var done uint32
	for node := range nodes {
		at := r.off
		degree, ok := r.uvarint()
		if !ok || degree > uint32(most) || degree > uint32(len(to.links))-done {
			return fmt.Errorf("%w: bad number of links at byte %d", ErrCorrupt, at)
		}
		links := to.links[done : done+degree]
		if at, ok := r.ascending(links, uint64(nodes)); !ok {
			return fmt.Errorf("%w: bad link at byte %d", ErrCorrupt, at)
		}
		if _, self := slices.BinarySearch(links, uint32(node)); self {
			return fmt.Errorf("%w: node %d links to itself before byte %d", ErrCorrupt, node, r.off)
		}
		done += degree
		to.start[node+1] = done
	}
	if rest := uint32(len(to.links)) - done; rest != 0 {
		return fmt.Errorf("%w: layer %d lacks %d links", ErrCorrupt, l, rest)
	}
	return nil
}

// reader reads varints from b.
type reader struct {
	b   []byte
	off int
}

// uvarint reads a number in its shortest form; false if there is none, or it
// does not fit into 32 bits.
func (r *reader) uvarint() (uint32, bool) {
	if r.off < len(r.b) && r.b[r.off] < 0x80 {
		r.off++
		return uint32(r.b[r.off-1]), true
	}
	x, n := binary.Uvarint(r.b[r.off:])
	if n <= 0 || x > 1<<32-1 || r.b[r.off+n-1] == 0 {
		return 0, false
	}
	r.off += n
	return uint32(x), true
}

// ascending fills dst with numbers below limit written by appendAscending. On
// failure it returns false and where the bad one begins.
func (r *reader) ascending(dst []uint32, limit uint64) (at int, ok bool) {
	var next uint64
	for i := range dst {
		at := r.off
		gap, ok := r.uvarint()
		if !ok || next+uint64(gap) >= limit {
			return at, false
		}
		next += uint64(gap)
		dst[i] = uint32(next)
		next++
	}
	return r.off, true
}
