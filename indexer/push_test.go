package indexer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func put(id, text string) contract.Op { return contract.Op{Kind: contract.Upsert, ID: id, Text: text} }
func remove(id string) contract.Op    { return contract.Op{Kind: contract.Delete, ID: id} }

func puts(pairs ...string) []contract.Op {
	var ops []contract.Op
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, put(pairs[i], pairs[i+1]))
	}
	return ops
}

// start begins a push.
func (h *harness) start(branch, parent, commit string) (*indexer.Push, error) {
	return h.StartPush(h.t.Context(), indexer.PushRequest{Domain: domain, Branch: branch, Parent: parent, Commit: commit})
}

func (h *harness) mustStart(branch, parent, commit string) *indexer.Push {
	h.t.Helper()
	p, err := h.start(branch, parent, commit)
	if err != nil {
		h.t.Fatalf("push %s: %v", commit, err)
	}
	return p
}

// push pushes a commit and returns its task when it has ended.
func (h *harness) push(branch, parent, commit string, ops ...contract.Op) indexer.Task {
	h.t.Helper()
	return h.pushAll(indexer.PushRequest{Domain: domain, Commit: commit, Branch: branch, Parent: parent}, ops...)
}

// pushInto pushes a commit to main of a domain.
func (h *harness) pushInto(name, parent, commit string, ops ...contract.Op) {
	h.t.Helper()
	if task := h.pushAll(indexer.PushRequest{Domain: name, Commit: commit, Parent: parent}, ops...); task.State != indexer.TaskComplete {
		h.t.Fatalf("push %s of %s: %s: %s", commit, name, task.State, task.Error)
	}
}

func (h *harness) pushAll(req indexer.PushRequest, ops ...contract.Op) indexer.Task {
	h.t.Helper()
	p, err := h.StartPush(h.t.Context(), req)
	if err != nil {
		h.t.Fatalf("push %s: %v", req.Commit, err)
	}
	for _, op := range ops {
		if err := p.Apply(op); err != nil {
			p.Abort(err)
			break
		}
	}
	p.Finish()
	<-p.Done()
	return p.Task()
}

func (h *harness) mustPush(branch, parent, commit string, ops ...contract.Op) indexer.Task {
	h.t.Helper()
	task := h.push(branch, parent, commit, ops...)
	if task.State != indexer.TaskComplete {
		h.t.Fatalf("push %s: %s: %s", commit, task.State, task.Error)
	}
	return task
}

func (h *harness) wantTexts(commit string, pairs ...string) {
	h.t.Helper()
	if got, want := h.texts(commit), docs(pairs...); !maps.Equal(got, want) {
		h.t.Errorf("%s holds %v, want %v", commit, got, want)
	}
}

func (h *harness) wantHead(branch, want string) {
	h.t.Helper()
	if got, err := h.Head(domain, branch); got.Commit != want || err != nil {
		h.t.Errorf("head of %s is %q, %v; want %q", branch, got.Commit, err, want)
	}
}

func openPush(t *testing.T, files vfs.FS, emb *indexertest.Embedder, opts ...func(*indexer.Config)) *harness {
	t.Helper()
	return open(t, files, indexertest.NewSource(), emb, opts...)
}

