package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/testdata/starwars"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
	"github.com/vectorlink/vectorlink/workshop"
)

// judge is a search whose answer is known.
type judge struct {
	Q      string          `json:"q"`
	Expect starwars.Expect `json:"expect"`
}

func readJudges(t *testing.T) []judge {
	t.Helper()
	data, err := os.ReadFile("../../testdata/starwars/suggest_queries.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []judge
	if err := json.Unmarshal(data, &list); err != nil || len(list) != 20 {
		t.Fatalf("%d queries, %v; want 20", len(list), err)
	}
	return list
}

// bare takes the pairs out of schema objects.
func bare(t *testing.T, list []json.RawMessage) []json.RawMessage {
	t.Helper()
	out := make([]json.RawMessage, len(list))
	for i, raw := range list {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatal(err)
		}
		delete(object, "@metadata")
		var err error
		if out[i], err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestSuggestedPairs holds the suggested pairs of the demo's classes against the
// hand-written ones, with the built-in model: of twenty queries they must find
// at least as many in the first three hits.
func TestSuggestedPairs(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds some hundred documents")
	}
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	db := minidb.New(minidb.Config{Now: demoClock()})
	srv := httptest.NewServer(db)
	defer srv.Close()
	client, err := docdb.NewClient(docdb.Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	list := steps(data)
	list = slices.DeleteFunc(list, func(s minidb.Step) bool { return s.Branch != "main" })
	hand := list[len(list)-1].Name
	ids, err := db.Load("admin/hand", minidb.Prefixes{Base: starwars.Base}, list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i].Schema = bare(t, list[i].Schema)
	}
	list = slices.DeleteFunc(list, func(s minidb.Step) bool { return s.Name == hand }) // it only changes a template
	bareIDs, err := db.Load("admin/suggested", minidb.Prefixes{Base: starwars.Base}, list)
	if err != nil {
		t.Fatal(err)
	}
	described, err := workshop.Open(t.Context(), client, "admin/suggested", bareIDs[list[len(list)-1].Name])
	if err != nil {
		t.Fatal(err)
	}
	suggestions, err := described.Suggest(func(c *workshop.Class) bool { return described.Pair(c.Name) == nil })
	if err != nil {
		t.Fatal(err)
	}
	var schema []json.RawMessage
	for _, s := range suggestions {
		t.Logf("%s\n%s\n%s", s.Class, s.Pair.Query, s.Pair.Template)
		schema = append(schema, s.Object)
	}
	suggested, err := db.Commit("admin/suggested", minidb.Change{Branch: "main", Author: "a", Message: "m", Schema: schema})
	if err != nil {
		t.Fatal(err)
	}

	local, err := embed.Local(0)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Source: client, Embedder: local, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := ix.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	found := func(domain, commit string) map[string]bool {
		t.Helper()
		task, err := ix.IndexNow(t.Context(), indexer.IndexRequest{Domain: domain, Commit: commit})
		if err != nil || task.State != indexer.TaskComplete || len(task.Skipped) > 0 || task.Documents != 260 {
			t.Fatalf("index %s: %+v, %v", domain, task, err)
		}
		hits := make(map[string]bool)
		for _, q := range readJudges(t) {
			res, err := ix.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Text: q.Q, Options: search.Options{Page: search.Page{Count: q.Expect.Within}}})
			if err != nil {
				t.Fatal(err)
			}
			hits[q.Q] = slices.ContainsFunc(res.Hits, func(h search.Hit) bool { return h.ID == q.Expect.ID })
		}
		return hits
	}
	count := func(hits map[string]bool) (n int) {
		for hit := range maps.Values(hits) {
			if hit {
				n++
			}
		}
		return n
	}
	byHand, bySuggestion := found("admin/hand", ids[hand]), found("admin/suggested", suggested)
	for q, hit := range byHand {
		if hit != bySuggestion[q] {
			t.Logf("%q: by hand %t, suggested %t", q, hit, bySuggestion[q])
		}
	}
	t.Logf("of 20 queries the hand-written pairs find %d, the suggested ones %d", count(byHand), count(bySuggestion))
	if count(bySuggestion) < count(byHand) {
		t.Errorf("the suggested pairs find %d of 20, the hand-written ones %d", count(bySuggestion), count(byHand))
	}
}
