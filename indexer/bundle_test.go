package indexer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// narrow is a breadth of walks that misses many neighbours: answers then depend on
// the graph.
const narrow = 4

// bundled returns the snapshot file of a commit.
func (h *harness) bundled(ref search.Ref) []byte {
	h.t.Helper()
	var file bytes.Buffer
	err := h.Bundle(h.t.Context(), search.BundleRequest{Domain: domain, Ref: ref}, func(_ string, w *bundle.Writer) error {
		size, err := w.Size()
		if err == nil {
			err = w.Write(&file)
		}
		if int64(file.Len()) != size {
			h.t.Errorf("the file has %d bytes, not the %d that it was said to have", file.Len(), size)
		}
		return err
	})
	if err != nil {
		h.t.Fatalf("bundle %+v: %v", ref, err)
	}
	return file.Bytes()
}

// openBundle opens a snapshot file that is sound.
func openBundle(t *testing.T, b []byte) *bundle.File {
	t.Helper()
	f, err := bundle.Open(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	_, err = f.Check()
	must(t, err)
	return f
}

// offline returns a reader of a snapshot file.
func offline(t *testing.T, b []byte, emb contract.Embedder) *search.Reader {
	t.Helper()
	r, err := search.OpenBundle(t.Context(), search.ReaderConfig{Embedder: emb, Ef: narrow, Graph: hnsw.Params{M: 2, EfConstruction: 4}}, openBundle(t, b))
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

// everything returns what a commit answers to requests of all kinds, as JSON.
func everything(t *testing.T, r *search.Reader, name, commit string, vector []float32) []string {
	t.Helper()
	ref, ctx := search.Ref{Commit: commit}, t.Context()
	page := search.Page{Count: 50}
	options := search.Options{Page: page, Snippet: true, Texts: true, OutputFields: []string{"*"}}
	var all []string
	add := func(what string, v any, err error) {
		t.Helper()
		text, bad := json.Marshal(v)
		must(t, bad)
		all = append(all, fmt.Sprintf("%s: %s, %v", what, text, err))
	}
	for _, mode := range []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid} {
		hits, err := r.Search(ctx, search.SearchRequest{Domain: name, Ref: ref, Text: "w1 w2 w3", Mode: mode, Options: options})
		add("search "+string(mode), hits, err)
	}
	hits, err := r.Search(ctx, search.SearchRequest{Domain: name, Ref: ref, Vector: vector, Mode: search.ModeVector, Options: options})
	add("search by a vector", hits, err)
	narrow := options
	narrow.Filter.Expr = "n > 3"
	hits, err = r.Search(ctx, search.SearchRequest{Domain: name, Ref: ref, Text: "w1", Mode: search.ModeVector, Options: narrow})
	add("search filtered", hits, err)
	hits, err = r.Similar(ctx, search.SimilarRequest{Domain: name, Ref: ref, ID: "d/A/3", Options: options})
	add("similar", hits, err)
	found, err := pairs.New(r).Duplicates(ctx, pairs.DuplicatesRequest{Domain: name, Ref: ref, Threshold: .3, Page: search.Page{Count: 100}})
	add("duplicates", found, err)
	clusters, err := overview.New(r).Clusters(ctx, overview.ClustersRequest{Domain: name, Ref: ref})
	must(t, err)
	add("clusters", clusters.Clusters, err)
	list, err := r.ListDocuments(ctx, search.DocumentsRequest{Domain: name, Ref: ref, Page: search.Page{Count: 1000}, Texts: true, OutputFields: []string{"*"}})
	add("documents", list, err)
	doc, err := r.Document(ctx, search.DocumentRequest{Domain: name, Ref: ref, ID: "d/A/5"})
	add("document", doc, err)
	more, err := r.Suggest(ctx, search.SuggestRequest{Domain: name, Ref: ref, Text: "w", Count: 10})
	add("suggest", more, err)
	err = r.Embeddings(ctx, search.EmbeddingsRequest{Domain: name, Ref: ref}, func(found *search.Embeddings) error {
		for e, err := range found.Vectors {
			add("vector", e, err)
		}
		if found.Clustering != nil {
			for e, err := range found.Clustering.Vectors {
				add("clustering vector", e, err)
			}
		}
		add("vectors", found.Damaged, nil)
		return nil
	})
	add("embeddings", nil, err)
	return all
}

// opened returns the snapshot of a commit until the test ends.
func opened(h *harness, name, commit string) *search.Snapshot {
	h.t.Helper()
	d, err := h.Domains().Domain(name)
	must(h.t, err)
	s, err := h.Open(h.t.Context(), d, commit)
	must(h.t, err)
	h.t.Cleanup(s.Release)
	return s
}

// wantSame compares answers of two readers.
func wantSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s answers\n%.2000s\nnot\n%.2000s", what, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s gives %d answers, not %d", what, len(got), len(want))
	}
}

