package indexer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func (h *harness) mustImport(req indexer.ImportRequest, file []byte) indexer.ImportResult {
	h.t.Helper()
	got, err := h.Import(h.t.Context(), req, bytes.NewReader(file))
	if err != nil {
		h.t.Fatalf("import %+v: %v", req, err)
	}
	return got
}

// textsOf returns the documents of a commit of a domain.
func (h *harness) textsOf(name, commit string) map[string]string {
	h.t.Helper()
	list, err := h.ListDocuments(h.t.Context(), search.DocumentsRequest{Domain: name, Ref: search.Ref{Commit: commit}, Page: search.Page{Count: 1000}, Texts: true})
	must(h.t, err)
	got := make(map[string]string)
	for _, d := range list.Documents {
		got[d.ID] = *d.Text
	}
	return got
}

// TestImportBackfills adds documents of a file to a domain that goes on: what it has
// is newer and stays, what it lacks comes, and no text of either is embedded again.
func TestImportBackfills(t *testing.T) {
	mem, emb := vfstest.NewMem(), &indexertest.Embedder{Window: 2}
	h := openPush(t, mem, emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one two three", "d/A/2", "four five six", "d/A/3", "seven")...)
	file := h.bundled(search.Ref{Commit: "c1"})
	h.mustPush("", "c1", "c2", append(puts("d/A/1", "uno dos tres"), remove("d/A/2"), remove("d/A/3"))...)
	h.mustPush("side", "c1", "s1", remove("d/A/3"))
	paid := len(emb.Texts())
	vectors, err := mem.ReadFile(vecsName)
	must(t, err)

	got := h.mustImport(indexer.ImportRequest{Domain: domain}, file)
	if want := (indexer.ImportResult{Domain: domain, Commit: "import-c1", Branch: "main", Imported: 2, Kept: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if texts, want := h.textsOf(domain, "import-c1"), docs("d/A/1", "uno dos tres", "d/A/2", "four five six", "d/A/3", "seven"); !maps.Equal(texts, want) {
		t.Errorf("%v, want %v", texts, want)
	}
	h.wantHead("main", "import-c1")
	h.wantHead("side", "s1")
	if info, _ := h.Domains().Domain(domain); true {
		c, _ := info.State().Commit("import-c1")
		if c.Base != "c2" || c.Kind == snapshot.Alias {
			t.Errorf("the commit stands on %q", c.Base)
		}
	}
	// Their vectors were there: not a byte was added.
	if now, err := mem.ReadFile(vecsName); err != nil || !bytes.Equal(now, vectors) {
		t.Errorf("the vectors have %d bytes now, before %d, %v", len(now), len(vectors), err)
	}
	// Once more there is nothing to do.
	got = h.mustImport(indexer.ImportRequest{Domain: domain}, file)
	if want := (indexer.ImportResult{Domain: domain, Commit: "import-c1", Branch: "main", Kept: 3}); got != want {
		t.Errorf("again: %+v, want %+v", got, want)
	}
	// To another branch, under another name.
	got = h.mustImport(indexer.ImportRequest{Domain: domain, Branch: "side", Commit: "s2"}, file)
	if want := (indexer.ImportResult{Domain: domain, Commit: "s2", Branch: "side", Imported: 1, Kept: 2}); got != want {
		t.Errorf("to a branch: %+v, want %+v", got, want)
	}
	h.wantHead("side", "s2")
	// Into a domain of other documents that share one text.
	h.pushInto("other/db", "", "o1", puts("d/B/1", "seven", "d/A/3", "mine")...)
	got = h.mustImport(indexer.ImportRequest{Domain: "other/db"}, file)
	if got.Imported != 2 || got.Kept != 1 {
		t.Errorf("to another domain: %+v", got)
	}
	if texts, want := h.textsOf("other/db", "import-c1"), docs("d/B/1", "seven", "d/A/3", "mine", "d/A/1", "one two three", "d/A/2", "four five six"); !maps.Equal(texts, want) {
		t.Errorf("%v, want %v", texts, want)
	}
	h.pushInto("other/db", "import-c1", "o2", puts("d/B/2", "one two three")...)
	if n := len(emb.Texts()) - paid; n != 2 {
		t.Errorf("%d texts were embedded, not those two that other/db was pushed first", n)
	}
	noFindings(t, mem)
}

// TestImportRestores puts a commit beside those of a domain: heads stay where they
// are, and both can be compared.
func TestImportRestores(t *testing.T) {
	mem, emb := vfstest.NewMem(), &indexertest.Embedder{}
	h := openPush(t, mem, emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("", "c1", "c2", puts("d/A/1", "uno")...)
	file := h.bundled(search.Ref{Commit: "c1"})
	later := h.bundled(search.Ref{Branch: "main"})
	must(t, h.DeleteDomain(t.Context(), domain, true))
	paid := len(emb.Texts())

	if got, want := h.mustImport(indexer.ImportRequest{Domain: domain}, later), (indexer.ImportResult{Domain: domain, Commit: "c2", Branch: "main", Imported: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := h.mustImport(indexer.ImportRequest{Domain: domain, Restore: true}, file), (indexer.ImportResult{Domain: domain, Commit: "c1", Imported: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	h.wantHead("main", "c2")
	diff, err := h.Diff(t.Context(), search.DiffRequest{Domain: domain, Between: search.Between{From: "c1", To: "c2"}, Page: search.Page{Count: 10}})
	must(t, err)
	if diff.Changed != 1 || diff.Added+diff.Removed != 0 {
		t.Errorf("%+v", diff)
	}
	if _, err := h.Import(t.Context(), indexer.ImportRequest{Domain: domain, Restore: true}, bytes.NewReader(file)); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
	if n := len(emb.Texts()); n != paid {
		t.Errorf("%d texts were embedded", n-paid)
	}
	noFindings(t, mem)
}

// TestImportKeepsNames: a commit that was asked for by a tag has that in a fork and
// in the file, and a head that a mark has moved is the head there.
func TestImportKeepsNames(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("side", "c1", "s1", puts("d/A/2", "two")...)
	h.mustTag("c1", "v1")
	must(t, h.Assign(t.Context(), domain, "main", "s1", "named"))
	for _, c := range []struct {
		ref          search.Ref
		commit, head string // of the branch
		branch       string
	}{
		{search.Ref{Commit: "v1"}, "v1", "c1", "main"},
		{search.Ref{Commit: "named"}, "named", "named", "main"},
		{search.Ref{Branch: "side"}, "s1", "s1", "side"},
		{search.Ref{Branch: "main"}, "named", "named", "main"},
	} {
		file := h.bundled(c.ref)
		r := offline(t, file, emb)
		fork := openPush(t, vfstest.NewMem(), emb)
		fork.mustImport(indexer.ImportRequest{Domain: domain}, file)
		for what, reader := range map[string]*search.Reader{"the file": r, "the fork": fork.Reader} {
			_, err := reader.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c.commit}, Text: "one", Mode: search.ModeVector, Options: search.Options{Page: search.Page{Count: 3}}})
			if err != nil {
				t.Errorf("%+v: %s: %v", c.ref, what, err)
			}
			head, err := reader.Head(domain, c.branch)
			if err != nil || head.Commit != c.head {
				t.Errorf("%+v: %s: the head of %s is %q, %v; want %s", c.ref, what, c.branch, head.Commit, err, c.head)
			}
		}
	}
}

// TestImportOfKeys: integers and documents without text pass through files, though
// no push makes them.
func TestImportOfKeys(t *testing.T) {
	mem, emb := vfstest.NewMem(), &indexertest.Embedder{}
	vecs, err := vecstore.Create(mem, vecsName, vecstore.Config{Domain: domain, Fingerprint: "supplied/2", Dim: 2, Metric: vecstore.Cosine, Normalized: true}, vecstore.NewPool(1<<20))
	must(t, err)
	_, err = vecs.Append([]vecstore.Key{{1}, {2}, {3}}, [][]float32{{1, 0}, {0, 1}, {.6, .8}})
	must(t, errors.Join(err, vecs.Close()))
	write := func(commit, base string, seq uint64, keys ...snapshot.Key) {
		h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: commit, Base: base, Branch: "main", Seq: seq, Settings: catalog.Settings{Metric: "cosine", Normalize: true, Language: "en", Dim: 2}.String(),
			Vectors: snapshot.Vectors{Fingerprint: "supplied/2", Dim: 2, Vecs: vecsName, Metric: "cosine", Normalized: true}}
		_, err := snapshot.Write(mem, h, snapshot.Contents{Changed: func(yield func(snapshot.EntryText, error) bool) {
			for i, k := range keys {
				yield(snapshot.EntryText{Entry: snapshot.Entry{ID: k.ID, Int: k.Int, NoText: true, DocTokens: snapshot.NotCounted, Chunks: []snapshot.Chunk{{Slot: uint32(i)}}}}, nil)
			}
		}})
		must(t, err)
	}
	write("c1", "", 1, snapshot.Key{ID: "7", Int: true}, snapshot.Key{ID: "8", Int: true}, snapshot.Key{ID: "7"})
	write("c2", "c1", 2, snapshot.Key{ID: "8", Int: true})
	h := openPush(t, mem, emb)
	file := h.bundled(search.Ref{Commit: "c1"})
	if got := h.mustImport(indexer.ImportRequest{Domain: domain}, file); got.Imported != 2 || got.Kept != 1 {
		t.Errorf("%+v", got)
	}
	s, err := h.Open(t.Context(), must1(h.Domains().Domain(domain)), "import-c1")
	must(t, err)
	defer s.Release()
	var keys []snapshot.Key
	for e := range s.View().All() {
		keys = append(keys, e.Key())
	}
	if want := []snapshot.Key{{ID: "7", Int: true}, {ID: "8", Int: true}, {ID: "7"}}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	noFindings(t, mem)
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestImportSkipsDamaged leaves out the documents whose vectors are damaged in the
// file, and says so.
func TestImportSkipsDamaged(t *testing.T) {
	mem, emb := vfstest.NewMem(), &indexertest.Embedder{}
	h := openPush(t, mem, emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two", "d/A/3", "three")...)
	before := h.identity("c1")
	h.close()
	flipVector(t, mem, "two")
	h = openPush(t, mem, emb)
	h.search("c1", "one", 3) // finds the damage
	file := h.bundled(search.Ref{Commit: "c1"})
	if h.identity("c1") == before {
		t.Error("with a damaged vector the file is said to be the same")
	}
	for _, name := range []string{"new/db", "old/db"} {
		if name == "old/db" {
			h.pushInto(name, "", "o1", puts("d/A/9", "nine")...)
		}
		got := h.mustImport(indexer.ImportRequest{Domain: name}, file)
		if got.Imported != 2 || got.Skipped != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		if texts := h.textsOf(name, got.Commit); texts["d/A/2"] != "" || texts["d/A/3"] != "three" {
			t.Errorf("%s holds %v", name, texts)
		}
	}
}

// identity returns what the file of a commit is told from others by.
func (h *harness) identity(commit string) (sum [32]byte) {
	h.t.Helper()
	must(h.t, h.Bundle(h.t.Context(), search.BundleRequest{Domain: domain, Ref: search.Ref{Commit: commit}}, func(_ string, w *bundle.Writer) error {
		sum = w.Identity()
		return nil
	}))
	return sum
}

// TestImportOfClustering: a domain that stores clustering goes on to, whatever is
// imported, and one that does not takes none.
func TestImportOfClustering(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	push := func(name, commit string, clustering bool, pairs ...string) {
		t.Helper()
		h.pushAll(indexer.PushRequest{Domain: name, Commit: commit, StoreClustering: clustering}, puts(pairs...)...)
	}
	push(domain, "c1", false, "d/A/1", "one")
	plain := h.bundled(search.Ref{Commit: "c1"})
	push(domain, "c2", true, "d/A/2", "two")
	stored := h.bundled(search.Ref{Commit: "c2"})
	push("a/stores", "o1", true, "d/B/1", "three")
	push("a/plain", "o1", false, "d/B/1", "three")
	for _, c := range []struct {
		name    string
		req     indexer.ImportRequest
		file    []byte
		stores  bool
		vectors int // of clustering, at the commit
	}{
		{"a/stores", indexer.ImportRequest{}, plain, true, 1},
		{"a/stores", indexer.ImportRequest{Restore: true}, plain, true, 0},
		{"a/stores", indexer.ImportRequest{}, stored, true, 2},
		{"a/plain", indexer.ImportRequest{}, stored, false, 0},
		{"a/fork", indexer.ImportRequest{}, stored, true, 1},
	} {
		c.req.Domain = c.name
		got := h.mustImport(c.req, c.file)
		st, err := h.Statistics(c.name)
		must(t, err)
		n := 0
		for e := range opened(h, c.name, got.Commit).View().All() {
			n += len(e.ChunksOf(search.ClusteringVectors))
		}
		if st.StoreClustering != c.stores || n != c.vectors {
			t.Errorf("%s %+v: stores clustering: %t, %d vectors", c.name, got, st.StoreClustering, n)
		}
	}
}

// TestImportRefused: what does not fit leaves everything as it was.
func TestImportRefused(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	file := h.bundled(search.Ref{Commit: "c1"})

	mem := vfstest.NewMem()
	other := openPush(t, mem, &indexertest.Embedder{Name: "another"})
	other.mustPush("", "", "o1", puts("d/B/1", "one")...)
	before := listed(t, mem)
	long := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		req  indexer.ImportRequest
		file []byte
		want error
		word string
	}{
		"another model":           {indexer.ImportRequest{Domain: domain}, file, contract.ErrConflict, "snapshot file are of test//32"},
		"restored, as well":       {indexer.ImportRequest{Domain: domain, Restore: true}, file, contract.ErrConflict, "snapshot file are of test//32"},
		"no such branch":          {indexer.ImportRequest{Domain: domain, Branch: "side"}, file, contract.ErrNotFound, "side"},
		"half a file":             {indexer.ImportRequest{Domain: "new/db"}, file[:len(file)/2], contract.ErrInvalid, "cut off"},
		"a name that is too long": {indexer.ImportRequest{Domain: domain, Commit: long}, file, contract.ErrInvalid, "target_commit"},
	} {
		_, err := other.Import(t.Context(), c.req, bytes.NewReader(c.file))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", name, err)
		}
		if now := listed(t, mem); !slices.Equal(now, before) {
			t.Errorf("%s: files %v, before %v", name, now, before)
		}
	}
	// A body that breaks off, and a client that leaves.
	broken := errors.New("broken")
	if _, err := other.Import(t.Context(), indexer.ImportRequest{Domain: "new/db"}, io.MultiReader(bytes.NewReader(file[:9]), failingReader{broken})); !errors.Is(err, broken) {
		t.Errorf("a broken body: %v", err)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := other.Import(gone, indexer.ImportRequest{Domain: "new/db"}, bytes.NewReader(file)); !errors.Is(err, broken) {
		t.Errorf("a client that has left: %v", err)
	}
	if now := listed(t, mem); !slices.Equal(now, before) && !slices.Equal(slices.DeleteFunc(now, func(name string) bool { return name == "new%2Fdb.vecs" }), before) {
		t.Errorf("files %v, before %v", now, before)
	}
	if _, err := other.Domains().Domain("new/db"); err == nil {
		t.Error("something of it is there")
	}
	// A file of another model makes a fork, which the server cannot embed queries for.
	if got := other.mustImport(indexer.ImportRequest{Domain: "new/db"}, file); got.Imported != 1 {
		t.Errorf("%+v", got)
	}
	must(t, other.Close(t.Context()))
	other.Indexer = nil
	if _, err := h.Import(t.Context(), indexer.ImportRequest{Domain: "new/db"}, bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func listed(t *testing.T, mem *vfstest.Mem) []string {
	t.Helper()
	names, err := mem.List()
	must(t, err)
	return names
}

// TestBundleDuringChanges writes a file while its commit is merged, pruned and the
// domain deleted and purged: it is that of before.
func TestBundleDuringChanges(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 8, MaxDeltas: 2} })
	rng := rand.New(rand.NewPCG(8, 9))
	parent := ""
	for at := range 4 {
		var ops []contract.Op
		for i := range 12 {
			ops = append(ops, put(fmt.Sprintf("d/A/%d", i), sentence(rng)))
		}
		commit := fmt.Sprintf("c%d", at)
		h.mustPush("", parent, commit, ops...)
		parent = commit
	}
	h.settle()
	want := h.bundled(search.Ref{Commit: "c1"})
	var got []byte
	err := h.Bundle(t.Context(), search.BundleRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}}, func(_ string, w *bundle.Writer) error {
		r := w.Reader()
		defer r.Close()
		half := make([]byte, 4000)
		if _, err := io.ReadFull(r, half); err != nil {
			return err
		}
		h.prune(indexer.PruneRequest{Domain: domain, KeepLast: 1, Apply: true})
		must(t, h.DeleteDomain(t.Context(), domain, true))
		h.mustPush("", "", "c1", puts("d/A/1", "another")...)
		rest, err := io.ReadAll(r)
		got = append(half, rest...)
		return err
	})
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the file has changed under its reader")
	}
}

// imported is a directory that a file is imported into, a file system at a time.
func importInto(t *testing.T, ix indexer.Config, file []byte) error {
	t.Helper()
	ix.Renderer = rendering{}
	opened, err := indexer.Open(ix)
	if err != nil {
		return err
	}
	_, err = opened.Import(t.Context(), indexer.ImportRequest{Domain: domain}, bytes.NewReader(file))
	_ = opened.Close(context.WithoutCancel(t.Context())) // may meet the injected fault
	return err
}

// TestImportCrashes cuts the power after each file operation of an import, keeping
// nothing, some or all of what was not synced, and fails each: the commit is there,
// whole, or not at all, and the same import goes through afterwards.
func TestImportCrashes(t *testing.T) {
	emb := &indexertest.Embedder{}
	source := openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 3} })
	source.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")...)
	source.settle()
	file := source.bundled(search.Ref{Commit: "c1"})
	for _, into := range []string{"a new domain", "a domain with commits"} {
		begin := func() *vfstest.Mem {
			mem := vfstest.NewMem()
			if into != "a new domain" {
				h := openPush(t, mem, emb)
				h.mustPush("", "", "o1", puts("d/A/1", "uno", "d/B/1", "three")...)
				h.close()
			}
			return mem
		}
		check := func(name string, mem *vfstest.Mem, acked bool) {
			t.Helper()
			h := openPush(t, mem, emb)
			for _, left := range listed(t, mem) {
				if strings.HasSuffix(left, ".stage") || strings.HasSuffix(left, ".tmp") {
					t.Errorf("%s: %s is left", name, left)
				}
			}
			commit := "c1"
			want := docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")
			if into != "a new domain" {
				commit, want["d/A/1"], want["d/B/1"] = "import-c1", "uno", "three"
				if old := h.textsOf(domain, "o1"); !maps.Equal(old, docs("d/A/1", "uno", "d/B/1", "three")) {
					t.Fatalf("%s: o1 holds %v", name, old)
				}
			}
			there := false
			if d, err := h.Domains().Domain(domain); err == nil {
				_, there = d.State().Commit(commit)
			}
			if there != true && acked {
				t.Errorf("%s: it was said to be there", name)
			}
			paid := len(emb.Texts())
			if !there {
				h.mustImport(indexer.ImportRequest{Domain: domain}, file)
			}
			if got := h.textsOf(domain, commit); !maps.Equal(got, want) {
				t.Errorf("%s: it holds %v, want %v", name, got, want)
			}
			if hits := h.search(commit, "three", 1); len(hits) != 1 || hits[0].Distance != 0 || len(emb.Texts()) > paid+1 {
				t.Errorf("%s: %+v, %d texts embedded", name, hits, len(emb.Texts())-paid)
			}
			h.close()
			noFindings(t, mem)
		}
		f := vfstest.NewFault(begin())
		must(t, importInto(t, indexer.Config{FS: f, Embedder: emb}, file))
		total, shares := f.Ops(), []float64{0, 1}
		if os.Getenv("VECTORLINK_LONG") != "" {
			shares = []float64{0, .2, .5, .8, 1}
		}
		for n := range total {
			mem := begin()
			f := vfstest.NewFault(mem)
			var images []*vfstest.Mem
			f.OnOp(func(i int, _ vfstest.Op) {
				if i == n {
					for _, share := range shares {
						images = append(images, mem.CrashClone(uint64(n), share))
					}
				}
			})
			must(t, importInto(t, indexer.Config{FS: f, Embedder: emb}, file))
			for i, image := range images {
				check(fmt.Sprintf("%s: crash at %d of %d, keeping %v", into, n, total, shares[i]), image, false)
			}
		}
		for _, plan := range []vfstest.Plan{{Err: syscall.EIO}, {Err: syscall.ENOSPC, Short: true, Forever: true, Only: []vfstest.Op{vfstest.OpWriteAt, vfstest.OpSync}}} {
			for n := range total {
				plan.At = n
				mem := begin()
				f := vfstest.NewFault(mem)
				f.Set(plan)
				err := importInto(t, indexer.Config{FS: f, Embedder: emb}, file)
				check(fmt.Sprintf("%s: operation %d of %d fails (%v): %v", into, n, total, plan.Err, err), mem, err == nil)
			}
		}
	}
}

// TestImportOnAFullDisk: a disk that is full in the middle of the upload says so.
func TestImportOnAFullDisk(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	file := h.bundled(search.Ref{Commit: "c1"})
	f := vfstest.NewFault(vfstest.NewMem())
	full := openPush(t, f, emb)
	f.Set(vfstest.Plan{At: f.Ops(), Err: &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, Forever: true, Only: []vfstest.Op{vfstest.OpWriteAt}})
	if _, err := full.Import(t.Context(), indexer.ImportRequest{Domain: domain}, bytes.NewReader(file)); !errors.Is(err, contract.ErrStore) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	f.Set(vfstest.Plan{At: 1 << 30})
	full.mustImport(indexer.ImportRequest{Domain: domain}, file)
}
