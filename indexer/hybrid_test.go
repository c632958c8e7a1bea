package indexer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// mixed is a domain of n documents, each with random words and a random vector.
type mixed struct {
	*harness
	rng     *rand.Rand
	texts   map[string]string
	vectors map[string][]float32
}

func openMixed(t *testing.T, n int, settings catalog.SettingsRequest) *mixed {
	m := &mixed{
		harness: open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{}),
		rng:     rand.New(rand.NewPCG(7, 7)), texts: map[string]string{}, vectors: map[string][]float32{},
	}
	var ops []contract.Op
	for i := range n {
		id := fmt.Sprintf("d/A/%04d", i)
		words := make([]string, 3+m.rng.IntN(9))
		for j := range words {
			words[j] = fmt.Sprintf("w%d", int(m.rng.ExpFloat64()*30))
		}
		m.texts[id], m.vectors[id] = strings.Join(words, " "), m.vector()
		ops = append(ops, contract.Op{Kind: contract.Upsert, ID: id, Text: m.texts[id], Vector: m.vectors[id]})
	}
	settings.Dim = 8
	m.pushWith("c1", settings, ops...)
	return m
}

func (m *mixed) vector() []float32 {
	v := make([]float32, 8)
	for i := range v {
		v[i] = float32(m.rng.NormFloat64())
	}
	return v
}

func (m *mixed) find(req search.SearchRequest) []search.Hit {
	m.t.Helper()
	req.Domain, req.Ref = domain, search.Ref{Commit: "c1"}
	if req.Page.Count == 0 {
		req.Page.Count = 1000
	}
	found, err := m.Search(m.t.Context(), req)
	if err != nil {
		m.t.Fatal(err)
	}
	return found.Hits
}

// TestHybridByScore: a hit's distance is its vector's, whoever found it, its score
// is what its parts say, and pages fit together behind the ends of the lists too.
func TestHybridByScore(t *testing.T) {
	m := openMixed(t, 700, catalog.SettingsRequest{})
	for _, text := range []string{"w3 w17 w60", "w1", "absent"} {
		q := search.SearchRequest{Text: text, Vector: m.vector(), Mode: search.ModeHybrid, Explain: true}
		distances, scores := map[string]float32{}, map[string]float32{}
		for _, h := range m.find(search.SearchRequest{Vector: q.Vector, Mode: search.ModeVector}) {
			distances[h.ID] = h.Distance
		}
		for _, h := range m.find(search.SearchRequest{Text: text, Mode: search.ModeText}) {
			scores[h.ID] = h.Score
		}
		all := m.find(q)
		if len(all) != 700 {
			t.Fatalf("%q: %d hits of 700", text, len(all))
		}
		counts := map[search.Found]int{}
		for i, h := range all {
			counts[h.Found]++
			if h.Distance != distances[h.ID] {
				t.Fatalf("%q: %s at %v, by vector at %v", text, h.ID, h.Distance, distances[h.ID])
			}
			x := h.Explained
			if x.Words != scores[h.ID] || x.Likeness != 1-2*h.Distance {
				t.Fatalf("%q: %s has words %v and likeness %v, want %v and %v", text, h.ID, x.Words, x.Likeness, scores[h.ID], 1-2*h.Distance)
			}
			want := x.Weight * max(0, x.Likeness) / x.BestLikeness
			if x.BestWords > 0 {
				want += (1 - x.Weight) * x.Words / x.BestWords
			}
			if d := h.Score - want; d > 1e-5 || d < -1e-5 {
				t.Fatalf("%q: %s has score %v, its parts make %v", text, h.ID, h.Score, want)
			}
			if i > 0 && i < 100 && h.Score > all[i-1].Score {
				t.Fatalf("%q: hit %d is better than that before", text, i)
			}
		}
		if text != "absent" && (counts[search.FoundVector] == 0 || counts[search.FoundWords|search.FoundVector] == 0) {
			t.Errorf("%q: found by %v", text, counts)
		}
		var paged []search.Hit
		for start := 0; start < 700; start += 35 {
			q.Page = search.Page{Start: start, Count: 35}
			paged = append(paged, m.find(q)...)
		}
		if !slices.EqualFunc(paged, all, func(a, b search.Hit) bool { return a.ID == b.ID && a.Score == b.Score }) {
			t.Errorf("%q: pages do not fit together", text)
		}
		q.Rank, q.Page = search.RankDistance, search.Page{Count: 1000}
		if byDistance := m.find(q); !slices.IsSortedFunc(byDistance, func(a, b search.Hit) int { return int((a.Distance - b.Distance) * 1e6) }) || len(byDistance) != 700 {
			t.Errorf("%q: rank=distance does not sort %d hits by distance", text, len(byDistance))
		}
	}
}

