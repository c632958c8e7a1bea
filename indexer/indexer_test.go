package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestMain(m *testing.M) {
	// The encoder that serves the process must not be made in a synctest bubble,
	// whichever test runs first: outside of it its channels could not be used.
	_, err := snapshot.Write(vfstest.NewMem(), snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: "c", Seq: 1},
		snapshot.Contents{Changed: func(yield func(snapshot.EntryText, error) bool) {
			yield(snapshot.EntryText{Entry: snapshot.Entry{ID: "d/A/1", TextHash: snapshot.HashText("text")}, Text: "text"}, nil)
		}})
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const domain = "admin/test"

// rendering is a Renderer that is never needed: the test sources bring texts.
type rendering struct{}

func (rendering) Render(context.Context, string, []byte) (string, error) {
	return "", errors.New("no template in this test")
}

// taskFile is the name of the task journal, in tests that have one.
const taskFile = "tasks.journal"

// harness is an indexer over stand-ins.
type harness struct {
	*indexer.Indexer
	t   *testing.T
	fs  vfs.FS
	src *indexertest.Source
	emb *indexertest.Embedder
	cfg indexer.Config
}

func open(t *testing.T, files vfs.FS, src *indexertest.Source, emb *indexertest.Embedder, opts ...func(*indexer.Config)) *harness {
	t.Helper()
	cfg := indexer.Config{FS: files, Source: src, Embedder: emb, Renderer: rendering{}, Workers: 2}
	for _, o := range opts {
		o(&cfg)
	}
	ix, err := indexer.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	h := &harness{Indexer: ix, t: t, fs: files, src: src, emb: emb, cfg: cfg}
	t.Cleanup(h.close)
	return h
}

func (h *harness) close() {
	if h.Indexer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	h.Indexer = nil
}

// wait returns the task once it has ended.
func (h *harness) wait(id string) indexer.Task {
	h.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		task, err := h.Task(id)
		if err != nil {
			h.t.Fatalf("Task: %v", err)
		}
		if task.State != indexer.TaskPending {
			return task
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("task still pending at %.1f %%", task.Percentage)
		}
		time.Sleep(200 * time.Microsecond) // poll of a real goroutine, as a client polls /check
	}
}

func (h *harness) index(commit, branch string) indexer.Task {
	h.t.Helper()
	task, err := h.Index(h.t.Context(), indexer.IndexRequest{Domain: domain, Commit: commit, Branch: branch})
	if err != nil {
		h.t.Fatalf("Index(%s): %v", commit, err)
	}
	return h.wait(task.ID)
}

func (h *harness) mustIndex(commit, branch string) indexer.Task {
	h.t.Helper()
	task := h.index(commit, branch)
	if task.State != indexer.TaskComplete {
		h.t.Fatalf("index %s: %s: %s", commit, task.State, task.Error)
	}
	return task
}

func (h *harness) search(commit, text string, count int) []search.Hit {
	h.t.Helper()
	hits, err := h.Search(h.t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text,
		Options: search.Options{Page: search.Page{Count: count}, Snippet: true},
	})
	if err != nil {
		h.t.Fatalf("Search(%s, %q): %v", commit, text, err)
	}
	return hits.Hits
}

// texts returns every document the snapshot holds, by search.
func (h *harness) texts(commit string) map[string]string {
	h.t.Helper()
	got := make(map[string]string)
	for _, hit := range h.search(commit, "anything", search.MaxCount) {
		got[hit.ID] = hit.Chunk.Snippet
	}
	return got
}

