package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// clusteredDoc is a document and whether it was indexed while its domain stored
// clustering.
type clusteredDoc struct {
	text      string
	clustered bool
}

// clusteringHistory is a random history of a domain and what every commit of it
// must hold.
type clusteringHistory struct {
	*harness
	mem    *vfstest.Mem
	rng    *rand.Rand
	reader *search.Reader // of the same directory, which it only reads
	emb    *byRole
	made   map[string]map[string]clusteredDoc
	branch map[string]string
	lists  map[string]bool
	stores bool
	n      int
}

// TestClusteringSurvives: clustering vectors are those of the commits that list
// them, whatever merges, deletions of branches, assignments, restarts and damage
// they go through, in the writer and in a reader that knows the files alone.
func TestClusteringSurvives(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := &clusteringHistory{
		mem: vfstest.NewMem(), rng: rand.New(rand.NewPCG(seed, 0)), emb: newByRole(),
		made: make(map[string]map[string]clusteredDoc), branch: make(map[string]string), lists: make(map[string]bool),
	}
	h.start(t)
	h.read(t)
	for range 80 {
		h.step()
		h.check()
	}
	h.harness.close()
	if err := h.reader.Close(); err != nil {
		t.Error(err)
	}
	noFindings(t, h.mem)
}

func (h *clusteringHistory) start(t *testing.T) {
	h.harness = openPush(t, h.mem, h.emb.Embedder, func(c *indexer.Config) {
		c.Embedder, c.Graph = h.emb, indexer.Graph{MinVectors: 12, MaxDeltas: 4}
	})
}

// read begins a reader, in the place of the one before.
func (h *clusteringHistory) read(t *testing.T) {
	if h.reader != nil {
		if err := h.reader.Close(); err != nil {
			t.Error(err)
		}
	}
	r, err := search.OpenReadOnly(search.ReaderConfig{FS: h.mem, Embedder: h.emb})
	if err != nil {
		t.Fatal(err)
	}
	h.reader = r
}

// step does one random thing.
func (h *clusteringHistory) step() {
	h.n++
	branch := []string{"main", "side"}[h.rng.IntN(2)]
	commits := slices.Sorted(maps.Keys(h.made))
	some := func() string { return commits[h.rng.IntN(len(commits))] }
	switch what := h.rng.IntN(24); {
	case what == 0:
		if err := h.DeleteBranchIndex(h.t.Context(), domain, branch); err != nil {
			h.t.Fatal(err)
		}
		maps.DeleteFunc(h.made, func(c string, _ map[string]clusteredDoc) bool { return h.branch[c] == branch })
		h.stores = h.says() // it may have gone with all that listed any
		if len(h.made) == 0 {
			h.read(h.t) // damaged vectors at the end of the file give their slots to others
		}
	case what <= 2 && len(commits) > 0:
		c := some()
		if err := h.Assign(h.t.Context(), domain, branch, c, c); err != nil {
			h.t.Fatal(err)
		}
	case what <= 4 && len(commits) > 0:
		c, name := some(), fmt.Sprint("a", h.n)
		if err := h.Assign(h.t.Context(), domain, branch, c, name); err != nil {
			h.t.Fatal(err)
		}
		h.made[name], h.branch[name], h.lists[name] = h.made[c], branch, h.lists[c]
	case what <= 6 && len(commits) > 0:
		h.damage(some())
	default:
		h.commit(branch, commits)
	}
	if h.rng.IntN(3) == 0 {
		for h.Merging() > 0 {
			h.WaitMerges()
		}
	}
}

