package api_test

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// scrape returns the values that an exposition text holds, by name and labels, and
// its types, by name. Every line must be one of the format.
func scrape(t *testing.T, text string) (values map[string]float64, types map[string]string) {
	t.Helper()
	values, types = make(map[string]float64), make(map[string]string)
	comment := regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sample := regexp.MustCompile(`^(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?:[a-z]+="[^"]*",?)+\})?) (\S+)$`)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if m := comment.FindStringSubmatch(lines.Text()); m != nil {
			if m[1] == "TYPE" {
				types[m[2]] = m[3]
			}
			continue
		}
		m := sample.FindStringSubmatch(lines.Text())
		if m == nil {
			t.Errorf("no line of the format: %q", lines.Text())
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if _, twice := values[m[1]]; err != nil || twice || types[m[2]] == "" {
			t.Errorf("%q: %v, twice: %t", lines.Text(), err, twice)
		}
		values[m[1]] = v
	}
	return values, types
}

// TestMetrics checks every name of wire contract §5.
func TestMetrics(t *testing.T) {
	f := &fake{stats: search.Statistics{
		Domains: 1, Branches: 2, IndexedCommits: 3, Documents: 4, Chunks: 5, Vectors: 17, VectorBytes: 18,
		Usage: search.Usage{
			Snapshots: 7, SnapshotBytes: 8, Opened: 16, SnapshotLimit: 19, PageLimit: 20,
			Queries: 100, QueryBytes: 200, QueryHits: 21, QueryMisses: 22,
		},
		Activity: search.Activity{
			Tasks: 6, Unfinished: 9, Running: 10, BusyDomains: 11, BusyBranches: 12, Embedding: 13, Embedded: 14, Written: 15,
		},
	}}
	srv := httptest.NewServer(api.NewMetrics(f, nil))
	defer srv.Close()
	get := func(path string) (*http.Response, string) {
		t.Helper()
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	resp, body := get("/metrics")
	if media := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(media, "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %s", resp.StatusCode, media)
	}
	values, types := scrape(t, body)
	want := map[string]float64{
		"domains": 1, "branches": 2, "indexed_commits": 3, "documents": 4, "chunks": 5, "pending_index_fragments": 0, "pending_index_documents": 0,
		"cached_datasets": 7, "tasks": 6, "branch_indexes": 2, "pipeline_locks": 12, "domain_guards": 11, "inflight_commits": 9,
		"pipeline_pending_chunks": 13, "pipeline_embedded_chunks": 14, "pipeline_written_chunks": 15, "pipeline_active_tasks": 10,
		"embed_cache_entries": 117, "embed_cache_size_bytes": 218, "query_cache_entries": 100, "query_cache_size_bytes": 200,
		"query_cache_hits_total": 21, "query_cache_misses_total": 22, "lance_index_cache_capacity_bytes": 19, "lance_metadata_cache_capacity_bytes": 20,
		"fresh_open_count_total": 16, "snapshot_bytes": 8,
	}
	for name, v := range want {
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		if got, ok := values["vectorlink_"+name]; !ok || got != v || types["vectorlink_"+name] != kind {
			t.Errorf("%s: %v (%t), %s; want %v, %s", name, got, ok, types["vectorlink_"+name], v, kind)
		}
	}
	if len(values) != len(want) {
		t.Errorf("%d metrics, want %d", len(values), len(want))
	}
	if resp, _ := get("/search"); resp.StatusCode != 404 {
		t.Errorf("another path: status %d", resp.StatusCode)
	}
	f.err = contract.ErrCorrupt
	if resp, _ := get("/metrics"); resp.StatusCode != 500 {
		t.Errorf("no statistics: status %d, want 500", resp.StatusCode)
	}

	// Over a real indexer, the metrics and /statistics tell the same.
	l := pushed(t)
	live := httptest.NewServer(api.NewMetrics(service.New(l.ix.Reader, l.ix), nil))
	defer live.Close()
	srv.URL = live.URL
	_, body = get("/metrics")
	values, _ = scrape(t, body)
	if values["vectorlink_documents"] != 5 || values["vectorlink_pipeline_written_chunks"] != values["vectorlink_embed_cache_entries"] || values["vectorlink_embed_cache_entries"] == 0 {
		t.Errorf("after a push: %v", slices.Sorted(strings.Lines(body)))
	}
}

// TestWatchMetrics checks the lag of followed branches, the only metrics that
// have labels.
func TestWatchMetrics(t *testing.T) {
	at := time.Date(2026, 11, 20, 1, 2, 3, 250e6, time.UTC)
	w := &lagging{
		{Domain: "a/b", Branch: "fan", Head: "k9", Polled: at},
		{Domain: "a/b", Branch: "main", Head: "k7", Commits: 2, Seconds: 1.5, Polled: at},
		{Domain: "a/c", Error: "the database is away"},
	}
	got := map[string]float64{}
	rec := httptest.NewRecorder()
	api.NewMetrics(&fake{}, w).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	values, types := scrape(t, rec.Body.String())
	for name, v := range values {
		if strings.HasPrefix(name, "vectorlink_watch_") {
			got[name] = v
		} else if strings.Contains(name, "{") {
			t.Errorf("%s has labels", name)
		}
	}
	want := map[string]float64{
		`vectorlink_watch_lag_commits{branch="fan",domain="a/b"}`:  0,
		`vectorlink_watch_lag_seconds{branch="fan",domain="a/b"}`:  0,
		`vectorlink_watch_lag_commits{branch="main",domain="a/b"}`: 2,
		`vectorlink_watch_lag_seconds{branch="main",domain="a/b"}`: 1.5,
		`vectorlink_watch_polled_timestamp_seconds{domain="a/b"}`:  float64(at.UnixMilli()) / 1000,
		`vectorlink_watch_polled_timestamp_seconds{domain="a/c"}`:  0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	for name := range want {
		if name, _, _ = strings.Cut(name, "{"); types[name] != "gauge" {
			t.Errorf("%s is a %q", name, types[name])
		}
	}
}

// lagging is a watcher of these branches.
type lagging []indexer.BranchLag

func (*lagging) Notify(string, string) bool       { return false }
func (l *lagging) Lag(string) []indexer.BranchLag { return *l }
