package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// picky refuses the texts that hold "poison", while strict.
func picky(strict *bool) *indexertest.Embedder {
	return &indexertest.Embedder{Refuse: func(text string) error {
		if *strict && strings.Contains(text, "poison") {
			return errors.New("refused by the model")
		}
		return nil
	}}
}

// TestSkippedDocumentsAreTriedAgain: what a commit could not take, the commits
// on it take as soon as they can, whether it changed or not: over restarts,
// merges and other names of the base.
func TestSkippedDocumentsAreTriedAgain(t *testing.T) {
	for _, incremental := range []bool{true, false} {
		t.Run(fmt.Sprintf("incremental %t", incremental), func(t *testing.T) {
			strict := true
			src, emb := indexertest.NewSource(), picky(&strict)
			src.Incremental = incremental
			src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "poison two", "d/A/3", "poison three", "d/A/4", "four")})
			src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/1", "one more", "d/A/4", "poison four")})
			src.Commit("main", "c3", indexertest.Change{Remove: []string{"d/A/3"}})
			src.Commit("main", "c4", indexertest.Change{Put: docs("d/A/5", "five")})
			src.Commit("main", "c5", indexertest.Change{Put: docs("d/A/1", "one again")})
			files := vfstest.NewMem()
			h := open(t, files, src, emb)
			check := func(commit string, skipped ...string) {
				t.Helper()
				task := h.mustIndex(commit, "main")
				var got []string
				for _, s := range task.Skipped {
					got = append(got, s.ID)
				}
				slices.Sort(got)
				if !slices.Equal(got, skipped) {
					t.Errorf("%s skipped %q, want %q", commit, got, skipped)
				}
				want := src.Documents(commit)
				for _, id := range skipped {
					delete(want, id)
					if id == "d/A/4" {
						want[id] = "four" // what the base has of it stays
					}
				}
				if got := h.texts(commit); !maps.Equal(got, want) {
					t.Errorf("%s holds %v, want %v", commit, got, want)
				}
			}
			check("c1", "d/A/2", "d/A/3")
			check("c2", "d/A/2", "d/A/3", "d/A/4")
			h.close()
			h = open(t, files, src, emb)
			check("c2", "d/A/2", "d/A/3", "d/A/4") // by the file: the task is forgotten
			check("c3", "d/A/2", "d/A/4")
			if err := h.Assign(t.Context(), domain, "main", "c3", "c3b"); err != nil {
				t.Fatal(err)
			}
			// To ask for it again costs nothing, and says the same.
			check("c3", "d/A/2", "d/A/4")
			strict = false
			emb.Reset()
			check("c4")
			texts := emb.Texts()
			slices.Sort(texts)
			if want := []string{"five", "poison four", "poison two"}; !slices.Equal(texts, want) {
				t.Errorf("c4 embedded %q, want %q", texts, want)
			}
			emb.Reset()
			check("c5")
			if got := emb.Texts(); !slices.Equal(got, []string{"one again"}) {
				t.Errorf("c5 embedded %q: nothing was left", got)
			}
		})
	}
}

// TestSkippedInThousands: at each commit a bounded part of them is tried again,
// and in the end all were.
func TestSkippedInThousands(t *testing.T) {
	strict := true
	src, emb := indexertest.NewSource(), picky(&strict)
	src.Incremental = true
	many := make(map[string]string)
	for i := range 2500 {
		many[fmt.Sprintf("d/A/%04d", i)] = fmt.Sprintf("poison %d", i)
	}
	src.Commit("main", "c0", indexertest.Change{Put: many})
	h := open(t, vfstest.NewMem(), src, emb)
	if task := h.mustIndex("c0", "main"); task.SkippedTotal != 2500 || len(task.Skipped) != 1000 {
		t.Fatalf("%d skipped, %d of them listed", task.SkippedTotal, len(task.Skipped))
	}
	next := func(n int) indexer.Task {
		t.Helper()
		id := fmt.Sprintf("c%d", n)
		src.Commit("main", id, indexertest.Change{Put: docs("d/B/1", id)})
		return h.mustIndex(id, "main")
	}
	first, second := next(1), next(2)
	if len(first.Skipped) != 1000 || len(second.Skipped) != 1000 {
		t.Errorf("%d and %d tried again, want 1000 each time", len(first.Skipped), len(second.Skipped))
	}
	if slices.Equal(first.Skipped, second.Skipped) {
		t.Errorf("the same ones are tried again, from %s on", first.Skipped[0].ID)
	}
	strict = false
	for n, want := range []int{1001, 2001, 2501} {
		if got := next(3 + n).Documents; got != want {
			t.Errorf("%d documents after %d commits, want %d", got, n+1, want)
		}
	}
}
