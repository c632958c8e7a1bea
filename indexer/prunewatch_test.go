package indexer_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestWatcherLeavesThePruned: it indexes no pruned commit again but the one that a
// branch is made at or moved to.
func TestWatcherLeavesThePruned(t *testing.T) {
	src, db := indexertest.NewSource(), newWatched()
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, flat)
	w := indexer.NewWatcher(indexer.WatchConfig{Heads: db, Snapshots: h, Follow: []indexer.Followed{{Domain: domain}}})
	commit := func(branch, c string) {
		src.Commit(branch, c, indexertest.Change{Put: docs("d/A/1", "text of "+c)})
		db.commit(branch, c)
	}
	once := func() {
		t.Helper()
		if err := w.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.settle()
	}
	for i := 1; i <= 8; i++ {
		commit("main", fmt.Sprint("c", i))
		once()
	}
	gone := h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true})
	if len(gone) < 3 {
		t.Fatalf("only %v are pruned", gone)
	}
	// A watcher that starts anew looks at everything.
	w = indexer.NewWatcher(indexer.WatchConfig{Heads: db, Snapshots: h, Follow: []indexer.Followed{{Domain: domain}}})
	once()
	h.wantPruned(gone...)
	// A branch whose only new commit stands on a pruned one.
	at := gone[len(gone)-1]
	src.Branch("fork", at)
	db.set(func() { db.heads["fork"] = at })
	commit("fork", "f1")
	once()
	h.wantPruned(gone...)
	h.wantHead("fork", "f1")
	h.wantTexts("f1", "d/A/1", "text of f1")
	// One that is made at a pruned commit, and one that is moved to it.
	db.set(func() { db.heads["new"], db.heads["main"] = at, gone[0] })
	src.Branch("new", at)
	src.Branch("main", gone[0])
	once()
	h.wantHead("new", at)
	h.wantHead("main", gone[0])
	h.wantTexts(at, "d/A/1", "text of "+at)
	h.wantTexts(gone[0], "d/A/1", "text of "+gone[0])
	h.wantPruned(slices.DeleteFunc(gone, func(c string) bool { return c == at || c == gone[0] })...)
}

// stopping stops the first sync of the directory after a commit file was removed,
// until resume is closed.
type stopping struct {
	vfs.FS
	mu              sync.Mutex
	removed         bool
	stopped, resume chan struct{}
}

func (s *stopping) Remove(name string) error {
	s.mu.Lock()
	s.removed = s.removed || strings.HasSuffix(name, ".hnsw")
	s.mu.Unlock()
	return s.FS.Remove(name)
}

func (s *stopping) SyncDir() error {
	s.mu.Lock()
	first := s.removed && s.stopped != nil
	stopped := s.stopped
	if first {
		s.stopped = nil
	}
	s.mu.Unlock()
	if first {
		close(stopped)
		<-s.resume
	}
	return s.FS.SyncDir()
}

// TestPruneHoldsUpNoCommit: while files are removed commits go on; one of the pruned
// comes back after that.
func TestPruneHoldsUpNoCommit(t *testing.T) {
	mem := vfstest.NewMem()
	files := &stopping{FS: mem, stopped: make(chan struct{}), resume: make(chan struct{})}
	stopped := files.stopped
	h := openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("", "c1", "c2", puts("d/A/3", "three")...)
	h.mustPush("", "c2", "c3", puts("d/A/4", "four")...) // stands on c2, which goes after it
	must(t, h.Assign(t.Context(), domain, "", "c1", "c1"))
	var gone []string
	var pruning sync.WaitGroup
	pruning.Go(func() { gone = h.prune(indexer.PruneRequest{Keep: []string{"c1"}, Apply: true}) })
	<-stopped
	if task := h.push("", "c1", "c2", puts("d/A/3", "too early")...); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "is being pruned: try again") {
		t.Errorf("pushing a commit that is being pruned: %+v", task)
	}
	h.mustPush("", "c1", "c4", puts("d/A/5", "five")...)
	close(files.resume)
	pruning.Wait()
	if !slices.Equal(gone, []string{"c2", "c3"}) {
		t.Errorf("%v are pruned", gone)
	}
	h.mustPush("", "c1", "c2", puts("d/A/3", "another third")...)
	for range 2 {
		h.wantPruned("c3")
		h.wantTexts("c2", "d/A/1", "one", "d/A/2", "two", "d/A/3", "another third")
		h.wantTexts("c4", "d/A/1", "one", "d/A/2", "two", "d/A/5", "five")
		h.close()
		h = openPush(t, mem, &indexertest.Embedder{})
	}
}
