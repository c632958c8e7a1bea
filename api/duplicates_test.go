package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDuplicates checks the request and the answer of /duplicates.
func TestDuplicates(t *testing.T) {
	e := newEnv(t)
	const least = "/duplicates?domain=a/b&commit=k7"
	base := pairs.DuplicatesRequest{Domain: "a/b", Ref: search.Ref{Commit: "k7"}, Threshold: -1, Pairing: pairs.Pairing{Likeness: pairs.LikenessMixed, MinScore: -1}}
	all := pairs.DuplicatesRequest{
		Domain: "a/b", Ref: search.Ref{Commit: "k7", Ancestors: []string{"k6"}}, Threshold: 0.1,
		Set:    search.Filter{Types: []string{"T"}, IDs: []string{"x"}},
		Target: search.Filter{Types: []string{"U", "V"}, IDs: []string{"y"}},
		Since:  "k5",
		Page:   search.Page{Start: 5, Count: 7}, Snippet: true,
	}
	wide, both := base, base
	wide.Threshold, wide.Pairing = math.MaxFloat32, pairs.Pairing{}
	both.Threshold, both.Pairing = 0.1, pairs.Pairing{
		Likeness: pairs.LikenessTrigrams, Match: pairs.MatchOneToOne, MinScore: 0.25, Same: []string{"ean", "phone"}, Differ: []string{"model"},
	}
	for target, want := range map[string]pairs.DuplicatesRequest{
		least: base,
		least + "&ancestor=k6&threshold=0.1&doc_type=T&doc_id=x&target_doc_type=U&target_doc_type[]=V&target_doc_id=y&since=k5&start=5&count=7&snippet=true": all,
		least + "&threshold=1e300": wide,
		least + "&threshold=0.1&likeness=trigrams&match=one_to_one&min_score=0.25&same=ean,+phone&differ=model&differ=model": both,
	} {
		e.get(target).wantBody(t, "[]")
		wantAsked(t, e.last(t), want)
	}

	// A POST brings decisions that are applied, too.
	post := request{method: "POST", target: least, media: "application/x-ndjson", body: `{"a":"y","b":"x","decision":"same"}` + "\n"}
	besides := base
	besides.Decided.Also = []catalog.Decision{{A: "x", B: "y", Verdict: catalog.DecidedSame}}
	e.do(post).wantBody(t, "[]")
	wantAsked(t, e.last(t), besides)
	post.body = `{"a":"x"}`
	e.do(post).wantError(t, 400, "bad_request", "line 1 is no decision")
	post.media = "application/json"
	e.do(post).wantError(t, 415, "unsupported_media_type")

	e.pairs = pairs.Pairs{Commit: "k6", Pairs: []pairs.Pair{
		{A: pairs.PairMember{ID: "a&", Snippet: "s"}, B: pairs.PairMember{ID: "b"}, Distance: 0.021},
		{A: pairs.PairMember{ID: "a&"}, B: pairs.PairMember{ID: "c"}, Distance: 0.5},
	}}
	const g1, g2 = `{"group":[{"id":"a&"},{"id":"b"}],"distance":0.021}`, `{"group":[{"id":"a&"},{"id":"c"}],"distance":0.5}`
	got := e.get(least)
	got.wantBody(t, "["+g1+","+g2+"]")
	if v := got.header.Get("Vary"); v != "Accept" {
		t.Errorf("Vary %q, want Accept", v)
	}
	if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:k6" {
		t.Errorf("data version %q", v)
	}
	e.get(least+"&format=groups").wantBody(t, "["+g1+","+g2+"]")
	e.get(least+"&format=pairs").wantBody(t, `[["a&","b"],["a&","c"]]`)
	e.get(least+"&snippet=true").wantBody(t, `[{"group":[{"id":"a&","snippet":"s"},{"id":"b","snippet":""}],"distance":0.021},{"group":[{"id":"a&","snippet":""},{"id":"c","snippet":""}],"distance":0.5}]`)

	lines := map[string]string{"Accept": "application/json;q=0.1, Application/X-NDJSON ; q=1"}
	got = e.do(request{target: least, header: lines})
	got.wantBody(t, g1+"\n"+g2+"\n")
	if got.header.Get("Content-Type") != "application/x-ndjson" || got.header.Get("TerminusDB-Data-Version") != "commit:k6" {
		t.Errorf("stream header %v", got.header)
	}
	e.do(request{target: least + "&format=pairs", header: lines}).wantBody(t, "[\"a&\",\"b\"]\n[\"a&\",\"c\"]\n")
	e.pairs.Pairs = nil
	e.do(request{target: least, header: lines}).wantBody(t, "")
}

