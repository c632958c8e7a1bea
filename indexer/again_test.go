package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
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

// unreadable is a database some of whose documents cannot be read.
type unreadable struct {
	*indexertest.Source
	faults map[string]bool // by document: whether its class is at fault
	again  []string        // what the last pull was asked to try again
}

func (u *unreadable) Pull(ctx context.Context, req contract.PullRequest) (*contract.Pull, error) {
	u.again = nil
	again := req.Again
	req.Again = func(base string) []string {
		u.again = again(base)
		return u.again
	}
	p, err := u.Source.Pull(ctx, req)
	if err != nil {
		return nil, err
	}
	ops := p.Ops
	p.Ops = func(yield func(contract.Op, error) bool) {
		for op, err := range ops {
			if lasting, ok := u.faults[op.ID]; ok {
				op = contract.Op{Kind: contract.Failed, ID: op.ID, Err: errors.New("it cannot be read"), Lasting: lasting}
			}
			if !yield(op, err) {
				return
			}
		}
	}
	return p, nil
}

// TestUnreadableDocumentsAreTriedAgain: a commit tries the documents again that
// its base could not read, unless their class was at fault, also where the base
// was rewritten meanwhile: because what it stood on was deleted, or a vector of
// it was damaged.
func TestUnreadableDocumentsAreTriedAgain(t *testing.T) {
	src := indexertest.NewSource()
	src.Incremental = true
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/5", "five")})
	src.Branch("fork", "c1")
	for i, commit := range []string{"f1", "f2", "f3", "f4"} {
		src.Commit("fork", commit, indexertest.Change{Put: docs("d/A/4", fmt.Sprint("version ", i))})
	}
	files := vfstest.NewMem()
	pulled := &unreadable{Source: src, faults: map[string]bool{"d/A/2": false, "d/A/3": true, "d/A/5": false}}
	reopen := func() *harness {
		t.Helper()
		return open(t, files, src, &indexertest.Embedder{}, func(c *indexer.Config) { c.Source = pulled })
	}
	h := reopen()
	check := func(commit, branch string, skipped int, again ...string) {
		t.Helper()
		if task := h.mustIndex(commit, branch); len(task.Skipped) != skipped || !slices.Equal(pulled.again, again) {
			t.Errorf("%s skipped %v and tried %q again, want %d and %q", commit, task.Skipped, pulled.again, skipped, again)
		}
	}
	check("c1", "main", 3)
	pulled.faults["d/A/5"] = true
	check("f1", "fork", 2, "d/A/2", "d/A/5")
	if err := h.DeleteBranchIndex(t.Context(), domain, "main"); err != nil {
		t.Fatal(err)
	}
	h.close()
	h = reopen()
	check("f2", "fork", 1, "d/A/2")
	h.close()

	data, err := files.ReadFile(vecsName)
	if err != nil {
		t.Fatal(err)
	}
	data[4096] ^= 1 // in the vector of d/A/1
	files.WriteFile(vecsName, data)
	h = reopen()
	if task := h.mustIndex("f2", "fork"); task.Embedded != 1 {
		t.Errorf("f2 looked over: %+v, want one vector made again", task)
	}
	h.close()

	h = reopen()
	clear(pulled.faults)
	check("f3", "fork", 0, "d/A/2")
	h.wantTexts("f3", "d/A/1", "one", "d/A/2", "two", "d/A/4", "version 2")
	check("f4", "fork", 0)
}
