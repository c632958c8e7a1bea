package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestReaderLosesRaces has the writer delete commits and domains, and push others
// under their names, before the operations of a reader's searches and looks. What
// the reader meets is gone or in the making; it is never damaged, and after the
// next look the reader answers as the writer does.
func TestReaderLosesRaces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	files, emb := vfstest.NewMem(), &indexertest.Embedder{}
	h := openPush(t, files, emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 8, MaxDeltas: 3} })
	beside := vfstest.NewFault(files)
	r, err := search.OpenReadOnly(search.ReaderConfig{FS: beside, Embedder: emb})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	write := func() {
		n++
		var err error
		switch branch := []string{"main", "side"}[rng.IntN(2)]; rng.IntN(12) {
		case 0:
			err = h.DeleteDomain(t.Context(), domain, rng.IntN(2) == 0)
		case 1:
			err = h.DeleteBranchIndex(t.Context(), domain, branch)
		case 2:
			_, err = h.Prune(t.Context(), indexer.PruneRequest{Domain: domain, KeepLast: 1, Apply: true})
		default:
			var p *indexer.Push
			p, err = h.start(branch, "", fmt.Sprint("c", rng.IntN(8)))
			if err != nil {
				break
			}
			for range 1 + rng.IntN(4) {
				err = errors.Join(err, p.Apply(puts(fmt.Sprintf("d/A/%d", rng.IntN(20)), fmt.Sprintf("text %d", n))[0]))
			}
			p.Finish()
			<-p.Done()
			err = errors.Join(err, p.Err())
		}
		if err != nil && !errors.Is(err, contract.ErrConflict) && !errors.Is(err, contract.ErrNotFound) && !errors.Is(err, contract.ErrPruned) {
			t.Error(err)
		}
	}
	ask := func(r interface {
		Search(context.Context, search.SearchRequest) (search.Hits, error)
	}, commit string) (search.Hits, error) {
		return r.Search(t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Text: "text", Mode: search.ModeText,
			Options: search.Options{Page: search.Page{Count: 50}, Snippet: true},
		})
	}
	fine := func(err error) bool {
		return err == nil || errors.Is(err, contract.ErrNotFound) || errors.Is(err, contract.ErrPruned) || errors.Is(err, contract.ErrBusy)
	}
	for range 150 {
		beside.OnOp(func(int, vfstest.Op) {
			if rng.IntN(3) == 0 {
				write()
			}
		})
		for range 3 {
			if _, err := ask(r, fmt.Sprint("c", rng.IntN(8))); !fine(err) {
				t.Fatal(err)
			}
		}
		_ = r.Refresh() // a file may have gone while it was read
		beside.OnOp(nil)
		for h.Merging() > 0 {
			h.WaitMerges()
		}
		if err := r.Refresh(); err != nil {
			t.Fatal(err)
		}
		for c := range 8 {
			want, wantErr := ask(h, fmt.Sprint("c", c))
			got, err := ask(r, fmt.Sprint("c", c))
			if len(got.Hits) != len(want.Hits) || (err == nil) != (wantErr == nil) || !fine(err) {
				t.Fatalf("c%d: the reader finds %d, %v; the writer %d, %v", c, len(got.Hits), err, len(want.Hits), wantErr)
			}
		}
	}
	h.mustPush("", "", "last", puts("d/A/1", "one")...)
	if err := r.Refresh(); err != nil {
		t.Fatal(err)
	}
	want, err := h.Statistics(domain)
	got, readErr := r.Statistics(domain)
	if err = errors.Join(err, readErr); err != nil || got.Settings == nil || *got.Settings != *want.Settings || got.Settings.M == 0 {
		t.Errorf("%v: the reader shows %+v, the writer %+v", err, got.Settings, want.Settings)
	}
}
