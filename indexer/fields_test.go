package indexer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// randomFields returns fields of a document, as JSON.
func randomFields(rng *rand.Rand) string {
	parts := []string{fmt.Sprintf(`"n":%d`, rng.IntN(4)), fmt.Sprintf(`"word":"w%d"`, rng.IntN(3)),
		fmt.Sprintf(`"tags":["t%d","t%d"]`, rng.IntN(3), rng.IntN(3)), `"new":true`}
	rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts[:rng.IntN(5)], ",") + "}"
}

// checked are filters with the same in Go.
var checked = []struct {
	expr  string
	holds func(f map[string]any) bool
}{
	{`n == 2`, func(f map[string]any) bool { return f["n"] == 2.0 }},
	{`n >= 1 and word != "w0"`, func(f map[string]any) bool { n, ok := f["n"].(float64); return ok && n >= 1 && f["word"] != "w0" }},
	{`"t1" in tags or new`, func(f map[string]any) bool {
		tags, _ := f["tags"].([]any)
		return slices.Contains(tags, any("t1")) || f["new"] == true
	}},
	{`not (word in ["w1", "w2"]) and n == nil`, func(f map[string]any) bool {
		return f["word"] != "w1" && f["word"] != "w2" && f["n"] == nil
	}},
}

// sameFields holds the fields of a commit, and what filters find there, against
// the source.
func sameFields(t *testing.T, h *harness, commit string, src *indexertest.Source) {
	t.Helper()
	texts, known := src.Documents(commit), src.Fields(commit)
	// A stand-in, so that no filter is a mistake where nobody has its fields.
	request := func(expr string) search.SearchRequest {
		return search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: "unborn", Ancestors: []string{commit}}, Text: "anything",
			Options: search.Options{Page: search.Page{Count: search.MaxCount}, Filter: search.Filter{Expr: expr}, OutputFields: []string{"*"}},
		}
	}
	hits, err := h.Search(t.Context(), request(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, hit := range hits.Hits {
		want := string(known[hit.ID])
		if want == "" {
			want = "{}"
		}
		if string(output(hit).Fields) != want {
			t.Fatalf("%s: fields of %s are %s, want %s", commit, hit.ID, output(hit).Fields, want)
		}
	}
	for _, c := range checked {
		var want []string
		for id := range texts {
			var f map[string]any
			_ = json.Unmarshal(known[id].Select([]string{"*"}), &f)
			if c.holds(f) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		hits, err := h.Search(t.Context(), request(c.expr))
		if err != nil {
			t.Fatalf("%s: %s: %v", commit, c.expr, err)
		}
		var got []string
		for i, hit := range hits.Hits {
			got = append(got, hit.ID)
			if i > 0 && hit.Distance < hits.Hits[i-1].Distance {
				t.Fatalf("%s: %s: out of order", commit, c.expr)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %s finds %v, want %v", commit, c.expr, got, want)
		}
	}
}

func (h *harness) filtered(t *testing.T, ref search.Ref, expr string) ([]string, error) {
	t.Helper()
	hits, err := h.Search(t.Context(), search.SearchRequest{
		Domain: domain, Ref: ref, Text: "text", Options: search.Options{Page: search.Page{Count: 100}, Filter: search.Filter{Expr: expr}},
	})
	ids := []string{}
	for _, hit := range hits.Hits {
		ids = append(ids, hit.ID)
	}
	slices.Sort(ids)
	return ids, err
}

// output returns what a hit brings besides.
func output(hit search.Hit) search.Output {
	if hit.Output == nil {
		return search.Output{}
	}
	return *hit.Output
}

func withFields(id, text, raw string) contract.Op {
	o, err := fields.Parse([]byte(raw))
	if err != nil {
		panic(err)
	}
	return contract.Op{Kind: contract.Upsert, ID: id, Text: text, Fields: string(o)}
}

// TestFieldsAloneAreAChange: fields that change are stored with the commit, and
// nothing is embedded for them.
func TestFieldsAloneAreAChange(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), emb)
	h.mustPush("main", "", "c1", withFields("d/A/1", "one text", `{"n":1}`), withFields("d/A/2", "two text", `{"n":2}`))
	emb.Reset()
	task := h.mustPush("main", "c1", "c2", withFields("d/A/1", "one text", `{"n":2}`), withFields("d/A/2", "two text", `{"n":2.0}`))
	if task.Indexed != 2 || task.Embedded != 0 || len(emb.Texts()) != 0 {
		t.Errorf("indexed %d, embedded %d, %q", task.Indexed, task.Embedded, emb.Texts())
	}
	for commit, want := range map[string][]string{"c1": {"d/A/2"}, "c2": {"d/A/1", "d/A/2"}} {
		if got, err := h.filtered(t, search.Ref{Commit: commit}, "n == 2"); !slices.Equal(got, want) || err != nil {
			t.Errorf("n == 2 at %s finds %v, %v, want %v", commit, got, err, want)
		}
	}
	// Without fields they are gone, which is a change too.
	h.mustPush("main", "c2", "c3", put("d/A/1", "one text"))
	if got, err := h.filtered(t, search.Ref{Commit: "c3"}, "n != nil"); !slices.Equal(got, []string{"d/A/2"}) || err != nil {
		t.Errorf("n != nil finds %v, %v", got, err)
	}
}

// TestUnknownFieldsOfFilters: a mistyped name is a mistake, a field that only
// other commits have is not.
func TestUnknownFieldsOfFilters(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	h.mustPush("main", "", "c1", withFields("d/A/1", "one text", `{"language":"fr","year":"1999"}`))
	h.mustPush("main", "c1", "c2", withFields("d/A/2", "two text", `{"publication_date":"2024-01-01","year":2024}`))
	h.mustPush("dev", "c1", "d1", withFields("d/A/3", "three text", `{"mood":"good"}`))
	at := func(commit string) search.Ref { return search.Ref{Commit: commit} }
	for _, tt := range []struct {
		ref  search.Ref
		expr string
		want []string
		err  string
	}{
		{at("c2"), `language == "fr"`, []string{"d/A/1"}, ""},
		{at("c1"), `publication_date >= "2024-01-01"`, []string{}, ""},
		{at("c1"), `not (publication_date >= "2024-01-01")`, []string{"d/A/1"}, ""},
		{at("c1"), `year >= 2000`, []string{}, ""}, // texts here, numbers at the head
		{at("c2"), `year >= 2000`, []string{"d/A/2"}, ""},
		{at("d1"), `publication_date == nil and mood == "good"`, []string{"d/A/3"}, ""},
		{at("c1"), `langauge == "fr"`, nil, `filter: no document has the field at 1:1: did you mean "language"?`},
		{at("c1"), `colour == "red"`, nil, `filter: no document has the field at 1:1: there are "language", "year"`},
		{at("c2"), `mood == "good"`, nil, "no document has the field"}, // another branch's
		{at("c2"), `language > 5`, nil, "mismatched types string and int) at 1:10; language holds texts"},
		{at("c2"), `language ==`, nil, "filter: unexpected token EOF at 1:11"},
		{search.Ref{Commit: "c3", Ancestors: []string{"c2"}}, `mood == "good"`, []string{}, ""},
		{search.Ref{Commit: "c3", Ancestors: []string{"c2"}}, `language > 5 or year > 2000`, []string{"d/A/2"}, ""},
	} {
		got, err := h.filtered(t, tt.ref, tt.expr)
		switch {
		case tt.err == "" && (err != nil || !slices.Equal(got, tt.want)):
			t.Errorf("%v %s: %v, %v, want %v", tt.ref, tt.expr, got, err, tt.want)
		case tt.err != "" && (!errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%v %s: %v, want an error of %q", tt.ref, tt.expr, err, tt.err)
		}
	}
}

// TestFiltersEverywhere: each request that takes a filter keeps to it, together
// with types and ids.
func TestFiltersEverywhere(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	var ops []contract.Op
	for i := range 12 {
		ops = append(ops, withFields(fmt.Sprintf("d/%c/%02d", 'A'+i%2, i), fmt.Sprintf("squid text number %d", i%6), fmt.Sprintf(`{"n":%d}`, i)))
	}
	h.mustPush("main", "", "c1", ops...)
	ref := search.Ref{Commit: "c1"}
	filter := search.Filter{Expr: "n >= 4", Types: []string{"A"}, IDs: []string{"d/A/02", "d/A/04", "d/A/06", "d/B/05", "nosuch"}}
	want := []string{"d/A/04", "d/A/06"}
	check := func(name string, got []string, err error) {
		t.Helper()
		slices.Sort(got)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	page := search.Page{Count: 100}
	ids := func(hits search.Hits) (list []string) {
		for _, hit := range hits.Hits {
			list = append(list, hit.ID)
		}
		return list
	}
	for _, mode := range []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid} {
		hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: ref, Text: "squid", Mode: mode, Options: search.Options{Filter: filter, Page: page}})
		check(string(mode), ids(hits), err)
	}
	hits, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: ref, ID: "d/A/00", Options: search.Options{Filter: filter, Page: page}})
	check("similar", ids(hits), err)
	for _, text := range []string{"squid", "qui"} {
		s, err := h.Suggest(t.Context(), search.SuggestRequest{Domain: domain, Ref: ref, Text: text, Count: 100, Filter: filter})
		var got []string
		for _, hit := range s.Hits {
			got = append(got, hit.ID)
		}
		check("suggest "+text, got, err)
	}
	var got []string
	err = h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: ref, Filter: filter}, func(e *search.Embeddings) error {
		for v, err := range e.Vectors {
			if err != nil {
				return err
			}
			got = append(got, v.ID)
		}
		return nil
	})
	check("embeddings", got, err)
	// Documents i and i+6 have the same text.
	found, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: ref, Set: search.Filter{Expr: "n < 2"}, Target: search.Filter{Expr: "n == 7"}})
	if err != nil || len(found.Pairs) != 1 || found.Pairs[0].A.ID != "d/B/01" || found.Pairs[0].B.ID != "d/B/07" {
		t.Errorf("duplicates: %+v, %v", found, err)
	}
	c, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: ref, K: 1, Set: search.Filter{Expr: "n < 2"}, Target: search.Filter{Expr: "n in [6, 9]"}})
	if err != nil || c.SetDocuments != 2 || c.TargetDocuments != 2 || len(c.SetToTarget) != 1 || c.SetToTarget[0].Partners[0].ID != "d/A/06" {
		t.Errorf("candidates: %+v, %v", c, err)
	}
}

