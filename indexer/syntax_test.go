package indexer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// ask searches with operators and returns the ids that are found, in order.
func (h *harness) ask(commit, text string, mode search.Mode, filter search.Filter) ([]string, error) {
	hits, err := h.Search(h.t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text, Mode: mode, Syntax: search.SyntaxQuery,
		Options: search.Options{Filter: filter, Page: search.Page{Count: 100}},
	})
	var ids []string
	for _, x := range hits.Hits {
		ids = append(ids, strings.TrimPrefix(x.ID, "d/"))
	}
	return ids, err
}

// TestQuerySyntax: operators, at a commit and at the one before, by words and
// in hybrid, where they hold for what the vector finds too.
func TestQuerySyntax(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{Window: 3}
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "red apple tree", "d/A/2", "green apple", "d/B/3", "blue whale red herring", "d/B/4", "zyzzyva")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/2", "apple red"), Remove: []string{"d/B/4"}})
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "")
	h.mustIndex("c2", "")
	for _, tt := range []struct {
		commit, text string
		words        []string // found by words
		hybrid       []string // found by both
	}{
		{"c1", `"red apple"`, []string{"A/1"}, []string{"A/1", "A/2", "B/3", "B/4"}},
		{"c1", `app*`, []string{"A/1", "A/2"}, []string{"A/1", "A/2", "B/3", "B/4"}},
		{"c1", `apple AND red`, []string{"A/1"}, []string{"A/1"}},
		{"c1", `apple -red`, []string{"A/2"}, []string{"A/2", "B/4"}},
		{"c1", `+red whale`, []string{"A/1", "B/3"}, []string{"A/1", "B/3"}},
		// The document's chunks are "blue whale red" and "herring", or so.
		{"c1", `blue AND herring`, []string{"B/3"}, []string{"B/3"}},
		{"c1", `whale NOT herring`, nil, []string{"A/1", "A/2", "B/4"}},
		{"c1", `the NOT apple`, nil, []string{"B/3", "B/4"}},
		{"c2", `"red apple"`, []string{"A/1"}, []string{"A/1", "A/2", "B/3"}},
		{"c2", `"apple red"`, []string{"A/2"}, []string{"A/1", "A/2", "B/3"}},
		{"c2", `apple AND red`, []string{"A/1", "A/2"}, []string{"A/1", "A/2"}},
		{"c2", `red -apple`, []string{"B/3"}, []string{"B/3"}},
		{"c2", `green*`, nil, []string{"A/1", "A/2", "B/3"}},
	} {
		for mode, want := range map[search.Mode][]string{search.ModeText: tt.words, search.ModeHybrid: tt.hybrid} {
			got, err := h.ask(tt.commit, tt.text, mode, search.Filter{})
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s at %s by %s: %v, %v, want %v", tt.text, tt.commit, mode, got, err, want)
			}
			got, err = h.ask(tt.commit, tt.text, mode, search.Filter{Types: []string{"A"}})
			slices.Sort(got)
			want = slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id[0] != 'A' })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s at %s by %s, filtered: %v, %v, want %v", tt.text, tt.commit, mode, got, err, want)
			}
		}
	}

	// What is embedded are the words without operators, and nothing for words
	// alone.
	emb.Reset()
	if _, err := h.ask("c2", `"death star" AND (fan* OR tree) -jedi`, search.ModeText, search.Filter{}); err != nil || len(emb.Texts()) > 0 {
		t.Errorf("by words: %v, embedded %q", err, emb.Texts())
	}
	if _, err := h.ask("c2", `"death star" AND (fan* OR tree) -jedi`, search.ModeHybrid, search.Filter{}); err != nil || !slices.Equal(emb.Texts(), []string{"death star fan tree"}) {
		t.Errorf("in hybrid: %v, embedded %q", err, emb.Texts())
	}
	// Plain text stays plain: these are four words.
	if got := h.searchMode("c2", `red AND "whale" -apple`, search.ModeText, search.Filter{}, 10); len(got) != 3 {
		t.Errorf("plain text finds %d documents", len(got))
	}

	for _, tt := range []struct {
		req  search.SearchRequest
		want string
	}{
		{search.SearchRequest{Text: `über "x`, Mode: search.ModeText, Syntax: search.SyntaxQuery}, "character 6"},
		{search.SearchRequest{Text: `-x`, Mode: search.ModeHybrid, Syntax: search.SyntaxQuery}, "excluded"},
		{search.SearchRequest{Text: `"" ""`, Mode: search.ModeHybrid, Syntax: search.SyntaxQuery}, "no words"},
		{search.SearchRequest{Text: "x", Mode: search.ModeVector, Syntax: search.SyntaxQuery}, "fts or hybrid"},
		{search.SearchRequest{Text: "x", Mode: search.ModeText, Syntax: "lucene"}, "plain, query"},
	} {
		tt.req.Domain, tt.req.Ref, tt.req.Page = domain, search.Ref{Commit: "c1"}, search.Page{Count: 1}
		if _, err := h.Search(t.Context(), tt.req); !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want one that says %s", tt.req.Text, err, tt.want)
		}
	}
}

