package indexer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// sweepSize is the size of the sweeps over long rows of commits: that of the
// targets with VECTORLINK_LONG=1, else one that merges several times all the
// same.
type sweepSize struct {
	documents, commits, changes, dim int
	queries                          int // by which recall is measured: few tell little
	graph                            indexer.Graph
	long                             bool
}

func sizeOfSweep() sweepSize {
	if os.Getenv("VECTORLINK_LONG") != "" {
		return sweepSize{60_000, 500, 100, 384, 1000, indexer.Graph{}, true}
	}
	return sweepSize{600, 24, 10, 32, 100, indexer.Graph{MinVectors: 150, MaxDeltas: 8, Ef: 64}, false}
}

// row is a source of histories that are pure functions of their commits'
// names: "c7" is the seventh of the row, on top of "c6"; "b5-2" is the second
// on a branch off "c5".
type row struct {
	n     int                                         // ids are below
	first func(id int) string                         // text of a document in c0; "" for none
	step  func(at int, put func(id int, text string)) // what c1, c2, … change; "" removes
}

func docID(id int) string { return fmt.Sprintf("terminusdb:///bench/Doc/%d", id) }

// line returns the numbers of the steps that make a commit, c0's first, and
// its parent.
func (s *row) line(commit string) (steps []int, parent string, err error) {
	var at, fork int
	if _, err := fmt.Sscanf(commit, "b%d-%d", &fork, &at); err == nil {
		parent = fmt.Sprintf("b%d-%d", fork, at-1)
		if at == 1 {
			parent = fmt.Sprintf("c%d", fork)
		}
	} else if _, err := fmt.Sscanf(commit, "c%d", &fork); err != nil {
		return nil, "", fmt.Errorf("%w: %s", contract.ErrNotFound, commit)
	} else if fork > 0 {
		parent = fmt.Sprintf("c%d", fork-1)
	}
	for i := range fork + 1 {
		steps = append(steps, i)
	}
	for i := range at {
		steps = append(steps, (fork+1)*1_000_000+i)
	}
	return steps, parent, nil
}

// texts returns what some steps, one after the other, make of documents; ""
// stands for one that is removed.
func (s *row) texts(steps []int) map[int]string {
	texts := make(map[int]string)
	put := func(id int, text string) { texts[id] = text }
	for _, at := range steps {
		if at > 0 {
			s.step(at, put)
			continue
		}
		for id := range s.n {
			if text := s.first(id); text != "" {
				put(id, text)
			}
		}
	}
	return texts
}

// documents returns the texts at a commit.
func (s *row) documents(commit string) map[int]string {
	steps, _, err := s.line(commit)
	if err != nil {
		panic(err)
	}
	texts := s.texts(steps)
	maps.DeleteFunc(texts, func(_ int, text string) bool { return text == "" })
	return texts
}

func (s *row) Pull(_ context.Context, req contract.PullRequest) (*contract.Pull, error) {
	steps, parent, err := s.line(req.Commit)
	if err != nil {
		return nil, err
	}
	p := &contract.Pull{OnBranch: true}
	var texts map[int]string
	if parent != "" && req.Indexed(parent) {
		p.Base = parent
		texts = s.texts(steps[len(steps)-1:])
	} else {
		p.Complete = true
		texts = s.documents(req.Commit)
	}
	p.Ops = func(yield func(contract.Op, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(texts)) {
			op := contract.Op{Kind: contract.Upsert, ID: docID(id), Text: texts[id]}
			if op.Text == "" {
				op.Kind = contract.Delete
			}
			if !yield(op, nil) {
				return
			}
		}
	}
	p.Total = len(texts)
	return p, nil
}

// sentence is a text of some words, of which few are common and many rare.
func sentence(rng *rand.Rand) string {
	word := func() string { return fmt.Sprintf("w%d", int(rng.ExpFloat64()*300)) }
	return fmt.Sprintf("%s %s %s %s %s %s", word(), word(), word(), word(), word(), word())
}

// random returns a row in which every commit replaces as many documents.
func random(size sweepSize) *row {
	return &row{
		n:     size.documents,
		first: func(id int) string { return sentence(rand.New(rand.NewPCG(uint64(id), 1))) },
		step: func(at int, put func(int, string)) {
			rng := rand.New(rand.NewPCG(uint64(at), 7))
			for range size.changes {
				put(rng.IntN(size.documents), sentence(rng))
			}
		},
	}
}