func docs(pairs ...string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestACommitCostsWhatItChanges(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "red apple", "d/A/2", "green pear", "d/A/3", "blue plum", "d/A/4", "red apple")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/1", "yellow apple", "d/A/5", "black cherry")})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/1", "red apple"), Remove: []string{"d/A/5"}})
	src.Commit("main", "c4", indexertest.Change{})
	h := open(t, vfstest.NewMem(), src, emb)

	tests := []struct {
		commit                               string
		documents, embedded, reused, indexed int
		deleted                              int
	}{
		{"c1", 4, 3, 1, 4, 0}, // two documents have one text
		{"c2", 5, 2, 3, 2, 0},
		{"c3", 4, 0, 4, 1, 1}, // a revert finds its vectors
		{"c4", 4, 0, 4, 0, 0},
	}
	for _, tt := range tests {
		emb.Reset()
		got := h.mustIndex(tt.commit, "")
		if got.Documents != tt.documents || got.Embedded != tt.embedded || got.Reused != tt.reused || got.Indexed != tt.indexed || got.Deleted != tt.deleted {
			t.Errorf("%s: documents %d embedded %d reused %d indexed %d deleted %d, want %+v", tt.commit, got.Documents, got.Embedded, got.Reused, got.Indexed, got.Deleted, tt)
		}
		if n := len(emb.Texts()); n != tt.embedded {
			t.Errorf("%s: the embedder was asked for %d texts, want %d", tt.commit, n, tt.embedded)
		}
	}
	emb.Reset()
	if task := h.mustIndex("c2", ""); len(emb.Texts()) != 0 || task.Documents != 5 {
		t.Errorf("an indexed commit: %d texts embedded, %d documents; want 0, 5", len(emb.Texts()), task.Documents)
	}
	for _, tt := range tests {
		if got, want := h.texts(tt.commit), src.Documents(tt.commit); !maps.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", tt.commit, got, want)
		}
	}
	if head, _ := h.Head(domain, "main"); head.Commit != "c4" {
		t.Errorf("head is %q, want c4", head.Commit)
	}
}

func TestSearchOrderAndZeroRule(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/2", "old wise man", "d/A/1", "old wise man", "d/B/1", "old wise woman", "d/B/2", "young fool")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "")

	hits := h.search("c1", "old wise man", 10)
	var ids []string
	for _, x := range hits {
		ids = append(ids, x.ID)
	}
	if want := []string{"d/A/1", "d/A/2", "d/B/1", "d/B/2"}; !slices.Equal(ids, want) {
		t.Errorf("order %v, want %v", ids, want)
	}
	if hits[0].Distance != 0 || hits[1].Distance != 0 || hits[2].Distance < 1e-7 {
		t.Errorf("distances %v: the identical texts must be at 0, others above", []float32{hits[0].Distance, hits[1].Distance, hits[2].Distance})
	}
	// The same words in another order have the same vector here, but are
	// not the same text.
	if x := h.search("c1", "man wise old", 1)[0]; x.Distance == 0 {
		t.Error("a different text is at distance 0")
	}
	// Pages fit together.
	var paged []string
	for start := range 4 {
		page, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Branch: "main"}, Text: "old wise man", Options: search.Options{Page: search.Page{Start: start, Count: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.Hits[0].ID)
	}
	if !slices.Equal(paged, ids) {
		t.Errorf("page by page %v, at once %v", paged, ids)
	}
	filtered, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "old wise man",
		Options: search.Options{Filter: search.Filter{Types: []string{"B"}}, Page: search.Page{Count: 10}}})
	if err != nil || len(filtered.Hits) != 2 || filtered.Hits[0].ID != "d/B/1" {
		t.Errorf("filter by type: %v, %v", filtered.Hits, err)
	}
	similar, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/1", Options: search.Options{Page: search.Page{Count: 2}}})
	if err != nil || len(similar.Hits) != 2 || similar.Hits[0].ID != "d/A/2" || similar.Hits[0].Distance != 0 {
		t.Errorf("similar: %v, %v", similar.Hits, err)
	}
	similar, err = h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/1", IncludeSelf: true, Options: search.Options{Page: search.Page{Count: 1}}})
	if err != nil || similar.Hits[0].ID != "d/A/1" {
		t.Errorf("similar with itself: %v, %v", similar.Hits, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "")
	page := search.Page{Count: 10}
	find := func(f func(*search.SearchRequest)) error {
		req := search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "x", Options: search.Options{Page: page}}
		f(&req)
		_, err := h.Search(t.Context(), req)
		return err
	}
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"unknown domain", find(func(r *search.SearchRequest) { r.Domain = "admin/other" }), contract.ErrNotFound},
		{"unknown commit", find(func(r *search.SearchRequest) { r.Ref.Commit = "c9" }), contract.ErrNotFound},
		{"unknown branch", find(func(r *search.SearchRequest) { r.Ref = search.Ref{Branch: "b"} }), contract.ErrNotFound},
		{"no commit", find(func(r *search.SearchRequest) { r.Ref = search.Ref{} }), contract.ErrInvalid},
		{"empty query", find(func(r *search.SearchRequest) { r.Text = "" }), contract.ErrInvalid},
		{"count 0", find(func(r *search.SearchRequest) { r.Page.Count = 0 }), contract.ErrInvalid},
		{"start too far", find(func(r *search.SearchRequest) { r.Page.Start = search.MaxStart + 1 }), contract.ErrInvalid},
		{"wrong dimension", find(func(r *search.SearchRequest) { r.Vector = make([]float32, 3) }), contract.ErrConflict},
		{"zero vector", find(func(r *search.SearchRequest) { r.Vector = make([]float32, 32) }), contract.ErrInvalid},
	}
	_, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/9", Options: search.Options{Page: page}})
	tests = append(tests, struct {
		name      string
		err, want error
	}{"similar to unknown", err, contract.ErrNotFound})
	_, err = h.Task("task-0")
	tests = append(tests, struct {
		name      string
		err, want error
	}{"unknown task", err, contract.ErrNotFound})
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if task := h.index("c9", ""); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "c9") {
		t.Errorf("an unknown commit: %s %q, want failed, naming it", task.State, task.Error)
	}
	for _, bad := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 600), "\xff"} {
		if _, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: bad}); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("commit %.10q: %v, want ErrInvalid", bad, err)
		}
	}
	// The window: nothing but what it lists is served.
	hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c9", Ancestors: []string{"c8", "c1"}}, Text: "one", Options: search.Options{Page: page}})
	if err != nil || hits.Commit != "c1" {
		t.Errorf("window: served %q, %v; want c1", hits.Commit, err)
	}
}

