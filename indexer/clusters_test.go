package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// topics are words that stand together in texts.
var topics = []string{
	"apple pear plum cherry grape melon peach lemon",
	"engine wheel brake clutch gear tyre piston valve",
	"harbour anchor sail mast rudder keel wave tide",
	"violin cello trumpet flute drum oboe harp piano",
	"granite basalt marble slate quartz chalk flint gneiss",
}

// aboutTopic returns upserts of n documents about a topic, numbered from first.
func aboutTopic(rng *rand.Rand, topic, first, n int) []contract.Op {
	words := strings.Fields(topics[topic])
	var ops []contract.Op
	for i := range n {
		var text []string
		for range 8 {
			text = append(text, words[rng.IntN(len(words))])
		}
		ops = append(ops, put(fmt.Sprintf("d/T%d/%03d", topic, first+i), "The "+strings.Join(text, " and ")))
	}
	return ops
}

func TestClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	var ops []contract.Op
	for topic := range 4 {
		ops = append(ops, aboutTopic(rng, topic, 0, 30-topic)...)
	}
	h.mustPush("", "", "c1", ops...)
	var gone []contract.Op
	for i := range 30 {
		gone = append(gone, remove(fmt.Sprintf("d/T0/%03d", i)))
	}
	h.mustPush("", "c1", "c2", slices.Concat(gone, aboutTopic(rng, 4, 0, 25), aboutTopic(rng, 1, 50, 5))...)

	get := func(h *harness, req overview.ClustersRequest) *overview.Clusters {
		t.Helper()
		req.Domain = domain
		if req.Ref.Commit == "" {
			req.Ref.Commit = "c1"
		}
		found, err := h.overview().Clusters(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	check := func(name string, c *overview.Clusters) {
		t.Helper()
		if c.Count != 4 || len(c.Clusters) != 4 || c.Ungrouped != 0 || c.Documents != 114 || c.Commit != "c1" {
			t.Fatalf("%s: %d clusters of %d documents, %d in none, want 4 of 114", name, c.Count, c.Documents, c.Ungrouped)
		}
		for topic, one := range c.Clusters {
			if one.Size != 30-topic || len(one.Typical) != 5 || !(one.Cohesion > 0.5 && one.Cohesion <= 1) {
				t.Errorf("%s: cluster %d is %+v", name, topic, one)
			}
			for _, id := range one.Typical {
				if !strings.HasPrefix(id, fmt.Sprintf("d/T%d/", topic)) {
					t.Errorf("%s: %s is typical of topic %d", name, id, topic)
				}
			}
			if len(one.Words) != 6 || slices.ContainsFunc(one.Words, func(w string) bool { return !strings.Contains(topics[topic], w) }) {
				t.Errorf("%s: topic %d has the words %v", name, topic, one.Words)
			}
		}
	}
	c := get(h, overview.ClustersRequest{})
	check("leiden", c)
	if c.Resolution != 1 || c.AtHalf == 0 || c.AtHalf > 4 || c.AtTwice < 4 {
		t.Errorf("resolution %v, %d clusters at half, %d at twice", c.Resolution, c.AtHalf, c.AtTwice)
	}
	means := get(h, overview.ClustersRequest{ClusterOptions: overview.ClusterOptions{K: 4}})
	if means.Count != 4 || means.K != 4 || means.AtHalf != 0 {
		t.Errorf("k-means: %d clusters", means.Count)
	}
	agree := map[string]int{}
	for m := range means.Memberships() {
		agree[m.ID[:len("d/T0")]+*m.Cluster]++
	}
	if most := slices.Sorted(maps.Values(agree)); most[len(most)-4] < 25 {
		t.Errorf("k-means: topics and clusters meet as %v", agree)
	}
	in := map[string]string{}
	for m := range c.Memberships() {
		if m.Cluster == nil {
			t.Fatalf("%s is in none", m.ID)
		}
		in[m.ID] = *m.Cluster
	}
	if len(in) != 114 || in["d/T1/003"] != c.Clusters[1].ID {
		t.Errorf("memberships %v", in)
	}

	// Small ones, and a part of the documents.
	if few := get(h, overview.ClustersRequest{ClusterOptions: overview.ClusterOptions{MinSize: 29}}); few.Count != 2 || few.Ungrouped != 28+27 {
		t.Errorf("of 29 or more: %d clusters, %d in none", few.Count, few.Ungrouped)
	}
	if part := get(h, overview.ClustersRequest{Filter: search.Filter{Types: []string{"T2"}}}); part.Documents != 28 {
		t.Errorf("of one class: %d documents", part.Documents)
	}

	// What a later commit did.
	diff, err := h.overview().ClustersDiff(t.Context(), overview.ClustersDiffRequest{Domain: domain, Between: search.Between{From: "c1", To: "c2"}})
	if err != nil {
		t.Fatal(err)
	}
	fates := map[cluster.Fate]int{}
	for _, change := range diff.Changes {
		fates[change.Fate]++
		switch change.Fate {
		case cluster.Vanished:
			if change.Left != 30 || change.From[0].ID != c.Clusters[0].ID {
				t.Errorf("vanished: %+v", change)
			}
		case cluster.Grew:
			if change.Came != 5 || change.Stayed != 29 {
				t.Errorf("grew: %+v", change)
			}
		case cluster.Same:
			if change.From[0].ID != change.To[0].ID {
				t.Errorf("the same members, but %s became %s", change.From[0].ID, change.To[0].ID)
			}
		}
	}
	if want := map[cluster.Fate]int{cluster.Vanished: 1, cluster.Grew: 1, cluster.Same: 2, cluster.Appeared: 1}; !maps.Equal(fates, want) {
		t.Errorf("fates %v, want %v", fates, want)
	}

	// The same again, by another reader, after all that.
	h.close()
	again := get(openPush(t, files, &indexertest.Embedder{}), overview.ClustersRequest{})
	if fmt.Sprint(again.Clusters) != fmt.Sprint(c.Clusters) {
		t.Errorf("another reader says %v, not %v", again.Clusters, c.Clusters)
	}
}

func TestClustersOfLittle(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c0")
	h.mustPush("", "c0", "c1", puts("a", "one", "b", "one", "c", "two words")...)
	for commit, documents := range map[string]int{"c0": 0, "c1": 3} {
		for _, o := range []overview.ClusterOptions{{}, {K: 7}, {MinSize: 1}, {Resolution: 1000}} {
			found, err := h.overview().Clusters(t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}, ClusterOptions: o})
			if err != nil || found.Documents != documents || found.Clusters == nil {
				t.Errorf("%s %+v: %+v, %v", commit, o, found, err)
			}
		}
		m, err := h.overview().Map(t.Context(), overview.MapRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
		if err != nil || m.Len != documents {
			t.Errorf("map of %s: %+v, %v", commit, m, err)
		}
	}
	for _, o := range []overview.ClusterOptions{{Resolution: -1}, {Resolution: 1001}} {
		if _, err := h.overview().Clusters(t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ClusterOptions: o}); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := h.overview().ClustersDiff(t.Context(), overview.ClustersDiffRequest{Domain: domain, Between: search.Between{From: "c1", To: "c9"}}); !errors.Is(err, contract.ErrNotFound) || !strings.Contains(err.Error(), "to:") {
		t.Errorf("a commit that is not there: %v", err)
	}
}

