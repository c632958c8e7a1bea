package indexer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const vecsName = "admin%2Ftest.vecs"

// spoil changes bytes of a file.
func spoil(t *testing.T, mem *vfstest.Mem, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := mem.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(b)
	if b = change(b); bytes.Equal(b, old) {
		t.Fatalf("%s was not changed", name)
	}
	mem.WriteFile(name, b)
}

// flipVector damages the vector of a text, by its bytes.
func flipVector(t *testing.T, mem *vfstest.Mem, text string) {
	t.Helper()
	spoil(t, mem, vecsName, func(b []byte) []byte {
		want := vectorBytes(indexertest.Vector(text, 32))
		at := bytes.Index(b, want)
		if at < 0 {
			t.Fatalf("no vector of %q in the file", text)
		}
		for ; at >= 0; at = bytes.Index(b, want) {
			b[at+5] ^= 4
		}
		return b
	})
}

func vectorBytes(v []float32) []byte {
	var b bytes.Buffer
	for _, x := range v {
		u := math.Float32bits(x)
		b.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)})
	}
	return b.Bytes()
}

// found searches for everything at a commit and returns the texts by id and
// the documents said to be damaged.
func (h *harness) found(commit string, mode search.Mode, text string) (map[string]string, []string) {
	h.t.Helper()
	hits, err := h.Search(h.t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text, Mode: mode,
		Options: search.Options{Page: search.Page{Count: search.MaxCount}, Snippet: true},
	})
	if err != nil {
		h.t.Fatalf("search at %s: %v", commit, err)
	}
	got := make(map[string]string)
	for _, hit := range hits.Hits {
		got[hit.ID] = hit.Chunk.Snippet
	}
	return got, hits.Damaged
}

// eachWhole holds commits against the source, found by vector and by hybrid
// search.
func (h *harness) eachWhole(commits ...string) {
	h.t.Helper()
	for _, c := range commits {
		for _, mode := range []search.Mode{search.ModeVector, search.ModeHybrid} {
			got, damaged := h.found(c, mode, "anything")
			if want := h.src.Documents(c); !maps.Equal(got, want) || len(damaged) > 0 {
				h.t.Errorf("%s by %s holds %v, damaged %v; want %v", c, mode, got, damaged, want)
			}
		}
	}
}

// indexed makes the three commits in a new directory, and closes it.
func indexed(t *testing.T, src *indexertest.Source, commits []string, opts ...func(*indexer.Config)) *vfstest.Mem {
	t.Helper()
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{}, opts...)
	for _, c := range commits {
		h.mustIndex(c, "")
	}
	h.close()
	return mem
}

func noFindings(t *testing.T, files vfs.FS) {
	t.Helper()
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("verify: %s: %s", f.File, f.Reason) }); err != nil {
		t.Error(err)
	}
}

