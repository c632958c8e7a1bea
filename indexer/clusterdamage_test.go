package indexer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
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
			means, err := h.Clusters(t.Context(), search.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}, ClusterOptions: search.ClusterOptions{K: 2}})
			must(t, err)
			c, err := h.Clusters(t.Context(), search.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
			must(t, err)
			m, err := h.Map(t.Context(), search.MapRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
			must(t, err)
			a.clusters += fmt.Sprint(means.Clusters, c.Clusters)
			a.maps += fmt.Sprint(slices.Collect(m.Points()))
			a.ungrouped, a.unplaced = a.ungrouped+c.Ungrouped, a.unplaced+m.Others
			a.damaged[0], a.damaged[1] = a.damaged[0]+len(c.Damaged), a.damaged[1]+len(m.Damaged)
		}
		diff, err := h.ClustersDiff(t.Context(), search.ClustersDiffRequest{Domain: domain, Between: between})
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

// TestClustersDiffOfBranches: both sides may be branches, of a part of the documents.
func TestClustersDiffOfBranches(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("main", "", "c1", slices.Concat(aboutTopic(rng, 0, 0, 12), aboutTopic(rng, 1, 0, 12))...)
	h.mustPush("side", "c1", "s1", aboutTopic(rng, 1, 20, 4)...)
	for _, filter := range []search.Filter{{}, {Types: []string{"T1"}}} {
		found, err := h.ClustersDiff(t.Context(), search.ClustersDiffRequest{Domain: domain, Between: search.Between{From: "main", To: "side"}, Filter: filter})
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
