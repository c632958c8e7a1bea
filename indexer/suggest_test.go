package indexer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func (h *harness) suggest(commit, text string, count int, filter search.Filter) search.Suggestions {
	h.t.Helper()
	got, err := h.Suggest(h.t.Context(), search.SuggestRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text, Count: count, Filter: filter,
	})
	if err != nil {
		h.t.Fatalf("Suggest(%s, %q): %v", commit, text, err)
	}
	if got.Commit != commit {
		h.t.Errorf("served %s, want %s", got.Commit, commit)
	}
	return got
}

// TestSuggest checks suggestions: their number, their filters, and where they come from.
func TestSuggest(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{Window: 12})
	h.mustPush("", "", "c1", puts(
		"d/Part/1", "the hyperdrive motivator failed, twice. Then it was over",
		"d/Part/2", "Hyperdrive  motivator: a spare part",
		"d/Part/3", "hyperdrives run hot",
		"d/Ship/4", "a freighter with a HYPERDRIVE",
		"d/Ship/5", "a slow barge",
		"d/Ship/6", "İstanbul straße KELVIN",
	)...)
	got := h.suggest("c1", "hyperdrive", 11, search.Filter{})
	if got.Total != 4 || len(got.Hits) != 4 {
		t.Fatalf("%d of %d hits, want 4 of 4: %+v", len(got.Hits), got.Total, got.Hits)
	}
	for i, hit := range got.Hits {
		if hit.Distance <= 0 || hit.Distance >= 1 || i > 0 && hit.Distance < got.Hits[i-1].Distance {
			t.Errorf("hit %d at %v", i, hit.Distance)
		}
	}
	byID := func(s search.Suggestions) map[string]string {
		m := make(map[string]string)
		for _, hit := range s.Hits {
			m[hit.ID] = hit.Snippet[hit.Start:hit.End] + "|" + strings.Join(hit.NextWords, ",")
		}
		return m
	}
	cut := byID(got)
	for id, want := range map[string]string{
		"d/Part/1": "hyperdrive|motivator,failed,twice,Then,it",
		"d/Part/2": "Hyperdrive|motivator,a,spare,part",
		"d/Part/3": "hyperdrives|run,hot",
		"d/Ship/4": "HYPERDRIVE|",
	} {
		if cut[id] != want {
			t.Errorf("%s: cut %q, want %q", id, cut[id], want)
		}
	}
	if want := "hyperdrive motivator"; !strings.EqualFold(got.Completions[0], want) || len(got.Completions) > 8 {
		t.Errorf("completions %q, the first should be %q", got.Completions, want)
	}
	for _, c := range got.Completions {
		if len(c) <= len("hyperdrive") || !strings.EqualFold(c[:len("hyperdrive")], "hyperdrive") {
			t.Errorf("completion %q does not go on from the query", c)
		}
	}

	tests := []struct {
		text   string
		count  int
		filter search.Filter
		total  int
		ids    []string
	}{
		{"hyperdrive", 1, search.Filter{Types: []string{"Ship"}}, 1, []string{"d/Ship/4"}},
		{"hyperdrive", 1, search.Filter{IDs: []string{"d/Part/3", "d/Ship/4"}}, 2, []string{"d/Ship/4"}},
		{"absent", 5, search.Filter{}, 0, nil},
		// Substrings.
		{"YPERDRI", 11, search.Filter{}, 4, []string{"d/Part/1", "d/Part/2", "d/Part/3", "d/Ship/4"}},
		{"yperdri", 2, search.Filter{}, 4, []string{"d/Part/1", "d/Part/2"}},
		{"yperdri", 11, search.Filter{Types: []string{"Ship"}}, 1, []string{"d/Ship/4"}},
		{"\u212aelvi", 11, search.Filter{}, 1, []string{"d/Ship/6"}}, // the Kelvin sign
		{", twice.", 11, search.Filter{}, 1, []string{"d/Part/1"}},
	}
	for _, tt := range tests {
		got := h.suggest("c1", tt.text, tt.count, tt.filter)
		var ids []string
		for _, hit := range got.Hits {
			ids = append(ids, hit.ID)
		}
		if got.Total != tt.total || !slices.Equal(ids, tt.ids) {
			t.Errorf("%q, %+v: %v of %d, want %v of %d", tt.text, tt.filter, ids, got.Total, tt.ids, tt.total)
		}
	}
	sub := h.suggest("c1", "yperdri", 11, search.Filter{})
	if d := sub.Hits[0].Distance; d != 0 {
		t.Errorf("a substring at %v, want 0", d)
	}
	if got, want := byID(sub)["d/Part/2"], "yperdrive|motivator,a,spare,part"; got != want {
		t.Errorf("cut %q, want %q", got, want)
	}
	// Another form of the word matches; the query itself does not occur.
	if got := h.suggest("c1", "motivators", 1, search.Filter{}); len(got.Hits) != 1 || got.Hits[0].End != 0 || len(got.Completions) != 0 {
		t.Errorf("another form of the word: %+v", got)
	}
	for _, req := range []search.SuggestRequest{{Count: 1}, {Text: "x"}, {Text: "x", Count: -1}} {
		req.Domain, req.Ref = domain, search.Ref{Commit: "c1"}
		if _, err := h.Suggest(t.Context(), req); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", req, err)
		}
	}
	if _, err := h.Suggest(t.Context(), search.SuggestRequest{Domain: domain, Ref: search.Ref{Commit: "c9"}, Text: "x", Count: 1}); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
}

