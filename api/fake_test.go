package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// canary is put into queries, keys and secrets: it must never be logged.
const canary = "canary-5e1f"

var _ api.Indexer = (*service.Service)(nil)

// fake is an Indexer that records what it was asked and answers what it was
// told to.
type fake struct {
	api.Indexer // nil: what has no method here is not asked for

	mu    sync.Mutex
	calls []any

	err        error // what every method returns, unless nil
	hook       func(ctx context.Context) error
	task       indexer.Task
	plan       indexer.Plan
	hits       search.Hits
	searchDiff search.SearchDiff
	diff       search.Diff
	documents  search.Documents
	pairs      pairs.Pairs
	// pairsErr ends the stream of pairs.
	pairsErr error
	near     pairs.Candidates
	more     search.Suggestions
	dist     float32
	vecs     search.Embeddings
	whole    search.Integrity
	head     search.Head
	stats    search.Statistics
	infos    []search.CommitInfo
	able     search.Readiness
	panics   any
	tags     []search.TagInfo
	pruning  indexer.Pruning
	pruned   []string
	doc      search.Document
	domains  []search.DomainInfo
}

type assignCall struct{ domain, branch, source, target string }
type planCall indexer.IndexRequest

type nearCall pairs.DuplicatesRequest
type deleteCall struct {
	domain string
	purge  bool
}
type deleteBranchCall struct{ domain, branch string }
type taskCall string
type integrityCall string
type tasksCall struct {
	domain string
	state  indexer.TaskState
}
type headCall struct{ domain, branch string }
type statisticsCall string
type commitsCall string
type tagCall struct{ domain, commit, name string }
type deleteTagCall struct{ domain, name string }
type tagsCall string
type prunedCall string

func (f *fake) called(ctx context.Context, call any) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if f.panics != nil {
		panic(f.panics)
	}
	if f.hook != nil {
		return f.hook(ctx)
	}
	return f.err
}

// last returns the last call, which must be the only one since the last ask.
func (f *fake) last(t *testing.T) any {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) != 1 {
		t.Fatalf("indexer was called %d times, want once: %+v", len(f.calls), f.calls)
	}
	call := f.calls[0]
	f.calls = nil
	return call
}

// untouched fails the test if the indexer was called.
func (f *fake) untouched(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) != 0 {
		t.Errorf("indexer was called: %+v", f.calls)
	}
	f.calls = nil
}

func (f *fake) Index(ctx context.Context, req indexer.IndexRequest) (indexer.Task, error) {
	return f.task, f.called(ctx, req)
}
func (f *fake) Plan(ctx context.Context, req indexer.IndexRequest) (indexer.Plan, error) {
	return f.plan, f.called(ctx, planCall(req))
}
func (f *fake) StartPush(ctx context.Context, req indexer.PushRequest) (*indexer.Push, error) {
	return nil, f.called(ctx, req)
}
func (f *fake) DeleteDomain(ctx context.Context, domain string, purge bool) error {
	return f.called(ctx, deleteCall{domain, purge})
}
func (f *fake) DeleteBranchIndex(ctx context.Context, domain, branch string) error {
	return f.called(ctx, deleteBranchCall{domain, branch})
}
func (f *fake) Task(id string) (indexer.Task, error) {
	return f.task, f.called(context.Background(), taskCall(id))
}
func (f *fake) Assign(ctx context.Context, domain, branch, source, target string) error {
	return f.called(ctx, assignCall{domain, branch, source, target})
}
func (f *fake) Search(ctx context.Context, req search.SearchRequest) (search.Hits, error) {
	return f.hits, f.called(ctx, req)
}
func (f *fake) Similar(ctx context.Context, req search.SimilarRequest) (search.Hits, error) {
	return f.hits, f.called(ctx, req)
}
func (f *fake) SearchDiff(ctx context.Context, req search.SearchDiffRequest) (search.SearchDiff, error) {
	return f.searchDiff, f.called(ctx, req)
}
func (f *fake) Diff(ctx context.Context, req search.DiffRequest) (search.Diff, error) {
	return f.diff, f.called(ctx, req)
}
func (f *fake) ListDocuments(ctx context.Context, req search.DocumentsRequest) (search.Documents, error) {
	return f.documents, f.called(ctx, req)
}
func (f *fake) Duplicates(ctx context.Context, req pairs.DuplicatesRequest) (pairs.Pairs, error) {
	return f.pairs, f.called(ctx, req)
}
func (f *fake) NearPairs(ctx context.Context, req pairs.DuplicatesRequest, use func(*pairs.NearPairs) error) error {
	if err := f.called(ctx, nearCall(req)); err != nil {
		return err
	}
	return use(&pairs.NearPairs{
		Commit: f.pairs.Commit, Damaged: f.pairs.Damaged,
		Identity: func() [32]byte { return [32]byte{byte(len(f.pairs.Pairs))} },
		Pairs: func(yield func(pairs.Pair, error) bool) {
			for _, p := range f.pairs.Pairs {
				if !yield(p, nil) {
					return
				}
			}
			if f.pairsErr != nil {
				yield(pairs.Pair{}, f.pairsErr)
			}
		},
	})
}
func (f *fake) Candidates(ctx context.Context, req pairs.CandidatesRequest) (pairs.Candidates, error) {
	return f.near, f.called(ctx, req)
}
func (f *fake) Suggest(ctx context.Context, req search.SuggestRequest) (search.Suggestions, error) {
	return f.more, f.called(ctx, req)
}
func (f *fake) Compare(ctx context.Context, req search.CompareRequest) (float32, error) {
	return f.dist, f.called(ctx, req)
}
func (f *fake) Embeddings(ctx context.Context, req search.EmbeddingsRequest, use func(*search.Embeddings) error) error {
	if err := f.called(ctx, req); err != nil {
		return err
	}
	found := f.vecs
	if found.Vectors == nil {
		found.Vectors = func(func(search.Embedding, error) bool) {}
	}
	found.IDs = func(yield func(string) bool) {
		for e := range found.Vectors {
			if !yield(e.ID) {
				return
			}
		}
	}
	found.Identity = func() [32]byte { return [32]byte{byte(found.Count)} }
	return use(&found)
}
func (f *fake) Tasks(domain string, state indexer.TaskState) ([]indexer.Task, error) {
	return []indexer.Task{f.task}, f.called(context.Background(), tasksCall{domain, state})
}
func (f *fake) Document(ctx context.Context, req search.DocumentRequest) (search.Document, error) {
	return f.doc, f.called(ctx, req)
}
func (f *fake) DomainInfos(of func(string) bool) []search.DomainInfo {
	return slices.DeleteFunc(slices.Clone(f.domains), func(d search.DomainInfo) bool { return !of(d.Domain) })
}
func (f *fake) Integrity(domain string) (search.Integrity, error) {
	return f.whole, f.called(context.Background(), integrityCall(domain))
}
func (f *fake) Head(domain, branch string) (search.Head, error) {
	return f.head, f.called(context.Background(), headCall{domain, branch})
}
func (f *fake) Statistics(domain string) (search.Statistics, error) {
	return f.stats, f.called(context.Background(), statisticsCall(domain))
}
func (f *fake) Commits(domain string) ([]search.CommitInfo, error) {
	return f.infos, f.called(context.Background(), commitsCall(domain))
}
func (f *fake) Tag(ctx context.Context, domain, commit, name string) error {
	return f.called(ctx, tagCall{domain, commit, name})
}
func (f *fake) DeleteTag(ctx context.Context, domain, name string) error {
	return f.called(ctx, deleteTagCall{domain, name})
}
func (f *fake) Tags(domain string) ([]search.TagInfo, error) {
	return f.tags, f.called(context.Background(), tagsCall(domain))
}
func (f *fake) Prune(ctx context.Context, req indexer.PruneRequest) (indexer.Pruning, error) {
	return f.pruning, f.called(ctx, req)
}
func (f *fake) PrunedCommits(domain string) ([]string, error) {
	return f.pruned, f.called(context.Background(), prunedCall(domain))
}
func (f *fake) Ready() search.Readiness { return f.able }

