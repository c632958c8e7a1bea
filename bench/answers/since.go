package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

// since measures what the pairs cost that a commit brought, of a catalogue of 50,000
// with the index built, in a process that was asked for none before and then again;
// and all pairs. Vectors are sums of the directions of their words.
func since(ctx context.Context, b *bench) error {
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
	set := catalogue(1, 50_000)
	many := &bench{data: b.data, ix: ix}
	const domain = "bench/since"
	if err := many.index(ctx, domain, "en", set.docs); err != nil {
		return err
	}
	changed := make(map[string]string)
	for i := range 10 {
		changed[fmt.Sprint("A/new-", i)] = set.docs[fmt.Sprint("A/", i)] + " again"
	}
	if err := many.push(ctx, indexer.PushRequest{Domain: domain, Branch: "main", Commit: "d", Parent: commit}, changed); err != nil {
		return err
	}
	if err := ix.Close(ctx); err != nil {
		return err
	}
	if ix, err = indexer.Open(config); err != nil {
		return err
	}
	defer func() { _ = ix.Close(ctx) }()
	// The snapshots are opened, which has them merged, and opened again as they are then.
	for _, at := range []string{commit, "d", "d", "d"} {
		for ix.Merging() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if _, err := ix.Search(ctx, search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: at}, Mode: search.ModeVector, Text: "lamp", Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
			return err
		}
	}
	fmt.Printf("| pairs of %d documents, CPU time | | pairs |\n|---|---:|---:|\n", len(set.docs)+len(changed))
	for _, step := range []struct{ name, since string }{
		{"since the commit before", commit}, {"the same again", commit}, {"all", ""}, {"the same again", ""},
	} {
		start, n := cputime.Process(), 0
		err := pairs.New(ix.Reader).NearPairs(ctx, pairs.DuplicatesRequest{
			Domain: domain, Ref: search.Ref{Commit: "d"}, Threshold: -1, Since: step.since, Pairing: pairs.Pairing{Likeness: pairs.LikenessMixed, MinScore: -1},
		}, func(all *pairs.NearPairs) error {
			for _, err := range all.Pairs {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %v | %d |\n", step.name, (cputime.Process() - start).Round(10*time.Millisecond), n)
	}
	return nil
}
