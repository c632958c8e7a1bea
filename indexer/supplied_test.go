package indexer_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
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
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// with is an operation that brings its vector.
func with(id, text string, v ...float32) contract.Op {
	return contract.Op{Kind: contract.Upsert, ID: id, Text: text, Vector: v}
}

func (h *harness) byVector(commit string, count int, v ...float32) []search.Hit {
	h.t.Helper()
	got, err := h.Search(h.t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Vector: v, Options: search.Options{Page: search.Page{Count: count}}})
	if err != nil {
		h.t.Fatal(err)
	}
	return got.Hits
}

// TestSuppliedVectors: a domain whose vectors all come with its documents needs
// no embedder, and searches by them.
func TestSuppliedVectors(t *testing.T) {
	emb := &indexertest.Embedder{Fail: func([]string) error { return fmt.Errorf("%w: nobody may ask", contract.ErrProvider) }}
	mem := vfstest.NewMem()
	h := openPush(t, mem, emb)
	l2 := catalog.SettingsRequest{Dim: 3, Metric: catalog.MetricL2, Normalize: new(bool)}
	task := h.pushWith("c1", l2,
		with("d/A/1", "a red one", 1, 0, 0), with("d/A/2", "a green one", 0, 2, 0), with("d/A/3", "", 0, 0, 0), with("d/A/4", "", 1, 0, 0),
		put("d/A/5", "without a vector"))
	if task.Indexed != 4 || task.Embedded != 0 || len(task.Skipped) != 1 || !strings.Contains(task.Skipped[0].Message, "no vector") {
		t.Errorf("%+v", task)
	}
	h.wantSettings(catalog.Settings{Metric: catalog.MetricL2, Language: "en", M: 16, EfConstruction: 200, Dim: 3})
	wantHits := func(hits []search.Hit, want string) {
		t.Helper()
		var got []string
		for _, x := range hits {
			got = append(got, fmt.Sprintf("%s %g", x.ID, x.Distance))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("found %s, want %s", s, want)
		}
	}
	wantHits(h.byVector("c1", 9, 0, 0, 0), "d/A/3 0, d/A/1 1, d/A/4 1, d/A/2 4")
	similar, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/4", Options: search.Options{Page: search.Page{Count: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	// Texts say nothing: the one of 3 is the same, the one of 1 is not.
	wantHits(similar.Hits, "d/A/1 0, d/A/3 1, d/A/2 5")
	found, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}})
	if err != nil || len(found.Pairs) != 1 || found.Pairs[0].A.ID != "d/A/1" || found.Pairs[0].B.ID != "d/A/4" || found.Pairs[0].Distance != 0 {
		t.Errorf("duplicates %+v, %v", found.Pairs, err)
	}
	if hits := h.searchMode("c1", "green", search.ModeText, search.Filter{}, 9); len(hits) != 1 || hits[0].ID != "d/A/2" || hits[0].Chunk.DocTokens != 0 {
		t.Errorf("by words: %+v", hits)
	}
	for _, mode := range []search.Mode{search.ModeVector, search.ModeHybrid} {
		_, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "green", Mode: mode, Options: search.Options{Page: search.Page{Count: 1}}})
		if !errors.Is(err, contract.ErrConflict) || !strings.Contains(err.Error(), "search by vector") {
			t.Errorf("search by text, mode %s: %v", mode, err)
		}
	}
	both, err := h.Search(t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "green", Vector: []float32{0, 2, 0}, Mode: search.ModeHybrid, Options: search.Options{Page: search.Page{Count: 1}}})
	if err != nil || len(both.Hits) != 1 || both.Hits[0].ID != "d/A/2" {
		t.Errorf("by words and a vector: %+v, %v", both.Hits, err)
	}

	// What is pushed again costs nothing; another vector of the same text counts.
	task = h.pushWith("c2", catalog.SettingsRequest{Dim: 3}, with("d/A/1", "a red one", 1, 0, 0), with("d/A/2", "a green one", 0, 0, 3))
	if task.Indexed != 2 || task.Reused != 3+1 {
		t.Errorf("%+v", task)
	}
	h.close()
	h = openPush(t, mem, emb)
	wantHits(h.byVector("c1", 1, 0, 0, 3), "d/A/3 9")
	wantHits(h.byVector("c2", 1, 0, 0, 3), "d/A/2 0")
	if _, err := h.startWith("main", "c3", catalog.SettingsRequest{Dim: 4}); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("another dimension: %v", err)
	}

	p, err := h.startWith("main", "c3", catalog.SettingsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	for _, bad := range [][]float32{{1}, {1, 2, 3, 4}, {nan, 0, 0}, {float32(math.Inf(1)), 0, 0}, {1e30, 0, 0}} {
		if err := p.CheckVector(bad); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := p.CheckVector([]float32{1}); !strings.Contains(err.Error(), "have 3") {
		t.Errorf("the error does not say what is expected: %v", err)
	}
	if err := p.CheckVector([]float32{0, 0, 0}); err != nil {
		t.Errorf("a zero vector has a place: %v", err)
	}
	p.Abort(errors.New("enough"))
}

// TestOneVectorHasDistanceZero: vectors that are the same have distance 0 wherever
// documents are compared, though the product of (1, 1) at unit length with itself
// is not quite 1; and a document whose vector alone changed has changed.
func TestOneVectorHasDistanceZero(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.pushWith("c1", catalog.SettingsRequest{Dim: 2}, with("d/A/1", "one", 1, 1), with("d/A/2", "two", 2, 2), with("d/A/3", "three", 0, 1))
	h.pushWith("c2", catalog.SettingsRequest{}, with("d/A/3", "three", 3, 3))
	zero := func(what string, n int, d float32) {
		t.Helper()
		if n != 1 || d != 0 {
			t.Errorf("%s: %d found, the first at %g, want 1 at 0", what, n, d)
		}
	}
	ref := search.Ref{Commit: "c1"}
	for _, req := range []search.SimilarRequest{{ID: "d/A/1"}, {IDs: []string{"d/A/1"}}} {
		req.Domain, req.Ref, req.Page = domain, ref, search.Page{Count: 1}
		similar, err := h.Similar(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		zero("similar", len(similar.Hits), similar.Hits[0].Distance)
	}
	near, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: ref, K: 5})
	if err != nil || len(near.SetToTarget) != 2 {
		t.Fatalf("candidates %+v, %v", near, err)
	}
	zero("candidates", len(near.SetToTarget[0].Partners), near.SetToTarget[0].Partners[0].Distance)
	found, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: ref})
	if err != nil || len(found.Pairs) != 1 {
		t.Fatalf("duplicates %+v, %v", found, err)
	}
	zero("duplicates", len(found.Pairs), found.Pairs[0].Distance)

	found, err = pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Since: "c1"})
	var got []string
	for _, p := range found.Pairs {
		got = append(got, fmt.Sprint(p.A.ID, " ", p.B.ID))
	}
	if want := "d/A/1 d/A/3"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("duplicates since c1: %q, %v; want %s", got, err, want)
	}
}

