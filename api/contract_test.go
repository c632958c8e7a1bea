package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// readers are the endpoints that answer from a commit: what to send, given the
// parameters that choose it.
var readers = []struct {
	name string
	ask  func(l *live, domain, choice string) reply
}{
	{"search", func(l *live, domain, choice string) reply {
		return l.get("/search?q=anything&count=100&domain=" + domain + choice)
	}},
	{"words", func(l *live, domain, choice string) reply {
		return l.get("/search?mode=fts&q=text&count=100&domain=" + domain + choice)
	}},
	{"similar", func(l *live, domain, choice string) reply {
		return l.get("/similar?text=anything&count=100&domain=" + domain + choice)
	}},
	{"suggest", func(l *live, domain, choice string) reply {
		return l.get("/suggest?q=text&count=100&domain=" + domain + choice)
	}},
	{"duplicates", func(l *live, domain, choice string) reply {
		return l.get("/duplicates?threshold=1&domain=" + domain + choice)
	}},
	{"embeddings", func(l *live, domain, choice string) reply {
		return l.get("/embeddings?domain=" + domain + choice)
	}},
	{"candidates", func(l *live, domain, choice string) reply {
		return l.postJSON("/candidates?domain="+domain+choice, `{"threshold_set":1}`)
	}},
}

// TestServedCommits holds wire contract §2.9 and §2.10 for
// every endpoint that answers from a commit.
func TestServedCommits(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	line := func(id string) string { return inserted("d/A/"+id, "text "+id, "d/A/"+id+"bis", "text "+id) }
	l.mustPush("c1", line("one"))
	l.mustPush("c3", line("three"))
	l.mustPush("f1", line("fork"), "branch", "dev", "parent_commit", "c1")

	const main, dev = "org/db", "org/db/local/branch/dev"
	tests := []struct {
		domain, choice string
		served         string // "" is 404
		has            []string
	}{
		{main, "&commit=c1", "c1", []string{"one"}},
		{main, "&commit=c3", "c3", []string{"one", "three"}},
		{main, "&commit=f1", "f1", []string{"one", "fork"}},
		// Spelled in full, and while the graphspec names another branch.
		{"org/db/local", "&commit=c3", "c3", []string{"one", "three"}},
		{"org/db/local/branch/main", "&commit=c3", "c3", []string{"one", "three"}},
		{dev, "&commit=c3", "c3", []string{"one", "three"}},
		{main, "&branch=main", "c3", []string{"one", "three"}},
		{main, "&branch=dev", "f1", []string{"one", "fork"}},
		{dev, "", "f1", []string{"one", "fork"}},
		{"org/db/local/commit/c1", "", "c1", []string{"one"}},
		{dev, "&branch=main", "c3", []string{"one", "three"}},
		{main, "&branch=dev&commit=c1", "c1", []string{"one"}},
		{main, "&branch=none", "", nil},
		// Not indexed: its nearest indexed ancestor in the window, nothing else.
		{main, "&commit=c2", "", nil},
		{main, "&commit=c2&ancestor=c0", "", nil},
		{main, "&commit=c2&ancestor=c1", "c1", []string{"one"}},
		{main, "&commit=c2&ancestor[]=cx&ancestor[]=c1&ancestor[]=c3", "c1", []string{"one"}},
		{main, "&commit=c2&ancestor=c3&ancestor=c1", "c3", []string{"one", "three"}},
		{"org/none", "&commit=c1", "", nil},
	}
	check := func(ask func(*live, string, string) reply, domain, choice, served string, has []string) {
		t.Helper()
		got := ask(l, domain, choice)
		if served == "" {
			got.wantError(t, 404, "not_found")
			return
		}
		if v := got.header.Get("TerminusDB-Data-Version"); got.status != 200 || v != "commit:"+served {
			t.Errorf("%s%s: status %d, data version %q, want %s: %s", domain, choice, got.status, v, served, got.body)
		}
		for _, id := range []string{"one", "three", "fork"} {
			if found := strings.Contains(got.body, `"d/A/`+id+`"`); found != slices.Contains(has, id) {
				t.Errorf("%s%s: %s is there: %t", domain, choice, id, found)
			}
		}
	}
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			l.t = t
			for _, tt := range tests {
				check(r.ask, tt.domain, tt.choice, tt.served, tt.has)
			}
			if got := r.ask(l, main, ""); got.status != 400 || !strings.Contains(got.body, "commit") {
				t.Errorf("neither commit nor branch: status %d, %s", got.status, got.body)
			}
		})
	}
	l.t = t
	// What was not there is found as soon as it is indexed.
	l.mustPush("c2", "", "branch", "late", "parent_commit", "c1")
	for _, r := range readers {
		check(r.ask, main, "&commit=c2&ancestor=c3", "c2", []string{"one"})
	}
	got := l.postJSON("/search", `{"domain":"org/db","commit":"cx","q":"text","ancestors":["c0","c1","c3"]}`)
	if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:c1" {
		t.Errorf("a window in JSON: %q", v)
	}
	// A version that a client sends changes nothing.
	plain := l.get("/search?domain=org/db&commit=c1&q=text")
	sent := l.do(request{target: "/search?domain=org/db&commit=c1&q=text", header: map[string]string{"Terminusdb-Data-Version": "commit:other"}})
	if sent.body != plain.body {
		t.Errorf("with a data version: %s, without %s", sent.body, plain.body)
	}
}

