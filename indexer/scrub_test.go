package indexer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// scrub scrubs, and returns the files of what is left damaged.
func (h *harness) scrub() (left []string) {
	h.t.Helper()
	if err := h.Scrub(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.left()
}

func (h *harness) left() (left []string) {
	for _, f := range h.Scrubbed().Findings {
		left = append(left, f.File)
	}
	return left
}

// numbered returns insertions of so many documents.
func numbered(n int) []contract.Op {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("d/A/%03d", i), fmt.Sprintf("word%d and word%d", i, i%7))
	}
	return puts(pairs...)
}

// flipAt damages one byte in the middle of a file.
func flipAt(t *testing.T, mem *vfstest.Mem, name string) {
	t.Helper()
	spoil(t, mem, name, func(b []byte) []byte { b[len(b)/2] ^= 8; return b })
}

// TestScrubMends damages files under a running indexer, each kind for itself, and
// checks that a scrub mends what costs no embedding.
func TestScrubMends(t *testing.T) {
	for name, file := range map[string]string{
		"nothing": "", "commit": snapshot.FileName(domain, "c2"), "catalog": catalog.FileName(domain), "text": textindex.FileName(domain, "c1"),
	} {
		t.Run(name, func(t *testing.T) {
			src, commits := threeCommits()
			mem := vfstest.NewMem()
			emb := &indexertest.Embedder{}
			h := open(t, mem, src, emb)
			for _, c := range commits {
				h.mustIndex(c, "")
			}
			h.eachWhole(commits...)
			emb.Reset()
			want := int64(0)
			if file != "" {
				flipAt(t, mem, file)
				if want = 1; name == "commit" {
					want = 2 // what stands on it, too
				}
			}
			if left := h.scrub(); len(left) > 0 {
				t.Errorf("left damaged: %q", left)
			}
			s := h.Scrubbed()
			if s.Mended != want || s.Files < 6 || s.Bytes == 0 || s.Finished.IsZero() {
				t.Errorf("%+v", s)
			}
			if texts := emb.Texts(); len(texts) > 0 {
				t.Errorf("embedded %q", texts)
			}
			noFindings(t, mem)
			h.eachWhole(commits...)
			if d := h.Ready().Damaged; d != 0 {
				t.Errorf("%d damaged", d)
			}
			h.close()
			h = open(t, mem, src, emb) // which reads the catalog
			h.eachWhole(commits...)
		})
	}
}

// TestScrubMendsAGraph damages a graph: a merge makes another.
func TestScrubMendsAGraph(t *testing.T) {
	mem := vfstest.NewMem()
	emb := &indexertest.Embedder{}
	h := openPush(t, mem, emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 30} })
	h.mustPush("", "", "c1", numbered(40)...)
	name := snapshot.FileName(domain, "c1")
	waitGraph(t, mem, name)
	d, err := snapshot.Inspect(mem, name)
	graph := slices.IndexFunc(d.Sections, func(s snapshot.Section) bool { return s.Name == "graph" })
	if err != nil || graph < 0 {
		t.Fatalf("sections %+v, %v", d.Sections, err)
	}
	emb.Reset()
	spoil(t, mem, name, func(b []byte) []byte { b[d.Sections[graph].Offset] ^= 1; return b })
	if left := h.scrub(); len(left) > 0 || h.Scrubbed().Mended != 1 {
		t.Errorf("left damaged: %q, mended %d", left, h.Scrubbed().Mended)
	}
	waitGraph(t, mem, name)
	if texts := emb.Texts(); len(texts) > 0 {
		t.Errorf("embedded %q", texts)
	}
}

