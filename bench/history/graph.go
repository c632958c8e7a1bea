package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

const (
	withGraph = 5000 // documents, from which on there is a graph
	queries   = 1000
)

// matrix holds the vectors of texts, by document.
type matrix []float32

func matrixOf(texts []string) matrix {
	m := make(matrix, 0, len(texts)*corpus.Dim)
	for _, text := range texts {
		m = append(m, corpus.Vector(text)...)
	}
	return m
}

// Dim implements hnsw.Vectors.
func (m matrix) Dim() int { return corpus.Dim }

// Read implements hnsw.Vectors.
func (m matrix) Read(slot uint32, dst []float32) error {
	copy(dst, m[int(slot)*corpus.Dim:])
	return nil
}

// Dots implements hnsw.Vectors.
func (m matrix) Dots(q []float32, slots []uint32, dst []float32) error {
	vector.Dots(dst, q, m, corpus.Dim, slots)
	return nil
}

// graph measures what the merges so far have cost and come to: against one
// build, and against an index of the same documents that has no history.
func (b *bench) graph(ctx context.Context, h *history, dir string, texts []string, merges time.Duration) error {
	in := fmt.Sprintf("%d documents, %d commits: ", len(texts), h.commits)
	m := matrixOf(texts)
	slots := make([]uint32, len(texts))
	for i := range slots {
		slots[i] = uint32(i)
	}
	cpu := cputime.Process()
	if _, err := hnsw.Build(ctx, m, slots, hnsw.Params{}, 0); err != nil {
		return err
	}
	build := cputime.Process() - cpu
	ratio := merges.Seconds() / build.Seconds()
	what := in + "CPU of all merges, in builds of the graph"
	switch {
	case h.commits <= 1000:
		b.hold(ratio <= .5, "≤ 0.5", what, "%.2f (a build: %.1f s)", ratio, build.Seconds())
	case h.commits <= 10_000:
		b.hold(ratio <= 2, "≤ 2", what, "%.2f (a build: %.1f s)", ratio, build.Seconds())
	default:
		b.add(what, "%.2f (a build: %.1f s)", ratio, build.Seconds())
	}

	plain := filepath.Join(dir, "plain")
	fresh, err := begin(ctx, plain, texts)
	if err != nil {
		return err
	}
	truth, err := nearest(ctx, m, slots)
	var got, want float64
	if err == nil {
		got, err = h.recall(ctx, truth)
	}
	if err == nil {
		want, err = fresh.recall(ctx, truth)
	}
	if err := errors.Join(err, fresh.close()); err != nil {
		return err
	}
	full, err := diskUse(plain)
	if err != nil {
		return err
	}
	all, err := diskUse(filepath.Join(dir, "live"))
	if err != nil {
		return err
	}
	ratio, what = float64(all)/float64(full), in+"bytes of files, vectors and full text aside, in full indexes"
	if h.commits <= 1000 {
		b.hold(ratio <= 1.5, "≤ 1.5", what, "%.2f (a full index: %.1f MB)", ratio, float64(full)/1e6)
	} else {
		b.add(what, "%.2f (a full index: %.1f MB)", ratio, float64(full)/1e6)
	}
	b.hold(got >= want-0.005, "≥ −0.005", in+"recall@10 at the head, less that of a fresh index", "%+.4f (%.4f, %.4f)", got-want, got, want)
	return os.RemoveAll(plain)
}

// diskUse returns the bytes of a directory's files, other than those of vectors,
// of full text and of tasks.
func diskUse(dir string) (sum int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		switch ext := filepath.Ext(e.Name()); {
		case ext == ".vecs", ext == ".ranges", ext == ".zap", strings.HasPrefix(e.Name(), "tasks."):
			continue
		}
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// nearest returns, for each query, how near its ten nearest vectors are at least.
func nearest(ctx context.Context, m matrix, slots []uint32) ([]float32, error) {
	c := corpus.New(7)
	least := make([]float32, queries)
	for i := range least {
		req := query(c)
		hits, err := hnsw.Scan(ctx, m, req.Vector, slots, req.Page.Count)
		if err != nil {
			return nil, err
		}
		least[i] = hits[len(hits)-1].Dot
	}
	return least, nil
}

// recall returns the share of the ten nearest documents that searches at the
// head find. Equally near ones stand for each other.
func (h *history) recall(ctx context.Context, least []float32) (float64, error) {
	c := corpus.New(7)
	found, all := 0, 0
	for i := range least {
		req := query(c)
		hits, err := h.ix.Search(ctx, req)
		if err != nil {
			return 0, err
		}
		for _, hit := range hits.Hits {
			if hit.Distance <= vector.Distance(least[i]) {
				found++
			}
		}
		all += req.Page.Count
	}
	return float64(found) / float64(all), nil
}
