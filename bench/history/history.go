package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

const (
	warmUp     = 20  // commits before a window
	windowSize = 200 // commits
	oldCommits = 200 // that are searched
)

// histories measures a history for each number of documents.
func (b *bench) histories(ctx context.Context, dir string) error {
	for _, n := range b.documents {
		in := filepath.Join(dir, fmt.Sprint(n))
		if err := b.history(ctx, in, n); err != nil {
			return fmt.Errorf("%d documents: %w", n, err)
		}
		if err := os.RemoveAll(in); err != nil {
			return err
		}
	}
	return nil
}

// kept is the copy of a history as it was at some length.
type kept struct {
	dir     string
	length  int // when it was copied
	commits int // now
	// By round: CPU time of a commit, alone (the median of a window) and with
	// all that it made due (the mean), and of a start.
	alone, together, start []time.Duration
	heap                   int64 // bytes that a start leaves in use
}

func (b *bench) history(ctx context.Context, dir string, n int) error {
	c := corpus.New(1)
	texts := make([]string, n)
	for i := range texts {
		texts[i] = c.Text(words)
	}
	live := filepath.Join(dir, "live")
	h, err := begin(ctx, live, texts)
	if err != nil {
		return err
	}
	var (
		copies []*kept
		merges time.Duration
	)
	for _, length := range b.commits {
		for h.commits < length {
			id, text, _, merging, err := h.commit(ctx)
			if err != nil {
				return errors.Join(fmt.Errorf("commit %d: %w", h.commits+1, err), h.close())
			}
			texts[id] = text
			merges += merging
		}
		if n >= withGraph {
			if err := b.graph(ctx, h, dir, texts, merges); err != nil {
				return errors.Join(err, h.close())
			}
		}
		if err := h.close(); err != nil {
			return err
		}
		k := &kept{dir: filepath.Join(dir, fmt.Sprint("at-", length)), length: length, commits: length}
		if err := os.CopyFS(k.dir, os.DirFS(live)); err != nil {
			return err
		}
		copies = append(copies, k)
		if h.store, err = open(live, 0); err != nil {
			return err
		}
	}
	if err := errors.Join(h.close(), os.RemoveAll(live)); err != nil {
		return err
	}
	for range b.rounds {
		for _, k := range copies {
			if err := k.round(ctx, n); err != nil {
				return err
			}
		}
	}
	for _, k := range copies {
		if err := k.weigh(); err != nil {
			return err
		}
	}
	b.report(n, copies)
	for _, k := range copies {
		if err := b.oldCommits(ctx, n, k); err != nil {
			return err
		}
	}
	return nil
}

// round measures a start and a window of commits.
func (k *kept) round(ctx context.Context, documents int) (err error) {
	cpu := cputime.Process()
	s, err := open(k.dir, 0)
	if err != nil {
		return err
	}
	k.start = append(k.start, cputime.Process()-cpu)
	defer func() { err = errors.Join(err, s.close()) }()
	s.merge()
	h := &history{store: s, texts: corpus.New(uint64(k.commits)), documents: documents, commits: k.commits}
	defer func() { k.commits = h.commits }()
	for range warmUp {
		if _, _, _, _, err := h.commit(ctx); err != nil {
			return err
		}
	}
	runtime.GC()
	var each []time.Duration
	all := cputime.Process()
	for range windowSize {
		_, _, cpu, _, err := h.commit(ctx)
		if err != nil {
			return err
		}
		each = append(each, cpu)
	}
	k.together = append(k.together, (cputime.Process()-all)/windowSize)
	k.alone = append(k.alone, median(each))
	return nil
}

