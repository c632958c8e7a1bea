package indexer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// near returns all pairs of a request.
func (h *harness) near(req pairs.DuplicatesRequest) ([]pairs.Pair, error) {
	var found []pairs.Pair
	req.Domain = domain
	err := pairs.New(h.Reader).NearPairs(h.t.Context(), req, func(all *pairs.NearPairs) error {
		for p, err := range all.Pairs {
			if err != nil {
				return err
			}
			found = append(found, p)
		}
		return nil
	})
	return found, err
}

// nearCorpus has n documents of one to three chunks, some of one text and many
// alike.
func nearCorpus(rng *rand.Rand, n int) map[string]string {
	words := strings.Fields("red green blue apple pear plum old young man sea ship sail north south")
	docs := make(map[string]string)
	texts := []string{""}
	for i := range n {
		some := make([]string, 4+rng.IntN(8))
		for k := range some {
			some[k] = words[rng.IntN(len(words))]
		}
		text := strings.Join(some, " ")
		switch other := texts[rng.IntN(len(texts))]; rng.IntN(8) {
		case 0:
			text = other // the same
		case 1, 2:
			text = other + " " + some[0] // nearly so
		}
		texts = append(texts, text)
		docs[fmt.Sprintf("d/%c/%03d", 'A'+rng.IntN(3), i)] = text
	}
	return docs
}

// TestNearPairs holds all pairs against brute force: over more rows and columns
// than are worked on at once, with filters and without, and with a threshold
// that only equal texts are within.
func TestNearPairs(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	texts := nearCorpus(rng, 240)
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: texts})
	emb := &indexertest.Embedder{Window: 3}
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "")

	vectors := make(map[string][][]float32)
	for id, text := range texts {
		chunks, _ := emb.Split(text)
		for _, c := range chunks {
			vectors[id] = append(vectors[id], indexertest.Vector(text[c.Start:c.End], 32))
		}
	}
	distance := func(a, b string) float32 {
		if texts[a] == texts[b] {
			return 0
		}
		least := float32(1)
		for _, x := range vectors[a] {
			for _, y := range vectors[b] {
				least = min(least, max(vector.Distance(vector.Dot(x, y)), 1e-7))
			}
		}
		return least
	}
	ids := slices.Sorted(maps.Keys(texts))
	distances := make([]float32, len(ids)*len(ids))
	for i, a := range ids {
		for j, b := range ids {
			if distances[i*len(ids)+j] = distances[j*len(ids)+i]; i <= j {
				distances[i*len(ids)+j] = distance(a, b)
			}
		}
	}
	of := func(id string, f search.Filter) bool {
		return len(f.Types) == 0 || slices.Contains(f.Types, strings.Split(id, "/")[1])
	}
	ab, bc := search.Filter{Types: []string{"A", "B"}}, search.Filter{Types: []string{"B", "C"}}
	for _, c := range []struct {
		threshold   float32
		set, target search.Filter
		page        search.Page
	}{
		{threshold: 0},
		{threshold: 0.05},
		{threshold: 0.3},
		{threshold: 1},
		{threshold: 0.1, set: ab},
		{threshold: 0.1, set: ab, target: bc},
		{threshold: 0, set: bc, target: ab},
		{threshold: 0.1, set: ab, target: bc, page: search.Page{Start: 3, Count: 20}},
		{threshold: 0.1, page: search.Page{Count: 1}},
	} {
		target := c.target
		if len(target.Types) == 0 {
			target = c.set
		}
		var want []pairs.Pair
		for i, a := range ids {
			from := len(want)
			for j, b := range ids {
				inBoth := func(id string) bool { return of(id, c.set) && of(id, target) }
				if a == b || !of(a, c.set) || !of(b, target) || inBoth(a) && inBoth(b) && b < a {
					continue
				}
				if d := distances[i*len(ids)+j]; d <= c.threshold {
					want = append(want, pairs.Pair{A: pairs.PairMember{ID: a}, B: pairs.PairMember{ID: b}, Distance: d})
				}
			}
			slices.SortStableFunc(want[from:], func(a, b pairs.Pair) int { return cmp.Compare(a.Distance, b.Distance) })
		}
		for i := range want {
			if want[i].B.ID < want[i].A.ID {
				want[i].A, want[i].B = want[i].B, want[i].A
			}
		}
		want = want[min(c.page.Start, len(want)):]
		if c.page.Count > 0 {
			want = want[:min(c.page.Count, len(want))]
		}
		got, err := h.near(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c1"}, Threshold: c.threshold, Set: c.set, Target: c.target, Page: c.page})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("within %g, %v against %v, %v: %d pairs (%v), want %d", c.threshold, c.set.Types, c.target.Types, c.page, len(got), err, len(want))
		}
	}
}