// TestOutputFields: hits bring the fields and the vector that are asked for.
func TestOutputFields(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	h.mustPush("main", "", "c1", withFields("d/A/1", "one text", `{"b":[1,"x"],"a":"é"}`), put("d/A/2", "two text"))
	for _, tt := range []struct {
		names  []string
		fields [2]string
		vector bool
	}{
		{nil, [2]string{"", ""}, false},
		{[]string{"*"}, [2]string{`{"a":"é","b":[1,"x"]}`, "{}"}, false},
		{[]string{"b", "nosuch"}, [2]string{`{"b":[1,"x"]}`, "{}"}, false},
		{[]string{"vector"}, [2]string{"", ""}, true},
		{[]string{"vector", "a"}, [2]string{`{"a":"é"}`, "{}"}, true},
	} {
		hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "one text", Options: search.Options{Page: search.Page{Count: 2}, OutputFields: tt.names}})
		if err != nil || len(hits.Hits) != 2 {
			t.Fatalf("%q: %v, %v", tt.names, hits, err)
		}
		for i, hit := range hits.Hits {
			want := []float32(nil)
			if tt.vector {
				want = indexertest.Vector([]string{"one text", "two text"}[i], 32)
				vector.Normalize(want)
			}
			if string(output(hit).Fields) != tt.fields[i] || !slices.Equal(output(hit).Vector, want) {
				t.Errorf("%q: %s has %s and %v, want %s and %v", tt.names, hit.ID, output(hit).Fields, output(hit).Vector, tt.fields[i], want)
			}
		}
	}
}