// TestHybridWeight: the weight is the request's, else the domain's, which never
// changes; 1 ranks as the vector does, 0 as the words.
func TestHybridWeight(t *testing.T) {
	m := openMixed(t, 80, catalog.SettingsRequest{Weight: 0.25})
	ids := func(hits []search.Hit) (list []string) {
		for _, h := range hits {
			list = append(list, h.ID)
		}
		return list
	}
	q := search.SearchRequest{Text: "w3 w17 w60", Vector: m.vector(), Mode: search.ModeHybrid, Explain: true}
	if got := m.find(q)[0].Explained.Weight; got != 0.25 {
		t.Errorf("weight %v, the domain's is 0.25", got)
	}
	one, zero := float32(1), float32(0)
	q.Weight = &one
	if got, want := ids(m.find(q)), ids(m.find(search.SearchRequest{Vector: q.Vector, Mode: search.ModeVector})); !slices.Equal(got[:30], want[:30]) {
		t.Errorf("weight 1: %v, by vector %v", got, want)
	}
	q.Weight = &zero
	want := ids(m.find(search.SearchRequest{Text: q.Text, Mode: search.ModeText}))
	if got := ids(m.find(q))[:len(want)]; got[0] != want[0] {
		t.Errorf("weight 0: %v, by words %v", got, want)
	}
	if _, err := m.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c2", Settings: catalog.SettingsRequest{Weight: 0.5}}); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("another weight: %v, want a conflict", err)
	}
	if _, err := m.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c2", Settings: catalog.SettingsRequest{Weight: 1.5}}); !errors.Is(err, contract.ErrInvalid) && !errors.Is(err, contract.ErrConflict) {
		t.Errorf("weight 1.5: %v, want it refused", err)
	}
}

// TestWithinDistance: max_distance bounds the hits of every mode that has distances,
// and pages end with it.
func TestWithinDistance(t *testing.T) {
	m := openMixed(t, 300, catalog.SettingsRequest{})
	v := m.vector()
	all := m.find(search.SearchRequest{Vector: v, Mode: search.ModeVector})
	limit := all[42].Distance
	q := search.SearchRequest{Vector: v, Mode: search.ModeVector, Options: search.Options{MaxDistance: &limit}}
	if got := m.find(q); len(got) != 43 || got[42].ID != all[42].ID {
		t.Errorf("%d hits within the 43rd's distance", len(got))
	}
	q.Text, q.Mode = "w1 w2 w3", search.ModeHybrid
	if got := m.find(q); len(got) != 43 {
		t.Errorf("hybrid: %d hits within the 43rd's distance", len(got))
	}
	q.Page = search.Page{Start: 40, Count: 10}
	if got := m.find(q); len(got) != 3 {
		t.Errorf("hybrid: a last page of %d hits, want 3", len(got))
	}
	similar, err := m.Similar(t.Context(), search.SimilarRequest{
		Domain: domain, Ref: search.Ref{Commit: "c1"}, Vector: v, Options: search.Options{Page: search.Page{Count: 100}, MaxDistance: &limit},
	})
	if err != nil || len(similar.Hits) != 43 {
		t.Errorf("similar: %d hits, %v", len(similar.Hits), err)
	}
}

// TestReadyVectorToItself: a ready vector is at distance exactly 0 to itself,
// however its product with itself is rounded.
func TestReadyVectorToItself(t *testing.T) {
	for _, normalize := range []bool{true, false} {
		m := openMixed(t, 120, catalog.SettingsRequest{Normalize: &normalize})
		for id, v := range m.vectors {
			for _, q := range []search.SearchRequest{
				{Vector: v, Mode: search.ModeVector}, {Vector: v, Text: "w1 w2", Mode: search.ModeHybrid, Rank: search.RankDistance},
			} {
				q.Page.Count = 1
				if got := m.find(q)[0]; got.ID != id || got.Distance != 0 {
					t.Fatalf("normalize=%v: %s finds %s at %v", normalize, id, got.ID, got.Distance)
				}
			}
		}
	}
}

// TestHitTexts: hits bring their documents' texts as of the commit, up to a bound
// that cuts no letter.
func TestHitTexts(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{Window: 100})
	long := "apple " + strings.Repeat("ü", 40<<10)
	h.pushWith("c1", catalog.SettingsRequest{}, contract.Op{Kind: contract.Upsert, ID: "d/A/1", Text: "red apple"}, contract.Op{Kind: contract.Upsert, ID: "d/A/2", Text: long})
	h.pushWith("c2", catalog.SettingsRequest{}, contract.Op{Kind: contract.Upsert, ID: "d/A/1", Text: "green apple"})
	for commit, want := range map[string]string{"c1": "red apple", "c2": "green apple"} {
		found, err := h.Search(t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Text: "apple", Mode: search.ModeText, Options: search.Options{Page: search.Page{Count: 10}, Texts: true},
		})
		if err != nil || len(found.Hits) != 2 {
			t.Fatal(found, err)
		}
		for _, x := range found.Hits {
			switch {
			case x.ID == "d/A/1" && (x.Text != want || x.TextCut):
				t.Errorf("%s: text %q, cut %v", commit, x.Text, x.TextCut)
			case x.ID == "d/A/2" && (!x.TextCut || !strings.HasPrefix(long, x.Text) || len(x.Text) < 65_535-1 || len(x.Text) > 65_536):
				t.Errorf("%s: %d bytes of a long text, cut %v", commit, len(x.Text), x.TextCut)
			}
		}
	}
}

// TestFeedback: the query's vector moves towards what it finds first.
func TestFeedback(t *testing.T) {
	m := openMixed(t, 200, catalog.SettingsRequest{})
	v := m.vector()
	plain := m.find(search.SearchRequest{Vector: v, Mode: search.ModeVector})
	moved := m.find(search.SearchRequest{Vector: v, Mode: search.ModeVector, Feedback: 3})
	var before, after float32
	for _, h := range plain[:3] {
		i := slices.IndexFunc(moved, func(x search.Hit) bool { return x.ID == h.ID })
		before, after = before+h.Distance, after+moved[i].Distance
	}
	if after >= before {
		t.Errorf("the first three are at %v in all, without feedback at %v", after, before)
	}
	if again := m.find(search.SearchRequest{Vector: v, Text: "w1", Mode: search.ModeHybrid, Feedback: 3}); len(again) != 200 {
		t.Errorf("hybrid with feedback: %d hits", len(again))
	}
}