// TestMapStands checks that documents stand where they are from commit to commit,
// whatever is asked for first.
func TestMapStands(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	files := vfstest.NewMem()
	open := func() *harness {
		return openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph.MaxDeltas = 4 })
	}
	h := open()
	var ops []contract.Op
	for topic := range 4 {
		ops = append(ops, aboutTopic(rng, topic, 0, 40)...)
	}
	h.mustPush("", "", "c0", ops...)
	const commits = 10
	for i := range commits {
		base := fmt.Sprintf("c%d", i)
		topic := rng.IntN(4)
		change := append(aboutTopic(rng, topic, rng.IntN(40), 1), aboutTopic(rng, 4, i, 1)...)
		h.mustPush("", base, fmt.Sprintf("c%d", i+1), append(change, remove(fmt.Sprintf("d/T%d/%03d", (topic+1)%4, rng.IntN(40))))...)
	}
	type place struct{ text, at string }
	places := func(h *harness, commit int) map[string]place {
		t.Helper()
		ref := search.Ref{Commit: fmt.Sprintf("c%d", commit)}
		m, err := h.overview().Map(t.Context(), overview.MapRequest{Domain: domain, Ref: ref})
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]place{}
		for p := range m.Points() {
			if p.X < m.Box[0] || p.Y < m.Box[1] || p.X > m.Box[2] || p.Y > m.Box[3] {
				t.Errorf("%s: %v is outside of %v", ref.Commit, p, m.Box)
			}
			at[p.ID] = place{at: fmt.Sprint(p.X, " ", p.Y)}
		}
		err = h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: ref}, func(found *search.Embeddings) error {
			for e, err := range found.Vectors {
				if err != nil {
					return err
				}
				at[e.ID] = place{fmt.Sprint(e.Vector), at[e.ID].at}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	last := places(h, commits)
	before := last
	for commit := commits - 1; commit >= 0; commit-- {
		now := places(h, commit)
		moved := 0
		for id, p := range now {
			if next, ok := before[id]; ok && next.text == p.text && next.at != p.at {
				moved++
			}
		}
		if moved > 0 {
			t.Errorf("from c%d to c%d %d documents moved that did not change", commit, commit+1, moved)
		}
		before = now
	}
	h.close()
	// In the other order, by another reader, of files that were merged.
	h = open()
	for commit := range commits + 1 {
		if got := places(h, commit); commit == commits && !maps.Equal(got, last) {
			t.Errorf("the map of c%d depends on what was asked for before", commits)
		}
	}
}
