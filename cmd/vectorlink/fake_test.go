package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// fakeIndexer stands behind the real HTTP side. What it answers depends on the
// domain's organisation: fail/source, fail/provider, and so on; everything else
// is there.
type fakeIndexer struct {
	api.Indexer // what no command asks for
	mu          sync.Mutex
	looks       map[string]int // how often each task was asked for
}

// fakeServer serves a fakeIndexer.
func fakeServer(t *testing.T, secret string) string {
	t.Helper()
	web := api.New(api.Config{Secret: contract.NewSecret(secret), SearchReady: true, Version: version},
		&fakeIndexer{looks: make(map[string]int)})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("commit") == "01d" { // an old server, which knows no dry run
			q.Del("dry_run")
			r.URL.RawQuery = q.Encode()
		}
		web.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// thousands are the documents that the commit 5c2000 skips.
func thousands() []indexer.Skipped {
	list := make([]indexer.Skipped, 2500)
	for i := range list {
		list[i] = indexer.Skipped{ID: fmt.Sprintf("terminusdb:///star-wars/People/%d", i), Message: "too long"}
	}
	return list
}

// Plan makes a plan: of the commit 5c1bbed some documents would be skipped, of
// 5c2000 thousands, of c6 nothing is to do, and for c8 the server has a price.
func (f *fakeIndexer) Plan(_ context.Context, req indexer.IndexRequest) (indexer.Plan, error) {
	plan := indexer.Plan{
		Domain: req.Domain, Commit: req.Commit, Base: "c6", Documents: 260, Changed: 7, Deleted: 1,
		Texts: 9, Stored: 4, ToEmbed: 5, Tokens: 321, Skipped: []indexer.Skipped{},
	}
	switch req.Commit {
	case "c6":
		plan = indexer.Plan{Domain: req.Domain, Commit: req.Commit, Indexed: true, Documents: 9, Skipped: []indexer.Skipped{}}
	case "c8":
		plan.Price = new(0.0000064)
	case "5c1bbed":
		plan.Skipped = []indexer.Skipped{{ID: "terminusdb:///star-wars/People/1", Message: "templates: bad template: line 1"}}
		plan.SkippedTotal = 1
	case "5c2000":
		var t indexer.Task
		t.Skip(thousands()...)
		plan.Skipped, plan.SkippedTotal = t.Skipped, t.SkippedTotal
	}
	return plan, f.refusal(req.Domain)
}

func (f *fakeIndexer) refusal(domain string) error {
	switch domain {
	case "fail/source":
		return fmt.Errorf("docdb: %w: http://localhost:6363 does not answer", contract.ErrSource)
	case "fail/provider":
		return fmt.Errorf("embed: %w: 429 from the provider", contract.ErrProvider)
	case "fail/busy":
		return fmt.Errorf("%w: too many tasks", contract.ErrBusy)
	case "fail/unconfigured":
		return fmt.Errorf("%w: set VECTORLINK_TERMINUSDB_URL", contract.ErrNotConfigured)
	case "fail/missing":
		return fmt.Errorf("%w: nothing is indexed of %s", contract.ErrNotFound, domain)
	case "fail/inside":
		return errors.New("something that no caller should read")
	}
	return nil
}

func taskID(name string) string {
	return fmt.Sprintf("task-%s%032d", name, 0)[:37]
}

func (f *fakeIndexer) Index(_ context.Context, req indexer.IndexRequest) (indexer.Task, error) {
	id := taskID(req.Commit)
	return indexer.Task{ID: id, Domain: req.Domain, Commit: req.Commit, Branch: req.Branch, State: indexer.TaskPending}, f.refusal(req.Domain)
}

func (f *fakeIndexer) Task(id string) (indexer.Task, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks[id]++
	t := indexer.Task{ID: id, Domain: "admin/star_wars", Commit: "c7", Branch: "main", State: indexer.TaskPending}
	if f.looks[id] < 3 {
		t.Percentage = float64(f.looks[id]) * 30
		return t, nil
	}
	t.State, t.Percentage = indexer.TaskComplete, 100
	t.Documents, t.Indexed, t.Deleted, t.Embedded, t.Reused, t.Tokens = 260, 7, 1, 5, 2, 321
	t.Base, t.HeadMoved = "c6", true
	fail := func(err error) {
		t.State, t.Error, t.ErrorCode = indexer.TaskFailed, err.Error(), contract.Code(err)
	}
	switch id {
	case taskID("5c1bbed"):
		t.Skip(indexer.Skipped{ID: "terminusdb:///star-wars/People/1", Message: "templates: bad template: line 1"}, indexer.Skipped{ID: "unknown", Message: "class Robot: no template"})
		t.HeadMoved = false
	case taskID("5c2000"):
		t.Skip(thousands()...)
	case taskID("50"):
		fail(fmt.Errorf("docdb: %w: http://localhost:6363 does not answer", contract.ErrSource))
	case taskID("51"):
		fail(fmt.Errorf("docdb: %w: no commit 51 in admin/star_wars", contract.ErrNotFound))
	case taskID("52"):
		fail(fmt.Errorf("embed: %w: the provider answered 500", contract.ErrProvider))
	case taskID("f1"):
		t.Base = ""
	case taskID("9e"):
		t.State, t.Percentage = indexer.TaskPending, 60 // for ever
	}
	return t, nil
}

func (f *fakeIndexer) Assign(context.Context, string, string, string, string) error { return nil }

func (f *fakeIndexer) Search(_ context.Context, req search.SearchRequest) (search.Hits, error) {
	if err := f.refusal(req.Domain); err != nil {
		return search.Hits{}, err
	}
	hits := []search.Hit{
		{ID: "terminusdb:///star-wars/People/20", Distance: 0.25, Score: 0.75, Chunk: search.HitChunk{Count: 1, DocTokens: 20,
			Snippet: "Yoda,\n\ta wise old sage \x1b[31mwho\x07 says little and knows much; his words stand in the wrong order, but what they mean is in the right one, always."}},
		{ID: "terminusdb:///star-wars/Planet/46", Distance: 0.40134782, Score: 0.59865218, Chunk: search.HitChunk{Count: 1, DocTokens: 6, Snippet: "The planet is called Tholoth."}},
	}
	switch {
	case req.Syntax == search.SyntaxQuery && req.Text == `"wise`:
		return search.Hits{}, fmt.Errorf("%w: q: at character 1 of the query: this quotation mark is not closed", contract.ErrInvalid)
	case req.Text == "nothing", req.Syntax == search.SyntaxQuery && req.Mode != search.ModeHybrid:
		hits = nil
	}
	if len(req.Filter.Types) > 0 && req.Filter.Types[0] == "Planet" {
		hits = hits[1:]
	}
	var warnings []string
	if req.Text == "warn me" {
		warnings = []string{"für Menschen\x1b\n100 %"}
	}
	hits = hits[min(len(hits), req.Page.Start):]
	return search.Hits{Commit: served(req.Ref), Hits: hits[:min(len(hits), req.Page.Count)], Warnings: warnings}, nil
}

func served(ref search.Ref) string {
	if ref.Commit != "" {
		return ref.Commit
	}
	return "head-of-" + ref.Branch
}

func (f *fakeIndexer) SearchDiff(_ context.Context, req search.SearchDiffRequest) (search.SearchDiff, error) {
	at := func(rank int, distance float32) *search.Placed { return &search.Placed{Rank: rank, Distance: distance} }
	hits := []search.DiffedHit{
		{ID: "terminusdb:///star-wars/People/20", Change: search.Moved, Before: at(2, 0.4), After: at(1, 0.25), TextChanged: true},
		{ID: "terminusdb:///star-wars/People/1", Change: search.Came, After: at(2, 0.3), Added: true},
		{ID: "terminusdb:///star-wars/Planet/46", Change: search.Went, Before: at(1, 0.2)},
	}
	if req.Text == "nothing" {
		hits = nil
	}
	return search.SearchDiff{From: req.From, To: req.To, Hits: hits}, nil
}

func (f *fakeIndexer) Diff(_ context.Context, req search.DiffRequest) (search.Diff, error) {
	if req.From == req.To {
		return search.Diff{From: req.From, To: req.To}, nil
	}
	far := float32(0.125)
	return search.Diff{From: req.From, To: req.To, Added: 1, Removed: 1, Changed: 1, Documents: []search.DiffedEntry{
		{ID: "terminusdb:///star-wars/People/20", Change: search.Changed, Distance: &far},
		{ID: "terminusdb:///star-wars/People/1", Change: search.Added},
		{ID: "terminusdb:///star-wars/Planet/46", Change: search.Removed},
	}}, nil
}

func (f *fakeIndexer) ListDocuments(context.Context, search.DocumentsRequest) (search.Documents, error) {
	return search.Documents{}, nil
}

func (f *fakeIndexer) Similar(ctx context.Context, req search.SimilarRequest) (search.Hits, error) {
	if req.Text != "" {
		return f.Search(ctx, search.SearchRequest{Domain: req.Domain, Ref: req.Ref, Text: req.Text, Options: req.Options})
	}
	if req.ID != "terminusdb:///star-wars/People/20" {
		return search.Hits{}, fmt.Errorf("%w: no such document at commit %s", contract.ErrNotFound, served(req.Ref))
	}
	return search.Hits{Commit: served(req.Ref), Hits: []search.Hit{{ID: "terminusdb:///star-wars/People/1", Distance: 0.125, Chunk: search.HitChunk{Count: 1, Snippet: "Luke."}}}}, nil
}

func (f *fakeIndexer) Duplicates(_ context.Context, req pairs.DuplicatesRequest) (pairs.Pairs, error) {
	if err := f.refusal(req.Domain); err != nil {
		return pairs.Pairs{}, err
	}
	if req.Pairing.Likeness != "" {
		return pairs.Pairs{Commit: served(req.Ref), Groups: []pairs.Group{{
			Members: []pairs.PairMember{
				{ID: "terminusdb:///star-wars/Planet/0", Snippet: "The planet is called <Hoth> & it is cold."},
				{ID: "terminusdb:///star-wars/Planet/99", Snippet: "The planet is called <Both> & it is cold."},
			},
			Score: 0.75, Distance: 0.0078125, Representative: "terminusdb:///star-wars/Planet/0", Count: 1,
			Pairs: func(yield func(pairs.Pair, error) bool) {},
		}}}, nil
	}
	found := pairs.Pairs{Commit: served(req.Ref)}
	for i, d := range []float32{0, 0.0078125, 0.25} {
		if d <= req.Threshold && (req.Since == "" || d > 0) { // the pair of one text is an old one
			found.Pairs = append(found.Pairs, pairs.Pair{
				A: pairs.PairMember{ID: fmt.Sprintf("terminusdb:///star-wars/Planet/%d", i)}, B: pairs.PairMember{ID: "terminusdb:///star-wars/Planet/99"}, Distance: d,
			})
		}
	}
	return found, nil
}

func (f *fakeIndexer) Head(_, branch string) (search.Head, error) {
	return search.Head{Branch: branch, Commit: "c7", Version: 7}, nil
}

func (f *fakeIndexer) Statistics(domain string) (search.Statistics, error) {
	switch domain {
	case "":
		return search.Statistics{Domains: 2, Branches: 3, IndexedCommits: 9, Documents: 300, Chunks: 310}, nil
	case "admin/star_wars":
		return search.Statistics{Domains: 1, Branches: 1, IndexedCommits: 2, Documents: 260, Chunks: 260,
			Settings: &catalog.Settings{Metric: catalog.MetricCosine, Normalize: true, Language: "en", M: 16, EfConstruction: 200, Dim: 384}}, nil
	}
	return search.Statistics{}, nil
}

func (f *fakeIndexer) Commits(string) ([]search.CommitInfo, error) {
	return []search.CommitInfo{
		{Commit: "c7", Base: "c6", Branch: "main", Kind: "delta", Version: 7, Documents: 260, Chunks: 260, Indexed: 7, Deleted: 1, Embedded: 5, Reused: 2, Tokens: 321, Bytes: 1234},
		{Commit: "c6", Branch: "main", Kind: "checkpoint", Version: 6, Documents: 9, Chunks: 9, Indexed: 9, Embedded: 9, Tokens: 100, Bytes: 123456},
		{Commit: "left", Kind: "checkpoint", Version: 5, Documents: 9, Chunks: 9, Indexed: 9, Bytes: 123456}, // by a reset
	}, nil
}

func (f *fakeIndexer) DomainInfos(func(string) bool) []search.DomainInfo {
	return []search.DomainInfo{{Domain: domain, Heads: []search.Head{{Branch: "main", Commit: "c7", Version: 7}}, Commits: 2, Documents: 260, Chunks: 260, CommitBytes: 1234, VectorBytes: 66}}
}

func (f *fakeIndexer) Ready() search.Readiness { return search.Readiness{Index: true, Search: true} }

// Tag refuses the name v1.0 for c7, and has the commit "gone" pruned.
func (f *fakeIndexer) Tag(_ context.Context, domain, commit, name string) error {
	switch {
	case commit == "gone":
		return fmt.Errorf("%w: commit gone was removed to save space; index or push it to have it again", contract.ErrPruned)
	case commit == "c7" && name == "v1.0":
		return fmt.Errorf("%w: v1.0 is the tag of commit c6 already: delete it first", contract.ErrConflict)
	}
	return f.refusal(domain)
}

func (f *fakeIndexer) DeleteTag(context.Context, string, string) error { return nil }

func (f *fakeIndexer) Tags(string) ([]search.TagInfo, error) {
	return []search.TagInfo{{Name: "v1.0", Commit: "c6", Created: time.Unix(1700000000, 0).UTC()}}, nil
}

func (f *fakeIndexer) Prune(_ context.Context, req indexer.PruneRequest) (indexer.Pruning, error) {
	return indexer.Pruning{Applied: req.Apply, Commits: []indexer.PrunedCommit{
		{Commit: "c5", Branch: "main", Created: time.Unix(1700000000, 0).UTC(), Bytes: 1234},
	}, Bytes: 1234, Kept: req.KeepLast + req.KeepDaily + len(req.Keep)}, f.refusal(req.Domain)
}

func (f *fakeIndexer) PrunedCommits(string) ([]string, error) { return []string{"c5"}, nil }
