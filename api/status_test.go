package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vecstore"
)

// TestHealth checks both probes.
func TestHealth(t *testing.T) {
	e := newEnv(t, withSecret)
	e.err = contract.ErrClosed // liveness asks nobody
	e.get("/health/live").wantBody(t, `{"status":"ok"}`)
	e.get("/health/live/").wantBody(t, `{"status":"ok"}`)
	tests := []struct {
		able   search.Readiness
		status int
		body   string
	}{
		{search.Readiness{Index: true, Search: true}, 200, `{"ready":true,"index":true,"search":true}`},
		{search.Readiness{Index: true}, 200, `{"ready":true,"index":true,"search":false}`},
		{search.Readiness{Search: true}, 200, `{"ready":true,"index":false,"search":true}`},
		{search.Readiness{}, 503, `{"ready":false,"index":false,"search":false}`},
	}
	for _, tt := range tests {
		e.able = tt.able
		got := e.get("/health/ready")
		if got.status != tt.status || got.body != tt.body || (got.status == 503) != (got.header.Get("Retry-After") == "30") {
			t.Errorf("%+v: status %d, %s, Retry-After %q", tt.able, got.status, got.body, got.header.Get("Retry-After"))
		}
	}
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.get("/health/ready").wantBody(t, `{"ready":true,"index":true,"search":false}`)
}

// TestLastIndexed holds wire contract §3.
func TestLastIndexed(t *testing.T) {
	e := newEnv(t)
	e.get("/last-indexed?domain=a/b").wantBody(t, `{"branch":"main","commit":null,"version":0}`)
	e.last(t)
	e.head = search.Head{Branch: "main", Commit: "k7", Version: 12}
	e.get("/last-indexed?domain=a/b").wantBody(t, `{"branch":"main","commit":"k7","version":12}`)
	if got := e.last(t); got != (headCall{"a/b", "main"}) {
		t.Errorf("asked for %v", got)
	}
	for target, branch := range map[string]string{
		"/last-indexed?domain=a/b&branch=dev":                    "dev",
		"/last-indexed?domain=a/b/local/branch/dev":              "dev",
		"/last-indexed?domain=a/b/local/branch/dev&branch=other": "other",
		"/last-indexed?domain=a/b/local/commit/k1":               "main",
	} {
		e.get(target)
		if got := e.last(t); got != (headCall{"a/b", branch}) {
			t.Errorf("%s asked for %v", target, got)
		}
	}
	e.get("/last-indexed").wantError(t, 400, "missing_parameter", "domain")
	e.get("/last-indexed?domain=a/b&branch=.-x").wantError(t, 400, "bad_parameter", "branch")
	e.untouched(t)
	e.err = contract.ErrNotFound
	e.get("/last-indexed?domain=a/b&branch=dev").wantBody(t, `{"branch":"dev","commit":null,"version":0}`)
	e.err = contract.ErrCorrupt
	e.get("/last-indexed?domain=a/b").wantError(t, 500, "damaged")
}

// TestStatistics checks every figure of wire contract §5.
func TestStatistics(t *testing.T) {
	e := newEnv(t)
	e.stats = search.Statistics{
		Domains: 1, Branches: 2, IndexedCommits: 9, Documents: 310, Chunks: 402,
		Usage:    search.Usage{Snapshots: 3, SnapshotBytes: 77, Pages: vecstore.Stats{Free: 1, Loading: 2, Loaded: 3, Cached: 4}},
		Activity: search.Activity{Tasks: 4},
	}
	const counters = `"branches":2,"chunks":402,"documents":310,"domains":1,"indexed_commits":9,`
	const pages = `"pages":{"cached":4,"free":1,"loaded":3,"loading":2},"pending_index_documents":0,"pending_index_fragments":0,`
	e.get("/statistics?domain=a/b&commit=k7&ancestor=k6").wantBody(t, "{"+counters+pages+`"store_clustering":false}`)
	if got := e.last(t); got != statisticsCall("a/b") {
		t.Errorf("asked for %v", got)
	}
	got := e.get("/statistics?domain=")
	if call := e.last(t); call != statisticsCall("") {
		t.Errorf("asked for %v", call)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	internal, _ := body["internal"].(map[string]any)
	if internal["cached_datasets"] != 3.0 || internal["tasks"] != 4.0 || internal["branch_indexes"] != 2.0 {
		t.Errorf("internal %v", internal)
	}
	for _, name := range []string{"pipeline_locks", "domain_guards", "inflight_commits", "pipeline_pending_chunks",
		"pipeline_embedded_chunks", "pipeline_written_chunks", "pipeline_active_tasks", "fresh_open_count",
		"embed_cache_entries", "embed_cache_size_bytes", "lance_index_cache_capacity_bytes", "lance_metadata_cache_capacity_bytes"} {
		if internal[name] != 0.0 {
			t.Errorf("internal.%s = %v, want 0", name, internal[name])
		}
	}
	if body["version"] != "1.2.3" || body["store_clustering"] != nil || body["documents"] != 310.0 {
		t.Errorf("global statistics %s", got.body)
	}
	e.get("/statistics?domain=a").wantError(t, 400, "bad_parameter", "domain")
	e.err, e.stats = contract.ErrNotFound, search.Statistics{}
	if got := e.get("/statistics?domain=a/b"); got.status != 200 {
		t.Errorf("unknown domain: status %d", got.status)
	}
}

func TestCommits(t *testing.T) {
	e := newEnv(t)
	e.get("/commits?domain=a/b/origin").wantBody(t, "[]")
	if got := e.last(t); got != commitsCall("a/b") {
		t.Errorf("asked for %v", got)
	}
	e.infos = []search.CommitInfo{
		{Commit: "k2", Base: "k1", Branch: "main", Kind: "delta", Version: 2, Created: time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC),
			Bytes: 99, Documents: 10, Chunks: 12, Indexed: 3, Deleted: 1, Embedded: 2, Reused: 1, Tokens: 40, Skipped: 2},
		{Commit: "k1", Branch: "main", Kind: "checkpoint", Version: 1},
	}
	e.get("/commits?domain=a/b").wantBody(t, `[{"commit":"k2","base":"k1","branch":"main","kind":"delta","version":2,"created":"2026-11-20T01:02:03Z",`+
		`"bytes":99,"documents":10,"chunks":12,"indexed_documents":3,"deleted":1,"embedded":2,"reused":1,"tokens":40,"skipped":2},`+
		`{"commit":"k1","branch":"main","kind":"checkpoint","version":1,`+
		`"bytes":0,"documents":0,"chunks":0,"indexed_documents":0,"deleted":0,"embedded":0,"reused":0,"tokens":0}]`)
	e.get("/commits").wantError(t, 400, "missing_parameter", "domain")
	e.err = contract.ErrNotFound
	e.get("/commits?domain=a/b").wantError(t, 404, "not_found")
}
