package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// query is what the plainest search asks for.
func query(change ...func(*search.SearchRequest)) search.SearchRequest {
	r := search.SearchRequest{
		Domain:  "a/b",
		Ref:     search.Ref{Commit: "k7"},
		Text:    "squid",
		Options: search.Options{Page: search.Page{Start: 0, Count: 10}},
		Mode:    search.ModeHybrid,
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// byVector is the mode of a query given as a raw body.
func byVector(r *search.SearchRequest) { r.Mode = search.ModeVector }

// wantAsked compares the last request, taking an empty list for a missing one.
func wantAsked(t *testing.T, got any, want any) {
	t.Helper()
	if fmt.Sprintf("%#v", flat(got)) != fmt.Sprintf("%#v", flat(want)) {
		t.Errorf("asked for\n     %+v\nwant %+v", got, want)
	}
}

func flat(v any) any {
	tidy := func(f *search.Filter, r *search.Ref) {
		f.Types, f.IDs = append([]string{}, f.Types...), append([]string{}, f.IDs...)
		r.Ancestors = append([]string{}, r.Ancestors...)
	}
	switch r := v.(type) {
	case search.SuggestRequest:
		tidy(&r.Filter, &r.Ref)
		return r
	case search.EmbeddingsRequest:
		tidy(&r.Filter, &r.Ref)
		return r
	case pairs.CandidatesRequest:
		tidy(&r.Set, &r.Ref)
		tidy(&r.Target, &r.Ref)
		return r
	case search.SearchRequest:
		tidy(&r.Filter, &r.Ref)
		return r
	case search.SimilarRequest:
		tidy(&r.Filter, &r.Ref)
		return r
	case pairs.DuplicatesRequest:
		tidy(&r.Set, &r.Ref)
		tidy(&r.Target, &r.Ref)
		return r
	}
	return v
}

// TestSearchRequests checks which question each form of request asks.
func TestSearchRequests(t *testing.T) {
	e := newEnv(t)
	post := func(target, body string) request {
		return request{method: "POST", target: target, media: "application/json", body: body}
	}
	get := func(target string) request { return request{target: target} }
	const least = "/search?domain=a/b&commit=k7&q=squid"
	tests := []struct {
		name string
		req  request
		want search.SearchRequest
	}{
		{"least", get(least), query()},
		{"slash", get("/search/?domain=a%2Fb&commit=k7&q=squid"), query()},
		{"mode", get(least + "&mode=vector"), query(byVector)},
		{"words", get(least + "&mode=fts"), query(func(r *search.SearchRequest) { r.Mode = search.ModeText })},
		{"syntax", get(least + "&mode=fts&syntax=query"), query(func(r *search.SearchRequest) { r.Mode, r.Syntax = search.ModeText, search.SyntaxQuery })},
		{"plain", get(least + "&syntax=plain"), query(func(r *search.SearchRequest) { r.Syntax = search.SyntaxPlain })},
		{"syntax in JSON", post("/search", `{"domain":"a/b","commit":"k7","q":"squid","syntax":"query"}`), query(func(r *search.SearchRequest) { r.Syntax = search.SyntaxQuery })},
		{"rank", get(least + "&mode=hybrid&rank=distance"), query(func(r *search.SearchRequest) { r.Rank = search.RankDistance })},
		{"fused rank", get(least + "&rank=rrf"), query(func(r *search.SearchRequest) { r.Rank = search.RankFused })},
		{"brackets", get("/search?domain[]=a/b&commit[0]=k7&q[]=squid"), query()},
		{"page", get(least + "&start=1000000&count=1000"), query(func(r *search.SearchRequest) { r.Page = search.Page{Start: 1000000, Count: 1000} })},
		{"ef", get(least + "&ef=200"), query(func(r *search.SearchRequest) { r.Ef = 200 })},
		{"snippet", get(least + "&snippet=true"), query(func(r *search.SearchRequest) { r.Snippet = true })},
		{"no snippet", get(least + "&snippet=false"), query()},
		{"plus is a space", get("/search?domain=a/b&commit=k7&q=a+b%2Bc"), query(func(r *search.SearchRequest) { r.Text = "a b+c" })},
		{"semicolon", get("/search?domain=a/b&commit=k7&q=a;b"), query(func(r *search.SearchRequest) { r.Text = "a;b" })},

		{"repo", get("/search?domain=a/b/origin&commit=k7&q=squid"), query()},
		{"graphspec's commit", get("/search?domain=a/b/local/commit/k7&q=squid"), query()},
		{"graphspec's branch", get("/search?domain=a/b/local/branch/dev&q=squid"), query(func(r *search.SearchRequest) { r.Ref = search.Ref{Branch: "dev"} })},
		{"branch", get("/search?domain=a/b&branch=dev&q=squid"), query(func(r *search.SearchRequest) { r.Ref = search.Ref{Branch: "dev"} })},
		{"commit over branch", get(least + "&branch=dev"), query()},
		{"commit over graphspec's", get("/search?domain=a/b/local/commit/k1&commit=k7&q=squid"), query()},
		{"branch over graphspec's commit", get("/search?domain=a/b/local/commit/k1&branch=dev&q=squid"), query(func(r *search.SearchRequest) { r.Ref = search.Ref{Branch: "dev"} })},
		{"empty commit", get("/search?domain=a/b&commit=&branch=dev&q=squid"), query(func(r *search.SearchRequest) { r.Ref = search.Ref{Branch: "dev"} })},

		{"ancestors", get(least + "&ancestor=k6&ancestor=k5&ancestor=k4"), query(window)},
		{"ancestors in brackets", get(least + "&ancestor[]=k6&ancestor%5B%5D=k5&ancestor[]=k4"), query(window)},
		{"ancestors with indexes", get(least + "&ancestor[10]=k4&ancestor[1]=k5&ancestor%5B0%5D=k6"), query(window)},
		{"ancestors in all forms", get(least + "&ancestor=k6&ancestor[]=k5&ancestor[0]=k4&ancestor="), query(window)},
		{"ancestors by their JSON name", get(least + "&ancestors=k6&ancestors=k5&ancestor=k4"), query(window)},
		{"ancestors in JSON", post("/search?ancestor=k1", `{"domain":"a/b","commit":"k7","q":"squid","ancestors":["k6","k5","k4"]}`), query(window)},
		{"ancestors of the query", post(least+"&ancestor=k6&ancestor=k5&ancestor=k4", `{"ancestors":null}`), query(window)},

		{"filters", get(least + "&doc_type=T&doc_type[]=U&doc_id=x%00,y&doc_id="), query(func(r *search.SearchRequest) {
			r.Filter = search.Filter{Types: []string{"T", "U"}, IDs: []string{"x\x00,y", ""}}
		})},
		{"filters in JSON", post("/search?doc_id=z", `{"domain":"a/b","commit":"k7","q":"squid","doc_type":["T","U"],"doc_id":"x"}`), query(func(r *search.SearchRequest) {
			r.Filter = search.Filter{Types: []string{"T", "U"}, IDs: []string{"x"}}
		})},
		{"filter of the query", post("/search?doc_id=z", `{"domain":"a/b","commit":"k7","q":"squid"}`), query(func(r *search.SearchRequest) { r.Filter.IDs = []string{"z"} })},
		{"empty filter", post("/search?doc_id=z", `{"domain":"a/b","commit":"k7","q":"squid","doc_id":[]}`), query()},

		{"json", post("/search", `{"domain":"a/b","commit":"k7","q":"squid","count":3,"start":2,"snippet":true,"ef":5,"mode":"vector"}`), query(func(r *search.SearchRequest) {
			r.Page, r.Snippet, r.Ef, r.Mode = search.Page{Start: 2, Count: 3}, true, 5, search.ModeVector
		})},
		{"json over query", post("/search?domain=x/y&commit=k1&q=no&count=3&snippet=true", `{"domain":"a/b","commit":"k7","q":"squid","count":10,"snippet":false}`), query()},
		{"null falls back", post(least+"&count=3", `{"domain":null,"commit":null,"q":null,"count":null}`), query(func(r *search.SearchRequest) { r.Page.Count = 3 })},
		{"other json type", request{method: "POST", target: "/search", media: "application/vnd.x+json; charset=utf-8", body: `{"domain":"a/b","commit":"k7","q":"squid"}`}, query()},

		{"raw", request{method: "POST", target: "/search?domain=a/b&commit=k7", body: "squid"}, query(byVector)},
		{"raw as curl sends it", request{method: "POST", target: "/search?domain=a/b&commit=k7&count=3", media: "application/x-www-form-urlencoded", body: "a+b=c%20&"}, query(func(r *search.SearchRequest) {
			byVector(r)
			r.Text, r.Page.Count = "a+b=c%20&", 3
		})},
		{"raw over query", request{method: "POST", target: least, media: "text/plain", body: "droid\n"}, query(func(r *search.SearchRequest) {
			byVector(r)
			r.Text = "droid\n"
		})},
		{"raw without body", request{method: "POST", target: least}, query(byVector)},
		{"raw of an odd media type", request{method: "POST", target: "/search?domain=a/b&commit=k7", media: "///", body: "squid"}, query(byVector)},

		{"key", request{target: least, header: map[string]string{"VECTORLINK_EMBEDDING_API_KEY": canary}}, query(func(r *search.SearchRequest) { r.CallerKey = contract.NewSecret(canary) })},
		{"other key", request{target: least, header: map[string]string{"X-Embedding-Api-Key": canary}}, query(func(r *search.SearchRequest) { r.CallerKey = contract.NewSecret(canary) })},
		{"canary", get("/search?domain=a/b&commit=k7&q=" + canary), query(func(r *search.SearchRequest) { r.Text = canary })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := e.do(tt.req)
			got.wantBody(t, `[]`)
			wantAsked(t, e.last(t), tt.want)
			if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:k7" {
				t.Errorf("data version %q", v)
			}
		})
	}
}