// TestDamagedVectors damages the vector of one document: searches go on
// without it and say so, and indexing the commit again embeds it alone, once,
// however many commits hold it.
func TestDamagedVectors(t *testing.T) {
	src, commits := threeCommits()
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("known=%v", known), func(t *testing.T) {
			mem := indexed(t, src, commits)
			flipVector(t, mem, "three")
			emb := &indexertest.Embedder{}
			h := open(t, mem, src, emb)
			if known {
				for _, c := range commits {
					want := src.Documents(c)
					delete(want, "d/A/3")
					got, damaged := h.found(c, search.ModeVector, "anything")
					if !maps.Equal(got, want) || !slices.Equal(damaged, []string{"d/A/3"}) {
						t.Errorf("%s holds %v, damaged %v; want %v and d/A/3", c, got, damaged, want)
					}
					// By words it is there.
					if got, damaged := h.found(c, search.ModeText, "three"); got["d/A/3"] != "three" || len(damaged) != 1 {
						t.Errorf("%s by words: %v, damaged %v", c, got, damaged)
					}
				}
				_, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, ID: "d/A/3", Options: search.Options{Page: search.Page{Count: 1}}})
				if !errors.Is(err, contract.ErrCorrupt) {
					t.Errorf("similar to the damaged document: %v, want damage", err)
				}
				similar, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, ID: "d/A/4", Options: search.Options{Page: search.Page{Count: 9}}})
				if err != nil || len(similar.Hits) != 3 || len(similar.Damaged) != 1 {
					t.Errorf("similar to another: %+v, %v", similar, err)
				}
				near, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, SetThreshold: 1, TargetThreshold: 1, K: 9, Vectors: true})
				if err != nil || len(near.SetToTarget) != 4 || len(near.Damaged) != 1 {
					t.Errorf("candidates: %+v, %v", near, err)
				}
				err = h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}}, func(e *search.Embeddings) error {
					n := 0
					for _, err := range e.Vectors {
						if err != nil {
							return err
						}
						n++
					}
					if n != 4 || e.Count != 4 || len(e.Damaged) != 1 {
						t.Errorf("%d vectors, Count %d, damaged %v; want 4, 4, one", n, e.Count, e.Damaged)
					}
					return nil
				})
				if err != nil {
					t.Errorf("embeddings: %v", err)
				}
				list, err := h.ListDocuments(t.Context(), search.DocumentsRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, Page: search.Page{Count: 9}, OutputFields: []string{"*", "vector"}})
				if err != nil || len(list.Documents) != 5 || len(list.Damaged) != 1 {
					t.Errorf("documents: %+v, %v", list, err)
				}
				for _, d := range list.Documents {
					if harmed := d.ID == "d/A/3"; harmed != (d.Vector == nil) || d.Fields == nil {
						t.Errorf("%s is listed with %v, %s", d.ID, d.Vector, d.Fields)
					}
				}
				found, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, Threshold: 1})
				if err != nil || len(found.Pairs) == 0 || len(found.Damaged) != 1 {
					t.Errorf("duplicates: %+v, %v", found, err)
				}
			}
			emb.Reset()
			task := h.mustIndex("c3", "main")
			if task.Embedded != 1 || task.Documents != 5 || !task.HeadMoved {
				t.Errorf("the re-index: %+v, want one text embedded", task)
			}
			if texts := emb.Texts(); !slices.Equal(texts, []string{"three"}) {
				t.Errorf("embedded %q, want three alone", texts)
			}
			h.eachWhole("c3")
			for _, c := range commits {
				h.mustIndex(c, "")
			}
			if got := len(emb.Texts()); got > 1+3*2 { // the queries of eachWhole besides
				t.Errorf("%d texts embedded: %q", got, emb.Texts())
			}
			h.eachWhole(commits...)
			if head, _ := h.Head(domain, "main"); head.Commit != "c3" {
				t.Errorf("head is %s, want c3", head.Commit)
			}
			noFindings(t, mem)
			h.close()
			h = open(t, mem, src, emb)
			h.eachWhole(commits...)
		})
	}
}

// TestACommitOnADamagedBaseIsWhole indexes a new commit that does not name the
// damaged document.
func TestACommitOnADamagedBaseIsWhole(t *testing.T) {
	src, commits := threeCommits()
	src.Incremental = true
	mem := indexed(t, src, commits[:2])
	flipVector(t, mem, "three")
	emb := &indexertest.Embedder{}
	h := open(t, mem, src, emb)
	if task := h.mustIndex("c3", ""); task.Embedded != 2 { // five, and three again; two has a slot
		t.Errorf("embedded %d texts: %q", task.Embedded, emb.Texts())
	}
	h.eachWhole("c3")
}

// TestLostVectors cuts and removes the file of vectors: commits are never
// answered from vectors of other texts, and are mended from their own texts
// without the document database.
func TestLostVectors(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(t *testing.T, mem *vfstest.Mem)
	}{
		{"removed", func(t *testing.T, mem *vfstest.Mem) {
			if err := mem.Remove(vecsName); err != nil {
				t.Fatal(err)
			}
		}},
		{"cut", func(t *testing.T, mem *vfstest.Mem) {
			spoil(t, mem, vecsName, func(b []byte) []byte { return b[:4096+700] })
		}},
		{"cut to its header", func(t *testing.T, mem *vfstest.Mem) {
			spoil(t, mem, vecsName, func(b []byte) []byte { return b[:4096] })
		}},
		{"a new commit first", func(t *testing.T, mem *vfstest.Mem) {
			if err := mem.Remove(vecsName); err != nil {
				t.Fatal(err)
			}
			other := indexertest.NewSource()
			other.Commit("x", "x1", indexertest.Change{Put: docs("d/B/1", "unlike", "d/B/2", "alien", "d/B/3", "foreign", "d/B/4", "odd", "d/B/5", "weird", "d/B/6", "queer")})
			h := open(t, mem, other, &indexertest.Embedder{})
			h.mustIndex("x1", "x")
			h.close()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, commits := threeCommits()
			mem := indexed(t, src, commits)
			tt.lose(t, mem)
			emb := &indexertest.Embedder{}
			h := open(t, mem, src, emb)
			for _, c := range commits {
				hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "three", Options: search.Options{Page: search.Page{Count: 9}}})
				if err != nil && !errors.Is(err, contract.ErrCorrupt) {
					t.Errorf("%s: %v", c, err)
				}
				if err == nil && len(hits.Hits)+len(hits.Damaged) != len(src.Documents(c)) {
					t.Errorf("%s: hits %v, damaged %v", c, hits.Hits, hits.Damaged)
				}
				for _, hit := range hits.Hits {
					if (hit.Distance == 0) != (hit.ID == "d/A/3") {
						t.Errorf("%s: %+v is not what three is nearest to", c, hit)
					}
				}
			}
			src.Fail = func(int) error { return errors.New("the database is not needed") }
			for _, c := range commits {
				h.mustIndex(c, "")
			}
			h.eachWhole(commits...)
		})
	}
}

