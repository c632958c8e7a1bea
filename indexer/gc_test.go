package indexer_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// littered returns a directory with three commits of one domain, and what
// deletions, lost files and crashes leave: two files of vectors, three full
// texts, temporary files.
func littered(t *testing.T) (*vfstest.Mem, *indexertest.Source, []string) {
	t.Helper()
	src, commits := threeCommits()
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{})
	for _, c := range commits {
		h.mustIndex(c, "")
		h.found(c, search.ModeText, "one")
	}
	for _, other := range []string{"b/gone", "b/forgotten"} {
		task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: other, Commit: "c1"})
		if err != nil || h.wait(task.ID).State != indexer.TaskComplete {
			t.Fatal(err)
		}
		if err := h.DeleteDomain(t.Context(), other, false); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	for _, name := range []string{"b%2Fgone.ranges", "b%2Fgone@c1.zap", "b%2Fgone@c2.zap", "admin%2Ftest@c9.zap", "admin%2Ftest@c1.hnsw.1.tmp", "admin%2Ftest.vecs.tmp", "admin%2Ftest.ranges", "task-77.stage", "notes"} {
		mem.WriteFile(name, []byte("rubbish"))
	}
	if err := mem.SyncDir(); err != nil {
		t.Fatal(err)
	}
	return mem, src, commits
}

const litter = 9 // files that a sweep of littered removes

// sweep sweeps and returns the names removed.
func sweep(t *testing.T, files vfs.FS, dry bool) ([]string, error) {
	t.Helper()
	var names []string
	sum, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: files, DryRun: dry}, func(r indexer.Removal) {
		if r.Reason == "" || r.Bytes == 0 {
			t.Errorf("%+v says too little", r)
		}
		names = append(names, r.File)
	})
	if sum.Removed != len(names) {
		t.Errorf("%d removed, %d reported", sum.Removed, len(names))
	}
	return names, err
}

func TestSweep(t *testing.T) {
	mem, src, commits := littered(t)
	before, err := mem.List()
	if err != nil {
		t.Fatal(err)
	}
	names, err := sweep(t, mem, true)
	if err != nil || len(names) != litter {
		t.Fatalf("dry run: %v, %v", names, err)
	}
	if after, _ := mem.List(); !slices.Equal(after, before) {
		t.Errorf("a dry run left %v", after)
	}
	if names, err = sweep(t, mem, false); err != nil || len(names) != litter {
		t.Fatalf("%v, %v", names, err)
	}
	after, err := mem.List()
	if err != nil || len(after) != len(before)-litter || !slices.Contains(after, "notes") {
		t.Errorf("left are %v, %v", after, err)
	}
	if names, err = sweep(t, mem, false); err != nil || len(names) != 0 {
		t.Errorf("a second sweep removes %v, %v", names, err)
	}
	checkImage(t, "swept", mem, src, commits, commits)
}

// TestSweepKeeps: files too young stay, and so do vectors that a damaged commit
// file may refer to.
func TestSweepKeeps(t *testing.T) {
	mem, _, _ := littered(t)
	sum, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem, Spare: func(name string) (bool, error) {
		return strings.HasSuffix(name, ".zap"), nil
	}, DryRun: true}, func(indexer.Removal) {})
	if err != nil || sum.Spared != 3 || sum.Removed != litter-3 {
		t.Errorf("%+v, %v", sum, err)
	}
	spoil(t, mem, "admin%2Ftest@c2.hnsw", func(b []byte) []byte { b[len(b)-30] ^= 1; return b })
	if sum, err = indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem}, func(indexer.Removal) {}); err != nil || sum.Held != 3 || sum.Removed != litter-3 {
		t.Errorf("beside a damaged commit file: %+v, %v", sum, err)
	}
	// The full text of the damaged commit is not a reason to fail either.
	if _, err := mem.ReadFile("admin%2Ftest@c2.zap"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := indexer.Sweep(ctx, indexer.SweepConfig{FS: mem}, func(indexer.Removal) {}); err == nil {
		t.Error("a cancelled sweep succeeds")
	}
}

