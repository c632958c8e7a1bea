package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// watched is a database and an index, as a watcher sees them.
type watched struct {
	mu       sync.Mutex
	heads    map[string]string
	parents  map[string]string // "" for the first
	times    map[string]time.Time
	away     error            // what looking at heads answers
	fails    map[string]error // what indexing a commit answers
	failed   map[string]indexer.Task
	indexed  map[string]bool
	log      []string          // branch/commit, in the order they were indexed
	last     map[string]string // commits by branch, as they were assigned
	looks    []time.Time
	indexing func(commit string) // called before a commit is indexed
}

func newWatched() *watched {
	return &watched{
		heads: make(map[string]string), parents: make(map[string]string), times: make(map[string]time.Time),
		last: make(map[string]string), fails: make(map[string]error), failed: make(map[string]indexer.Task), indexed: make(map[string]bool),
	}
}

// commit makes commits on a branch.
func (w *watched) commit(branch string, ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.parents[id], w.heads[branch], w.times[id] = w.heads[branch], id, time.Now()
	}
}

func (w *watched) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// take returns what was indexed since the last call.
func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log
	w.log = nil
	return log
}

func (w *watched) Heads(context.Context, string) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, time.Now())
	return maps.Clone(w.heads), w.away
}

func (w *watched) Head(_ context.Context, domain, branch string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	head, ok := w.heads[branch]
	if !ok && w.away == nil {
		return "", fmt.Errorf("%w: no branch %s of %s", contract.ErrNotFound, branch, domain)
	}
	return head, w.away
}

func (w *watched) Ancestry(_ context.Context, _, commit string) iter.Seq2[contract.Ancestor, error] {
	return func(yield func(contract.Ancestor, error) bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for ; commit != ""; commit = w.parents[commit] {
			if !yield(contract.Ancestor{Commit: commit, About: contract.About{Time: w.times[commit]}}, nil) {
				return
			}
		}
	}
}

func (w *watched) Indexed(context.Context, string) (func(string) bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	indexed := maps.Clone(w.indexed)
	return func(commit string) bool { return indexed[commit] }, nil
}

func (w *watched) IndexNow(_ context.Context, req indexer.IndexRequest) (indexer.Task, error) {
	if w.indexing != nil {
		w.indexing(req.Commit)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, req.Branch+"/"+req.Commit)
	if err := w.fails[req.Commit]; err != nil {
		return indexer.Task{}, err
	}
	if t, ok := w.failed[req.Commit]; ok {
		t.State = indexer.TaskFailed
		return t, nil
	}
	w.indexed[req.Commit] = true
	return indexer.Task{State: indexer.TaskComplete}, nil
}

func (w *watched) Assign(_ context.Context, _, branch, source, target string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if source != target || !w.indexed[source] {
		return fmt.Errorf("%w: assign %s to %s", contract.ErrNotFound, source, target)
	}
	w.last[branch] = source
	return nil
}

// wantLast holds that every branch's last indexed commit is its head.
func (w *watched) wantLast(t *testing.T, what string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for branch, head := range w.heads {
		if w.last[branch] != head {
			t.Errorf("%s: the last indexed commit of %s is %q, want %q", what, branch, w.last[branch], head)
		}
	}
}

// follow runs a watcher in a bubble until the test's function returns.
func follow(t *testing.T, w *watched, branches []string, test func(*indexer.Watcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		watcher := indexer.NewWatcher(indexer.WatchConfig{
			Heads: w, Snapshots: w, Interval: time.Second, Follow: []indexer.Followed{{Domain: domain, Branches: branches}},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			watcher.Run(ctx)
		}()
		synctest.Wait()
		test(watcher)
		cancel()
		<-done
	})
}

// pass lets some time go by and everything settle.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble's time
	synctest.Wait()
}

func wantLog(t *testing.T, w *watched, what string, want ...string) {
	t.Helper()
	if got := w.take(); !slices.Equal(got, want) {
		t.Errorf("%s: indexed %v, want %v", what, got, want)
	}
}

