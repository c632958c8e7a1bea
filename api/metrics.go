package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
)

// scrape is what one scrape has asked for.
type scrape struct {
	search.Statistics
	up    bool
	lag   []indexer.BranchLag
	files vfs.LimitStats
	disk  vfs.Space
	// expires is when the certificate ends.
	expires time.Time
}

// The kinds of metrics, as their text format names them.
const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram" // of seconds
)

// emit adds a sample, whose labels are those of its metric.
type emit func(value float64, labels ...string)

// metric is a row of the table of metrics.
type metric struct {
	name   string // without "vectorlink_"
	kind   string
	help   string
	labels []string
	// read tells a scrape's samples; nil: what happens is counted as it does.
	read func(r *scrape, to emit)
}

// seconds are the bounds of all histograms: from a search in memory to a first commit.
var seconds = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600}

// value makes the read of a metric without labels.
func value[N int | int64 | uint64 | float64](of func(r *scrape) N) func(*scrape, emit) {
	return func(r *scrape, to emit) { to(float64(of(r))) }
}

// metrics is the one table of metrics. Labels have few values, which the program
// decides: routes, statuses, modes. A domain's name labels what a watcher tells and
// nothing else, so there are as many series of it as branches are followed.
var metrics = []metric{
	{"http_request_duration_seconds", histogram, "Requests by route and status, their bodies and answers included.", []string{"route", "status"}, nil},
	{"search_duration_seconds", histogram, "Searches that were answered, by mode: vector, fts, hybrid, similar.", []string{"mode"}, nil},
	{"search_part_seconds", histogram, "What the time of requests that read a commit goes to: wait, embed, open, filter, graph, words, texts.", []string{"part"}, nil},

	{"provider_request_duration_seconds", histogram, "Requests to the embedding provider, or to the built-in model, by outcome: ok, refused, limited, unavailable, cancelled.", []string{"outcome"}, nil},
	{"provider_texts_total", counter, "Texts of these requests.", nil, nil},
	{"provider_tokens_total", counter, "Tokens of the requests that were answered, as the provider counts them; a quarter of the bytes where it does not.", nil, nil},
	{"provider_retries_total", counter, "Requests to the provider that repeat one that failed.", nil, nil},
	{"provider_up", gauge, "0 while the breaker holds the embedding provider for down, else 1.", nil, value(func(r *scrape) int {
		if r.up {
			return 1
		}
		return 0
	})},

	{"task_duration_seconds", histogram, "Indexing tasks that ended, by state (complete, failed), from when they were asked for.", []string{"state"}, nil},
	{"task_documents_total", counter, "Documents of these tasks, by outcome: indexed, deleted, skipped.", []string{"outcome"}, nil},
	{"task_texts_total", counter, "Texts of these tasks, by outcome: embedded, reused.", []string{"outcome"}, nil},
	{"tasks_waiting", gauge, "Tasks that wait for others.", nil, value(func(r *scrape) int { return r.Unfinished - r.Running })},
	{"tasks_running", gauge, "Tasks at work.", nil, value(func(r *scrape) int { return r.Running })},
	{"texts_embedding", gauge, "Texts at the embedder.", nil, value(func(r *scrape) int { return r.Embedding })},
	{"pruned_commits_total", counter, "Commits that were pruned, on request or by the settings of retention.", nil, nil},
	{"pruned_bytes_total", counter, "Bytes of the files of these commits.", nil, nil},
	{"merge_duration_seconds", histogram, "Merges of commit files, by outcome: ok, failed.", []string{"outcome"}, nil},
	{"merges_due", gauge, "Merges that are due or under way.", nil, value(func(r *scrape) int { return r.Merging })},

	{"scrub_findings", gauge, "What the last scrub found damaged and is not mended.", nil, value(func(r *scrape) int { return len(r.Scrub.Findings) + r.Scrub.More })},
	{"scrub_mended_total", counter, "What scrubs have mended.", nil, value(func(r *scrape) int64 { return r.Scrub.Mended })},
	{"scrub_files_total", counter, "Files that scrubs have verified.", nil, value(func(r *scrape) int64 { return r.Scrub.Files })},
	{"scrub_bytes_total", counter, "Bytes that they have read.", nil, value(func(r *scrape) int64 { return r.Scrub.Bytes })},
	{"scrub_finished_timestamp_seconds", gauge, "When the last scrub ended; 0 before the first.", nil, value(func(r *scrape) float64 { return unix(r.Scrub.Finished) })},

	{"pool_bytes", gauge, "Memory that a pool takes: snapshots, pages (of vectors), queries (their vectors).", []string{"pool"}, func(r *scrape, to emit) {
		to(float64(r.SnapshotBytes), "snapshots")
		to(float64(r.Pages.Used), "pages")
		to(float64(r.QueryBytes), "queries")
	}},
	{"pool_limit_bytes", gauge, "Memory that it may take.", []string{"pool"}, func(r *scrape, to emit) {
		to(float64(r.SnapshotLimit), "snapshots")
		to(float64(r.PageLimit), "pages")
		to(float64(r.QueryLimit), "queries")
	}},
	{"pool_entries", gauge, "Things that are in it.", []string{"pool"}, func(r *scrape, to emit) {
		to(float64(r.Snapshots), "snapshots")
		to(float64(r.Pages.Loading+r.Pages.Loaded+r.Pages.Cached), "pages")
		to(float64(r.Queries), "queries")
	}},
	{"pool_loads_total", counter, "Things that were not in it and were read or made.", []string{"pool"}, func(r *scrape, to emit) {
		to(float64(r.Opened), "snapshots")
		to(float64(r.Pages.Loads), "pages")
		to(float64(r.QueryMisses), "queries")
	}},
	{"query_hits_total", counter, "Queries whose vector was in its pool.", nil, value(func(r *scrape) int64 { return r.QueryHits })},

	{"vectors", gauge, "Vectors stored.", nil, value(func(r *scrape) int64 { return r.Vectors })},
	{"vector_bytes", gauge, "Bytes of these vectors on disk.", nil, value(func(r *scrape) int64 { return r.VectorBytes })},
	{"disk_free_bytes", gauge, "Bytes that this process may still write where the data directory is.", nil, value(func(r *scrape) int64 { return r.disk.Free })},
	{"disk_size_bytes", gauge, "Bytes of that file system.", nil, value(func(r *scrape) int64 { return r.disk.Size })},
	{"open_files", gauge, "Files of the data directory that are open.", nil, value(func(r *scrape) int { return r.files.Open })},
	{"open_files_limit", gauge, "Files that may be open at once: half of the process's limit.", nil, value(func(r *scrape) int { return r.files.Limit })},
	{"open_files_waits_total", counter, "Times something waited for another file to be closed.", nil, value(func(r *scrape) uint64 { return r.files.Waits })},
	{"tls_certificate_expiry_timestamp_seconds", gauge, "When the TLS certificate ends; absent without one.", nil, func(r *scrape, to emit) {
		if !r.expires.IsZero() {
			to(float64(r.expires.Unix()))
		}
	}},

	{"watch_lag_commits", gauge, "New commits of a followed branch that are not indexed.", []string{"domain", "branch"}, func(r *scrape, to emit) {
		r.branches(func(b indexer.BranchLag) { to(float64(b.Commits), b.Domain, b.Branch) })
	}},
	{"watch_lag_seconds", gauge, "Age of the oldest of those commits; 0 without one.", []string{"domain", "branch"}, func(r *scrape, to emit) {
		r.branches(func(b indexer.BranchLag) { to(b.Seconds, b.Domain, b.Branch) })
	}},
	{"watch_polled_timestamp_seconds", gauge, "When the branches of a followed domain were last looked at; 0 before the first time.", []string{"domain"}, func(r *scrape, to emit) {
		told := make(map[string]bool)
		for _, b := range r.lag {
			if told[b.Domain] {
				continue
			}
			told[b.Domain] = true
			to(unix(b.Polled), b.Domain)
		}
	}},
}

