package indexer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// prune returns the commits that a request removes, or would.
func (h *harness) prune(req indexer.PruneRequest) []string {
	h.t.Helper()
	req.Domain = domain
	p, err := h.Prune(h.t.Context(), req)
	if err != nil {
		h.t.Fatalf("prune %+v: %v", req, err)
	}
	if p.Applied != req.Apply {
		h.t.Errorf("prune %+v: applied %v", req, p.Applied)
	}
	var list []string
	total := int64(0)
	for _, c := range p.Commits {
		list = append(list, c.Commit)
		total += c.Bytes
	}
	if total != p.Bytes {
		h.t.Errorf("%d bytes, of commits %d", p.Bytes, total)
	}
	slices.Sort(list)
	return list
}

func (h *harness) wantPruned(commits ...string) {
	h.t.Helper()
	for _, c := range commits {
		_, err := h.Search(h.t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}})
		if !errors.Is(err, contract.ErrPruned) || errors.Is(err, contract.ErrNotFound) {
			h.t.Errorf("search at %s: %v, want pruned", c, err)
		}
	}
	list, err := h.PrunedCommits(domain)
	if err != nil || !slices.Equal(list, slices.Sorted(slices.Values(commits))) {
		h.t.Errorf("pruned are %v, %v; want %v", list, err, commits)
	}
}

// answers is all that a commit answers: by vector, by words, and its counts.
type answers struct {
	near, words search.Hits
}

func (h *harness) answers(commit string) answers {
	h.t.Helper()
	var a answers
	for mode, into := range map[search.Mode]*search.Hits{search.ModeVector: &a.near, search.ModeText: &a.words} {
		var err error
		if *into, err = h.Search(h.t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Text: "word1", Mode: mode, Options: search.Options{Page: search.Page{Count: 100}, Snippet: true},
		}); err != nil {
			h.t.Fatalf("search at %s: %v", commit, err)
		}
	}
	return a
}

// flat has most commits stand on the first alone.
func flat(cfg *indexer.Config) { cfg.Graph.MaxDeltas = 2 }

// settle waits until no merge is due.
func (h *harness) settle() {
	for h.Merging() > 0 {
		runtime.Gosched()
	}
}

// roots writes commits that stand alone, as name, branch and day of 2000.
func roots(t *testing.T, files *vfstest.Mem, rows ...[3]string) {
	t.Helper()
	for i, row := range rows {
		made, err := time.Parse("2006-01-02 15:04", "2000-01-"+row[2]+" 23:59")
		if err != nil {
			t.Fatal(err)
		}
		h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: row[0], Branch: row[1], Seq: uint64(i + 1), Created: made.Unix()}
		if _, err := snapshot.Write(files, h, snapshot.Contents{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPruneKeeps holds what a request keeps, of commits that stand alone.
func TestPruneKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(4*24*time.Hour + time.Hour) // it is the fifth of January
		files := vfstest.NewMem()
		roots(t, files, [][3]string{
			{"c1", "main", "01"}, {"c2", "main", "01"}, {"f2", "fork", "01"}, {"c3", "main", "02"}, {"c4", "main", "02"},
			{"c5", "main", "03"}, {"c6", "main", "03"}, {"f6", "fork", "03"}, {"c7", "main", "04"}, {"c8", "main", "04"},
			{"c9", "main", "05"}, {"c10", "main", "05"}, {"f10", "fork", "05"}, {"off", "", "05"},
		}...)
		h := openPush(t, files, &indexertest.Embedder{})
		all := []string{"c1", "c10", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "f10", "f2", "f6", "off"}
		without := func(commits ...string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(c string) bool { return slices.Contains(commits, c) })
		}
		for _, tt := range []struct {
			req  indexer.PruneRequest
			want []string
		}{
			{indexer.PruneRequest{KeepLast: 1}, without("c10", "f10")},
			{indexer.PruneRequest{KeepLast: 3}, without("c10", "c9", "c8", "f10", "f6", "f2")},
			{indexer.PruneRequest{KeepLast: 100}, []string{"off"}},
			{indexer.PruneRequest{KeepDaily: 1}, without("c10", "f10")},
			{indexer.PruneRequest{KeepDaily: 3}, without("c10", "c8", "c6", "f10", "f6")},
			{indexer.PruneRequest{KeepDaily: indexer.MaxKeepDaily}, without("c10", "c8", "c6", "c4", "c2", "f10", "f6", "f2")},
			{indexer.PruneRequest{KeepLast: 2, KeepDaily: 2}, without("c10", "c9", "c8", "f10", "f6")},
			{indexer.PruneRequest{Keep: []string{"c3", "off"}}, without("c10", "f10", "c3", "off")},
		} {
			if got := h.prune(tt.req); !slices.Equal(got, tt.want) {
				t.Errorf("%+v removes %v, want %v", tt.req, got, tt.want)
			}
		}
		// Always kept: what is tagged, what kept aliases and marks stand for.
		h.mustTag("c1", "v1")
		if err := h.Assign(t.Context(), domain, "fork", "c5", "a5"); err != nil {
			t.Fatal(err)
		}
		if err := h.Assign(t.Context(), domain, "reset", "c7", "c7"); err != nil {
			t.Fatal(err)
		}
		want := without("c10", "c1", "c5", "c7")
		if got := h.prune(indexer.PruneRequest{KeepLast: 1}); !slices.Equal(got, want) {
			t.Errorf("with a tag, an alias and a mark it removes %v, want %v", got, want)
		}
		// Of a running push, the base.
		p := h.mustStart("slow", "c3", "s1")
		want = without("c10", "c1", "c5", "c7", "c3")
		if got := h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true}); !slices.Equal(got, want) {
			t.Errorf("beside a push it removes %v, want %v", got, want)
		}
		if err := p.Apply(put("d/A/3", "slow")); err != nil {
			t.Fatal(err)
		}
		p.Finish()
		<-p.Done()
		h.wantTexts("s1", "d/A/3", "slow")
		h.wantPruned(want...)
		h.wantHead("fork", "a5")
		h.wantHead("reset", "c7")
		h.close()
	})
}

