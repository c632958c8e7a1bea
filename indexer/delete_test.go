package indexer_test

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func (h *harness) wantGone(commits ...string) {
	h.t.Helper()
	for _, c := range commits {
		_, err := h.Search(h.t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}})
		if !errors.Is(err, contract.ErrNotFound) {
			h.t.Errorf("search at %s: %v, want not found", c, err)
		}
	}
}

func names(t *testing.T, files *vfstest.Mem) []string {
	t.Helper()
	list, err := files.List()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDeleteDomain: nothing is found after it, and the same commits can be pushed.
func TestDeleteDomain(t *testing.T) {
	for _, purge := range []bool{false, true} {
		t.Run(fmt.Sprintf("purge=%v", purge), func(t *testing.T) {
			files, emb := vfstest.NewMem(), &indexertest.Embedder{}
			h := openPush(t, files, emb, func(c *indexer.Config) { c.Graph.MaxDeltas = 2 })
			remove := func() {
				t.Helper()
				if err := h.DeleteDomain(t.Context(), domain, purge); err != nil {
					t.Fatal(err)
				}
			}
			remove() // what was never there
			pushAll := func() {
				t.Helper()
				h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
				h.mustPush("", "", "c2", puts("d/A/3", "three")...)
				h.mustPush("fork", "c1", "f1", puts("d/A/4", "four")...)
				h.mustPush("", "", "c3", puts("d/A/1", "uno")...)
				if err := h.Assign(t.Context(), domain, "fork", "c3", "a1"); err != nil {
					t.Fatal(err)
				}
			}
			check := func() {
				t.Helper()
				h.wantTexts("c1", "d/A/1", "one", "d/A/2", "two")
				h.wantTexts("f1", "d/A/1", "one", "d/A/2", "two", "d/A/4", "four")
				h.wantTexts("a1", "d/A/1", "uno", "d/A/2", "two", "d/A/3", "three")
			}
			pushAll()
			check()
			remove()
			remove()
			gone := func() {
				t.Helper()
				h.wantGone("c1", "c2", "c3", "f1", "a1")
				h.wantHead("", "")
				h.wantHead("fork", "")
				if st, err := h.Statistics(""); st.Domains != 0 || st.IndexedCommits != 0 || st.Documents != 0 || err != nil {
					t.Errorf("statistics %+v, %v", st, err)
				}
				if _, err := h.Commits(domain); !errors.Is(err, contract.ErrNotFound) {
					t.Errorf("commits: %v", err)
				}
				want := 1
				if purge {
					want = 0
				}
				if got := names(t, files); len(got) != want {
					t.Errorf("files %v", got)
				}
			}
			gone()
			emb.Reset()
			pushAll()
			check()
			texts := slices.DeleteFunc(emb.Texts(), func(s string) bool { return s == "anything" })
			if want := map[bool]int{false: 0, true: 5}[purge]; len(texts) != want {
				t.Errorf("pushed again, %q were embedded, want %d texts", texts, want)
			}
			remove()
			h.close()
			h = openPush(t, files, emb)
			gone()
			emb.Reset()
			pushAll()
			check()
			if texts := emb.Texts(); !purge && slices.ContainsFunc(texts, func(s string) bool { return s != "anything" }) {
				t.Errorf("pushed again after a restart, %q were embedded", texts)
			}
			h.close()
			if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("verify: %+v", f) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeletePurgesWhatIsNotOpen: the vectors of a domain that was deleted long
// ago go too, and then another model may take the name.
func TestDeletePurgesWhatIsNotOpen(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{Name: "first"})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	h.close()
	h = openPush(t, files, &indexertest.Embedder{Name: "second"})
	if task := h.push("", "", "c1", puts("d/A/1", "one")...); !strings.Contains(task.Error, "purge=true") {
		t.Errorf("another model: %+v", task)
	}
	if err := h.DeleteDomain(t.Context(), domain, true); err != nil {
		t.Fatal(err)
	}
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.wantTexts("c1", "d/A/1", "one")
}

// TestDeletionDuringPushesWins deletes domains and branches while they grow, at
// every stage of a push and of a pull.
func TestDeletionDuringPushesWins(t *testing.T) {
	var once sync.Once
	reached, release := make(chan struct{}), make(chan struct{})
	emb := &indexertest.Embedder{Fail: func(texts []string) error {
		if slices.Contains(texts, "slow") {
			once.Do(func() { close(reached); <-release })
		}
		return nil
	}}
	src, files := indexertest.NewSource(), vfstest.NewMem()
	src.Commit("main", "p1", indexertest.Change{Put: docs("d/A/1", "pulled")})
	h := open(t, files, src, emb)
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	idle := h.mustStart("idle", "c1", "i1")
	embedding := h.mustStart("embedding", "c1", "e1")
	if err := embedding.Apply(put("d/A/2", "slow")); err != nil {
		t.Fatal(err)
	}
	embedding.Finish()
	<-reached
	waiting := make(chan error)
	go func() {
		_, err := h.start("idle", "", "w1")
		waiting <- err
	}()
	for st, err := h.Statistics(""); st.Tasks < 4; st, err = h.Statistics("") {
		if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched() // until w1 has begun
	}
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-idle.Done()
	<-embedding.Done()
	if err := <-waiting; !errors.Is(err, contract.ErrBusy) {
		t.Errorf("the push that waited for its branch: %v", err)
	}
	for _, p := range []*indexer.Push{idle, embedding} {
		if task := p.Task(); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "deleted") {
			t.Errorf("%s: %+v", task.Commit, task)
		}
	}
	if err := idle.Apply(put("d/A/9", "late")); err == nil {
		t.Error("a cancelled push takes operations")
	}
	idle.Finish()
	idle.Abort(errors.New("x"))
	h.wantGone("c1", "i1", "e1")
	if got := names(t, files); len(got) != 1 {
		t.Errorf("files %v", got)
	}
	h.mustPush("idle", "", "i1", puts("d/A/1", "one")...)
	h.wantTexts("i1", "d/A/1", "one")
	h.mustIndex("p1", "")
}

// TestDeletionRefusesPushesThatWait: of pushes that wait for their branches, none
// begins on what a deletion leaves, though the deletion frees the branches too,
// and often first.
func TestDeletionRefusesPushesThatWait(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	const branches = 50
	var begun []*indexer.Push
	refused := make(chan error)
	for i := range branches {
		branch := fmt.Sprint("b", i)
		begun = append(begun, h.mustStart(branch, "c1", "first"+branch))
		go func() {
			_, err := h.start(branch, "c1", "second"+branch)
			refused <- err
		}()
	}
	for st, err := h.Statistics(""); st.Tasks < 1+2*branches; st, err = h.Statistics("") {
		if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched() // until all have begun
	}
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	for range branches {
		if err := <-refused; !errors.Is(err, contract.ErrBusy) {
			t.Errorf("a push that waited for its branch: %v", err)
		}
	}
	for _, p := range begun {
		<-p.Done()
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), "deleted") {
			t.Errorf("%s: %v", p.Task().Commit, err)
		}
	}
}

// TestDeleteEndsPullsThatRunAndWait: the running one and the one behind it.
func TestDeleteEndsPullsThatRunAndWait(t *testing.T) {
	var once sync.Once
	reached, release := make(chan struct{}), make(chan struct{})
	emb := &indexertest.Embedder{Fail: func([]string) error {
		once.Do(func() { close(reached); <-release })
		return nil
	}}
	src := indexertest.NewSource()
	src.Commit("main", "p1", indexertest.Change{Put: docs("d/A/1", "one")})
	src.Commit("main", "p2", indexertest.Change{Put: docs("d/A/2", "two")})
	h := open(t, vfstest.NewMem(), src, emb)
	var ids []string
	for _, c := range []string{"p1", "p2"} {
		task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: c})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, task.ID)
	}
	<-reached
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if task, err := h.Task(id); err != nil || task.State != indexer.TaskFailed || !strings.Contains(task.Error, "deleted") {
			t.Errorf("%+v, %v", task, err)
		}
	}
	close(release)
	h.mustIndex("p2", "")
	h.wantTexts("p2", "d/A/1", "one", "d/A/2", "two")
	h.wantGone("p1")
}

