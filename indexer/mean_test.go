package indexer_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSimilarToSeveral checks searches by the mean of several documents against
// the mean worked out here: each document counts the same, whatever its chunks.
func TestSimilarToSeveral(t *testing.T) {
	emb := &indexertest.Embedder{Window: 2}
	h := openPush(t, vfstest.NewMem(), emb)
	texts := map[string]string{
		"d/A/1": "red fish", "d/A/2": "blue fish one two three four", "d/A/3": "red bird", "d/A/4": "blue bird",
		"d/A/5": "stone", "d/A/6": "red fish",
	}
	var ops []contract.Op
	for id, text := range texts {
		ops = append(ops, put(id, text))
	}
	h.mustPush("main", "", "c1", ops...)
	unit := func(vs ...[]float32) []float32 {
		sum := make([]float32, 32)
		for _, v := range vs {
			for i := range v {
				sum[i] += v[i]
			}
		}
		if !vector.Normalize(sum) {
			t.Fatal("no direction")
		}
		return sum
	}
	chunks := func(id string) (vs [][]float32) {
		found, _ := emb.Split(texts[id])
		for _, c := range found {
			vs = append(vs, indexertest.Vector(texts[id][c.Start:c.End], 32))
		}
		return vs
	}
	mean := unit(unit(chunks("d/A/1")...), unit(chunks("d/A/2")...), unit(chunks("d/A/3")...))
	req := search.SimilarRequest{
		Domain: domain, Ref: search.Ref{Commit: "c1"}, IDs: []string{"d/A/3", "d/A/1", "d/A/2", "d/A/1"}, Options: search.Options{Page: search.Page{Count: 10}},
	}
	for _, self := range []bool{false, true} {
		req.IncludeSelf = self
		got, err := h.Similar(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 3, true: 6}[self]; len(got.Hits) != want {
			t.Errorf("include self %t: %d hits, want %d", self, len(got.Hits), want)
		}
		for i, hit := range got.Hits {
			if !self && (hit.ID == "d/A/1" || hit.ID == "d/A/2" || hit.ID == "d/A/3") {
				t.Errorf("%s was asked with and is a hit", hit.ID)
			}
			best := float32(2)
			for _, v := range chunks(hit.ID) {
				best = min(best, vector.Distance(vector.Dot(mean, v)))
			}
			if math.Abs(float64(best-hit.Distance)) > 1e-5 || i > 0 && hit.Distance < got.Hits[i-1].Distance {
				t.Errorf("%s at %v, want %v", hit.ID, hit.Distance, best)
			}
		}
	}
	// One document, and several of the same text, are as that document.
	one, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: req.Ref, ID: "d/A/1", IncludeSelf: true, Options: search.Options{Page: req.Page}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]string{{"d/A/1"}, {"d/A/1", "d/A/6"}} {
		got, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: req.Ref, IDs: ids, IncludeSelf: true, Options: search.Options{Page: req.Page}})
		if err != nil || len(got.Hits) != len(one.Hits) || got.Hits[0].Distance != 0 || got.Hits[1].Distance != 0 || got.Hits[2].Distance == 0 {
			t.Errorf("%v: %v, %v; want %v", ids, got.Hits, err, one.Hits)
		}
	}
	req.IDs = []string{"d/A/1", "nobody"}
	if _, err := h.Similar(t.Context(), req); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	req.IDs = nil
	for i := range search.MaxSimilarIDs + 1 {
		req.IDs = append(req.IDs, fmt.Sprint(i))
	}
	if _, err := h.Similar(t.Context(), req); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("too many ids: %v", err)
	}
}
