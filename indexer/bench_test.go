package indexer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
)

// growing is a source of one long line of commits: the first inserts n
// documents, each further one replaces some.
type growing struct{ n, changes int }

func (s growing) Pull(_ context.Context, req contract.PullRequest) (*contract.Pull, error) {
	var at int
	if _, err := fmt.Sscanf(req.Commit, "c%d", &at); err != nil {
		return nil, fmt.Errorf("%w: %s", contract.ErrNotFound, req.Commit)
	}
	p := &contract.Pull{OnBranch: true}
	if at > 0 {
		p.Base = fmt.Sprintf("c%d", at-1)
	}
	rng := rand.New(rand.NewPCG(uint64(at), 7))
	word := func() string { return fmt.Sprintf("w%d", int(rng.ExpFloat64()*300)) }
	p.Ops = func(yield func(contract.Op, error) bool) {
		count := s.changes
		if at == 0 {
			count = s.n
		}
		for i := range count {
			doc := i
			if at > 0 {
				doc = rng.IntN(s.n)
			}
			text := fmt.Sprintf("%s %s %s %s %s %s", word(), word(), word(), word(), word(), word())
			if !yield(contract.Op{Kind: contract.Upsert, ID: fmt.Sprintf("terminusdb:///bench/Doc/%d", doc), Text: text}, nil) {
				return
			}
		}
	}
	p.Total = s.changes
	return p, nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommit is a commit of 100 changed documents on a domain of 60,000
// of 384 dimensions, merges kept out of the way. It prints the process's CPU
// time for a commit at the median and the 95th percentile, the wall time, that
// of a bare fsync on the same disk, and the bytes written besides vectors.
func BenchmarkCommit(b *testing.B) {
	n := 60_000
	if os.Getenv("VECTORLINK_LONG") == "" {
		n = 6_000
	}
	dir := b.TempDir()
	files, err := vfs.NewOS(dir)
	if err != nil {
		b.Fatal(err)
	}
	emb := &indexertest.Embedder{Dimensions: 384, BatchSize: 256}
	ix, err := indexer.Open(indexer.Config{FS: files, Source: growing{n, 100}, Embedder: emb, Renderer: rendering{},
		Graph: indexer.Graph{MinVectors: 1 << 30, MaxDeltas: 1 << 30}})
	if err != nil {
		b.Fatal(err)
	}
	index := func(i int) {
		task, err := ix.Index(b.Context(), indexer.IndexRequest{Domain: domain, Commit: fmt.Sprintf("c%d", i)})
		for err == nil && task.State == indexer.TaskPending {
			time.Sleep(50 * time.Microsecond)
			task, err = ix.Task(task.ID)
		}
		if err != nil || task.State != indexer.TaskComplete {
			b.Fatal(err, task.Error)
		}
	}
	index(0)
	runtime.GC()
	var cpu, wall []time.Duration
	i := 0
	for b.Loop() {
		i++
		c, w := cpuTime(), time.Now()
		index(i)
		cpu, wall = append(cpu, cpuTime()-c), append(wall, time.Since(w))
	}
	slices.Sort(cpu)
	slices.Sort(wall)
	infos, err := ix.Commits(domain)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpu[len(cpu)/2].Microseconds())/1000, "cpu-ms/p50")
	b.ReportMetric(float64(cpu[len(cpu)*95/100].Microseconds())/1000, "cpu-ms/p95")
	b.ReportMetric(float64(wall[len(wall)/2].Microseconds())/1000, "wall-ms/p50")
	b.ReportMetric(float64(infos[0].Bytes)/1024, "KiB/commit")
	b.ReportMetric(float64(fsync(b, dir).Microseconds())/1000, "fsync-ms")
	if err := ix.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// fsync measures a bare append and fsync of a page, the median of some.
func fsync(b *testing.B, dir string) time.Duration {
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var all []time.Duration
	for range 21 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkSearchModes searches 60,000 documents (10,000 unless
// VECTORLINK_LONG=1) of one 384-dimensional vector each through their graph, by
// vector, by words and by both. The query's vector is known already.
func BenchmarkSearchModes(b *testing.B) {
	n := 60_000
	if os.Getenv("VECTORLINK_LONG") == "" {
		n = 10_000
	}
	files, err := vfs.NewOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ix, err := indexer.Open(indexer.Config{FS: files, Source: growing{n, 100}, Embedder: &indexertest.Embedder{Dimensions: 384, BatchSize: 256}, Renderer: rendering{}})
	if err != nil {
		b.Fatal(err)
	}
	task, err := ix.Index(b.Context(), indexer.IndexRequest{Domain: domain, Commit: "c0"})
	for err == nil && (task.State == indexer.TaskPending || ix.Merging() > 0) {
		time.Sleep(time.Millisecond)
		task, err = ix.Task(task.ID)
	}
	if err != nil || task.State != indexer.TaskComplete {
		b.Fatal(err, task.Error)
	}
	for _, mode := range []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid} {
		b.Run(string(mode), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(9, 9))
			var queries []string
			for range 64 {
				queries = append(queries, fmt.Sprintf("w%d w%d w%d", int(rng.ExpFloat64()*300), int(rng.ExpFloat64()*300), int(rng.ExpFloat64()*300)))
			}
			search := func(i int) {
				hits, err := ix.Search(b.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c0"},
					Text: queries[i%len(queries)], Mode: mode, Options: search.Options{Page: search.Page{Count: 10}}})
				if err != nil || len(hits.Hits) < 10 && mode != search.ModeText {
					b.Fatal(len(hits.Hits), err)
				}
			}
			for i := range queries {
				search(i)
			}
			i, start := 0, cpuTime()
			for b.Loop() {
				i++
				search(i)
			}
			b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
	if err := ix.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
