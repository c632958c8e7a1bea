package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
)

// manyDocuments is the size of the set that costs are measured on.
const manyDocuments = 60_000

// scale measures what clusters and the map of many documents cost, with the index
// built. Their vectors are sums of the directions of their words.
func scale(ctx context.Context, b *bench) error {
	files, err := vfs.NewOS(b.scratch)
	if err != nil {
		return err
	}
	defer files.Close()
	config := indexer.Config{FS: files, Embedder: corpus.Embedder{}, Renderer: templates.New(templates.Limits{})}
	ix, err := indexer.Open(config)
	if err != nil {
		return err
	}
	words := corpus.New(1)
	texts := make(map[string]string, manyDocuments)
	for i := range manyDocuments {
		texts[fmt.Sprintf("many/%05d", i)] = words.Text(12)
	}
	many := &bench{data: b.data, ix: ix}
	const domain = "bench/many"
	if err := many.index(ctx, domain, textindex.English, texts); err != nil {
		return err
	}
	base := indexer.PushRequest{Domain: domain, Branch: "main", Commit: "d", Parent: commit}
	if err := many.push(ctx, base, map[string]string{"many/00007": words.Text(12), "many/new": words.Text(12)}); err != nil {
		return err
	}
	// What is due is merged before anything is measured, which begins with nothing open.
	for ix.Merging() > 0 {
		time.Sleep(100 * time.Millisecond)
	}
	if err := ix.Close(ctx); err != nil {
		return err
	}
	if ix, err = indexer.Open(config); err != nil {
		return err
	}
	defer func() { _ = ix.Close(ctx) }()
	fmt.Printf("| %d documents, CPU time | |\n|---|---:|\n", manyDocuments)
	took := func(name string, do func() error) error {
		start := cputime.Process()
		if err := do(); err != nil {
			return err
		}
		fmt.Printf("| %s | %v |\n", name, (cputime.Process() - start).Round(10*time.Millisecond))
		return nil
	}
	ref := search.Ref{Commit: commit}
	group := func(o overview.ClusterOptions) func() error {
		return func() error {
			_, err := overview.New(ix.Reader).Clusters(ctx, overview.ClustersRequest{Domain: domain, Ref: ref, ClusterOptions: o})
			return err
		}
	}
	place := func(ref search.Ref) func() error {
		return func() error {
			_, err := overview.New(ix.Reader).Map(ctx, overview.MapRequest{Domain: domain, Ref: ref})
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"clusters, neighbours included", group(overview.ClusterOptions{})},
		{"the same again", group(overview.ClusterOptions{})},
		{"77 clusters by k-means", group(overview.ClusterOptions{K: 77})},
		{"map, neighbours included", place(ref)},
		{"map of the next commit, of two changes", place(search.Ref{Commit: "d"})},
	} {
		if err := took(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}