// TestScrubTells checks what is told of damage that costs an embedding, also after a
// restart, until the commit is indexed again: the text is embedded then, and not
// before.
func TestScrubTells(t *testing.T) {
	src, commits := threeCommits()
	mem := vfstest.NewMem()
	emb := &indexertest.Embedder{}
	every := func(c *indexer.Config) { c.ScrubEvery = time.Hour }
	h := open(t, mem, src, emb)
	for _, c := range commits {
		h.mustIndex(c, "")
	}
	h.eachWhole(commits...) // the vectors are in memory
	emb.Reset()
	flipVector(t, mem, "three")
	told := func(h *harness) {
		t.Helper()
		if left := h.left(); !slices.Equal(left, []string{vecsName}) {
			t.Fatalf("left damaged: %q", left)
		}
		found, err := h.Integrity(domain)
		if err != nil || found.OK() || len(found.Findings) != 1 || found.Scrubbed.IsZero() ||
			!slices.ContainsFunc(found.Warnings, func(w string) bool { return strings.Contains(w, "d/A/3") && strings.Contains(w, "again commit") }) {
			t.Errorf("integrity: %+v, %v", found, err)
		}
		if other, err := h.Integrity("other/db"); err == nil && len(other.Findings) > 0 {
			t.Errorf("integrity of another domain: %+v", other)
		}
		if d := h.Ready().Damaged; d != 1 {
			t.Errorf("ready: %d damaged", d)
		}
		if st, err := h.Statistics(""); err != nil || len(st.Scrub.Findings) != 1 || st.Scrub.Mended != 0 {
			t.Errorf("statistics: %+v, %v", st.Scrub, err)
		}
		if texts := emb.Texts(); len(texts) > 0 {
			t.Errorf("embedded %q", texts)
		}
	}
	h.scrub()
	told(h)
	h.scrub() // which finds it again, and no more
	told(h)
	h.close()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, mem, src, emb, every)
		synctest.Wait() // the loop has read what was found, and waits for its time
		h.t = t
		told(h)
		h.close()
	})
	h = open(t, mem, src, emb)
	h.scrub()
	for _, c := range commits {
		h.mustIndex(c, "")
	}
	if texts := emb.Texts(); !slices.Equal(texts, []string{"three"}) {
		t.Errorf("embedded %q", texts)
	}
	if left := h.left(); len(left) > 0 || h.Ready().Damaged != 0 {
		t.Errorf("after it was mended: %q", left)
	}
	noFindings(t, mem)
}

// TestScrubLoop checks when scrubs run, and how fast they read.
func TestScrubLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfstest.NewMem()
		config := func(c *indexer.Config) { c.ScrubEvery, c.ScrubRate = 24*time.Hour, 1000 }
		h := openPush(t, mem, &indexertest.Embedder{}, config)
		h.mustPush("", "", "c1", numbered(100)...)
		finished := func() time.Time { return h.Scrubbed().Finished }
		began := time.Now()
		time.Sleep(time.Minute - time.Second)
		if h.Scrubbed().Bytes > 0 {
			t.Error("it begins at once")
		}
		time.Sleep(time.Hour)
		first := finished()
		bytes := h.Scrubbed().Bytes
		if took := first.Sub(began.Add(time.Minute)); took < time.Duration(bytes/1000-2)*time.Second || bytes < 10_000 {
			t.Errorf("%d bytes in %v", bytes, took)
		}
		time.Sleep(22 * time.Hour)
		if !finished().Equal(first) {
			t.Error("another one before its time")
		}
		h.close()
		h = openPush(t, mem, &indexertest.Embedder{}, config)
		time.Sleep(time.Hour)
		if !finished().Equal(first) {
			t.Errorf("a start forgets when the last one was: %v, %v", first, finished())
		}
		time.Sleep(2 * time.Hour)
		if !finished().After(first) {
			t.Error("no other after a day")
		}
		mem.WriteFile(indexer.ScrubFile, []byte("{damaged"))
		h.close()
		h = openPush(t, mem, &indexertest.Embedder{}, config)
		time.Sleep(time.Hour)
		if finished().IsZero() {
			t.Error("without the file of the last one there is none")
		}
		h.close()
	})
}

// TestScrubChecks checks that files of others are verified by their checks.
func TestScrubChecks(t *testing.T) {
	mem := vfstest.NewMem()
	mem.WriteFile("a.other", []byte("whole"))
	mem.WriteFile("b.other", []byte("broken"))
	check := indexer.Check{Ext: "other", Verify: func(files vfs.FS, name string) (int64, error) {
		f, err := files.Open(name, vfs.Read)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		size, err := f.Size()
		b := make([]byte, size)
		if err == nil {
			err = vfs.ReadFull(f, b, 0)
		}
		if err == nil && string(b) != "whole" {
			err = errors.New("it is not whole")
		}
		return int64(len(b)), err
	}}
	h := openPush(t, mem, &indexertest.Embedder{}, func(c *indexer.Config) { c.Checks = []indexer.Check{check} })
	if left := h.scrub(); !slices.Equal(left, []string{"b.other"}) || h.Scrubbed().Files != 2 {
		t.Errorf("%+v", h.Scrubbed())
	}
}