func TestWatch(t *testing.T) {
	w := newWatched()
	w.commit("main", "c1", "c2", "c3")
	follow(t, w, nil, func(watcher *indexer.Watcher) {
		wantLog(t, w, "a history of which nothing is indexed", "main/c3")
		w.commit("main", "c4", "c5")
		pass(time.Second)
		wantLog(t, w, "two new commits", "main/c4", "main/c5")
		pass(time.Minute)
		wantLog(t, w, "nothing new")

		w.set(func() { w.heads["fan"] = "c4" })
		pass(time.Second)
		wantLog(t, w, "a new branch at an indexed commit")
		w.wantLast(t, "a new branch")
		w.commit("fan", "f1")
		w.commit("main", "c6")
		w.commit("another", "a1")
		pass(time.Second)
		wantLog(t, w, "three branches, main first", "main/c6", "another/a1", "fan/f1")

		w.commit("main", "c7", "c8")
		w.set(func() { w.heads["late"] = "c7" })
		pass(time.Second)
		wantLog(t, w, "a branch made at a commit that is new on another", "main/c7", "main/c8")
		w.wantLast(t, "a branch made at a new commit")

		w.set(func() { w.heads["main"] = "c5" })
		pass(time.Second)
		wantLog(t, w, "a reset")
		w.wantLast(t, "a reset")
		w.commit("main", "d6", "d7")
		pass(time.Second)
		wantLog(t, w, "commits after a reset", "main/d6", "main/d7")
		w.wantLast(t, "commits after a reset")

		w.set(func() { delete(w.heads, "fan") })
		pass(time.Second)
		for _, row := range watcher.Lag("") {
			if row.Branch == "fan" {
				t.Error("a deleted branch has a lag")
			}
		}
		w.set(func() { w.heads["main"] = "" })
		w.commit("main", "s1", "s2") // a new history, as after a squash
		pass(time.Second)
		wantLog(t, w, "a new history", "main/s2")
	})
}

func TestWatchNamedBranches(t *testing.T) {
	w := newWatched()
	w.commit("main", "c1")
	w.commit("other", "o1")
	follow(t, w, []string{"main", "fan"}, func(watcher *indexer.Watcher) {
		wantLog(t, w, "of two branches one is there", "main/c1")
		w.set(func() { w.heads["fan"] = "c1" })
		w.commit("fan", "f1")
		w.commit("other", "o2")
		pass(time.Second)
		wantLog(t, w, "the other appears", "fan/f1")
		for branch, want := range map[string]bool{"": true, "fan": true, "other": false} {
			if got := watcher.Notify(domain, branch); got != want {
				t.Errorf("branch %q is followed: %t, want %t", branch, got, want)
			}
		}
		if watcher.Notify("admin/else", "main") {
			t.Error("an unknown domain is followed")
		}
	})
}

// TestWatchAway checks that nothing is lost and the pauses grow while the
// database is away, and that a notification shortens them.
func TestWatchAway(t *testing.T) {
	w := newWatched()
	w.away = fmt.Errorf("%w: no answer", contract.ErrSource)
	follow(t, w, nil, func(watcher *indexer.Watcher) {
		pass(10 * time.Minute)
		w.set(func() {
			var pauses []time.Duration
			for i := 1; i < len(w.looks); i++ {
				pauses = append(pauses, w.looks[i].Sub(w.looks[i-1]))
			}
			want := []time.Duration{2, 4, 8, 16, 32, 60, 60}
			for i := range want {
				if i >= len(pauses) || pauses[i] != want[i]*time.Second {
					t.Errorf("pauses %v, want %v s", pauses, want)
					break
				}
			}
		})
		if lag := watcher.Lag(domain); len(lag) != 1 || lag[0].Error == "" || lag[0].Branch != "" {
			t.Errorf("lag %+v", lag)
		}
		w.set(func() { w.away = nil })
		w.commit("main", "c1")
		watcher.Notify(domain, "main")
		synctest.Wait()
		wantLog(t, w, "at once after a notification", "main/c1")
		if lag := watcher.Lag(domain); len(lag) != 1 || lag[0].Error != "" || lag[0].Branch != "main" || lag[0].Head != "c1" {
			t.Errorf("lag %+v", lag)
		}
		w.commit("main", "c2")
		pass(time.Second)
		wantLog(t, w, "after the usual pause again", "main/c2")
	})
}