// TestGroups checks the forms of groups and pairs by likeness.
func TestGroups(t *testing.T) {
	e := newEnv(t)
	const least = "/duplicates?domain=a/b&commit=k7"
	one := pairs.Pair{A: pairs.PairMember{ID: "a"}, B: pairs.PairMember{ID: "b"}, Distance: 0.125,
		Alike: &pairs.Alike{Score: 0.75, Vector: 0.5, Words: 1, Trigrams: 0.25, Margin: -0.5}}
	e.pairs = pairs.Pairs{Commit: "k7", Pairs: []pairs.Pair{one}}
	const pair = `{"group":[{"id":"a"},{"id":"b"}],"distance":0.125,"score":0.75,"vector":0.5,"words":1,"trigrams":0.25,"margin":-0.5}`
	e.get(least+"&match=all").wantBody(t, "["+pair+"]")
	e.do(request{target: least, header: map[string]string{"Accept": "application/x-ndjson"}}).wantBody(t, pair+"\n")
	two := one
	two.B.ID = "c"
	e.pairs.Pairs, e.pairs.Groups = nil, []pairs.Group{{
		Members:  []pairs.PairMember{{ID: "a", Snippet: "x"}, {ID: "b"}, {ID: "c"}},
		Distance: 0.125, Score: 0.5, Representative: "b", Count: 3,
		Pairs: func(yield func(pairs.Pair, error) bool) { _ = yield(one, nil) && yield(two, nil) },
	}}
	rest := `"distance":0.125,"mean_score":0.5,"representative":"b","pairs":[` + pair + "," + strings.Replace(pair, `"b"`, `"c"`, 1) + `],"pair_count":3}]`
	e.get(least).wantBody(t, `[{"group":[{"id":"a"},{"id":"b"},{"id":"c"}],`+rest)
	e.get(least+"&snippet=true").wantBody(t, `[{"group":[{"id":"a","snippet":"x"},{"id":"b","snippet":""},{"id":"c","snippet":""}],`+rest)
	e.get(least+"&format=pairs").wantBody(t, `[["a","b"],["a","c"]]`)
}

func TestDuplicatesRefusals(t *testing.T) {
	e := newEnv(t)
	const least = "/duplicates?domain=a/b&commit=k7"
	for target, word := range map[string]string{
		"/duplicates?commit=k7":            "domain",
		"/duplicates?domain=a/b":           "commit",
		least + "&threshold=-0.1":          "threshold",
		least + "&threshold=NaN":           "threshold",
		least + "&threshold=Inf":           "threshold",
		least + "&threshold=1e999":         "threshold",
		least + "&threshold=0x1p-2":        "threshold",
		least + "&threshold=":              "threshold",
		least + "&threshold=1&threshold=1": "threshold",
		least + "&since=%00":               "since",
		least + "&count=0":                 "count",
		least + "&count=1001":              "count",
		least + "&start=-1":                "start",
		least + "&likeness=cosine":         "likeness",
		least + "&match=best":              "match",
		least + "&min_score=1.5":           "min_score",
		least + "&min_score=-1":            "min_score",
		least + "&threshold=0&match=all":   "likeness",
		least + "&threshold=0&same=ean":    "likeness",
		least + "&format=xml":              "format",
		least + "&snippet=yes":             "snippet",
	} {
		e.get(target).wantError(t, 400, "", word)
	}
	e.untouched(t)
}