// unix returns a time in seconds since 1970; 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// branches calls use with the branches that could be looked at.
func (r *scrape) branches(use func(indexer.BranchLag)) {
	for _, b := range r.lag {
		if b.Branch != "" {
			use(b)
		}
	}
}

// MetricsConfig says where a scrape asks.
type MetricsConfig struct {
	// Disk returns the space of the data directory's file system.
	Disk func() (vfs.Space, error)
	// Files counts open files of the data directory.
	Files func() vfs.LimitStats
	// Certificate is the server's, nil for none.
	Certificate *Certificate
}

// Metrics counts what a server does, and tells it to Prometheus. A nil one counts
// nothing. All methods may be called by many goroutines at once.
type Metrics struct {
	registry *prometheus.Registry
	events   map[string]prometheus.Collector // by name
}

// NewMetrics returns the metrics of a server that has done nothing yet.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), events: make(map[string]prometheus.Collector)}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, row := range metrics {
		if row.read != nil {
			continue
		}
		var c prometheus.Collector
		if name := "vectorlink_" + row.name; row.kind == histogram {
			c = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: row.help, Buckets: seconds}, row.labels)
		} else {
			c = prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: row.help}, row.labels)
		}
		m.events[row.name] = c
		m.registry.MustRegister(c)
	}
	return m
}

