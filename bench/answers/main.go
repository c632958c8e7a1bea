// Command answers measures what people get as answers on sets of which the right
// ones are known.
//
//	go run ./bench/answers [-data DIR] [-only NAME,…]
//
// The embedder is the model inside vectorlink, every setting the default but for
// the language. Sets are read from DIR, ../shared/data/quality by default, and
// made from manuals that the go command fetches; those that are not there are
// said to be missing. Each table prints its figures as lines of Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

// tables are what is measured, in the order in which it is printed.
var tables = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"retrieval", retrieval},
	{"duplicates", duplicates},
	{"since", since},
	{"clusters", clusters},
	{"scale", scale},
}

// bench is what every table is given.
type bench struct {
	data    string // the directory of the sets
	scratch string // an empty directory
	ix      *indexer.Indexer
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("answers: ")
	data := flag.String("data", "../shared/data/quality", "directory of the sets")
	only := flag.String("only", "", "tables to print, with commas between (default all)")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), *data, *only); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, data, only string) error {
	dir, err := os.MkdirTemp("", "answers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := vfs.NewOS(dir)
	if err != nil {
		return err
	}
	defer files.Close()
	local, err := embed.Local(0)
	if err != nil {
		return err
	}
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: local, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		return err
	}
	defer func() { _ = ix.Close(ctx) }()
	for _, t := range tables {
		if only != "" && !slices.Contains(strings.Split(only, ","), t.name) {
			continue
		}
		scratch, err := os.MkdirTemp("", "answers")
		if err != nil {
			return err
		}
		err = t.run(ctx, &bench{data, scratch, ix})
		_ = os.RemoveAll(scratch)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Println()
	}
	return nil
}

// commit is the one that index makes.
const commit = "c"

// index pushes texts by their ids as the one commit of a domain.
func (b *bench) index(ctx context.Context, domain, language string, texts map[string]string) error {
	return b.push(ctx, indexer.PushRequest{
		Domain: domain, Branch: "main", Commit: commit, Settings: catalog.SettingsRequest{Language: language},
	}, texts)
}

// push makes a commit of texts by their ids.
func (b *bench) push(ctx context.Context, req indexer.PushRequest, texts map[string]string) error {
	push, err := b.ix.StartPush(ctx, req)
	if err != nil {
		return err
	}
	for id, text := range texts {
		if err := push.Apply(contract.Op{Kind: contract.Upsert, ID: id, Text: text}); err != nil {
			return err
		}
	}
	push.Finish()
	<-push.Done()
	return push.Err()
}
