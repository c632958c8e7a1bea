package indexer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// openDiffed has the commit c1, and c2, which changes, adds and removes documents;
// the branch side stays at c1.
func openDiffed(t *testing.T) *harness {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	op := func(id, text string, v ...float32) contract.Op {
		return contract.Op{Kind: contract.Upsert, ID: id, Text: text, Vector: v}
	}
	settings := catalog.SettingsRequest{Dim: 2}
	h.pushWith("c1", settings, op("d/A/1", "red apple", 1, 0), op("d/A/2", "green pear", 0, 1), op("d/A/3", "blue plum", -1, 0),
		op("d/A/4", "old fig", 0.6, 0.8), op("d/B/5", "a date", 0, -1))
	h.pushWith("c2", settings, op("d/A/1", "red apples", 0.8, 0.6), op("d/A/2", "green pear", 0, 1), op("d/A/3", "blue plums", 1, 0),
		contract.Op{Kind: contract.Delete, ID: "d/A/4"}, op("d/A/6", "new kiwi", 0.9, 0.1))
	return h
}

// TestDiff: what changed between two commits, the farthest moved first, the same
// whichever way the commits are named, and of a commit with itself nothing.
func TestDiff(t *testing.T) {
	h := openDiffed(t)
	diff := func(from, to string, page search.Page) search.Diff {
		t.Helper()
		found, err := h.Diff(t.Context(), search.DiffRequest{Domain: domain, Between: search.Between{From: from, To: to}, Page: page, Texts: true})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	show := func(d search.Diff) string {
		var b strings.Builder
		fmt.Fprintf(&b, "%s..%s %d %d %d:", d.From, d.To, d.Changed, d.Added, d.Removed)
		for _, e := range d.Documents {
			fmt.Fprintf(&b, " %s %s", e.Change, e.ID)
			if e.Distance != nil {
				fmt.Fprintf(&b, " %.2f", *e.Distance)
			}
			if e.Before != nil {
				fmt.Fprintf(&b, " -%s", *e.Before)
			}
			if e.After != nil {
				fmt.Fprintf(&b, " +%s", *e.After)
			}
		}
		return b.String()
	}
	all := search.Page{Count: 10}
	const want = "2 1 1: changed d/A/3 1.00 -blue plum +blue plums changed d/A/1 0.10 -red apple +red apples added d/A/6 +new kiwi removed d/A/4 -old fig"
	if got := show(diff("c1", "c2", all)); got != "c1..c2 "+want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := show(diff("c1", "main", all)); got != "c1..c2 "+want {
		t.Errorf("to a branch: %s", got)
	}
	if got := show(diff("c2", "c1", search.Page{Start: 2, Count: 1})); got != "c2..c1 2 1 1: added d/A/4 +old fig" {
		t.Errorf("a page of the way back: %s", got)
	}
	if got := show(diff("c2", "c2", all)); got != "c2..c2 0 0 0:" {
		t.Errorf("of itself: %s", got)
	}
	if _, err := h.Diff(t.Context(), search.DiffRequest{Domain: domain, Between: search.Between{From: "c1", To: "nowhere"}, Page: all}); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a commit that is not there: %v", err)
	}
}

// TestDiffOfFields: a document with other fields is changed, and has not moved.
func TestDiffOfFields(t *testing.T) {
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{})
	op := func(fields string) contract.Op {
		return contract.Op{Kind: contract.Upsert, ID: "d/A/1", Text: "red apple", Fields: fields}
	}
	h.pushWith("c1", catalog.SettingsRequest{}, op(`{"price":1}`))
	h.pushWith("c2", catalog.SettingsRequest{}, op(`{"price":2}`))
	found, err := h.Diff(t.Context(), search.DiffRequest{Domain: domain, Between: search.Between{From: "c1", To: "c2"}, Page: search.Page{Count: 10}})
	if err != nil || len(found.Documents) != 1 || !found.Documents[0].FieldsOnly || *found.Documents[0].Distance != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestSearchDiff: which hits came, went and moved, and whose text changed.
func TestSearchDiff(t *testing.T) {
	h := openDiffed(t)
	diff := func(from, to string, count int) string {
		t.Helper()
		found, err := h.SearchDiff(t.Context(), search.SearchDiffRequest{
			SearchRequest: search.SearchRequest{Domain: domain, Vector: []float32{1, 0}, Mode: search.ModeVector, Options: search.Options{Page: search.Page{Count: count}}},
			Between:       search.Between{From: from, To: to},
		})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, x := range found.Hits {
			rank := func(p *search.Placed) int {
				if p == nil {
					return 0
				}
				return p.Rank
			}
			fmt.Fprintf(&b, "%s %s %d>%d", x.Change, x.ID, rank(x.Before), rank(x.After))
			for _, n := range []struct {
				is   bool
				name string
			}{{x.TextChanged, " text"}, {x.Added, " added"}, {x.Removed, " removed"}} {
				if n.is {
					b.WriteString(n.name)
				}
			}
			b.WriteString("; ")
		}
		return b.String()
	}
	if got, want := diff("c1", "main", 3), "came d/A/3 0>1 text; came d/A/6 0>2 added; moved d/A/1 1>3 text; went d/A/4 2>0 removed; went d/A/2 3>0; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := diff("c2", "c2", 2), "same d/A/3 1>1; same d/A/6 2>2; "; got != want {
		t.Errorf("of itself: %s, want %s", got, want)
	}
}

// TestDocuments: a commit's documents by a filter, with paging and a count, and
// without any query.
func TestDocuments(t *testing.T) {
	h := openDiffed(t)
	list := func(commit string, page search.Page, filter search.Filter) string {
		t.Helper()
		found, err := h.ListDocuments(t.Context(), search.DocumentsRequest{Domain: domain, Ref: search.Ref{Commit: commit}, Page: page, Filter: filter, Texts: true})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		fmt.Fprint(&b, found.Total)
		for _, d := range found.Documents {
			fmt.Fprintf(&b, " %s=%s", d.ID, *d.Text)
		}
		return b.String()
	}
	for _, c := range []struct{ got, want string }{
		{list("c1", search.Page{Count: 2}, search.Filter{}), "5 d/A/1=red apple d/A/2=green pear"},
		{list("c2", search.Page{Start: 3, Count: 9}, search.Filter{}), "5 d/A/6=new kiwi d/B/5=a date"},
		{list("c2", search.Page{Start: 1, Count: 1}, search.Filter{Types: []string{"A"}}), "4 d/A/2=green pear"},
		{list("c2", search.Page{Start: 9, Count: 1}, search.Filter{}), "5"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
