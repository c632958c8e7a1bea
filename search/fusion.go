package search

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Hybrid search unites what a query's vector and its words find, and measures all
// of it by both. A chunk's score is by default
//
//	w · likeness / best likeness + (1−w) · BM25 / best BM25
//
// With RankFused it is that of Cormack, Clarke and Büttcher (2009): the sum over
// the lists of 1/(fusionK + rank), rank from 1.
const (
	listDepth   = 100  // length of the lists, where scores rank
	fusionDepth = 1000 // least length of the lists, where ranks or distances do
	fusionK     = 60

	// mainWeight is that of the vector in a domain of the model's language,
	// strangeWeight that in another.
	mainWeight    = 0.6
	strangeWeight = 0.5
	// A query's own weight is higher by as much as half of a span where its words
	// find many chunks as good as the best, and lower by as much where they find
	// few: the score at rank peakRank, as a share of the best, tells. With the model
	// inside, of which it is known what a cosine says, the span is nearSpan and the
	// wider the nearer the nearest chunk is, from nearFrom on: vectors have something
	// to say then.
	weightSpan = 0.4
	nearSpan   = 0.2
	nearFrom   = 0.7
	nearSlope  = 2.5
	peakRank   = 5
)

// candidate is a chunk that one of the lists has, measured by both.
type candidate struct {
	scored
	words float32 // BM25
	ranks float64 // sum of 1/(fusionK + rank)
	value float64 // of which the greatest is the best
}

// searchHybrid ranks what the query's vector and its words find. Where a page lies
// behind what the lists have, what is new in lists of twice the length ranks behind
// all that they had, so that pages fit together.
func (r *Reader) searchHybrid(ctx context.Context, s *Snapshot, q query) ([]Hit, error) {
	need := q.Page.Start + q.Page.Count
	depth := listDepth
	if q.Rank == RankFused || q.Rank == RankDistance {
		depth = max(fusionDepth, 3*need)
	}
	var ranked []scored
	seen := make(map[*snapshot.Entry]struct{})
	for ; ; depth *= 2 {
		found, whole, err := r.candidates(ctx, s, q, depth)
		if err != nil {
			return nil, err
		}
		for _, d := range documents(found, seen) {
			seen[d.entry] = struct{}{}
			ranked = append(ranked, d)
		}
		if len(ranked) >= need || whole {
			return s.page(ctx, ranked, q)
		}
	}
}

// candidates returns what lists of that depth have, measured and valued. It reports
// whether longer ones would have no more of interest.
func (r *Reader) candidates(ctx context.Context, s *Snapshot, q query, depth int) (found []candidate, whole bool, err error) {
	among, err := r.conditions(ctx, s, q)
	if err != nil {
		return nil, false, err
	}
	byVector, err := r.vectorChunks(ctx, s, q, among, depth)
	if err != nil {
		return nil, false, err
	}
	byWords, scores, err := r.textChunks(ctx, s, q.words, q.among, depth, byVector...)
	if err != nil {
		return nil, false, err
	}
	found = unite(byVector, byWords, scores)
	if err := s.measure(ctx, q, found[len(byVector):]); err != nil {
		return nil, false, err
	}
	q.value(found, byVector, byWords)
	// What lies behind the last of interest is of none, whoever finds it.
	n := len(byVector)
	whole = n < depth && len(byWords) < depth || n > 0 && q.beyond(byVector[n-1].distance)
	return slices.DeleteFunc(found, func(c candidate) bool { return q.beyond(c.distance) }), whole || q.Rank != "" && q.Rank != RankScore, nil
}

// vectorChunks returns the k chunks of a selection that are nearest to the query's
// vector.
func (r *Reader) vectorChunks(ctx context.Context, s *Snapshot, q query, among *Selection, k int) ([]scored, error) {
	hits, err := r.Slots(ctx, s, q.vectors[0], among, k, q.Ef, q.last)
	if err != nil {
		return nil, err
	}
	var out []scored
	for _, h := range hits {
		for e, chunk := range s.view.Holders(h.Slot) {
			if among.Admits(e) {
				out = append(out, q.scored(e, chunk, h.Dot))
			}
		}
	}
	slices.SortFunc(out, compareChunks)
	return out[:min(k, len(out))], nil
}

