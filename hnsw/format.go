package hnsw

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The section's layout, see FORMAT.md.
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

// The memory for links that Decode takes at most, in bytes: so many times the
// section's, and some for small ones.
const (
	maxBlowUp  = 30
	freeBlowUp = 64 << 10
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
		dst = binary.LittleEndian.AppendUint32(dst, uint32(l.nodes))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(l.total()))
	}
	for i := len(g.layers) - 1; i >= 0; i-- {
		dst = appendAscending(dst, g.level(i))
	}
	for i := range g.layers {
		l := &g.layers[i]
		for node := range uint32(l.nodes) {
			links := l.links(node)
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

// Decode reads what [Graph.AppendTo] wrote; b is the section alone, and is not
// kept. Bytes that are no graph give an error that wraps
// [ErrCorrupt], or [ErrVersion] for a later format. Every length is checked
// against the bytes there are before memory is taken for it, at most 32 times
// their size and 64 KB. A graph that Decode accepts can be searched, and AppendTo
// returns the same bytes again.
//
// Decode cannot tell a changed link from the right one: the checksums of the
// commit file around the section do.
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
	links, err := g.decodeTable(&r, layers)
	if err != nil {
		return nil, err
	}
	if err := g.decodeSlots(&r); err != nil {
		return nil, err
	}
	for l := range g.layers {
		if err := g.decodeLinks(&r, l, links[l]); err != nil {
			return nil, err
		}
	}
	if rest := len(b) - r.off; rest != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind its end", ErrCorrupt, rest)
	}
	return g, nil
}

// decodeTable reads the layer table, takes the memory it asks for, and returns
// the number of links in each layer.
func (g *Graph) decodeTable(r *reader, layers int) ([]uint32, error) {
	if len(r.b)-r.off < layers*layerSize {
		return nil, fmt.Errorf("%w: its table of %d layers is cut off", ErrCorrupt, layers)
	}
	table := r.b[r.off : r.off+layers*layerSize]
	r.off += len(table)
	var need, take uint64 // bytes: a slot, a degree and a link take one or more each
	nodes, links := make([]uint32, layers), make([]uint32, layers)
	for l := range layers {
		nodes[l] = binary.LittleEndian.Uint32(table[l*layerSize:])
		links[l] = binary.LittleEndian.Uint32(table[l*layerSize+4:])
		if nodes[l] == 0 || nodes[l] > maxNodes || l > 0 && nodes[l] > nodes[l-1] {
			return nil, fmt.Errorf("%w: layer %d has %d nodes", ErrCorrupt, l, nodes[l])
		}
		need += uint64(nodes[l]) + uint64(links[l])
		if l == 0 {
			need += uint64(nodes[l])
		}
		take += 4 * uint64(nodes[l]) * uint64(1+g.params.maxLinks(l))
	}
	if need > uint64(len(r.b)-r.off) {
		return nil, fmt.Errorf("%w: %d bytes cannot hold its nodes and links", ErrCorrupt, len(r.b)-r.off)
	}
	// Build never leaves so much room: nodes have M links at the least, or all
	// others there are.
	if take > maxBlowUp*uint64(len(r.b))+freeBlowUp {
		return nil, fmt.Errorf("%w: its layers have room for many times the links there are", ErrCorrupt)
	}
	g.layers = make([]layer, layers)
	for l := range layers {
		if l == 0 {
			g.slots = make([]uint32, nodes[l])
		}
		g.layers[l] = newLayer(int(nodes[l]), g.params.maxLinks(l))
	}
	return links, nil
}

// decodeSlots reads the slots of each level, the highest first.
func (g *Graph) decodeSlots(r *reader) error {
	for l := len(g.layers) - 1; l >= 0; l-- {
		if at, ok := r.ascending(g.level(l), 1<<32, 1<<32); !ok {
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

// decodeLinks reads the links of layer l, of which there are so many.
func (g *Graph) decodeLinks(r *reader, l int, left uint32) error {
	to := &g.layers[l]
	for node := range uint32(to.nodes) {
		at := r.off
		degree, ok := r.uvarint()
		if !ok || degree > uint32(to.room()) || degree > left {
			return fmt.Errorf("%w: bad number of links at byte %d", ErrCorrupt, at)
		}
		left -= degree
		row := to.row(node)
		row[0] = degree
		if at, ok := r.ascending(row[1:1+degree], uint64(to.nodes), uint64(node)); !ok {
			return fmt.Errorf("%w: bad link at byte %d", ErrCorrupt, at)
		}
	}
	if left != 0 {
		return fmt.Errorf("%w: layer %d lacks %d links", ErrCorrupt, l, left)
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

// ascending fills dst with numbers below limit written by appendAscending, none of
// which is but. On failure it returns false and where the bad one begins. Most of the
// time to read a graph passes here, so that numbers of two bytes are read in place.
func (r *reader) ascending(dst []uint32, limit, but uint64) (at int, ok bool) {
	var next uint64
	b, off := r.b, r.off
	for i := range dst {
		at := off
		switch {
		case off+1 < len(b) && b[off] < 0x80:
			next += uint64(b[off])
			off++
		case off+1 < len(b) && b[off+1] < 0x80 && b[off+1] > 0:
			next += uint64(b[off]&0x7f) | uint64(b[off+1])<<7
			off += 2
		default:
			r.off = off
			gap, ok := r.uvarint()
			if !ok {
				return at, false
			}
			next += uint64(gap)
			off = r.off
		}
		if next >= limit || next == but {
			return at, false
		}
		dst[i] = uint32(next)
		next++
	}
	r.off = off
	return off, true
}