// env is a running server over a fake.
type env struct {
	close func() // stops the server when its requests have ended; may come twice
	*fake
	t   *testing.T
	url string
	log *buffer
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newEnv starts a server. When the test ends, its log must not hold the canary.
func newEnv(t *testing.T, change ...func(*api.Config)) *env {
	t.Helper()
	e := &env{t: t, log: new(buffer), fake: &fake{
		task:  indexer.Task{ID: "task-0123456789abcdef0123456789abcdef"},
		hits:  search.Hits{Commit: "k7"},
		pairs: pairs.Pairs{Commit: "k7"},
		near:  pairs.Candidates{Commit: "k7"},
		able:  search.Readiness{Index: true, Search: true},
	}}
	cfg := api.Config{
		SearchReady: true,
		Version:     "1.2.3",
		Logger:      slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	srv := httptest.NewServer(api.New(cfg, e.fake))
	e.url, e.close = srv.URL, srv.Close
	t.Cleanup(func() {
		srv.Close()
		if strings.Contains(e.log.String(), canary) {
			t.Errorf("the log holds the canary:\n%s", e.log)
		}
	})
	return e
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// request is what do sends; the zero method is GET.
type request struct {
	method string
	target string // path and query
	media  string // Content-Type
	body   string
	header map[string]string
}

func (e *env) do(q request) reply {
	e.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(e.t.Context(), q.method, e.url+q.target, body)
	if err != nil {
		e.t.Fatal(err)
	}
	if q.media != "" {
		req.Header.Set("Content-Type", q.media)
	}
	for k, v := range q.header {
		req.Header[k] = []string{v} // as written, not canonical
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	got := reply{resp.StatusCode, resp.Header, string(data)}
	conforms(e.t, req, got)
	return got
}

func (e *env) get(target string) reply { e.t.Helper(); return e.do(request{target: target}) }

func (e *env) postJSON(target, body string) reply {
	e.t.Helper()
	return e.do(request{method: http.MethodPost, target: target, media: "application/json", body: body})
}

// wantError checks the status and the JSON error shape, and that the text
// contains every one of words.
func (r reply) wantError(t *testing.T, status int, code string, words ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d; body %s", r.status, status, r.body)
		return
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q, want application/json", got)
	}
	var body struct{ Error, Code string }
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Errorf("error body is not JSON: %v: %q", err, r.body)
		return
	}
	if body.Error == "" {
		t.Errorf("error text is empty: %s", r.body)
	}
	if code != "" && body.Code != code {
		t.Errorf("code %q, want %q; text %q", body.Code, code, body.Error)
	}
	for _, w := range words {
		if !strings.Contains(body.Error, w) {
			t.Errorf("error text %q does not name %q", body.Error, w)
		}
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control of an error is %q, want no-store", got)
	}
	if got, want := r.header.Get("Retry-After") != "", status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests; got != want {
		t.Errorf("Retry-After %q with status %d", r.header.Get("Retry-After"), status)
	}
}

// wantBody checks for 200 and an exact body.
func (r reply) wantBody(t *testing.T, body string) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Errorf("status %d, want 200; body %s", r.status, r.body)
		return
	}
	if r.body != body {
		t.Errorf("body\n got %s\nwant %s", r.body, body)
	}
}
