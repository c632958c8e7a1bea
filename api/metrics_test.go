package api_test

import (
	"bufio"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
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
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// scrape returns the values that an exposition text holds, by name and labels, and
// its types, by name. Every line must be one of the format.
func scrape(t *testing.T, text string) (values map[string]float64, types map[string]string) {
	t.Helper()
	values, types = make(map[string]float64), make(map[string]string)
	comment := regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sample := regexp.MustCompile(`^(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?:[a-z_]+="[^"]*",?)+\})?) (\S+)$`)
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
		if _, twice := values[m[1]]; err != nil || twice {
			t.Errorf("%q: %v, twice: %t", lines.Text(), err, twice)
		}
		values[m[1]] = v
	}
	return values, types
}

// scraped returns what the handler of /metrics answers.
func scraped(t *testing.T, h http.Handler) string {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if media := rec.Header().Get("Content-Type"); rec.Code != 200 || !strings.HasPrefix(media, "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %s: %s", rec.Code, media, rec.Body)
	}
	return rec.Body.String()
}

// described is what is said of a metric: its kind, its labels and its help.
type described struct{ kind, labels, help string }

// exposed returns what a scrape says of a metric.
func exposed(text, name, kind string) described {
	d := described{kind: kind}
	if m := regexp.MustCompile(`(?m)^# HELP ` + name + ` (.*)$`).FindStringSubmatch(text); m != nil {
		d.help = m[1]
	}
	labels := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:_count)?\{([^}]*)\}`).FindAllStringSubmatch(text, -1) {
		for _, pair := range regexp.MustCompile(`([a-z]+)=`).FindAllStringSubmatch(m[1], -1) {
			labels[pair[1]] = true
		}
	}
	d.labels = strings.Join(slices.Sorted(maps.Keys(labels)), ", ")
	return d
}

// documented returns the rows of metrics in docs/operations.md, by name.
func documented(t *testing.T) map[string]described {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]described)
	for _, m := range regexp.MustCompile("(?m)^\\| `(vectorlink_[a-z_]+)` \\| (\\w+) \\| ([a-z, ]*?) ?\\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = described{m[2], m[3], m[4]}
	}
	if len(rows) < 20 {
		t.Fatalf("docs/operations.md has %d metrics", len(rows))
	}
	return rows
}

// TestMetrics makes everything happen that metrics count, and checks each against its
// row of docs/operations.md: its kind, its labels and what it says of itself. Those of
// wire contract §5 tell what its figures do.
func TestMetrics(t *testing.T) {
	f := &fake{able: search.Readiness{Search: true}, stats: search.Statistics{
		Domains: 1, Branches: 2, IndexedCommits: 3, Documents: 4, Chunks: 5, Vectors: 17, VectorBytes: 18,
		Usage: search.Usage{
			Snapshots: 7, SnapshotBytes: 8, Opened: 16, SnapshotLimit: 19, PageLimit: 20, Pages: vecstore.Stats{Used: 23, Cached: 24, Loads: 25},
			Queries: 100, QueryBytes: 200, QueryLimit: 300, QueryHits: 21, QueryMisses: 22,
		},
		Activity: search.Activity{
			Tasks: 6, Unfinished: 19, Running: 10, BusyDomains: 11, BusyBranches: 12, Embedding: 13, Embedded: 14, Written: 15, Merging: 26,
		},
	}}
	m := api.NewMetrics()
	m.Embedded(contract.EmbedCall{Took: 3 * time.Second, Texts: 4, Tokens: 50, Outcome: "limited", Retry: true})
	began := time.Now()
	m.TaskEnded(indexer.Task{State: "failed", Created: began, Finished: began.Add(time.Minute), Indexed: 1, Deleted: 2, SkippedTotal: 3, Embedded: 4, Reused: 5})
	m.Merged(time.Second, nil)
	m.Merged(time.Second, contract.ErrCorrupt)
	m.Pruned(3, 4096)
	l := pushed(t)
	served := api.New(api.Config{SearchReady: true, Metrics: m}, service.New(l.ix.Reader, l.ix))
	for _, target := range []string{
		"/search?mode=hybrid&q=fast&doc_type=Ship&branch=main&domain=a/b", "/similar?id=terminusdb%3A%2F%2F%2Fholonet%2FShip%2F1&branch=main&domain=a/b",
		"/search?domain=org/none&q=x&branch=main", "/search?mode=nonsense&branch=main&domain=a/b&q=x", "/nowhere/at/all", "/push?domain=a/b",
	} {
		served.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost"+target, nil))
	}
	body := scraped(t, m.Handler(f, &lagging{{Domain: "a/b", Branch: "main"}}, api.MetricsConfig{
		Disk:  func() (vfs.Space, error) { return vfs.Space{Free: 27, Size: 28}, nil },
		Files: func() vfs.LimitStats { return vfs.LimitStats{Open: 29, Limit: 30, Waits: 31} }, Certificate: anyCertificate(t),
	}))
	values, types := scrape(t, body)
	for name, want := range map[string]float64{
		"domains": 1, "branches": 2, "indexed_commits": 3, "documents": 4, "chunks": 5, "pending_index_fragments": 19, "pending_index_documents": 13,
		"cached_datasets": 7, "tasks": 6, "branch_indexes": 2, "pipeline_locks": 12, "domain_guards": 11, "inflight_commits": 19,
		"pipeline_pending_chunks": 13, "pipeline_embedded_chunks": 14, "pipeline_written_chunks": 15, "pipeline_active_tasks": 10,
		"embed_cache_entries": 117, "embed_cache_size_bytes": 218, "lance_index_cache_capacity_bytes": 19, "lance_metadata_cache_capacity_bytes": 20,
		"fresh_open_count_total": 16,

		`http_request_duration_seconds_count{route="/search",status="200"}`: 1, `http_request_duration_seconds_count{route="/search",status="404"}`: 1,
		`http_request_duration_seconds_count{route="/search",status="400"}`: 1, `http_request_duration_seconds_count{route="/similar",status="200"}`: 1,
		`http_request_duration_seconds_count{route="other",status="404"}`: 1, `http_request_duration_seconds_count{route="other",status="405"}`: 1,
		`search_duration_seconds_count{mode="hybrid"}`: 1, `search_duration_seconds_count{mode="similar"}`: 1, `search_duration_seconds_count{mode="vector"}`: 0,
		`search_part_seconds_count{part="embed"}`: 1, `search_part_seconds_count{part="words"}`: 1, `search_part_seconds_count{part="graph"}`: 2,
		`search_part_seconds_count{part="open"}`: 2, `search_part_seconds_count{part="texts"}`: 2, `search_part_seconds_count{part="filter"}`: 1,
		`search_part_seconds_count{part="wait"}`: 2,

		`provider_request_duration_seconds_sum{outcome="limited"}`: 3, "provider_texts_total": 4, "provider_tokens_total": 50, "provider_retries_total": 1, "provider_up": 1,
		`task_duration_seconds_sum{state="failed"}`: 60, `task_documents_total{outcome="indexed"}`: 1, `task_documents_total{outcome="deleted"}`: 2,
		`task_documents_total{outcome="skipped"}`: 3, `task_texts_total{outcome="embedded"}`: 4, `task_texts_total{outcome="reused"}`: 5,
		"tasks_waiting": 9, "tasks_running": 10, "texts_embedding": 13,
		`merge_duration_seconds_count{outcome="ok"}`: 1, `merge_duration_seconds_count{outcome="failed"}`: 1, "merges_due": 26,

		`pool_bytes{pool="snapshots"}`: 8, `pool_bytes{pool="pages"}`: 23, `pool_bytes{pool="queries"}`: 200,
		`pool_limit_bytes{pool="snapshots"}`: 19, `pool_limit_bytes{pool="pages"}`: 20, `pool_limit_bytes{pool="queries"}`: 300,
		`pool_entries{pool="snapshots"}`: 7, `pool_entries{pool="pages"}`: 24, `pool_entries{pool="queries"}`: 100,
		`pool_loads_total{pool="snapshots"}`: 16, `pool_loads_total{pool="pages"}`: 25, `pool_loads_total{pool="queries"}`: 22, "query_hits_total": 21,
		"vectors": 17, "vector_bytes": 18, "disk_free_bytes": 27, "disk_size_bytes": 28, "open_files": 29, "open_files_limit": 30, "open_files_waits_total": 31,
	} {
		if got, ok := values["vectorlink_"+name]; got != want || !ok && want != 0 {
			t.Errorf("%s: %v (%t), want %v", name, got, ok, want)
		}
	}
	if _, ok := values["process_resident_memory_bytes"]; !ok && runtime.GOOS == "linux" {
		t.Error("nothing is told of the process")
	}
	rows := documented(t)
	for name, row := range rows {
		if got := exposed(body, name, types[name]); !reflect.DeepEqual(got, row) {
			t.Errorf("%s is\n%+v, docs/operations.md says\n%+v", name, got, row)
		}
	}
	for name, kind := range types {
		if _, ok := rows[name]; !ok && strings.HasPrefix(name, "vectorlink_") {
			got := exposed(body, name, kind)
			t.Errorf("docs/operations.md lacks | `%s` | %s | %s | %s |", name, got.kind, got.labels, got.help)
		}
	}
}

// TestNoMetrics checks what a scrape is answered that cannot be told anything, and
// other paths.
func TestNoMetrics(t *testing.T) {
	for path, want := range map[string]int{"/metrics": 500, "/search": 404} {
		f := &fake{}
		f.err = contract.ErrCorrupt
		rec := httptest.NewRecorder()
		api.NewMetrics().Handler(f, nil, api.MetricsConfig{}).ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != want {
			t.Errorf("%s: status %d, want %d", path, rec.Code, want)
		}
	}
}

// TestContrib checks that the dashboard and the alert rules ask for metrics that there
// are.
func TestContrib(t *testing.T) {
	rows := documented(t)
	files, err := filepath.Glob("../contrib/monitoring/*.[jy]*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := regexp.MustCompile(`vectorlink_[a-z_]+`).FindAllString(string(text), -1)
		total += len(asked)
		for _, name := range asked {
			kind := rows[name].kind
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if whole, ok := strings.CutSuffix(name, part); ok && rows[whole].kind == "histogram" {
					kind = "part"
				}
			}
			if kind == "" || kind == "histogram" {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
	if total < 30 {
		t.Errorf("they ask for %d metrics", total)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool")
	}
	for _, args := range [][]string{{"check", "config", "../contrib/monitoring/prometheus.yml"}, {"check", "rules", "../contrib/monitoring/alerts.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestWatchMetrics checks the lag of followed branches, the only metrics that
// domains label.
func TestWatchMetrics(t *testing.T) {
	at := time.Date(2026, 11, 20, 1, 2, 3, 250e6, time.UTC)
	w := &lagging{
		{Domain: "a/b", Branch: "fan", Head: "k9", Polled: at},
		{Domain: "a/b", Branch: "main", Head: "k7", Commits: 2, Seconds: 1.5, Polled: at},
		{Domain: "a/c", Error: "the database is away"},
	}
	got := map[string]float64{}
	values, types := scrape(t, scraped(t, api.NewMetrics().Handler(&fake{}, w, api.MetricsConfig{})))
	for name, v := range values {
		if strings.HasPrefix(name, "vectorlink_watch_") {
			got[name] = v
		} else if strings.Contains(name, "domain=") {
			t.Errorf("%s is labelled by domains, of which there may be any number", name)
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
