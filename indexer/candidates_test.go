package indexer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// chunksOf cuts a text as the embedder of that window does.
func chunksOf(text string, window int) []string {
	chunks, _ := (&indexertest.Embedder{Window: window}).Split(text)
	var out []string
	for _, c := range chunks {
		out = append(out, text[c.Start:c.End])
	}
	return out
}

// textDistance is the distance of two documents: of their nearest chunks.
func textDistance(a, b string, window int) float32 {
	if a == b {
		return 0
	}
	best := float32(2)
	for _, x := range chunksOf(a, window) {
		for _, y := range chunksOf(b, window) {
			best = min(best, max(vector.Distance(vector.Dot(indexertest.Vector(x, 32), indexertest.Vector(y, 32))), 1e-7))
		}
	}
	return best
}

// wantEdges are the candidates of every document of from among to, the plain
// way.
func wantEdges(texts map[string]string, from, to []string, k int, threshold float32, window int) []pairs.CandidateList {
	var lists []pairs.CandidateList
	for _, a := range from {
		l := pairs.CandidateList{ID: a}
		for _, b := range to {
			if d := textDistance(texts[a], texts[b], window); a != b && d <= threshold {
				l.Partners = append(l.Partners, pairs.Candidate{ID: b, Distance: d})
			}
		}
		slices.SortFunc(l.Partners, func(x, y pairs.Candidate) int {
			return cmp.Or(cmp.Compare(x.Distance, y.Distance), cmp.Compare(x.ID, y.ID))
		})
		if l.Partners = l.Partners[:min(k, len(l.Partners))]; len(l.Partners) > 0 {
			lists = append(lists, l)
		}
	}
	return lists
}

// TestCandidates holds candidates against the plain way.
func TestCandidates(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	const window = 3
	words := strings.Fields("red green blue apple pear plum tree sea")
	texts := make(map[string]string)
	var ids []string
	for i := range 60 {
		id := fmt.Sprintf("d/%c/%02d", 'A'+rune(i%3), i)
		var text []string
		for range 1 + rng.IntN(8) {
			text = append(text, words[rng.IntN(len(words))])
		}
		ids, texts[id] = append(ids, id), strings.Join(text, " ")
	}
	slices.Sort(ids)
	var ops []contract.Op
	for id, text := range texts {
		ops = append(ops, put(id, text))
	}
	of := func(kind string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, "d/"+kind) })
	}
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{Window: window})
	h.mustPush("", "", "c1", ops...)
	tests := []struct {
		name                   string
		set, target            search.Filter
		setIDs, targetIDs      []string
		setLimit, targetLimit  float32
		k                      int
		withVectors, withTexts bool
	}{
		{"all", search.Filter{}, search.Filter{}, ids, ids, 0.3, 0.1, 5, false, false},
		{"all, few", search.Filter{}, search.Filter{}, ids, ids, 1, 1, 1, false, false},
		{"all, many", search.Filter{}, search.Filter{}, ids, ids, 1, 1, math.MaxInt, false, false},
		{"identical only", search.Filter{}, search.Filter{}, ids, ids, 0, 0, 5, false, false},
		{"across types", search.Filter{Types: []string{"A"}}, search.Filter{Types: []string{"B"}}, of("A"), of("B"), 0.4, 0.2, 3, true, true},
		{"of one type", search.Filter{Types: []string{"A"}}, search.Filter{}, of("A"), of("A"), 0.4, 0.4, 3, true, false},
		{"one document", search.Filter{IDs: []string{ids[7], "d/none"}}, search.Filter{Types: []string{"B", "C"}}, ids[7:8], append(of("B"), of("C")...), 0.45, 0.45, 4, false, true},
		{"nothing", search.Filter{Types: []string{"Z"}}, search.Filter{}, nil, nil, 1, 1, 4, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
				Domain: domain, Ref: search.Ref{Commit: "c1"}, Set: tt.set, Target: tt.target,
				SetThreshold: tt.setLimit, TargetThreshold: tt.targetLimit, K: tt.k, Vectors: tt.withVectors, Content: tt.withTexts,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Commit != "c1" || got.SetDocuments != len(tt.setIDs) || got.TargetDocuments != len(tt.targetIDs) {
				t.Errorf("%s, %d and %d documents; want c1, %d, %d", got.Commit, got.SetDocuments, got.TargetDocuments, len(tt.setIDs), len(tt.targetIDs))
			}
			listed := make(map[string]bool)
			compare := func(name string, got, want []pairs.CandidateList) {
				if len(got) != len(want) {
					t.Fatalf("%s: %d lists, want %d", name, len(got), len(want))
				}
				for i := range got {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Fatalf("%s: %+v\nwant %+v", name, got[i], want[i])
					}
					for _, p := range got[i].Partners {
						listed[p.ID] = true
					}
				}
			}
			compare("set to target", got.SetToTarget, wantEdges(texts, tt.setIDs, tt.targetIDs, tt.k, tt.setLimit, window))
			compare("target to set", got.TargetToSet, wantEdges(texts, tt.targetIDs, tt.setIDs, tt.k, tt.targetLimit, window))
			if !tt.withVectors && !tt.withTexts {
				if got.Documents != nil {
					t.Errorf("documents nobody asked for: %v", got.Documents)
				}
				return
			}
			if len(got.Documents) != len(listed) {
				t.Errorf("%d documents, %d are listed", len(got.Documents), len(listed))
			}
			for id, d := range got.Documents {
				chunks := chunksOf(texts[id], window)
				if want := strings.Join(chunks, " "); tt.withTexts && d.Content != want || !tt.withTexts && d.Content != "" {
					t.Errorf("%s: content %q, want %q", id, d.Content, want)
				}
				if want := indexertest.Vector(chunks[0], 32); tt.withVectors != slices.Equal(d.Vector, want) {
					t.Errorf("%s: vector %v", id, d.Vector)
				}
			}
		})
	}
	for _, req := range []pairs.CandidatesRequest{
		{K: 0}, {K: 1, SetThreshold: -0.1}, {K: 1, TargetThreshold: 1.1}, {K: 1, SetThreshold: float32(math.NaN())},
	} {
		req.Domain, req.Ref = domain, search.Ref{Commit: "c1"}
		if _, err := pairs.New(h.Reader).Candidates(t.Context(), req); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", req, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pairs.New(h.Reader).Candidates(ctx, pairs.CandidatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, K: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestTooManyCandidates: too many are refused as a whole, never cut.
func TestTooManyCandidates(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{Dimensions: 4, BatchSize: 1000, Window: 1})
	p := h.mustStart("", "", "c1")
	for i := range 1001 {
		if err := p.Apply(put(fmt.Sprintf("d/C/%04d", i), "w1")); err != nil {
			t.Fatal(err)
		}
	}
	p.Finish()
	<-p.Done()
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	if _, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, K: 2000}); !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "candidates") {
		t.Errorf("a million candidates: %v, want ErrInvalid", err)
	}
}
