package overview

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// MapRequest asks for a place in the plane for every document of a commit.
type MapRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    search.Ref
}

// Map places the documents of a commit in the plane, near ones together.
type Map struct {
	Commit string // the served commit
	// Box is the least rectangle that holds all places: left, bottom, right, top.
	Box [4]float32
	// Len is the number of documents that are placed: those that have a vector
	// that says something of them. Others counts the rest.
	Len, Others int
	Damaged     []string // as of [search.Hits]

	*placed
}

// MapPoint is where a document stands.
type MapPoint struct {
	ID string  `json:"id"`
	X  float32 `json:"x"`
	Y  float32 `json:"y"`
}

// Points yields the places by ascending id.
func (m *Map) Points() iter.Seq[MapPoint] {
	return func(yield func(MapPoint) bool) {
		for i, p := range m.at {
			if !yield(MapPoint{m.ids[i], p.X, p.Y}) {
				return
			}
		}
	}
}

// placed is a layout of a snapshot.
type placed struct {
	ids    []string // ascending
	hashes []uint64 // of what the vectors are made of: see vectorHash
	at     []cluster.Point
	others int
	// settled counts the documents that were placed all at once, news those
	// placed among them since.
	settled, news int
}

// Bytes is the memory that it takes.
func (p *placed) Bytes() int64 {
	n := int64(200 + 40*len(p.ids))
	for _, id := range p.ids {
		n += int64(len(id))
	}
	return n
}

// Map returns the places of a commit's documents. Those that are alike are near each
// other; the axes mean nothing.
//
// The map of a commit goes on from that of the commit it was built on: what has not
// changed stays where it was. So a map depends on the history of its commit, and on
// nothing else: it is derived from the beginning, in steps (see predecessor), and
// kept in memory. Where more than half has come since documents were last placed all
// at once, all are again.
func (o *Overview) Map(ctx context.Context, req MapRequest) (*Map, error) {
	d, commit, s, err := o.r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	p, err := o.placed(ctx, d, s, commit)
	if err != nil {
		return nil, err
	}
	m := &Map{Commit: commit, Len: len(p.ids), Others: p.others, Damaged: s.Damaged(), placed: p}
	for i, at := range p.at {
		if i == 0 {
			m.Box = [4]float32{at.X, at.Y, at.X, at.Y}
		}
		m.Box = [4]float32{min(m.Box[0], at.X), min(m.Box[1], at.Y), max(m.Box[2], at.X), max(m.Box[3], at.Y)}
	}
	return m, nil
}

// placed returns the layout of a commit's snapshot.
func (o *Overview) placed(ctx context.Context, d *search.Domain, s *search.Snapshot, commit string) (*placed, error) {
	state := d.State()
	info, ok := state.Real(commit)
	if !ok {
		return nil, state.Missing(commit)
	}
	return search.Derive(ctx, s, mapKey, func(ctx context.Context) (*placed, error) {
		return o.place(ctx, d, state, info, s)
	})
}

// mapKey is what maps are kept under.
const mapKey = "map"

// mapStride is how many commits the maps of which are made one from the other before
// one is made from an earlier one: see predecessor.
const mapStride = 256

// predecessor returns the number of the commit whose map that of commit number depth
// goes on from, counted from the first of its history, which is 0: the one before it
// or, for every 256th, that of which the number has one bit less. So no map needs
// more than 256 others, and the logarithm of the history's length.
func predecessor(depth int) int {
	if depth%mapStride != 0 {
		return depth - 1
	}
	n := depth / mapStride
	return (n & (n - 1)) * mapStride
}

