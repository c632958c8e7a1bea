package indexer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func (h *harness) mustTag(commit, name string) {
	h.t.Helper()
	if err := h.Tag(h.t.Context(), domain, commit, name); err != nil {
		h.t.Fatalf("tag %s as %s: %v", commit, name, err)
	}
}

// tags returns a domain's tags as name=commit.
func (h *harness) tags() []string {
	h.t.Helper()
	list, err := h.Tags(domain)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, tag := range list {
		out = append(out, tag.Name+"="+tag.Commit)
	}
	return out
}

// TestTagIsACommitsName: a tag is found wherever a commit is named, survives a
// restart, and is no commit itself.
func TestTagIsACommitsName(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("", "", "c2", puts("d/A/1", "uno")...)
	h.mustTag("c1", "v1.0")
	h.mustTag("c1", "v1.0") // again
	h.mustTag("v1.0", "first")
	for range 2 {
		h.wantTexts("v1.0", "d/A/1", "one", "d/A/2", "two")
		h.wantHead("", "c2")
		if got := h.tags(); !slices.Equal(got, []string{"first=c1", "v1.0=c1"}) {
			t.Errorf("tags %v", got)
		}
		if commits, err := h.Commits(domain); len(commits) != 2 || err != nil {
			t.Errorf("commits %v, %v", commits, err)
		}
		near, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "first"}, ID: "d/A/1", Options: search.Options{Page: search.Page{Count: 5}}})
		if err != nil || near.Commit != "first" || len(near.Hits) != 1 {
			t.Errorf("similar: %+v, %v", near, err)
		}
		h.close()
		h = openPush(t, files, &indexertest.Embedder{})
	}
	task := h.mustPush("fork", "v1.0", "f1", puts("d/A/3", "three")...)
	if task.Base != "c1" {
		t.Errorf("a push onto a tag builds on %q", task.Base)
	}
	h.wantTexts("f1", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
	if err := h.Assign(t.Context(), domain, "other", "v1.0", "v1.0"); err != nil {
		t.Error(err)
	}
	h.wantHead("other", "c1")
	if err := h.DeleteTag(t.Context(), domain, "v1.0"); err != nil {
		t.Fatal(err)
	}
	h.wantGone("v1.0")
	if err := h.DeleteTag(t.Context(), domain, "v1.0"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	h.mustTag("c2", "v1.0")
	h.wantTexts("v1.0", "d/A/1", "uno", "d/A/2", "two")
	h.close()
	wantSound(t, files)
}

func wantSound(t *testing.T, files *vfstest.Mem) {
	t.Helper()
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("verify: %+v", f) }); err != nil {
		t.Error(err)
	}
}

// TestTagRefusals holds what cannot be tagged, and not be called so.
func TestTagRefusals(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("", "", "c2", puts("d/A/1", "two")...)
	h.mustTag("c1", "v1")
	making := h.mustStart("", "", "c3")
	for _, tt := range []struct {
		commit, name string
		want         error
		text         string
	}{
		{"c2", "v1", contract.ErrConflict, "delete it first"},
		{"c1", "c2", contract.ErrConflict, "an indexed commit"},
		{"c1", "c1", contract.ErrConflict, "an indexed commit"},
		{"c1", "c3", contract.ErrConflict, "is being indexed"},
		{"none", "v2", contract.ErrNotFound, "not indexed"},
		{"c1", ".-head/main", contract.ErrInvalid, "reserved"},
		{"c1", strings.Repeat("v", contract.MaxRefBytes+1), contract.ErrInvalid, "longer"},
		{"c1", "a\nb", contract.ErrInvalid, "control"},
		{"c1", "", contract.ErrInvalid, "required"},
		{"", "v2", contract.ErrInvalid, "required"},
	} {
		if err := h.Tag(t.Context(), domain, tt.commit, tt.name); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("tag %.20q as %.20q: %v, want %v (%s)", tt.commit, tt.name, err, tt.want, tt.text)
		}
	}
	making.Abort(errors.New("over"))
	if err := h.Tag(t.Context(), "no/such", "c1", "v2"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("an unknown domain: %v", err)
	}
	if _, err := h.start("", "", "v1"); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("a commit of a tag's name: %v", err)
	}
	if err := h.Assign(t.Context(), domain, "", "c1", "v1"); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("another name that is a tag: %v", err)
	}
	if err := h.DeleteTag(t.Context(), domain, "c1"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a commit deleted as a tag: %v", err)
	}
	if got := h.tags(); !slices.Equal(got, []string{"v1=c1"}) {
		t.Errorf("tags %v", got)
	}
}