// TestStreamBreaks checks that a stream which fails half way does not look
// whole.
func TestStreamBreaks(t *testing.T) {
	e := newEnv(t)
	e.pairs.Pairs = slices.Repeat([]pairs.Pair{{A: pairs.PairMember{ID: "a"}, B: pairs.PairMember{ID: "b"}}}, 10_000)
	e.pairsErr = errors.New("broken")
	req, err := http.NewRequest(http.MethodGet, e.url+"/duplicates?domain=a/b&commit=k7", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		defer resp.Body.Close()
		var v any
		dec := json.NewDecoder(resp.Body)
		for err == nil {
			err = dec.Decode(&v)
		}
		if err == io.EOF {
			t.Error("the stream ended as if it were whole")
		}
	}
	// What fails before anything has left is an error like any.
	e.pairs.Pairs = nil
	got := e.do(request{target: "/duplicates?domain=a/b&commit=k7", header: map[string]string{"Accept": "application/x-ndjson"}})
	got.wantError(t, 500, "internal")
	if got.header.Get("ETag") != "" {
		t.Errorf("an error has the tag of an answer: %v", got.header)
	}
}

// TestAcceptWeights checks that the form of an answer is the one of the most weight.
func TestAcceptWeights(t *testing.T) {
	for accept, want := range map[string]string{
		"application/x-ndjson":                            "application/x-ndjson",
		"application/json, Application/X-NDJSON; q=0.1":   "application/json",
		"application/json;q=0.1, Application/X-NDJSON":    "application/x-ndjson",
		"application/json, application/x-ndjson":          "application/json",
		"application/x-ndjson, application/json":          "application/json",
		"application/x-ndjson;q=0.5, application/*;q=0.4": "application/x-ndjson",
		"application/x-ndjson;q=0.5, */*;q=0.8":           "application/json",
		"application/x-ndjson, */*":                       "application/x-ndjson",
		"*/*":                                             "application/json",
		"application/*":                                   "application/json",
		"application/x-ndjson;q=0, application/json":      "application/json",
		"application/x-ndjson; v=1; Q=0.000, */*":         "application/json",
		"application/json;q=0, */*":                       "application/x-ndjson",
		"application/x-ndjson;q=nonsense":                 "application/x-ndjson",
		"application/x-ndjson-extended, application/pdf":  "application/json",
	} {
		got := newEnv(t).do(request{target: "/duplicates?domain=a/b&commit=k7", header: map[string]string{"Accept": accept}})
		if media := got.header.Get("Content-Type"); got.status != 200 || media != want {
			t.Errorf("Accept %q: %d %s, want 200 %s", accept, got.status, media, want)
		}
	}
}

// TestDuplicatesLimits checks that whoever meets the limit of pairs is told of the form
// that has none. It takes long.
func TestDuplicatesLimits(t *testing.T) {
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("VECTORLINK_LONG is not set")
	}
	l := newLive(t, vfstest.NewMem())
	var body strings.Builder
	for i := range 21_000 {
		fmt.Fprintf(&body, `{"op":"Inserted","id":"d/A/%d","string":"x%d","vector":[%d,1]}`+"\n", i, i, i)
	}
	push := func(commit, body string, params ...string) {
		t.Helper()
		if got := l.do(request{method: "POST", target: target(commit, append(params, "dim", "2", "strict", "true")...), body: body}); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	push("c1", body.String())
	if got := l.get("/duplicates?domain=org/db&commit=c1&threshold=0.1&count=1"); !strings.Contains(got.header.Get("X-Vectorlink-Warning"), "10000 pairs") {
		t.Errorf("%d %v", got.status, got.header)
	}
}
