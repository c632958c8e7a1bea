package indexer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestUnreadable pushes texts of which the built-in model knows next to nothing:
// they all have about one vector. They are named, make no pairs, and come last.
func TestUnreadable(t *testing.T) {
	local, err := embed.Local(2)
	must(t, err)
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{}, func(c *indexer.Config) { c.Embedder = local })
	task := h.mustPush("main", "", "c1", puts(
		"d/A/1", "the cat sat on the mat", "d/A/2", "stock prices fell sharply", "d/A/3", "ฉันชอบ iPhone มาก",
		"d/U/1", "ฉันชอบกินข้าวผัด", "d/U/2", "วันนี้ฝนตกหนักมาก", "d/U/3", "ฉันชอบกินข้าวผัด", "d/U/4", "🍕🍕", "d/U/5", "საქართველო 2024")...)
	unreadable := []string{"d/U/1", "d/U/2", "d/U/3", "d/U/4", "d/U/5"}
	wantTask := func(task indexer.Task, ids []string, warns bool) {
		t.Helper()
		if !slices.Equal(task.Unreadable, ids) || task.UnreadableTotal != len(ids) || (len(task.Warnings) == 1) != warns {
			t.Errorf("unreadable %v (%d), warnings %q", task.Unreadable, task.UnreadableTotal, task.Warnings)
		}
	}
	wantTask(task, unreadable, true)

	// A delta carries it on, and so does what is unchanged.
	many := puts("d/U/1", "ฉันชอบกินข้าวผัด")
	for i := range 10 {
		many = append(many, puts(fmt.Sprint("d/B/", i), strings.Repeat("word ", i+1))...)
	}
	wantTask(h.mustPush("main", "", "c2", many...), unreadable[:1], false)
	wantTask(h.mustPush("main", "", "c3", puts("d/U/6", "ブルキナファソ")...), []string{"d/U/6"}, true)
	unreadable = append(unreadable, "d/U/6")

	st, err := h.Statistics(domain)
	must(t, err)
	if !slices.Equal(st.Unreadable, unreadable) || st.UnreadableTotal != len(unreadable) {
		t.Errorf("statistics: %v (%d)", st.Unreadable, st.UnreadableTotal)
	}

	isUnreadable := func(id string) bool { return strings.HasPrefix(id, "d/U/") }
	only := []string{"d/U/1=d/U/3"}
	wantPairs := func(what string, found []pairs.Pair, err error) {
		t.Helper()
		must(t, err)
		var got []string
		for _, p := range found {
			if isUnreadable(p.A.ID) || isUnreadable(p.B.ID) {
				got = append(got, p.A.ID+"="+p.B.ID)
			}
		}
		if !slices.Equal(got, only) {
			t.Errorf("%s: pairs %v, want %v", what, got, only)
		}
	}
	dup := pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, Threshold: 1}
	found, err := pairs.New(h.Reader).Duplicates(t.Context(), dup)
	wantPairs("duplicates", found.Pairs, err)
	near, err := h.near(dup)
	wantPairs("all pairs", near, err)
	dup.Since = "c1"
	only = nil
	found, err = pairs.New(h.Reader).Duplicates(t.Context(), dup)
	wantPairs("duplicates since c1", found.Pairs, err)
	candidates, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, SetThreshold: 1, TargetThreshold: 1, K: 30})
	must(t, err)
	for _, list := range candidates.SetToTarget {
		for _, p := range list.Partners {
			if pair := list.ID + p.ID; (isUnreadable(list.ID) || isUnreadable(p.ID)) && pair != "d/U/1d/U/3" && pair != "d/U/3d/U/1" {
				t.Errorf("candidates: %s and %s at %v", list.ID, p.ID, p.Distance)
			}
		}
	}

	wantLast := func(what string, first int, hits search.Hits, err error, warns bool) {
		t.Helper()
		must(t, err)
		for i, hit := range hits.Hits {
			if last := i >= len(hits.Hits)-len(unreadable)+first; i >= first && isUnreadable(hit.ID) != last || i < first && !isUnreadable(hit.ID) {
				t.Errorf("%s: hit %d is %s at %v", what, i, hit.ID, hit.Distance)
			}
			if i > 0 && hit.Distance < hits.Hits[i-1].Distance {
				t.Errorf("%s: distance %v after %v", what, hit.Distance, hits.Hits[i-1].Distance)
			}
		}
		if (len(hits.Warnings) == 1) != warns {
			t.Errorf("%s: warnings %q", what, hits.Warnings)
		}
	}
	ask := func(text string, mode search.Mode) (search.Hits, error) {
		req := query("c3", text)
		req.Mode, req.Page.Count = mode, 30
		return h.Search(t.Context(), req)
	}
	hits, err := ask("a cat", search.ModeVector)
	wantLast("a cat", 0, hits, err, false)
	hits, err = ask("🎉", search.ModeVector)
	wantLast("🎉", 0, hits, err, true)
	hits, err = ask("ฉันชอบกินข้าวผัด", search.ModeVector)
	wantLast("the text of two", 2, hits, err, true)
	if hits, err = ask("ブルキナファソ cat", search.ModeHybrid); err != nil || strings.Contains(fmt.Sprint(hits.Warnings), "the model") || len(hits.Hits) < 10 {
		t.Errorf("hybrid, half readable: %d hits, %q, %v", len(hits.Hits), hits.Warnings, err)
	}
	if hits, err = ask("ブルキナファソ", search.ModeHybrid); err != nil || !strings.Contains(fmt.Sprint(hits.Warnings), "the model cannot read the query") || len(hits.Hits) != 1 || hits.Hits[0].ID != "d/U/6" {
		t.Errorf("hybrid: %d hits, %q, %v", len(hits.Hits), hits.Warnings, err)
	}
	similar := search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c3"}, ID: "d/U/1", Options: search.Options{Page: search.Page{Count: 30}}, IncludeSelf: true}
	hits, err = h.Similar(t.Context(), similar)
	wantLast("similar to one", 2, hits, err, true)
	similar.ID = "d/A/1"
	hits, err = h.Similar(t.Context(), similar)
	wantLast("similar to another", 0, hits, err, false)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnreadableByLikeness: of texts that the model cannot read words and trigrams
