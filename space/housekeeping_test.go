package space_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestHousekeeping prunes a space that is written to, tags what is to stay, and frees what
// no commit needs: what is there, pending, tagged and written later is as it was.
func TestHousekeeping(t *testing.T) {
	ctx, files := t.Context(), vfstest.NewMem()
	w := open(t, files)
	sp := w.make("s", space.Schema{Dims: 2})
	set := func(sp *space.Space, key string, x float32) {
		t.Helper()
		must(t, sp.Set(ctx, main_, space.Item{Key: str(key), Vector: []float32{x, x}}))
	}
	var commits []string
	for i := range 40 {
		set(sp, "a", float32(i))
		set(sp, fmt.Sprint("k", i), float32(i))
		commit, err := sp.Commit(ctx, main_)
		must(t, err)
		commits = append(commits, commit)
	}
	must(t, w.ix.Tag(ctx, "s", commits[3], "fourth"))
	set(sp, "pending", 9)
	pruned, err := w.ix.Prune(ctx, indexer.PruneRequest{Domain: "s", KeepLast: 2, Apply: true})
	must(t, err)
	if !pruned.Applied || len(pruned.Commits) < 30 {
		t.Errorf("%+v", pruned)
	}
	wants := func(sp *space.Space, ref, key string, want float32) {
		t.Helper()
		at, err := sp.Resolve(ref)
		must(t, err)
		it, err := sp.Get(ctx, at, str(key))
		if err != nil || it.Vector[0] != want {
			t.Errorf("%s at %s: %v, %v, want %v", key, ref, it.Vector, err, want)
		}
	}
	look := func(sp *space.Space) {
		t.Helper()
		wants(sp, "main", "a", 39)
		wants(sp, "main", "pending", 9)
		wants(sp, "fourth", "a", 3)
		wants(sp, "fourth", "k3", 3)
		wants(sp, commits[38], "a", 38)
		if _, err := sp.Resolve(commits[10]); !errors.Is(err, contract.ErrPruned) {
			t.Errorf("a pruned commit: %v", err)
		}
		if log, _ := sp.Log(main_, 100); len(log) < 2 || len(log) > 10 {
			t.Errorf("%d commits are told of", len(log))
		}
		hits, err := sp.Nearest(ctx, main_, space.NearestRequest{Vector: []float32{9, 9}, N: 2})
		if err != nil || len(hits) != 2 || hits[0].Distance != 0 || hits[1].Distance != 0 {
			t.Errorf("%+v, %v", hits, err)
		}
	}
	look(sp)
	w.shut()
	if _, err := indexer.Sweep(ctx, indexer.SweepConfig{FS: files, Spare: func(string) (bool, error) { return false, nil }}, func(indexer.Removal) {}); err != nil {
		t.Fatal(err)
	}
	w = open(t, files)
	defer w.shut()
	sp, _, err = w.Find(context.Background(), "s")
	must(t, err)
	look(sp)
	set(sp, "later", 7)
	must(t, sp.MakeBranch(ctx, main_, "try"))
	wants(sp, "try", "later", 7)
	if _, err := sp.Revert(ctx, main_, "fourth"); err != nil {
		t.Fatal(err)
	}
	wants(sp, "main", "a", 3)
}
