package indexer_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// overview answers from what the harness reads.
func (h *harness) overview() *overview.Overview { return overview.New(h.Reader) }

// clustersAt returns the clusters of a commit, and its documents by cluster.
func (h *harness) clustersAt(commit string) (*overview.Clusters, map[string][]string) {
	h.t.Helper()
	c, err := h.overview().Clusters(h.t.Context(), overview.ClustersRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
	must(h.t, err)
	members := map[string][]string{}
	for m := range c.Memberships() {
		if m.Cluster != nil {
			members[*m.Cluster] = append(members[*m.Cluster], m.ID)
		}
	}
	return c, members
}

// placesAt returns the places of a commit's documents.
func (h *harness) placesAt(commit string) map[string]overview.MapPoint {
	h.t.Helper()
	m, err := h.overview().Map(h.t.Context(), overview.MapRequest{Domain: domain, Ref: search.Ref{Commit: commit}})
	must(h.t, err)
	at := map[string]overview.MapPoint{}
	for p := range m.Points() {
		at[p.ID] = p
	}
	return at
}

// TestClustersAreNamedAndDescribed: a cluster's id is of the member whose id has the
// least hash, and its typical documents are the nearest to its mean.
func TestClustersAreNamedAndDescribed(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	ops := slices.Concat(aboutTopic(rng, 0, 0, 20), aboutTopic(rng, 1, 0, 18), aboutTopic(rng, 2, 0, 16))
	h.mustPush("", "", "c1", ops...)
	vectors := map[string][]float32{}
	for _, op := range ops {
		vectors[op.ID] = indexertest.Vector(op.Text, 32)
	}
	c, members := h.clustersAt("c1")
	for _, one := range c.Clusters {
		least := ^uint64(0)
		mean := make([]float32, 32)
		for _, id := range members[one.ID] {
			hash := fnv.New64a()
			hash.Write([]byte(id))
			least = min(least, hash.Sum64())
			for i, x := range vectors[id] {
				mean[i] += x
			}
		}
		if want := fmt.Sprintf("c%010x", least&(1<<40-1)); one.ID != want {
			t.Errorf("the id of a cluster is %s, not %s of the least hash", one.ID, want)
		}
		vector.Normalize(mean)
		byDot := slices.Clone(members[one.ID])
		dot := func(id string) float32 { return vector.Dot(mean, vectors[id]) }
		slices.SortFunc(byDot, func(a, b string) int { return cmp.Compare(dot(b), dot(a)) })
		for i, id := range one.Typical {
			if d := dot(byDot[i]) - dot(id); d > 1e-5 {
				t.Errorf("%s is typical as number %d, but is farther from the mean than %s", id, i, byDot[i])
			}
		}
	}
}

// TestLabelsAreOfSeveral: a word of one document alone labels no larger cluster.
func TestLabelsAreOfSeveral(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "apple pear plum zebra zebra zebra", "d/A/2", "apple pear plum", "d/A/3", "apple pear plum",
		"d/B/1", "engine wheel brake", "d/B/2", "engine wheel brake", "d/B/3", "engine wheel brake")...)
	c, members := h.clustersAt("c1")
	seen := false
	for _, one := range c.Clusters {
		if slices.Contains(members[one.ID], "d/A/1") {
			seen = len(members[one.ID]) > 1
			if slices.Contains(one.Words, "zebra") || !slices.Contains(one.Words, "apple") {
				t.Errorf("words %v", one.Words)
			}
		}
	}
	if !seen {
		t.Errorf("d/A/1 is with no others: %v", members)
	}
}

// TestMapPlacesAnew: a document whose text changed finds another place, and where more
// than half has come since, all do.
func TestMapPlacesAnew(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c0", slices.Concat(aboutTopic(rng, 0, 0, 20), aboutTopic(rng, 1, 0, 20))...)
	h.mustPush("", "c0", "c1", puts("d/T0/005", "The "+topics[1])...)
	// Since c0 38 of 77 documents are new at c2, 40 of 79 at c3.
	h.mustPush("", "c1", "c2", aboutTopic(rng, 2, 0, 37)...)
	h.mustPush("", "c2", "c3", aboutTopic(rng, 3, 0, 2)...)
	moved := func(from, to string) (ids []string) {
		was := h.placesAt(from)
		for id, p := range h.placesAt(to) {
			if old, ok := was[id]; ok && old != p {
				ids = append(ids, id)
			}
		}
		return ids
	}
	if got := moved("c0", "c1"); !slices.Equal(got, []string{"d/T0/005"}) {
		t.Errorf("one text changed, and %v have another place", got)
	}
	if got := moved("c1", "c2"); len(got) != 0 {
		t.Errorf("less than half is new, and %v have another place", got)
	}
	if got := moved("c2", "c3"); len(got) < 70 {
		t.Errorf("more than half is new, and only %d of 77 documents were placed anew", len(got))
	}
}

// TestUnreadableAreNowhere: texts that the model cannot read are in no cluster, and
// have no place.
func TestUnreadableAreNowhere(t *testing.T) {
	local, err := embed.Local(2)
	must(t, err)
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{}, func(c *indexer.Config) { c.Embedder = local })
	h.mustPush("main", "", "c1", puts("d/A/1", "the cat sat on the mat", "d/A/2", "a cat on a mat", "d/A/3", "cats and mats",
		"d/U/1", "ฉันชอบกินข้าวผัด", "d/U/2", "วันนี้ฝนตกหนักมาก")...)
	c, members := h.clustersAt("c1")
	for _, ids := range members {
		if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "d/U/") }) {
			t.Errorf("a cluster of %v", ids)
		}
	}
	if c.Documents != 5 || c.Ungrouped < 2 {
		t.Errorf("%d documents, %d in no cluster", c.Documents, c.Ungrouped)
	}
	if at := h.placesAt("c1"); len(at) != 3 {
		t.Errorf("placed are %v", at)
	}
}

// TestNeighboursBehindManyChunks: the chunks of one long document are the nearest of
// all, and do not hide the other neighbours.
func TestNeighboursBehindManyChunks(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{Window: 8})
	shuffled := func(topic int) string {
		words := strings.Fields(topics[topic])
		rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		return strings.Join(words, " ")
	}
	var long []string
	for topic := range 4 {
		for range 70 {
			long = append(long, shuffled(topic))
		}
	}
	h.mustPush("", "", "c0", puts("d/L/0", strings.Join(long, " "))...)
	var ops []contract.Op
	for topic := range 4 {
		for i := range 12 {
			ops = append(ops, put(fmt.Sprintf("d/T%d/%02d", topic, i), shuffled(topic)))
		}
	}
	h.mustPush("", "c0", "c1", ops...)
	if c, _ := h.clustersAt("c1"); c.Count != 4 {
		t.Errorf("%d clusters of 4 topics: %+v", c.Count, c.Clusters)
	}
}