// TestVerifyOfAShortFile: a file of vectors that was cut where a record ends, or
// is gone, looks whole by itself. Every commit whose vectors it has lost says so,
// and no other.
func TestVerifyOfAShortFile(t *testing.T) {
	src, commits := threeCommits()
	whole := indexed(t, src, commits)
	infos, _, err := snapshot.List(whole)
	if err != nil {
		t.Fatal(err)
	}
	d, err := vecstore.Inspect(whole, vecsName)
	if err != nil {
		t.Fatal(err)
	}
	for n := range d.Vectors {
		mem := whole.CrashClone(0, 1)
		end := 4096 + int(n)/d.RecordsPerPage*d.PageSize + int(n)%d.RecordsPerPage*d.RecordSize
		spoil(t, mem, vecsName, func(b []byte) []byte { return b[:end] })
		if _, err := vecstore.Inspect(mem, vecsName); err != nil {
			t.Errorf("the file alone: %v", err)
		}
		want, got := make(map[string]bool), make(map[string]bool)
		for _, info := range infos {
			if info.SlotEnd > n {
				want[info.Name()] = true
			}
		}
		if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) { got[f.File] = true }); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 || !maps.Equal(got, want) {
			t.Errorf("cut to %d of %d vectors: found in %v, want in %v", n, d.Vectors, got, want)
		}
	}
}

// TestDamagedVectorHeader damages the header of a file of vectors: the domain
// answers with the damage and what mends it, others go on; indexing any commit,
// old or new, mends it, at no embedding of what was there.
func TestDamagedVectorHeader(t *testing.T) {
	src, commits := threeCommits()
	src.Commit("main", "later", indexertest.Change{Put: docs("d/A/99", "a text that is new")})
	for _, at := range []int{0, 8, 9, 12, 16, 20, 24, 28, 33, 64, 100, 4000, 4093} {
		for _, again := range []string{commits[0], commits[len(commits)-1], "later"} {
			mem := indexed(t, src, commits)
			spoil(t, mem, vecsName, func(b []byte) []byte { b[at] ^= 0x20; return b })
			if at == 9 {
				spoil(t, mem, vecsName, func(b []byte) []byte { clear(b[:4096]); return b })
			}
			emb := &indexertest.Embedder{}
			h := open(t, mem, src, emb)
			for _, c := range commits {
				_, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "three", Options: search.Options{Page: search.Page{Count: 9}}})
				if !errors.Is(err, contract.ErrCorrupt) || !strings.Contains(err.Error(), vecsName) || !strings.Contains(err.Error(), "index commit "+c+" again") {
					t.Errorf("byte %d: %s: %v, want the damage and what to do", at, c, err)
				}
			}
			other := indexer.IndexRequest{Domain: "b/other", Commit: commits[0]}
			task, err := h.Index(t.Context(), other)
			if err != nil || h.wait(task.ID).State != indexer.TaskComplete {
				t.Fatalf("byte %d: the other domain: %v", at, err)
			}
			hits, err := h.Search(t.Context(), search.SearchRequest{Domain: other.Domain, Ref: search.Ref{Commit: commits[0]}, Text: "three", Options: search.Options{Page: search.Page{Count: 9}}})
			if err != nil || len(hits.Hits) == 0 {
				t.Errorf("byte %d: the other domain: %v, %v", at, hits, err)
			}
			if !verified(t, mem) {
				t.Errorf("byte %d is not found by Verify", at)
			}
			emb.Reset()
			h.mustIndex(again, "")
			if texts := emb.Texts(); len(texts) > 1 || len(texts) == 1 && again != "later" {
				t.Errorf("byte %d, indexing %s: embedded %q", at, again, texts)
			}
			h.eachWhole(commits...)
			noFindings(t, mem)
			h.close()
			if t.Failed() {
				return
			}
		}
	}
}

