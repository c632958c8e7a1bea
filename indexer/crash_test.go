package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func threeCommits() (*indexertest.Source, []string) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/4", "four", "d/A/1", "uno"), Remove: []string{"d/A/2"}})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/5", "five", "d/A/2", "two")})
	return src, []string{"c1", "c2", "c3"}
}

// indexAll indexes the commits one after another and returns those that were
// acknowledged, and the texts that were paid for.
func indexAll(t *testing.T, files vfs.FS, src *indexertest.Source, commits []string) (done []string, paid int) {
	emb := &indexertest.Embedder{BatchSize: 2}
	ix, err := indexer.Open(indexer.Config{FS: files, Source: src, Embedder: emb, Renderer: rendering{}, Graph: indexer.Graph{MaxDeltas: 2}})
	if err != nil {
		return nil, 0
	}
	h := &harness{Indexer: ix, t: t}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = ix.Close(ctx) // closing may meet the injected fault
	}()
	for _, c := range commits {
		task, err := ix.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: c})
		if err != nil {
			t.Fatal(err)
		}
		if h.wait(task.ID).State == indexer.TaskComplete {
			done = append(done, c)
		}
	}
	return done, len(emb.Texts())
}

// TestCrashAfterEveryOperation cuts the power after each file operation of a
// run of three commits, keeping nothing, some or all of what was not synced,
// and opens what is left: every acknowledged commit is whole, and the run can
// be finished.
func TestCrashAfterEveryOperation(t *testing.T) {
	src, commits := threeCommits()
	count := func() int {
		f := vfstest.NewFault(vfstest.NewMem())
		if done, _ := indexAll(t, f, src, commits); len(done) != 3 {
			t.Fatalf("a run without faults acknowledges %v", done)
		}
		return f.Ops()
	}
	total := count()
	seeds := 1
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 20
	}
	step := 1
	for n := 0; n < total; n += step {
		mem := vfstest.NewMem()
		f := vfstest.NewFault(mem)
		var acked []string
		type image struct {
			share float64
			fs    *vfstest.Mem
		}
		var images []image
		f.OnOp(func(i int, _ vfstest.Op) {
			if i == n {
				for s := range seeds {
					for _, share := range []float64{0, 0.5, 1} {
						images = append(images, image{share, mem.CrashClone(uint64(n*1000+s), share)})
					}
				}
			}
		})
		// What was acknowledged before operation n is what a second run
		// failing from n on acknowledges.
		g := vfstest.NewFault(vfstest.NewMem())
		g.Set(vfstest.Plan{At: n, Err: syscall.EIO, Forever: true})
		acked, _ = indexAll(t, g, src, commits)
		indexAll(t, f, src, commits)
		for _, im := range images {
			name := fmt.Sprintf("crash at %d of %d keeping %.0f%%", n, total, im.share*100)
			checkImage(t, name, im.fs, src, commits, acked)
		}
	}
}

// TestCrashesInARow cuts the power ten times, each time while what the last cut
// has left is being recovered, or work goes on from there: whatever was
// acknowledged in between is there in the end.
func TestCrashesInARow(t *testing.T) {
	src, commits := threeCommits()
	seeds := uint64(20)
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 500
	}
	cut := 0
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 61))
		mem := vfstest.NewMem()
		var acked []string
		for range 10 {
			f := vfstest.NewFault(mem)
			// From some operation on nothing reaches the disk any more.
			f.Set(vfstest.Plan{At: rng.IntN(40), Err: syscall.EIO, Forever: true})
			done, _ := indexAll(t, f, src, commits)
			if f.Hits() > 0 {
				cut++
			}
			acked = append(acked, done...)
			mem = mem.CrashClone(rng.Uint64(), []float64{0, 0.5, 1}[rng.IntN(3)])
		}
		checkImage(t, fmt.Sprintf("seed %d", seed), mem, src, commits, acked)
	}
	if cut < 5*int(seeds) {
		t.Errorf("%d runs of %d were cut", cut, 10*seeds)
	}
}

func checkImage(t *testing.T, name string, files *vfstest.Mem, src *indexertest.Source, commits, acked []string) {
	t.Helper()
	emb := &indexertest.Embedder{BatchSize: 2}
	ix, err := indexer.Open(indexer.Config{FS: files, Source: src, Embedder: emb, Renderer: rendering{}})
	if err != nil {
		t.Fatalf("%s: open: %v", name, err)
	}
	h := &harness{Indexer: ix, t: t}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := ix.Close(ctx); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}()
	infos, err := ix.Commits(domain)
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, info := range infos {
		have[info.Commit] = true
		if got, want := h.texts(info.Commit), src.Documents(info.Commit); !maps.Equal(got, want) {
			t.Fatalf("%s: %s holds %v, want %v", name, info.Commit, got, want)
		}
	}
	for _, c := range acked {
		if !have[c] {
			t.Fatalf("%s: acknowledged commit %s is gone; %v are there", name, c, infos)
		}
	}
	for _, c := range commits {
		h.mustIndex(c, "")
		if got, want := h.texts(c), src.Documents(c); !maps.Equal(got, want) {
			t.Fatalf("%s: indexed anew, %s holds %v, want %v", name, c, got, want)
		}
	}
	sum, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("%s: verify: %s: %s", name, f.File, f.Reason) })
	if err != nil || sum.Commits != len(commits) {
		t.Errorf("%s: verify: %+v, %v", name, sum, err)
	}
}