// randomDomain fills a domain with history: branches, fields, documents of several
// chunks, some with clustering vectors, and documents that were skipped.
func randomDomain(h *harness, rng *rand.Rand) (commits []string) {
	h.t.Helper()
	heads := map[string]string{"main": ""}
	for at := range 5 + rng.IntN(5) {
		branch := "main"
		if at > 1 && rng.IntN(3) == 0 {
			branch = "side"
		}
		parent := heads[branch]
		if parent == "" {
			parent = heads["main"]
		}
		commit := fmt.Sprintf("c%d", at)
		var ops []contract.Op
		for id := range 30 {
			switch {
			case at > 0 && rng.IntN(3) > 0:
			case at > 0 && id > 6 && rng.IntN(6) == 0:
				ops = append(ops, remove(fmt.Sprintf("d/A/%d", id)))
			default:
				op := put(fmt.Sprintf("d/A/%d", id), sentence(rng)+" "+sentence(rng))
				if id == 9 {
					op.Text = ""
				}
				if id%2 == 0 {
					op.Fields = fmt.Sprintf(`{"n":%d,"tag":"t%d"}`, id, rng.IntN(4))
				}
				ops = append(ops, op)
			}
		}
		if rng.IntN(3) == 0 {
			ops = append(ops, contract.Op{Kind: contract.Failed, ID: "d/A/left", Err: errTooSoon})
		}
		task := h.pushAll(indexer.PushRequest{Domain: domain, Commit: commit, Branch: branch, Parent: parent, StoreClustering: at == 2 && rng.IntN(2) == 0}, ops...)
		if task.State != indexer.TaskComplete {
			h.t.Fatalf("push %s: %s", commit, task.Error)
		}
		heads[branch] = commit
		commits = append(commits, commit)
		if rng.IntN(2) == 0 {
			h.settle()
		}
	}
	return commits
}

var errTooSoon = fmt.Errorf("too soon")