// observe adds to a histogram.
func (m *Metrics) observe(name string, took time.Duration, labels ...string) {
	m.events[name].(*prometheus.HistogramVec).WithLabelValues(labels...).Observe(took.Seconds())
}

// add adds to a counter.
func (m *Metrics) add(name string, n int, labels ...string) {
	m.events[name].(*prometheus.CounterVec).WithLabelValues(labels...).Add(float64(n))
}

// request counts a request that was answered.
func (m *Metrics) request(w *response, took time.Duration) {
	if m == nil {
		return
	}
	m.observe("http_request_duration_seconds", took, w.route, strconv.Itoa(w.status))
	if mode, took := w.trace.Searched(); mode != "" {
		m.observe("search_duration_seconds", took, mode)
	}
	for p := range search.Parts {
		if took := w.trace.Part(p); took > 0 && w.trace.Reads() {
			m.observe("search_part_seconds", took, p.String())
		}
	}
}

// Embedded counts a request to the embedding provider.
func (m *Metrics) Embedded(c contract.EmbedCall) {
	m.observe("provider_request_duration_seconds", c.Took, c.Outcome)
	m.add("provider_texts_total", c.Texts)
	m.add("provider_tokens_total", c.Tokens)
	if c.Retry {
		m.add("provider_retries_total", 1)
	}
}

// TaskEnded implements indexer.Observer.
func (m *Metrics) TaskEnded(t indexer.Task) {
	m.observe("task_duration_seconds", t.Finished.Sub(t.Created), string(t.State))
	m.add("task_documents_total", t.Indexed, "indexed")
	m.add("task_documents_total", t.Deleted, "deleted")
	m.add("task_documents_total", t.SkippedTotal, "skipped")
	m.add("task_texts_total", t.Embedded, "embedded")
	m.add("task_texts_total", t.Reused, "reused")
}

// Merged implements indexer.Observer.
func (m *Metrics) Merged(took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	m.observe("merge_duration_seconds", took, outcome)
}

// Pruned implements indexer.Observer.
func (m *Metrics) Pruned(commits int, bytes int64) {
	m.add("pruned_commits_total", commits)
	m.add("pruned_bytes_total", int(bytes))
}

// Handler returns the handler of GET /metrics, in Prometheus' text format, over
// what ix tells. It asks for no credentials: serve it where only those come who may
// see figures. The watcher is nil where nothing is followed. It is made once.
func (m *Metrics) Handler(ix Indexer, w Watcher, cfg MetricsConfig) http.Handler {
	m.registry.MustRegister(newCollector(ix, w, cfg))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true}))
	return mux
}

// collector asks for what is not counted as it happens at every scrape.
type collector struct {
	ix      Indexer
	watcher Watcher
	cfg     MetricsConfig
	rows    []metric
	descs   []*prometheus.Desc
}

func newCollector(ix Indexer, w Watcher, cfg MetricsConfig) *collector {
	c := &collector{ix: ix, watcher: w, cfg: cfg}
	add := func(row metric) {
		c.rows = append(c.rows, row)
		c.descs = append(c.descs, prometheus.NewDesc("vectorlink_"+row.name, row.help, row.labels, nil))
	}
	for _, row := range metrics {
		if row.read != nil {
			add(row)
		}
	}
	for _, f := range figures {
		if f.metric != "" {
			kind := gauge
			if strings.HasSuffix(f.metric, "_total") {
				kind = counter
			}
			add(metric{f.metric, kind, f.help, nil, value(func(r *scrape) int64 { return f.value(&r.Statistics) })})
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
func (c *collector) Collect(to chan<- prometheus.Metric) {
	st, err := c.ix.Statistics("")
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		to <- prometheus.NewInvalidMetric(c.descs[0], fmt.Errorf("api: %w", err))
		return
	}
	r := &scrape{Statistics: st, up: c.ix.Ready().Search, expires: c.cfg.Certificate.Expires()}
	if c.watcher != nil {
		r.lag = c.watcher.Lag("")
	}
	if c.cfg.Files != nil {
		r.files = c.cfg.Files()
	}
	if c.cfg.Disk != nil {
		if r.disk, err = c.cfg.Disk(); err != nil {
			to <- prometheus.NewInvalidMetric(c.descs[0], fmt.Errorf("api: %w", err))
			return
		}
	}
	for i, row := range c.rows {
		kind := prometheus.GaugeValue
		if row.kind == counter {
			kind = prometheus.CounterValue
		}
		row.read(r, func(v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(c.descs[i], kind, v, labels...)
		})
	}
}