// TestNewerFiles: files of a version to come are refused, by that name, and
// never touched; other domains go on.
func TestNewerFiles(t *testing.T) {
	src, commits := threeCommits()
	for _, tt := range []struct {
		name  string
		newer func(b []byte)
	}{
		{vecsName, func(b []byte) {
			b[8] = 9
			binary.LittleEndian.PutUint32(b[4092:], crc32.Checksum(b[:4092], crc32.MakeTable(crc32.Castagnoli)))
		}},
		{snapshot.FileName(domain, "c2"), func(b []byte) {
			b[4], b[len(b)-1] = 9, '9'
			n := binary.LittleEndian.Uint32(b[8:])
			binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
		}},
	} {
		mem := indexed(t, src, commits)
		spoil(t, mem, tt.name, func(b []byte) []byte { tt.newer(b); return b })
		before, err := mem.ReadFile(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, mem, src, &indexertest.Embedder{})
		_, err = h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Text: "three", Options: search.Options{Page: search.Page{Count: 9}}})
		if !errors.Is(err, contract.ErrConflict) {
			t.Errorf("%s of a newer version: a search gives %v", tt.name, err)
		}
		if task := h.index("c2", ""); task.State != indexer.TaskFailed || task.ErrorCode != "conflict" || !strings.Contains(task.Error, "version") {
			t.Errorf("%s of a newer version: %+v", tt.name, task)
		}
		if !verified(t, mem) {
			t.Errorf("%s of a newer version is not told by Verify", tt.name)
		}
		h.close()
		if after, err := mem.ReadFile(tt.name); err != nil || !bytes.Equal(after, before) {
			t.Errorf("%s of a newer version was changed (%v)", tt.name, err)
		}
	}
}

// TestDamagedCommitFile damages each section of a commit file in turn; indexing
// the commit again mends it and all that stands on it, at no embedding.
func TestDamagedCommitFile(t *testing.T) {
	src, commits := threeCommits()
	name := snapshot.FileName(domain, "c2")
	sound := indexed(t, src, commits)
	info, err := sound.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range info {
		if at%3 != 0 && !long() {
			continue // snapshot's own tests damage every byte
		}
		mem := sound.CrashClone(1, 1)
		spoil(t, mem, name, func(b []byte) []byte { b[at] ^= 0x20; return b })
		emb := &indexertest.Embedder{}
		h := open(t, mem, src, emb)
		for _, c := range commits {
			got, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "anything", Mode: search.ModeHybrid, Options: search.Options{Page: search.Page{Count: 9}, Snippet: true}})
			switch {
			case errors.Is(err, contract.ErrNotFound) && c == "c2", errors.Is(err, contract.ErrCorrupt) && c != "c1":
			case err != nil:
				t.Errorf("byte %d: %s: %v", at, c, err)
			default:
				h.partOf(at, c, got)
			}
		}
		emb.Reset()
		for _, c := range commits {
			h.mustIndex(c, "")
		}
		if texts := emb.Texts(); len(texts) > 0 {
			t.Errorf("byte %d: embedded %q", at, texts)
		}
		h.eachWhole(commits...)
		noFindings(t, mem)
		h.close()
		if t.Failed() {
			t.Fatalf("byte %d of %d", at, len(info))
		}
	}
}

// partOf checks that hits are documents of the commit with their texts, and
// that only documents said to be damaged lack something.
func (h *harness) partOf(at int, commit string, got search.Hits) {
	h.t.Helper()
	want := h.src.Documents(commit)
	for _, hit := range got.Hits {
		text, ok := want[hit.ID]
		if !ok || hit.Chunk.Snippet != text && (hit.Chunk.Snippet != "" || !slices.Contains(got.Damaged, hit.ID)) {
			h.t.Errorf("byte %d: %s: %+v, want %q", at, commit, hit, text)
		}
		delete(want, hit.ID)
	}
	for id := range want {
		if !slices.Contains(got.Damaged, id) {
			h.t.Errorf("byte %d: %s: %s is missing without notice", at, commit, id)
		}
	}
}