// TestEveryOperationFails fails each file operation in turn, once and for
// good: the failure surfaces in the task or at opening, nothing acknowledged
// is lost, and once the cause is gone the same requests work.
func TestEveryOperationFails(t *testing.T) {
	src, commits := threeCommits()
	f := vfstest.NewFault(vfstest.NewMem())
	indexAll(t, f, src, commits)
	total := f.Ops()
	for _, plan := range []vfstest.Plan{
		{Err: syscall.EIO}, {Err: syscall.EIO, Forever: true},
		{Err: syscall.ENOSPC}, {Err: syscall.ENOSPC, Short: true, Forever: true},
	} {
		if plan.Err == syscall.ENOSPC && !plan.Forever && !long() {
			continue // as EIO
		}
		for n := range total {
			plan.At = n
			mem := vfstest.NewMem()
			f := vfstest.NewFault(mem)
			f.Set(plan)
			acked, _ := indexAll(t, f, src, commits)
			name := fmt.Sprintf("operation %d of %d fails (%v, for good %v)", n, total, plan.Err, plan.Forever)
			checkImage(t, name, mem, src, commits, acked)
		}
	}
}

func TestVerifyNamesDamage(t *testing.T) {
	src, commits := threeCommits()
	mem := vfstest.NewMem()
	if done, _ := indexAll(t, mem, src, commits); len(done) != 3 {
		t.Fatalf("acknowledged %v", done)
	}
	names, err := mem.List()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".vecs") && !strings.HasSuffix(name, ".hnsw") {
			continue
		}
		checked++
		f, err := mem.Open(name, vfs.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		size, err := f.Size()
		if err != nil {
			t.Fatal(err)
		}
		at := size / 2
		if strings.HasSuffix(name, ".vecs") {
			at = 4096 + 10 // in the first vector
		}
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0x10
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		found := 0
		if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) {
			if f.File == name {
				found++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if found == 0 {
			t.Errorf("a flipped bit at %d of %s was not found", at, name)
		}
		b[0] ^= 0x10
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if checked < 4 {
		t.Fatalf("only %d files were checked", checked)
	}
}

// TestALostBaseIsMendedByIndexingIt loses the file of a middle commit: what
// stands on it says so, to searches and to verify, the others answer, and
// indexing the lost commit again mends all at no embedding.
func TestALostBaseIsMendedByIndexingIt(t *testing.T) {
	src, commits := threeCommits()
	mem := vfstest.NewMem()
	if done, _ := indexAll(t, mem, src, commits[:2]); len(done) != 2 {
		t.Fatalf("acknowledged %v", done)
	}
	emb := &indexertest.Embedder{}
	h := open(t, mem, src, emb)
	h.mustIndex("c3", "")
	if err := h.Assign(t.Context(), domain, "other", "c2", "a2"); err != nil {
		t.Fatal(err)
	}
	h.close()
	if err := mem.Remove(snapshot.FileName(domain, "c2")); err != nil {
		t.Fatal(err)
	}
	verify := func(want ...string) {
		t.Helper()
		var got []string
		sum, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) {
			if got = append(got, f.File); !strings.Contains(f.Reason, "commit c2, on which it stands") {
				t.Errorf("verify: %+v", f)
			}
		})
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) || sum.Damaged != len(want) {
			t.Errorf("verify: %q, %+v, %v; want %q", got, sum, err, want)
		}
	}
	verify(snapshot.FileName(domain, "a2"), snapshot.FileName(domain, "c3"))
	h = open(t, mem, src, emb)
	if got, want := h.texts("c1"), src.Documents("c1"); !maps.Equal(got, want) {
		t.Errorf("c1 holds %v, want %v", got, want)
	}
	_, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, Text: "one", Options: search.Options{Page: search.Page{Count: 1}}})
	if !errors.Is(err, contract.ErrCorrupt) || !strings.Contains(err.Error(), "c2") {
		t.Errorf("search at c3: %v, want damage naming c2", err)
	}
	emb.Reset()
	h.mustIndex("c2", "")
	if n := len(emb.Texts()); n != 0 {
		t.Errorf("the lost commit embedded %d texts, want 0", n)
	}
	for _, c := range commits {
		if got, want := h.texts(c), src.Documents(c); !maps.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", c, got, want)
		}
	}
	if head, _ := h.Head(domain, "main"); head.Commit != "c3" {
		t.Errorf("head is %s, want c3", head.Commit)
	}
	verify()
}

// TestVerifyOfAnothersVectors puts the vectors of another model, and those of
// another domain, in the place of a domain's own.
func TestVerifyOfAnothersVectors(t *testing.T) {
	files := func(model, name string) *vfstest.Mem {
		mem := vfstest.NewMem()
		h := openPush(t, mem, &indexertest.Embedder{Name: model})
		h.pushInto(name, "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
		h.close()
		return mem
	}
	for what, other := range map[string]struct{ model, domain, file, says string }{
		"another model":  {"second", domain, snapshot.FileName(domain, "c1"), "it refers to vectors of"},
		"another domain": {"first", "admin/other", vecsName, "it belongs to the file"},
	} {
		mem := files("first", domain)
		vectors, err := files(other.model, other.domain).ReadFile(vfs.FileName(other.domain, "", "vecs"))
		if err != nil {
			t.Fatal(err)
		}
		mem.WriteFile(vecsName, vectors)
		found := false
		if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) {
			found = found || f.File == other.file && strings.Contains(f.Reason, other.says)
		}); err != nil || !found {
			t.Errorf("%s: %v, found: %t", what, err, found)
		}
	}
}