// prunedWorld returns a directory of which most commits were pruned, with clustering
// vectors and graphs, the one from before, and what the last commit answers.
func prunedWorld(t *testing.T, emb *indexertest.Embedder) (pruned, before *vfstest.Mem, a answers) {
	t.Helper()
	mem := vfstest.NewMem()
	h := openPush(t, mem, emb, func(c *indexer.Config) { c.Graph = indexer.Graph{MaxDeltas: 2, MinVectors: 8} })
	for i := 1; i <= 9; i++ {
		var ops []contract.Op
		for d := range 12 {
			ops = append(ops, puts(fmt.Sprint("d/A/", d), fmt.Sprintf("word%d of commit %d", d, max(i-d/4, 1)))...)
		}
		h.pushAll(indexer.PushRequest{Domain: domain, Commit: fmt.Sprint("c", i), StoreClustering: true}, ops...)
		h.settle()
	}
	before = mem.CrashClone(1, 1)
	if gone := h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true}); len(gone) < 5 {
		t.Fatalf("only %v are pruned", gone)
	}
	a = h.answers("c9")
	h.close()
	return mem, before, a
}

// TestSweepFreesPruned: the vectors that pruned commits alone used are freed; what is
// left answers as before, and a text that comes back is embedded again.
func TestSweepFreesPruned(t *testing.T) {
	emb := &indexertest.Embedder{Dimensions: 1000}
	mem, unpruned, before := prunedWorld(t, emb)
	for _, dry := range []bool{true, false} {
		var told indexer.Removal
		sum, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem, DryRun: dry}, func(r indexer.Removal) { told = r })
		if err != nil || sum.FreedVectors == 0 || sum.FreedBytes == 0 || told.Vectors != sum.FreedVectors || told.Bytes != sum.FreedBytes {
			t.Fatalf("%+v, %+v, %v", sum, told, err)
		}
	}
	wantSound(t, mem)
	h := openPush(t, mem, emb)
	if after := h.answers("c9"); !reflect.DeepEqual(after, before) {
		t.Errorf("answers are\n%+v, before\n%+v", after, before)
	}
	emb.Reset()
	h.mustPush("", "c9", "c10", puts("d/A/20", "word0 of commit 2", "d/A/21", "word0 of commit 9")...)
	if got := emb.Texts(); !slices.Equal(got, []string{"word0 of commit 2", "word0 of commit 2"}) {
		t.Errorf("embedded were %q", got)
	}
	if after := h.answers("c9"); !reflect.DeepEqual(after, before) {
		t.Errorf("later, answers are\n%+v, before\n%+v", after, before)
	}
	h.close()
	// A commit that comes back from a copy of before lacks them, and verify says so.
	have := names(t, mem)
	for _, name := range names(t, unpruned) {
		if b, err := unpruned.ReadFile(name); err == nil && strings.HasSuffix(name, ".hnsw") && !slices.Contains(have, name) {
			mem.WriteFile(name, b)
		}
	}
	var reasons []string
	if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) { reasons = append(reasons, f.Reason) }); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(r, "was freed by gc") && strings.Contains(r, "c2") }) {
		t.Errorf("verify finds %q", reasons)
	}
}

// TestSweepBesideReader: a process that reads the directory keeps what it has open while
// commits are pruned and their vectors freed, and reads on.
func TestSweepBesideReader(t *testing.T) {
	emb := &indexertest.Embedder{Dimensions: 1000}
	_, mem, _ := prunedWorld(t, emb)
	r, err := search.OpenReadOnly(search.ReaderConfig{FS: mem, Embedder: emb})
	must(t, err)
	defer func() { must(t, r.Close()) }()
	ask := func(commit string) search.Hits {
		t.Helper()
		hits, err := r.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Text: "word1", Mode: search.ModeVector, Options: search.Options{Page: search.Page{Count: 100}}})
		must(t, err)
		return hits
	}
	old, last := ask("c4"), ask("c9")
	h := openPush(t, mem, emb)
	if gone := h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true}); !slices.Contains(gone, "c4") {
		t.Fatalf("%v are pruned", gone)
	}
	h.close()
	sum, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem}, func(indexer.Removal) {})
	if err != nil || sum.FreedVectors == 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if again := ask("c4"); !reflect.DeepEqual(again, old) {
		t.Errorf("afterwards it answers\n%+v, before\n%+v", again, old)
	}
	h = openPush(t, mem, emb)
	h.mustPush("", "c9", "c10", puts("d/B/1", "word20 of commit 10")...)
	h.close()
	must(t, r.Refresh())
	if again := ask("c9"); !reflect.DeepEqual(again, last) {
		t.Errorf("later it answers\n%+v, before\n%+v", again, last)
	}
	if hits := ask("c10"); len(hits.Hits) != len(last.Hits)+1 || len(hits.Damaged) > 0 {
		t.Errorf("the next commit has %d hits, damaged %v", len(hits.Hits), hits.Damaged)
	}
}