func window(r *search.SearchRequest) { r.Ref.Ancestors = []string{"k6", "k5", "k4"} }

// TestSearchRefusals checks that a refusal names the parameter.
func TestSearchRefusals(t *testing.T) {
	e := newEnv(t)
	const least = "/search?domain=a/b&commit=k7&q=squid"
	tests := []struct {
		target string
		status int
		code   string
		word   string
	}{
		{"/search?commit=k7&q=x", 400, "missing_parameter", "domain"},
		{"/search?domain=&commit=k7&q=x", 400, "missing_parameter", "domain"},
		{"/search?domain=a&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/b/c/d&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/b/c/x/d&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/..&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=%2e%2e/%2e%2e&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/b&q=x", 400, "missing_parameter", "commit"},
		{"/search?domain=a/b&commit=&branch=&q=x", 400, "missing_parameter", "commit"},
		{"/search?domain=a/b&commit=k%00&q=x", 400, "bad_parameter", "commit"},
		{"/search?domain=a/b&commit=" + strings.Repeat("k", 2000) + "&q=x", 400, "bad_parameter", "commit"},
		{"/search?domain=a/b&branch=.-x&q=x", 400, "bad_parameter", "branch"},
		{"/search?domain=a/b&branch=.-x&commit=k7&q=x", 400, "bad_parameter", "branch"},
		{"/search?domain=a/b&branch=a%0ab&q=x", 400, "bad_parameter", "branch"},
		{"/search?domain=a/b/local/branch/.-x&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/b&commit=k7&ancestor=%07&q=x", 400, "bad_parameter", "ancestor"},
		{"/search?domain=a/b&commit=k7", 400, "missing_parameter", "q"},
		{"/search?domain=a/b&commit=k7&q=", 400, "missing_parameter", "q"},
		{"/search?domain=a/b&domain=a/b&commit=k7&q=x", 400, "bad_parameter", "domain"},
		{"/search?domain=a/b&commit=k7&q=x&q=y", 400, "bad_parameter", "q"},
		{least + "&rank=", 400, "bad_parameter", "rank"},
		{least + "&rank=cosine", 400, "bad_parameter", "rank"},
		{least + "&mode=magic", 400, "bad_parameter", "mode"},
		{least + "&mode=", 400, "bad_parameter", "mode"},
		{least + "&syntax=", 400, "bad_parameter", "syntax"},
		{least + "&syntax=lucene", 400, "bad_parameter", "syntax"},
		{least + "&mode=vector&syntax=query", 400, "bad_parameter", "syntax"},
		{least + "&start=-1", 400, "bad_parameter", "start"},
		{least + "&start=x", 400, "bad_parameter", "start"},
		{least + "&start=1000001", 400, "bad_parameter", "start"},
		{least + "&start=99999999999999999999", 400, "bad_parameter", "start"},
		{least + "&start=1.5", 400, "bad_parameter", "start"},
		{least + "&count=0", 400, "bad_parameter", "count"},
		{least + "&count=1001", 400, "bad_parameter", "count"},
		{least + "&count=", 400, "bad_parameter", "count"},
		{least + "&count=1&count=1", 400, "bad_parameter", "count"},
		{least + "&ef=0", 400, "bad_parameter", "ef"},
		{least + "&ef=10001", 400, "bad_parameter", "ef"},
		{least + "&snippet=True", 400, "bad_parameter", "snippet"},
		{least + "&snippet=1", 400, "bad_parameter", "snippet"},
		{least + "&snippet=", 400, "bad_parameter", "snippet"},
		{least + "&x=%zz", 400, "bad_request", ""},
		{least + "&%zz=x", 400, "bad_request", ""},
		{"/search?domain=a/b&commit=k7&q=%ff", 400, "bad_request", "UTF-8"},
		{least + "&%ff", 400, "bad_request", "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			e.get(tt.target).wantError(t, tt.status, tt.code, tt.word)
			e.untouched(t)
		})
	}
}

