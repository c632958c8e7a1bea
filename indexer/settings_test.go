package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// startWith begins a push that names settings.
func (h *harness) startWith(branch, commit string, s catalog.SettingsRequest) (*indexer.Push, error) {
	return h.StartPush(h.t.Context(), indexer.PushRequest{Domain: domain, Branch: branch, Commit: commit, Settings: s})
}

// pushWith pushes a commit that names settings.
func (h *harness) pushWith(commit string, s catalog.SettingsRequest, ops ...contract.Op) indexer.Task {
	h.t.Helper()
	p, err := h.startWith("main", commit, s)
	if err != nil {
		h.t.Fatalf("push %s: %v", commit, err)
	}
	for _, op := range ops {
		if err := p.Apply(op); err != nil {
			h.t.Fatalf("push %s: %v", commit, err)
		}
	}
	p.Finish()
	<-p.Done()
	if err := p.Err(); err != nil {
		h.t.Fatalf("push %s: %v", commit, err)
	}
	return p.Task()
}

// wantSettings compares the settings that are told of the domain.
func (h *harness) wantSettings(want catalog.Settings) {
	h.t.Helper()
	st, err := h.Statistics(domain)
	if err != nil {
		h.t.Fatal(err)
	}
	if st.Settings == nil || *st.Settings != want {
		h.t.Errorf("settings %+v, want %+v", st.Settings, want)
	}
}

// plain are the settings of a domain about which nothing was said.
var plain = catalog.Settings{Metric: catalog.MetricCosine, Normalize: true, Language: "en", M: 16, EfConstruction: 200, Dim: 32}

func yes() *bool { b := true; return &b }

// TestSettingsAreChosenOnce: the first commit decides, what repeats it is
// fine, and what contradicts it is refused with what the domain has; after
// restarts, merges, forks and the loss of everything but commit files too.
func TestSettingsAreChosenOnce(t *testing.T) {
	mem := vfstest.NewMem()
	src := indexertest.NewSource()
	src.Commit("main", "k1", indexertest.Change{Put: docs("d/A/1", "one")})
	small := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 8} }
	h := open(t, mem, src, &indexertest.Embedder{}, small)
	chosen := catalog.SettingsRequest{M: 4, EfConstruction: 40}
	want := plain
	want.M, want.EfConstruction = 4, 40

	var ops []contract.Op
	for i := range 20 {
		ops = append(ops, put(fmt.Sprintf("d/A/%02d", i), fmt.Sprintf("text number %d", i)))
	}
	h.pushWith("c1", chosen, ops...)
	check := func(when string) {
		t.Helper()
		for _, r := range []catalog.SettingsRequest{
			{M: 5}, {EfConstruction: 200}, {M: 4, EfConstruction: 41},
		} {
			if _, err := h.startWith("main", "x", r); !errors.Is(err, contract.ErrConflict) || !strings.Contains(err.Error(), "has ") {
				t.Errorf("%s: push with %+v: %v", when, r, err)
			}
			_, err := h.Index(context.Background(), indexer.IndexRequest{Domain: domain, Commit: "k1", Settings: r})
			if !errors.Is(err, contract.ErrConflict) {
				t.Errorf("%s: index with %+v: %v", when, r, err)
			}
		}
	}
	check("at first")
	h.wantSettings(want)
	h.pushWith("c2", catalog.SettingsRequest{M: 4, Metric: "cosine", Normalize: yes(), Language: "en"}, put("d/B/1", "another"))
	h.pushWith("c3", catalog.SettingsRequest{}, put("d/B/2", "one more"))
	if err := h.Assign(t.Context(), domain, "other", "c1", "a1"); err != nil {
		t.Fatal(err)
	}
	h.mustPush("fork", "c1", "f1", put("d/B/3", "forked"))
	h.mustIndex("k1", "pulled") // without a base, and with the settings all the same
	check("after forks")
	h.wantSettings(want)
	h.merged()
	check("after merges")
	h.wantSettings(want)
	infos, _, err := snapshot.List(mem)
	if err != nil {
		t.Fatal(err)
	}
	graphs := 0
	for _, info := range infos {
		if info.Settings != "m=4 ef_construction=40" {
			t.Errorf("the file of %s says %q", info.Commit, info.Settings)
		}
		d, err := snapshot.Inspect(mem, info.Name())
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Graph) > 0 {
			g, err := hnsw.Decode(d.Graph)
			if err != nil {
				t.Fatal(err)
			}
			if p := g.Describe().Params; p.M != 4 || p.EfConstruction != 40 {
				t.Errorf("the graph of %s has %+v", info.Commit, p)
			}
			graphs++
		}
	}
	if graphs == 0 {
		t.Error("there is no graph")
	}

	h.close()
	if err := mem.Remove("admin%2Ftest.vecs"); err != nil {
		t.Fatal(err)
	}
	h = open(t, mem, src, &indexertest.Embedder{}, small)
	check("after a restart without vectors")

	// A deletion forgets them.
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	h.pushWith("c1", catalog.SettingsRequest{M: 8}, put("d/A/1", "one"))
	want.M, want.EfConstruction = 8, 200
	h.wantSettings(want)
}