// TestPushOperations checks what each operation does (wire contract §6.3).
func TestPushOperations(t *testing.T) {
	emb := &indexertest.Embedder{Window: 3, Refuse: func(text string) error {
		if strings.Contains(text, "poison") {
			return errors.New("refused by the model")
		}
		return nil
	}}
	h := openPush(t, vfstest.NewMem(), emb)
	tests := []struct {
		name    string
		ops     []contract.Op
		indexed int
		skipped []string
		want    map[string]string
	}{
		{"inserts", puts("d/A/1", "one", "d/A/2", "a b c d e f g", "d/A/3", "three"), 3, nil,
			docs("d/A/1", "one", "d/A/2", "a b c ", "d/A/3", "three")},
		{"nothing", nil, 0, nil, docs("d/A/1", "one", "d/A/2", "a b c ", "d/A/3", "three")},
		{"change, long to short", puts("d/A/2", "short"), 1, nil, docs("d/A/1", "one", "d/A/2", "short", "d/A/3", "three")},
		{"delete with insert", append(puts("d/A/4", "four"), remove("d/A/1")), 1, nil,
			docs("d/A/2", "short", "d/A/3", "three", "d/A/4", "four")},
		{"delete unknown", []contract.Op{remove("d/A/99")}, 0, nil, docs("d/A/2", "short", "d/A/3", "three", "d/A/4", "four")},
		{"insert what exists", puts("d/A/3", "drei"), 1, nil, docs("d/A/2", "short", "d/A/3", "drei", "d/A/4", "four")},
		{"the last line decides", []contract.Op{
			put("d/A/3", "x"), put("d/A/3", "y"), put("d/A/5", "five"), remove("d/A/5"),
			remove("d/A/4"), put("d/A/4", "vier"), put("d/A/6", "poison"), put("d/A/6", "six")}, 3, nil,
			docs("d/A/2", "short", "d/A/3", "y", "d/A/4", "vier", "d/A/6", "six")},
		{"failed operations", []contract.Op{{Kind: contract.Failed, Err: errors.New("operation error: x")}, put("d/A/7", "seven")}, 1,
			[]string{"unknown: operation error: x"},
			docs("d/A/2", "short", "d/A/3", "y", "d/A/4", "vier", "d/A/6", "six", "d/A/7", "seven")},
		{"refused, the old version stays", puts("d/A/7", "poison", "d/A/8", "poison too", "d/A/9", "nine"), 1,
			[]string{"d/A/7: refused by the model", "d/A/8: refused by the model"},
			docs("d/A/2", "short", "d/A/3", "y", "d/A/4", "vier", "d/A/6", "six", "d/A/7", "seven", "d/A/9", "nine")},
		{"unchanged", puts("d/A/7", "seven"), 1, nil,
			docs("d/A/2", "short", "d/A/3", "y", "d/A/4", "vier", "d/A/6", "six", "d/A/7", "seven", "d/A/9", "nine")},
		{"empty text", puts("d/A/7", ""), 1, nil,
			docs("d/A/2", "short", "d/A/3", "y", "d/A/4", "vier", "d/A/6", "six", "d/A/7", "", "d/A/9", "nine")},
	}
	version := uint64(0)
	for i, tt := range tests {
		commit := fmt.Sprintf("c%d", i)
		task := h.mustPush("", "", commit, tt.ops...)
		var skipped []string
		for _, s := range task.Skipped {
			skipped = append(skipped, s.ID+": "+s.Message)
		}
		if task.Indexed != tt.indexed || !slices.Equal(skipped, tt.skipped) || task.Percentage != 100 {
			t.Errorf("%s: indexed %d, skipped %q, %v %%; want %d, %q, 100", tt.name, task.Indexed, skipped, task.Percentage, tt.indexed, tt.skipped)
		}
		head, err := h.Head(domain, "")
		if head.Commit != commit || head.Version <= version || err != nil {
			t.Errorf("%s: head %+v, %v; the version was %d", tt.name, head, err, version)
		}
		version = head.Version
	}
	h.close()
	h = open(t, h.fs, h.src, emb)
	for i, tt := range tests {
		if got := h.firstChunks(fmt.Sprintf("c%d", i)); !maps.Equal(got, tt.want) {
			t.Errorf("%s: it holds %v, want %v", tt.name, got, tt.want)
		}
	}
}

// firstChunks returns the first chunk of every document.
func (h *harness) firstChunks(commit string) map[string]string {
	h.t.Helper()
	got := make(map[string]string)
	for id, text := range h.texts(commit) {
		hits, err := h.Similar(h.t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: commit}, ID: id,
			IncludeSelf: true, Options: search.Options{Filter: search.Filter{IDs: []string{id}}, Page: search.Page{Count: 1}, Snippet: true}})
		if err != nil || len(hits.Hits) != 1 {
			h.t.Fatalf("similar to itself: %v, %v", hits, err)
		}
		if got[id] = hits.Hits[0].Chunk.Snippet; hits.Hits[0].Chunk.Index != 0 {
			got[id] = text
		}
	}
	return got
}