// sweeper is an indexer with a row of commits: on a real directory for the
// targets, else in memory.
type sweeper struct {
	*indexer.Indexer
	t    *testing.T
	dir  string
	fs   vfs.FS
	cfg  indexer.Config
	size sweepSize
}

func newSweeper(t *testing.T, src contract.Source, size sweepSize, change ...func(*indexer.Config)) *sweeper {
	t.Helper()
	s := &sweeper{t: t, size: size, fs: vfstest.NewMem()}
	var files *vfs.OS
	if size.long {
		s.dir = t.TempDir()
		var err error
		if files, err = vfs.NewOS(s.dir); err != nil {
			t.Fatal(err)
		}
		s.fs = files
	}
	s.cfg = indexer.Config{
		FS: s.fs, Source: src, Renderer: rendering{}, Graph: size.graph,
		Embedder: &indexertest.Embedder{Dimensions: size.dim, BatchSize: 256},
	}
	for _, c := range change {
		c(&s.cfg)
	}
	s.open()
	t.Cleanup(func() {
		s.shut()
		if files == nil {
			return
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sweeper) open() {
	s.t.Helper()
	ix, err := indexer.Open(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Indexer = ix
}

func (s *sweeper) shut() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		s.t.Error(err)
	}
}

// index indexes a commit and returns once it is done.
func (s *sweeper) index(domain, commit, branch string) indexer.Task {
	s.t.Helper()
	task, err := s.Index(s.t.Context(), indexer.IndexRequest{Domain: domain, Commit: commit, Branch: branch})
	for err == nil && task.State == indexer.TaskPending {
		time.Sleep(50 * time.Microsecond) // poll of a real goroutine, as a client polls /check
		task, err = s.Task(task.ID)
	}
	if err != nil || task.State != indexer.TaskComplete {
		s.t.Fatalf("index %s: %v %s", commit, err, task.Error)
	}
	return task
}

// merged waits until no merge is asked for or under way.
func (s *sweeper) merged() {
	for s.Merging() > 0 {
		time.Sleep(time.Millisecond) // poll of the merger, which nobody waits for
	}
}

// recall returns the share of the true ten nearest that searches at the commit
// find, at the default breadth.
func (s *sweeper) recall(domain, commit string, queries int) float64 {
	s.t.Helper()
	vecs := make([][]float32, queries)
	for q := range vecs {
		vecs[q] = indexertest.Vector(sentence(rand.New(rand.NewPCG(uint64(q), 99))), s.size.dim)
	}
	nearest := s.nearest(commit, vecs)
	found, total := 0, 0
	for q, v := range vecs {
		got, err := s.Search(s.t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Vector: v, Options: search.Options{Page: search.Page{Count: len(nearest[q])}},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		total += len(nearest[q])
		for _, h := range got.Hits {
			if h.Distance <= nearest[q][len(nearest[q])-1] {
				found++
			}
		}
	}
	if total == 0 {
		return 1
	}
	return float64(found) / float64(total)
}

// nearest returns for each query the distances of the ten nearest documents of a
// commit, by measuring all.
func (s *sweeper) nearest(commit string, queries [][]float32) [][]float32 {
	const k = 10
	all := make([][]float32, len(queries))
	for _, text := range s.cfg.Source.(*row).documents(commit) {
		v := indexertest.Vector(text, s.size.dim)
		for q, query := range queries {
			d := vector.Distance(vector.Dot(query, v))
			if len(all[q]) == k && d >= all[q][k-1] {
				continue
			}
			at, _ := slices.BinarySearch(all[q], d)
			all[q] = slices.Insert(all[q], at, d)[:min(len(all[q])+1, k)]
		}
	}
	return all
}

// fresh returns the recall of the same commit in a domain where it is the only
// one.
func (s *sweeper) fresh(commit string, queries int) float64 {
	s.t.Helper()
	domain := "fresh/" + commit
	s.index(domain, commit, "")
	s.merged()
	r := s.recall(domain, commit, queries)
	if err := s.DeleteDomain(s.t.Context(), domain, true); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func percentile(d []time.Duration, p int) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[min(len(d)*p/100, len(d)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// TestManyCommits indexes a long row of commits that each replace some
// documents, merges included, and holds the costs to their targets: the CPU
// time and files of a commit, the recall against a fresh build of the same
// snapshot, the bytes of all, opening any cold, memory of many open.
func TestManyCommits(t *testing.T) {
	size := sizeOfSweep()
	s := newSweeper(t, random(size), size)
	s.index(domain, "c0", "")
	s.merged()
	var cpu, wall, mergeCPU []time.Duration
	var inTheWay time.Duration
	merges := 0
	for i := 1; i <= size.commits; i++ {
		if i == size.commits/2 {
			runtime.GC()
		}
		c, w := cpuTime(), time.Now()
		s.index(domain, fmt.Sprintf("c%d", i), "")
		cpu, wall = append(cpu, cpuTime()-c), append(wall, time.Since(w))
		if s.Merging() > 0 {
			merges++
			cpu, wall = cpu[:len(cpu)-1], wall[:len(wall)-1] // the merge's CPU is not the commit's
			c, other := cpuTime(), time.Now()
			if i < size.commits {
				// One that comes while the merge is under way does not wait.
				i++
				s.index(domain, fmt.Sprintf("c%d", i), "")
				inTheWay = max(inTheWay, time.Since(other))
			}
			s.merged()
			mergeCPU = append(mergeCPU, cpuTime()-c)
		}
	}
	t.Logf("CPU of a commit of %d changes: p50 %.1f ms, p95 %.1f ms, max %.1f ms; wall p50 %.1f ms, p95 %.1f ms; fsync %.2f ms; during a merge at most %.1f ms",
		size.changes, ms(percentile(cpu, 50)), ms(percentile(cpu, 95)), ms(slices.Max(cpu)), ms(percentile(wall, 50)), ms(percentile(wall, 95)), ms(fsyncTime(t, s.dir)), ms(inTheWay))
	t.Logf("%d merges, CPU p50 %.1f s", merges, percentile(mergeCPU, 50).Seconds())
	if merges == 0 {
		t.Error("no merge")
	}
	if limit := 25 * time.Millisecond; size.long && percentile(cpu, 95) > limit {
		t.Errorf("CPU of a commit at the 95th percentile is %v, want at most %v", percentile(cpu, 95), limit)
	}
	s.checkBytes()
	s.checkRecall()
	s.checkOpening()
	s.checkMemory()
}

// checkBytes holds the sizes of files.
func (s *sweeper) checkBytes() {
	t := s.t
	infos, err := s.Commits(domain)
	if err != nil {
		t.Fatal(err)
	}
	var graphs, deltas, entries, full, worst int64
	merged := 0
	for _, info := range infos {
		d, err := snapshot.Inspect(s.fs, snapshot.FileName(domain, info.Commit))
		if err != nil {
			t.Fatal(err)
		}
		texts := d.Sections[0].Length
		if info.Kind == "checkpoint" || len(d.Graph) > 0 { // written by a merge
			graphs += int64(len(d.Graph))
			entries += d.Size - int64(len(d.Graph)) - texts
			merged++
			if info.Kind == "checkpoint" {
				full = max(full, d.Size-texts)
			}
			continue
		}
		deltas += d.Size - texts
		worst = max(worst, d.Size)
	}
	all := float64(graphs+deltas+entries) / float64(full)
	t.Logf("without texts: %d files of merges, the largest checkpoint of %.1f MB, of which graphs take %.1f MB in all, entries %.1f MB; deltas %.1f MB; in all %.1f full indexes. The largest file of a commit has %.1f KB, texts included",
		merged, mb(full), mb(graphs), mb(entries), mb(deltas), all, float64(worst)/1000)
	if worst > 100_000 {
		t.Errorf("a commit of %d changes has a file of %d bytes, want at most 100 KB", s.size.changes, worst)
	}
	if s.size.long && all > 12 {
		t.Errorf("the index takes %.1f full ones, want at most 12", all)
	}
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// checkRecall compares samples with fresh builds.
func (s *sweeper) checkRecall() {
	t, queries := s.t, s.size.queries
	last := s.size.commits
	for _, at := range []int{0, last / 11, last/2 - 1, last - 1, last} {
		commit := fmt.Sprintf("c%d", at)
		got, want := s.recall(domain, commit, queries), s.fresh(commit, queries)
		t.Logf("%s: recall@10 %.4f, of a fresh build %.4f", commit, got, want)
		if got < want-0.005 {
			t.Errorf("%s: recall@10 is %.4f, that of a fresh build %.4f", commit, got, want)
		}
	}
}

// checkOpening opens commits from nothing.
func (s *sweeper) checkOpening() {
	t := s.t
	var took []time.Duration
	infos, err := s.Commits(domain)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(infos); i += 7 {
		s.shut()
		s.open()
		start := time.Now()
		if _, err := s.Documents(t.Context(), domain, infos[i].Commit); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	t.Logf("opening %d commits cold: p50 %.1f ms, max %.1f ms", len(took), ms(percentile(took, 50)), ms(slices.Max(took)))
	if limit := 100 * time.Millisecond; s.size.long && slices.Max(took) > limit {
		t.Errorf("opening a commit took %v, want at most %v", slices.Max(took), limit)
	}
}

// checkMemory compares the memory of one open snapshot with that of fifty on
// the same checkpoint.
func (s *sweeper) checkMemory() {
	t := s.t
	infos, err := s.Commits(domain) // newest first
	if err != nil {
		t.Fatal(err)
	}
	// The longest row of commits without a checkpoint between.
	var rows [][]search.CommitInfo
	from := 0
	for i, info := range infos {
		if info.Kind == "checkpoint" {
			rows = append(rows, infos[from:i+1])
			from = i + 1
		}
	}
	row := slices.MaxFunc(rows, func(a, b []search.CommitInfo) int { return cmp.Compare(len(a), len(b)) })
	row = row[max(len(row)-50, 0):]
	memory := func(commits []search.CommitInfo) (heap, counted int64) {
		s.shut()
		s.open()
		for _, info := range commits {
			if _, err := s.Documents(t.Context(), domain, info.Commit); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st, err := s.Statistics("none")
		if err != nil {
			t.Fatal(err)
		}
		return int64(m.HeapAlloc), st.SnapshotBytes
	}
	none, _ := memory(nil)
	one, oneCounted := memory(row[:1])
	many, manyCounted := memory(row)
	ratio := float64(many-none) / float64(one-none)
	t.Logf("memory: one snapshot %.1f MB (counted %.1f), %d snapshots %.1f MB (counted %.1f): %.2f times", mb(one-none), mb(oneCounted), len(row), mb(many-none), mb(manyCounted), ratio)
	if s.size.long && ratio > 1.5 {
		t.Errorf("%d open snapshots take %.2f times the memory of one, want less than 1.5", len(row), ratio)
	}
}

// fsyncTime measures a bare append and fsync of a page, the median of some.
func fsyncTime(t testing.TB, dir string) time.Duration {
	if dir == "" {
		return 0 // in memory
	}
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Error(err)
		}
	}()
	var all []time.Duration
	for range 21 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Since(start))
	}
	return percentile(all, 50)
}

// TestSweepKeepsNamedVectors: a file of vectors beside the main ones is kept while
// a commit lists it.
func TestSweepKeepsNamedVectors(t *testing.T) {
	mem := vfstest.NewMem()
	h := snapshot.Header{
		Kind: snapshot.Checkpoint, Domain: domain, Commit: "c1", Seq: 1,
		Others: []snapshot.NamedVectors{{Name: "more", Vectors: snapshot.Vectors{Vecs: vecstore.FileName(domain, "more")}}},
	}
	if _, err := snapshot.Write(mem, h, snapshot.Contents{}); err != nil {
		t.Fatal(err)
	}
	mem.WriteFile(vecstore.FileName(domain, "more"), []byte("kept"))
	mem.WriteFile(vecstore.FileName(domain, "other"), []byte("not kept"))
	var removed []string
	_, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: mem}, func(r indexer.Removal) { removed = append(removed, r.File) })
	if want := []string{vecstore.FileName(domain, "other")}; err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %q, %v; want %q", removed, err, want)
	}
}
