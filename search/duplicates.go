package search

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
)

const (
	// maxHeavy is the number of duplicates and candidates requests that run at
	// once.
	maxHeavy = 4
	// maxPairs is the number of nearest pairs kept before paging.
	maxPairs = 10_000
)

// Duplicates finds, for each chunk of the set, its nearest chunk of another
// document, keeps those within the threshold, and reduces them to pairs of
// documents: nearest first, then by ids.
func (r *Reader) Duplicates(ctx context.Context, req DuplicatesRequest) (Pairs, error) {
	if err := req.check(); err != nil {
		return Pairs{}, err
	}
	d, commit, s, err := r.serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Pairs{}, err
	}
	defer s.Release()
	var since *Snapshot
	if req.Since != "" {
		base, err := r.Open(ctx, d, req.Since)
		if err != nil {
			return Pairs{}, fmt.Errorf("since: %w", err)
		}
		defer base.Release()
		since = base
	}
	done, err := r.heavyTurn(ctx)
	if err != nil {
		return Pairs{}, err
	}
	defer done()
	v, applied, err := d.verdicts(commit, req.Decided, req.Pairing.Likeness != "")
	if err != nil {
		return Pairs{}, err
	}
	if req.Pairing.Likeness != "" {
		found, err := r.alike(ctx, commit, s, since, v, req)
		found.Decisions = applied
		return found, err
	}
	pairs, err := r.pairs(ctx, s, since, v, req, replaced(req.Ref, commit))
	if err != nil {
		return Pairs{}, err
	}
	var warnings []string
	if len(pairs) == maxPairs {
		warnings = append(warnings, fmt.Sprintf("no more than the nearest %d pairs are listed; lines have all (Accept: application/x-ndjson)", maxPairs))
	}
	pairs = pairs[min(req.Page.Start, len(pairs)):]
	if req.Page.Count > 0 {
		pairs = pairs[:min(req.Page.Count, len(pairs))]
	}
	out := Pairs{Commit: commit, Pairs: make([]Pair, len(pairs)), Damaged: s.Damaged(), Decisions: applied, Warnings: warnings}
	for i, p := range pairs {
		if out.Pairs[i], err = s.pairOf(p, req.Snippet); err != nil {
			return Pairs{}, err
		}
		out.Pairs[i].Decided = v.of(p.a.ID, p.b.ID)
	}
	return out, nil
}

func (req *DuplicatesRequest) check() error {
	if t := float64(req.Threshold); math.IsNaN(t) || math.IsInf(t, 0) || t < 0 && req.Pairing.Likeness == "" {
		return fmt.Errorf("%w: threshold must be a finite number, 0 or more", contract.ErrInvalid)
	}
	if err := req.Pairing.check(); err != nil {
		return err
	}
	if req.Page.Count != 0 || req.Page.Start != 0 {
		return checkPage(Page{req.Page.Start, max(req.Page.Count, 1)})
	}
	return nil
}

func (s *Snapshot) pairOf(p pair, snippets bool) (Pair, error) {
	out := Pair{A: PairMember{ID: p.a.ID}, B: PairMember{ID: p.b.ID}, Distance: p.distance}
	if !snippets {
		return out, nil
	}
	var err error
	if out.A.Snippet, err = s.chunkText(p.a, p.chunkA); err != nil {
		return Pair{}, err
	}
	if out.B.Snippet, err = s.chunkText(p.b, p.chunkB); err != nil {
		return Pair{}, err
	}
	return out, nil
}

// pair is two documents and the chunks by which they are near; the zero pair is
// none.
type pair struct {
	a, b           *snapshot.Entry // a.ID < b.ID
	chunkA, chunkB int
	distance       float32
}

// member is a chunk of the set.
type member struct {
	entry *snapshot.Entry
	chunk int
}

func (r *Reader) pairs(ctx context.Context, s, since *Snapshot, v *verdicts, req DuplicatesRequest, standIn bool) ([]pair, error) {
	from, err := s.selection(ctx, req.Set, standIn)
	if err != nil {
		return nil, err
	}
	target := from
	if !req.Target.empty() {
		if target, err = s.selection(ctx, req.Target, standIn); err != nil {
			return nil, err
		}
	}
	p := partners{r: r, s: s, measure: measureOf(s.settings), since: since, target: target, verdicts: v, threshold: req.Threshold}
	var set []member
	for e := range s.view.All() {
		if !from.admits(e) || since != nil && !since.changed(e) {
			continue
		}
		for i := range e.Chunks {
			set = append(set, member{e, i})
		}
	}
	found := make([]pair, len(set))
	room := make([][]float32, max(r.cfg.Workers, 1)) // by worker
	err = parallel.Do(ctx, len(room), len(set), func(ctx context.Context, worker, i int) (err error) {
		if room[worker] == nil {
			room[worker] = make([]float32, s.view.Header().Dim)
		}
		found[i], err = p.nearest(ctx, set[i], room[worker])
		return err
	})
	if err != nil {
		return nil, err
	}
	pairs, err := s.addDecided(reduce(found, req.Threshold), v, since, from, target)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.a.ID, b.a.ID), cmp.Compare(a.b.ID, b.b.ID))
	})
	return pairs[:min(len(pairs), maxPairs)], nil
}