// TestDeletedBranchLeavesTaggedCommits: they have files of their own, and are on no
// branch, under all of their names.
func TestDeletedBranchLeavesTaggedCommits(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("fork", "c1", "f1", puts("d/A/2", "two")...)
	h.mustPush("fork", "", "f2", puts("d/A/3", "three")...)
	h.mustPush("fork", "", "f3", puts("d/A/4", "four")...)
	for _, source := range []string{"f2", "c1", "f3"} {
		if err := h.Assign(t.Context(), domain, "fork", source, source+"-again"); err != nil {
			t.Fatal(err)
		}
	}
	h.mustTag("f2", "keep")
	h.mustTag("c1", "first")
	if err := h.DeleteBranchIndex(t.Context(), domain, "fork"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h.wantGone("f1", "f3", "f3-again")
		h.wantHead("fork", "")
		for _, name := range []string{"keep", "f2", "f2-again"} {
			h.wantTexts(name, "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
		}
		h.wantTexts("c1-again", "d/A/1", "one")
		h.close()
		h = openPush(t, files, &indexertest.Embedder{})
	}
	h.close()
	wantSound(t, files)
}

// TestPrunedComesAsNew pushes a pruned commit again: it is the branch's newest, on
// what was its head.
func TestPrunedComesAsNew(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	want := []string{"d/A/9", "again"}
	for i := range 20 { // deltas absorb each other: not all are stood on
		want = append(want, fmt.Sprintf("d/A/x%d", i), fmt.Sprintf("text %d", i))
		h.mustPush("", "", fmt.Sprintf("c%d", i), puts(fmt.Sprintf("d/A/x%d", i), fmt.Sprintf("text %d", i))...)
	}
	if _, err := h.Prune(t.Context(), indexer.PruneRequest{Domain: domain, KeepLast: 1, Apply: true}); err != nil {
		t.Fatal(err)
	}
	list, err := h.PrunedCommits(domain)
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	if task := h.mustPush("", "", list[0], puts("d/A/9", "again")...); task.Base != "c19" {
		t.Errorf("it builds on %q, want c19", task.Base)
	}
	h.wantHead("", list[0])
	h.wantTexts(list[0], want...)
}

// TestCommitUnderABasesName: a commit that was pruned comes again with other
// contents, and what was built on the first one keeps its own.
func TestCommitUnderABasesName(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf("d/A/%02d", i), "old")
	}
	h.mustPush("", "", "c0", puts(all...)...)
	for i := 1; i <= 4; i++ { // the last says again what those before it do
		h.mustPush("", "", fmt.Sprint("c", i), puts(all[0], fmt.Sprint("new ", i))...)
	}
	if p, err := h.Prune(t.Context(), indexer.PruneRequest{Domain: domain, KeepLast: 1, Apply: true}); err != nil || len(p.Commits) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	h.mustPush("", "", "c3", puts("d/B/1", "another", all[2], "newest")...)
	h.close()
	h = openPush(t, files, &indexertest.Embedder{})
	h.wantTexts("c3", append([]string{"d/B/1", "another", all[0], "new 4", all[2], "newest"}, all[4:]...)...)
	h.wantTexts("c4", append([]string{all[0], "new 4"}, all[2:]...)...)
}
