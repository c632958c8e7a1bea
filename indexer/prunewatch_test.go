package indexer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
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