func TestPruneRefusals(t *testing.T) {
	files := vfstest.NewMem()
	roots(t, files, [3]string{"c1", "main", "01"}, [3]string{"c2", "main", "01"}, [3]string{"c3", "main", "01"})
	h := openPush(t, files, &indexertest.Embedder{})
	h.prune(indexer.PruneRequest{Keep: []string{"c2"}, Apply: true})
	for _, tt := range []struct {
		req  indexer.PruneRequest
		want error
	}{
		{indexer.PruneRequest{Domain: domain}, contract.ErrInvalid},
		{indexer.PruneRequest{Domain: domain, KeepLast: -1}, contract.ErrInvalid},
		{indexer.PruneRequest{Domain: domain, KeepLast: 1, KeepDaily: -1}, contract.ErrInvalid},
		{indexer.PruneRequest{Domain: domain, KeepDaily: indexer.MaxKeepDaily + 1}, contract.ErrInvalid},
		{indexer.PruneRequest{Domain: domain, Keep: []string{""}}, contract.ErrInvalid},
		{indexer.PruneRequest{Domain: domain, Keep: []string{"none"}}, contract.ErrNotFound},
		{indexer.PruneRequest{Domain: domain, Keep: []string{"c1"}}, contract.ErrPruned},
		{indexer.PruneRequest{Domain: "no/such", KeepLast: 1}, contract.ErrNotFound},
	} {
		tt.req.Apply = true
		if _, err := h.Prune(t.Context(), tt.req); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.req, err, tt.want)
		}
	}
	for what, err := range map[string]error{
		"tagged":          h.Tag(t.Context(), domain, "c1", "v1"),
		"assigned":        h.Assign(t.Context(), domain, "", "c1", "c9"),
		"made the head":   h.Assign(t.Context(), domain, "", "c1", "c1"),
		"pushed on":       func() error { _, err := h.start("", "c1", "c4"); return err }(),
		"pushed on, fork": func() error { _, err := h.start("fork", "c1", "c4"); return err }(),
	} {
		if !errors.Is(err, contract.ErrPruned) {
			t.Errorf("a pruned commit is %s: %v", what, err)
		}
	}
	if err := h.Tag(t.Context(), domain, "c3", "c1"); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("a tag of a pruned commit's name: %v", err)
	}
}

