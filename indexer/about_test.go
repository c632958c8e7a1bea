package indexer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestWhatIsSaidOfCommits: author, message and time are those of the request, else of the
// database, and are listed after restarts, with the catalog file and without it.
func TestWhatIsSaidOfCommits(t *testing.T) {
	files := vfstest.NewMem()
	src := indexertest.NewSource()
	told := contract.Said("Ada", "Load the planets\n\nAll eight.", 1_700_000_000)
	long := contract.Said("Bo", strings.Repeat("é", contract.MaxMessageBytes), 0)
	src.Commit("main", "k1", indexertest.Change{About: told, Put: docs("d/A/1", "one")})
	src.Commit("main", "k2", indexertest.Change{About: long, Put: docs("d/A/2", "two")})
	src.Commit("main", "k3", indexertest.Change{About: told, Put: docs("d/A/3", "three")})
	src.Commit("main", "k4", indexertest.Change{Put: docs("d/A/4", "four")})
	h := open(t, files, src, &indexertest.Embedder{})
	h.mustIndex("k1", "")
	h.mustIndex("k2", "")
	ask := func(commit string, said contract.About) indexer.IndexRequest {
		return indexer.IndexRequest{Domain: domain, Commit: commit, About: said}
	}
	task, err := h.Index(t.Context(), ask("k3", contract.About{Message: "another"}))
	if err != nil {
		t.Fatal(err)
	}
	h.wait(task.ID)
	h.mustIndex("k4", "")
	push, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "p1", About: contract.About{Author: "Cy", Message: "by hand"}})
	if err != nil {
		t.Fatal(err)
	}
	push.Finish()
	<-push.Done()
	if _, err := h.Index(t.Context(), ask("k5", contract.About{Author: strings.Repeat("x", contract.MaxAuthorBytes+1)})); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("a long author: %v", err)
	}
	if _, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "p2", About: contract.About{Message: "\xff"}}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("a message that is no UTF-8: %v", err)
	}
	want := map[string]contract.About{
		"k1": told, "k2": contract.Said("Bo", strings.Repeat("é", contract.MaxMessageBytes/2), 0),
		"k3": contract.Said("Ada", "another", 1_700_000_000), "k4": {}, "p1": contract.Said("Cy", "by hand", 0),
	}
	for _, how := range []string{"at once", "after a restart", "from the commit files"} {
		if how != "at once" {
			h.WaitMerges()
			h.close()
			if how == "from the commit files" {
				if err := files.Remove(catalog.FileName(domain)); err != nil {
					t.Fatal(err)
				}
			}
			h = open(t, files, src, &indexertest.Embedder{})
		}
		commits, err := h.Commits(domain)
		if err != nil || len(commits) != len(want) {
			t.Fatalf("%s: %d commits, %v", how, len(commits), err)
		}
		for _, c := range commits {
			if c.About != want[c.Commit] {
				t.Errorf("%s: of %s is said %+v, want %+v", how, c.Commit, c.About, want[c.Commit])
			}
		}
	}
	h.close()
	wantSound(t, files)
}