// TestUnknownThings holds wire contract §2.14, where nothing is
// known, and that asking changes nothing.
func TestUnknownThings(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	for range 2 {
		for _, r := range readers {
			r.ask(l, "no/db", "&commit=c1").wantError(t, 404, "not_found")
			r.ask(l, "no/db", "&branch=main").wantError(t, 404, "not_found")
		}
		l.get("/similar?domain=no/db&commit=c1&id=x").wantError(t, 404, "not_found")
		l.get("/last-indexed?domain=no/db").wantBody(t, `{"branch":"main","commit":null,"version":0}`)
		l.get("/assign?domain=no/db&source_commit=a&target_commit=b").wantError(t, 404, "not_found")
		l.get("/check?task_id=task-0").wantError(t, 404, "not_found")
		if got := l.do(request{method: "DELETE", target: "/domain?domain=no/db"}); got.status != 204 {
			t.Errorf("DELETE /domain: %d", got.status)
		}
		if got := l.do(request{method: "DELETE", target: "/branch-index?domain=no/db&branch=x"}); got.status != 204 {
			t.Errorf("DELETE /branch-index: %d", got.status)
		}
		if got := l.get("/statistics?domain=no/db"); !strings.Contains(got.body, `"domains":0`) || !strings.Contains(got.body, `"documents":0`) {
			t.Errorf("/statistics: %s", got.body)
		}
		if got := l.get("/statistics"); !strings.Contains(got.body, `"domains":0`) {
			t.Errorf("asking has made a domain: %s", got.body)
		}
		if got := l.get("/integrity?domain=no/db"); !strings.Contains(got.body, `"ok":true`) {
			t.Errorf("/integrity: %s", got.body)
		}
	}
	l.mustPush("c1", inserted("d/A/1", "one"))
	l.get("/similar?domain=org/db&commit=c1&id=nobody").wantError(t, 404, "not_found")
	l.get("/search?domain=org/db&commit=c1&q=one&doc_id=nobody&doc_type=None").wantBody(t, "[]")
}

// ids returns the ids of hits, in their order.
func ids(t *testing.T, got reply) []string {
	t.Helper()
	var hits []struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &hits); err != nil || got.status != 200 {
		t.Fatalf("status %d, %v: %s", got.status, err, got.body)
	}
	list := make([]string, len(hits))
	for i, h := range hits {
		list[i] = h.ID
	}
	return list
}

