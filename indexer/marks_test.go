package indexer_test

import (
	"errors"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestAssignToItself checks that a branch's last indexed commit can be moved to
// any that is indexed, and that this survives a restart and goes with the branch.
func TestAssignToItself(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/2", "two")})
	src.Branch("fan", "c1")
	files := vfstest.NewMem()
	h := open(t, files, src, &indexertest.Embedder{})
	h.mustIndex("c1", "main")
	h.mustIndex("c2", "main")
	assign := func(branch, commit string) {
		t.Helper()
		if err := h.Assign(t.Context(), domain, branch, commit, commit); err != nil {
			t.Fatalf("assign %s to %s: %v", commit, branch, err)
		}
	}
	want := func(branch, commit string, documents int) {
		t.Helper()
		head, err := h.Head(domain, branch)
		if err != nil || head.Commit != commit || (commit == "") != (head.Version == 0) {
			t.Errorf("head of %s: %+v, %v; want %s", branch, head, err, commit)
		}
		if commit == "" {
			return
		}
		hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Branch: branch}, Text: "one", Options: search.Options{Page: search.Page{Count: 10}}})
		if err != nil || len(hits.Hits) != documents || hits.Commit != commit {
			t.Errorf("search of %s: %d hits at %s, %v; want %d at %s", branch, len(hits.Hits), hits.Commit, err, documents, commit)
		}
	}
	listed := func(n int) {
		t.Helper()
		infos, err := h.Commits(domain)
		if err != nil || len(infos) != n {
			t.Errorf("%d commits are listed, %v; want %d: %+v", len(infos), err, n, infos)
		}
		if st, err := h.Statistics(domain); err != nil || st.IndexedCommits != n {
			t.Errorf("statistics count %d commits, %v; want %d", st.IndexedCommits, err, n)
		}
	}
	want("fan", "", 0)
	version, _ := h.Head(domain, "main")
	assign("main", "c2") // already there
	if again, _ := h.Head(domain, "main"); again != version {
		t.Errorf("assigning the head: %+v, want %+v", again, version)
	}
	assign("main", "c1") // a reset
	assign("fan", "c1")  // a new branch
	assign("fan", "c2")  // moved
	want("main", "c1", 1)
	want("fan", "c2", 2)
	listed(2)
	if moved, _ := h.Head(domain, "main"); moved.Version <= version.Version {
		t.Errorf("the version went from %d to %d", version.Version, moved.Version)
	}
	h.close()
	h = open(t, files, src, &indexertest.Embedder{})
	want("main", "c1", 1)
	want("fan", "c2", 2)
	listed(2)

	src.Branch("main", "c1")
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/3", "three", "d/A/4", "four")})
	h.mustIndex("c3", "main")
	want("main", "c3", 3)
	assign("main", "c2")
	want("main", "c2", 2)
	assign("main", "c3")
	want("main", "c3", 3)

	for _, commit := range []string{"c9", ".-head/main"} {
		if err := h.Assign(t.Context(), domain, "main", commit, commit); !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("assign %s: %v", commit, err)
		}
	}
	if err := h.DeleteBranchIndex(t.Context(), domain, "fan"); err != nil {
		t.Fatal(err)
	}
	want("fan", "", 0)
	want("main", "c3", 3)
	listed(3)
	assign("fan", "c2")
	if err := h.DeleteBranchIndex(t.Context(), domain, "main"); err != nil { // with the commits that fan's mark names
		t.Fatal(err)
	}
	want("main", "", 0)
	want("fan", "", 0)
	h.close()
	h = open(t, files, src, &indexertest.Embedder{})
	want("fan", "", 0)
	if _, err := h.Commits(domain); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
}