// weigh measures the memory that a start takes. Tasks are left out: finished ones
// are kept for an hour, and no more than 10,000 of them. So are snapshots that a
// start opens to see whether a merge is due: the pool keeps none.
func (k *kept) weigh() error {
	if err := os.Remove(filepath.Join(k.dir, taskFile)); err != nil {
		return err
	}
	before := heap()
	s, err := open(k.dir, 1)
	if err != nil {
		return err
	}
	s.merge()
	k.heap = heap() - before
	return s.close()
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held, and what has a finalizer
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// report adds the lines of what was measured in turns.
func (b *bench) report(n int, copies []*kept) {
	first := copies[0]
	for _, k := range copies {
		in := fmt.Sprintf("%d documents, %d commits: ", n, k.length)
		alone, together := median(k.alone), median(k.together)
		b.add(in+"CPU of a commit of one document, alone / with its merges", "%s / %s", ms(alone), ms(together))
		if k != first {
			for _, r := range []struct {
				what string
				is   time.Duration
				was  time.Duration
			}{{"alone", alone, median(first.alone)}, {"with merges", together, median(first.together)}} {
				ratio := float64(r.is) / float64(r.was)
				b.hold(ratio <= 1.2, "≤ 1.2", in+fmt.Sprintf("that CPU, %s, in those at %d", r.what, first.length), "%.2f", ratio)
			}
		}
		start := median(k.start)
		b.hold(start <= 500*time.Millisecond, "≤ 500 ms", in+"CPU of a start", "%s", ms(start))
	}
	// What a start holds whatever the history is in both.
	last := copies[len(copies)-1]
	bytes, commits := last.heap, last.commits
	if last != first {
		bytes, commits = last.heap-first.heap, last.commits-first.commits
	}
	each := float64(bytes) / float64(commits)
	b.hold(each <= 400, "≤ 400", fmt.Sprintf("%d documents, %d commits: bytes of memory a commit after a start", n, last.length), "%.0f", each)
}

// oldCommits measures searches at random commits that nothing holds open.
func (b *bench) oldCommits(ctx context.Context, n int, k *kept) error {
	for _, pool := range []struct {
		bytes int64
		what  string
	}{{1, "nothing in the pool"}, {0, "after a start, each once"}} {
		s, err := open(k.dir, pool.bytes)
		if err != nil {
			return err
		}
		s.merge()
		cpus, walls, err := s.search(ctx, k.commits)
		if err := errors.Join(err, s.close()); err != nil {
			return err
		}
		what := fmt.Sprintf("%d documents, %d commits: CPU of a search at an old commit, %s, p50 / p95 (wall)", n, k.length, pool.what)
		p50 := median(cpus)
		text := fmt.Sprintf("%s / %s (%s / %s)", ms(p50), ms(percentile(cpus, 95)), ms(median(walls)), ms(percentile(walls, 95)))
		b.hold(p50 <= 10*time.Millisecond, "p50 ≤ 10 ms", what, "%s", text)
	}
	return nil
}

// search searches random commits of a history, each once.
func (s *store) search(ctx context.Context, commits int) (cpus, walls []time.Duration, err error) {
	rng := rand.New(rand.NewPCG(9, 9))
	c := corpus.New(8)
	for _, at := range rng.Perm(commits)[:min(commits, oldCommits)] {
		req := query(c)
		req.Ref.Commit = commitName(at)
		cpu, wall := cputime.Process(), time.Now()
		hits, err := s.ix.Search(ctx, req)
		if err != nil {
			return nil, nil, err
		}
		cpus, walls = append(cpus, cputime.Process()-cpu), append(walls, time.Since(wall))
		if len(hits.Hits) != req.Page.Count {
			return nil, nil, fmt.Errorf("a search at commit %d finds %d documents", at, len(hits.Hits))
		}
		s.merge()
	}
	return cpus, walls, nil
}

// query returns a search at the history's head.
func query(c *corpus.Corpus) search.SearchRequest {
	return search.SearchRequest{
		Domain: historic, Ref: search.Ref{Branch: contract.MainBranch}, Vector: corpus.Vector(c.Text(4)),
		Options: search.Options{Page: search.Page{Count: 10}},
	}
}
