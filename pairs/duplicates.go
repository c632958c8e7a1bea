package pairs

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// nearestPairs adds a page of the pairs within the bound to list, nearest first, then
// by ids, and returns how many there are, maxPairs at most: of each chunk of the set
// the nearest chunk of another document is looked at.
func (f *finder) nearestPairs(ctx context.Context, page pager, snippets bool, list *[]Pair) (total int, err error) {
	type member struct {
		entry *snapshot.Entry
		chunk int
	}
	var set []member
	for e := range f.s.view.All() {
		if f.inSet(e) {
			for i := range e.Chunks {
				set = append(set, member{e, i})
			}
		}
	}
	found := make([]pair, len(set))
	room := make([][]float32, f.r.Workers()) // by worker
	err = parallel.Do(ctx, len(room), len(set), func(ctx context.Context, worker, i int) (err error) {
		if room[worker] == nil {
			room[worker] = make([]float32, f.s.view.Header().Dim)
		}
		found[i], err = f.nearest(ctx, set[i].entry, set[i].chunk, room[worker])
		return err
	})
	if err != nil {
		return 0, err
	}
	found = slices.DeleteFunc(found, func(p pair) bool { return p.a == nil || p.distance > f.bound })
	slices.SortStableFunc(found, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.a.ID, b.a.ID), cmp.Compare(a.b.ID, b.b.ID), cmp.Compare(a.distance, b.distance))
	})
	found = slices.CompactFunc(found, func(a, b pair) bool { return a.a == b.a && a.b == b.b })
	if found, err = f.addDecided(found); err != nil {
		return 0, err
	}
	slices.SortFunc(found, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.a.ID, b.a.ID), cmp.Compare(a.b.ID, b.b.ID))
	})
	found = found[:min(len(found), maxPairs)]
	for _, p := range found {
		wanted, more := page.next()
		if wanted {
			out, err := f.told(p, snippets)
			if err != nil {
				return 0, err
			}
			*list = append(*list, out)
		}
		if !more {
			break
		}
	}
	return len(found), nil
}

// nearest returns the pair of a document's chunk and the nearest chunk of another
// document; the zero pair if there is none. v is room for a vector.
func (f *finder) nearest(ctx context.Context, e *snapshot.Entry, chunk int, v []float32) (pair, error) {
	slot := e.Chunks[chunk].Slot
	if ok, err := f.s.QueryVector(slot, v); !ok {
		return pair{}, err
	}
	if f.s.view.Unreadable(slot) { // near to nothing but itself
		return f.best(e, chunk, []hnsw.Hit{{Slot: slot, Dot: 1}})
	}
	// A document's own chunks, and pairs that were there before, must not
	// hide others: look further as long as only they are found.
	last := f.s.Last(nil)
	for k := 4 + len(e.Chunks); ; k *= 2 {
		hits, err := f.r.Slots(ctx, f.s.Snapshot, v, f.target, k, 0, last)
		if err != nil {
			return pair{}, err
		}
		if last != nil {
			hits = slices.DeleteFunc(hits, func(h hnsw.Hit) bool { return last(h.Slot) })
		}
		best, err := f.best(e, chunk, hits)
		if best.a != nil || err != nil || len(hits) < k || f.beyond(f.measure.Distance(hits[len(hits)-1].Dot)) {
			return best, err
		}
	}
}

// beyond reports whether vectors at that distance, and all that are further,
// can make no pair.
func (f *finder) beyond(distance float32) bool { return distance > f.bound+f.measure.Slack() }

// best returns the nearest of the pairs of a document's chunk and hits, the lower id
// first.
func (f *finder) best(a *snapshot.Entry, chunk int, hits []hnsw.Hit) (best pair, err error) {
	for _, h := range hits {
		d := f.measure.Distance(h.Dot)
		if best.a != nil && d > best.distance || f.beyond(d) {
			break
		}
		for e, at := range f.s.view.Holders(h.Slot) {
			if e.ID == a.ID || !f.target.Admits(e) {
				continue
			}
			p := pair{a: a, chunkA: chunk, b: e, chunkB: at, distance: f.measure.OfEntries(e, a, d)}
			if best.a != nil && (p.distance > best.distance || p.distance == best.distance && e.ID > best.b.ID) {
				continue
			}
			if ok, err := f.counts(&p); err != nil {
				return pair{}, err
			} else if ok {
				best = p
			}
		}
	}
	if best.a != nil && best.b.ID < best.a.ID {
		best = pair{a: best.b, chunkA: best.chunkB, b: best.a, chunkB: best.chunkA, distance: best.distance}
	}
	return best, nil
}

// changed reports whether the snapshot does not have the document of e, or has
// it with another text, or another vector where it came with one.
func (s *opened) changed(e *snapshot.Entry) bool {
	old, ok := s.view.Lookup(e.ID)
	return !ok || !search.Identical(old, e)
}

// paired reports whether the snapshot has both documents, within the threshold
// of each other by their nearest chunks.
func (s *opened) paired(a, b string, threshold float32) (bool, error) {
	ea, okA := s.view.Lookup(a)
	eb, okB := s.view.Lookup(b)
	if !okA || !okB {
		return false, nil
	}
	d, err := s.distance(ea, eb)
	return d <= threshold, err
}

// distance returns that of two documents by their nearest chunks, as far as the model
// can read them; infinity where it cannot be measured.
func (s *opened) distance(a, b *snapshot.Entry) (float32, error) {
	least := float32(math.Inf(1))
	if s.measure.Zero() && search.Identical(a, b) {
		return 0, nil
	}
	if s.vecs == nil {
		return least, nil
	}
	x, y := make([]float32, s.vecs.Dim()), make([]float32, s.vecs.Dim())
	for _, from := range a.Chunks {
		if ok, err := s.QueryVector(from.Slot, x); err != nil {
			return 0, err
		} else if !ok {
			continue
		}
		for k, to := range b.Chunks {
			if !s.comparable(a, b, from.Slot, to.Slot) {
				continue
			}
			if ok, err := s.QueryVector(to.Slot, y); err != nil {
				return 0, err
			} else if !ok {
				continue
			}
			d := s.measure.OfEntries(a, b, s.measure.Between(x, y))
			if d >= least {
				continue
			}
			if blind, err := s.blind(a, b, k, d); err != nil {
				return 0, err
			} else if !blind {
				least = d
			}
		}
	}
	return least, nil
}
