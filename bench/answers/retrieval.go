package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/textindex"
)

// looked is how many hits of a question are looked at.
const looked = 10

// collection is a set of texts, and of questions with the texts that answer them.
type collection struct {
	name, language string
	docs           map[string]string
	questions      []question
}

type question struct {
	text   string
	grades map[string]float64 // of the right answers by their ids
}

// collections yields the sets, each with the error of reading it.
func (b *bench) collections(yield func(collection, error) bool) {
	for _, f := range []struct{ file, language string }{
		{"ret-cranfield", textindex.English}, {"ret-xquad-de", "de"}, {"ret-xquad-es", "es"},
	} {
		c, err := b.readCollection(f.file)
		c.name, c.language = strings.TrimPrefix(f.file, "ret-"), f.language
		if !yield(c, err) {
			return
		}
	}
	for _, m := range manuals {
		c, err := m.collection()
		if !yield(c, err) {
			return
		}
	}
	c, err := b.paraphrases()
	if !yield(c, err) {
		return
	}
	c, err = b.people()
	yield(c, err)
}

// read decodes a set of the data directory.
func (b *bench) read(name string, into any) error {
	f, err := os.Open(filepath.Join(b.data, name+".json.gz"))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return json.NewDecoder(z).Decode(into)
}

func (b *bench) readCollection(name string) (c collection, err error) {
	var set struct {
		Docs, Queries map[string]string
		Qrels         map[string]map[string]float64
	}
	if err := b.read(name, &set); err != nil {
		return c, err
	}
	c.docs = set.Docs
	for _, id := range slices.Sorted(maps.Keys(set.Queries)) {
		c.questions = append(c.questions, question{set.Queries[id], set.Qrels[id]})
	}
	return c, nil
}

// paraphrases has questions of bank customers, and what should be found are the
// others of the same intent: few of them share its words.
func (b *bench) paraphrases() (collection, error) {
	c := collection{name: "banking77, one intent", language: textindex.English, docs: map[string]string{}}
	var set struct{ Texts, Labels []string }
	if err := b.read("clu-banking77", &set); err != nil {
		return c, err
	}
	const each = 5 // every fifth text asks
	of := map[string]map[string]float64{}
	for i, label := range set.Labels {
		if i%each == 0 {
			continue
		}
		id := fmt.Sprint(i)
		c.docs[id] = set.Texts[i]
		if of[label] == nil {
			of[label] = map[string]float64{}
		}
		of[label][id] = 1
	}
	for i := 0; i < len(set.Texts); i += each {
		c.questions = append(c.questions, question{set.Texts[i], of[set.Labels[i]]})
	}
	return c, nil
}

// people has records of people with mistakes, and what should be found is the one
// without.
func (b *bench) people() (collection, error) {
	c := collection{name: "febrl4, one person", language: textindex.English, docs: map[string]string{}}
	var set struct {
		A, B map[string]map[string]string
		GT   [][2]string
	}
	if err := b.read("er-febrl4", &set); err != nil {
		return c, err
	}
	text := func(record map[string]string) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(record)) {
			parts = append(parts, record[name])
		}
		return strings.Join(parts, " ")
	}
	for id, record := range set.A {
		c.docs[id] = text(record)
	}
	for i := 0; i < len(set.GT); i += 10 {
		pair := set.GT[i]
		c.questions = append(c.questions, question{text(set.B[pair[1]]), map[string]float64{pair[0]: 1}})
	}
	return c, nil
}

// ways are the searches that are compared. The last is the default.
var ways = []struct {
	name string
	mode search.Mode
	rank search.Rank
}{
	{"vector", search.ModeVector, ""},
	{"words", search.ModeText, ""},
	{"by rank", search.ModeHybrid, search.RankFused},
	{"hybrid", search.ModeHybrid, ""},
}

// retrieval prints nDCG@10 by vector, by words and by both, and what both gain over
// the better side with the standard error of the paired difference.
func retrieval(ctx context.Context, b *bench) error {
	fmt.Print("| nDCG@10 | texts | questions |")
	for _, w := range ways {
		fmt.Printf(" %s |", w.name)
	}
	fmt.Println(" hybrid − better side | CPU of a hybrid search |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for c, err := range b.collections {
		if errors.Is(err, fs.ErrNotExist) {
			log.Printf("missing: %v", err)
			continue
		} else if err != nil {
			return err
		}
		if err := b.measure(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, c collection) error {
	domain := "answers/" + strings.NewReplacer(" ", "-", ",", "").Replace(c.name)
	if err := b.index(ctx, domain, c.language, c.docs); err != nil {
		return err
	}
	gains := make([][]float64, len(ways))
	var took time.Duration // by the last way, whose vectors are in memory by then
	for i, w := range ways {
		start := cputime.Process()
		for _, q := range c.questions {
			found, err := b.ix.Search(ctx, search.SearchRequest{
				Domain: domain, Ref: search.Ref{Commit: commit}, Text: q.text, Mode: w.mode, Rank: w.rank,
				Options: search.Options{Page: search.Page{Count: looked}},
			})
			if err != nil {
				return err
			}
			gains[i] = append(gains[i], gain(found.Hits, q.grades))
		}
		took = cputime.Process() - start
	}
	fmt.Printf("| %s | %d | %d |", c.name, len(c.docs), len(c.questions))
	means := make([]float64, len(ways))
	for i := range ways {
		means[i], _ = moments(gains[i])
		fmt.Printf(" %.3f |", means[i])
	}
	better := 0
	if means[1] > means[0] {
		better = 1
	}
	mean, deviation := moments(differences(gains[len(ways)-1], gains[better]))
	n := float64(len(c.questions))
	fmt.Printf(" %+.3f ± %.3f | %.2f ms |\n", mean, deviation/math.Sqrt(n), took.Seconds()*1000/n)
	return nil
}

// gain returns the normalised discounted cumulative gain of the first hits.
func gain(hits []search.Hit, grades map[string]float64) float64 {
	discount := func(i int) float64 { return 1 / math.Log2(float64(i+2)) }
	var got, best float64
	for i, h := range hits[:min(looked, len(hits))] {
		got += grades[h.ID] * discount(i)
	}
	ideal := slices.SortedFunc(maps.Values(grades), func(a, b float64) int { return cmp.Compare(b, a) })
	for i, g := range ideal[:min(looked, len(ideal))] {
		best += g * discount(i)
	}
	if best == 0 {
		return 0
	}
	return got / best
}

func differences(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
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