// TestBundleAnswersAlike takes commits of random domains out as snapshot files, some
// with damaged vectors, and as forks: they answer to everything what the server does.
func TestBundleAnswersAlike(t *testing.T) {
	seeds := uint64(6)
	if sizeOfSweep().long {
		seeds = 200
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 14))
		mem, emb := vfstest.NewMem(), &indexertest.Embedder{Window: 3}
		graph := func(c *indexer.Config) {
			c.Graph = indexer.Graph{MinVectors: 12, MaxDeltas: 4, M: 2, EfConstruction: 4, Ef: narrow}
		}
		h := openPush(t, mem, emb, graph)
		commits := randomDomain(h, rng)
		h.settle()
		damaged := seed%3 == 2
		if damaged {
			h.close()
			spoil(t, mem, vecsName, func(b []byte) []byte {
				for range 3 {
					b[4096+rng.IntN(len(b)-4096)] ^= 4
				}
				return b
			})
			h = openPush(t, mem, emb, graph)
		}
		must(t, h.Tag(t.Context(), domain, commits[1], "v1"))
		for _, commit := range []string{commits[1], commits[len(commits)-1], "v1"} {
			vector := indexertest.Vector(sentence(rng), 32)
			if damaged { // so that the server knows what is
				everything(t, h.Reader, domain, commit, vector)
			}
			want := everything(t, h.Reader, domain, commit, vector)
			file := h.bundled(search.Ref{Commit: commit})
			if again := h.bundled(search.Ref{Commit: commit}); !bytes.Equal(file, again) {
				t.Fatalf("seed %d: the file of %s is another one the second time", seed, commit)
			}
			r := offline(t, file, emb)
			wantSame(t, fmt.Sprintf("seed %d: the file of %s", seed, commit), everything(t, r, domain, commit, vector), want)

			paid := len(emb.Texts())
			fork := openPush(t, vfstest.NewMem(), emb, graph)
			name := "other/name"
			got, err := fork.Import(t.Context(), indexer.ImportRequest{Domain: name}, bytes.NewReader(file))
			must(t, err)
			if damaged {
				continue // documents with damaged vectors are left out
			}
			wantSame(t, fmt.Sprintf("seed %d: the fork of %s", seed, commit), everything(t, fork.Reader, name, commit, vector), want)
			if n := len(emb.Texts()); got.Skipped+got.Kept > 0 || n-paid > 40 {
				t.Errorf("%+v, %d texts embedded", got, n-paid)
			}
			original, copied := opened(h, domain, commit), opened(fork, name, commit)
			if a, b := original.View().Skipped(), copied.View().Skipped(); !slices.Equal(a, b) {
				t.Errorf("seed %d: %s: the fork skips %v, not %v", seed, commit, b, a)
			}
			if store := copied.View().Header().SlotEnd; int(store) != openBundle(t, file).Manifest().Vectors {
				t.Errorf("seed %d: %s: the fork keeps %d vectors", seed, commit, store)
			}
			noFindings(t, fork.fs.(*vfstest.Mem))
		}
	}
}

// TestBundleBringsFullText: the file of a commit that stands alone has its full text, which
// readers use and imports make anew; without words, and of a chain, it has none.
func TestBundleBringsFullText(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "the harbour freezes", "d/A/2", "the cup is won")...)
	many := make([]string, 0, 200)
	for i := range 100 {
		many = append(many, fmt.Sprintf("d/B/%d", i), fmt.Sprintf("number %d", i))
	}
	h.mustPush("other", "c1", "c2", puts(many...)...)
	h.mustPush("other", "c2", "c3", puts("d/A/1", "the harbour is open")...)
	for commit, whole := range map[string]bool{"c1": true, "c3": false} {
		b := h.bundled(search.Ref{Commit: commit})
		f := openBundle(t, b)
		names, err := f.List()
		must(t, err)
		name := textindex.FileName(domain, commit)
		if slices.Contains(names, name) != whole {
			t.Errorf("%s: %q", commit, names)
		}
		var log bytes.Buffer
		r, err := search.OpenBundle(t.Context(), search.ReaderConfig{Embedder: emb, Logger: slog.New(slog.NewTextHandler(&log, nil))}, f)
		must(t, err)
		hits, err := r.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Text: "harbour", Mode: "fts", Options: search.Options{Page: search.Page{Count: 5}}})
		must(t, err)
		if len(hits.Hits) != 1 || hits.Hits[0].ID != "d/A/1" || strings.Contains(log.String(), "rebuilding") {
			t.Errorf("%s: %+v\n%s", commit, hits, &log)
		}
		must(t, r.Close())
		fork := openPush(t, vfstest.NewMem(), emb)
		_, err = fork.Import(t.Context(), indexer.ImportRequest{Domain: "a/fork"}, bytes.NewReader(b))
		must(t, err)
		if !whole {
			continue
		}
		at := bytes.Index(b, []byte("VLZP"))
		b[at+20] ^= 1
		if f, err := bundle.Open(bytes.NewReader(b), int64(len(b))); err == nil {
			if _, err = f.Check(); !errors.Is(err, contract.ErrInvalid) {
				t.Errorf("a damaged full text: %v", err)
			}
		}
	}
}