// unite returns the chunks of two lists, those of the first before the others. The
// scores are those that words give to chunks of the first list.
func unite(byVector, byWords []scored, scores []float32) []candidate {
	type key struct {
		entry *snapshot.Entry
		chunk int
	}
	all := make([]candidate, 0, len(byVector)+len(byWords))
	at := make(map[key]int, len(byVector)+len(byWords))
	for i, c := range byVector {
		at[key{c.entry, c.chunk}] = i
		all = append(all, candidate{scored: c, words: scores[i], ranks: 1 / float64(fusionK+i+1)})
	}
	for i, c := range byWords {
		rank := 1 / float64(fusionK+i+1)
		n, ok := at[key{c.entry, c.chunk}]
		if !ok {
			all = append(all, candidate{scored: c, words: c.score, ranks: rank})
			continue
		}
		all[n].found |= FoundWords
		all[n].matched = c.matched
		all[n].ranks += rank
	}
	return all
}

// measure sets the distances of chunks that only words found. One whose vector is
// damaged is as far as can be.
func (s *Snapshot) measure(ctx context.Context, q query, found []candidate) error {
	if len(found) == 0 {
		return nil
	}
	slots := make([]uint32, len(found))
	for i := range found {
		slots[i] = found[i].entry.Chunks[found[i].chunk].Slot
	}
	dots := make([]float32, len(slots))
	if err := s.Vectors().Dots(q.vectors[0], slots, dots); err != nil {
		return catalog.StoreError(err)
	}
	for i := range found {
		c := &found[i]
		c.distance = q.measure.farthest()
		if dots[i] == dots[i] {
			c.distance = q.scored(c.entry, c.chunk, dots[i]).distance
		}
	}
	return context.Cause(ctx)
}

// value sets the values of candidates by how the query ranks.
func (q *query) value(found []candidate, byVector, byWords []scored) {
	var nearest, most float64
	if len(byVector) > 0 {
		nearest = float64(byVector[0].score)
	}
	if len(byWords) > 0 {
		most = float64(byWords[0].score)
	}
	weight := q.weightOf(byVector, byWords)
	for i := range found {
		c := &found[i]
		likeness := float64(q.measure.likeness(c.distance))
		switch q.Rank {
		case RankFused:
			c.value = c.ranks
		case RankDistance:
			c.value = likeness
		default:
			v, w := share(likeness, nearest), 0.0
			if most > 0 {
				w = share(float64(c.words), most)
			}
			c.value = weight*v + (1-weight)*w
			if q.Explain {
				c.explained = &Explanation{
					Weight: float32(weight), Likeness: float32(likeness), BestLikeness: float32(nearest),
					Words: c.words, BestWords: float32(most),
				}
			}
		}
		c.score = float32(c.value)
	}
}

// weightOf returns the vector's share where the words find a list.
func (q *query) weightOf(byVector, byWords []scored) float64 {
	if q.fixed || len(byWords) == 0 {
		return q.weight
	}
	flat := 0.0
	if len(byWords) >= peakRank {
		flat = share(float64(byWords[peakRank-1].score), float64(byWords[0].score))
	}
	span := weightSpan
	if q.cosines {
		span = nearSpan
		if len(byVector) > 0 {
			span += nearSlope * max(float64(byVector[0].score)-nearFrom, 0)
		}
	}
	return min(q.weight+span*(flat-0.5), 1)
}

// share returns what part x is of the best, from 0 to 1. Inner products may all be
// below 0.
func share(x, best float64) float64 {
	switch {
	case x >= best:
		return 1
	case best > 0:
		return max(x, 0) / best
	case best < 0:
		return best / x
	}
	return 0
}

// documents returns the documents of chunks, best first, but for those that were
// seen. Each is as good as its best chunk.
func documents(found []candidate, seen map[*snapshot.Entry]struct{}) []scored {
	order := func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.distance, b.distance))
	}
	best := make(map[*snapshot.Entry]*candidate, len(found))
	for i := range found {
		c := &found[i]
		if _, ok := seen[c.entry]; ok {
			continue
		}
		if old := best[c.entry]; old == nil || cmp.Or(order(c, old), c.chunk-old.chunk) < 0 {
			best[c.entry] = c
		}
	}
	ranked := slices.SortedFunc(maps.Values(best), func(a, b *candidate) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return strings.Compare(a.entry.ID, b.entry.ID)
	})
	out := make([]scored, len(ranked))
	for i, c := range ranked {
		out[i] = c.scored
	}
	return out
}

// weigh sets the vector's share of scores: that which was asked for, be it by the
// request or by the domain's settings, or what that of each query differs from.
func (r *Reader) weigh(q *query, s catalog.Settings, asked *float32) {
	model, inside := r.cfg.Embedder.(interface{ Language() string })
	inside = inside && s.Dim == 0
	q.cosines = inside && s.Metric != catalog.MetricL2
	switch {
	case asked != nil:
		q.weight, q.fixed = float64(*asked), true
	case s.Weight > 0:
		q.weight, q.fixed = float64(s.Weight), true
	case inside && model.Language() != s.Language:
		q.weight = strangeWeight
	default:
		q.weight = mainWeight
	}
}