// partners looks for partners of a set's chunks. It is used by many goroutines.
type partners struct {
	r         *Reader
	s         *Snapshot
	measure   measure
	since     *Snapshot // nil: every pair counts
	target    *selection
	verdicts  *verdicts
	threshold float32
}

// nearest finds the chunk of another document nearest to m's; no
// pair when there is none. v is room for a vector.
func (p *partners) nearest(ctx context.Context, m member, v []float32) (pair, error) {
	slot := m.entry.Chunks[m.chunk].Slot
	if ok, err := p.s.queryVector(slot, v); !ok {
		return pair{}, err
	}
	// A document's own chunks, and pairs that were there before, must not
	// hide others: look further as long as only they are found.
	if p.s.view.Unreadable(slot) { // near to nothing but itself
		best, _, err := p.best(m, []hnsw.Hit{{Slot: slot, Dot: 1}})
		return best, err
	}
	last := p.s.last(nil)
	for k := 4 + len(m.entry.Chunks); ; k *= 2 {
		hits, err := p.r.slots(ctx, p.s, v, p.target, k, 0, last)
		if err != nil {
			return pair{}, err
		}
		if last != nil {
			hits = slices.DeleteFunc(hits, func(h hnsw.Hit) bool { return last(h.Slot) })
		}
		best, ok, err := p.best(m, hits)
		if ok || err != nil || len(hits) < k || p.beyond(p.measure.distance(hits[len(hits)-1].Dot)) {
			return best, err
		}
	}
}

// beyond reports whether vectors at that distance, and all that are further,
// can make no pair.
func (p *partners) beyond(distance float32) bool { return distance > p.threshold+p.measure.slack() }

func (p *partners) best(m member, hits []hnsw.Hit) (pair, bool, error) {
	var best scored
	for _, h := range hits {
		d := p.measure.distance(h.Dot)
		if best.entry != nil && d > best.distance || p.beyond(d) {
			break
		}
		for e, chunk := range p.s.view.Holders(h.Slot) {
			if e.ID == m.entry.ID || !p.target.admits(e) || p.verdicts.of(e.ID, m.entry.ID) == catalog.DecidedDifferent {
				continue
			}
			de := p.measure.ofEntries(e, m.entry, d)
			if best.entry != nil && (de > best.distance || de == best.distance && e.ID > best.entry.ID) {
				continue
			}
			if p.since != nil {
				if old, err := p.since.paired(m.entry.ID, e.ID, p.threshold); err != nil {
					return pair{}, false, err
				} else if old {
					continue
				}
			}
			best = scored{entry: e, chunk: chunk, distance: de}
		}
	}
	if best.entry == nil {
		return pair{}, false, nil
	}
	q := pair{a: m.entry, chunkA: m.chunk, b: best.entry, chunkB: best.chunk, distance: best.distance}
	if q.b.ID < q.a.ID {
		q.a, q.b, q.chunkA, q.chunkB = q.b, q.a, q.chunkB, q.chunkA
	}
	return q, true, nil
}

// changed reports whether the snapshot does not have the document of e, or has
// it with another text, or another vector where it came with one.
func (s *Snapshot) changed(e *snapshot.Entry) bool {
	old, ok := s.view.Lookup(e.ID)
	return !ok || !identical(old, e)
}

// paired reports whether the snapshot has both documents, within the threshold
// of each other by their nearest chunks.
func (s *Snapshot) paired(a, b string, threshold float32) (bool, error) {
	ea, okA := s.view.Lookup(a)
	eb, okB := s.view.Lookup(b)
	if !okA || !okB {
		return false, nil
	}
	m := measureOf(s.settings)
	if m.zero() && identical(ea, eb) {
		return true, nil
	}
	if s.Unreadable(ea) || s.Unreadable(eb) {
		return false, nil
	}
	va, err := s.chunkVectors(ea)
	if err != nil {
		return false, err
	}
	vb, err := s.chunkVectors(eb)
	if err != nil {
		return false, err
	}
	for _, x := range va {
		for _, y := range vb {
			if m.ofEntries(ea, eb, m.between(x, y)) <= threshold {
				return true, nil
			}
		}
	}
	return false, nil
}

// chunkVectors reads the vectors of a document's chunks, those that are damaged
// left out, and those that the model cannot read where it can read another.
func (s *Snapshot) chunkVectors(e *snapshot.Entry) ([][]float32, error) {
	vectors, all := make([][]float32, 0, len(e.Chunks)), s.Unreadable(e)
	for _, c := range e.Chunks {
		if !all && s.view.Unreadable(c.Slot) {
			continue
		}
		v := make([]float32, s.vecs.Dim())
		if ok, err := s.queryVector(c.Slot, v); err != nil {
			return nil, err
		} else if ok {
			vectors = append(vectors, v)
		}
	}
	return vectors, nil
}

// reduce keeps the smallest distance of each pair of documents within the
// threshold.
func reduce(found []pair, threshold float32) []pair {
	type ids struct{ a, b string }
	at := make(map[ids]int)
	var pairs []pair
	for _, p := range found {
		if p.a == nil || p.distance > threshold {
			continue
		}
		key := ids{p.a.ID, p.b.ID}
		if i, ok := at[key]; ok {
			if p.distance < pairs[i].distance {
				pairs[i] = p
			}
			continue
		}
		at[key] = len(pairs)
		pairs = append(pairs, p)
	}
	return pairs
}
