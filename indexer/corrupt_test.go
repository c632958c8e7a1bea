package indexer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// specimen is a small directory with every kind of file, some of them two of a
// kind: a checkpoint with a graph and deltas on it, an alias, full texts, two
// domains.
type specimen struct {
	src     *indexertest.Source
	commits []string
	files   map[string][]byte
	size    int64
}

func specimenConfig(c *indexer.Config) {
	c.Graph = indexer.Graph{MinVectors: 8, Ef: 200}
}

func newSpecimen(t *testing.T) *specimen {
	t.Helper()
	src := indexertest.NewSource()
	src.Incremental = true
	put := make(map[string]string)
	for i := range 12 {
		put[fmt.Sprintf("d/A/%02d", i)] = fmt.Sprintf("word%d and word%d", i, i%5)
	}
	put["d/A/12"] = put["d/A/11"] // a slot of two documents
	src.Commit("main", "c1", indexertest.Change{Put: put})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/20", "twenty", "d/A/03", "changed words"), Remove: []string{"d/A/04"}})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/21", "the last one")})
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{}, specimenConfig)
	commits := []string{"c1", "c2", "c3"}
	for _, c := range commits {
		h.mustIndex(c, "")
		if c == "c1" {
			waitGraph(t, mem, snapshot.FileName(domain, c))
		}
	}
	if err := h.Assign(t.Context(), domain, "main", "c3", "a3"); err != nil {
		t.Fatal(err)
	}
	for _, c := range commits {
		h.found(c, search.ModeText, "word1")
	}
	task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: "b/other", Commit: "c2"})
	if err != nil || h.wait(task.ID).State != indexer.TaskComplete {
		t.Fatal(err)
	}
	h.close()
	s := &specimen{src: src, commits: commits, files: make(map[string][]byte)}
	names, err := mem.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := mem.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.files[name] = bytes.Clone(b)
		s.size += int64(len(b))
	}
	if n := len(s.files); n < 9 {
		t.Fatalf("only %d files: %v", n, names)
	}
	return s
}

// with returns the directory with one file changed.
func (s *specimen) with(name string, b []byte) *vfstest.Mem {
	mem := vfstest.NewMem()
	for n, data := range s.files {
		if n == name {
			data = b
		}
		mem.WriteFile(n, bytes.Clone(data))
	}
	return mem
}

// check opens a damaged directory, asks it everything, and holds each answer
// against the truth: documents are right, or named as damaged, or the commit
// says that it is damaged. It reports whether anything was said.
func (s *specimen) check(t *testing.T, what string, mem *vfstest.Mem) (noticed bool) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cfg := indexer.Config{FS: mem, Source: s.src, Embedder: &indexertest.Embedder{}, Renderer: rendering{}, Workers: 1}
	specimenConfig(&cfg)
	ix, err := indexer.Open(cfg)
	if err != nil {
		t.Fatalf("%s: open: %v", what, err)
	}
	h := &harness{Indexer: ix, t: t, fs: mem, src: s.src}
	defer h.close()
	for _, c := range append([]string{"a3"}, s.commits...) {
		at := c
		if c == "a3" {
			at = "c3"
		}
		want := s.src.Documents(at)
		for _, mode := range []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid} {
			req := search.SearchRequest{
				Domain: domain, Ref: search.Ref{Commit: c}, Text: "word1 and twenty changed last", Mode: mode,
				Options: search.Options{Page: search.Page{Count: 100}, Snippet: true},
			}
			got, err := ix.Search(t.Context(), req)
			noticed = s.judge(t, what+", "+c+" by "+string(mode), req.Text, want, mode, got.Hits, got.Damaged, err) || noticed
		}
		got, err := ix.Similar(t.Context(), search.SimilarRequest{
			Domain: domain, Ref: search.Ref{Commit: c}, ID: "d/A/07", IncludeSelf: true, Options: search.Options{Page: search.Page{Count: 100}, Snippet: true},
		})
		noticed = s.judge(t, what+", "+c+" similar", want["d/A/07"], want, search.ModeVector, got.Hits, got.Damaged, err) || noticed
		found, err := pairs.New(ix.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: c}, Threshold: 0.4})
		if err == nil && len(found.Damaged) == 0 && !slices.ContainsFunc(found.Pairs, func(p pairs.Pair) bool { return p.Distance == 0 }) {
			t.Fatalf("%s: %s: the pair of one text is missing: %v", what, c, found)
		}
		for _, p := range found.Pairs {
			d := vector.Distance(vector.Dot(indexertest.Vector(want[p.A.ID], 32), indexertest.Vector(want[p.B.ID], 32)))
			if p.Distance != 0 && p.Distance != max(d, 1e-7) {
				t.Fatalf("%s: %s: pair %v, by brute force %v", what, c, p, d)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if used, limit := int64(after.TotalAlloc-before.TotalAlloc), 100*s.size+16<<20; used > limit {
		t.Fatalf("%s: %d bytes were allocated for files of %d", what, used, s.size)
	}
	return noticed
}

// judge holds one answer against the truth.
func (s *specimen) judge(t *testing.T, what, text string, want map[string]string, mode search.Mode, hits []search.Hit, damaged []string, err error) (noticed bool) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, contract.ErrCorrupt) && !errors.Is(err, contract.ErrNotFound) {
			t.Fatalf("%s: %v", what, err)
		}
		return true
	}
	missing := maps.Clone(want)
	last := float32(-1)
	for _, h := range hits {
		is, ok := want[h.ID]
		if !ok {
			t.Fatalf("%s: %s is not in the commit", what, h.ID)
		}
		harmed := slices.Contains(damaged, h.ID)
		if h.Chunk.Snippet != is && !(harmed && h.Chunk.Snippet == "") {
			t.Fatalf("%s: %s has the text %q, want %q", what, h.ID, h.Chunk.Snippet, is)
		}
		delete(missing, h.ID)
		if mode != search.ModeVector {
			continue
		}
		d := float32(0)
		if is != text {
			d = max(vector.Distance(vector.Dot(indexertest.Vector(text, 32), indexertest.Vector(is, 32))), 1e-7)
		}
		if h.Distance != d || d < last {
			t.Fatalf("%s: %s at %v, by brute force %v, after %v", what, h.ID, h.Distance, d, last)
		}
		last = d
	}
	if mode != search.ModeText {
		for id := range missing {
			if !slices.Contains(damaged, id) {
				t.Fatalf("%s: %s is missing and not said to be damaged (%v are)", what, id, damaged)
			}
		}
	}
	return len(damaged) > 0
}