// TestPushBase checks what a push builds on (wire contract §6.2).
func TestPushBase(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("main", "never-indexed", "c1", puts("d/A/1", "one")...)
	h.mustPush("main", "", "c2", puts("d/A/2", "two")...) // on the head
	h.mustPush("main", "c1", "c3", puts("d/A/3", "three")...)
	emb.Reset()
	h.mustPush("fork", "c1", "f1", puts("d/A/4", "four")...)
	if got := emb.Texts(); !slices.Equal(got, []string{"four"}) {
		t.Errorf("the fork embedded %q", got)
	}
	p := h.mustStart("fork", "unknown", "f2")
	if p.Base() != "f1" {
		t.Errorf("base %q, want the head f1", p.Base())
	}
	p.Finish()
	<-p.Done()
	h.mustPush("alone", "", "a1", puts("d/A/5", "five")...)
	if _, err := h.start("new", "unknown", "n1"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a new branch from an unknown parent: %v", err)
	}
	h.mustPush("main", "", "n1") // not reserved by the refusal
	if err := h.Assign(t.Context(), domain, "main", "c2", "c2alias"); err != nil {
		t.Fatal(err)
	}
	h.mustPush("main", "", "c4", puts("d/A/6", "six")...) // on an alias
	for commit, want := range map[string][]string{
		"c1": {"d/A/1", "one"}, "c2": {"d/A/1", "one", "d/A/2", "two"}, "c3": {"d/A/1", "one", "d/A/3", "three"},
		"f1": {"d/A/1", "one", "d/A/4", "four"}, "f2": {"d/A/1", "one", "d/A/4", "four"}, "a1": {"d/A/5", "five"},
		"c4": {"d/A/1", "one", "d/A/2", "two", "d/A/6", "six"},
	} {
		h.wantTexts(commit, want...)
	}
	h.wantHead("fork", "f2")
	h.wantHead("new", "")
}

// TestPushIsRefused: what is indexed, or under way, is not taken again.
func TestPushIsRefused(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.BranchWait = 5 * time.Millisecond })
	conflict := func(commit string) {
		t.Helper()
		if _, err := h.start("other", "", commit); !errors.Is(err, contract.ErrConflict) {
			t.Errorf("push %s: %v, want a conflict", commit, err)
		}
	}
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	if err := h.Assign(t.Context(), domain, "", "c1", "a1"); err != nil {
		t.Fatal(err)
	}
	conflict("c1")
	conflict("a1")
	p := h.mustStart("", "", "c2")
	conflict("c2")
	if err := h.Assign(t.Context(), domain, "", "c1", "c2"); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("assign to a commit being pushed: %v", err)
	}
	if _, err := h.start("", "", "c3"); !errors.Is(err, contract.ErrBusy) {
		t.Errorf("another commit on the branch: %v", err)
	}
	if task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c2"}); err != nil || task.ID != p.Task().ID {
		t.Errorf("index of a commit being pushed: %+v, %v", task, err)
	}
	p.Finish()
	<-p.Done()
	if err := p.Err(); err != nil {
		t.Errorf("the first push: %v", err)
	}
	h.mustPush("", "", "c3", puts("d/A/3", "three")...)
	for _, bad := range []indexer.PushRequest{
		{Domain: domain}, {Domain: domain, Commit: "a\x00"}, {Domain: domain, Commit: "c9", Branch: "\n"}, {Domain: domain, Commit: "c9", Parent: "\x7f"},
	} {
		if _, err := h.StartPush(t.Context(), bad); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if st, err := h.Statistics(domain); st.IndexedCommits != 4 || st.Tasks != 3 || err != nil {
		t.Errorf("statistics %+v, %v: refused pushes must leave no task", st, err)
	}
}

// TestOneOfTwoEqualPushes: of two equal pushes at once one is taken.
func TestOneOfTwoEqualPushes(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	for round := range 20 {
		var accepted atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				p, err := h.start(fmt.Sprintf("b%d", i), "", fmt.Sprintf("c%d", round))
				if err == nil {
					accepted.Add(1)
					p.Finish()
					<-p.Done()
				} else if !errors.Is(err, contract.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Fatalf("%d pushes of one commit were accepted", n)
		}
	}
}

