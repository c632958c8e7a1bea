package indexer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestIntegrity examines healthy, unknown and damaged domains.
func TestIntegrity(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	if _, err := h.Integrity(domain); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("unknown domain: %v, want ErrNotFound", err)
	}
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("", "", "c2", puts("d/A/2", "two")...)
	h.mustPush("dev", "c1", "c3", puts("d/A/3", "three")...)
	if err := h.Assign(t.Context(), domain, "", "c2", "c4"); err != nil {
		t.Fatal(err)
	}
	h.suggest("c2", "one", 1, search.Filter{})
	got, err := h.Integrity(domain)
	if err != nil {
		t.Fatal(err)
	}
	if !got.OK() || got.Commits != 4 || got.CommitFiles != 4 || got.VectorFiles != 1 || len(got.Warnings) != 0 ||
		len(got.TextFiles) == 0 || !slices.Equal(got.TextFiles, got.UsedTexts) || len(got.Branches) != 2 ||
		got.Branches[0].Branch != "dev" || got.Branches[1].Commit != "c4" {
		t.Errorf("healthy: %+v", got)
	}
	before, _ := files.List()

	lose := func(name string) {
		t.Helper()
		if err := files.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	lose(vfs.FileName(domain, "c2", "hnsw"))
	got, err = h.Integrity(domain)
	if err != nil || got.OK() || !slices.Equal(got.MissingFiles, []string{vfs.FileName(domain, "c2", "hnsw")}) ||
		!slices.Equal(got.LostCommits, []string{"c4", "c2"}) || got.CommitFiles != 3 || len(got.Warnings) == 0 {
		t.Errorf("without the file of c2: %+v, %v", got, err)
	}
	lose(vfs.FileName(domain, "", "vecs"))
	if got, err = h.Integrity(domain); err != nil || got.OK() || got.VectorFiles != 0 || len(got.MissingFiles) != 2 {
		t.Errorf("without vectors: %+v, %v", got, err)
	}
	stray := vfs.FileName(domain, "c8", "hnsw")
	for _, name := range []string{stray, vfs.FileName(domain, "c9", "zap"), vfs.FileName("other/db", "c1", "hnsw")} {
		f, err := files.Open(name, vfs.Create)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if got, err = h.Integrity(domain); err != nil || !slices.Equal(got.StrayFiles, []string{stray}) || len(got.StaleTexts) != 1 {
		t.Errorf("with a stray file: %+v, %v", got, err)
	}
	if after, _ := files.List(); len(after) != len(before)+1 {
		t.Errorf("it changed the files: %v, were %v", after, before)
	}
	for _, w := range got.Warnings {
		if strings.Contains(w, "one") {
			t.Errorf("a warning shows a text: %s", w)
		}
	}
}

// TestActivity checks what the statistics tell of the work.
func TestActivity(t *testing.T) {
	at := make(chan struct{})
	goOn := make(chan struct{})
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	emb.Fail = func([]string) error {
		close(at)
		<-goOn
		return nil
	}
	p := h.mustStart("", "", "c2")
	if err := p.Apply(put("d/A/3", "three")); err != nil {
		t.Fatal(err)
	}
	p.Finish()
	<-at
	st, err := h.Statistics("")
	if err != nil {
		t.Fatal(err)
	}
	a := st
	if a.Unfinished != 1 || a.Running != 1 || a.BusyBranches != 1 || a.BusyDomains != 1 || a.Embedding != 1 ||
		a.Embedded != 2 || a.Written != 2 || a.Vectors != 2 || a.VectorBytes != 2*32*4 || a.SnapshotLimit == 0 || a.PageLimit == 0 {
		t.Errorf("during a push: %+v", a)
	}
	emb.Fail = nil
	close(goOn)
	<-p.Done()
	h.search("c2", "x", 1)
	if st, err = h.Statistics(""); err != nil {
		t.Fatal(err)
	}
	a = st
	if a.Unfinished != 0 || a.Running != 0 || a.BusyBranches != 0 || a.Embedding != 0 || a.Embedded != 3 || a.Written != 3 || a.Opened == 0 || a.Vectors != 3 {
		t.Errorf("after it: %+v", a)
	}
}

// TestStatisticsOfDamage: figures go by headers, so that no damaged file takes
// them away, and none is opened for them.
func TestStatisticsOfDamage(t *testing.T) {
	const other = "admin/other"
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("side", "c1", "c2", puts("d/A/2", "two")...)
	h.pushInto(other, "", "o1", puts("d/A/1", "one", "d/A/2", "two", "d/A/3", "three")...)
	h.close()
	check := func(what string, domains, commits, documents int) {
		t.Helper()
		h := openPush(t, files, &indexertest.Embedder{})
		defer h.close()
		st, err := h.Statistics("")
		if err != nil || st.Domains != domains || st.IndexedCommits != commits || st.Documents != documents || st.Opened != 0 {
			t.Errorf("%s: %+v, %v; want %d domains, %d commits, %d documents", what, st, err, domains, commits, documents)
		}
		for _, name := range []string{domain, other} {
			if _, err := h.Statistics(name); err != nil {
				t.Errorf("%s: of %s: %v", what, name, err)
			}
		}
	}
	check("whole", 2, 3, 6)
	c1, c2 := snapshot.FileName(domain, "c1"), snapshot.FileName(domain, "c2")
	whole, err := files.ReadFile(c2)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole { // what can be listed, and not be read
		data := slices.Clone(whole)
		data[at] ^= 1
		files.WriteFile(c2, data)
		_, damaged, err := snapshot.List(files)
		if err != nil {
			t.Fatal(err)
		}
		if len(damaged) == 0 && snapshot.Verify(files, c2) != nil {
			break
		}
	}
	files.WriteFile(vecsName, nil)
	check("a damaged commit", 2, 3, 6)
	files.WriteFile(c2, make([]byte, 100))
	check("a damaged header that the catalog knows", 2, 3, 6)
	forget := func() {
		if err := files.Remove(catalog.FileName(domain)); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	check("a damaged header", 2, 2, 4)
	forget()
	files.WriteFile(c1, nil)
	check("no header left", 1, 1, 3)
}
