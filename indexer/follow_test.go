package indexer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestReaderFollowsWriter has a reader of the same directory, which knows of its
// writer by the files alone and has few of them open, answer as the writer does
// after every change: pushes to branches, merges, assignments, deletions of
// branches and of domains that come again.
func TestReaderFollowsWriter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	emb := &indexertest.Embedder{}
	h := openPush(t, files, emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 12, MaxDeltas: 4} })
	beside, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := search.OpenReadOnly(search.ReaderConfig{FS: vfs.Limit(beside, 4), Embedder: emb})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	domains := []string{"a/one", "a/two"}
	branches := []string{"main", "side"}
	made := map[string][]string{}
	for step := range 60 {
		name, branch := domains[rng.IntN(2)], branches[rng.IntN(2)]
		switch what := rng.IntN(20); {
		case what == 0:
			if err := h.DeleteDomain(t.Context(), name, rng.IntN(2) == 0); err != nil {
				t.Fatal(err)
			}
			made[name] = nil
		case what == 1:
			if err := h.DeleteBranchIndex(t.Context(), name, branch); err != nil {
				t.Fatal(err)
			}
		case what == 2 && len(made[name]) > 0:
			c := made[name][rng.IntN(len(made[name]))]
			if err := h.Assign(t.Context(), name, branch, c, c); err != nil && !errors.Is(err, contract.ErrNotFound) {
				t.Fatal(err)
			}
		default:
			commit, parent := fmt.Sprintf("c%d", step), ""
			if len(made[name]) > 0 {
				parent = made[name][rng.IntN(len(made[name]))]
			}
			var ops []contract.Op
			for range 1 + rng.IntN(8) {
				ops = append(ops, puts(fmt.Sprintf("d/A/%d", rng.IntN(30)), fmt.Sprintf("text %d of step %d", rng.IntN(9), step))...)
			}
			p, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: name, Commit: commit, Branch: branch, Parent: parent})
			if errors.Is(err, contract.ErrNotFound) {
				continue // the parent went with its branch
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range ops {
				if err := p.Apply(op); err != nil {
					t.Fatal(err)
				}
			}
			p.Finish()
			<-p.Done()
			if p.Err() != nil {
				t.Fatal(p.Err())
			}
			made[name] = append(made[name], commit)
		}
		if rng.IntN(3) == 0 {
			for h.Merging() > 0 {
				h.WaitMerges()
			}
		}
		if err := r.Refresh(); err != nil {
			t.Fatalf("step %d: refresh: %v", step, err)
		}
		for _, name := range domains {
			for _, commit := range made[name] {
				for _, mode := range []search.Mode{search.ModeVector, search.ModeText} {
					req := search.SearchRequest{
						Domain: name, Ref: search.Ref{Commit: commit}, Text: "text 3 of step", Mode: mode,
						Options: search.Options{Page: search.Page{Count: 50}, Ef: 100, Snippet: true},
					}
					want, wantErr := h.Search(t.Context(), req)
					got, err := r.Search(t.Context(), req)
					for errors.Is(err, contract.ErrBusy) { // a merge under way
						got, err = r.Search(t.Context(), req)
					}
					if contract.Code(err) != contract.Code(wantErr) || !reflect.DeepEqual(got, want) {
						t.Fatalf("step %d: %s at %s of %s: the reader answers %+v, %v; the writer %+v, %v", step, mode, commit, name, got, err, want, wantErr)
					}
				}
			}
			for _, branch := range branches {
				want, _ := h.Head(name, branch)
				if got, err := r.Head(name, branch); got != want || err != nil {
					t.Errorf("step %d: head of %s of %s: the reader says %+v, %v; the writer %+v", step, branch, name, got, err, want)
				}
			}
		}
	}
}

// TestFirstSearchMakesNoCodes: to make the codes of a graph reads all of its
// vectors, which the first search after it was opened does not wait for.
func TestFirstSearchMakesNoCodes(t *testing.T) {
	files, small := vfstest.NewMem(), func(c *indexer.Config) { c.Graph.MinVectors = 8 }
	h := openPush(t, files, &indexertest.Embedder{}, small)
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprint("d/A/", i), fmt.Sprint("text ", i))
	}
	h.mustPush("", "", "c1", puts(all...)...)
	h.WaitMerges()
	h.close()
	h = openPush(t, files, &indexertest.Embedder{}, small)
	for n := range 2 {
		h.wantTexts("c1", all...)
		d, err := h.Domains().Domain(domain)
		if err != nil {
			t.Fatal(err)
		}
		if store, _ := d.Current(); store.Coded() != (n > 0) {
			t.Errorf("after search %d: codes %v", n+1, store.Coded())
		}
	}
}