// TestSuppliedBesideTheModel: in a domain with a model some documents may bring
// vectors of its dimension, and change their minds.
func TestSuppliedBesideTheModel(t *testing.T) {
	emb := &indexertest.Embedder{}
	mem := vfstest.NewMem()
	h := openPush(t, mem, emb)
	red := indexertest.Vector("red fish", 32)
	h.mustPush("main", "", "c1", put("d/A/1", "red fish"), with("d/A/2", "another text", red...), put("d/A/3", "blue bird"))
	if got := len(emb.Texts()); got != 2 {
		t.Errorf("%d texts embedded, want 2", got)
	}
	hits := h.search("c1", "red fish", 3)
	if len(hits) != 3 || hits[0].ID != "d/A/1" || hits[0].Distance != 0 || hits[1].ID != "d/A/2" || hits[1].Distance > 1e-6 {
		t.Errorf("%+v", hits)
	}
	// The same text without the vector is embedded; with it again, it is not.
	h.mustPush("main", "", "c2", put("d/A/2", "another text"))
	if got := len(emb.Texts()); got != 4 { // with the query
		t.Errorf("%d texts embedded, want 4", got)
	}
	if hits := h.search("c2", "another text", 1); hits[0].ID != "d/A/2" || hits[0].Distance != 0 {
		t.Errorf("%+v", hits)
	}
	task := h.mustPush("main", "", "c3", with("d/A/2", "another text", red...))
	if hits := h.search("c3", "red fish", 2); hits[1].ID != "d/A/2" || task.Embedded != 0 {
		t.Errorf("%+v, %+v", hits, task)
	}
	p := h.mustStart("main", "", "c4")
	for _, bad := range [][]float32{make([]float32, 32), red[:31]} {
		if err := p.CheckVector(bad); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%d numbers: %v", len(bad), err)
		}
	}
	p.Abort(errors.New("enough"))
}

