package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSuggest checks the request and the answer of /suggest.
func TestSuggest(t *testing.T) {
	e := newEnv(t)
	e.more.Commit = "k7"
	const least = "/suggest?domain=a/b&commit=k7&q=hyper"
	for target, want := range map[string]search.SuggestRequest{
		least: {Domain: "a/b", Ref: search.Ref{Commit: "k7"}, Text: "hyper", Count: 11},
		"/suggest?domain=a/b/local/branch/dev&q=a%20b&count=500&doc_type=T&doc_type[]=U&doc_id=x": {
			Domain: "a/b", Ref: search.Ref{Branch: "dev"}, Text: "a b", Count: 500,
			Filter: search.Filter{Types: []string{"T", "U"}, IDs: []string{"x"}},
		},
		least + "&ancestor=k6&ancestor=k5&count=1": {
			Domain: "a/b", Ref: search.Ref{Commit: "k7", Ancestors: []string{"k6", "k5"}}, Text: "hyper", Count: 1,
		},
	} {
		e.get(target).wantBody(t, `{"served_commit":"k7","total_approx":0,"completions":[],"hits":[]}`)
		wantAsked(t, e.last(t), want)
	}
	e.more = search.Suggestions{Commit: "k6", Total: 2, Completions: []string{"hyper&", "hyper drive"}, Hits: []search.Suggestion{
		{ID: "a", Distance: 0.25, Snippet: "the hyper drive", Start: 4, End: 9, NextWords: []string{"drive"}},
		{ID: "b", Distance: 0.5, Snippet: "hyper", Start: 0, End: 5},
		{ID: "c", Distance: 0.5, Snippet: "other"},
	}}
	got := e.get(least)
	got.wantBody(t, `{"served_commit":"k6","total_approx":2,"completions":["hyper&","hyper drive"],"hits":[`+
		`{"id":"a","distance":0.25,"snippet":"the hyper drive","match_start":4,"match_end":9,"next_words":["drive"]},`+
		`{"id":"b","distance":0.5,"snippet":"hyper","match_start":0,"match_end":5},`+
		`{"id":"c","distance":0.5,"snippet":"other"}]}`)
	if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:k6" {
		t.Errorf("data version %q", v)
	}
	e.last(t)
	for target, word := range map[string]string{
		"/suggest?commit=k7&q=x":       "domain",
		"/suggest?domain=a/b&q=x":      "commit",
		"/suggest?domain=a/b&commit=k": "q",
		least + "&q=":                  "q",
		least + "&count=0":             "count",
		least + "&count=-1":            "count",
		least + "&count=x":             "count",
	} {
		e.get(target).wantError(t, 400, "", word)
	}
	e.do(request{target: least, header: map[string]string{"Terminusdb-Data-Version": "x"}}).wantError(t, 400, "bad_header", "Data-Version")
	e.untouched(t)
	e.err = contract.ErrNotFound
	e.get(least).wantError(t, 404, "not_found")
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.get(least).wantError(t, 503, "not_ready")
	off.untouched(t)
}

// pushed is a live server with one commit, k1, of a few documents.
func pushed(t *testing.T) *live {
	t.Helper()
	l := newLive(t, vfstest.NewMem())
	l.emb.Window = 6
	l.pushed("k1", inserted(
		"terminusdb:///holonet/Part/1", "the hyperdrive motivator failed",
		"terminusdb:///holonet/Part/2", "a hyperdrive motivator of the old kind, spare and well kept",
		"terminusdb:///holonet/Ship/1", "freighter with a fast engine",
		"terminusdb:///holonet/Ship/2", "freighter with a fast engine",
		"terminusdb:///holonet/Ship/3", "a tiny moon <&>",
	))
	return l
}

// pushed pushes a commit to a/b and waits for its end.
func (l *live) pushed(commit, body string) {
	l.t.Helper()
	got := l.do(request{method: "POST", target: "/push?stream=true&domain=a/b&target_commit=" + commit, media: "application/x-ndjson", body: body})
	if got.status != 200 || !strings.Contains(got.body, `"status":"complete"`) {
		l.t.Fatalf("push %s: status %d, %s", commit, got.status, got.body)
	}
}

// TestSuggestLive asks a real indexer.
func TestSuggestLive(t *testing.T) {
	l := pushed(t)
	var body struct {
		Completions []string
		Hits        []struct {
			Snippet string
			Start   int `json:"match_start"`
			End     int `json:"match_end"`
		}
	}
	got := l.get("/suggest?domain=a/b&commit=k1&q=" + url.QueryEscape("HYPERDRIVE mot"))
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Hits) != 2 {
		t.Fatalf("%v: %s", err, got.body)
	}
	for _, h := range body.Hits {
		if cut := h.Snippet[h.Start:h.End]; cut != "hyperdrive motivator" {
			t.Errorf("cut %q", cut)
		}
	}
	if body.Completions[len(body.Completions)-1] == "" || !strings.HasPrefix(body.Completions[0], "hyperdrive motivator") {
		t.Errorf("completions %q", body.Completions)
	}
}