// TestOddIDs: ids are plain values everywhere.
func TestOddIDs(t *testing.T) {
	odd := []string{
		"a/T/it's", `a/T/"quoted"`, "a/T/100%", "a/T/_%", "a/T/*", "a/T/a,b", "a/T/a&b=c", "a/T/ space ", "a/T/\x00", "a/T/\n\r\t\x1f\x7f",
		"a/T/' OR 1=1 --", `a/T/\`, "a/T/日本", "a/T/e\u0301", "a/T/\u00e9", "a/T/\u202e", "a/T/[]", "a/T/{}", "a/T/<x>", "a/T/.", "a/T/..", "T", "/", "a/T/#?;:",
	}
	l := newLive(t, vfstest.NewMem())
	var pairs []string
	for i, id := range odd {
		pairs = append(pairs, id, fmt.Sprintf("text number%d", i))
	}
	l.mustPush("c1", inserted(pairs...))
	all := ids(t, l.get("/search?domain=org/db&commit=c1&q=text&count=1000"))
	if len(all) != len(odd) {
		t.Fatalf("%d of %d ids", len(all), len(odd))
	}
	for i, id := range odd {
		q := url.QueryEscape(id)
		for _, mode := range []string{"vector", "fts", "hybrid"} {
			if got := ids(t, l.get("/search?domain=org/db&commit=c1&q=text&mode="+mode+"&doc_id="+q)); !slices.Equal(got, []string{id}) {
				t.Errorf("%q filtered by %s: %q", id, mode, got)
			}
		}
		if got := ids(t, l.get("/similar?domain=org/db&commit=c1&count=1000&id="+q)); len(got) != len(odd)-1 || slices.Contains(got, id) {
			t.Errorf("%q: %d similar ones", id, len(got))
		}
		body, err := json.Marshal(map[string]any{"domain": "org/db", "commit": "c1", "doc_ids": []string{id}, "stream": true})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.postJSON("/embeddings", string(body)); got.header.Get("X-Total-Count") != "1" {
			t.Errorf("%q: %s vectors", id, got.header.Get("X-Total-Count"))
		}
		line, err := json.Marshal(map[string]string{"op": "Deleted", "id": id})
		if err != nil {
			t.Fatal(err)
		}
		commit := fmt.Sprint("d", i)
		l.mustPush(commit, string(line), "branch", commit, "parent_commit", "c1")
		want := slices.DeleteFunc(slices.Clone(all), func(x string) bool { return x == id })
		got := ids(t, l.get("/search?domain=org/db&q=text&count=1000&commit="+commit))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("without %q: %q", id, got)
		}
	}
}

// TestResults holds the order, the pages, the filters and the older clients' forms
// over a real indexer, before and after a restart.
func TestResults(t *testing.T) {
	files := vfstest.NewMem()
	l := newLive(t, files)
	l.emb.Window = 4
	texts := map[string]string{
		"h/Ship/long": "the fleet waits at the old station and the long way home leads past the moon of ice",
		"h/Ship/de":   "ein Raumschiff aus Holz",
		"h/Ship/ja":   "宇宙船 の 帰還",
	}
	for i := range 25 {
		texts[fmt.Sprintf("h/Droid/%02d", i)] = fmt.Sprintf("droid of series %d", i%7)
	}
	var pairs []string
	for id, text := range texts {
		pairs = append(pairs, id, text)
	}
	l.mustPush("c1", inserted(pairs...))

	const least = "/search?domain=org/db&commit=c1"
	asked := []string{
		least + "&q=droid+of+series+3&count=100&snippet=true",
		least + "&q=droid+series&count=100&mode=vector",
		least + "&q=droid&count=100&mode=fts&snippet=true",
		"/similar?domain=org/db&commit=c1&id=h/Droid/03&count=100",
		"/duplicates?domain=org/db&commit=c1&threshold=0.1",
		"/suggest?domain=org/db&commit=c1&q=dro",
		"/embeddings?domain=org/db&commit=c1",
	}
	answers := make(map[string]string)
	for _, target := range asked {
		got := l.get(target)
		if got.status != 200 {
			t.Fatalf("%s: status %d, %s", target, got.status, got.body)
		}
		answers[target] = got.body
	}

	var hits []struct {
		ID       string
		Distance float64
		Chunk    struct {
			Index, Count int
			Start        int `json:"token_start"`
			Tokens       int `json:"doc_token_len"`
			Location     float64
			Snippet      *string
		}
	}
	for mode, unit := range map[string]bool{"vector": true, "fts": true, "hybrid": false} {
		got := l.get(least + "&q=the+moon+of+ice&count=100&snippet=true&mode=" + mode)
		if err := json.Unmarshal([]byte(got.body), &hits); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for i, h := range hits {
			c := h.Chunk
			if seen[h.ID] || h.Distance < 0 || h.Distance > 1 || c.Index >= c.Count || c.Tokens == 0 ||
				float32(c.Location) != float32(c.Start)/float32(c.Tokens) || c.Snippet == nil || !strings.Contains(texts[h.ID], *c.Snippet) {
				t.Errorf("%s: %+v", mode, h)
			}
			if unit && i > 0 && (h.Distance < hits[i-1].Distance || h.Distance == hits[i-1].Distance && h.ID < hits[i-1].ID) {
				t.Errorf("%s: %s at %v behind %s at %v", mode, h.ID, h.Distance, hits[i-1].ID, hits[i-1].Distance)
			}
			seen[h.ID] = true
		}
		if hits[0].ID != "h/Ship/long" || hits[0].Chunk.Index != 4 || !strings.Contains(*hits[0].Chunk.Snippet, "ice") {
			t.Errorf("%s: the first hit is %+v", mode, hits[0])
		}
		// A page is the part of the whole that it says.
		whole := ids(t, got)
		var pages []string
		for start := 0; start < len(whole); start += 7 {
			page := ids(t, l.get(fmt.Sprintf("%s&q=the+moon+of+ice&mode=%s&start=%d&count=7", least, mode, start)))
			if len(page) != min(7, len(whole)-start) {
				t.Errorf("%s: the page at %d has %d hits", mode, start, len(page))
			}
			pages = append(pages, page...)
		}
		if !slices.Equal(pages, whole) {
			t.Errorf("%s: pages %q, whole %q", mode, pages, whole)
		}
		l.get(least+"&q=moon&start=1000&mode="+mode).wantBody(t, "[]")
	}
	for q, want := range map[string]string{"Raumschiff aus Holz": "h/Ship/de", "宇宙船 の 帰還": "h/Ship/ja"} {
		if got := ids(t, l.get(least+"&count=1&q="+url.QueryEscape(q))); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %q", q, got)
		}
	}
	filtered := ids(t, l.get(least+"&q=droid&count=100&doc_type=Ship&doc_type=None&doc_id=h/Ship/de&doc_id=h/Droid/01"))
	if !slices.Equal(filtered, []string{"h/Ship/de"}) {
		t.Errorf("filtered: %q", filtered)
	}

	// The older forms of requests, and what the newer answer after them.
	raw := l.do(request{method: "POST", target: least, media: "application/x-www-form-urlencoded", body: "droid series"})
	if newer := l.get(least + "&q=droid+series&mode=vector"); raw.body != newer.body {
		t.Errorf("as a raw body %s\nas a parameter %s", raw.body, newer.body)
	}
	if got := ids(t, l.get("/similar?domain=org/db&commit=c1&id=h/Droid/03&include_self=true&count=2")); got[0] != "h/Droid/03" {
		t.Errorf("with itself: %q", got)
	}
	var two [][]string
	if err := json.Unmarshal([]byte(l.get("/duplicates?domain=org/db&commit=c1&format=pairs").body), &two); err != nil || len(two) == 0 || two[0][0] >= two[0][1] {
		t.Errorf("pairs %q, %v", two, err)
	}
	if got := l.get("/assign?domain=org/db&source_commit=c1&target_commit=c2"); got.status != 204 {
		t.Errorf("assign by GET: %d", got.status)
	}
	again := func(name string) {
		t.Helper()
		for target, want := range answers {
			if got := l.get(target); got.body != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", name, target, got.body, want)
			}
		}
	}
	again("asked again")

	// A second server over the same files stands for a restart.
	if err := l.ix.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: l.emb, Renderer: noRenderer{}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.New(api.Config{SearchReady: true}, service.New(ix.Reader, ix)))
	defer func() {
		srv.Close()
		if err := ix.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	l.url = srv.URL
	again("after a restart")
	l.get("/last-indexed?domain=org/db").wantBody(t, `{"branch":"main","commit":"c2","version":2}`)
}