// TestASecondPushWaitsForTheBranch: no push ends another.
func TestASecondPushWaitsForTheBranch(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	first := h.mustStart("", "", "c1")
	if err := first.Apply(put("d/A/1", "one")); err != nil {
		t.Fatal(err)
	}
	started := make(chan *indexer.Push)
	go func() {
		p, err := h.start("", "", "c2")
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	first.Finish()
	second := <-started
	if got := second.Base(); got != "c1" {
		t.Errorf("the second push builds on %q, want c1", got)
	}
	second.Finish()
	<-second.Done()
	h.wantTexts("c2", "d/A/1", "one")
	// A caller that does not wait.
	third := h.mustStart("", "", "c3")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.StartPush(ctx, indexer.PushRequest{Domain: domain, Commit: "c4"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	third.Abort(errors.New("enough"))
	h.mustPush("", "", "c4")
}

// TestPushesToBranchesRunSideBySide: so they do; and of two pushes that embed
// the same text one pays.
func TestPushesToBranchesRunSideBySide(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	emb := &indexertest.Embedder{Fail: func(texts []string) error {
		if slices.Contains(texts, "slow") {
			once.Do(func() { close(reached); <-release })
		}
		return nil
	}}
	h := openPush(t, vfstest.NewMem(), emb)
	slow := h.mustStart("a", "", "a1")
	for _, op := range puts("d/A/1", "slow", "d/A/2", "shared") {
		if err := slow.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
	slow.Finish()
	<-reached
	h.mustPush("b", "", "b1", puts("d/A/3", "quick")...)
	h.wantTexts("b1", "d/A/3", "quick") // and searches are not delayed (111)
	third := h.mustStart("c", "", "c1")
	for _, op := range puts("d/A/4", "shared", "d/A/5", "slow", "d/A/6", "own") {
		if err := third.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
	third.Finish()
	for !slices.Contains(emb.Texts(), "own") {
		runtime.Gosched() // until it waits for nothing but the shared texts
	}
	close(release)
	<-slow.Done()
	<-third.Done()
	if slow.Err() != nil || third.Err() != nil {
		t.Fatalf("%v, %v", slow.Err(), third.Err())
	}
	seen := make(map[string]int)
	for _, text := range emb.Texts() {
		seen[text]++
	}
	if seen["slow"] != 1 || seen["shared"] != 1 {
		t.Errorf("embedded %v", seen)
	}
	if got := third.Task(); got.Embedded != 1 || got.Reused != 2 {
		t.Errorf("the third push embedded %d and found %d texts, want 1, 2", got.Embedded, got.Reused)
	}
	h.wantTexts("c1", "d/A/4", "shared", "d/A/5", "slow", "d/A/6", "own")
}

// TestAFailedFlightIsTakenOver: of two pushes that want one text the first
// fails to embed it; the second does it then.
func TestAFailedFlightIsTakenOver(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	emb := &indexertest.Embedder{Fail: func([]string) error {
		if calls.Add(1) == 1 {
			close(reached)
			<-release
			return fmt.Errorf("%w: down", contract.ErrProvider)
		}
		return nil
	}}
	h := openPush(t, vfstest.NewMem(), emb)
	first, second := h.mustStart("a", "", "a1"), h.mustStart("b", "", "b1")
	if err := first.Apply(put("d/A/1", "shared")); err != nil {
		t.Fatal(err)
	}
	first.Finish()
	<-reached
	if err := second.Apply(put("d/A/2", "shared")); err != nil {
		t.Fatal(err)
	}
	second.Finish()
	close(release)
	<-first.Done()
	<-second.Done()
	if !errors.Is(first.Err(), contract.ErrProvider) || second.Err() != nil {
		t.Errorf("first: %v, second: %v", first.Err(), second.Err())
	}
	h.wantTexts("b1", "d/A/2", "shared")
}

// TestAPushThatFailsLeavesNothing checks wire contract §6.4.
func TestAPushThatFailsLeavesNothing(t *testing.T) {
	emb := &indexertest.Embedder{BatchSize: 2}
	files := vfstest.NewMem()
	h := openPush(t, files, emb)
	before := func() {
		t.Helper()
		h.wantTexts("c1", "d/A/1", "one", "d/A/2", "two")
		h.wantHead("", "c1")
		if _, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}}); !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("c2 can be searched: %v", err)
		}
		names, err := files.List()
		if err != nil || len(names) != 3 { // vectors, commit, catalog
			t.Errorf("files %v, %v", names, err)
		}
	}
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	p := h.mustStart("", "", "c2")
	for _, op := range append(puts("d/A/1", "changed", "d/A/3", "three"), remove("d/A/2")) {
		if err := p.Apply(op); err != nil {
			t.Fatal(err)
		}
	}
	reason := errors.New("push aborted by line 4")
	p.Abort(reason)
	if !errors.Is(p.Err(), reason) {
		t.Errorf("aborted: %v", p.Err())
	}
	if err := p.Apply(put("d/A/4", "four")); err == nil {
		t.Error("an aborted push takes operations")
	}
	p.Finish()
	p.Abort(errors.New("another reason"))
	if task, err := h.Task(p.Task().ID); task.State != indexer.TaskFailed || task.Error != reason.Error() || err != nil {
		t.Errorf("the task: %+v, %v", task, err)
	}
	before()

	emb.Fail = func([]string) error { return fmt.Errorf("%w: connection refused", contract.ErrProvider) }
	if task := h.push("", "", "c2", puts("d/A/4", "four")...); task.State != indexer.TaskFailed || task.ErrorCode != "provider_failed" {
		t.Errorf("provider down: %+v", task)
	}
	emb.Fail = nil
	before()
	emb.Fail = func([]string) error { panic("a defect") }
	if task := h.push("", "", "c2", puts("d/A/4", "four")...); task.State != indexer.TaskFailed {
		t.Errorf("panic: %+v", task)
	}
	emb.Fail = nil
	before()
	if task := h.push("", "", "c2", contract.Op{Kind: 9, ID: "x"}); task.State != indexer.TaskFailed {
		t.Errorf("unknown kind of operation: %+v", task)
	}
	before()
	h.mustPush("", "", "c2", puts("d/A/3", "three")...)
	h.wantTexts("c2", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
}

// TestAnotherModelFailsThePush: it is the task that fails, not the request.
func TestAnotherModelFailsThePush(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{Name: "first"})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.close()
	h = openPush(t, files, &indexertest.Embedder{Name: "second"})
	if task := h.push("", "", "c2", puts("d/A/2", "two")...); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "test/first/32") {
		t.Errorf("push with another model: %+v", task)
	}
}

