package indexer_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestEf checks that the breadth of the walk that a request asks for, and that
// of the server, reach the graph: a narrow walk through a sparse graph of
// scattered vectors misses much of what a broad one finds. (Hybrid searches walk
// as broad as their lists are long, which is broad enough for both.)
func TestEf(t *testing.T) {
	const n, dim, queries, narrow, broad = 2000, 32, 50, 10, 250
	rng := rand.New(rand.NewPCG(11, 12))
	vectors := make([][]float32, n)
	var ops []contract.Op
	for i := range vectors {
		vectors[i] = gaussian(rng, dim, nil, 1)
		vector.Normalize(vectors[i])
		op := with(fmt.Sprintf("d/A/%04d", i), "word", vectors[i]...)
		object, err := fields.Parse(fmt.Appendf(nil, `{"n":%d}`, i))
		if err != nil {
			t.Fatal(err)
		}
		op.Fields = string(object)
		ops = append(ops, op)
	}
	files := vfstest.NewMem()
	graph := indexer.Graph{M: 4, EfConstruction: 20, MinVectors: 100}
	h := openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph = graph })
	h.pushWith("c1", catalog.SettingsRequest{Dim: dim}, ops...)
	h.merged()

	page, ref := search.Page{Count: 10}, search.Ref{Commit: "c1"}
	most := search.Filter{Expr: fmt.Sprintf("n < %d", n*9/10)}
	// Each finds the ten nearest to a document among the first of all.
	kinds := map[string]struct {
		among int
		find  func(h *harness, doc, ef int) (search.Hits, error)
	}{
		"vector": {n, func(h *harness, doc, ef int) (search.Hits, error) {
			return h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: ref, Vector: vectors[doc], Options: search.Options{Page: page, Ef: ef}})
		}},
		"vector with a filter": {n * 9 / 10, func(h *harness, doc, ef int) (search.Hits, error) {
			return h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: ref, Vector: vectors[doc], Options: search.Options{Page: page, Ef: ef, Filter: most}})
		}},
		"similar": {n, func(h *harness, doc, ef int) (search.Hits, error) {
			return h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: ref, ID: fmt.Sprintf("d/A/%04d", doc), Options: search.Options{Page: page, Ef: ef}, IncludeSelf: true})
		}},
		"similar with a filter": {n * 9 / 10, func(h *harness, doc, ef int) (search.Hits, error) {
			return h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: ref, ID: fmt.Sprintf("d/A/%04d", doc), Options: search.Options{Page: page, Ef: ef, Filter: most}, IncludeSelf: true})
		}},
	}
	recall := func(h *harness, kind string, ef int) float64 {
		found := 0
		for doc := range queries {
			k := kinds[kind]
			order := make([]int, k.among)
			for i := range order {
				order[i] = i
			}
			slices.SortFunc(order, func(a, b int) int {
				return cmp.Compare(vector.Dot(vectors[doc], vectors[b]), vector.Dot(vectors[doc], vectors[a]))
			})
			hits, err := k.find(h, doc, ef)
			if err != nil || len(hits.Hits) != page.Count {
				t.Fatalf("%s: %d hits, %v", kind, len(hits.Hits), err)
			}
			for _, hit := range hits.Hits {
				if slices.ContainsFunc(order[:page.Count], func(i int) bool { return hit.ID == fmt.Sprintf("d/A/%04d", i) }) {
					found++
				}
			}
		}
		return float64(found) / float64(queries*page.Count)
	}
	check := func(kind, whose string, least, most float64) {
		t.Logf("%s, ef of the %s: recall@10 %.2f narrow, %.2f broad", kind, whose, least, most)
		if most < 0.95 || least > most-0.15 {
			t.Errorf("%s: ef of the %s makes recall@10 %.2f where narrow, %.2f where broad", kind, whose, least, most)
		}
	}
	for kind := range kinds {
		check(kind, "request", recall(h, kind, narrow), recall(h, kind, broad))
	}
	h.close()
	byServer := make(map[string][]float64)
	for _, graph.Ef = range []int{narrow, broad} {
		h := openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph = graph })
		for kind := range kinds {
			byServer[kind] = append(byServer[kind], recall(h, kind, 0))
		}
		h.close()
	}
	for kind, r := range byServer {
		check(kind, "server", r[0], r[1])
	}
}