// verified reports whether Verify finds something wrong.
func verified(t *testing.T, files vfs.FS) bool {
	t.Helper()
	found := false
	if _, err := indexer.Verify(t.Context(), files, func(indexer.Finding) { found = true }); err != nil {
		t.Fatal(err)
	}
	return found
}

// long reports whether the sweeps are to be full.
func long() bool { return os.Getenv("VECTORLINK_LONG") != "" }

// TestEveryBitFlipped flips the bits of every byte of every file: each is
// found by Verify, and no answer is ever wrong.
func TestEveryBitFlipped(t *testing.T) {
	s := newSpecimen(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		t.Run(name, func(t *testing.T) {
			whole := s.files[name]
			step := 1
			if !long() {
				step = 1 + len(whole)/20
			}
			cases, first := 0, rng.IntN(8)
			for at := range whole {
				for bit := range 8 {
					if !long() && (at%step != 0 || bit != (at/step+first)%8) {
						continue
					}
					b := bytes.Clone(whole)
					b[at] ^= 1 << bit
					mem := s.with(name, b)
					what := fmt.Sprintf("%s, byte %d, bit %d", name, at, bit)
					if !verified(t, mem) {
						t.Errorf("%s: not found by Verify", what)
					}
					s.check(t, what, mem)
					cases++
				}
			}
			if cases < 15 {
				t.Errorf("only %d cases", cases)
			}
		})
	}
}

// TestTruncatedAndShuffled cuts every file at its lengths, appends to it, puts
// zeros over its parts, swaps them, and puts the same part of another file of
// the kind in their place.
func TestTruncatedAndShuffled(t *testing.T) {
	s := newSpecimen(t)
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		t.Run(name, func(t *testing.T) {
			whole := s.files[name]
			try := func(what string, b []byte) {
				t.Helper()
				if bytes.Equal(b, whole) {
					return
				}
				mem := s.with(name, b)
				what = name + ", " + what
				found := verified(t, mem)
				if said := s.check(t, what, mem); said && !found {
					t.Errorf("%s: searches find damage, Verify does not", what)
				} else if !found && !tail(name, what) {
					t.Errorf("%s: not found by Verify", what)
				}
			}
			step := 1
			if !long() {
				step = 1 + len(whole)/10
			}
			for n := 0; n < len(whole); n += step {
				try(fmt.Sprintf("cut to %d", n), whole[:n])
			}
			for _, n := range []int{1, 7, 512, 4096} {
				try(fmt.Sprintf("%d zeros appended", n), append(bytes.Clone(whole), make([]byte, n)...))
				try(fmt.Sprintf("%d ones appended", n), append(bytes.Clone(whole), bytes.Repeat([]byte{1}, n)...))
			}
			unit := 64
			if !long() {
				unit = 64 * (1 + len(whole)/500)
			}
			for at := 0; at < len(whole); at += unit {
				end := min(at+unit, len(whole))
				b := bytes.Clone(whole)
				clear(b[at:end])
				try(fmt.Sprintf("zeros from %d to %d", at, end), b)
				if at+2*unit <= len(whole) {
					b = bytes.Clone(whole)
					copy(b[at:], whole[at+unit:at+2*unit])
					copy(b[at+unit:], whole[at:at+unit])
					try(fmt.Sprintf("%d bytes at %d swapped with the next", unit, at), b)
				}
			}
			for other, data := range s.files {
				if other == name || suffix(other) != suffix(name) {
					continue
				}
				try("replaced by "+other, data)
				if suffix(name) != "vecs" {
					continue
				}
				b := bytes.Clone(whole) // a record of the other, at its place
				copy(b[4096:], data[4096:4096+192])
				try("with a vector of "+other, b)
			}
			mem := s.with(name, nil)
			if err := mem.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			s.check(t, name+" removed", mem)
		})
	}
}

func suffix(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// tail reports whether what was done to a file is what a crash may leave at
// the end of a file of vectors, or only to a file that is made anew.
func tail(name, what string) bool {
	return suffix(name) == "vecs" && strings.Contains(what, "appended")
}
