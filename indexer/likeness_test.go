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
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var byLikeness = pairs.Pairing{Likeness: pairs.LikenessMixed, MinScore: -1}

// alike returns the pairs of a request, as a=b, in order of ids; and holds that what
// comes in one piece is the same.
func (h *harness) alike(req pairs.DuplicatesRequest) []string {
	h.t.Helper()
	req.Domain, req.Threshold = domain, max(req.Threshold, -1)
	if req.Threshold == 0 {
		req.Threshold = -1
	}
	found, err := h.near(req)
	if err != nil {
		h.t.Fatal(err)
	}
	whole, err := pairs.New(h.Reader).Duplicates(h.t.Context(), req)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, g := range whole.Groups {
		for p, err := range g.Pairs {
			if err != nil {
				h.t.Fatal(err)
			}
			whole.Pairs = append(whole.Pairs, p)
		}
	}
	names := func(found []pairs.Pair) (names []string) {
		for _, p := range found {
			if p.A.ID >= p.B.ID || p.Alike == nil || p.Alike.Score < 0 || p.Alike.Score > 1 {
				h.t.Errorf("%+v %+v", p, p.Alike)
			}
			names = append(names, p.A.ID+"="+p.B.ID)
		}
		slices.Sort(names)
		return names
	}
	if got, want := names(whole.Pairs), names(found); !slices.Equal(got, want) {
		h.t.Errorf("in one piece %v, line by line %v", got, want)
	}
	return names(found)
}

// catalogue has products and people with copies and look-alikes.
func catalogue() map[string]string {
	texts := map[string]string{
		"P/1": "Makita cordless drill K8864X, 18 V, red, with two batteries and a case",
		"P/2": "Makita cordless drill K8864Y, 18 V, red, with two batteries and a case", // another
		"P/3": "MAKITA CORDLESS DRILL K8864X, 18 V, RED, WITH TWO BATTERIES AND A CASE",
		"P/4": "Makita cordles drill K8864X, 18V, red, with two bateries and a case",
		"P/5": "Bosch electric kettle AB-120, 1.5 l, steel, with base",
		"P/6": "Bosch electric kettle AB-120, 2.5 l, steel, with base", // another
		"N/1": "Ann Oldfield, born 1956-04-09, 12 High Street, 40213 Bramley",
		"N/2": "Oldfield, Ann; 9 April 1956; 12 High Street; 40213 Bramley",
		"N/3": "Ann Oldfield, born 1988-11-23, 12 High Street, 40213 Bramley", // her daughter
	}
	for i := range 40 {
		texts[fmt.Sprintf("X/%d", i)] = fmt.Sprintf("number %d: %s", 7919*i, strings.Repeat(string(rune('a'+i%26))+"q ", 2+i))
	}
	return texts
}

func putAll(texts map[string]string) (ops []contract.Op) {
	for id, text := range texts {
		ops = append(ops, put("d/"+id, text))
	}
	return ops
}

// TestAlike: copies are found whatever was done to them, and look-alikes are none.
func TestAlike(t *testing.T) {
	fsys := vfstest.NewMem()
	h := openPush(t, fsys, &indexertest.Embedder{})
	h.mustPush("", "", "c1", putAll(catalogue())...)
	want := []string{"d/N/1=d/N/2", "d/P/1=d/P/3", "d/P/1=d/P/4", "d/P/3=d/P/4"}
	only := search.Filter{Types: []string{"P", "N"}}
	c1 := search.Ref{Commit: "c1"}
	if got := h.alike(pairs.DuplicatesRequest{Ref: c1, Set: only, Pairing: byLikeness}); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: c1, Threshold: -1, Set: only, Pairing: byLikeness, Snippet: true})
	if err != nil || len(got.Groups) != 2 || got.Pairs != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	g := got.Groups[0]
	if len(g.Members) != 3 {
		g = got.Groups[1]
	}
	if g.Count != 3 || g.Members[0].ID != "d/P/1" || g.Members[2].ID != "d/P/4" || g.Members[2].Snippet == "" || g.Representative == "d/P/4" {
		t.Errorf("%+v", g)
	}
	for p := range got.Groups[0].Pairs { // its best other partner is far away
		if len(got.Groups[0].Members) == 2 && p.Alike.Margin < p.Alike.Score/2 {
			t.Errorf("margin of %+v", p.Alike)
		}
	}
	// Without numbers in the mean they are pairs of course.
	if got := h.alike(pairs.DuplicatesRequest{Ref: c1, Set: only, Pairing: pairs.Pairing{Likeness: pairs.LikenessTrigrams, MinScore: 0.6}}); !slices.Contains(got, "d/P/1=d/P/2") {
		t.Errorf("trigrams: %v", got)
	}
	for _, match := range []pairs.Match{pairs.MatchAll, pairs.MatchMutual, pairs.MatchOneToOne} {
		p := byLikeness
		p.Match = match
		got := h.alike(pairs.DuplicatesRequest{Ref: c1, Set: only, Pairing: p})
		wantOf := map[pairs.Match]int{pairs.MatchAll: 3, pairs.MatchMutual: 2, pairs.MatchOneToOne: 2}
		if p.Match == pairs.MatchOneToOne {
			// The default of one to one is lower, but these stay far away.
			got = slices.DeleteFunc(got, func(p string) bool { return !slices.Contains(want, p) })
		}
		if len(got) != wantOf[match] {
			t.Errorf("%s: %v", match, got)
		}
	}
	// A bound of the distance takes pairs away, none is added.
	if got := h.alike(pairs.DuplicatesRequest{Ref: c1, Set: only, Pairing: byLikeness, Threshold: 1e-9}); len(got) >= len(want) {
		t.Errorf("within a tiny distance: %v", got)
	}
	// What another commit has changes nothing, nor does a start.
	h.mustPush("", "c1", "c2", put("d/P/9", catalogue()["P/1"]), put("d/P/3", "something else"))
	h2 := openPush(t, fsys, &indexertest.Embedder{})
	for _, h := range []*harness{h, h2} {
		if got := h.alike(pairs.DuplicatesRequest{Ref: c1, Set: only, Pairing: byLikeness}); !slices.Equal(got, want) {
			t.Errorf("later: %v, want %v", got, want)
		}
		if got, want := h.alike(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c2"}, Since: "c1", Set: only, Pairing: byLikeness}), []string{"d/P/1=d/P/9", "d/P/4=d/P/9"}; !slices.Equal(got, want) {
			t.Errorf("since: %v, want %v", got, want)
		}
	}
}

