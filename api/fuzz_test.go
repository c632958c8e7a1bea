package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// fuzzed sends one request to a handler and checks what must hold for every
// request: no 5xx, no panic, a JSON answer, and an indexer that is asked only
// for what it may be asked for.
func fuzzed(t *testing.T, method, target, media, body string) {
	ix := &fake{
		hits: search.Hits{Commit: "k7"}, pairs: pairs.Pairs{Commit: "k7"}, near: pairs.Candidates{Commit: "k7"},
		more: search.Suggestions{Commit: "k7"}, vecs: search.Embeddings{Commit: "k7"},
		task: indexer.Task{State: indexer.TaskPending},
	}
	h := api.New(api.Config{SearchReady: true}, ix)
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	u, err := url.Parse(target)
	if err != nil {
		return
	}
	r.URL = u
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= 500 {
		t.Errorf("%s %s %s %q: status %d, %s", method, target, media, body, w.Code, w.Body)
	}
	if w.Code != http.StatusNoContent && w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
		t.Errorf("answer is not JSON: %s", w.Body)
	}
	conforms(t, r, reply{w.Code, w.Header(), w.Body.String()})
	for _, call := range ix.calls {
		switch q := call.(type) {
		case search.SearchRequest:
			sane(t, q.Domain, q.Ref, q.Page)
			if q.Text == "" && q.Vector == nil || q.Mode == "" || !utf8.ValidString(q.Text) {
				t.Errorf("asked for text %q and vector %v by %q", q.Text, q.Vector, q.Mode)
			}
		case search.SimilarRequest:
			sane(t, q.Domain, q.Ref, q.Page)
			given := 0
			for _, is := range []bool{q.ID != "", len(q.IDs) > 0, q.Text != "", q.Vector != nil} {
				if is {
					given++
				}
			}
			if given != 1 || len(q.IDs) > search.MaxSimilarIDs {
				t.Errorf("asked for the id %q, the ids %q, the text %q and the vector %v", q.ID, q.IDs, q.Text, q.Vector)
			}
		case pairs.DuplicatesRequest:
			sane(t, q.Domain, q.Ref, search.Page{Start: q.Page.Start, Count: max(1, q.Page.Count)})
			if !(q.Threshold >= 0) {
				t.Errorf("asked for threshold %v", q.Threshold)
			}
		case search.SuggestRequest:
			sane(t, q.Domain, q.Ref, search.Page{Count: 1})
			if q.Text == "" || q.Count < 1 {
				t.Errorf("asked for %+v", q)
			}
		case pairs.CandidatesRequest:
			sane(t, q.Domain, q.Ref, search.Page{Count: 1})
			if q.K < 1 || !(q.SetThreshold >= 0 && q.SetThreshold <= 1 && q.TargetThreshold >= 0 && q.TargetThreshold <= 1) {
				t.Errorf("asked for %+v", q)
			}
		case search.EmbeddingsRequest:
			sane(t, q.Domain, q.Ref, search.Page{Count: 1})
		case search.CompareRequest:
			if q.Source == "" || q.Target == "" {
				t.Errorf("asked for %+v", q)
			}
		case indexer.IndexRequest:
			sane(t, q.Domain, search.Ref{Commit: q.Commit}, search.Page{Count: 1})
		}
	}
}

func sane(t *testing.T, domain string, ref search.Ref, page search.Page) {
	org, db, ok := strings.Cut(domain, "/")
	if !ok || org == "" || db == "" || strings.Contains(db, "/") {
		t.Errorf("asked for domain %q", domain)
	}
	if (ref.Commit == "") == (ref.Branch == "") || strings.HasPrefix(ref.Branch, ".-") {
		t.Errorf("asked for %+v", ref)
	}
	for _, name := range append([]string{ref.Commit, ref.Branch, domain}, ref.Ancestors...) {
		if strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
			t.Errorf("asked for the name %q", name)
		}
	}
	if page.Start < 0 || page.Start > search.MaxStart || page.Count < 1 || page.Count > search.MaxCount {
		t.Errorf("asked for %+v", page)
	}
}

func FuzzJSONBody(f *testing.F) {
	for _, seed := range []string{
		`{"domain":"a/b","commit":"k7","q":"squid","count":3,"ancestors":["k6"],"doc_type":["T"],"snippet":true}`,
		`{"domain":"a/b/local/branch/dev","text":"x","start":1e3}`,
		`{"domain":"a/b","commit":"k7","vector":[1,-2.5e-3,null]}`,
		`{"domain":"a/b","commit":"k7","vector_b64":"AACAPw=="}`,
		`{"domain":"a/b","commit":"k7","id":"x","include_self":true,"count":-0,"ef":10}`,
		`{"domain":null,"source_commit":"k1","target_commit":"k2"}`,
		`{"domain":"a/b","commit":"k7","threshold_set":0.1,"k":3,"include":"embeddings","set_doc_types":["T"]}`,
		`{"source":"a","target":"b","method":"embedding","role":"document","doc_ids":["x"],"stream":true}`,
		`{"domain":"a/b","commit":"k7","ids":["x","y"],"format":"safetensors"}`,
		`[]`, `null`, `{"a":`, `{"q":"\ud800"}`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"/search", "/similar", "/index", "/assign", "/search?domain=a/b&commit=k7&q=x", "/candidates", "/compare", "/embeddings"} {
			fuzzed(t, http.MethodPost, target, "application/json", body)
		}
		fuzzed(t, http.MethodPost, "/embeddings", "application/x-ndjson", body)
	})
}

func FuzzQueryString(f *testing.F) {
	for _, seed := range []string{
		"domain=a/b&commit=k7&q=squid&count=3&ancestor[]=k6&ancestor[0]=k5&doc_type=T&snippet=true",
		"domain=a%2Fb%2Flocal%2Fbranch%2Fdev&id=x&include_self=true",
		"domain=a/b&commit=k7&threshold=1e-3&format=pairs&target_doc_id[]=x",
		"domain=a/b&commit=k7&vector_b64=AACAPw",
		"domain=a/b&commit=k7&ids=x&ids[]=y&format=npy&stream=true",
		"domain=a/b&source_commit=k1&target_commit=k2&branch=dev",
		"a=%zz", "a=%ff", "&&=&;", "[]=x&[=y&]=z&a[99999999999]=b", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/search", "/similar", "/duplicates", "/index", "/assign", "/last-indexed", "/check", "/statistics", "/commits", "/suggest", "/embeddings", "/integrity"} {
			fuzzed(t, http.MethodGet, path+"?"+query, "", "")
		}
	})
}
