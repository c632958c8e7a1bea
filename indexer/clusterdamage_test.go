package indexer_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestClustersOfDamaged damages a vector under clusters and maps: they leave its
// document out, alike however often they are asked for, and are what they were once
// the commit is mended.
func TestClustersOfDamaged(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	mem := vfstest.NewMem()
	h := openPush(t, mem, &indexertest.Embedder{})
	ops := slices.Concat(aboutTopic(rng, 0, 0, 12), aboutTopic(rng, 1, 0, 12))
	h.mustPush("", "", "c1", ops...)
	h.mustPush("", "c1", "c2", slices.Concat(puts(ops[3].ID, "another text"), aboutTopic(rng, 2, 0, 3))...)

	between := search.Between{From: "c1", To: "c2"}
	type answers struct {
		clusters, maps, diffs string
		ungrouped, unplaced   int
		damaged               [4]int
	}
	ask := func() (a answers) {
		t.Helper()
		for _, commit := range []string{"c1", "c2"} {
			means, err := h.overview().Clusters(t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}, ClusterOptions: overview.ClusterOptions{K: 2}})
			must(t, err)
			c, err := h.overview().Clusters(t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
			must(t, err)
			m, err := h.overview().Map(t.Context(), overview.MapRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
			must(t, err)
			a.clusters += fmt.Sprint(means.Clusters, c.Clusters)
			a.maps += fmt.Sprint(slices.Collect(m.Points()))
			a.ungrouped, a.unplaced = a.ungrouped+c.Ungrouped, a.unplaced+m.Others
			a.damaged[0], a.damaged[1] = a.damaged[0]+len(c.Damaged), a.damaged[1]+len(m.Damaged)
		}
		diff, err := h.overview().ClustersDiff(t.Context(), overview.ClustersDiffRequest{Domain: domain, Between: between})
		must(t, err)
		moved, err := h.Diff(t.Context(), search.DiffRequest{Domain: domain, Between: between, Page: search.Page{Count: 10}})
		must(t, err)
		a.diffs = fmt.Sprint(diff.Changes, moved.Changed, moved.Added)
		a.damaged[2], a.damaged[3] = len(diff.Damaged), len(moved.Damaged)
		return a
	}
	whole := ask()
	if whole.ungrouped != 0 || whole.damaged != [4]int{} {
		t.Fatalf("before: %+v", whole)
	}
	h.close()
	flipVector(t, mem, ops[3].Text)
	h = openPush(t, mem, &indexertest.Embedder{})
	hurt := ask()
	if hurt.ungrouped != 1 || hurt.unplaced != 1 || hurt.damaged != [4]int{1, 1, 1, 1} {
		t.Errorf("with a damaged vector %d documents are in no cluster, %d are not placed, and %v are said to be damaged", hurt.ungrouped, hurt.unplaced, hurt.damaged)
	}
	if again := ask(); again != hurt {
		t.Errorf("a second time the answers are others:\n%+v\n%+v", hurt, again)
	}
	h.mustPush("", "", "c1", ops...)
	if mended := ask(); mended != whole {
		t.Errorf("mended, the answers are others than before:\n%+v\n%+v", whole, mended)
	}
}

// TestDamageMetAgain: what was found while damage came to light is nothing to who opens
// the files again and does not know of it.
func TestDamageMetAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	mem := vfstest.NewMem()
	h := openPush(t, mem, &indexertest.Embedder{})
	ops := slices.Concat(aboutTopic(rng, 0, 0, 12), aboutTopic(rng, 1, 0, 12))
	h.mustPush("", "", "c1", ops...)
	h.close()
	flipVector(t, mem, ops[3].Text)
	h = openPush(t, mem, &indexertest.Embedder{})
	ask := func() string {
		c, err := h.overview().Clusters(t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}})
		must(t, err)
		if len(c.Damaged) != 1 || c.Ungrouped != 1 {
			t.Errorf("damaged %v, %d in no cluster", c.Damaged, c.Ungrouped)
		}
		return fmt.Sprint(c.Clusters)
	}
	first := ask()
	h.ForgetSnapshots(h.Domains().List("")[0]) // as when others have taken its room
	must(t, h.Retire(domain))
	if again := ask(); again != first {
		t.Errorf("opened again %s, at first %s", again, first)
	}
}