// TestSettingsOfADomainInTheMaking: what is being pushed first decides already,
// and a first push that fails leaves nothing decided.
func TestSettingsOfADomainInTheMaking(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	p, err := h.startWith("main", "c1", catalog.SettingsRequest{M: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.startWith("dev", "c2", catalog.SettingsRequest{M: 8}); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("another choice meanwhile: %v", err)
	}
	p.Abort(errors.New("given up"))
	p, err = h.startWith("main", "c1", catalog.SettingsRequest{M: 8})
	if err != nil {
		t.Fatal(err)
	}
	// A deletion ends the push and what it agreed to.
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	h.pushWith("c1", catalog.SettingsRequest{M: 6}, put("d/A/1", "one"))
	<-p.Done()
	want := plain
	want.M = 6
	h.wantSettings(want)
	p.Abort(nil)
}

func TestSettingsThatNoDomainCanHave(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	for _, tt := range []struct {
		req  catalog.SettingsRequest
		name string
	}{
		{catalog.SettingsRequest{Metric: "manhattan"}, "metric"},
		{catalog.SettingsRequest{Language: "klingon"}, "language"},
		{catalog.SettingsRequest{M: 1}, "m"},
		{catalog.SettingsRequest{M: 257}, "m"},
		{catalog.SettingsRequest{M: -1}, "m"},
		{catalog.SettingsRequest{EfConstruction: 8}, "ef_construction"},
		{catalog.SettingsRequest{EfConstruction: 1 << 17}, "ef_construction"},
	} {
		if _, err := h.startWith("main", "c1", tt.req); !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%+v: %v", tt.req, err)
		}
	}
	if _, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "k1", Settings: catalog.SettingsRequest{Language: "x"}}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("Index: %v", err)
	}
}

// TestSettingsText: what String writes ParseSettings reads, and it reads
// nothing else.
func TestSettingsText(t *testing.T) {
	for _, s := range []catalog.Settings{
		{Metric: "cosine", Normalize: true, Language: "en"},
		{Metric: "l2", Language: "cjk", M: 24, EfConstruction: 300, Dim: 768},
		{Metric: "ip", Normalize: true, Language: "de"},
	} {
		if got, err := catalog.ParseSettings(s.String()); err != nil || got != s {
			t.Errorf("%q is read as %+v, %v", s, got, err)
		}
	}
	for _, bad := range []string{
		"metric=cosine", "normalize=true", "language=en", "metric=l1", "colour=red", "m", "m=x", "m=0", "m=-1", " m=3", "m=3  dim=4", "dim=4 m=3", "m=03", "m=3 m=3",
	} {
		if s, err := catalog.ParseSettings(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, s)
		}
	}
}

// TestUnknownSettings: a commit file whose settings come from another program
// is left alone, and so are the commits that stand on it.
func TestUnknownSettings(t *testing.T) {
	mem := vfstest.NewMem()
	h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: "c1", Branch: "main", Seq: 1, Settings: "colour=red"}
	if _, err := snapshot.Write(mem, h, snapshot.Contents{}); err != nil {
		t.Fatal(err)
	}
	ix := openPush(t, mem, &indexertest.Embedder{})
	if _, err := ix.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}}); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("Search: %v", err)
	}
	if damages, err := mem.List(); err != nil || len(damages) != 1 {
		t.Errorf("%v, %v", damages, err)
	}
}
