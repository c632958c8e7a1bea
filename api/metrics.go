package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// figure is a number that /statistics and the metrics tell.
type figure struct {
	name  string
	help  string
	value func(*search.Statistics) int64
}

// stored are the figures of what is stored. Two of them are in the contract for
// servers whose index lags behind their commits (wire contract §5).
var stored = []figure{
	{"domains", "Domains of which something is indexed.", func(s *search.Statistics) int64 { return int64(s.Domains) }},
	{"branches", "Branches with an indexed commit.", func(s *search.Statistics) int64 { return int64(s.Branches) }},
	{"indexed_commits", "Indexed commits.", func(s *search.Statistics) int64 { return int64(s.IndexedCommits) }},
	{"documents", "Documents at branch heads, as their headers say.", func(s *search.Statistics) int64 { return int64(s.Documents) }},
	{"chunks", "Chunks of those documents.", func(s *search.Statistics) int64 { return int64(s.Chunks) }},
	{"pending_index_fragments", "Always 0: a commit shows when all of it is indexed.", func(*search.Statistics) int64 { return 0 }},
	{"pending_index_documents", "Always 0: a commit shows when all of it is indexed.", func(*search.Statistics) int64 { return 0 }},
}

// internals are the figures of what the program is at. The contract has their
// names from a server of other parts (wire contract §5): the help texts say what
// they count here.
var internals = []figure{
	{"cached_datasets", "Snapshots and commit files in memory.", func(s *search.Statistics) int64 { return int64(s.Snapshots) }},
	{"tasks", "Known tasks, finished ones included.", func(s *search.Statistics) int64 { return int64(s.Tasks) }},
	{"branch_indexes", "Branches with an indexed commit.", func(s *search.Statistics) int64 { return int64(s.Branches) }},
	{"snapshot_bytes", "Bytes of the snapshots and commit files in memory.", func(s *search.Statistics) int64 { return s.SnapshotBytes }},
	{"pipeline_locks", "Branches that pushes are at work on.", func(s *search.Statistics) int64 { return int64(s.BusyBranches) }},
	{"domain_guards", "Domains in use by tasks or open snapshots.", func(s *search.Statistics) int64 { return int64(s.BusyDomains) }},
	{"inflight_commits", "Tasks that have not ended.", func(s *search.Statistics) int64 { return int64(s.Unfinished) }},
	{"pipeline_pending_chunks", "Texts at the embedder.", func(s *search.Statistics) int64 { return int64(s.Embedding) }},
	{"pipeline_embedded_chunks", "Texts embedded since the start.", func(s *search.Statistics) int64 { return s.Embedded }},
	{"pipeline_written_chunks", "Vectors stored since the start.", func(s *search.Statistics) int64 { return s.Written }},
	{"pipeline_active_tasks", "Tasks at work.", func(s *search.Statistics) int64 { return int64(s.Running) }},
	{freshOpens, "Snapshots and files brought into memory since the start.", func(s *search.Statistics) int64 { return s.Opened }},
	{"embed_cache_entries", "Vectors kept of texts seen before: documents' on disk and queries' in memory.", func(s *search.Statistics) int64 { return s.Vectors + s.Queries }},
	{"embed_cache_size_bytes", "Bytes of those vectors.", func(s *search.Statistics) int64 { return s.VectorBytes + s.QueryBytes }},
	{"query_cache_entries", "Vectors kept of queries, in memory.", func(s *search.Statistics) int64 { return s.Queries }},
	{"query_cache_size_bytes", "Bytes of those vectors.", func(s *search.Statistics) int64 { return s.QueryBytes }},
	{"query_cache_hits", "Queries whose vector was there, since the start.", func(s *search.Statistics) int64 { return s.QueryHits }},
	{"query_cache_misses", "Queries that were embedded, since the start.", func(s *search.Statistics) int64 { return s.QueryMisses }},
	{"lance_index_cache_capacity_bytes", "Bytes that open snapshots may take (--index-pool-bytes); nothing here is of Lance but the name.", func(s *search.Statistics) int64 { return s.SnapshotLimit }},
	{"lance_metadata_cache_capacity_bytes", "Bytes that pages of vectors may take (--page-pool-bytes); nothing here is of Lance but the name.", func(s *search.Statistics) int64 { return s.PageLimit }},
}

// freshOpens is a figure whose name in the contract is not that of a counter.
const freshOpens = "fresh_open_count"

// counters are the figures that Prometheus reads as counters.
var counters = []string{freshOpens, "query_cache_hits", "query_cache_misses"}

// What a watcher adds: the only metrics with labels.
var (
	lagCommits = prometheus.NewDesc("vectorlink_watch_lag_commits",
		"New commits of a followed branch that are not indexed.", []string{"domain", "branch"}, nil)
	lagSeconds = prometheus.NewDesc("vectorlink_watch_lag_seconds",
		"Age of the oldest of those commits; 0 without one.", []string{"domain", "branch"}, nil)
	polledAt = prometheus.NewDesc("vectorlink_watch_polled_timestamp_seconds",
		"When the branches of a followed domain were last looked at; 0 before the first time.", []string{"domain"}, nil)
)

// NewMetrics returns the handler of GET /metrics, in Prometheus' text format. It
// asks for no credentials: serve it where only those come who may see figures.
// The watcher is nil where nothing is followed.
func NewMetrics(ix Indexer, w Watcher) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(ix))
	if w != nil {
		registry.MustRegister(watchCollector{w})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}))
	return mux
}

// collector asks for the figures at every scrape.
type collector struct {
	ix      Indexer
	figures []figure
	descs   []*prometheus.Desc
	types   []prometheus.ValueType
}

func newCollector(ix Indexer) *collector {
	c := &collector{ix: ix}
	for _, list := range [][]figure{stored, internals} {
		for _, f := range list {
			name, kind := f.name, prometheus.GaugeValue
			if slices.Contains(counters, name) {
				name, kind = name+"_total", prometheus.CounterValue
			}
			c.figures = append(c.figures, f)
			c.descs = append(c.descs, prometheus.NewDesc("vectorlink_"+name, f.help, nil, nil))
			c.types = append(c.types, kind)
		}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	st, err := c.ix.Statistics("")
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		metrics <- prometheus.NewInvalidMetric(c.descs[0], fmt.Errorf("api: %w", err))
		return
	}
	for i, f := range c.figures {
		metrics <- prometheus.MustNewConstMetric(c.descs[i], c.types[i], float64(f.value(&st)))
	}
}

// watchCollector asks the watcher at every scrape.
type watchCollector struct{ watcher Watcher }

// Describe implements prometheus.Collector.
func (watchCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagCommits, lagSeconds, polledAt} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c watchCollector) Collect(metrics chan<- prometheus.Metric) {
	told := make(map[string]bool)
	for _, row := range c.watcher.Lag("") {
		if !told[row.Domain] {
			told[row.Domain] = true
			at := 0.0
			if !row.Polled.IsZero() {
				at = float64(row.Polled.UnixMilli()) / 1000
			}
			metrics <- prometheus.MustNewConstMetric(polledAt, prometheus.GaugeValue, at, row.Domain)
		}
		if row.Branch != "" { // else the domain could not be looked at yet
			metrics <- prometheus.MustNewConstMetric(lagCommits, prometheus.GaugeValue, float64(row.Commits), row.Domain, row.Branch)
			metrics <- prometheus.MustNewConstMetric(lagSeconds, prometheus.GaugeValue, row.Seconds, row.Domain, row.Branch)
		}
	}
}
