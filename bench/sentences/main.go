// Command sentences makes the data sets of sentence embeddings that the
// benchmarks use, from what every machine with Go has: the comments of the
// standard library, embedded by the model inside vectorlink.
//
//	go run ./bench/sentences -out DIR [-n 60000] [-queries 1000]
//
// It writes raw little-endian float32 rows and, per query, the row numbers of
// its 100 nearest as uint32, found by measuring them all:
//
//	sentences-384-{base,query}.f32   sentences-384-top100.u32
//	sentences-1536-{base,query}.f32  sentences-1536-top100.u32
//
// A row of 384 is a sentence. A row of 1536 is a sentence with the three that
// follow it, side by side and each of less weight than the one before: vectors
// of that length without a provider to ask, whose neighbourhoods come from text
// all the same. Files that are there already are left alone.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/vector"
)

// near is how many neighbours of a query are kept.
const near = 100

// weights are those of a sentence and its successors in a row of 1536.
var weights = []float32{1, 0.7, 0.5, 0.35}

func main() {
	log.SetFlags(0)
	log.SetPrefix("sentences: ")
	out := flag.String("out", "", "`directory` to write to")
	n := flag.Int("n", 60000, "rows to search in")
	queries := flag.Int("queries", 1000, "rows to search for")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 || *n < near || *queries < 1 || *queries > *n {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*out, *n, *queries); err != nil {
		log.Fatal(err)
	}
}

func run(out string, n, queries int) error {
	if exists(out, 384) && exists(out, 1536) {
		return nil
	}
	texts, err := sentences(n + queries)
	if err != nil {
		return err
	}
	log.Printf("embedding %d sentences", len(texts))
	rows, err := embedAll(texts)
	if err != nil {
		return err
	}
	if err := write(out, 384, rows, queries); err != nil {
		return err
	}
	wide := make([][]float32, len(rows))
	for i := range rows {
		for j, w := range weights {
			for _, x := range rows[(i+j)%len(rows)] {
				wide[i] = append(wide[i], w*x)
			}
		}
		vector.Normalize(wide[i])
	}
	return write(out, 1536, wide, queries)
}

// sentences returns n different sentences, in the order of the files they are
// from. Which files is decided by a hash of their names.
func sentences(n int) ([]string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	var files []string
	err = filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
			return err
		}
		files = append(files, path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(hash(src, a), hash(src, b)), cmp.Compare(a, b)) })
	seen := map[string]bool{}
	byFile := map[string][]string{}
	total := 0
	for _, path := range files {
		if total == n {
			break
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue // some files are there to be wrong
		}
		for _, c := range f.Comments {
			for _, s := range split(c) {
				if total < n && !seen[s] {
					seen[s] = true
					byFile[path] = append(byFile[path], s)
					total++
				}
			}
		}
	}
	if total < n {
		return nil, fmt.Errorf("%s has %d sentences, want %d", src, total, n)
	}
	slices.Sort(files)
	var all []string
	for _, path := range files {
		all = append(all, byFile[path]...)
	}
	return all, nil
}

func hash(root, path string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.TrimPrefix(path, root))) // never fails
	return h.Sum64()
}

// split returns the sentences of a comment, without code and headings.
func split(c *ast.CommentGroup) []string {
	var out []string
	for para := range strings.SplitSeq(c.Text(), "\n\n") {
		if strings.HasPrefix(para, "\t") || strings.HasPrefix(para, "#") || strings.Contains(para, "Copyright") {
			continue
		}
		text := strings.Join(strings.Fields(para), " ")
		for s := range strings.SplitSeq(text, ". ") {
			s = strings.TrimSuffix(s, ".")
			if words := strings.Count(s, " ") + 1; words >= 5 && words <= 60 {
				out = append(out, s)
			}
		}
	}
	return out
}

func embedAll(texts []string) ([][]float32, error) {
	model, err := embed.Local(0)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, 0, len(texts))
	for part := range slices.Chunk(texts, 32*model.Batch()) {
		vecs, err := model.Embed(context.Background(), contract.EmbedRequest{Role: contract.RoleDocument, Texts: part})
		if err != nil {
			return nil, err
		}
		rows = append(rows, vecs...)
		log.Printf("%d of %d", len(rows), len(texts))
	}
	return rows, nil
}

func name(dim int, what string) string { return fmt.Sprintf("sentences-%d-%s", dim, what) }

func exists(out string, dim int) bool {
	_, err := os.Stat(filepath.Join(out, name(dim, "top100.u32"))) // the last to be written
	return err == nil
}

// write puts every so many-th row among the queries and the others into the
// base, and writes both and the truth.
func write(out string, dim int, rows [][]float32, queries int) error {
	if exists(out, dim) {
		return nil
	}
	every := len(rows) / queries
	var base, query [][]float32
	for i, r := range rows {
		if i%every == every/2 && len(query) < queries {
			query = append(query, r)
		} else {
			base = append(base, r)
		}
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	truth := nearest(base, query)
	for _, f := range []struct {
		name string
		data any
	}{{"base.f32", base}, {"query.f32", query}, {"top100.u32", truth}} {
		if err := writeFile(filepath.Join(out, name(dim, f.name)), f.data); err != nil {
			return err
		}
	}
	log.Printf("wrote %d × %d", len(base), dim)
	return nil
}

// nearest returns the rows of base with the greatest inner products with each
// query.
func nearest(base, query [][]float32) [][]uint32 {
	truth := make([][]uint32, len(query))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			sims, order := make([]float32, len(base)), make([]uint32, len(base))
			for q := next.Add(1) - 1; int(q) < len(query); q = next.Add(1) - 1 {
				for i, row := range base {
					sims[i], order[i] = vector.Dot(query[q], row), uint32(i)
				}
				slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(sims[b], sims[a]), cmp.Compare(a, b)) })
				truth[q] = slices.Clone(order[:near])
			}
		})
	}
	wg.Wait()
	return truth
}

// writeFile writes rows of numbers, under a temporary name until it is whole.
func writeFile(path string, rows any) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	switch rows := rows.(type) {
	case [][]float32:
		for _, r := range rows {
			if err == nil {
				err = binary.Write(w, binary.LittleEndian, r)
			}
		}
	case [][]uint32:
		for _, r := range rows {
			if err == nil {
				err = binary.Write(w, binary.LittleEndian, r)
			}
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
