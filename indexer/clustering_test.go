package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// byRole is an embedder whose vectors differ by role, and which counts texts by
// role.
type byRole struct {
	*indexertest.Embedder
	mu    sync.Mutex
	texts map[contract.Role][]string
}

// newByRole returns one that cuts texts every three words.
func newByRole() *byRole {
	return &byRole{Embedder: &indexertest.Embedder{Window: 3}, texts: make(map[contract.Role][]string)}
}

func (e *byRole) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	e.mu.Lock()
	e.texts[r.Role] = append(e.texts[r.Role], r.Texts...)
	e.mu.Unlock()
	inRole := make([]string, len(r.Texts))
	for i, text := range r.Texts {
		inRole[i] = withRole(r.Role, text)
	}
	r.Texts = inRole
	return e.Embedder.Embed(ctx, r)
}

func (e *byRole) take() map[contract.Role][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	texts := e.texts
	e.texts = make(map[contract.Role][]string)
	for _, list := range texts {
		slices.Sort(list)
	}
	return texts
}

func withRole(role contract.Role, text string) string {
	if role == contract.RoleDocument {
		return text
	}
	return text + " " + role.String()
}

// vectorsOf returns the document and the clustering vectors of a commit; the
// latter are nil where the domain stores none.
func (h *harness) vectorsOf(commit string) (documents, clustering map[string][]float32) {
	h.t.Helper()
	return vectorsAt(h.t, h.Reader, commit)
}

func vectorsAt(t *testing.T, r *search.Reader, commit string) (documents, clustering map[string][]float32) {
	t.Helper()
	err := r.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: search.Ref{Commit: commit}}, func(found *search.Embeddings) error {
		documents = make(map[string][]float32)
		for e, err := range found.Vectors {
			if err != nil {
				return err
			}
			documents[e.ID] = slices.Clone(e.Vector)
		}
		if found.Clustering == nil {
			return nil
		}
		clustering = make(map[string][]float32)
		for e, err := range found.Clustering.Vectors {
			if err != nil {
				return err
			}
			clustering[e.ID] = slices.Clone(e.Vector)
		}
		if ids := slices.Collect(found.Clustering.IDs); len(ids) != found.Clustering.Count || !slices.Equal(ids, slices.Sorted(maps.Keys(clustering))) {
			t.Errorf("%s: clustering of %v, %d counted", commit, ids, found.Clustering.Count)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("embeddings of %s: %v", commit, err)
	}
	return documents, clustering
}

