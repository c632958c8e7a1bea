package indexer_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// rows is an embedder of texts that are the numbers of vectors.
type rows struct {
	indexertest.Embedder
	list [][]float32
}

func (r *rows) Dim(context.Context, contract.Secret) (int, error) { return len(r.list[0]), nil }
func (r *rows) Batch() int                                        { return 256 }
func (r *rows) Fingerprint() string                               { return "test/rows" }

func (r *rows) Embed(_ context.Context, req contract.EmbedRequest) ([][]float32, error) {
	out := make([][]float32, len(req.Texts))
	for i, text := range req.Texts {
		var n int
		if _, err := fmt.Sscanf(text, "%d", &n); err != nil {
			return nil, err
		}
		out[i] = r.list[n]
	}
	return out, nil
}

// clustered returns unit vectors around some centres, a few of which are the
// query vectors.
func clustered(rng *rand.Rand, n, dim, centres int) [][]float32 {
	middle := make([][]float32, centres)
	for i := range middle {
		middle[i] = gaussian(rng, dim, nil, 1)
	}
	list := make([][]float32, n)
	for i := range list {
		list[i] = gaussian(rng, dim, middle[rng.IntN(centres)], 0.7)
		vector.Normalize(list[i])
	}
	return list
}

func gaussian(rng *rand.Rand, dim int, around []float32, width float64) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * width)
		if around != nil {
			v[i] += around[i]
		}
	}
	return v
}

// sentences reads a file of bench/sentences.
func sentences(t *testing.T, path string, most int) [][]float32 {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const dim = 384
	list := make([][]float32, min(len(raw)/4/dim, most))
	for i := range list {
		list[i] = make([]float32, dim)
		for j := range list[i] {
			list[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*dim+j):]))
		}
	}
	return list
}