// TestPushWithoutDocumentsNeedsNoProvider: it moves the branch, and others follow.
func TestPushWithoutDocumentsNeedsNoProvider(t *testing.T) {
	emb := &indexertest.Embedder{Fail: func([]string) error { return fmt.Errorf("%w: down", contract.ErrProvider) }}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1")
	h.mustPush("", "", "c2", remove("d/A/1"), contract.Op{Kind: contract.Failed, Err: errors.New("operation error")})
	if hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}}); len(hits.Hits) != 0 || err != nil {
		t.Errorf("search in nothing: %v, %v", hits, err)
	}
	emb.Fail = nil
	h.mustPush("", "", "c3", puts("d/A/1", "one")...)
	h.wantTexts("c3", "d/A/1", "one")
}

// TestPushEmbedsWhileOperationsCome: progress is
// made before the end of the operations, by full batches and by those that
// come slowly.
func TestPushEmbedsWhileOperationsCome(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{BatchSize: 4})
	p := h.mustStart("", "", "c1")
	n := 0
	last := indexer.PushProgress{}
	for _, want := range []int{1, 2, 7, 8, 30} { // 1 and 2 fill no batch
		for ; n < want; n++ {
			if err := p.Apply(put(fmt.Sprintf("d/A/%d", n), fmt.Sprintf("text %d", n))); err != nil {
				t.Fatal(err)
			}
		}
		for p.Progress().Indexed < want {
			<-p.Advanced()
			got := p.Progress()
			if got.Indexed < last.Indexed || got.Seen < last.Seen || got.Indexed > got.Seen {
				t.Errorf("progress %+v after %+v", got, last)
			}
			last = got
		}
	}
	p.Finish()
	<-p.Done()
	if task := p.Task(); task.Indexed != 30 || task.Embedded != 30 || task.Tokens != 60 || task.TokensToEmbed != 60 {
		t.Errorf("%+v", task)
	}
}

