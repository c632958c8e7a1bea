package indexer_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestDuplicates(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "a b c d e f", "d/A/2", "a b c d e g", "d/B/1", "a b c d e f", "d/B/2", "x y z", "d/C/1", "p q r")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "")
	listed := func(req pairs.DuplicatesRequest) []string {
		t.Helper()
		req.Domain, req.Ref = domain, search.Ref{Commit: "c1"}
		got, err := pairs.New(h.Reader).Duplicates(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range got.Pairs {
			out = append(out, p.A.ID+"="+p.B.ID)
		}
		return out
	}
	if got, want := listed(pairs.DuplicatesRequest{}), []string{"d/A/1=d/B/1"}; !slices.Equal(got, want) {
		t.Errorf("at 0: %v, want %v", got, want)
	}
	if got, want := listed(pairs.DuplicatesRequest{Threshold: 0.2}), []string{"d/A/1=d/B/1", "d/A/1=d/A/2"}; !slices.Equal(got, want) {
		t.Errorf("at 0.2: %v, want %v", got, want)
	}
	a, b := search.Filter{Types: []string{"A"}}, search.Filter{Types: []string{"B"}}
	if got, want := listed(pairs.DuplicatesRequest{Threshold: 0.2, Set: a}), []string{"d/A/1=d/A/2"}; !slices.Equal(got, want) {
		t.Errorf("in A: %v, want %v", got, want)
	}
	if got, want := listed(pairs.DuplicatesRequest{Threshold: 0.2, Set: a, Target: b}), []string{"d/A/1=d/B/1", "d/A/2=d/B/1"}; !slices.Equal(got, want) {
		t.Errorf("A against B: %v, want %v", got, want)
	}
	if got, want := listed(pairs.DuplicatesRequest{Threshold: 1, Page: search.Page{Start: 1, Count: 1}}), 1; len(got) != want {
		t.Errorf("a page of one: %v", got)
	}
	if _, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Threshold: float32(math.NaN())}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("threshold NaN: %v", err)
	}
}

// TestDuplicatesSince checks that only pairs are listed that a commit brought:
// not those that were there, and those of a changed document though an older
// pair of it is nearer.
func TestDuplicatesSince(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "a b c d e f", "d/A/2", "a b c d e g", // a pair from the start
		"d/B/1", "x y z u v w", "d/B/2", "x y z u v w", // another, of one text
		"d/C/1", "p q r s t o", "d/C/2", "k l m n h i")})
	src.Commit("main", "c2", indexertest.Change{Remove: []string{"d/C/2"}, Put: docs(
		"d/A/2", "a b c d e h", // changed, and still the same pair
		"d/A/3", "a b c d e f", // a copy of A/1
		"d/B/2", "x y z u v q", // changed, still a pair with B/1, and now
		"d/B/3", "x y z u v 1", // with this new one too
		"d/D/1", "p q r s t o")})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/E/1", "nothing like it", "d/E/2", "some other words")})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	for _, c := range []string{"c1", "c2", "c3"} {
		h.mustIndex(c, "")
	}
	listed := func(commit, since string, threshold float32) []string {
		t.Helper()
		got, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Since: since, Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range got.Pairs {
			out = append(out, p.A.ID+"="+p.B.ID)
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct {
		commit, since string
		threshold     float32
		want          []string
	}{
		{"c1", "", 0.2, []string{"d/A/1=d/A/2", "d/B/1=d/B/2"}},
		{"c2", "c1", 0.2, []string{"d/A/1=d/A/3", "d/A/2=d/A/3", "d/B/1=d/B/3", "d/B/2=d/B/3", "d/C/1=d/D/1"}},
		{"c2", "c1", 0, []string{"d/A/1=d/A/3", "d/C/1=d/D/1"}},
		{"c3", "c2", 0.2, nil},
		{"c3", "c1", 0, []string{"d/A/1=d/A/3", "d/C/1=d/D/1"}},
		{"c2", "c2", 1, nil},
		{"c1", "c3", 0, []string{"d/B/1=d/B/2"}}, // backwards: what c3 does not have
	} {
		got := listed(c.commit, c.since, c.threshold)
		if c.commit == "c2" && c.threshold == 0.2 { // which of the two near ones is nearer is the embedder's business
			got = slices.DeleteFunc(got, func(p string) bool { return p == "d/B/1=d/B/3" || p == "d/B/2=d/B/3" })
			c.want = slices.DeleteFunc(slices.Clone(c.want), func(p string) bool { return p == "d/B/1=d/B/3" || p == "d/B/2=d/B/3" })
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("at %s since %q within %g: got %v, want %v", c.commit, c.since, c.threshold, got, c.want)
		}
	}
	if got := listed("c2", "c1", 0.2); !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "d/B/2=") }) {
		t.Errorf("the new pair of a document whose older pair stays is not listed: %v", got)
	}
	_, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Since: "c9"})
	if !errors.Is(err, contract.ErrNotFound) || !strings.Contains(err.Error(), "c9") {
		t.Errorf("since an unknown commit: %v", err)
	}
}