// TestFilteredSearches measures the recall of searches with filters of some
// selectivities, by chance and by likeness, and what they cost. With
// VECTORLINK_LONG=1 it takes 60,000 vectors of 384 dimensions, those of
// bench/sentences where VECTORLINK_SENTENCES names their directory.
func TestFilteredSearches(t *testing.T) {
	const k = 10
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	n, dim, queries, centres, rounds := 4_000, 24, 12, 40, 1
	graph := indexer.Graph{MinVectors: 500}
	if os.Getenv("VECTORLINK_LONG") != "" {
		n, dim, queries, rounds, graph = 60_000, 384, 500, 5, indexer.Graph{}
	}
	all := clustered(rng, n+queries, dim, centres)
	if dir := os.Getenv("VECTORLINK_SENTENCES"); dir != "" {
		all = sentences(t, filepath.Join(dir, "sentences-384-base.f32"), n)
		n = len(all)
		all = append(all, sentences(t, filepath.Join(dir, "sentences-384-query.f32"), queries)...)
	}
	base, asked := all[:n], all[n:]
	// Documents of one cluster are alike: those nearest to one of them.
	heads := rng.Perm(n)[:centres]
	cluster := make([]int, n)
	for i, v := range base {
		cluster[i] = slices.Index(heads, slices.MaxFunc(heads, func(a, b int) int {
			return cmp.Compare(vector.Dot(v, base[a]), vector.Dot(v, base[b]))
		}))
	}
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), nil, func(c *indexer.Config) { c.Embedder, c.Graph = &rows{list: all}, graph })
	chance := rng.Perm(n) // thousandths, each as often as any other
	p := h.mustStart("main", "", "c1")
	for i := range n {
		chance[i] = chance[i] * 1000 / n
		o, err := fields.Parse(fmt.Appendf(nil, `{"chance":%d,"cluster":"c%d","label":"document %d"}`, chance[i], cluster[i], i))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(contract.Op{Kind: contract.Upsert, ID: fmt.Sprintf("d/A/%05d", i), Text: fmt.Sprint(i), Fields: string(o)}); err != nil {
			t.Fatal(err)
		}
	}
	p.Finish()
	<-p.Done()
	for h.Merging() > 0 {
		time.Sleep(time.Millisecond) // poll of a real goroutine
	}
	search := func(v []float32, expr string) []search.Hit {
		hits, err := h.Search(t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: "c1"}, Vector: v, Options: search.Options{Page: search.Page{Count: k}, Filter: search.Filter{Expr: expr}},
		})
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		return hits.Hits
	}
	far := func(v []float32) int { // the cluster that is least like v
		return slices.Index(heads, slices.MinFunc(heads, func(a, b int) int { return cmp.Compare(vector.Dot(v, base[a]), vector.Dot(v, base[b])) }))
	}
	below := func(limit int) func(int, []float32) (string, func(int) bool) {
		return func(int, []float32) (string, func(int) bool) {
			return fmt.Sprintf("chance < %d", limit), func(i int) bool { return chance[i] < limit }
		}
	}
	for _, tt := range []struct {
		name   string
		filter func(query int, v []float32) (string, func(doc int) bool)
	}{
		{"90 %", below(900)},
		{"50 %", below(500)},
		{"20 %", below(200)},
		{"15 %", below(150)},
		{"10 %", below(100)},
		{"8 %", below(80)},
		{"7 %", below(70)},
		{"5 %", below(50)},
		{"3 %", below(30)},
		{"2 %", below(20)},
		{"1 %", below(10)},
		{"0.1 %", below(1)},
		{"a far cluster", func(_ int, v []float32) (string, func(int) bool) {
			c := far(v)
			return fmt.Sprintf(`cluster == "c%d"`, c), func(i int) bool { return cluster[i] == c }
		}},
		{"all but the near half", func(q int, v []float32) (string, func(int) bool) {
			// Half of the clusters, those that are least like the query.
			q %= 20
			v = asked[q]
			order := make([]int, centres)
			for i := range order {
				order[i] = i
			}
			slices.SortFunc(order, func(a, b int) int { return cmp.Compare(vector.Dot(v, base[heads[a]]), vector.Dot(v, base[heads[b]])) })
			in, expr := make(map[int]bool), `cluster in [`
			for _, c := range order[:centres/2] {
				in[c] = true
				expr += fmt.Sprintf(`"c%d",`, c)
			}
			return expr + `]`, func(i int) bool { return in[cluster[i]] }
		}},
	} {
		found, wanted, admitted := 0, 0, 0
		var again []func()
		for q, v := range asked {
			if tt.name == "all but the near half" {
				v = asked[q%20]
			}
			expr, holds := tt.filter(q, v)
			var truth []float32
			count := 0
			for i, b := range base {
				if holds(i) {
					count++
					truth = append(truth, vector.Distance(vector.Dot(v, b)))
				}
			}
			admitted += count
			slices.Sort(truth)
			hits := search(v, expr) // and the selection is kept
			again = append(again, func() { search(v, expr) })
			if len(hits) != min(k, count) {
				t.Fatalf("seed %d: %s: %d hits of %d documents", seed, expr, len(hits), count)
			}
			if count == 0 {
				continue
			}
			for _, hit := range hits {
				if hit.Distance <= truth[min(k, count)-1]+1e-6 {
					found++
				}
			}
			wanted += min(k, count)
		}
		runtime.GC()
		began := cpuTime()
		for range rounds {
			for _, f := range again {
				f()
			}
		}
		cpu := (cpuTime() - began) / time.Duration(rounds*len(again))
		recall := float64(found) / float64(max(wanted, 1))
		t.Logf("%-22s %6d documents admitted, recall@10 %.4f, CPU of a search %v", tt.name, admitted/len(asked), recall, cpu.Round(time.Microsecond))
		if recall < 0.99 {
			t.Errorf("seed %d: %s: recall@10 is %.4f", seed, tt.name, recall)
		}
	}
}
