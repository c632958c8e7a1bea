package indexer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// histories is the number of random histories; VECTORLINK_LONG=1 runs more.
func histories() int {
	if os.Getenv("VECTORLINK_LONG") != "" {
		return 2000
	}
	return 25
}

// randomHistory writes a history of inserts, changes, deletes, reverts and
// branches, and returns its commits in order, with the branch of each.
func randomHistory(rng *rand.Rand, src *indexertest.Source) (commits, branches []string) {
	words := []string{"red", "green", "blue", "apple", "pear", "plum", "old", "young", "man", "sea"}
	text := func() string {
		some := make([]string, 1+rng.IntN(4))
		for i := range some {
			some[i] = words[rng.IntN(len(words))]
		}
		return strings.Join(some, " ")
	}
	names := []string{"main"}
	for i := range 6 + rng.IntN(10) {
		branch := names[rng.IntN(len(names))]
		if i > 0 && rng.IntN(5) == 0 {
			branch = fmt.Sprintf("b%d", i)
			src.Branch(branch, commits[rng.IntN(len(commits))])
			names = append(names, branch)
		}
		ch := indexertest.Change{Put: make(map[string]string)}
		for range rng.IntN(8) {
			ch.Put[fmt.Sprintf("d/%c/%d", 'A'+rune(rng.IntN(3)), rng.IntN(12))] = text()
		}
		for range rng.IntN(4) {
			ch.Remove = append(ch.Remove, fmt.Sprintf("d/%c/%d", 'A'+rune(rng.IntN(3)), rng.IntN(12)))
		}
		ch.Fields = make(map[string]string)
		for range rng.IntN(6) { // also of documents whose texts stay
			ch.Fields[fmt.Sprintf("d/%c/%d", 'A'+rune(rng.IntN(3)), rng.IntN(12))] = randomFields(rng)
		}
		if rng.IntN(15) == 0 { // everything goes
			ch.Remove = nil
			for id := range src.Documents(fmt.Sprintf("c%02d", i-1)) {
				ch.Remove = append(ch.Remove, id)
			}
		}
		id := fmt.Sprintf("c%02d", i)
		src.Commit(branch, id, ch)
		commits, branches = append(commits, id), append(branches, branch)
	}
	return commits, branches
}

// TestRandomHistories holds every commit of random histories against the
// plain answer: the same documents, ranked the same, whatever was indexed
// before or after, with merges and restarts in between.
func TestRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for n := range histories() {
		t.Run(fmt.Sprintf("seed=%d", seed+uint64(n)), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed+uint64(n), 1))
			src, emb := indexertest.NewSource(), &indexertest.Embedder{BatchSize: 1 + rng.IntN(6)}
			src.Incremental = rng.IntN(2) == 0
			commits, branches := randomHistory(rng, src)
			files := vfstest.NewMem()
			graph := indexer.Graph{MinVectors: 1 << 30, MaxDeltas: 3 + rng.IntN(60)}
			if rng.IntN(2) == 0 {
				graph.MinVectors = 8 // graphs wide enough to be exact
				graph.Ef = 200
			}
			config := func(c *indexer.Config) {
				c.Graph = graph
				c.SnapshotPoolBytes = int64(1 + rng.IntN(100_000))
			}
			h := open(t, files, src, emb, config)
			order := rng.Perm(len(commits))
			if rng.IntN(2) == 0 {
				slices.Sort(order)
			}
			for _, i := range order {
				h.mustIndex(commits[i], branches[i])
				if rng.IntN(4) == 0 {
					h.close()
					h = open(t, files, src, emb, config)
				}
				back := commits[order[rng.IntN(slices.Index(order, i)+1)]]
				if got, want := h.texts(back), src.Documents(back); !maps.Equal(got, want) {
					t.Fatalf("%s holds %v, want %v", back, got, want)
				}
				sameFields(t, h, back, src)
			}
			seen := make(map[string]int)
			for _, text := range emb.Texts() {
				if seen[text]++; seen[text] > 1 && text != "anything" {
					t.Errorf("%q was embedded %d times", text, seen[text])
				}
			}
			for _, c := range commits {
				sameAnswers(t, h, c, src.Documents(c))
				sameFields(t, h, c, src)
			}
		})
	}
}

// sameAnswers compares a search and the duplicates of a commit with brute
// force.
func sameAnswers(t *testing.T, h *harness, commit string, texts map[string]string) {
	t.Helper()
	for _, q := range []string{"red apple", "old man sea"} {
		want := bruteForce(texts, q, 32)
		got := h.search(commit, q, 5)
		if len(got) != min(5, len(want)) {
			t.Fatalf("%s: %d hits, want %d", commit, len(got), min(5, len(want)))
		}
		for i, g := range got {
			if g.ID != want[i].ID || g.Distance != want[i].Distance {
				t.Fatalf("%s %q: hit %d is %s at %v, want %s at %v", commit, q, i, g.ID, g.Distance, want[i].ID, want[i].Distance)
			}
		}
	}
	const threshold = 0.1
	got, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Threshold: threshold})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Pairs {
		d := max(vector.Distance(vector.Dot(indexertest.Vector(texts[p.A.ID], 32), indexertest.Vector(texts[p.B.ID], 32))), 1e-7)
		if texts[p.A.ID] == texts[p.B.ID] {
			d = 0
		}
		if p.Distance != d || d > threshold {
			t.Fatalf("%s: pair %v, distance by brute force %v", commit, p, d)
		}
	}
	// Every document that has a partner within the threshold is in a pair.
	paired := make(map[string]bool)
	for _, p := range got.Pairs {
		paired[p.A.ID], paired[p.B.ID] = true, true
	}
	for a, ta := range texts {
		for b, tb := range texts {
			if a != b && !paired[a] && vector.Distance(vector.Dot(indexertest.Vector(ta, 32), indexertest.Vector(tb, 32))) <= threshold {
				t.Fatalf("%s: %s and %s are near and %s is in no pair", commit, a, b, a)
			}
		}
	}
}