// commit pushes a commit of random operations.
func (h *clusteringHistory) commit(branch string, commits []string) {
	req := indexer.PushRequest{Domain: domain, Branch: branch, Commit: fmt.Sprint("c", h.n), StoreClustering: h.rng.IntN(12) == 0}
	if len(commits) > 0 {
		req.Parent = commits[h.rng.IntN(len(commits))]
	}
	p, err := h.StartPush(h.t.Context(), req)
	if errors.Is(err, contract.ErrNotFound) {
		return // a branch that begins with nothing
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.stores = h.stores || req.StoreClustering || h.lists[p.Base()]
	docs := maps.Clone(h.made[p.Base()])
	if docs == nil {
		docs = make(map[string]clusteredDoc)
	}
	for range 1 + h.rng.IntN(6) {
		id := fmt.Sprintf("d/A/%02d", h.rng.IntN(20))
		op := put(id, fmt.Sprintf("w%d and more w%d", h.rng.IntN(9), h.rng.IntN(9)))
		old := docs[id]
		if docs[id] = (clusteredDoc{op.Text, h.stores || old.clustered && old.text == op.Text}); h.rng.IntN(6) == 0 {
			op = contract.Op{Kind: contract.Delete, ID: id}
			delete(docs, id)
		}
		if err := p.Apply(op); err != nil {
			h.t.Fatal(err)
		}
	}
	p.Finish()
	<-p.Done()
	if p.Err() != nil {
		h.t.Fatal(p.Err())
	}
	h.made[req.Commit], h.branch[req.Commit], h.lists[req.Commit] = docs, branch, h.stores
}

// damage damages a clustering vector of the commit between two runs, and pushes
// all commits again, which repairs those that hold it.
func (h *clusteringHistory) damage(commit string) {
	text := ""
	for _, d := range h.made[commit] {
		if d.clustered {
			text = h.first(d.text)
		}
	}
	if text == "" {
		return
	}
	h.harness.close()
	flipVector(h.t, h.mem, withRole(contract.RoleClustering, text))
	found := 0
	if _, err := indexer.Verify(h.t.Context(), h.mem, func(indexer.Finding) { found++ }); err != nil || found == 0 {
		h.t.Fatalf("verify finds %d, %v", found, err)
	}
	h.emb.take()
	h.start(h.t)
	for c := range h.made {
		p, err := h.StartPush(h.t.Context(), indexer.PushRequest{Domain: domain, Branch: h.branch[c], Commit: c})
		if errors.Is(err, contract.ErrConflict) {
			continue // it is whole
		}
		if err != nil {
			h.t.Fatalf("push %s again: %v", c, err)
		}
		p.Finish()
		<-p.Done()
		if p.Err() != nil {
			h.t.Fatalf("push %s again: %v", c, p.Err())
		}
	}
	if got := h.emb.take(); len(got) != 1 || !slices.Equal(got[contract.RoleClustering], []string{text}) {
		h.t.Fatalf("embedded %v to repair the clustering of %q", got, text)
	}
}

func (h *clusteringHistory) first(text string) string {
	chunks, _ := h.emb.Split(text)
	return text[chunks[0].Start:chunks[0].End]
}

// says reports whether the domain says to store clustering.
func (h *clusteringHistory) says() bool {
	st, err := h.Statistics(domain)
	if err != nil {
		h.t.Fatal(err)
	}
	return st.StoreClustering
}

func (h *clusteringHistory) check() {
	h.t.Helper()
	if got := h.says(); got != h.stores {
		h.t.Fatalf("step %d: that the domain stores clustering is %t", h.n, got)
	}
	if err := h.reader.Refresh(); err != nil {
		h.t.Fatal(err)
	}
	for commit, docs := range h.made {
		for who, r := range map[string]*search.Reader{"writer": h.Reader, "reader": h.reader} {
			var want []string
			for id, d := range docs {
				if d.clustered && h.stores {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			documents, clustering := vectorsAt(h.t, r, commit)
			if !slices.Equal(slices.Sorted(maps.Keys(documents)), slices.Sorted(maps.Keys(docs))) || !slices.Equal(slices.Sorted(maps.Keys(clustering)), want) || (clustering != nil) != h.stores {
				h.t.Fatalf("step %d: %s of %s: documents %v, clustering of %v, want %v and %v", h.n, who, commit,
					slices.Sorted(maps.Keys(documents)), slices.Sorted(maps.Keys(clustering)), slices.Sorted(maps.Keys(docs)), want)
			}
			for id, v := range clustering {
				if vector.Dot(v, indexertest.Vector(withRole(contract.RoleClustering, h.first(docs[id].text)), 32)) < 0.999 {
					h.t.Fatalf("step %d: %s of %s: the clustering vector of %s is another one", h.n, who, commit, id)
				}
			}
		}
	}
}

// TestRefusedForClustering: a document whose text is refused in that role alone is
// indexed without, and one whose vector came with it has none.
func TestRefusedForClustering(t *testing.T) {
	emb := newByRole()
	emb.Refuse = func(text string) error {
		if text == withRole(contract.RoleClustering, "red fish") {
			return errors.New("refused")
		}
		return nil
	}
	h := openPush(t, vfstest.NewMem(), emb.Embedder, func(c *indexer.Config) { c.Embedder = emb })
	supplied := put("d/A/3", "with its vector")
	supplied.Vector = indexertest.Vector("its own", 32)
	task := h.pushAll(indexer.PushRequest{Domain: domain, Commit: "c1", StoreClustering: true}, append(puts("d/A/1", "red fish", "d/A/2", "blue fish"), supplied)...)
	if task.State != indexer.TaskComplete || task.SkippedTotal > 0 {
		t.Fatalf("%+v", task)
	}
	documents, clustering := h.vectorsOf("c1")
	if len(documents) != 3 || len(clustering) != 1 || clustering["d/A/2"] == nil {
		t.Errorf("%d documents, clustering of %v", len(documents), slices.Collect(maps.Keys(clustering)))
	}
}

// TestClusteringIsReused: vectors that lie in the file already, as those do that a
// program stored which had no commit list them, are not embedded again.
func TestClusteringIsReused(t *testing.T) {
	emb := newByRole()
	h := openPush(t, vfstest.NewMem(), emb.Embedder, func(c *indexer.Config) { c.Embedder = emb })
	for range 2 {
		h.pushAll(indexer.PushRequest{Domain: domain, Commit: "c1", StoreClustering: true}, puts("d/A/1", "one two three four", "d/A/2", "blue fish")...)
		if _, clustering := h.vectorsOf("c1"); len(clustering) != 2 {
			t.Errorf("clustering of %d documents", len(clustering))
		}
		if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := emb.take(); len(got[contract.RoleClustering]) != 3 || len(got[contract.RoleDocument]) != 3 {
		t.Errorf("embedded %v", got)
	}
}