// place is placed where nothing is kept but every sixteenth map on the way.
func (o *Overview) place(ctx context.Context, d *search.Domain, state *catalog.State, info snapshot.Info, s *search.Snapshot) (*placed, error) {
	memory := s.Memory()
	// The commits behind, the newest first; where one is missing history begins.
	history := []snapshot.Info{info}
	for last := info; last.Base != ""; {
		base, ok := state.Real(last.Base)
		if !ok || base.Seq >= last.Seq {
			break
		}
		history = append(history, base)
		last = base
	}
	at := func(depth int) snapshot.Info { return history[len(history)-1-depth] }

	var way []int // to be made, the newest first
	var before *placed
	for depth := len(history) - 1; ; depth = predecessor(depth) {
		var ok bool
		if before, ok = search.Recall[*placed](memory.Of(at(depth)), mapKey); ok {
			break
		}
		way = append(way, depth)
		if depth == 0 {
			break
		}
	}
	for _, depth := range slices.Backward(way) {
		next, err := o.step(ctx, d, at(depth), before)
		if err != nil && depth < len(history)-1 && errors.Is(err, contract.ErrCorrupt) {
			continue // the next one goes on from the one before
		}
		if err != nil {
			return nil, err
		}
		if s.Memory() != memory {
			return next, nil // and placed again, with the damage known
		}
		before = next
		if depth%16 == 0 && depth < len(history)-1 {
			_, err := search.Remember(ctx, memory.Of(at(depth)), mapKey, func() (*placed, error) { return next, nil })
			if err != nil {
				return nil, err
			}
		}
	}
	return before, nil
}

// step places the documents of a commit, of which before, if there is one, says where
// others were before.
func (o *Overview) step(ctx context.Context, d *search.Domain, info snapshot.Info, before *placed) (*placed, error) {
	s, err := o.r.Open(ctx, d, info.Commit)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	p, others := vectorSetOf(s, nil)
	out := &placed{others: others, ids: make([]string, len(p.documents)), hashes: make([]uint64, len(p.documents))}
	nodes := make([]cluster.Node, len(p.documents))
	var fresh []uint32
	j := 0 // in before
	for i, e := range p.documents {
		out.hashes[i] = vectorHash(e)
		nodes[i].Key = p.keys[i]
		if before != nil {
			for j < len(before.ids) && before.ids[j] < e.ID {
				j++
			}
			if j < len(before.ids) && before.ids[j] == e.ID && before.hashes[j] == out.hashes[i] {
				out.ids[i] = before.ids[j]
				nodes[i].At, nodes[i].Known = before.at[j], true
				continue
			}
		}
		out.ids[i] = strings.Clone(e.ID) // not to hold the file's memory
		fresh = append(fresh, uint32(i))
	}
	out.news = len(fresh)
	if before != nil {
		out.settled, out.news = before.settled, out.news+before.news
	}
	if 2*out.news > len(nodes) {
		out.settled, out.news = len(nodes), 0
		fresh = fresh[:0]
		for i := range nodes {
			nodes[i].Known = false
			fresh = append(fresh, uint32(i))
		}
	}
	if len(fresh) == 0 {
		out.at = make([]cluster.Point, len(nodes))
		for i := range nodes {
			out.at[i] = nodes[i].At
		}
		return out, nil
	}
	var near [][]cluster.Neighbour
	if len(fresh) == len(nodes) {
		near, err = o.allNeighbours(ctx, p, "")
	} else {
		near, err = o.neighboursOf(ctx, p, fresh)
	}
	if err != nil {
		return nil, err
	}
	graph := cluster.NewGraph(len(nodes), func(v int) []cluster.Neighbour {
		if i, ok := slices.BinarySearch(fresh, uint32(v)); ok {
			return near[i]
		}
		return nil
	})
	if len(fresh) == len(nodes) {
		if err := p.load(ctx); err != nil {
			return nil, err
		}
	}
	out.at, err = cluster.Place(ctx, graph, nodes, p.rows)
	return out, err
}

// vectorHash returns a hash of what a document's vector is made of: its text, or the
// vector that came with it, by its place, which is given once.
func vectorHash(e *snapshot.Entry) uint64 {
	if e.Supplied() {
		return uint64(e.Chunks[0].Slot) + 1
	}
	return binary.LittleEndian.Uint64(e.TextHash[:])
}