// TestClustersDiffOfBranches: both sides may be branches, of a part of the documents.
func TestClustersDiffOfBranches(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("main", "", "c1", slices.Concat(aboutTopic(rng, 0, 0, 12), aboutTopic(rng, 1, 0, 12))...)
	h.mustPush("side", "c1", "s1", aboutTopic(rng, 1, 20, 4)...)
	for _, filter := range []search.Filter{{}, {Types: []string{"T1"}}} {
		found, err := h.overview().ClustersDiff(t.Context(), overview.ClustersDiffRequest{Domain: domain, Between: search.Between{From: "main", To: "side"}, Filter: filter})
		must(t, err)
		before, after := 0, 0
		for _, c := range found.Changes {
			before, after = before+c.Stayed+c.Left, after+c.Stayed+c.Came
		}
		if want := 24 - 12*len(filter.Types); found.From != "c1" || found.To != "s1" || before != want || after != want+4 {
			t.Errorf("%+v: %d documents at %s and %d at %s, want %d at c1 and 4 more at s1", filter, before, found.From, after, found.To, want)
		}
	}
}

// rot flips a bit of the vector of a text under those who have the file open.
func rot(t *testing.T, mem *vfstest.Mem, text string) {
	t.Helper()
	b, err := mem.ReadFile(vecsName)
	must(t, err)
	at := bytes.Index(b, vectorBytes(indexertest.Vector(text, 32)))
	if at < 0 {
		t.Fatalf("no vector of %q in the file", text)
	}
	f, err := mem.Open(vecsName, vfs.ReadWrite)
	must(t, err)
	_, err = f.WriteAt([]byte{b[at+5] ^ 4}, int64(at+5))
	must(t, err)
	must(t, f.Close())
}

// meddling calls before once, before it embeds.
type meddling struct {
	*byRole
	before func()
}

func (e *meddling) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	if before := e.before; before != nil {
		e.before = nil
		before()
	}
	return e.byRole.Embed(ctx, r)
}

// TestDamageFoundByReader: a vector that a push was going to use, in whatever role,
// turns out to be damaged when somebody else reads it: its text is embedded again.
func TestDamageFoundByReader(t *testing.T) {
	for _, role := range []contract.Role{contract.RoleDocument, contract.RoleClustering} {
		mem, emb := vfstest.NewMem(), &meddling{byRole: newByRole()}
		h := openPush(t, mem, emb.Embedder, func(c *indexer.Config) { c.Embedder = emb })
		h.pushAll(indexer.PushRequest{Domain: domain, Commit: "c1", StoreClustering: true}, puts("d/A/1", "one", "d/A/2", "two blue fish swim")...)
		emb.take()
		emb.before = func() {
			rot(t, mem, withRole(role, "two blue fish "))
			h.found("c1", search.ModeVector, "one")
		}
		task := h.mustPush("", "c1", "c2", puts("d/A/3", "two blue fish swim", "d/A/4", "four", "d/A/5", "two blue fish dive")...)
		if texts := emb.take(); !slices.Contains(texts[role], "two blue fish ") || task.SkippedTotal != 0 {
			t.Errorf("%v: embedded are %q, skipped %v", role, texts, task.Skipped)
		}
		documents, clustering := h.vectorsOf("c2")
		for _, id := range []string{"d/A/3", "d/A/4", "d/A/5"} {
			if documents[id] == nil || clustering[id] == nil {
				t.Errorf("%v: %s has the vectors %v and %v", role, id, documents[id] != nil, clustering[id] != nil)
			}
		}
		// What both have from before is mended as ever.
		for _, commit := range []string{"c2", "c1"} {
			h.mustPush("", "", commit, puts("d/A/1", "one", "d/A/2", "two blue fish swim")...)
			if _, damaged := h.found(commit, search.ModeVector, "one"); len(damaged) != 0 {
				t.Errorf("%v: pushed again, %s has damaged %v", role, commit, damaged)
			}
		}
	}
}
