package indexer

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

const (
	// maxHeavy is the number of duplicates requests that run at once.
	maxHeavy = 4
	// MaxDuplicateChunks bounds the chunks of a duplicates request's set:
	// beyond it the request is refused whole, never answered in part.
	MaxDuplicateChunks = 50_000
	// maxPairs is the number of nearest pairs kept before paging.
	maxPairs = 10_000
)

// Duplicates finds, for each chunk of the set, its nearest chunk of another
// document, keeps those within the threshold, and reduces them to pairs of
// documents: nearest first, then by ids.
func (ix *Indexer) Duplicates(ctx context.Context, req DuplicatesRequest) (Pairs, error) {
	if t := float64(req.Threshold); math.IsNaN(t) || math.IsInf(t, 0) || t < 0 {
		return Pairs{}, fmt.Errorf("%w: threshold must be a finite number, 0 or more", ErrInvalid)
	}
	if req.Page.Count != 0 || req.Page.Start != 0 {
		if err := checkPage(Page{req.Page.Start, max(req.Page.Count, 1)}); err != nil {
			return Pairs{}, err
		}
	}
	_, commit, lease, err := ix.serve(req.Domain, req.Ref)
	if err != nil {
		return Pairs{}, err
	}
	defer lease.release()
	s := lease.res.(*openSnapshot)
	select {
	case ix.heavy <- struct{}{}:
		defer func() { <-ix.heavy }()
	case <-ctx.Done():
		return Pairs{}, context.Cause(ctx)
	}
	pairs, err := ix.pairs(ctx, s, req)
	if err != nil {
		return Pairs{}, err
	}
	pairs = pairs[min(req.Page.Start, len(pairs)):]
	if req.Page.Count > 0 {
		pairs = pairs[:min(req.Page.Count, len(pairs))]
	}
	out := Pairs{Commit: commit, Pairs: make([]Pair, len(pairs))}
	for i, p := range pairs {
		out.Pairs[i] = Pair{A: PairMember{ID: p.a.ID}, B: PairMember{ID: p.b.ID}, Distance: p.distance}
		if !req.Snippet {
			continue
		}
		if out.Pairs[i].A.Snippet, err = s.chunkText(p.a, p.chunkA); err != nil {
			return Pairs{}, err
		}
		if out.Pairs[i].B.Snippet, err = s.chunkText(p.b, p.chunkB); err != nil {
			return Pairs{}, err
		}
	}
	return out, nil
}

// pair is two documents and the chunks by which they are near.
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

func (ix *Indexer) pairs(ctx context.Context, s *openSnapshot, req DuplicatesRequest) ([]pair, error) {
	target := req.Target
	if target.empty() {
		target = req.Set
	}
	var set []member
	for e := range s.view.All() {
		if !req.Set.admits(e) {
			continue
		}
		for i := range e.Chunks {
			set = append(set, member{e, i})
		}
		if len(set) > MaxDuplicateChunks {
			return nil, fmt.Errorf("%w: the set holds more than %d chunks; narrow it by doc_type or doc_id", ErrInvalid, MaxDuplicateChunks)
		}
	}
	within := s.filtered(target)
	found := make([]pair, len(set)) // distance < 0: none
	group, ctx := errgroup.WithContext(ctx)
	workers := max(ix.cfg.Workers, 1)
	for w := range workers {
		group.Go(func() error {
			v := make([]float32, s.view.Header().Dim)
			for i := w; i < len(set); i += workers {
				var err error
				if found[i], err = ix.partner(ctx, s, set[i], target, within, v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return reduce(found, req.Threshold), nil
}

// partner finds the chunk of another document nearest to m's; the pair's
// distance is negative when there is none.
func (ix *Indexer) partner(ctx context.Context, s *openSnapshot, m member, target Filter, within []uint32, v []float32) (pair, error) {
	slot := m.entry.Chunks[m.chunk].Slot
	if err := s.vecs.Read(slot, v); err != nil {
		return pair{}, storeError(err)
	}
	// A document's own chunks must not hide others: look further as long as
	// only they are found.
	for k := 4 + len(m.entry.Chunks); ; k *= 2 {
		hits, err := ix.slots(ctx, s, v, within, k, 0)
		if err != nil {
			return pair{}, err
		}
		best, ok := bestPartner(s, m, target, hits)
		if ok || len(hits) < k {
			return best, nil
		}
	}
}

func bestPartner(s *openSnapshot, m member, target Filter, hits []hnsw.Hit) (pair, bool) {
	best := scored{distance: 2}
	for _, h := range hits {
		d := vector.Distance(h.Dot)
		if best.entry != nil && d > best.distance {
			break
		}
		for e, chunk := range s.view.Holders(h.Slot) {
			if e.ID == m.entry.ID || !target.admits(e) {
				continue
			}
			de := max(d, minDistance)
			if e.TextHash == m.entry.TextHash {
				de = 0
			}
			if best.entry == nil || de < best.distance || de == best.distance && e.ID < best.entry.ID {
				best = scored{e, chunk, de}
			}
		}
	}
	if best.entry == nil {
		return pair{distance: -1}, false
	}
	p := pair{a: m.entry, chunkA: m.chunk, b: best.entry, chunkB: best.chunk, distance: best.distance}
	if p.b.ID < p.a.ID {
		p.a, p.b, p.chunkA, p.chunkB = p.b, p.a, p.chunkB, p.chunkA
	}
	return p, true
}

// reduce keeps the smallest distance of each pair of documents within the
// threshold, orders the pairs, and cuts them to the number that is kept.
func reduce(found []pair, threshold float32) []pair {
	type ids struct{ a, b string }
	at := make(map[ids]int)
	var pairs []pair
	for _, p := range found {
		if p.distance < 0 || p.distance > threshold {
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
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.a.ID, b.a.ID), cmp.Compare(a.b.ID, b.b.ID))
	})
	return pairs[:min(len(pairs), maxPairs)]
}