func TestNothingIsLeftOfAFailedFirstIndex(t *testing.T) {
	src := indexertest.NewSource()
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	if task := h.index("c1", ""); task.State != indexer.TaskFailed {
		t.Fatalf("state %s", task.State)
	}
	st, err := h.Statistics("")
	if err != nil || st.Domains != 0 {
		t.Errorf("statistics count %d domains, %v", st.Domains, err)
	}
}

func TestFailuresLoseNothing(t *testing.T) {
	down := errors.New("connection refused")
	src, emb := indexertest.NewSource(), &indexertest.Embedder{BatchSize: 2}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four", "d/A/5", "five")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/6", "six", "d/A/7", "seven", "d/A/8", "eight")})
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "")
	before := h.texts("c1")

	for n := -1; n < 8; n++ {
		src.Fail = func(i int) error {
			if i == n {
				return fmt.Errorf("%w: %w", contract.ErrSource, down)
			}
			return nil
		}
		task := h.index("c2", "")
		if task.State != indexer.TaskFailed || !strings.Contains(task.Error, "connection refused") {
			t.Fatalf("source failing at %d: %s %q", n, task.State, task.Error)
		}
	}
	src.Fail = nil
	emb.Fail = func([]string) error { return fmt.Errorf("%w: %w", contract.ErrProvider, down) }
	if task := h.index("c2", ""); task.State != indexer.TaskFailed {
		// The vectors bought before the source failed may already be
		// all there are; then no call is needed.
		if len(task.Skipped) != 0 || task.Embedded != 0 {
			t.Fatalf("provider down: %+v", task)
		}
	}
	emb.Fail = nil
	if got := h.texts("c1"); !maps.Equal(got, before) {
		t.Errorf("c1 changed: %v", got)
	}
	task := h.mustIndex("c2", "")
	if task.Documents != 8 {
		t.Errorf("%d documents, want 8", task.Documents)
	}
	counts := make(map[string]int)
	for _, text := range emb.Texts() {
		counts[text]++
	}
	for text, n := range counts {
		if n > 1 && text != "anything" { // the query of texts()
			t.Errorf("%q was embedded %d times", text, n)
		}
	}
}

