package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSearchesOfOneRequest: several queries get a list of hits each, in order, with
// what is said of the answer as a whole; a mistake names its query.
func TestSearchesOfOneRequest(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("d/A/1", "red apple", "d/A/2", "blue whale"))
	const head = `{"domain":"org/db","commit":"c1","mode":"fts","queries":`
	got := l.postJSON("/search", head+`["apple",{"q":"whale","text":true},{"q":"absent"}]}`)
	var lists [][]struct {
		ID   string
		Text *string
	}
	if err := json.Unmarshal([]byte(got.body), &lists); err != nil {
		t.Fatal(err, got.body)
	}
	if got.status != 200 || len(lists) != 3 || len(lists[0]) != 1 || lists[0][0].ID != "d/A/1" || lists[0][0].Text != nil ||
		len(lists[1]) != 1 || lists[1][0].ID != "d/A/2" || *lists[1][0].Text != "blue whale" || lists[2] == nil || len(lists[2]) != 0 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if c := got.header.Get("TerminusDB-Data-Version"); c != "commit:c1" {
		t.Errorf("served %q", c)
	}
	l.postJSON("/search", head+`[]}`).wantError(t, http.StatusBadRequest, "bad_parameter", "queries")
	l.postJSON("/search", head+`{}}`).wantError(t, http.StatusUnprocessableEntity, "wrong_type", "queries")
	l.postJSON("/search", head+`["apple",7]}`).wantError(t, http.StatusUnprocessableEntity, "wrong_type", "queries[1]")
	l.postJSON("/search", head+`["apple",{"q":"x","mod":"fts"}]}`).wantError(t, http.StatusBadRequest, "unknown_parameter", "queries[1]")
	l.postJSON("/search", head+`["apple",{"q":"x","commit":"c2"}]}`).wantError(t, http.StatusBadRequest, "bad_parameter", "queries[1]")
}

// TestTwoCommits holds the forms of what is answered about two commits, and when it
// may be kept.
func TestTwoCommits(t *testing.T) {
	e := newEnv(t)
	d := float32(0.25)
	e.diff = search.Diff{From: "k6", To: "k7", Changed: 1, Documents: []search.DiffedEntry{{ID: "a", Change: search.Changed, Distance: &d}}}
	got := e.get("/diff?domain=a/b&from=k6&to=k7")
	got.wantBody(t, `{"from":"k6","to":"k7","added":0,"removed":0,"changed":1,"documents":[{"id":"a","change":"changed","distance":0.25}]}`)
	if got.header.Get("ETag") == "" {
		t.Error("an answer about two named commits has no ETag")
	}
	e.searchDiff = search.SearchDiff{From: "k6", To: "k7", Warnings: []string{"careful"}, Hits: []search.DiffedHit{{ID: "a", Change: search.Came, After: &search.Placed{Rank: 1, Distance: 0.5, Score: 2}, Added: true}}}
	got = e.get("/search/diff?domain=a/b&from=main&to=k7&q=x")
	got.wantBody(t, `{"from":"k6","to":"k7","hits":[{"id":"a","change":"came","after":{"rank":1,"distance":0.5,"score":2},"added":true}]}`)
	if got.header.Get("ETag") != "" || got.header.Get("X-Vectorlink-Warning") != "careful" {
		t.Errorf("of a branch: %v", got.header)
	}
	e.documents = search.Documents{Commit: "k7", Total: 3, Documents: []search.ListedDocument{{ID: "a", Chunks: 1}}}
	e.get("/documents?domain=a/b&commit=k7&count=1").wantBody(t, `{"total":3,"documents":[{"id":"a","chunks":1}]}`)
	e.get("/diff?domain=a/b&from=k6").wantError(t, http.StatusBadRequest, "missing_parameter", "to")
	e.get("/search/diff?domain=a/b&from=k6&to=k7").wantError(t, http.StatusBadRequest, "missing_parameter", "q")
	e.get("/search/diff?domain=a/b&from=k6&to=k7&q=x&commit=k7").wantError(t, http.StatusBadRequest, "unknown_parameter", "commit")
	e.get("/search?domain=a/b&commit=k7&q=x&mode=fts&max_distance=0.5").wantError(t, http.StatusBadRequest, "bad_parameter", "max_distance")
	e.get("/search?domain=a/b&commit=k7&q=x&weight=1.5").wantError(t, http.StatusBadRequest, "bad_parameter", "weight")
}

// TestEmbeddingsWithTexts: lines bring texts and fields beside the vectors; other
// forms have no room for them.
func TestEmbeddingsWithTexts(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", `{"op":"Inserted","id":"d/A/1","string":"red apple","fields":{"price":3,"name":"x"}}`+"\n"+inserted("d/A/2", "blue whale"))
	const least = "/embeddings?domain=org/db&commit=c1&texts=true&output_fields=price"
	got := l.get(least + "&format=ndjson")
	lines := strings.Split(strings.TrimSpace(got.body), "\n")
	if got.status != 200 || len(lines) != 2 || !strings.HasSuffix(lines[0], `,"text":"red apple","fields":{"price":3}}`) || !strings.Contains(lines[1], `,"text":"blue whale"`) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if plain := l.get("/embeddings?domain=org/db&commit=c1&format=ndjson"); strings.Contains(plain.body, "apple") || plain.header.Get("ETag") == got.header.Get("ETag") {
		t.Errorf("without texts: %s, ETag %s", plain.body, plain.header.Get("ETag"))
	}
	l.get(least+"&format=npy").wantError(t, http.StatusBadRequest, "bad_parameter", "ndjson")
}