// TestADamagedSuppliedVector: nothing here can make it again, and it is said so;
// pushing the document again mends it.
func TestADamagedSuppliedVector(t *testing.T) {
	mem := vfstest.NewMem()
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/9", "nine")})
	emb := &indexertest.Embedder{}
	h := open(t, mem, src, emb)
	h.pushWith("c1", catalog.SettingsRequest{Dim: 4}, with("d/A/1", "one", 1, 0, 0, 0), with("d/A/2", "two", 0, 1, 0, 0))
	h.close()
	name := "admin%2Ftest.vecs"
	data, err := mem.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[4096] ^= 1 // the first record
	mem.WriteFile(name, data)
	h = open(t, mem, src, emb)
	task := h.mustIndex("c1", "main")
	if len(task.Skipped) != 1 || task.Skipped[0].ID != "d/A/1" || !strings.Contains(task.Skipped[0].Message, "push the document again") {
		t.Errorf("%+v", task.Skipped)
	}
	if hits := h.byVector("c1", 9, 1, 0, 0, 0); len(hits) != 1 || hits[0].ID != "d/A/2" {
		t.Errorf("%+v", hits)
	}
	h.pushWith("c2", catalog.SettingsRequest{}, with("d/A/1", "one", 1, 0, 0, 0))
	if hits := h.byVector("c2", 1, 1, 0, 0, 0); len(hits) != 1 || hits[0].ID != "d/A/1" || hits[0].Distance != 0 {
		t.Errorf("%+v", hits)
	}
	if len(emb.Texts()) > 0 {
		t.Errorf("embedded %q", emb.Texts())
	}
}

// merged waits until no merge is asked for or under way.
func (h *harness) merged() {
	for h.Merging() > 0 {
		time.Sleep(time.Millisecond) // poll of the merger, which nobody waits for
	}
}

// TestRecallOfSuppliedVectors: the graph, the tail above it and what is dead in
// it, in every metric, against a scan; 20,000 vectors with VECTORLINK_LONG=1.
func TestRecallOfSuppliedVectors(t *testing.T) {
	n, queries := 1000, 40
	if os.Getenv("VECTORLINK_LONG") != "" {
		n, queries = 20_000, 100
	}
	const dim = 24
	for _, r := range kinds() {
		t.Run(fmt.Sprintf("%s/%t", r.Metric, *r.Normalize), func(t *testing.T) {
			r.Dim = dim
			rnd := rand.New(rand.NewPCG(5, 6))
			centres := make([]float32, 100*dim)
			for i := range centres {
				centres[i] = 2 + float32(rnd.NormFloat64())
			}
			random := func() []float32 {
				v, c := make([]float32, dim), rnd.IntN(100)*dim
				for i := range v {
					v[i] = centres[c+i] + 0.7*float32(rnd.NormFloat64())
				}
				if *r.Normalize {
					vector.Normalize(v)
				}
				return v
			}
			h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: n / 4} })
			have := make(map[string][]float32)
			var first, second []contract.Op
			add := func(ops *[]contract.Op, id string) {
				have[id] = random()
				*ops = append(*ops, with(id, "", have[id]...))
			}
			for i := range n {
				add(&first, fmt.Sprintf("d/A/%06d", i))
			}
			h.pushWith("c1", r, first...)
			h.merged()
			for i := range n / 10 {
				gone := fmt.Sprintf("d/A/%06d", i*9)
				delete(have, gone)
				second = append(second, remove(gone))
				add(&second, fmt.Sprintf("d/B/%06d", i))
			}
			h.pushWith("c2", catalog.SettingsRequest{}, second...)
			h.merged()
			found, total := 0, 0
			for range queries {
				q := random()
				var truth []float64
				for _, v := range have {
					truth = append(truth, far(r, q, v, false))
				}
				slices.Sort(truth)
				for _, x := range h.byVector("c2", 10, q...) {
					d := far(r, q, have[x.ID], false)
					if math.Abs(float64(x.Distance)-d) > 1e-4*(1+math.Abs(d)) {
						t.Fatalf("%s is at %v, want %v", x.ID, x.Distance, d)
					}
					total++
					if d <= truth[9]+1e-6*(1+math.Abs(d)) {
						found++
					}
				}
			}
			recall := float64(found) / float64(total)
			t.Logf("%d vectors: recall@10 is %.4f", n, recall)
			floor := 0.97
			if r.Metric == catalog.MetricIP && !*r.Normalize {
				floor = 0.93 // the longest vectors are near to all: no metric space
			}
			if total != 10*queries || recall < floor {
				t.Errorf("%d vectors: %d hits, recall@10 is %.4f, want %v", n, total, recall, floor)
			}
		})
	}
}