func TestARefusedTextIsNamedAndTheOthersIndexed(t *testing.T) {
	src := indexertest.NewSource()
	emb := &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "good one", "d/A/2", "fine")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/1", "poison", "d/A/3", "good three", "d/A/4", "poison too")})
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "")
	emb.Refuse = func(text string) error {
		if strings.Contains(text, "poison") {
			return errors.New("refused by the model")
		}
		return nil
	}
	task := h.mustIndex("c2", "")
	var named []string
	for _, s := range task.Skipped {
		named = append(named, s.ID+": "+s.Message)
	}
	slices.Sort(named)
	if want := []string{"d/A/1: refused by the model", "d/A/4: refused by the model"}; !slices.Equal(named, want) {
		t.Errorf("skipped %q, want %q", named, want)
	}
	// The old version of a skipped document stays.
	if got, want := h.texts("c2"), docs("d/A/1", "good one", "d/A/2", "fine", "d/A/3", "good three"); !maps.Equal(got, want) {
		t.Errorf("c2 holds %v, want %v", got, want)
	}
}

func TestBranchesAndHeads(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one")})
	src.Branch("fan", "c1")
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/2", "two")})
	src.Commit("fan", "f1", indexertest.Change{Put: docs("d/A/3", "three")})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/4", "four")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	head := func(branch, want string) {
		t.Helper()
		if got, _ := h.Head(domain, branch); got.Commit != want {
			t.Errorf("head of %s is %q, want %q", branch, got.Commit, want)
		}
	}
	head("main", "")
	h.mustIndex("c2", "")
	head("main", "c2")
	h.mustIndex("f1", "") // not on main
	head("main", "c2")
	h.mustIndex("c1", "") // older than the head
	head("main", "c2")
	h.mustIndex("c3", "main")
	head("main", "c3")
	head("fan", "")
	if got, want := h.texts("f1"), docs("d/A/1", "one", "d/A/3", "three"); !maps.Equal(got, want) {
		t.Errorf("f1 holds %v, want %v", got, want)
	}
	st, err := h.Statistics(domain)
	if err != nil || st.Branches != 1 || st.IndexedCommits != 4 || st.Documents != 3 {
		t.Errorf("statistics %+v, %v", st, err)
	}
}

func TestAssign(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/2", "two")})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/3", "three")})
	files := vfstest.NewMem()
	h := open(t, files, src, emb)
	h.mustIndex("c1", "")
	assign := func(branch, source, target string, want error) {
		t.Helper()
		if err := h.Assign(t.Context(), domain, branch, source, target); !errors.Is(err, want) {
			t.Errorf("assign %s → %s: %v, want %v", source, target, err, want)
		}
	}
	assign("", "c1", "c2", nil)
	assign("", "c1", "c2", nil)
	assign("", "c9", "c5", contract.ErrNotFound)
	assign("", "c2", "c2b", nil) // an alias of an alias
	h.mustIndex("c3", "")        // whose nearest indexed ancestor is an alias
	assign("", "c3", "c2", contract.ErrConflict)
	assign("other", "c3", "o1", nil)
	check := func(h *harness) {
		t.Helper()
		for _, c := range []string{"c1", "c2", "c2b"} {
			if got, want := h.texts(c), docs("d/A/1", "one"); !maps.Equal(got, want) {
				t.Errorf("%s holds %v, want %v", c, got, want)
			}
		}
		if got, want := h.texts("o1"), src.Documents("c3"); !maps.Equal(got, want) {
			t.Errorf("o1 holds %v, want %v", got, want)
		}
		if got, _ := h.Head(domain, "other"); got.Commit != "o1" {
			t.Errorf("head of other is %q", got.Commit)
		}
	}
	check(h)
	h.close()
	check(open(t, files, src, emb))
}