// TestPrunedCommitsComeBack: what was pruned stays so over restarts, until it is
// indexed or pushed; a deletion forgets it.
func TestPrunedCommitsComeBack(t *testing.T) {
	src, files := indexertest.NewSource(), vfstest.NewMem()
	emb := &indexertest.Embedder{}
	h := open(t, files, src, emb, flat)
	for i := 1; i <= 9; i++ {
		c := fmt.Sprint("c", i)
		src.Commit("main", c, indexertest.Change{Put: docs(fmt.Sprint("d/A/", i), "text of "+c)})
		h.mustIndex(c, "")
		h.settle()
	}
	gone := h.prune(indexer.PruneRequest{KeepLast: 2, Apply: true})
	if len(gone) < 4 {
		t.Fatalf("only %v are pruned", gone)
	}
	again := func() {
		t.Helper()
		h.close()
		h = open(t, files, src, emb, flat)
	}
	again()
	h.wantPruned(gone...)
	emb.Reset()
	h.mustIndex(gone[0], "")
	h.wantHead("", "c9")
	if texts := emb.Texts(); len(texts) != 0 {
		t.Errorf("%q were embedded again", texts)
	}
	again()
	if got, want := h.texts(gone[0]), src.Documents(gone[0]); !maps.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", gone[0], got, want)
	}
	h.wantPruned(gone[1:]...)
	h.mustPush("other", "", gone[1], puts("d/A/9", "nine")...)
	h.wantPruned(gone[2:]...)
	wantSound(t, files)
	indexed, err := h.Indexed(t.Context(), domain)
	for commit, want := range map[string]bool{gone[2]: true, gone[1]: true, "c9": true, "none": false} {
		if err != nil || indexed(commit) != want {
			t.Errorf("a watcher sees %s as indexed: %v, %v", commit, !want, err)
		}
	}
	// A branch's deletion forgets none, the domain's does.
	if err := h.DeleteBranchIndex(t.Context(), domain, "other"); err != nil {
		t.Fatal(err)
	}
	h.wantPruned(gone[2:]...)
	h.wantGone(gone[1])
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	if got := names(t, files); slices.Contains(got, catalog.PrunedName(domain)) {
		t.Errorf("files %v", got)
	}
	h.mustIndex("c9", "")
	h.wantGone(gone...)
	again()
	h.wantGone(gone...)
}

// TestPruneSweeps: gc takes no list away that counts, and the others.
func TestPruneSweeps(t *testing.T) {
	files := vfstest.NewMem()
	roots(t, files, [3]string{"c1", "main", "01"}, [3]string{"c2", "main", "01"})
	h := openPush(t, files, &indexertest.Embedder{})
	h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true})
	h.close()
	list, err := files.ReadFile(catalog.PrunedName(domain))
	if err != nil {
		t.Fatal(err)
	}
	files.WriteFile(catalog.PrunedName("no/such"), list)
	var gone []string
	if _, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: files}, func(r indexer.Removal) { gone = append(gone, r.File) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{catalog.PrunedName("no/such")}; !slices.Equal(gone, want) {
		t.Errorf("gc removes %v, want %v", gone, want)
	}
	h = openPush(t, files, &indexertest.Embedder{})
	h.wantPruned("c1")
}

// TestPrunedBase: a pull whose base is pruned while it is looked up takes another.
func TestPrunedBase(t *testing.T) {
	src := indexertest.NewSource()
	src.Incremental = true
	for i := 1; i <= 4; i++ {
		src.Commit("main", fmt.Sprint("c", i), indexertest.Change{Put: docs(fmt.Sprint("d/A/", i), fmt.Sprint("text ", i))})
	}
	src.Branch("fork", "c2")
	src.Commit("fork", "f1", indexertest.Change{Put: docs("d/A/9", "nine")})
	racing := &racingSource{Source: src}
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, flat, func(cfg *indexer.Config) { cfg.Source = racing })
	for i := 1; i <= 4; i++ {
		h.mustIndex(fmt.Sprint("c", i), "")
		h.settle()
	}
	racing.after = func(base string) {
		if base == "c2" {
			h.prune(indexer.PruneRequest{Keep: []string{"c1"}, Apply: true})
		}
	}
	task := h.mustIndex("f1", "fork")
	if task.Base != "c1" {
		t.Errorf("it builds on %q", task.Base)
	}
	h.wantTexts("f1", "d/A/1", "text 1", "d/A/2", "text 2", "d/A/9", "nine")
}

// racingSource calls after once a pull has chosen what it builds on.
type racingSource struct {
	*indexertest.Source
	after func(base string)
}

func (s *racingSource) Pull(ctx context.Context, req contract.PullRequest) (*contract.Pull, error) {
	p, err := s.Source.Pull(ctx, req)
	if err == nil && s.after != nil {
		s.after(p.Base)
	}
	return p, err
}

// TestPruneModel prunes random histories: with branches, names, tags and merges.
// What a request keeps, and what that stands on, answers as before to the bit; all
// else answers that it was pruned; files that nothing needs go.
func TestPruneModel(t *testing.T) {
	runs := 12
	if os.Getenv("VECTORLINK_LONG") != "" {
		runs = 300
	}
	for range runs {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { pruneModel(t, seed) })
	}
}

func pruneModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	files := vfstest.NewMem()
	settings := func(cfg *indexer.Config) { cfg.Graph.MaxDeltas = 2 + int(seed%5) }
	h := openPush(t, files, &indexertest.Embedder{}, settings)
	branches := []string{"main", "b1", "b2"}
	on := make(map[string][]string) // commits by branch, oldest first
	var commits []string
	tags, real := make(map[string]string), make(map[string]string) // tags and other names, of which commit
	pruned := make(map[string]bool)
	add := func(branch, commit string) {
		on[branch] = append(on[branch], commit)
		commits = append(commits, commit)
	}
	for n := range 60 {
		branch := branches[rng.IntN(len(branches))]
		commit := fmt.Sprint("c", n)
		live := slices.DeleteFunc(slices.Clone(commits), func(c string) bool { return pruned[c] })
		switch {
		case len(live) > 0 && rng.IntN(10) == 0:
			target, name := live[rng.IntN(len(live))], fmt.Sprint("tag", n)
			h.mustTag(target, name)
			tags[name] = cmp.Or(real[target], target)
		case len(live) > 0 && rng.IntN(12) == 0:
			source := live[rng.IntN(len(live))]
			if err := h.Assign(t.Context(), domain, branch, source, commit); err != nil {
				t.Fatal(err)
			}
			real[commit] = cmp.Or(real[source], source)
			add(branch, commit)
		default:
			parent := ""
			if len(on[branch]) == 0 && len(live) > 0 {
				parent = live[rng.IntN(len(live))]
			}
			var ops []contract.Op
			for range 1 + rng.IntN(3) {
				id := fmt.Sprint("d/A/", rng.IntN(12))
				if ops = append(ops, put(id, fmt.Sprintf("word%d and word%d", rng.IntN(5), rng.IntN(30)))); rng.IntN(5) == 0 {
					ops[len(ops)-1] = remove(id)
				}
			}
			h.mustPush(branch, parent, commit, ops...)
			add(branch, commit)
		}
		if rng.IntN(8) != 0 {
			continue
		}
		h.settle()
		h.pruneOnce(rng, files, on, commits, tags, real, pruned)
		if rng.IntN(2) == 0 {
			h.close()
			h = openPush(t, files, &indexertest.Embedder{}, settings)
			h.settle()
		}
		for c := range pruned {
			if _, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}}); !errors.Is(err, contract.ErrPruned) {
				t.Fatalf("%s: %v", c, err)
			}
		}
	}
	h.close()
	wantSound(t, files)
}

// pruneOnce prunes by a random request, and notes what went.
func (h *harness) pruneOnce(rng *rand.Rand, files *vfstest.Mem, on map[string][]string, commits []string, tags, real map[string]string, pruned map[string]bool) {
	h.t.Helper()
	req := indexer.PruneRequest{KeepLast: rng.IntN(4)}
	kept := make(map[string]bool)
	for _, list := range on {
		list = slices.DeleteFunc(slices.Clone(list), func(c string) bool { return pruned[c] })
		for _, c := range list[max(len(list)-max(req.KeepLast, 1), 0):] {
			kept[c] = true
		}
	}
	for name, c := range tags {
		kept[c], kept[name] = true, true
		for other, of := range real {
			if of == c && !pruned[other] {
				kept[other] = true
			}
		}
	}
	for _, c := range commits {
		if !pruned[c] && rng.IntN(10) == 0 {
			req.Keep, kept[c] = append(req.Keep, c), true
		}
	}
	if req.KeepLast == 0 && len(req.Keep) == 0 {
		req.KeepLast = 1
	}
	before := make(map[string]answers)
	infos, _, err := snapshot.List(files)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, info := range infos {
		before[info.Commit] = h.answers(info.Commit)
	}
	// Reading has merges begin, and these change what stands on what.
	var want, got []string
	for same := false; !same; {
		h.settle()
		infos, want = needed(h.t, files, kept)
		got = h.prune(req)
		again, _ := needed(h.t, files, kept)
		same = slices.EqualFunc(infos, again, func(a, b snapshot.Info) bool { return a.Same(b) })
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("%+v would remove %v, want %v", req, got, want)
	}
	req.Apply = true
	if got := h.prune(req); !slices.Equal(got, want) {
		h.t.Fatalf("%+v removes %v, want %v", req, got, want)
	}
	for _, c := range want {
		pruned[c] = true
	}
	for c, a := range before {
		if !pruned[c] && !reflect.DeepEqual(h.answers(c), a) {
			h.t.Fatalf("%s answers otherwise after %+v", c, req)
		}
	}
	for _, name := range names(h.t, files) {
		for _, c := range want {
			if name == snapshot.FileName(domain, c) {
				h.t.Errorf("%s is left", name)
			}
		}
	}
}