// TestDamagedGraph damages the graph of a checkpoint on which a delta stands:
// searches are exact until a merge has made another, without embedding.
func TestDamagedGraph(t *testing.T) {
	src := indexertest.NewSource()
	put := make(map[string]string)
	for i := range 60 {
		put[fmt.Sprintf("d/A/%02d", i)] = fmt.Sprintf("word%d and word%d", i, i%7)
	}
	src.Commit("main", "c1", indexertest.Change{Put: put})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/60", "later")})
	config := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 30, Ef: 200} }
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{}, config)
	h.mustIndex("c1", "")
	name := snapshot.FileName(domain, "c1")
	waitGraph(t, mem, name)
	h.mustIndex("c2", "")
	h.close()
	d, err := snapshot.Inspect(mem, name)
	graph := slices.IndexFunc(d.Sections, func(s snapshot.Section) bool { return s.Name == "graph" })
	if err != nil || graph < 0 {
		t.Fatalf("sections %+v, %v", d.Sections, err)
	}
	spoil(t, mem, name, func(b []byte) []byte { b[d.Sections[graph].Offset] ^= 1; return b })
	found := 0
	if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) { found++ }); err != nil || found == 0 {
		t.Fatalf("verify finds %d, %v", found, err)
	}
	emb := &indexertest.Embedder{}
	h = open(t, mem, src, emb, config)
	h.eachWhole("c1", "c2") // asks for the merge
	waitGraph(t, mem, name)
	h.eachWhole("c1", "c2")
	for _, text := range emb.Texts() {
		if text != "anything" {
			t.Errorf("embedded %q", text)
		}
	}
	h.close()
	noFindings(t, mem)
}

// waitGraph waits until a merge has given the file a sound graph.
func waitGraph(t *testing.T, mem *vfstest.Mem, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		f, err := snapshot.Open(mem, name)
		if err != nil {
			t.Fatal(err)
		}
		graph, err := f.Graph()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil && len(graph) > 0 {
			return
		}
		time.Sleep(time.Millisecond) // poll of the merger, which nobody waits for
	}
	t.Fatalf("%s has no sound graph", name)
}

// TestAGraphLeavesOutWhatCannotBeRead merges while a vector is damaged: the
// graph is made of the others, and holds nothing back when the vector is back.
func TestAGraphLeavesOutWhatCannotBeRead(t *testing.T) {
	src := indexertest.NewSource()
	put := make(map[string]string)
	for i := range 60 {
		put[fmt.Sprintf("d/A/%02d", i)] = fmt.Sprintf("word%d and word%d", i, i%7)
	}
	src.Commit("main", "c1", indexertest.Change{Put: put})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/60", "later")})
	src.Incremental = true
	mem := indexed(t, src, []string{"c1"})
	whole, err := mem.ReadFile(vecsName)
	if err != nil {
		t.Fatal(err)
	}
	whole = bytes.Clone(whole)
	flipVector(t, mem, put["d/A/33"])
	config := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 30, Ef: 200} }
	h := open(t, mem, src, &indexertest.Embedder{Refuse: func(text string) error {
		if text == put["d/A/33"] {
			return errors.New("not this one")
		}
		return nil
	}}, config)
	waitGraph(t, mem, snapshot.FileName(domain, "c1")) // due since the start
	h.mustIndex("c2", "")
	want := src.Documents("c2")
	delete(want, "d/A/33")
	if got, damaged := h.found("c2", search.ModeVector, "anything"); !maps.Equal(got, want) || len(damaged) != 1 {
		t.Errorf("%d documents, damaged %v", len(got), damaged)
	}
	h.close()
	b, err := mem.ReadFile(vecsName)
	if err != nil {
		t.Fatal(err)
	}
	mem.WriteFile(vecsName, append(whole, b[len(whole):]...)) // as if it was read wrongly before
	h = open(t, mem, src, &indexertest.Embedder{}, config)
	h.eachWhole("c2")
}

// TestAMergeIsNoLook: a merge hands damaged vectors on, and does not have the
// commit pass for one that was looked over.
func TestAMergeIsNoLook(t *testing.T) {
	mem := vfstest.NewMem()
	var ops []contract.Op
	for i := range 20 {
		ops = append(ops, put(fmt.Sprintf("d/A/%02d", i), fmt.Sprintf("text%d", i)))
	}
	h := openPush(t, mem, &indexertest.Embedder{})
	h.mustPush("main", "", "c1", ops...)
	h.close()
	flipVector(t, mem, "text7")
	emb := &indexertest.Embedder{}
	h = openPush(t, mem, emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 12} })
	// Writing to the domain checks all vectors, before the merge.
	h.mustPush("main", "c1", "c2", put("d/B/1", "later"))
	h.search("c1", "anything", 5) // asks for the merge
	waitGraph(t, mem, snapshot.FileName(domain, "c1"))
	h.merged()
	emb.Reset()
	h.mustPush("main", "", "c1")
	if got := h.texts("c1"); len(got) != 20 {
		t.Errorf("%d documents, embedded %q", len(got), emb.Texts())
	}
}
