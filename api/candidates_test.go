package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// TestCandidates checks the request and the answer of /candidates.
func TestCandidates(t *testing.T) {
	e := newEnv(t)
	ref := search.Ref{Commit: "k7"}
	least := pairs.CandidatesRequest{Domain: "a/b", Ref: ref, SetThreshold: 0.25, TargetThreshold: 0.25, K: 5}
	wide := pairs.CandidatesRequest{
		Domain: "a/b", Ref: search.Ref{Commit: "k7", Ancestors: []string{"k6"}}, SetThreshold: 0, TargetThreshold: 1, K: 7,
		Set: search.Filter{Types: []string{"T"}, IDs: []string{"x"}}, Target: search.Filter{Types: []string{"U"}, IDs: []string{"y"}},
		Vectors: true, Content: true,
	}
	alike := pairs.CandidatesRequest{Domain: "a/b", Ref: ref, SetThreshold: -1, TargetThreshold: -1, K: 5, Target: search.Filter{Types: []string{"U"}},
		Pairing: pairs.Pairing{Likeness: pairs.LikenessMixed, MinScore: -1}}
	inOne := pairs.CandidatesRequest{Domain: "a/b", Ref: ref, SetThreshold: -1, TargetThreshold: -1, K: 5,
		Pairing: pairs.Pairing{Likeness: pairs.LikenessWords, Match: pairs.MatchAll, MinScore: 0.5, Differ: []string{"model"}}}
	branch := least
	branch.Ref = search.Ref{Branch: "dev"}
	const nothing = `{"set_to_target":{},"target_to_set":{},"stats":`
	for _, tt := range []struct {
		target, body string
		want         pairs.CandidatesRequest
	}{
		{"/candidates", `{"domain":"a/b","commit":"k7","threshold_set":0.25}`, least},
		{"/candidates?domain=a/b&commit=k7&threshold_set=0.25", `{}`, least},
		{"/candidates", `{"domain":"a/b","branch":"dev","threshold_set":2.5e-1,"threshold_target":null,"include":null,"k":null}`, branch},
		{"/candidates", `{"domain":"a/b","commit":"k7","target_doc_types":["U"]}`, alike},
		{"/candidates", `{"domain":"a/b","commit":"k7","likeness":"words","match":"all","min_score":0.5,"differ":["model"]}`, inOne},
		{"/candidates", `{"domain":"a/b","commit":"k7","threshold_set":0,"threshold_target":1,"k":7,"set_doc_types":["T"],"set_doc_ids":["x"],
			"target_doc_types":["U"],"target_doc_ids":["y"],"include":"embeddings, content","ancestors":["k6"]}`, wide},
	} {
		got := e.postJSON(tt.target, tt.body)
		if got.status != 200 || !strings.HasPrefix(got.body, nothing) {
			t.Errorf("%s %s: status %d, %s", tt.target, tt.body, got.status, got.body)
		}
		wantAsked(t, e.last(t), tt.want)
	}
	e.near = pairs.Candidates{
		Commit: "k6", SetDocuments: 4, TargetDocuments: 3,
		SetToTarget: []pairs.CandidateList{
			{ID: "a&", Partners: []pairs.Candidate{{ID: "b", Distance: 0.125}, {ID: "c", Distance: 0.25}}},
			{ID: "z", Partners: []pairs.Candidate{{ID: "c", Distance: 0.5}}},
		},
		TargetToSet: []pairs.CandidateList{{ID: "b", Partners: []pairs.Candidate{{ID: "a&", Distance: 0.125}}}},
		Documents: map[string]pairs.CandidateDocument{
			"a&": {Vector: []float32{1, 0}, Content: "first"}, "b": {Vector: []float32{0, 1}, Content: "<second>"}, "c": {Vector: []float32{0.5, -0.5}},
		},
	}
	stats := func(body string) string { // without the time it took
		t.Helper()
		var v struct{ Stats map[string]any }
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if ms, ok := v.Stats["elapsed_ms"].(float64); !ok || ms < 0 {
			t.Errorf("elapsed_ms %v", v.Stats["elapsed_ms"])
		}
		delete(v.Stats, "elapsed_ms")
		before, _, _ := strings.Cut(body, `,"stats"`)
		return before + fmt.Sprint(v.Stats)
	}
	const counts = "map[set_points:4 set_to_target_edges:3 store_clustering:false target_points:3 target_to_set_edges:1]"
	got := e.postJSON("/candidates", `{"domain":"a/b","commit":"k7","threshold_set":0.25}`)
	if g, w := stats(got.body), `{"set_to_target":{"a&":[{"id":"b","distance":0.125},{"id":"c","distance":0.25}],"z":[{"id":"c","distance":0.5}]},`+
		`"target_to_set":{"b":[{"id":"a&","distance":0.125}]}`+counts; g != w {
		t.Errorf("body\n got %s\nwant %s", g, w)
	}
	if v := got.header.Get("TerminusDB-Data-Version"); v != "commit:k6" {
		t.Errorf("data version %q", v)
	}
	e.near.TargetToSet[0].Partners[0].Alike = &pairs.Alike{Score: 0.5, Vector: 1, Words: 0.25, Trigrams: 0.25, Margin: 0.125}
	got = e.postJSON("/candidates", `{"domain":"a/b","commit":"k7","threshold_set":0.25,"include":"content,embeddings"}`)
	if g, w := stats(got.body), `{"set_to_target":{"a&":[{"id":"b","distance":0.125,"embedding":[0,1],"content":"<second>"},{"id":"c","distance":0.25,"embedding":[0.5,-0.5],"content":""}],`+
		`"z":[{"id":"c","distance":0.5,"embedding":[0.5,-0.5],"content":""}]},`+
		`"target_to_set":{"b":[{"id":"a&","distance":0.125,"score":0.5,"vector":1,"words":0.25,"trigrams":0.25,"margin":0.125,"embedding":[1,0],"content":"first"}]}`+counts; g != w {
		t.Errorf("body\n got %s\nwant %s", g, w)
	}
}