// TestSweepKeepsGraphs: vectors that a graph alone holds, those of documents that are
// gone, are not freed: walks pass through them.
func TestSweepKeepsGraphs(t *testing.T) {
	mem := vfstest.NewMem()
	cfg := vecstore.Config{Domain: domain, Fingerprint: "m", Dim: 1000, Metric: vecstore.Cosine, Normalized: true} // a page each
	vecs, err := vecstore.Create(mem, vecstore.FileName(domain, ""), cfg, vecstore.NewPool(1<<20))
	must(t, err)
	for i := range 20 {
		text := fmt.Sprint("text ", i)
		_, err := vecs.Append([]vecstore.Key{vecstore.ContentKey("m", contract.RoleDocument, text)}, [][]float32{indexertest.Vector(text, 1000)})
		must(t, err)
	}
	graph, err := hnsw.Build(t.Context(), vecs, []uint32{0, 8, 9, 10, 19}, hnsw.Params{M: 4, EfConstruction: 20}, 1)
	must(t, err)
	must(t, vecs.Close())
	_, err = snapshot.Write(mem, snapshot.Header{
		Kind: snapshot.Checkpoint, Domain: domain, Commit: "c1", Branch: "main", Seq: 1,
		Vectors: snapshot.Vectors{Vecs: vecstore.FileName(domain, ""), Fingerprint: "m", Dim: 1000, Metric: "cosine", Normalized: true},
	}, snapshot.Contents{Graph: graph.AppendTo(nil), Changed: func(yield func(snapshot.EntryText, error) bool) {
		for i, slot := range []uint32{0, 4, 19} {
			e := snapshot.Entry{ID: fmt.Sprint("d/A/", i), Type: "A", TextHash: snapshot.HashText("x"), Chunks: []snapshot.Chunk{{Slot: slot, End: 1}}}
			if !yield(snapshot.EntryText{Entry: e, Text: "x"}, nil) {
				return
			}
		}
	}})
	must(t, err)
	sum, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem}, func(indexer.Removal) {})
	if err != nil || sum.FreedVectors != 3+3+8 {
		t.Errorf("%+v, %v; want 1 to 3, 5 to 7 and 11 to 18 freed", sum, err)
	}
}

// TestSweepKilledAtEveryStep cuts the power before each operation of a sweep
// and fails each: every commit stays whole, and the next sweep does the rest.
func TestSweepKilledAtEveryStep(t *testing.T) {
	first, src, commits := littered(t)
	untouched := first.CrashClone(1, 1)
	f := vfstest.NewFault(first)
	if _, err := sweep(t, f, false); err != nil {
		t.Fatal(err)
	}
	total := f.Ops()
	for n := range total {
		mem := untouched.CrashClone(1, 1)
		f := vfstest.NewFault(mem)
		var images []*vfstest.Mem
		f.OnOp(func(i int, _ vfstest.Op) {
			if i == n {
				for s, share := range []float64{0, 0.5, 1} {
					images = append(images, mem.CrashClone(uint64(n+s), share))
				}
			}
		})
		if _, err := sweep(t, f, false); err != nil {
			t.Fatal(err)
		}
		for _, plan := range []vfstest.Plan{{At: n, Err: syscall.EIO}, {At: n, Err: syscall.EIO, Forever: true}} {
			mem := untouched.CrashClone(1, 1)
			f := vfstest.NewFault(mem)
			f.Set(plan)
			if _, err := sweep(t, f, false); err == nil && f.Hits() > 0 && plan.Forever {
				t.Errorf("operation %d failed for good and the sweep did not", n)
			}
			images = append(images, mem)
		}
		for i, im := range images {
			name := fmt.Sprintf("operation %d of %d, image %d", n, total, i)
			if _, err := sweep(t, im, false); err != nil {
				t.Fatalf("%s: the next sweep: %v", name, err)
			}
			if left, err := sweep(t, im, true); err != nil || len(left) > 0 {
				t.Fatalf("%s: left are %v, %v", name, left, err)
			}
			if n%3 == 0 || i < 3 {
				checkImage(t, name, im, src, commits, commits)
			}
		}
	}
}