// TestFilterSelectionsAreKeptAndCounted: a filter that comes again is not
// evaluated again, and what is kept counts in the pool.
func TestFilterSelectionsAreKeptAndCounted(t *testing.T) {
	src := indexertest.NewSource()
	put, known := make(map[string]string), make(map[string]string)
	for i := range 500 {
		id := fmt.Sprintf("d/A/%03d", i)
		put[id], known[id] = fmt.Sprintf("text %d", i), fmt.Sprintf(`{"n":%d}`, i)
	}
	src.Commit("main", "c1", indexertest.Change{Put: put, Fields: known})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "main")
	ref := search.Ref{Commit: "c1"}
	if _, err := h.filtered(t, ref, "true"); err != nil {
		t.Fatal(err)
	}
	statistics := func() search.Statistics {
		s, err := h.Statistics(domain)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := statistics()
	if _, err := h.filtered(t, ref, "n < 100"); err != nil {
		t.Fatal(err)
	}
	after := statistics()
	if after.SnapshotBytes <= before.SnapshotBytes || after.Opened == before.Opened {
		t.Errorf("a filter is not counted: %+v, %+v", before, after)
	}
	if _, err := h.filtered(t, ref, "n < 100"); err != nil {
		t.Fatal(err)
	}
	if again := statistics(); again.Opened != after.Opened {
		t.Error("the filter was evaluated again")
	}
	if !maps.Equal(src.Documents("c1"), put) {
		t.Error("the source has changed")
	}
}