// TestDeleteBranchIndex: commits of other branches stay, also
// those that stood on the branch's.
func TestDeleteBranchIndex(t *testing.T) {
	files, emb := vfstest.NewMem(), &indexertest.Embedder{}
	h := openPush(t, files, emb)
	remove := func(branch string) {
		t.Helper()
		if err := h.DeleteBranchIndex(t.Context(), domain, branch); err != nil {
			t.Fatal(err)
		}
	}
	remove("main") // of nothing
	h.mustPush("main", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("main", "", "c2", puts("d/A/3", "three")...)
	h.mustPush("fork", "c2", "f1", puts("d/A/4", "four")...)
	h.mustPush("fork", "f1", "f2", puts("d/A/1", "eins")...)
	h.mustPush("main", "", "c3", puts("d/A/1", "uno")...)
	for _, a := range [][3]string{{"other", "c3", "o1"}, {"main", "f2", "m1"}} {
		if err := h.Assign(t.Context(), domain, a[0], a[1], a[2]); err != nil {
			t.Fatal(err)
		}
	}
	f1 := []string{"d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four"}
	f2 := append([]string{"d/A/1", "eins"}, f1[2:]...)
	c3 := []string{"d/A/1", "uno", "d/A/2", "two", "d/A/3", "three"}
	onMain, onFork := h.mustStart("main", "", "c4"), h.mustStart("onmain", "c3", "x1")
	other := h.mustStart("third", "f2", "t1")
	remove("main")
	remove("main")
	for _, p := range []*indexer.Push{onMain, onFork} {
		<-p.Done()
		if task := p.Task(); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "deleted") {
			t.Errorf("%s: %+v", task.Commit, task)
		}
	}
	other.Finish()
	<-other.Done()
	check := func() {
		t.Helper()
		h.wantGone("c1", "c2", "c3", "c4", "m1", "x1")
		h.wantHead("main", "")
		h.wantHead("fork", "f2")
		h.wantHead("other", "o1")
		h.wantTexts("f1", f1...)
		h.wantTexts("f2", f2...)
		h.wantTexts("t1", f2...)
		h.wantTexts("o1", c3...)
	}
	check()
	h.close()
	h = openPush(t, files, emb)
	check()
	emb.Reset()
	h.mustPush("main", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("main", "", "c2", puts("d/A/3", "three")...)
	h.wantTexts("c2", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
	if texts := slices.DeleteFunc(emb.Texts(), func(s string) bool { return s == "anything" }); len(texts) != 0 {
		t.Errorf("pushed again, %q were embedded", texts)
	}
	h.mustPush("other", "", "o2", puts("d/A/9", "nine")...) // on what was an alias
	h.wantTexts("o2", append([]string{"d/A/9", "nine"}, c3...)...)
	if err := h.DeleteBranchIndex(t.Context(), domain, ""); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("no branch: %v", err)
	}
	h.close()
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("verify: %+v", f) }); err != nil {
		t.Error(err)
	}
}