// TestNearPairsSince: the pairs that a commit brought are those that it has and
// the other has not.
func TestNearPairsSince(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	texts := nearCorpus(rng, 120)
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: texts})
	change := indexertest.Change{Put: make(map[string]string)}
	for id, text := range nearCorpus(rng, 150) {
		if rng.IntN(4) == 0 {
			change.Put[id] = text
		}
	}
	src.Commit("main", "c2", change)
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "")
	h.mustIndex("c2", "")
	type ids struct{ a, b string }
	found := func(commit, since string, threshold float32) map[ids]bool {
		got, err := h.near(pairs.DuplicatesRequest{Ref: search.Ref{Commit: commit}, Since: since, Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		m := make(map[ids]bool)
		for _, p := range got {
			if m[ids{p.A.ID, p.B.ID}] {
				t.Errorf("%s and %s come twice", p.A.ID, p.B.ID)
			}
			m[ids{p.A.ID, p.B.ID}] = true
		}
		return m
	}
	for _, threshold := range []float32{0, 0.1, 0.3} {
		old, want := found("c1", "", threshold), found("c2", "", threshold)
		maps.DeleteFunc(want, func(p ids, _ bool) bool { return old[p] })
		if got := found("c2", "c1", threshold); !maps.Equal(got, want) {
			t.Errorf("within %g: %d pairs since c1, want %d", threshold, len(got), len(want))
		}
	}
}

// TestNearPairsEnd: the work ends, whole and in order, when nobody wants more
// pairs, and when the request does.
func TestNearPairsEnd(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: nearCorpus(rand.New(rand.NewPCG(1, 1)), 300)})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, func(c *indexer.Config) { c.Workers = 3 })
	h.mustIndex("c1", "")
	req := pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Threshold: 1}
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		seen := 0
		var got error
		err := pairs.New(h.Reader).NearPairs(ctx, req, func(all *pairs.NearPairs) error {
			for _, err := range all.Pairs {
				if got = err; err != nil {
					break
				}
				if seen++; seen == 1000 {
					if !cancelled {
						break
					}
					cancel(gone)
				}
			}
			return nil
		})
		cancel(nil)
		if err != nil || seen < 1000 || seen > 20_000 || cancelled != (got != nil) || cancelled && !errors.Is(got, gone) {
			t.Errorf("cancelled %v: %d pairs, %v, %v", cancelled, seen, got, err)
		}
	}
	for _, bad := range []pairs.DuplicatesRequest{{Threshold: -1}, {Page: search.Page{Start: -1}}, {Since: "c9"}, {Ref: search.Ref{Commit: "c9"}}} {
		bad.Ref.Commit = cmp.Or(bad.Ref.Commit, "c1")
		if _, err := h.near(bad); err == nil {
			t.Errorf("%+v is not refused", bad)
		}
	}
}

// TestNearPairsOfLevelVectors: no pair is missed where rounding to codes errs the
// same way in every dimension, as it does for vectors whose values are all alike.
func TestNearPairsOfLevelVectors(t *testing.T) {
	const dim, n = 384, 24
	rng := rand.New(rand.NewPCG(7, 8))
	for _, level := range []float32{20.45, 56.49, 56.51, 90.4, 111.45} {
		vectors := make(map[string][]float32)
		var ops []contract.Op
		for i := range n {
			v := make([]float32, dim)
			v[0] = 112
			for k := range v[1:] {
				v[1+k] = level
			}
			for range 8 {
				v[1+rng.IntN(dim-1)] *= rng.Float32()
			}
			vector.Normalize(v)
			id := fmt.Sprintf("d/A/%02d", i)
			vectors[id] = v
			ops = append(ops, with(id, "", v...))
		}
		h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
		h.pushWith("c1", catalog.SettingsRequest{Dim: dim}, ops...)
		var distances []float32
		for a, v := range vectors {
			for b, w := range vectors {
				if a < b {
					distances = append(distances, vector.Distance(vector.Dot(v, w)))
				}
			}
		}
		slices.Sort(distances)
		for _, at := range []int{0, len(distances) / 10, len(distances) / 2, len(distances) - 1} {
			found, err := h.near(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c1"}, Threshold: distances[at] + 1e-7})
			if want := at + 1; err != nil || len(found) < want {
				t.Errorf("level %v: %d pairs within %v, %v; want %d", level, len(found), distances[at], err, want)
			}
		}
		h.close()
	}
}