func TestRestartResumesAndAnswersTheSame(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{BatchSize: 1}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three")})
	files := vfstest.NewMem()
	withTasks := func(c *indexer.Config) { c.TaskFile = taskFile }

	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	emb.Fail = func(texts []string) error {
		if texts[0] == "two" {
			once.Do(func() { close(reached); <-release })
		}
		return nil
	}
	h := open(t, files, src, emb, withTasks)
	task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	again, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c1"})
	if err != nil || again.ID != task.ID {
		t.Errorf("a second request gives task %s, %v; want the running one, %s", again.ID, err, task.ID)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); h.close() }()
	for h.Ready().Index {
		time.Sleep(time.Millisecond)
	}
	close(release)
	<-closed

	h = open(t, files, src, emb, withTasks)
	if got := h.wait(task.ID); got.State != indexer.TaskComplete || got.Documents != 3 {
		t.Fatalf("resumed task: %+v", got)
	}
	seen := make(map[string]int)
	for _, text := range emb.Texts() {
		seen[text]++
		if seen[text] > 1 {
			t.Errorf("%q was embedded twice", text)
		}
	}
	want := h.search("c1", "two", 3)
	h.close()
	h = open(t, files, src, emb, withTasks)
	if got := h.search("c1", "two", 3); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	if got, err := h.Task(task.ID); err != nil || got.State != indexer.TaskComplete {
		t.Errorf("the finished task after a restart: %+v, %v", got, err)
	}
}

func TestOneBuildForManyAskers(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two")})
	h := open(t, vfstest.NewMem(), src, emb)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c1"})
			if err != nil {
				t.Error(err)
				return
			}
			if got := h.wait(task.ID); got.State != indexer.TaskComplete || got.Documents != 2 {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
	if n := len(emb.Texts()); n != 2 {
		t.Errorf("%d texts embedded, want 2", n)
	}
}

func TestChunksOfLongDocuments(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "alpha beta gamma delta epsilon zeta eta", "d/A/2", "delta")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{Window: 3})
	task := h.mustIndex("c1", "")
	if task.Embedded != 4 || task.Documents != 2 {
		t.Errorf("embedded %d, documents %d; want 4, 2", task.Embedded, task.Documents)
	}
	hits := h.search("c1", "eta", 10)
	if len(hits) != 2 || hits[0].ID != "d/A/1" {
		t.Fatalf("hits %v", hits)
	}
	if got, want := hits[0].Chunk, (search.HitChunk{Index: 2, Count: 3, TokenStart: 6, DocTokens: 7, Snippet: "eta"}); got != want {
		t.Errorf("chunk %+v, want %+v", got, want)
	}
}

func TestAnotherModelIsRefused(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/2", "two")})
	files := vfstest.NewMem()
	h := open(t, files, src, &indexertest.Embedder{Name: "first"})
	h.mustIndex("c1", "")
	h.close()
	h = open(t, files, src, &indexertest.Embedder{Name: "second"})
	_, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "one", Options: search.Options{Page: search.Page{Count: 1}}})
	if !errors.Is(err, contract.ErrConflict) || !strings.Contains(err.Error(), "first") {
		t.Errorf("search with another model: %v", err)
	}
	if task := h.index("c2", ""); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "test/first/32") {
		t.Errorf("index with another model: %s %q", task.State, task.Error)
	}
	if _, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/1", IncludeSelf: true, Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
		t.Errorf("similar needs no model: %v", err)
	}
}

// bruteForce ranks a commit's documents the plain way.
func bruteForce(texts map[string]string, query string, dim int) []search.Hit {
	q := indexertest.Vector(query, dim)
	var hits []search.Hit
	for id, text := range texts {
		d := max(vector.Distance(vector.Dot(q, indexertest.Vector(text, dim))), 1e-7)
		if text == query {
			d = 0
		}
		hits = append(hits, search.Hit{ID: id, Distance: d})
	}
	slices.SortFunc(hits, func(a, b search.Hit) int {
		if a.Distance != b.Distance {
			if a.Distance < b.Distance {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return hits
}