// TestSearchesOutliveADeletion: readers keep what they hold, while the domain
// is deleted, purged and made anew under them.
func TestSearchesOutliveADeletion(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{}, func(c *indexer.Config) { c.SnapshotPoolBytes = 1 })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, c := range []string{"c1", "c2"} {
					hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "one", Options: search.Options{Page: search.Page{Count: 9}, Snippet: true}})
					if errors.Is(err, contract.ErrNotFound) {
						continue
					}
					if err != nil {
						t.Errorf("search at %s: %v", c, err)
						return
					}
					got := make(map[string]string)
					for _, x := range hits.Hits {
						got[x.ID] = x.Chunk.Snippet
					}
					want := docs("d/A/1", "one", "d/A/2", "two")
					if c == "c2" {
						want["d/A/3"] = "three"
					}
					if !maps.Equal(got, want) {
						t.Errorf("%s holds %v, want %v", c, got, want)
					}
				}
			}
		})
	}
	for round := range 30 {
		h.mustPush("", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
		h.mustPush("fork", "c1", "c2", puts("d/A/3", "three")...)
		if round%3 == 0 {
			if err := h.DeleteBranchIndex(t.Context(), domain, "main"); err != nil {
				t.Error(err)
			}
		}
		if err := h.DeleteDomain(t.Context(), domain, round%2 == 0); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// deletions is a run that crash tests interrupt: commits on two branches, the
// deletion of one branch, of the domain, and commits again.
func deletions(t *testing.T, h *harness) (acked int, ok bool) {
	push := func(branch, parent, commit string, pairs ...string) func() bool {
		return func() bool {
			p, err := h.start(branch, parent, commit)
			if err != nil {
				return false
			}
			for _, op := range puts(pairs...) {
				if err := p.Apply(op); err != nil {
					break
				}
			}
			p.Finish()
			<-p.Done()
			return p.Err() == nil
		}
	}
	steps := []func() bool{
		push("main", "", "c1", "d/A/1", "one", "d/A/2", "two"),
		push("main", "", "c2", "d/A/3", "three"),
		push("fork", "c2", "f1", "d/A/4", "four"),
		func() bool { return h.DeleteBranchIndex(t.Context(), domain, "main") == nil },
		push("main", "", "c1", "d/A/1", "anew"),
		func() bool { return h.DeleteDomain(t.Context(), domain, false) == nil },
		push("main", "", "c1", "d/A/1", "one", "d/A/5", "five"),
	}
	for i, step := range steps {
		if !step() {
			return i, false
		}
	}
	return len(steps), true
}

// states are what can be searched after each step of deletions.
var states = []map[string]map[string]string{
	{},
	{"c1": docs("d/A/1", "one", "d/A/2", "two")},
	{"c1": docs("d/A/1", "one", "d/A/2", "two"), "c2": docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three")},
	{"c1": docs("d/A/1", "one", "d/A/2", "two"), "c2": docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three"),
		"f1": docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")},
	{"f1": docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")},
	{"f1": docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four"), "c1": docs("d/A/1", "anew")},
	{},
	{"c1": docs("d/A/1", "one", "d/A/5", "five")},
}

// checkStates holds a directory against the states: after acked steps, all of
// the next may have happened, or, where it is a deletion, a part of it.
func checkStates(t *testing.T, name string, files *vfstest.Mem, acked int) {
	t.Helper()
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{BatchSize: 2}, Renderer: rendering{}})
	if err != nil {
		t.Fatalf("%s: open: %v", name, err)
	}
	h := &harness{Indexer: ix, t: t}
	defer h.close()
	infos, err := h.Commits(domain)
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		t.Fatal(err)
	}
	before, after := states[acked], states[min(acked+1, len(states)-1)]
	have := make(map[string]bool)
	for _, info := range infos {
		have[info.Commit] = true
		got := h.texts(info.Commit)
		if !maps.Equal(got, before[info.Commit]) && !maps.Equal(got, after[info.Commit]) {
			t.Fatalf("%s: %s holds %v, want %v or %v", name, info.Commit, got, before[info.Commit], after[info.Commit])
		}
	}
	for c := range before {
		if _, stays := after[c]; stays && !have[c] {
			t.Fatalf("%s: acknowledged commit %s is gone", name, c)
		}
	}
	for _, branch := range []string{"main", "fork"} {
		if head, _ := h.Head(domain, branch); head.Commit != "" {
			if _, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Branch: branch}, Text: "x", Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
				t.Fatalf("%s: the head of %s: %v", name, branch, err)
			}
		}
	}
	// What was interrupted can be done again.
	if err := h.DeleteBranchIndex(t.Context(), domain, "main"); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if have["f1"] {
		h.wantTexts("f1", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")
	}
	if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	h.mustPush("main", "", "c1", puts("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")...)
	h.wantTexts("c1", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("%s: verify: %+v", name, f) }); err != nil {
		t.Error(err)
	}
}

// TestCrashesOfPushesAndDeletions cuts the power after every file operation,
// and fails every one, once and for good: nothing acknowledged is lost, nothing
// shows in part, and everything can be done again.
func TestCrashesOfPushesAndDeletions(t *testing.T) {
	run := func(f *vfstest.Fault, done func(acked int)) {
		ix, err := indexer.Open(indexer.Config{FS: f, Embedder: &indexertest.Embedder{BatchSize: 2}, Renderer: rendering{}})
		if err != nil {
			return
		}
		h := &harness{Indexer: ix, t: t}
		acked, _ := deletions(t, h)
		done(acked)
		_ = ix.Close(t.Context()) // closing may meet the injected fault
	}
	f := vfstest.NewFault(vfstest.NewMem())
	run(f, func(acked int) {
		if acked != len(states)-1 {
			t.Fatalf("a run without faults ends at step %d", acked)
		}
	})
	total := f.Ops()
	for n := range total {
		// What is acknowledged before operation n is what a run that fails
		// from n on acknowledges.
		acked := 0
		for _, plan := range []vfstest.Plan{{At: n, Err: syscall.EIO}, {At: n, Err: syscall.ENOSPC, Forever: true, Short: true}} {
			mem := vfstest.NewMem()
			f := vfstest.NewFault(mem)
			f.Set(plan)
			acked = 0
			run(f, func(a int) { acked = a })
			checkStates(t, fmt.Sprintf("operation %d of %d fails with %v", n, total, plan.Err), mem, acked)
		}
		mem := vfstest.NewMem()
		var images []*vfstest.Mem
		f := vfstest.NewFault(mem)
		f.OnOp(func(i int, _ vfstest.Op) {
			if i == n {
				for _, share := range []float64{0, 0.5, 1} {
					images = append(images, mem.CrashClone(uint64(n), share))
				}
			}
		})
		run(f, func(int) {})
		for i, im := range images {
			checkStates(t, fmt.Sprintf("crash at %d of %d, image %d", n, total, i), im, acked)
		}
	}
}

// TestDeletionsTakeChildrenFirst cuts the power at every file operation of a
// deletion, with any part of the removals since the last sync of the directory on
// disk: what is left always stands on what is left.
func TestDeletionsTakeChildrenFirst(t *testing.T) {
	for name, remove := range map[string]func(h *harness) error{
		"domain": func(h *harness) error { return h.DeleteDomain(t.Context(), domain, false) },
		"branch": func(h *harness) error { return h.DeleteBranchIndex(t.Context(), domain, "main") },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfstest.NewMem()
			faults := vfstest.NewFault(mem)
			h := openPush(t, faults, &indexertest.Embedder{})
			for i, commit := range []string{"c1", "c2", "c3", "c4"} {
				h.mustPush("main", "", commit, puts("d/A/1", fmt.Sprint("version ", i))...)
			}
			h.mustPush("fork", "c2", "f1", puts("d/A/2", "fork")...)
			if err := h.Assign(t.Context(), domain, "main", "c3", "a3"); err != nil {
				t.Fatal(err)
			}
			images, partial := 0, 0
			faults.OnOp(func(n int, _ vfstest.Op) {
				for seed := range uint64(100) {
					image := mem.CrashClone(seed*1000+uint64(n), float64(seed%5)/4)
					infos, damaged, err := snapshot.List(image)
					if err != nil || len(damaged) > 0 {
						t.Errorf("operation %d: %v, %v", n, damaged, err)
					}
					have := make(map[string]bool)
					for _, info := range infos {
						have[info.Commit] = true
					}
					for _, info := range infos {
						if info.Kind != snapshot.Checkpoint && !have[info.Base] {
							t.Errorf("operation %d: %s is left without %s, on which it stands", n, info.Commit, info.Base)
						}
					}
					images++
					if len(infos) > 1 && len(infos) < 6 {
						partial++
					}
				}
			})
			if err := remove(h); err != nil {
				t.Fatal(err)
			}
			if partial < images/10 {
				t.Errorf("of %d images %d are of a deletion half done", images, partial)
			}
		})
	}
}