func TestCandidatesRefusals(t *testing.T) {
	e := newEnv(t)
	for _, tt := range []struct {
		body   string
		status int
		word   string
	}{
		{``, 400, "JSON"},
		{`{}`, 400, "domain"},
		{`{"domain":"a/b","threshold_set":0.1}`, 400, "commit"},
		{`{"domain":"a/b","commit":"k7"}`, 400, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":null}`, 400, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"match":"mutual"}`, 400, "likeness"},
		{`{"domain":"a/b","commit":"k7","min_score":2}`, 400, "min_score"},
		{`{"domain":"a/b","commit":"k7","threshold_set":-0.1}`, 400, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":1e999}`, 400, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":"0.1"}`, 422, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":{}}`, 422, "threshold_set"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"threshold_target":-2}`, 400, "threshold_target"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"k":0}`, 400, "k"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"k":1.5}`, 422, "k"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"include":"vectors"}`, 400, "include"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"include":7}`, 422, "include"},
		{`{"domain":"a/b","commit":"k7","threshold_set":0.1,"set_doc_types":[7]}`, 422, "set_doc_types"},
	} {
		e.postJSON("/candidates", tt.body).wantError(t, tt.status, "", tt.word)
	}
	for _, query := range []string{"NaN", "Inf", "0x1p-2", "", "x"} {
		e.postJSON("/candidates?domain=a/b&commit=k7&threshold_set="+query, `{}`).wantError(t, 400, "", "threshold_set")
	}
	e.do(request{method: "POST", target: "/candidates", media: "text/plain", body: `{}`}).wantError(t, 415, "unsupported_media_type")
	e.untouched(t)
	e.err = fmt.Errorf("%w: more than 50000 chunks", contract.ErrInvalid)
	e.postJSON("/candidates", `{"domain":"a/b","commit":"k7","threshold_set":1}`).wantError(t, 400, "invalid_request", "50000")
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.postJSON("/candidates", `{"domain":"a/b","commit":"k7","threshold_set":1}`).wantError(t, 503, "not_ready")
}

// TestCandidatesLive asks a real indexer.
func TestCandidatesLive(t *testing.T) {
	l := pushed(t)
	got := l.postJSON("/candidates", `{"domain":"a/b","commit":"k9","ancestors":["k1"],"threshold_set":0.2,"threshold_target":0,"set_doc_types":["Ship"]}`)
	const ships = `"terminusdb:///holonet/Ship/1":[{"id":"terminusdb:///holonet/Ship/2","distance":0}]`
	if got.status != 200 || !strings.Contains(got.body, `{"set_to_target":{`+ships) || !strings.Contains(got.body, `"target_to_set":{`+ships) ||
		!strings.Contains(got.body, `"set_points":3,"target_points":3`) || got.header.Get("TerminusDB-Data-Version") != "commit:k1" {
		t.Errorf("status %d, %s", got.status, got.body)
	}
}

// TestCompare checks the request and the answer of /compare.
func TestCompare(t *testing.T) {
	e := newEnv(t)
	e.dist = 0.125
	for role, want := range map[string]struct {
		source, target contract.Role
		body           string
	}{
		"":                     {contract.RoleQuery, contract.RoleDocument, `"source_role":"query","target_role":"document"}`},
		"&role=query":          {contract.RoleQuery, contract.RoleDocument, `"source_role":"query","target_role":"document"}`},
		"&role=document":       {contract.RoleDocument, contract.RoleDocument, `"source_role":"document","target_role":"document"}`},
		"&role=clustering":     {contract.RoleClustering, contract.RoleClustering, `"source_role":"clustering","target_role":"clustering"}`},
		"&role=classification": {contract.RoleClassification, contract.RoleClassification, `"source_role":"classification","target_role":"classification"}`},
	} {
		got := e.do(request{method: "POST", target: "/compare?method=embedding" + role, media: "application/json",
			body: `{"source":"X-wing ` + canary + `","target":"Y-wing"}`, header: map[string]string{"X-Embedding-Api-Key": canary}})
		got.wantBody(t, `{"distance":0.125,`+want.body)
		wantAsked(t, e.last(t), search.CompareRequest{
			Source: "X-wing " + canary, Target: "Y-wing", SourceRole: want.source, TargetRole: want.target, CallerKey: contract.NewSecret(canary),
		})
	}
	for _, tt := range []struct {
		query, body string
		status      int
		word        string
	}{
		{"", `{"source":"a","target":"b"}`, 400, "method"},
		{"?method=", `{"source":"a","target":"b"}`, 400, "method"},
		{"?method=jaccard", `{"source":"a","target":"b"}`, 400, "unsupported method \"jaccard\": it must be embedding"},
		{"?method=embedding&role=all", `{"source":"a","target":"b"}`, 400, "role"},
		{"?method=embedding", `{"target":"b"}`, 400, "source"},
		{"?method=embedding", `{"source":"","target":"b"}`, 400, "source"},
		{"?method=embedding", `{"source":"a"}`, 400, "target"},
		{"?method=embedding", `{"source":1,"target":"b"}`, 422, "source"},
		{"?method=embedding", ``, 400, "JSON"},
	} {
		e.postJSON("/compare"+tt.query, tt.body).wantError(t, tt.status, "", tt.word)
	}
	e.untouched(t)
	e.err = fmt.Errorf("%w: down", contract.ErrProvider)
	e.postJSON("/compare?method=embedding", `{"source":"a","target":"b"}`).wantError(t, 500, "provider_failed")
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.postJSON("/compare?method=embedding", `{"source":"a","target":"b"}`).wantError(t, 503, "not_ready")
	off.untouched(t)
	off.postJSON("/compare?method=embedding", `{"source":"a","target":"a"}`).wantBody(t, `{"distance":0,"source_role":"query","target_role":"document"}`)
}