// decide, and their vectors only where they are equal. Texts of which it reads the same
// are not near for that.
func TestUnreadableByLikeness(t *testing.T) {
	local, err := embed.Local(2)
	must(t, err)
	h := open(t, vfstest.NewMem(), indexertest.NewSource(), &indexertest.Embedder{}, func(c *indexer.Config) { c.Embedder = local })
	h.mustPush("main", "", "c1", puts(
		"d/A/1", "the cat sat on the mat", "d/A/2", "stock prices fell sharply",
		"d/U/1", "ฉันชอบกินข้าวผัด วันนี้ฝนตกหนักมาก", "d/U/2", "ฉันชอบกินข้าวผัด, วันนี้ฝนตกหนักมาก!", "d/U/3", "საქართველო", "d/U/4", "ประเทศไทย",
		"d/U/5", "გამარჯობა ყველას", "d/U/6", "გამარჯობა ყველას",
		"d/H/1", "the price of ราคา today", "d/H/2", "the price of ข้าวผัด today", "d/H/3", "The price of ราคา today", "d/H/4", "the price of ราคา today")...)
	c1 := search.Ref{Commit: "c1"}
	unequal, equal := []string{"d/U/1=d/U/2", "d/U/5=d/U/6"}, []string{"d/U/5=d/U/6"}
	for likeness, want := range map[pairs.Likeness][]string{
		pairs.LikenessMixed: unequal, pairs.LikenessWords: unequal, pairs.LikenessTrigrams: unequal, pairs.LikenessVector: equal,
	} {
		for _, match := range []pairs.Match{pairs.MatchAll, pairs.MatchGroups, pairs.MatchMutual} {
			got := h.alike(pairs.DuplicatesRequest{Ref: c1, Pairing: pairs.Pairing{Likeness: likeness, Match: match, MinScore: -1}, Set: search.Filter{Types: []string{"A", "U"}}})
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: %v, want %v", likeness, match, got, want)
			}
		}
	}
	halves := search.Filter{Types: []string{"H"}}
	want := []string{"d/H/1=d/H/3", "d/H/1=d/H/4", "d/H/3=d/H/4"}
	byVector := pairs.Pairing{Likeness: pairs.LikenessVector, Match: pairs.MatchAll, MinScore: .9999}
	if got := h.alike(pairs.DuplicatesRequest{Ref: c1, Pairing: byVector, Set: halves}); !slices.Equal(got, want) {
		t.Errorf("by vector %v, want %v", got, want)
	}
	req := pairs.DuplicatesRequest{Domain: domain, Ref: c1, Threshold: 1e-4, Set: halves}
	lines, err := h.near(req)
	must(t, err)
	whole, err := pairs.New(h.Reader).Duplicates(t.Context(), req)
	must(t, err)
	found, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: c1, Set: halves, SetThreshold: 1e-4, TargetThreshold: 1e-4, K: 10})
	must(t, err)
	for _, p := range append(lines, whole.Pairs...) {
		if p.A.ID == "d/H/2" || p.B.ID == "d/H/2" {
			t.Errorf("by distance %+v", p)
		}
	}
	if len(lines) != 3 || len(whole.Pairs) == 0 {
		t.Errorf("%d lines, %d pairs", len(lines), len(whole.Pairs))
	}
	if len(found.SetToTarget) != 3 {
		t.Errorf("candidates %+v", found.SetToTarget)
	}

	// What is decided is told at no distance of words that are not known; and since a
	// commit such texts were no pair there.
	req.Decided.Also = []catalog.Decision{{A: "d/H/1", B: "d/H/2", Verdict: catalog.DecidedSame}}
	whole, err = pairs.New(h.Reader).Duplicates(t.Context(), req)
	must(t, err)
	if !slices.ContainsFunc(whole.Pairs, func(p pairs.Pair) bool { return p.B.ID == "d/H/2" && p.Distance == 1 }) {
		t.Errorf("decided the same: %+v", whole.Pairs)
	}
	h.mustPush("main", "c1", "c2", put("d/H/2", "The price of ราคา today"))
	req.Ref, req.Since, req.Decided = search.Ref{Commit: "c2"}, "c1", pairs.Decided{}
	lines, err = h.near(req)
	if must(t, err); len(lines) != 3 {
		t.Errorf("since the commit before %+v", lines)
	}
}