// TestNoFullTextOfADeletedCommitIsTaken: a commit of a deleted one's name has
// its own full text, whatever the deletion left behind, in this process and in
// the next.
func TestNoFullTextOfADeletedCommitIsTaken(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	find := func(word string, want ...string) {
		t.Helper()
		hits, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Mode: search.ModeText, Text: word, Options: search.Options{Page: search.Page{Count: 9}}})
		var got []string
		for _, x := range hits.Hits {
			got = append(got, x.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is found in %v, %v; want %v", word, got, err, want)
		}
	}
	h.mustPush("", "", "c1", puts("d/A/1", "apple")...)
	find("apple", "d/A/1")
	name := textindex.FileName(domain, "c1")
	old, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	remove := func() {
		t.Helper()
		if err := h.DeleteDomain(t.Context(), domain, false); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names(t, files), name) {
			t.Error("the full text is still there")
		}
		files.WriteFile(name, old) // a search under way has kept it
	}
	remove()
	h.mustPush("", "", "c1", puts("d/A/2", "pear")...)
	find("apple")
	find("pear", "d/A/2")
	remove()
	h.close()
	h = openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/2", "pear")...)
	find("apple")
	find("pear", "d/A/2")
}

// TestBranchDeletedBelowPush deletes, while a push runs, the branch that its base
// stands on: what the push writes must not stand on what was removed.
func TestBranchDeletedBelowPush(t *testing.T) {
	files, emb := vfstest.NewMem(), &indexertest.Embedder{}
	h := openPush(t, files, emb)
	var ops []contract.Op
	want := make([]string, 0, 90)
	for i := range 40 {
		id, text := fmt.Sprintf("d/A/%02d", i), fmt.Sprint("text ", i)
		ops, want = append(ops, put(id, text)), append(want, id, text)
	}
	h.mustPush("side", "", "c1", ops...)
	for i, c := range []string{"c2", "c3", "c4"} {
		id, text := "d/B/"+c, "new "+c
		h.mustPush("main", fmt.Sprint("c", i+1), c, put(id, text))
		want = append(want, id, text)
	}
	p := h.mustStart("main", "c4", "c5") // it would stand on c1
	if err := h.DeleteBranchIndex(t.Context(), domain, "side"); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(put("d/B/c5", "new c5")); err != nil {
		t.Fatal(err)
	}
	want = append(want, "d/B/c5", "new c5")
	p.Finish()
	<-p.Done()
	if task := p.Task(); task.State != indexer.TaskComplete {
		t.Fatalf("%+v", task)
	}
	h.wantTexts("c5", want...)
	h.close()
	h = openPush(t, files, emb)
	defer h.close()
	h.wantTexts("c5", want...)
	h.wantGone("c1")
	noFindings(t, files)
}

