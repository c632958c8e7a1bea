package indexer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "make the data directory of the current format, if it is not there yet")

// compatDir holds a data directory as the first version of the formats wrote
// it. It is never made anew: whatever comes later must read it.
const compatDir = "../testdata/compat/v1"

// compatHistory is what the directory holds: a checkpoint with a graph, deltas
// on two branches, an alias, texts of several chunks and a shared slot.
func compatHistory() (src *indexertest.Source, commits [][2]string) {
	src = indexertest.NewSource()
	put := make(map[string]string)
	for i := range 12 {
		put[fmt.Sprintf("terminusdb:///data/Planet/%02d", i)] = fmt.Sprintf("planet %d of the system %d with its moons", i, i%4)
	}
	put["terminusdb:///data/Ship/1"] = "a short text"
	put["terminusdb:///data/Ship/2"] = "a short text"
	src.Commit("main", "k1", indexertest.Change{Put: put})
	src.Commit("main", "k2", indexertest.Change{Put: docs("terminusdb:///data/Ship/3", "ein Schiff, größer als der Mond"), Remove: []string{"terminusdb:///data/Planet/04"}})
	src.Branch("dev", "k1")
	src.Commit("dev", "k3", indexertest.Change{Put: docs("terminusdb:///data/Planet/00", "another world altogether")})
	return src, [][2]string{{"k1", "main"}, {"k2", "main"}, {"k3", "dev"}}
}

func compatConfig(c *indexer.Config) {
	c.Graph = indexer.Graph{MinVectors: 8, Ef: 200}
	c.Embedder.(*indexertest.Embedder).Window = 4
}

func TestCompatibility(t *testing.T) {
	src, commits := compatHistory()
	if *update {
		makeCompat(t, src, commits)
	}
	mem := vfstest.NewMem()
	paths, err := filepath.Glob(filepath.Join(compatDir, "*"))
	if err != nil || len(paths) < 7 {
		t.Fatalf("%d files in %s, %v", len(paths), compatDir, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mem.WriteFile(filepath.Base(path), b)
	}
	noFindings(t, mem)
	emb := &indexertest.Embedder{}
	h := open(t, mem, src, emb, compatConfig)
	check := func(commits ...[2]string) {
		t.Helper()
		for _, c := range commits {
			want := src.Documents(c[0])
			for _, mode := range []search.Mode{search.ModeVector, search.ModeHybrid} {
				hits, err := h.Search(t.Context(), search.SearchRequest{
					Domain: domain, Ref: search.Ref{Commit: c[0]}, Text: "a short text", Mode: mode, Options: search.Options{Page: search.Page{Count: 100}},
				})
				if err != nil || len(hits.Hits) != len(want) || len(hits.Damaged) > 0 {
					t.Fatalf("%s by %s: %d documents, %v, want %d", c[0], mode, len(hits.Hits), err, len(want))
				}
				for i, hit := range hits.Hits {
					if _, ok := want[hit.ID]; !ok || (hit.Distance == 0) != (i < 2) {
						t.Errorf("%s by %s: hit %d is %+v", c[0], mode, i, hit)
					}
				}
			}
			if head, err := h.Head(domain, c[1]); err != nil || head.Commit == "" {
				t.Errorf("head of %s: %+v, %v", c[1], head, err)
			}
		}
	}
	check(commits...)
	check([2]string{"k2", "release"})
	hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "alias"}, Text: "a short text", Options: search.Options{Page: search.Page{Count: 100}}})
	if err != nil || len(hits.Hits) != len(src.Documents("k2")) {
		t.Errorf("the alias: %d documents, %v", len(hits.Hits), err)
	}
	emb.Reset()
	for _, c := range commits { // they are whole, so nothing is embedded
		h.mustIndex(c[0], c[1])
	}
	if texts := emb.Texts(); len(texts) > 0 {
		t.Errorf("embedded %q", texts)
	}
	src.Commit("main", "k4", indexertest.Change{Put: docs("terminusdb:///data/Ship/1", "a short text of more words than a window holds"), Remove: []string{"terminusdb:///data/Planet/01"}})
	src.Branch("dev", "k3")
	task := h.mustIndex("k4", "main")
	if task.Base != "k2" || task.Embedded != 3 {
		t.Errorf("the new commit: %+v, want three chunks embedded on k2", task)
	}
	if got, want := len(h.texts("k4")), len(src.Documents("k4")); got != want {
		t.Errorf("k4 holds %d documents, want %d", got, want)
	}
	check(commits...)
	h.close()
	noFindings(t, mem)
}

// makeCompat writes the data directory, unless there is one.
func makeCompat(t *testing.T, src *indexertest.Source, commits [][2]string) {
	t.Helper()
	if _, err := os.Stat(compatDir); err == nil {
		t.Logf("%s is kept as it is", compatDir)
		return
	}
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{}, compatConfig)
	for _, c := range commits {
		h.mustIndex(c[0], c[1])
		if c[0] == "k1" {
			waitGraph(t, mem, snapshot.FileName(domain, "k1"))
		}
		h.found(c[0], search.ModeText, "moons")
	}
	if err := h.Assign(t.Context(), domain, "release", "k2", "alias"); err != nil {
		t.Fatal(err)
	}
	h.close()
	names, err := mem.List()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(compatDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := mem.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(compatDir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