// needed returns the commit files, and those that neither the kept ones nor what
// these stand on are.
func needed(t *testing.T, files *vfstest.Mem, keep map[string]bool) (infos []snapshot.Info, others []string) {
	t.Helper()
	infos, _, err := snapshot.List(files)
	if err != nil {
		t.Fatal(err)
	}
	needs, kept := make(map[string]string), make(map[string]bool)
	for _, info := range infos {
		needs[info.Commit] = info.On
	}
	for c := range keep {
		for ; c != ""; c = needs[c] {
			kept[c] = true
		}
	}
	for _, info := range infos {
		if !kept[info.Commit] {
			others = append(others, info.Commit)
		}
	}
	slices.Sort(others)
	return infos, others
}

// TestPruneCrash cuts the power before every operation of a prune, and of a push of
// a pruned commit: each commit is whole or pruned, and the directory is sound.
func TestPruneCrash(t *testing.T) {
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	h := openPush(t, fault, &indexertest.Embedder{}, func(cfg *indexer.Config) { cfg.Graph.MaxDeltas = 3 })
	want := make(map[string]map[string]string)
	grow := func(n int) {
		t.Helper()
		c := fmt.Sprint("c", n)
		h.mustPush("", "", c, puts(fmt.Sprint("d/A/", n%4), "text of "+c)...)
		h.settle()
		want[c] = h.texts(c)
	}
	for n := range 12 {
		grow(n)
	}
	going := h.prune(indexer.PruneRequest{KeepLast: 1})
	if len(going) < 5 {
		t.Fatalf("only %v go", going)
	}
	images, acked := 0, false
	check := func(n int, op vfstest.Op) {
		for _, share := range []float64{0, 0.5, 1} {
			for seed := range uint64(3) {
				images++
				disk := mem.CrashClone(seed, share)
				again := openPush(t, disk, &indexertest.Embedder{})
				left := 0
				for c, texts := range want {
					_, err := again.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}})
					switch {
					case err == nil:
						if got := again.texts(c); !reflect.DeepEqual(got, texts) {
							t.Fatalf("before operation %d (%s): %s holds %v, want %v", n, op, c, got, texts)
						}
						if slices.Contains(going, c) {
							left++
						}
					case !errors.Is(err, contract.ErrPruned) || !slices.Contains(going, c):
						t.Fatalf("before operation %d (%s): %s: %v", n, op, c, err)
					}
				}
				if acked && left > 1 {
					t.Fatalf("before operation %d (%s): %d commits are back", n, op, left)
				}
				again.close()
				report := func(f indexer.Finding) {
					if !strings.HasSuffix(f.File, ".vecs") { // its end is cut off with the next push
						t.Errorf("before operation %d (%s): verify: %+v", n, op, f)
					}
				}
				if _, err := indexer.Verify(t.Context(), disk, report); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	fault.OnOp(check)
	h.prune(indexer.PruneRequest{KeepLast: 1, Apply: true})
	acked = true
	check(0, "return")
	// One of them comes back, on a branch of its own.
	back := going[0]
	want[back] = map[string]string{"d/A/0": "back"}
	h.mustPush("back", "", back, puts("d/A/0", "back")...)
	fault.OnOp(nil)
	h.wantTexts(back, "d/A/0", "back")
	t.Logf("%d images", images)
}

// TestPruneBesideSearches prunes and merges while commits are searched: each answer
// is whole, or says that the commit was pruned.
func TestPruneBesideSearches(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{}, func(cfg *indexer.Config) {
		cfg.Graph.MaxDeltas, cfg.SnapshotPoolBytes = 2, 1
	})
	var mu sync.Mutex
	var commits []string
	done := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for {
				select {
				case <-done:
					return
				default:
				}
				mu.Lock()
				list := commits
				mu.Unlock()
				if len(list) == 0 {
					continue
				}
				c := list[rng.IntN(len(list))]
				hits, err := h.Search(context.Background(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "text " + c, Options: search.Options{Page: search.Page{Count: 1}}})
				switch {
				case errors.Is(err, contract.ErrPruned):
				case err != nil:
					t.Errorf("%s: %v", c, err)
				case len(hits.Hits) != 1 || hits.Hits[0].Distance != 0:
					t.Errorf("%s: %+v", c, hits)
				}
			}
		})
	}
	for n := range 80 {
		c := fmt.Sprint("c", n)
		h.mustPush("", "", c, puts("d/A/1", "text "+c)...)
		mu.Lock()
		commits = append(slices.Clone(commits), c)
		mu.Unlock()
		if n%4 == 3 {
			h.prune(indexer.PruneRequest{KeepLast: 2, Apply: true})
		}
	}
	close(done)
	wg.Wait()
}
