package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestCrowd has a thousand searches at once over fifty commits while ten more
// are indexed and merged, with room for about five open snapshots: every answer
// is that of its commit by brute force.
func TestCrowd(t *testing.T) {
	const commits, more, searches = 50, 10, 1000
	src := indexertest.NewSource()
	src.Incremental = true
	rng := rand.New(rand.NewPCG(5, 6))
	words := []string{"red", "green", "blue", "apple", "pear", "plum", "old", "young", "man", "sea"}
	text := func() string {
		some := make([]string, 2+rng.IntN(4))
		for i := range some {
			some[i] = words[rng.IntN(len(words))]
		}
		return strings.Join(some, " ")
	}
	for i := range commits + more {
		put := make(map[string]string)
		for range 8 {
			put[fmt.Sprintf("d/A/%02d", rng.IntN(80))] = text()
		}
		change := indexertest.Change{Put: put}
		if i%3 == 1 {
			change.Remove = []string{fmt.Sprintf("d/A/%02d", rng.IntN(80))}
			delete(put, change.Remove[0])
		}
		src.Commit("main", fmt.Sprintf("c%02d", i), change)
	}
	var mostOpen int
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, func(c *indexer.Config) {
		c.Graph = indexer.Graph{MinVectors: 24, MaxDeltas: 6, Ef: 400}
		c.PagePoolBytes = 64 << 10
		c.SnapshotPoolBytes = 1 << 30
	})
	for i := range commits {
		h.mustIndex(fmt.Sprintf("c%02d", i), "")
	}
	// Room for five: what one of them takes, measured on the last.
	h.close()
	h = open(t, h.fs, src, &indexertest.Embedder{}, func(c *indexer.Config) { *c = h.cfg })
	h.search(fmt.Sprintf("c%02d", commits-1), "red", 1)
	st, err := h.Statistics("")
	if err != nil {
		t.Fatal(err)
	}
	h.close()
	h = open(t, h.fs, src, &indexertest.Embedder{}, func(c *indexer.Config) {
		*c = h.cfg
		c.SnapshotPoolBytes = 5 * st.SnapshotBytes
	})
	truth := make([]map[string]string, commits)
	for i := range truth {
		truth[i] = src.Documents(fmt.Sprintf("c%02d", i))
	}
	var all sync.WaitGroup
	begin := make(chan struct{})
	var mu sync.Mutex
	var failures []error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
	}
	for i := range searches {
		all.Go(func() {
			<-begin
			rng := rand.New(rand.NewPCG(uint64(i), 8))
			at := rng.IntN(commits)
			q := words[rng.IntN(len(words))] + " " + words[rng.IntN(len(words))]
			hits, err := h.Search(t.Context(), search.SearchRequest{
				Domain: domain, Ref: search.Ref{Commit: fmt.Sprintf("c%02d", at)}, Text: q, Options: search.Options{Page: search.Page{Count: 10}, Snippet: true},
			})
			if err != nil {
				fail(err)
				return
			}
			want := bruteForce(truth[at], q, 32)
			for k, hit := range hits.Hits {
				if k >= len(want) || hit.ID != want[k].ID || hit.Distance != want[k].Distance || hit.Chunk.Snippet != truth[at][hit.ID] {
					fail(fmt.Errorf("c%02d, %q: hit %d is %+v, want %v", at, q, k, hit, want[:min(10, len(want))]))
					return
				}
			}
			if len(hits.Hits) != min(10, len(want)) {
				fail(fmt.Errorf("c%02d: %d hits", at, len(hits.Hits)))
			}
			st, err := h.Statistics("none")
			if err != nil {
				fail(err)
			}
			mu.Lock()
			mostOpen = max(mostOpen, st.Snapshots)
			mu.Unlock()
		})
	}
	close(begin)
	for i := range more {
		h.mustIndex(fmt.Sprintf("c%02d", commits+i), "")
	}
	all.Wait()
	// While they run, what they use counts as well.
	if st, err := h.Statistics("none"); err != nil || st.SnapshotBytes > h.cfg.SnapshotPoolBytes {
		t.Errorf("the pool holds %d bytes of %d (%v)", st.SnapshotBytes, h.cfg.SnapshotPoolBytes, err)
	}
	if err := errors.Join(failures[:min(len(failures), 5)]...); err != nil {
		t.Fatalf("%d of %d searches failed, the first: %v", len(failures), searches, err)
	}
	for i := range more {
		c := fmt.Sprintf("c%02d", commits+i)
		if got, want := h.texts(c), src.Documents(c); !maps.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", c, got, want)
		}
	}
	t.Logf("at most %d files and snapshots were open", mostOpen)
}
