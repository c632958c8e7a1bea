package indexer_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// kinds are all ways in which vectors are kept and measured.
func kinds() []catalog.SettingsRequest {
	var all []catalog.SettingsRequest
	for _, m := range []catalog.Metric{catalog.MetricCosine, catalog.MetricIP, catalog.MetricL2} {
		for _, n := range []bool{true, false} {
			all = append(all, catalog.SettingsRequest{Metric: m, Normalize: &n})
		}
	}
	return all
}

// far is the distance of two vectors by the definitions, in float64; the texts
// they are of, where it is about texts, are the same or not.
func far(r catalog.SettingsRequest, a, b []float32, same bool) float64 {
	var dot, aa, bb, square float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
		square += (x - y) * (x - y)
	}
	switch {
	case r.Metric == catalog.MetricIP && !*r.Normalize:
		return 1 - dot
	case same:
		return 0
	case r.Metric == catalog.MetricIP:
		return max(1-dot, 1e-7)
	case r.Metric == catalog.MetricL2:
		return square
	}
	return max((1-dot/math.Sqrt(aa*bb))/2, 1e-7)
}

// stored is the vector of a text in a domain.
func stored(r catalog.SettingsRequest, text string) []float32 {
	if *r.Normalize {
		return indexertest.Vector(text, 32)
	}
	return indexertest.Given(text, 32)
}

// nearest is the truth: every document with its distance from a text, nearest
// first.
func nearest(r catalog.SettingsRequest, texts map[string]string, query string) []search.Hit {
	var all []search.Hit
	for id, text := range texts {
		all = append(all, search.Hit{ID: id, Distance: float32(far(r, stored(r, query), stored(r, text), text == query))})
	}
	slices.SortFunc(all, func(a, b search.Hit) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.ID, b.ID))
	})
	return all
}

// wantNearest fails unless hits are the first of want: at every place the
// distance of the truth, and every document at its own.
func wantNearest(t *testing.T, what string, hits, want []search.Hit, count int) {
	t.Helper()
	if len(hits) != min(count, len(want)) {
		t.Errorf("%s: %d hits, want %d", what, len(hits), min(count, len(want)))
		return
	}
	truth := make(map[string]float32)
	for _, w := range want {
		truth[w.ID] = w.Distance
	}
	for i, h := range hits {
		d := truth[h.ID]
		if eps := 2e-6 * (1 + math.Abs(float64(d))); math.Abs(float64(h.Distance-d)) > eps || math.Abs(float64(h.Distance-want[i].Distance)) > eps {
			t.Errorf("%s: hit %d is %s at %v, want %v for it and %v in its place", what, i, h.ID, h.Distance, d, want[i].Distance)
			return
		}
		if (h.Distance == 0) != (d == 0) {
			t.Errorf("%s: %s is at %v, want %v", what, h.ID, h.Distance, d)
		}
	}
}

// TestMetricsThroughHistories runs a random history of pushes, merges and
// restarts in every metric, and compares what all its commits answer with a scan
// by the definitions.
func TestMetricsThroughHistories(t *testing.T) {
	for _, r := range kinds() {
		t.Run(fmt.Sprintf("%s/%t", r.Metric, *r.Normalize), func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			rnd := rand.New(rand.NewPCG(seed, 0))
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			mem, emb := vfstest.NewMem(), &indexertest.Embedder{}
			small := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 40, MaxDeltas: 4} }
			h := openPush(t, mem, emb, small)
			texts := map[string]string{}
			history := map[string]map[string]string{}
			word := func() string { return fmt.Sprintf("word%d", rnd.IntN(60)) }
			for c := range 10 {
				var ops []contract.Op
				for range 4 + rnd.IntN(20) {
					id := fmt.Sprintf("d/A/%03d", rnd.IntN(120))
					if rnd.IntN(5) == 0 {
						ops = append(ops, remove(id))
						delete(texts, id)
						continue
					}
					texts[id] = word() + " " + word() + " " + word()
					if rnd.IntN(4) == 0 {
						texts[id] = "a text that several have"
					}
					ops = append(ops, put(id, texts[id]))
				}
				commit := fmt.Sprintf("c%d", c)
				h.pushWith(commit, r, ops...)
				history[commit] = make(map[string]string)
				maps.Copy(history[commit], texts)
				if c%4 == 3 {
					h.merged()
					h.close()
					h = openPush(t, mem, emb, small)
				}
			}
			for commit, texts := range history {
				h.wantMeasured(r, commit, texts, "a text that several have")
				h.wantMeasured(r, commit, texts, word()+" "+word())
			}
		})
	}
}