// TestPushBoundsItsMemory: the texts of a large push are not held.
func TestPushBoundsItsMemory(t *testing.T) {
	dir, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	h := openPush(t, dir, &indexertest.Embedder{BatchSize: 16, Forget: true})
	defer h.close()
	p := h.mustStart("", "", "c1")
	const size = 64 << 10
	word := strings.Repeat("x", size-16)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start, most := heap(), uint64(0)
	const documents = 512 // 32 MiB of text
	for i := range documents {
		if err := p.Apply(put(fmt.Sprintf("d/A/%d", i), fmt.Sprintf("%s %d", word, i))); err != nil {
			t.Fatal(err)
		}
		if i%128 == 127 {
			most = max(most, heap()-min(heap(), start))
		}
	}
	p.Finish()
	<-p.Done()
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	if limit := uint64(10 << 20); most > limit {
		t.Errorf("a push of 32 MiB held %d MiB of memory, want at most %d", most>>20, limit>>20)
	}
}

// TestPushesAndRestarts: a push cut short is failed with the reason, one whose
// commit was written is complete; finished tasks stay known.
func TestPushesAndRestarts(t *testing.T) {
	files := vfstest.NewMem()
	withTasks := func(c *indexer.Config) { c.TaskFile = taskFile }
	h := openPush(t, files, &indexertest.Embedder{}, withTasks)
	done := h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	p := h.mustStart("", "", "c2")
	if err := p.Apply(put("d/A/2", "two")); err != nil {
		t.Fatal(err)
	}
	h.close() // with the push under way
	<-p.Done()
	if err := p.Apply(put("d/A/2", "two")); err == nil {
		t.Error("a stopped push takes operations")
	}
	if _, err := p.Task(), p.Err(); !errors.Is(err, contract.ErrClosed) {
		t.Errorf("the stopped push: %v", err)
	}
	h = openPush(t, files, &indexertest.Embedder{}, withTasks)
	cut, err := h.Task(p.Task().ID)
	if err != nil || cut.State != indexer.TaskFailed || !strings.Contains(cut.Error, "push the commit again") {
		t.Errorf("the task after a restart: %+v, %v", cut, err)
	}
	if got, err := h.Task(done.ID); err != nil || got.State != indexer.TaskComplete || got.Indexed != 1 {
		t.Errorf("the finished task after a restart: %+v, %v", got, err)
	}
	h.wantHead("", "c1")
	h.mustPush("", "", "c2", puts("d/A/2", "two")...)
	h.wantTexts("c2", "d/A/1", "one", "d/A/2", "two")
}

// TestClosedTakesNoPush: a closed indexer refuses.
func TestClosedTakesNoPush(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	ix := h.Indexer
	h.close()
	if _, err := ix.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c1"}); !errors.Is(err, contract.ErrClosed) {
		t.Errorf("StartPush: %v", err)
	}
	if err := ix.DeleteDomain(t.Context(), domain, false); !errors.Is(err, contract.ErrClosed) {
		t.Errorf("DeleteDomain: %v", err)
	}
	if err := ix.DeleteBranchIndex(t.Context(), domain, "b"); !errors.Is(err, contract.ErrClosed) {
		t.Errorf("DeleteBranchIndex: %v", err)
	}
}

// TestSkippedOperationsAreBounded: a push that skips thousands of documents, or of
// operations that failed at the sender's, lists the first, and counts all.
func TestSkippedOperationsAreBounded(t *testing.T) {
	const n = 150_000
	for name, op := range map[string]func(i int) contract.Op{
		"documents":         func(i int) contract.Op { return put(fmt.Sprintf("d/A/%06d", i), "a text, and no vector") },
		"failed operations": func(int) contract.Op { return contract.Op{Kind: contract.Failed, Err: errors.New("it went wrong")} },
	} {
		t.Run(name, func(t *testing.T) {
			h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
			p, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c1", Settings: catalog.SettingsRequest{Dim: 3}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if err := p.Apply(op(i)); err != nil {
					t.Fatal(err)
				}
			}
			p.Finish()
			<-p.Done()
			task := p.Task()
			if task.State != indexer.TaskComplete || len(task.Skipped) != tasks.MaxSkipped || task.SkippedTotal != n {
				t.Errorf("%s: %d listed of %d", task.State, len(task.Skipped), task.SkippedTotal)
			}
			if last := task.Skipped[len(task.Skipped)-1]; last.ID != cmp.Or(op(len(task.Skipped)-1).ID, "unknown") {
				t.Errorf("the last one listed is %+v", last)
			}
			if got := p.Progress().Skipped; got != n {
				t.Errorf("%d skipped by its progress", got)
			}
		})
	}
}