// TestTooLargeIsSkipped: a document that no entry can hold is left out, as any
// other that cannot be taken, and the commit goes on.
func TestTooLargeIsSkipped(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	defer h.close()
	large := put("d/A/1", "one")
	large.Fields = `{"a":"` + strings.Repeat("x", snapshot.MaxFields) + `"}`
	task := h.push("", "", "c1", large, put("d/A/2", "two"))
	if task.State != indexer.TaskComplete || len(task.Skipped) != 1 || task.Skipped[0].ID != "d/A/1" {
		t.Fatalf("%s %s, skipped %v", task.State, task.Error, task.Skipped)
	}
	h.wantTexts("c1", "d/A/2", "two")
}

// TestDeleteKeepsDecisions: a deletion leaves what people have decided, a purge does not;
// neither gc nor verify minds the journal.
func TestDeleteKeepsDecisions(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("d/A/1", "one")...)
	h.mustPush("", "c1", "c2", puts("d/A/2", "two")...)
	req := indexer.DecideRequest{Domain: domain, Ref: search.Ref{Branch: "main"}, Decisions: []catalog.Decision{{A: "d/A/2", B: "d/A/1", Verdict: catalog.DecidedLater}}}
	made, err := h.Decide(t.Context(), req)
	if err != nil || made[0].N != 1 || made[0].Commit != "c2" || made[0].A != "d/A/1" {
		t.Fatalf("made %+v, %v", made, err)
	}
	req.Ref = search.Ref{Commit: "c1"}
	if _, err := h.Decide(t.Context(), req); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("of a document that is not there: %v", err)
	}
	for _, purge := range []bool{false, true} {
		if err := h.DeleteDomain(t.Context(), domain, purge); err != nil {
			t.Fatal(err)
		}
		h.close()
		if _, err := indexer.Sweep(t.Context(), indexer.SweepConfig{FS: files}, func(indexer.Removal) {}); err != nil {
			t.Fatal(err)
		}
		wantSound(t, files)
		if got := slices.Contains(names(t, files), catalog.DecisionsName(domain)); got == purge {
			t.Errorf("purge %v: the journal is there: %v", purge, got)
		}
		h = openPush(t, files, &indexertest.Embedder{})
	}
}