// TestWatchFailures checks that commits wait for a provider that is away, and
// that one which cannot be indexed holds no later one up.
func TestWatchFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		away bool
		fail func(w *watched)
	}{
		{"provider", true, func(w *watched) { w.failed["c2"] = indexer.Task{ErrorCode: "provider_failed", Error: "429"} }},
		{"source", true, func(w *watched) { w.failed["c2"] = indexer.Task{ErrorCode: "source_failed"} }},
		{"server", true, func(w *watched) { w.fails["c2"] = errors.New("no answer from the server") }},
		{"busy", true, func(w *watched) { w.fails["c2"] = contract.ErrBusy }},
		{"poison", false, func(w *watched) { w.failed["c2"] = indexer.Task{ErrorCode: "internal", Error: "panic"} }},
		{"gone", false, func(w *watched) { w.failed["c2"] = indexer.Task{ErrorCode: "not_found"} }},
		{"invalid", false, func(w *watched) { w.fails["c2"] = contract.ErrInvalid }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatched()
			w.commit("main", "c1")
			follow(t, w, nil, func(watcher *indexer.Watcher) {
				w.take()
				w.set(func() { c.fail(w) })
				w.commit("main", "c2")
				pass(time.Second)
				wantLog(t, w, "the commit that fails", "main/c2")
				time.Sleep(time.Second)
				w.commit("main", "c3")
				if lag := watcher.Lag(domain)[0]; lag.Commits != 1 || lag.Seconds != 2 || lag.Error == "" {
					t.Errorf("lag %+v, want one commit of 2 s, and why", lag)
				}
				pass(time.Second) // the pause is 2 s
				if c.away {
					wantLog(t, w, "the same commit again, and none after it", "main/c2")
					if lag := watcher.Lag(domain)[0]; lag.Commits != 2 || lag.Head != "c3" {
						t.Errorf("lag %+v, want two commits", lag)
					}
					w.set(func() { clear(w.fails); clear(w.failed) })
					pass(4 * time.Second)
					wantLog(t, w, "once it is back", "main/c2", "main/c3")
				} else {
					wantLog(t, w, "the one after it", "main/c2", "main/c3")
				}
				if lag := watcher.Lag(domain)[0]; lag.Commits != 0 || lag.Seconds != 0 || lag.Error != "" {
					t.Errorf("lag %+v, want none", lag)
				}
				pass(time.Minute)
				wantLog(t, w, "nothing is left to do")
			})
		})
	}
}

func TestWatchOnce(t *testing.T) {
	w := newWatched()
	w.commit("main", "c1")
	w.indexed["c1"] = true
	w.commit("main", "c2", "c3")
	watcher := indexer.NewWatcher(indexer.WatchConfig{Heads: w, Snapshots: w, Follow: []indexer.Followed{{Domain: domain}}})
	if err := watcher.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLog(t, w, "once", "main/c2", "main/c3")
	w.away = fmt.Errorf("%w: no answer", contract.ErrSource)
	if err := watcher.Once(t.Context()); !errors.Is(err, contract.ErrSource) {
		t.Errorf("without the database: %v", err)
	}
}

// sourceHeads is a test database that can be watched.
type sourceHeads struct {
	*indexertest.Source
	*watched
}

// TestWatchIndexes checks a watcher over a real indexer, and that its end does
// not wait for a task.
func TestWatchIndexes(t *testing.T) {
	src, w := indexertest.NewSource(), newWatched()
	for i := 1; i <= 3; i++ {
		id := fmt.Sprintf("c%d", i)
		src.Commit("main", id, indexertest.Change{Put: docs("d/A/1", "text "+id)})
		w.commit("main", id)
	}
	stop := make(chan struct{})
	emb := &indexertest.Embedder{Fail: func(texts []string) error {
		if texts[0] == "text c3" {
			close(stop)
			<-t.Context().Done()
		}
		return nil
	}}
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "main")
	if indexed, err := h.Indexed(t.Context(), domain); err != nil || !indexed("c1") || indexed("c2") {
		t.Errorf("indexed: c1 %t, c2 %t, %v; want true, false", indexed("c1"), indexed("c2"), err)
	}
	watcher := indexer.NewWatcher(indexer.WatchConfig{Heads: sourceHeads{src, w}, Snapshots: h.Indexer, Follow: []indexer.Followed{{Domain: domain}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Run(ctx)
	}()
	<-stop
	cancel()
	<-done
	if head, _ := h.Head(domain, "main"); head.Commit != "c2" {
		t.Errorf("head %+v, want c2", head)
	}
}
