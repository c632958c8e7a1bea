// Command fusion measures hybrid search against both of its sides on three
// manuals: the query is the heading of a section, and what should be found is
// the first paragraph under it, among all paragraphs of the manual.
//
//	go run ./bench/fusion [-v]
//
// The manuals are the Go language specification of the toolchain that runs it,
// and the documentation in two modules, of pinned versions, which the go command
// fetches. The embedder is the model inside vectorlink. It prints, per manual
// and over all pairs, the mean reciprocal rank by vector, by words and fused
// (wire contract §7.10), what share of the pairs each finds among the first ten,
// the time of a search, and what fusion gains over the better side with the
// standard error of that. With -v it lists the pairs that fusion loses.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

// depth is how many hits are looked at; what comes behind counts as not found.
const depth = 1000

var modes = []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid}

func main() {
	log.SetFlags(0)
	log.SetPrefix("fusion: ")
	verbose := flag.Bool("v", false, "list the pairs that fusion ranks lower than the better side")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), *verbose); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, verbose bool) error {
	dir, err := os.MkdirTemp("", "fusion")
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
	fmt.Printf("%-30s %10s %6s", "manual", "paragraphs", "pairs")
	for _, m := range modes {
		fmt.Printf("  %6s MRR    @10   ms", m)
	}
	fmt.Println("  fused − better side")
	all := newScore()
	for i, m := range manuals {
		sections, err := m.read()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		domain := fmt.Sprintf("bench/manual%d", i)
		paragraphs, err := index(ctx, ix, domain, sections)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		score := newScore()
		for _, p := range pairs(sections) {
			if err := score.add(ctx, ix, domain, p, verbose); err != nil {
				return err
			}
		}
		score.print(m.name, paragraphs)
		all.merge(score)
	}
	all.print("all", all.paragraphs)
	return nil
}

// pair is a heading and the id of its paragraph.
type pair struct{ heading, id string }

// pairs returns the headings that are the only one of their text, with the first
// paragraph of their sections.
func pairs(sections []section) []pair {
	count := map[string]int{}
	for _, s := range sections {
		count[s.heading]++
	}
	var list []pair
	for i, s := range sections {
		if count[s.heading] == 1 && len(s.paragraphs) > 0 && s.direct {
			list = append(list, pair{s.heading, id(i, 0)})
		}
	}
	return list
}

func id(section, paragraph int) string { return fmt.Sprintf("manual/P/%04d.%02d", section, paragraph) }

// index pushes the paragraphs of a manual as one commit.
func index(ctx context.Context, ix *indexer.Indexer, domain string, sections []section) (n int, err error) {
	push, err := ix.StartPush(ctx, indexer.PushRequest{Domain: domain, Branch: "main", Commit: "c"})
	if err != nil {
		return 0, err
	}
	for i, s := range sections {
		for j, text := range s.paragraphs {
			n++
			if err := push.Apply(contract.Op{Kind: contract.Upsert, ID: id(i, j), Text: text}); err != nil {
				return n, err
			}
		}
	}
	push.Finish()
	<-push.Done()
	return n, push.Err()
}

// score sums up the ranks of pairs.
type score struct {
	pairs, paragraphs int
	reciprocal        map[search.Mode][]float64 // of each pair
	ten               map[search.Mode]int
	took              map[search.Mode]time.Duration
}

func newScore() *score {
	return &score{reciprocal: map[search.Mode][]float64{}, ten: map[search.Mode]int{}, took: map[search.Mode]time.Duration{}}
}

func (s *score) add(ctx context.Context, ix *indexer.Indexer, domain string, p pair, verbose bool) error {
	s.pairs++
	ranks := map[search.Mode]int{}
	for _, m := range modes {
		start := time.Now()
		hits, err := ix.Search(ctx, search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: "c"}, Text: p.heading, Role: contract.RoleQuery,
			Mode: m, Options: search.Options{Page: search.Page{Count: depth}},
		})
		if err != nil {
			return err
		}
		s.took[m] += time.Since(start)
		reciprocal := 0.0
		for i, h := range hits.Hits {
			if h.ID == p.id {
				ranks[m], reciprocal = i+1, 1/float64(i+1)
				if i < 10 {
					s.ten[m]++
				}
			}
		}
		s.reciprocal[m] = append(s.reciprocal[m], reciprocal)
	}
	if v, w, h := ranks[search.ModeVector], ranks[search.ModeText], ranks[search.ModeHybrid]; verbose && h > 1 && (v > 0 && v < h || w > 0 && w < h) {
		fmt.Printf("  by vector %4d, by words %4d, fused %4d  %s\n", v, w, h, p.heading)
	}
	return nil
}

func (s *score) merge(o *score) {
	s.pairs += o.pairs
	s.paragraphs += o.paragraphs
	for _, m := range modes {
		s.reciprocal[m] = append(s.reciprocal[m], o.reciprocal[m]...)
		s.ten[m] += o.ten[m]
		s.took[m] += o.took[m]
	}
}

func (s *score) print(name string, paragraphs int) {
	s.paragraphs = paragraphs
	fmt.Printf("%-30s %10d %6d", name, paragraphs, s.pairs)
	n := float64(s.pairs)
	for _, m := range modes {
		mean, _ := moments(s.reciprocal[m])
		fmt.Printf("  %10.3f %6.3f %4.1f", mean, float64(s.ten[m])/n, float64(s.took[m].Microseconds())/n/1000)
	}
	byVector, _ := moments(s.reciprocal[search.ModeVector])
	byWords, _ := moments(s.reciprocal[search.ModeText])
	better := search.ModeVector
	if byWords > byVector {
		better = search.ModeText
	}
	gain := make([]float64, s.pairs)
	for i := range gain {
		gain[i] = s.reciprocal[search.ModeHybrid][i] - s.reciprocal[better][i]
	}
	mean, deviation := moments(gain)
	fmt.Printf("  %+.3f ± %.3f\n", mean, deviation/math.Sqrt(n))
}

// moments returns the mean and the standard deviation.
func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(deviation)
}