// TestFieldsOfACommitMadeAnew: what is kept of a commit's fields is not taken
// for those of another one of its name.
func TestFieldsOfACommitMadeAnew(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	for i := range 3 {
		h.mustPush("main", "", "c1", withFields("d/A/1", "one text", fmt.Sprintf(`{"n":%d}`, i)))
		for n := range 3 {
			want := []string{}
			if n == i {
				want = []string{"d/A/1"}
			}
			if got, err := h.filtered(t, search.Ref{Commit: "c1"}, fmt.Sprintf("n == %d", n)); !slices.Equal(got, want) || err != nil {
				t.Errorf("round %d: n == %d finds %v, %v", i, n, got, err)
			}
		}
		if err := h.DeleteDomain(t.Context(), domain, i == 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFieldsSurvive: fields are what they were after an assignment, a fork, a
// restart, the mending of vectors, and the loss of a commit's file.
func TestFieldsSurvive(t *testing.T) {
	src := indexertest.NewSource()
	change := indexertest.Change{Put: make(map[string]string), Fields: make(map[string]string)}
	for i := range 20 {
		id := fmt.Sprintf("d/A/%02d", i)
		change.Put[id] = fmt.Sprintf("text number %d", i)
		change.Fields[id] = fmt.Sprintf(`{"n":%d,"word":"w%d","tags":["t%d"]}`, i%4, i%3, i%2)
	}
	src.Commit("main", "c1", change)
	src.Commit("main", "c2", indexertest.Change{Fields: map[string]string{"d/A/03": `{"n":2,"new":true}`, "d/A/04": `{}`}})
	src.Branch("dev", "c1")
	src.Commit("dev", "d1", indexertest.Change{Put: docs("d/A/05", "another text"), Remove: []string{"d/A/06"}})
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{})
	all := func() {
		t.Helper()
		for _, c := range []string{"c1", "c2", "d1"} {
			sameFields(t, h, c, src)
		}
	}
	h.mustIndex("c1", "main")
	h.mustIndex("c2", "main")
	h.mustIndex("d1", "dev")
	all()
	if err := h.Assign(t.Context(), domain, "main", "c2", "c9"); err != nil {
		t.Fatal(err)
	}
	if got, err := h.filtered(t, search.Ref{Commit: "c9"}, "new"); !slices.Equal(got, []string{"d/A/03"}) || err != nil {
		t.Errorf("at the assigned commit: %v, %v", got, err)
	}
	h.close()

	h = open(t, mem, src, &indexertest.Embedder{})
	all()
	h.close()

	flipVector(t, mem, "text number 3")
	h = open(t, mem, src, &indexertest.Embedder{})
	h.mustIndex("c1", "main") // is mended
	h.mustIndex("c2", "main") // whose file has the vector too: the fields changed there
	all()
	h.close()

	if err := mem.Remove(snapshot.FileName(domain, "c1")); err != nil {
		t.Fatal(err)
	}
	h = open(t, mem, src, &indexertest.Embedder{})
	h.mustIndex("c1", "main")
	all()
}