// TestStoreClustering walks a domain through storing clustering: from the push
// that turns it on, for what is indexed from then on, until it is deleted.
func TestStoreClustering(t *testing.T) {
	files, src := vfstest.NewMem(), indexertest.NewSource()
	emb := newByRole()
	start := func() *harness {
		return open(t, files, src, emb.Embedder, func(c *indexer.Config) { c.Embedder, c.TaskFile = emb, taskFile })
	}
	h := start()
	stores := func() bool {
		t.Helper()
		st, err := h.Statistics(domain)
		if err != nil {
			t.Fatal(err)
		}
		return st.StoreClustering
	}
	on := func(commit string, ops ...contract.Op) indexer.Task {
		t.Helper()
		p, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: commit, StoreClustering: true})
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
		return p.Task()
	}
	wantEmbedded := func(documents, clustering int) {
		t.Helper()
		if got := emb.take(); len(got[contract.RoleDocument]) != documents || len(got[contract.RoleClustering]) != clustering {
			t.Errorf("embedded %v, want %d for documents and %d for clustering", got, documents, clustering)
		}
	}
	wantClustering := func(commit string, ids ...string) {
		t.Helper()
		texts := h.texts(commit)
		_, got := h.vectorsOf(commit)
		if !slices.Equal(slices.Sorted(maps.Keys(got)), ids) {
			t.Errorf("%s: clustering of %v, want %v", commit, slices.Sorted(maps.Keys(got)), ids)
		}
		for _, id := range ids { // of the first chunk, which is what texts has
			if want := indexertest.Vector(withRole(contract.RoleClustering, texts[id]), 32); vector.Dot(got[id], want) < 0.999 {
				t.Errorf("%s: the clustering vector of %s is another one", commit, id)
			}
		}
	}
	h.mustPush("main", "", "c1", puts("d/A/1", "one fish", "d/A/2", "two fish")...)
	wantEmbedded(2, 0)
	if _, clustering := h.vectorsOf("c1"); stores() || clustering != nil {
		t.Error("clustering is stored without being asked for")
	}
	// What is refused turns nothing on.
	if _, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Commit: "c1", StoreClustering: true}); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("an indexed commit: %v", err)
	}
	if stores() {
		t.Error("a push that was refused turned clustering on")
	}
	task := on("c2", puts("d/A/3", "red fish", "d/A/4", "one two three four five", "d/A/5", "red fish")...)
	wantEmbedded(3, 3) // three texts: one of two chunks, one of two documents
	if task.Embedded != 6 || task.Reused != 3 {
		t.Errorf("%d embedded, %d reused, want 6 and 3", task.Embedded, task.Reused)
	}
	if !stores() {
		t.Error("clustering is not on")
	}
	wantClustering("c1")
	wantClustering("c2", "d/A/3", "d/A/4", "d/A/5")
	// Searches meet documents' vectors alone.
	if n := len(h.search("c2", "fish", 100)); n != 5 {
		t.Errorf("%d hits, want 5", n)
	}
	// It goes on by itself, in pushes and in pulls, on every branch; and what is
	// pushed again as it was is made good.
	h.mustPush("main", "", "c3", puts("d/A/1", "one fish", "d/A/6", "blue fish")...)
	wantEmbedded(1, 2)
	wantClustering("c3", "d/A/1", "d/A/3", "d/A/4", "d/A/5", "d/A/6")
	src.Commit("pulled", "p1", indexertest.Change{Put: docs("d/B/1", "green bird")})
	h.mustIndex("p1", "pulled")
	wantEmbedded(1, 1)
	wantClustering("p1", "d/B/1")

	near, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
		Domain: domain, Ref: search.Ref{Commit: "c3"}, SetThreshold: 1, TargetThreshold: 1, K: 100,
	})
	if err != nil || !near.StoreClustering {
		t.Fatalf("candidates: %v, %+v", err, near)
	}
	texts := map[string][]string{"d/A/1": {"one fish"}, "d/A/3": {"red fish"}, "d/A/4": {"one two three ", "four five"}, "d/A/5": {"red fish"}, "d/A/6": {"blue fish"}}
	measured := 0
	for _, list := range append(near.SetToTarget, near.TargetToSet...) {
		for _, p := range list.Partners {
			if list.ID == "d/A/2" || p.ID == "d/A/2" {
				if p.Clustering != nil {
					t.Errorf("%s and %s: %v, though one has no vector", list.ID, p.ID, *p.Clustering)
				}
				continue
			}
			best := float32(-1)
			for _, a := range texts[list.ID] {
				for _, b := range texts[p.ID] {
					best = max(best, vector.Dot(indexertest.Vector(withRole(contract.RoleClustering, a), 32), indexertest.Vector(withRole(contract.RoleClustering, b), 32)))
				}
			}
			if p.Clustering == nil || math.Abs(float64(*p.Clustering-max(0, 1-best))) > 1e-5 {
				t.Errorf("%s and %s: clustering distance %v, want %v", list.ID, p.ID, p.Clustering, 1-best)
			}
			measured++
		}
	}
	if measured != 40 {
		t.Errorf("%d edges were measured, want 40", measured)
	}
	// It outlives a restart, and not the domain.
	h.close()
	h = start()
	if !stores() {
		t.Error("forgotten over a restart")
	}
	wantClustering("c3", "d/A/1", "d/A/3", "d/A/4", "d/A/5", "d/A/6")
	for _, purge := range []bool{false, true} {
		if err := h.DeleteDomain(t.Context(), domain, purge); err != nil {
			t.Fatal(err)
		}
		if stores() {
			t.Error("clustering is stored after the domain was deleted")
		}
		emb.take()
		h.mustPush("main", "", "c1", puts("d/A/1", "one fish", "d/A/2", fmt.Sprint("new ", purge))...)
		if got := emb.take(); len(got[contract.RoleClustering]) != 0 {
			t.Errorf("embedded %v for clustering", got)
		}
		if _, clustering := h.vectorsOf("c1"); clustering != nil {
			t.Errorf("clustering of %v", clustering)
		}
		on("c2", puts("d/A/3", "red fish")...)
	}
}