func TestSearchBodyRefusals(t *testing.T) {
	e := newEnv(t)
	big := strings.Repeat("x", 2<<20)
	const js = "application/json"
	const target = "/search?domain=a/b&commit=k7&q=x"
	tests := []struct {
		name, media, body string
		status            int
		word              string
	}{
		{"empty json", js, "", 400, ""},
		{"no fields", js, "{}", 200, ""}, // all of them are in the query
		{"cut json", js, `{"q":"x"`, 400, ""},
		{"two objects", js, `{}{}`, 400, ""},
		{"array", js, `[]`, 422, ""},
		{"null", js, `null`, 422, ""},
		{"string", js, `"x"`, 422, ""},
		{"number as text", js, `{"q":7}`, 422, "q"},
		{"text as number", js, `{"count":"3"}`, 422, "count"},
		{"fraction", js, `{"count":1.5}`, 422, "count"},
		{"negative", js, `{"count":-1}`, 400, "count"},
		{"too many", js, `{"count":1001}`, 400, "count"},
		{"huge", js, `{"start":99999999999999999999}`, 400, "start"},
		{"text as flag", js, `{"snippet":"true"}`, 422, "snippet"},
		{"object as list", js, `{"doc_type":{}}`, 422, "doc_type"},
		{"numbers in list", js, `{"doc_type":[1]}`, 422, "doc_type"},
		{"null in list", js, `{"ancestors":[null]}`, 422, "ancestors"},
		{"mode", js, `{"mode":"words"}`, 400, "mode"},
		{"empty q", js, `{"q":""}`, 400, "q"},
		{"not utf-8", js, "{\"q\":\"\xff\"}", 400, "UTF-8"},
		{"too large", js, `{"q":"` + big + `"}`, 413, ""},
		{"deep", js, `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400, ""},
		{"raw not utf-8", "text/plain", "\xff\xfe", 400, "UTF-8"},
		{"raw too large", "text/plain", big[:1<<20+1], 413, ""},
		{"raw at the limit", "text/plain", big[:1<<20], 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := e.do(request{method: "POST", target: target, media: tt.media, body: tt.body})
			if tt.status == 200 {
				got.wantBody(t, "[]")
				e.last(t)
				return
			}
			got.wantError(t, tt.status, "", tt.word)
			e.untouched(t)
		})
	}
	e.postJSON("/search", "{}").wantError(t, 400, "missing_parameter", "domain")
	e.do(request{method: "POST", target: target, media: js, body: "{}", header: map[string]string{"Content-Encoding": "gzip"}}).
		wantError(t, 415, "unsupported_media_type", "Content-Encoding")
}

// TestOrderOfRefusals holds wire contract §2.16: of several mistakes, the first
// of the list is reported.
func TestOrderOfRefusals(t *testing.T) {
	e := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	steps := []struct{ bad, good, word string }{
		{"domain=a", "domain=a/b", "domain"},
		{"branch=.-x", "branch=dev", "branch"},
		{"commit=%00", "commit=k7", "commit"},
		{"q=", "q=x", "q is"},
		{"mode=magic", "mode=vector", "mode"},
		{"count=0", "count=1", "count"},
		{"snippet=x", "snippet=true", "snippet"},
	}
	bad := map[string]string{"TerminusDB-Data-Version": "x"}
	for i := range len(steps) + 1 {
		var parts []string
		for j, s := range steps {
			if j < i {
				parts = append(parts, s.good)
			} else {
				parts = append(parts, s.bad)
			}
		}
		target := "/search?" + strings.Join(parts, "&")
		e.do(request{target: target, header: bad}).wantError(t, 400, "bad_header", "Data-Version")
		if i < len(steps) {
			e.get(target).wantError(t, 400, "", steps[i].word)
		} else {
			e.get(target).wantError(t, 503, "not_ready")
		}
	}
	e.untouched(t)
}

// TestDataVersion holds wire contract §2.6.
func TestDataVersion(t *testing.T) {
	e := newEnv(t)
	tests := map[string]bool{
		"commit:k7":          true, // shorter than the rule, but ours
		"commit:ünder:way":   true,
		"branch:abcdef":      true,
		"abcd:efgh":          true,
		"":                   false,
		"commit":             false,
		"commit:":            false,
		":abcd":              false,
		"abc:efgh":           false,
		"abcd:efg":           false,
		"abcd:efgh:ijkl":     false,
		"abcd:efg\u00fc":     false,
		"abcd efgh":          false,
		"abcd:ef\tgh":        false,
		"branch:abcd:commit": false,
	}
	for _, path := range []string{"/search?q=x", "/similar?id=x"} {
		for value, ok := range tests {
			got := e.do(request{target: path + "&domain=a/b&commit=k7", header: map[string]string{"TerminusDB-Data-Version": value}})
			if ok {
				got.wantBody(t, "[]")
				e.last(t)
			} else {
				got.wantError(t, 400, "bad_header", "Data-Version")
				e.untouched(t)
			}
		}
	}
	// /duplicates never looks.
	if got := e.do(request{target: "/duplicates?domain=a/b&commit=k7", header: map[string]string{"TerminusDB-Data-Version": "x"}}); got.status != 200 {
		t.Errorf("/duplicates: status %d", got.status)
	}
}

var twoHits = []search.Hit{
	{ID: `terminusdb:///star-wars/People/20?a=1&b=<"é">`, Distance: 0.118, Score: 0.75, Found: search.FoundVector | search.FoundWords, Chunk: search.HitChunk{Index: 2, Count: 5, TokenStart: 872, DocTokens: 2101, Snippet: "wise & old"}},
	{ID: "x", Distance: 0, Chunk: search.HitChunk{Count: 1}},
}

// TestHitShape holds wire contract §2.13.
func TestHitShape(t *testing.T) {
	e := newEnv(t)
	e.hits.Hits = twoHits
	const least = "/search?domain=a/b&commit=k7&q=x"
	const first = `{"id":"terminusdb:///star-wars/People/20?a=1&b=<\"é\">","distance":0.118,"score":0.75,"found":"both","chunk":{"index":2,"count":5,"token_start":872,"doc_token_len":2101,"location":0.41504046`
	const second = `{"id":"x","distance":0,"score":0,"found":"vector","chunk":{"index":0,"count":1,"token_start":0,"doc_token_len":0,"location":0`
	plain := "[" + first + "}}," + second + "}}]"
	e.get(least).wantBody(t, plain)
	e.get(least+"&snippet=true").wantBody(t, "["+first+`,"snippet":"wise & old"}},`+second+`,"snippet":""}}]`)
	e.get("/similar?domain=a/b&commit=k7&id=x").wantBody(t, plain)
	e.get("/similar?domain=a/b&commit=k7&text=x").wantBody(t, plain)

	var hits []struct {
		Distance float32
		Chunk    struct{ Location float32 }
	}
	for _, d := range []float32{1e-7, 0.1, 1, 0.5, math.Nextafter32(0.5, 1), 0.33333334} {
		e.hits.Hits = []search.Hit{{ID: "x", Distance: d}}
		if err := json.Unmarshal([]byte(e.get(least).body), &hits); err != nil || hits[0].Distance != d {
			t.Errorf("distance %v became %v, %v", d, hits[0].Distance, err)
		}
	}
	// What cannot be encoded is an error, not half an answer.
	e.hits.Hits = []search.Hit{{ID: "x", Distance: float32(math.NaN())}}
	e.get(least).wantError(t, 500, "internal")
}

// TestServedCommit checks which commit answers name, and what may be kept.
func TestServedCommit(t *testing.T) {
	e := newEnv(t)
	e.hits.Hits = twoHits
	e.pairs.Commit = "k7"
	e.pairs.Pairs = []pairs.Pair{{A: pairs.PairMember{ID: "a"}, B: pairs.PairMember{ID: "b"}}}
	e.more.Commit = "k7"
	e.vecs = someVectors("k7", nil)
	for _, kind := range []struct{ path, accept string }{
		{"/search?q=x&", ""}, {"/similar?id=x&", ""}, {"/similar?ids=x&ids=y&", ""}, {"/similar?text=x&", ""}, {"/suggest?q=x&", ""},
		{"/duplicates?", ""}, {"/duplicates?", "application/x-ndjson"},
		{"/embeddings?", ""}, {"/embeddings?", "application/x-ndjson"}, {"/embeddings?", "application/octet-stream"}, {"/embeddings?", "application/x-npy"},
	} {
		path := kind.path
		ask := func(method, target, match string) reply {
			return e.do(request{method: method, target: target, header: map[string]string{"If-None-Match": match, "Accept": kind.accept}})
		}
		t.Run(path+kind.accept, func(t *testing.T) {
			exact := path + "domain=a/b&commit=k7"
			got := ask("GET", exact, "")
			etag := got.header.Get("ETag")
			if got.status != 200 || !strings.HasPrefix(etag, `"`) || !strings.HasPrefix(got.header.Get("Cache-Control"), "private, max-age=") {
				t.Errorf("explicit commit: status %d, ETag %q, Cache-Control %q", got.status, etag, got.header.Get("Cache-Control"))
			}
			if again := ask("GET", exact, ""); again.header.Get("ETag") != etag {
				t.Errorf("ETag changed from %s to %s", etag, again.header.Get("ETag"))
			}
			for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
				for _, method := range []string{"GET", "HEAD"} {
					got := ask(method, exact, match)
					if got.status != http.StatusNotModified || got.body != "" || got.header.Get("ETag") != etag || got.header.Get("TerminusDB-Data-Version") != "commit:k7" {
						t.Errorf("%s If-None-Match %s: status %d, body %q, header %v", method, match, got.status, got.body, got.header)
					}
				}
			}
			if got := ask("GET", exact, `"other"`); got.status != 200 {
				t.Errorf("other If-None-Match: status %d", got.status)
			}
			if got := ask("GET", path+"domain=a/b/local/commit/k7", ""); got.header.Get("ETag") != etag {
				t.Errorf("commit of the graphspec: ETag %q", got.header.Get("ETag"))
			}
			for name, target := range map[string]string{
				"branch":   path + "domain=a/b&branch=main",
				"stand-in": path + "domain=a/b&commit=k8&ancestor=k7",
			} {
				got := ask("GET", target, etag)
				if got.status != 200 || got.header.Get("ETag") != "" || got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: status %d, ETag %q, Cache-Control %q", name, got.status, got.header.Get("ETag"), got.header.Get("Cache-Control"))
				}
				if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:k7" {
					t.Errorf("%s: data version %q", name, v)
				}
			}
		})
	}
	got := e.do(request{method: "POST", target: "/search?domain=a/b&commit=k7", body: "x", header: map[string]string{"If-None-Match": "*"}})
	if got.status != 200 || got.header.Get("ETag") != "" {
		t.Errorf("POST: status %d, ETag %q", got.status, got.header.Get("ETag"))
	}
}

// TestSearchNotReady: not ready is 503, never an empty list.
func TestSearchNotReady(t *testing.T) {
	e := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	for _, target := range []string{"/search?q=x", "/similar?id=x", "/similar?text=x", "/duplicates?threshold=0"} {
		e.get(target+"&domain=a/b&commit=k7").wantError(t, 503, "not_ready")
	}
	e.untouched(t)
}

// TestLongWindow checks that a window of a thousand ancestors fits a URL.
func TestLongWindow(t *testing.T) {
	e := newEnv(t)
	l, stop := serve(t, e.fake)
	defer stop()
	var want []string
	var target strings.Builder
	target.WriteString("http://" + l + "/search?domain=a/b&commit=k7&q=x")
	for i := range 1000 {
		id := fmt.Sprintf("%040d", i)
		want = append(want, id)
		target.WriteString("&ancestor%5B%5D=" + id)
	}
	resp, err := http.Get(target.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if got := e.last(t).(search.SearchRequest).Ref.Ancestors; !reflect.DeepEqual(got, want) {
		t.Errorf("%d ancestors arrived, or in another order", len(got))
	}
}