// TestAlikeSince: a document that is changed and was a pair before is none that came
// about.
func TestAlikeSince(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1", putAll(catalogue())...)
	h.mustPush("", "c1", "c2", put("d/P/4", "Makita cordles drill K8864X, 18V, red, with two bateries and a case!"), put("d/P/6", catalogue()["P/5"]))
	if got, want := h.alike(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c2"}, Since: "c1", Pairing: byLikeness}), []string{"d/P/5=d/P/6"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := h.alike(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c2"}, Since: "c2", Pairing: byLikeness}); len(got) > 0 {
		t.Errorf("since itself: %v", got)
	}
}

// TestAlikeChain: what has nothing in common is no group, whatever lies between.
func TestAlikeChain(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	words := strings.Fields("alder birch cedar elder fir gorse hazel ivy juniper larch maple oak pine rowan spruce yew")
	var ops []contract.Op
	for i := range 11 { // each shares five words of six with the next
		ops = append(ops, put(fmt.Sprintf("d/C/%02d", i), strings.Join(words[i:i+6], " ")))
	}
	h.mustPush("", "", "c1", ops...)
	got := h.alike(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c1"}, Pairing: byLikeness})
	if len(got) == 0 || slices.Contains(got, "d/C/00=d/C/10") || slices.Contains(got, "d/C/00=d/C/06") {
		t.Errorf("%v", got)
	}
}

// TestAlikeConditions: fields decide, where both documents have them.
func TestAlikeConditions(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	var ops []contract.Op
	for i, fields := range []string{`{"model":"X","ean":"1"}`, `{"model":"Y","ean":"1"}`, `{"ean":"2"}`, ``} {
		op := put(fmt.Sprintf("d/P/%d", i), "one and the same text")
		op.Fields = fields
		ops = append(ops, op)
	}
	h.mustPush("", "", "c1", ops...)
	for _, c := range []struct {
		same, differ []string
		want         []string
	}{
		{nil, nil, []string{"d/P/0=d/P/1", "d/P/0=d/P/2", "d/P/0=d/P/3", "d/P/1=d/P/2", "d/P/1=d/P/3", "d/P/2=d/P/3"}},
		{nil, []string{"model"}, []string{"d/P/0=d/P/2", "d/P/0=d/P/3", "d/P/1=d/P/2", "d/P/1=d/P/3", "d/P/2=d/P/3"}},
		{[]string{"ean"}, []string{"model"}, []string{"d/P/0=d/P/3", "d/P/1=d/P/3", "d/P/2=d/P/3"}},
	} {
		p := byLikeness
		p.Match, p.Same, p.Differ = pairs.MatchAll, c.same, c.differ
		if got := h.alike(pairs.DuplicatesRequest{Ref: search.Ref{Commit: "c1"}, Pairing: p}); !slices.Equal(got, c.want) {
			t.Errorf("same %v, differ %v: %v, want %v", c.same, c.differ, got, c.want)
		}
	}
	p := byLikeness
	p.Same = []string{"eam"}
	_, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Threshold: -1, Pairing: p})
	if !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "ean, model") {
		t.Errorf("an unknown field: %v", err)
	}
}

