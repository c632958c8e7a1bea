package indexer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestPoolsTurnOver searches many domains and commits in turn with room for five
// open snapshots and few pages of vectors: neither pool passes its limit,
// whatever comes and goes, and what was found before is found again.
func TestPoolsTurnOver(t *testing.T) {
	domains, commits, searches := 3, 50, 400
	if os.Getenv("VECTORLINK_LONG") != "" {
		domains, searches = 20, 20_000
	}
	src := indexertest.NewSource()
	src.Incremental = true
	rng := rand.New(rand.NewPCG(7, 8))
	words := strings.Fields("red green blue apple pear plum old young man sea ship north")
	for i := range commits {
		put := make(map[string]string)
		for range 6 {
			put[fmt.Sprintf("d/A/%02d", rng.IntN(60))] = words[rng.IntN(len(words))] + " " + words[rng.IntN(len(words))] + fmt.Sprint(" ", rng.IntN(40))
		}
		src.Commit("main", fmt.Sprintf("c%02d", i), indexertest.Change{Put: put})
	}
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, func(c *indexer.Config) {
		c.Graph = indexer.Graph{MinVectors: 24, MaxDeltas: 10, Ef: 200}
	})
	name := func(d int) string { return fmt.Sprintf("org/d%02d", d) }
	for i := range commits {
		ids := make([]string, domains)
		for d := range ids {
			task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: name(d), Commit: fmt.Sprintf("c%02d", i)})
			if err != nil {
				t.Fatal(err)
			}
			ids[d] = task.ID
		}
		for _, id := range ids {
			if task := h.wait(id); task.State != indexer.TaskComplete {
				t.Fatalf("c%02d: %s %s", i, task.State, task.Error)
			}
		}
	}
	find := func(d, c int, q string, mode search.Mode) string {
		hits, err := h.Search(t.Context(), search.SearchRequest{
			Domain: name(d), Ref: search.Ref{Commit: fmt.Sprintf("c%02d", c)}, Text: q, Mode: mode, Options: search.Options{Page: search.Page{Count: 5}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(hits.Hits)
	}
	reopen := func(limit int64) {
		h.close()
		h = open(t, h.fs, src, &indexertest.Embedder{}, func(c *indexer.Config) {
			*c = h.cfg
			c.SnapshotPoolBytes, c.PagePoolBytes = limit, 16<<10
		})
	}
	reopen(1 << 30)
	find(0, commits-1, "red apple", search.ModeHybrid)
	st, err := h.Statistics("")
	if err != nil {
		t.Fatal(err)
	}
	limit := 5 * st.SnapshotBytes
	reopen(limit)

	seen := make(map[string]string)
	modes := []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid}
	most, opened := 0, int64(0)
	for range searches {
		d, c, q, mode := rng.IntN(domains), rng.IntN(commits), words[rng.IntN(len(words))], modes[rng.IntN(3)]
		got := find(d, c, q, mode)
		key := fmt.Sprint(c, q, mode) // all domains hold the same
		if before, ok := seen[key]; ok && got != before {
			t.Fatalf("%s: %s, before %s", key, got, before)
		}
		seen[key] = got
		st, err := h.Statistics("none")
		if err != nil {
			t.Fatal(err)
		}
		if st.SnapshotBytes > limit || st.Pages.Free < 0 {
			t.Fatalf("%d bytes of snapshots are open, limit %d; %d bytes of pages are free", st.SnapshotBytes, limit, st.Pages.Free)
		}
		most, opened = max(most, st.Snapshots), st.Opened
	}
	if opened < int64(searches)/2 {
		t.Errorf("%d searches opened %d files and snapshots: the pool did not turn over", searches, opened)
	}
	t.Logf("at most %d files and snapshots were open in %d bytes; %d were opened", most, limit, opened)
}
