package indexer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "write the golden file")

// compatDirs hold data directories as earlier versions of the formats wrote them,
// named by that of commit files. They are never made anew: whatever comes later must
// read them. The second one has settings, fields and a skipped document. What today's
// version writes is in package backup's tests, with all else that a directory holds.
var compatDirs = []string{"../testdata/compat/v1", "../testdata/compat/v2"}

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
	for _, dir := range compatDirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { testCompatibility(t, dir) })
	}
}

func testCompatibility(t *testing.T, dir string) {
	src, commits := compatHistory()
	mem := vfstest.NewMem()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) < 7 {
		t.Fatalf("%d files in %s, %v", len(paths), dir, err)
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
	if strings.HasSuffix(dir, "v2") {
		if got, err := h.filtered(t, search.Ref{Commit: "k2"}, "n > 1"); err != nil || len(got) != 1 || !strings.HasSuffix(got[0], "Ship/2") {
			t.Errorf("filtered: %v, %v", got, err)
		}
		info, err := snapshot.ReadInfo(mem, snapshot.FileName(domain, "k1"))
		if err != nil || info.Skipped != 1 || info.Settings != "language=de" {
			t.Errorf("k1 is %+v, %v", info, err)
		}
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
