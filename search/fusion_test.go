package search

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// TestFusion holds the ranking of two lists against its definitions (wire contract
// §7.10), with documents of several chunks.
func TestFusion(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for n := range 300 {
		entries := make([]*snapshot.Entry, 1+rng.IntN(40))
		var byVector, byWords []scored // every chunk by both
		for i := range entries {
			entries[i] = &snapshot.Entry{ID: fmt.Sprintf("d%02d", rng.IntN(1000)*100+i)}
			for c := range 1 + rng.IntN(4) {
				d := float32(rng.IntN(20)) / 20
				byVector = append(byVector, scored{entry: entries[i], chunk: c, distance: d, score: 1 - 2*d, found: FoundVector})
				bm25 := float32(rng.IntN(12))
				byWords = append(byWords, scored{entry: entries[i], chunk: c, distance: 1 / (1 + bm25), score: bm25, found: FoundWords})
			}
		}
		list := func(all []scored) []scored {
			part := slices.DeleteFunc(slices.Clone(all), func(c scored) bool { return c.found == FoundWords && c.score == 0 })
			slices.SortFunc(part, compareChunks)
			return part[:rng.IntN(len(part)+1)]
		}
		same := func(c scored) func(scored) bool {
			return func(x scored) bool { return x.entry == c.entry && x.chunk == c.chunk }
		}
		of := func(all []scored, c scored) scored { return all[slices.IndexFunc(all, same(c))] }
		vector, words := list(byVector), list(byWords)
		scores := make([]float32, len(vector))
		for i, c := range vector {
			scores[i] = of(byWords, c).score
		}
		q := query{Rank: []Rank{RankScore, RankFused, RankDistance, ""}[n%4], weight: mainWeight, fixed: rng.IntN(2) == 0, cosines: rng.IntN(2) == 0, measure: MeasureOf(catalog.DefaultSettings)}
		found := unite(vector, words, scores)
		for i := range found[len(vector):] { // as Snapshot.measure does
			c := &found[len(vector)+i]
			c.distance = of(byVector, c.scored).distance
		}
		q.value(found, vector, words)
		got := documents(found, nil)

		weight := float32(0.6)
		if !q.fixed && len(words) > 0 {
			span, flat := float32(0.4), float32(0)
			if q.cosines {
				span = 0.2
				if len(vector) > 0 && vector[0].score > 0.7 {
					span += 2.5 * (vector[0].score - 0.7)
				}
			}
			if len(words) >= 5 {
				flat = words[4].score / words[0].score
			}
			weight = min(weight+span*(flat-0.5), 1)
		}
		var want []scored
		for i, c := range byVector {
			v, w := slices.IndexFunc(vector, same(c)), slices.IndexFunc(words, same(c))
			if v < 0 && w < 0 {
				continue
			}
			c.found = 0
			var ranks float32
			if v >= 0 {
				c.found, ranks = FoundVector, ranks+1/float32(61+v)
			}
			if w >= 0 {
				c.found, ranks = c.found|FoundWords, ranks+1/float32(61+w)
			}
			likeness := c.score
			switch q.Rank {
			case RankFused:
				c.score = ranks
			case RankDistance:
			default:
				c.score = 0
				if len(vector) > 0 && vector[0].score > 0 {
					c.score += weight * max(0, likeness) / vector[0].score
				}
				if len(words) > 0 {
					c.score += (1 - weight) * byWords[i].score / words[0].score
				}
			}
			want = append(want, c)
		}
		near := func(a, b float32) bool { return a-b < 1e-5 && b-a < 1e-5 }
		if len(vector) == 0 || vector[0].score <= 0 {
			continue // shares of what is not above 0 have a test of their own
		}
		best := map[*snapshot.Entry]scored{}
		for _, c := range want {
			old, ok := best[c.entry]
			if !ok || cmp.Or(cmp.Compare(old.score, c.score), cmp.Compare(c.distance, old.distance)) < 0 {
				best[c.entry] = c
			}
		}
		if len(got) != len(best) {
			t.Fatalf("seed %d: %d documents, want %d", seed, len(got), len(best))
		}
		for i, g := range got {
			w := best[g.entry]
			if !near(g.score, w.score) || g.chunk == w.chunk && (g.distance != w.distance || g.found != w.found) {
				t.Fatalf("seed %d, rank %q: got %+v, want %+v", seed, q.Rank, g, w)
			}
			if i > 0 && g.score > got[i-1].score {
				t.Fatalf("seed %d: %v stands behind %v", seed, g.score, got[i-1].score)
			}
		}
	}
}