// wantMeasured checks everything that measures, at one commit.
func (h *harness) wantMeasured(r catalog.SettingsRequest, commit string, texts map[string]string, query string) {
	h.t.Helper()
	page, ref := search.Page{Count: 15}, search.Ref{Commit: commit}
	want := nearest(r, texts, query)
	got, err := h.Search(h.t.Context(), search.SearchRequest{Domain: domain, Ref: ref, Text: query, Options: search.Options{Page: page, Ef: 1000}})
	if err != nil {
		h.t.Fatal(err)
	}
	wantNearest(h.t, commit+": search by text", got.Hits, want, page.Count)

	// A vector has no text: only what is measured counts.
	got, err = h.Search(h.t.Context(), search.SearchRequest{Domain: domain, Ref: ref, Vector: stored(r, query), Options: search.Options{Page: page, Ef: 1000}})
	if err != nil {
		h.t.Fatal(err)
	}
	for i, hit := range got.Hits {
		if d := far(r, stored(r, query), stored(r, texts[hit.ID]), texts[hit.ID] == query); math.Abs(float64(hit.Distance)-d) > 1e-5*(1+math.Abs(d)) {
			h.t.Errorf("%s: search by vector: hit %d is %s at %v, want %v", commit, i, hit.ID, hit.Distance, d)
		}
		if r.Metric == catalog.MetricL2 && texts[hit.ID] == query && hit.Distance != 0 {
			h.t.Errorf("%s: an equal vector is at %v", commit, hit.Distance)
		}
	}

	if len(want) == 0 {
		return
	}
	source := want[len(want)/2].ID
	got, err = h.Similar(h.t.Context(), search.SimilarRequest{Domain: domain, Ref: ref, ID: source, Options: search.Options{Page: page, Ef: 1000}})
	if err != nil {
		h.t.Fatal(err)
	}
	others := nearest(r, texts, texts[source])
	others = slices.DeleteFunc(others, func(o search.Hit) bool { return o.ID == source })
	wantNearest(h.t, commit+": similar", got.Hits, others, page.Count)

	near, err := pairs.New(h.Reader).Candidates(h.t.Context(), pairs.CandidatesRequest{
		Domain: domain, Ref: ref, K: 3, SetThreshold: 0.3, TargetThreshold: 0.3, Set: search.Filter{IDs: []string{source}}, Target: search.Filter{Types: []string{"A"}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	var list []search.Hit
	for _, l := range near.SetToTarget {
		for _, c := range l.Partners {
			list = append(list, search.Hit{ID: c.ID, Distance: c.Distance})
		}
	}
	others = slices.DeleteFunc(others, func(o search.Hit) bool { return o.Distance > 0.3 })
	wantNearest(h.t, commit+": candidates", list, others, 3)

	const threshold = 0.25
	doubles, err := pairs.New(h.Reader).Duplicates(h.t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: ref, Threshold: threshold})
	if err != nil {
		h.t.Fatal(err)
	}
	found := make(map[[2]string]bool)
	for _, p := range doubles.Pairs {
		found[[2]string{p.A.ID, p.B.ID}] = true
		d := far(r, stored(r, texts[p.A.ID]), stored(r, texts[p.B.ID]), texts[p.A.ID] == texts[p.B.ID])
		if math.Abs(float64(p.Distance)-d) > 1e-5*(1+math.Abs(d)) || p.Distance > threshold {
			h.t.Errorf("%s: duplicates: %s and %s at %v, want %v", commit, p.A.ID, p.B.ID, p.Distance, d)
		}
	}
	wantAll := map[[2]string]bool{}
	for id, text := range texts {
		for other, theirs := range texts {
			d := far(r, stored(r, text), stored(r, theirs), text == theirs)
			if id < other && d < threshold-1e-4 {
				wantAll[[2]string{id, other}] = true
			}
		}
	}
	err = pairs.New(h.Reader).NearPairs(h.t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: ref, Threshold: threshold}, func(all *pairs.NearPairs) error {
		for p, err := range all.Pairs {
			if err != nil {
				return err
			}
			delete(wantAll, [2]string{p.A.ID, p.B.ID})
			d := far(r, stored(r, texts[p.A.ID]), stored(r, texts[p.B.ID]), texts[p.A.ID] == texts[p.B.ID])
			if math.Abs(float64(p.Distance)-d) > 1e-5*(1+math.Abs(d)) {
				h.t.Errorf("%s: all pairs: %s and %s at %v, want %v", commit, p.A.ID, p.B.ID, p.Distance, d)
			}
		}
		return nil
	})
	if err != nil || len(wantAll) > 0 {
		h.t.Errorf("%s: all pairs: %v, missing %v", commit, err, wantAll)
	}
	// The nearest of every document is among the pairs, if it is near enough.
	for id, text := range texts {
		best, partner := math.Inf(1), ""
		for other, theirs := range texts {
			if d := far(r, stored(r, text), stored(r, theirs), text == theirs); other != id && (d < best || d == best && other < partner) {
				best, partner = d, other
			}
		}
		if best < threshold-1e-4 && !found[[2]string{min(id, partner), max(id, partner)}] {
			// Another one as near may have been taken.
			twins := 0
			for other, theirs := range texts {
				if d := far(r, stored(r, text), stored(r, theirs), text == theirs); other != id && math.Abs(d-best) < 1e-5 {
					twins++
				}
			}
			if twins < 2 {
				h.t.Errorf("%s: duplicates: %s and %s at %v are missing", commit, id, partner, best)
			}
		}
	}
}