// TestAlikeOfOneText: documents of one text are one group, however many they are.
func TestAlikeOfOneText(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	var ops []contract.Op
	const n = 300
	for i := range n {
		ops = append(ops, put(fmt.Sprintf("d/A/%03d", i), "the same words for all"))
	}
	h.mustPush("", "", "c1", append(ops, put("d/A/x", "the same words for all!"))...)
	got, err := pairs.New(h.Reader).Duplicates(t.Context(), pairs.DuplicatesRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Threshold: -1, Pairing: byLikeness})
	if err != nil || len(got.Groups) != 1 || got.Groups[0].Count != n*(n+1)/2 || got.Groups[0].Representative != "d/A/000" || got.Groups[0].Distance != 0 {
		t.Errorf("%d groups, %v: %+v", len(got.Groups), err, got.Groups[0].Count)
	}
}

// TestAlikeCandidates: between two sets each document has one partner at most.
func TestAlikeCandidates(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1",
		put("d/A/1", "Makita cordless drill K8864X 18 V red"), put("d/A/2", "Bosch kettle AB-120 steel"), put("d/A/3", "nothing like the others"),
		put("d/B/1", "Makita drill K8864X, 18V, cordless"), put("d/B/2", "Makita cordless drill K8864Y 18 V red"), put("d/B/3", "Bosch kettle AB120, steel"))
	got, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
		Domain: domain, Ref: search.Ref{Commit: "c1"}, SetThreshold: -1, TargetThreshold: -1, K: 5, Pairing: byLikeness,
		Set: search.Filter{Types: []string{"A"}}, Target: search.Filter{Types: []string{"B"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	edges := func(lists []pairs.CandidateList) (all []string) {
		for _, l := range lists {
			for _, p := range l.Partners {
				all = append(all, l.ID+"="+p.ID)
			}
		}
		return all
	}
	if got, want := edges(got.SetToTarget), []string{"d/A/1=d/B/1", "d/A/2=d/B/3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := edges(got.TargetToSet), []string{"d/B/1=d/A/1", "d/B/3=d/A/2"}; !slices.Equal(got, want) {
		t.Errorf("back: %v, want %v", got, want)
	}
	if got.SetDocuments != 3 || got.TargetDocuments != 3 {
		t.Errorf("%d, %d documents", got.SetDocuments, got.TargetDocuments)
	}
}

// TestAlikeWithoutVectors: documents without a vector are paired by their texts, and
// show these.
func TestAlikeWithoutVectors(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	bare := func(id, text string) contract.Op { return with(id, text, []float32{}...) }
	ops := []contract.Op{
		with("d/A/1", "Makita cordless drill K8864X 18 V red", 1, 0, 0), bare("d/A/2", "Makita cordless drill, K8864X, 18 V, red"),
		bare("d/A/3", "Bosch electric kettle of steel"), bare("d/A/4", "Bosch electric kettle of steel"), with("d/A/5", "a chair", 0, 1, 0),
	}
	for i := range ops {
		if ops[i].Vector == nil {
			ops[i].Vector = []float32{}
		}
	}
	h.pushWith("c1", catalog.SettingsRequest{Dim: 3}, ops...)
	c1, want := search.Ref{Commit: "c1"}, []string{"d/A/1=d/A/2", "d/A/3=d/A/4"}
	for _, match := range []pairs.Match{pairs.MatchGroups, pairs.MatchAll, pairs.MatchOneToOne} {
		for _, likeness := range []pairs.Likeness{pairs.LikenessMixed, pairs.LikenessWords} {
			req := pairs.DuplicatesRequest{Domain: domain, Ref: c1, Threshold: -1, Pairing: pairs.Pairing{Likeness: likeness, Match: match, MinScore: -1}, Snippet: true}
			if got := h.alike(req); !slices.Equal(got, want) {
				t.Errorf("%s %s: %v, want %v", likeness, match, got, want)
			}
			lines, err := h.near(req)
			must(t, err)
			for _, p := range lines {
				if !strings.Contains(p.A.Snippet, "o") || !strings.Contains(p.B.Snippet, "o") {
					t.Errorf("snippets of %+v", p)
				}
			}
		}
	}
	p, err := pairs.New(h.Reader).DuplicatesProfile(t.Context(), pairs.ProfileRequest{Domain: domain, Ref: c1, Pairing: byLikeness, Examples: 3})
	must(t, err)
	if p.Documents != 5 || p.Steps[0].Pairs == 0 {
		t.Errorf("profile %+v", p)
	}
	for _, req := range []pairs.DuplicatesRequest{{Ref: c1, Threshold: 1, Snippet: true}, {Ref: c1, Threshold: 0, Snippet: true}} {
		found, err := h.near(req)
		must(t, err)
		if slices.ContainsFunc(found, func(p pairs.Pair) bool { return p.B.ID != "d/A/5" || p.A.ID != "d/A/1" }) {
			t.Errorf("by distance %+v", found)
		}
	}
	found, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{Domain: domain, Ref: c1, SetThreshold: -1, TargetThreshold: -1, K: 3, Pairing: byLikeness, Vectors: true, Content: true})
	must(t, err)
	if len(found.SetToTarget) != 4 {
		t.Errorf("candidates %+v", found.SetToTarget)
	}
}
