package hnsw

import (
	"unsafe"

	"github.com/vectorlink/vectorlink/vector"
)

// layer holds the links of nodes 0 … nodes-1, which are the nodes of its level
// and above. Each has a row of the same size, found without a look at a table,
// since where it is not is where a walk waits for memory.
type layer struct {
	nodes  int
	stride int
	rows   []uint32 // of each node: how many links, and stride-1 places for them
}

func newLayer(nodes, room int) layer {
	l := layer{nodes: nodes, stride: 1 + room}
	if rows := vector.Memory(4 * nodes * l.stride); len(rows) > 0 {
		l.rows = unsafe.Slice((*uint32)(unsafe.Pointer(&rows[0])), nodes*l.stride)
	}
	return l
}

// room is the most links that a node can have.
func (l *layer) room() int { return l.stride - 1 }

func (l *layer) row(node uint32) []uint32 { return l.rows[int(node)*l.stride:][:l.stride] }

func (l *layer) degree(node uint32) int { return int(l.rows[int(node)*l.stride]) }

func (l *layer) links(node uint32) []uint32 {
	row := l.row(node)
	return row[1 : 1+row[0]]
}

func (l *layer) set(node uint32, links []uint32) {
	row := l.row(node)
	row[0] = uint32(copy(row[1:], links))
}

func (l *layer) add(node, link uint32) {
	row := l.row(node)
	row[0]++
	row[row[0]] = link
}

// total returns the number of links of all nodes.
func (l *layer) total() int {
	n := 0
	for node := range l.nodes {
		n += l.degree(uint32(node))
	}
	return n
}

// fetch hints that links of nodes are to be asked for soon, at most so many of
// each.
func (l *layer) fetch(nodes []uint32, most int) {
	if len(l.rows) > 0 {
		rows := unsafe.Slice((*byte)(unsafe.Pointer(&l.rows[0])), 4*len(l.rows))
		vector.Prefetch(rows, 4*l.stride, 4*(1+most), nodes)
	}
}