// TestSuggestReadsTheServedCommit: suggestions choose the commit as searches do.
func TestSuggestReadsTheServedCommit(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("", "", "c1", puts("d/A/1", "red apple")...)
	h.mustPush("", "", "c2", puts("d/A/1", "green pear", "d/A/2", "red plum")...)
	emb.Fail = func([]string) error { return fmt.Errorf("%w: down", contract.ErrProvider) }
	for commit, want := range map[string]string{"c1": "d/A/1", "c2": "d/A/2"} {
		if got := h.suggest(commit, "red", 5, search.Filter{}); len(got.Hits) != 1 || got.Hits[0].ID != want {
			t.Errorf("%s: %+v, want %s", commit, got.Hits, want)
		}
	}
	got, err := h.Suggest(t.Context(), search.SuggestRequest{
		Domain: domain, Ref: search.Ref{Commit: "c9", Ancestors: []string{"c8", "c1"}}, Text: "appl", Count: 5,
	})
	if err != nil || got.Commit != "c1" || len(got.Hits) != 1 || got.Completions[0] != "apple" {
		t.Errorf("through the window: %+v, %v", got, err)
	}
}

// TestSuggestOffsets cuts random queries out of random texts.
func TestSuggestOffsets(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	letters := []rune("aAkK\u212aßẞiIİı ,.é\u0301日ǅǆ")
	random := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	var pairs []string
	for i := range 200 {
		pairs = append(pairs, fmt.Sprintf("d/A/%03d", i), random(1+rng.IntN(30)))
	}
	h.mustPush("", "", "c1", puts(pairs...)...)
	found := 0
	for range 300 {
		q := random(1 + rng.IntN(3))
		for _, hit := range h.suggest("c1", q, 50, search.Filter{}).Hits {
			if hit.End == 0 {
				continue
			}
			found++
			cut := hit.Snippet[hit.Start:hit.End]
			n := 0
			for range q { // as many characters
				_, size := utf8.DecodeRuneInString(cut[n:])
				n += size
			}
			if !utf8.ValidString(cut) || !strings.EqualFold(cut[:n], q) {
				t.Fatalf("%q in %q: cut %q", q, hit.Snippet, cut)
			}
			if strings.ContainsAny(cut[n:], " ,.;:") {
				t.Fatalf("%q in %q: cut %q goes beyond the word", q, hit.Snippet, cut)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d matches; the check would be empty", found)
	}
}