// TestShare: likenesses may all be at or below 0.
func TestShare(t *testing.T) {
	for _, c := range []struct{ x, best, want float64 }{
		{2, 4, 0.5}, {4, 4, 1}, {-1, 4, 0}, {0, 0, 1}, {-3, 0, 0}, {-1, -1, 1}, {-4, -1, 0.25},
	} {
		if got := share(c.x, c.best); got != c.want {
			t.Errorf("share(%v, %v) = %v, want %v", c.x, c.best, got, c.want)
		}
	}
}

// TestWeightOfAQuery: the flatter the words' list, the more the vector counts, with the
// model inside by the more the nearer the nearest is, unless a weight was asked for.
func TestWeightOfAQuery(t *testing.T) {
	list := func(scores ...float32) (found []scored) {
		for _, s := range scores {
			found = append(found, scored{score: s})
		}
		return found
	}
	peak, even, flat := list(8, 1, 1, 1), list(8, 8, 7, 6, 4, 1), list(8, 8, 8, 8, 8)
	for _, c := range []struct {
		cosines bool
		nearest float32
		words   []scored
		want    float64
	}{
		{false, 0.9, nil, 0.6}, {false, 0.9, list(9), 0.4}, {false, 0.9, peak, 0.4}, {false, 0.9, even, 0.6}, {false, 0.9, flat, 0.8},
		{true, 0.9, nil, 0.6}, {true, 0.2, peak, 0.5}, {true, 0.7, flat, 0.7}, {true, 0.9, peak, 0.25}, {true, 0.9, even, 0.6},
		{true, 0.9, flat, 0.95}, {true, 1, flat, 1},
	} {
		q := query{weight: 0.6, cosines: c.cosines}
		if got := q.weightOf(list(c.nearest), c.words); got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("cosines %v, nearest %v, %d chunks by words: weight %v, want %v", c.cosines, c.nearest, len(c.words), got, c.want)
		}
		q.weight, q.fixed = 0.3, true
		if got := q.weightOf(list(c.nearest), c.words); got != 0.3 {
			t.Errorf("a weight that was asked for became %v", got)
		}
	}
	if got := (&query{weight: 0.6, cosines: true}).weightOf(nil, flat); got < 0.7-1e-6 || got > 0.7+1e-6 {
		t.Errorf("without a vector's list the weight is %v", got)
	}
}

// inside is a model of which it is known what its cosines say.
type inside struct{ contract.Embedder }

func (inside) Language() string { return textindex.English }

// TestWeigh: what a cosine says is known of the model inside alone, by whose language
// the weight goes, and of the vectors that it made.
func TestWeigh(t *testing.T) {
	half := float32(0.5)
	for _, c := range []struct {
		embedder contract.Embedder
		settings catalog.Settings
		asked    *float32
		want     query
	}{
		{inside{}, catalog.Settings{Language: "en"}, nil, query{weight: 0.6, cosines: true}},
		{inside{}, catalog.Settings{Language: "de"}, nil, query{weight: 0.5, cosines: true}},
		{inside{}, catalog.Settings{Language: "en", Metric: catalog.MetricL2}, nil, query{weight: 0.6}},
		{inside{}, catalog.Settings{Language: "de", Dim: 8}, nil, query{weight: 0.6}},
		{struct{ contract.Embedder }{}, catalog.Settings{Language: "de"}, nil, query{weight: 0.6}},
		{inside{}, catalog.Settings{Weight: 0.25}, nil, query{weight: 0.25, fixed: true, cosines: true}},
		{inside{}, catalog.Settings{Weight: 0.25}, &half, query{weight: 0.5, fixed: true, cosines: true}},
	} {
		var q query
		(&Reader{cfg: ReaderConfig{Embedder: c.embedder}}).weigh(&q, c.settings, c.asked)
		if q.weight != c.want.weight || q.fixed != c.want.fixed || q.cosines != c.want.cosines {
			t.Errorf("%T %+v: weight %v, fixed %v, cosines %v", c.embedder, c.settings, q.weight, q.fixed, q.cosines)
		}
	}
}