// TestPrefixOfTooMuch: a prefix of too many words is the caller's mistake.
func TestPrefixOfTooMuch(t *testing.T) {
	src := indexertest.NewSource()
	var text strings.Builder
	for i := range textindex.MaxExpansion + 1 {
		fmt.Fprintf(&text, "w%d ", i)
	}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", text.String())})
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{})
	h.mustIndex("c1", "")
	for _, mode := range []search.Mode{search.ModeText, search.ModeHybrid} {
		if _, err := h.ask("c1", "+w*", mode, search.Filter{}); !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "character 2") {
			t.Errorf("by %s: %v", mode, err)
		}
	}
}

// TestLanguageOfADomain: words are found in the forms of the language that the
// domain was created with, also when its text index was of another or is lost.
func TestLanguageOfADomain(t *testing.T) {
	for _, tt := range []struct{ language, text, query, notInEnglish string }{
		{"de", "Die Raumschiffe standen in den Häusern", "Raumschiff", "Haus"},
		{"fr", "Les vaisseaux de l'empire ont disparu", "vaisseau", "empires"},
		{"cjk", "超空間航行テスト", "空間", "行テ"},
		{"tr", "Isparta'da kayıklar", "ısparta", "kayık"},
	} {
		t.Run(tt.language, func(t *testing.T) {
			mem := vfstest.NewMem()
			src := indexertest.NewSource()
			h := open(t, mem, src, &indexertest.Embedder{})
			h.pushWith("c1", catalog.SettingsRequest{Language: tt.language}, put("d/A/1", tt.text), put("d/A/2", "nothing 何もない"))
			h.pushWith("c2", catalog.SettingsRequest{}, put("d/A/3", tt.text))
			check := func(when string) {
				t.Helper()
				for commit, want := range map[string]int{"c1": 1, "c2": 2} {
					for _, q := range []string{tt.query, tt.notInEnglish} {
						if got := h.searchMode(commit, q, search.ModeText, search.Filter{}, 10); len(got) != want {
							t.Errorf("%s: %q at %s finds %d documents, want %d", when, q, commit, len(got), want)
						}
					}
				}
			}
			check("at first")
			h.close()
			name := textindex.FileName(domain, "c1")
			good, err := mem.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d, err := textindex.Inspect(mem, name)
			if err != nil || d.Identity.Analyzer != tt.language {
				t.Fatalf("the text index is %+v, %v", d.Identity, err)
			}

			// The same file by the analysis of English is not taken for it.
			english := *d.Identity
			english.Analyzer = textindex.English
			seg, err := textindex.Build(english, func(yield func(string, error) bool) {
				_ = yield(tt.text, nil) && yield("nothing 何もない", nil)
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := seg.Write(mem); err != nil {
				t.Fatal(err)
			}
			noFindings(t, mem)
			h = open(t, mem, src, &indexertest.Embedder{})
			check("after an English index")
			h.close()
			if d, err := textindex.Inspect(mem, name); err != nil || d.Identity.Analyzer != tt.language {
				t.Errorf("the text index is now %+v, %v", d.Identity, err)
			}

			if err := mem.Remove(name); err != nil {
				t.Fatal(err)
			}
			h = open(t, mem, src, &indexertest.Embedder{})
			check("after a loss")
			h.close()
			if again, err := mem.ReadFile(name); err != nil || len(again) != len(good) {
				t.Errorf("the text index is made anew with %d bytes, %v, was %d", len(again), err, len(good))
			}
		})
	}
}
