package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/backup"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const domain = "admin/test"

var inMain = space.At{Branch: contract.MainBranch}

// world is a server over a data directory, without HTTP.
type world struct {
	t     *testing.T
	files vfs.FS
	ix    *indexer.Indexer
	sp    *space.Spaces
	src   *indexertest.Source
	emb   *indexertest.Embedder
	n     int // commits and writes made
}

func start(t *testing.T, files vfs.FS, src *indexertest.Source, deltas ...int) *world {
	t.Helper()
	graph := indexer.Graph{MinVectors: 8, Ef: 200}
	if len(deltas) > 0 {
		graph.MaxDeltas = deltas[0]
	}
	w := &world{t: t, files: files, src: src, emb: &indexertest.Embedder{}}
	ix, err := indexer.Open(indexer.Config{FS: files, TaskFile: "tasks.journal", Source: src, Embedder: w.emb, Renderer: templates.New(templates.Limits{}), Workers: 1, Graph: graph})
	if err != nil {
		t.Fatal(err)
	}
	w.ix, w.sp = ix, space.New(space.Config{FS: files, Service: service.New(ix.Reader, ix)})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	w.t.Helper()
	w.must(errors.Join(w.sp.Close(), w.ix.Close(context.Background())))
}

// index commits some documents to a branch and indexes that.
func (w *world) index(branch string) string {
	w.t.Helper()
	w.n++
	id := fmt.Sprintf("k%d", w.n)
	put := map[string]string{fmt.Sprintf("terminusdb:///data/New/%d", w.n): fmt.Sprintf("the news of day %d and its moons", w.n)}
	if w.n == 1 {
		for i := range 20 {
			put[fmt.Sprintf("terminusdb:///data/Planet/%02d", i)] = fmt.Sprintf("planet %d of the system %d with its moons", i, i%4)
		}
	}
	w.src.Commit(branch, id, indexertest.Change{Put: put})
	_, err := w.ix.IndexNow(w.t.Context(), indexer.IndexRequest{Domain: domain, Commit: id, Branch: branch})
	w.must(err)
	return id
}

// settle waits until no merge is due.
func (w *world) settle() {
	for w.ix.Merging() > 0 {
		time.Sleep(time.Millisecond) // poll of a goroutine
	}
}

func (w *world) space() *space.Space {
	w.t.Helper()
	_, _, err := w.sp.Create(w.t.Context(), "points", space.Schema{Dims: 2})
	if err != nil && !errors.Is(err, contract.ErrConflict) {
		w.t.Fatal(err)
	}
	sp, _, err := w.sp.Find(context.Background(), "points")
	w.must(err)
	return sp
}

// set writes the number of the write under one of five keys of the space.
func (w *world) set() {
	w.t.Helper()
	w.n++
	w.must(w.space().Set(w.t.Context(), inMain, space.Item{Key: space.IntKey(int64(w.n % 5)), Vector: []float32{float32(w.n), 1}}))
}

func (w *world) decide() {
	w.t.Helper()
	w.n++
	_, err := w.ix.Decide(w.t.Context(), indexer.DecideRequest{Domain: domain, Ref: search.Ref{Branch: "main"}, Decisions: []catalog.Decision{
		{A: "terminusdb:///data/Planet/00", B: fmt.Sprintf("terminusdb:///data/Planet/%02d", 1+w.n%19), Verdict: "same", Note: fmt.Sprint(w.n)},
	}})
	w.must(err)
}

// points returns what the space holds.
func (w *world) points() map[string]float32 {
	w.t.Helper()
	found := make(map[string]float32)
	w.must(w.space().Items(w.t.Context(), inMain, nil, func(_ int, items iter.Seq2[space.Item, error]) error {
		for it, err := range items {
			if err != nil {
				return err
			}
			found[it.Key.ID] = it.Vector[0]
		}
		return nil
	}))
	return found
}

// commit returns all that is answered of a commit.
func (w *world) commit(name string) string {
	w.t.Helper()
	var b strings.Builder
	for _, mode := range []search.Mode{search.ModeVector, search.ModeText, search.ModeHybrid} {
		hits, err := w.ix.Search(w.t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: name}, Text: "moons of planet 7", Mode: mode,
			Options: search.Options{Page: search.Page{Count: 100}, Snippet: true}})
		w.must(err)
		for _, h := range hits.Hits {
			fmt.Fprintf(&b, "%s %x %q\n", h.ID, h.Distance, h.Chunk.Snippet)
		}
	}
	return b.String()
}

// answers returns all that is answered of a data directory.
func (w *world) answers() string {
	w.t.Helper()
	var b strings.Builder
	commits, err := w.ix.Commits(domain)
	w.must(err)
	for _, c := range commits {
		fmt.Fprintf(&b, "%+v\n%s", c.Commit, w.commit(c.Commit))
	}
	tags, err := w.ix.Tags(domain)
	w.must(err)
	pruned, err := w.ix.PrunedCommits(domain)
	w.must(err)
	cat, err := catalog.Open(catalog.Config{FS: w.files, ReadOnly: true})
	w.must(err)
	d, err := cat.Domain(domain)
	w.must(err)
	decisions, err := d.Decisions()
	w.must(err)
	for _, tag := range tags {
		fmt.Fprintln(&b, "tag", tag.Name, tag.Commit)
	}
	for _, x := range decisions {
		fmt.Fprintln(&b, "decided", x.N, x.A, x.B, x.Verdict, x.Note, x.Commit, x.At.UnixNano())
	}
	fmt.Fprintln(&b, "pruned", pruned)
	fmt.Fprintln(&b, w.points())
	return b.String()
}

// bought returns what a server has embedded but queries.
func (w *world) bought() []string {
	return slices.DeleteFunc(w.emb.Texts(), func(text string) bool { return text == "moons of planet 7" })
}

// filled returns a data directory with something of everything, stopped.
func filled(t *testing.T) (*vfstest.Mem, *indexertest.Source) {
	t.Helper()
	mem, src := vfstest.NewMem(), indexertest.NewSource()
	w := start(t, mem, src, 2) // so that few commits stand on others
	first := w.index("main")
	for range 4 {
		w.index("main")
	}
	src.Branch("dev", first)
	w.index("dev")
	w.must(w.ix.Tag(t.Context(), domain, first, "v1"))
	w.must(w.ix.Assign(t.Context(), domain, "release", first, "alias"))
	w.decide()
	w.set()
	_, err := w.space().Commit(t.Context(), inMain)
	w.must(err)
	w.set()
	w.settle()
	if gone, err := w.ix.Prune(t.Context(), indexer.PruneRequest{Domain: domain, KeepLast: 2, Apply: true}); err != nil || len(gone.Commits) == 0 {
		t.Fatal(gone, err)
	}
	w.stop()
	mem.WriteFile("keys", []byte("of a later version"))
	return mem, src
}

func none(t *testing.T) func(backup.Finding) {
	return func(f backup.Finding) {
		t.Helper()
		t.Errorf("%s: %s", f.File, f.Reason)
	}
}

func openDir(t *testing.T, files vfs.FS) *backup.Dir {
	t.Helper()
	d, err := backup.OpenDir(files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func take(t *testing.T, d *backup.Dir, files vfs.FS, keep int) backup.Summary {
	t.Helper()
	sum, err := d.Take(t.Context(), files, "test", keep, none(t))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func restore(t *testing.T, d *backup.Dir, taken backup.Taken) *vfstest.Mem {
	t.Helper()
	to := vfstest.NewMem()
	if err := d.Restore(t.Context(), taken, to); err != nil {
		t.Fatal(err)
	}
	return to.CrashClone(1, 0) // what lasts
}

// check starts a server over a restored directory, and compares its answers.
func check(t *testing.T, files *vfstest.Mem, src *indexertest.Source, want string) {
	t.Helper()
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { t.Errorf("restored: %+v", f) }); err != nil {
		t.Fatal(err)
	}
	w := start(t, files, src)
	defer w.stop()
	if got := w.answers(); got != want {
		t.Errorf("restored, it answers\n%s\nwant\n%s", got, want)
	}
	// Indexing again what there is looks for what lacks a vector.
	commits, err := w.ix.Commits(domain)
	w.must(err)
	for _, c := range commits {
		if c.Commit != "alias" {
			_, err := w.ix.IndexNow(t.Context(), indexer.IndexRequest{Domain: domain, Commit: c.Commit, Branch: c.Branch})
			w.must(err)
		}
	}
	if b := w.bought(); len(b) > 0 {
		t.Errorf("restored, it buys %q", b)
	}
}

// TestRestored puts a backup back that holds something of everything: the answers are
// the same, and nothing is embedded.
func TestRestored(t *testing.T) {
	mem, src := filled(t)
	w := start(t, mem.CrashClone(1, 1), src)
	want := w.answers()
	w.stop()
	d := openDir(t, vfstest.NewMem())
	sum := take(t, d, mem, 0)
	to := restore(t, d, sum.Taken)
	if b, err := to.ReadFile("keys"); err != nil || string(b) != "of a later version" {
		t.Errorf("a file of unknown kind: %q, %v", b, err)
	}
	check(t, to, src, want)

	var file bytes.Buffer
	if _, err := backup.WriteArchive(t.Context(), &file, mem, "test", none(t)); err != nil {
		t.Fatal(err)
	}
	to = vfstest.NewMem()
	if _, err := backup.RestoreArchive(t.Context(), bytes.NewReader(file.Bytes()), to); err != nil {
		t.Fatal(err)
	}
	check(t, to.CrashClone(1, 0), src, want)
	if v, err := backup.VerifyArchive(t.Context(), &file, none(t)); err != nil || v.Damaged > 0 || v.Backups != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestIncremental takes backups of a growing directory: what is there is not written
// again, each backup stands for itself, and what none needs any more goes.
func TestIncremental(t *testing.T) {
	mem, src := filled(t)
	disk := vfstest.NewMem()
	d := openDir(t, disk)
	first := take(t, d, mem, 0)
	if again := take(t, d, mem, 0); again.Added != 0 || again.Name == first.Name {
		t.Errorf("nothing has changed, and %d bytes are new in %s", again.Added, again.Name)
	}
	w := start(t, mem, src)
	w.n = 100
	w.index("main")
	w.stop()
	w = start(t, mem.CrashClone(1, 1), src)
	want := w.answers()
	w.stop()
	second := take(t, d, mem, 0)
	// One commit file, a vector, its header and the block of the list.
	if second.Added > first.Added/2 {
		t.Errorf("%d bytes are new of one commit, %d in all", second.Added, first.Added)
	}
	check(t, restore(t, d, second.Taken), src, want)
	old := restore(t, d, first.Taken)
	take(t, d, mem, 2)
	list, err := d.Backups(none(t))
	if err != nil || len(list) != 2 || list[0].Name != second.Name {
		t.Errorf("two are kept: %v, %v", list, err)
	}
	if v, err := d.Verify(t.Context(), none(t)); err != nil || v.Damaged > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	check(t, restore(t, d, second.Taken), src, want)
	// Of what only the first backup had nothing is left.
	names, _ := disk.List()
	if err := d.Restore(t.Context(), first.Taken, vfstest.NewMem()); !errors.Is(err, contract.ErrCorrupt) {
		t.Errorf("the first backup: %v, with %d files", err, len(names))
	}
	if names, _ := old.List(); len(names) != first.Files {
		t.Errorf("%d files restored, want %d", len(names), first.Files)
	}
}

// TestFullDisk fails every operation on the disk of the backups in turn, for a moment and
// for good: it is told, and the backup before is whole.
func TestFullDisk(t *testing.T) {
	mem, src := filled(t)
	base := vfstest.NewMem()
	d := openDir(t, base)
	first := take(t, d, mem, 0)
	w := start(t, mem, src)
	w.n = 100
	w.index("main")
	w.stop()
	for at := 0; ; at++ {
		disk := base.CrashClone(1, 1)
		fault := vfstest.NewFault(disk)
		fault.Set(vfstest.Plan{At: at, Forever: at%2 == 0, Err: syscall.ENOSPC, Short: true, Only: []vfstest.Op{vfstest.OpWriteAt, vfstest.OpSync, vfstest.OpSyncDir, vfstest.OpRename, vfstest.OpClose}})
		var err error
		if f, openErr := backup.OpenDir(fault); openErr == nil {
			_, err = f.Take(t.Context(), mem, "test", 0, none(t))
			err = errors.Join(err, f.Close())
		}
		if fault.Hits() > 0 && !errors.Is(err, syscall.ENOSPC) && at%2 == 0 {
			t.Fatalf("operation %d fails, and the backup does not: %v", at, err)
		}
		after := openDir(t, disk.CrashClone(uint64(at), 0.5))
		if v, err := after.Verify(t.Context(), none(t)); err != nil || v.Damaged > 0 || v.Backups == 0 {
			t.Fatalf("after operation %d: %+v, %v", at, v, err)
		}
		if at%8 == 0 {
			restore(t, after, first.Taken)
		}
		take(t, after, mem, 1)
		if fault.Ops() <= at {
			break
		}
	}
}

// TestDamage spoils every file of a directory of backups in turn, and an archive at many
// places: each is named.
func TestDamage(t *testing.T) {
	mem, _ := filled(t)
	disk := vfstest.NewMem()
	d := openDir(t, disk)
	take(t, d, mem, 0)
	names, err := disk.List()
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		whole, err := disk.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{nil, whole[:len(whole)-1], append(slices.Clone(whole), 0), flipped(whole, len(whole)/2)} {
			disk.WriteFile(name, bad)
			var found []backup.Finding
			if _, err := d.Verify(t.Context(), func(f backup.Finding) { found = append(found, f) }); err != nil || !strings.Contains(fmt.Sprint(found), name) {
				t.Errorf("%s is spoiled, found: %v, %v", name, found, err)
			}
		}
		disk.WriteFile(name, whole)
	}
	var file bytes.Buffer
	if _, err := backup.WriteArchive(t.Context(), &file, mem, "test", none(t)); err != nil {
		t.Fatal(err)
	}
	whole := vfstest.NewMem()
	if _, err := backup.RestoreArchive(t.Context(), bytes.NewReader(file.Bytes()), whole); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(contents(t, whole))
	for i := 0; i < file.Len(); i += 1 + file.Len()/40 {
		for _, bad := range [][]byte{file.Bytes()[:i], flipped(file.Bytes(), i)} {
			v, err := backup.VerifyArchive(t.Context(), bytes.NewReader(bad), func(backup.Finding) {})
			to := vfstest.NewMem()
			_, restoreErr := backup.RestoreArchive(t.Context(), bytes.NewReader(bad), to)
			if restoreErr == nil && err == nil && v.Damaged == 0 && fmt.Sprint(contents(t, to)) == want {
				continue // a bit that compression does not need: nothing is lost
			}
			if err != nil || v.Damaged == 0 {
				t.Errorf("byte %d of the archive: %+v, %v", i, v, err)
			}
			if !errors.Is(restoreErr, contract.ErrCorrupt) {
				t.Errorf("byte %d of the archive, restored: %v", i, restoreErr)
			}
			if _, err := to.ReadFile(backup.Unfinished); err != nil {
				t.Errorf("byte %d of the archive: the directory is not marked: %v", i, err)
			}
		}
	}
}

// contents returns the files of a directory.
func contents(t *testing.T, files *vfstest.Mem) map[string]string {
	t.Helper()
	names, err := files.List()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 0x10
	return b
}

// TestMoving takes backups while the server works, at every moment of the copying in turn:
// each holds commits as they were made, and every write that was acknowledged before.
func TestMoving(t *testing.T) {
	steps := 25
	if os.Getenv("VECTORLINK_LONG") != "" {
		steps = 2000
	}
	src := indexertest.NewSource()
	mem := vfstest.NewMem()
	w := start(t, mem, src)
	defer w.stop()
	w.index("main")
	made := make(map[string]string) // what was answered of commits
	work := []func(){
		w.set,
		func() { id := w.index("main"); made[id] = w.commit(id) },
		func() { _, err := w.space().Commit(t.Context(), inMain); w.must(err) },
		w.decide,
		w.set,
		func() {
			_, err := w.ix.Prune(t.Context(), indexer.PruneRequest{Domain: domain, KeepLast: 3, Apply: true})
			w.must(err)
		},
	}
	w.set()
	disk := vfstest.NewMem()
	d := openDir(t, disk)
	moves := 0
	for step := range steps {
		before := w.points()
		fault := vfstest.NewFault(mem)
		fault.OnOp(func(n int, _ vfstest.Op) {
			if n%37 == step%37 && n < 300 {
				work[moves%len(work)]()
				moves++
			}
		})
		sum := take(t, d, fault, 2)
		after := w.points()
		to := restore(t, d, sum.Taken)
		if _, err := indexer.Verify(t.Context(), to, func(f indexer.Finding) { t.Errorf("step %d: %+v", step, f) }); err != nil {
			t.Fatal(err)
		}
		r := start(t, to, src)
		r.emb.Fail = func(texts []string) error {
			if texts[0] != "moons of planet 7" {
				return fmt.Errorf("bought: %q", texts)
			}
			return nil
		}
		commits, err := r.ix.Commits(domain)
		if err != nil || len(commits) == 0 {
			t.Fatalf("step %d: %d commits, %v", step, len(commits), err)
		}
		for _, c := range commits {
			if want, ok := made[c.Commit]; ok && r.commit(c.Commit) != want {
				t.Errorf("step %d: commit %s answers otherwise", step, c.Commit)
			}
		}
		got := r.points()
		for key, least := range before {
			if got[key] < least || got[key] > after[key] {
				t.Errorf("step %d: key %s is %v, it was %v before and %v after", step, key, got[key], least, after[key])
			}
		}
		r.stop()
	}
	t.Logf("%d moves", moves)
}

// TestSpaceMoving has a space commit twice at every moment of the copying in turn: the
// backup holds one moment of it, neither more of its journal than of its commits nor less.
func TestSpaceMoving(t *testing.T) {
	src := indexertest.NewSource()
	mem := vfstest.NewMem()
	w := start(t, mem, src)
	defer w.stop()
	sp := w.space()
	set := func(key string, n int) {
		t.Helper()
		w.must(sp.Set(t.Context(), inMain, space.Item{Key: space.Key{ID: key}, Vector: []float32{float32(n), 1}}))
	}
	commit := func() {
		t.Helper()
		_, err := sp.Commit(t.Context(), inMain)
		w.must(err)
	}
	long := strings.Repeat("x", 600<<10)
	d := openDir(t, vfstest.NewMem())
	for at := 0; ; at++ {
		full := func() { // enough for the journal to be written anew
			if at%3 == 0 {
				w.must(sp.Set(t.Context(), inMain, space.Item{Key: space.Key{ID: "long"}, Vector: []float32{1, 1}, Text: &long}))
			}
		}
		// a is never behind b, nor two ahead.
		full()
		full()
		commit()
		set("a", 2*at+1)
		fault := vfstest.NewFault(mem)
		fault.OnOp(func(n int, _ vfstest.Op) {
			if n == at {
				set("b", 2*at+1)
				full()
				full()
				commit()
				set("a", 2*at+2)
				set("b", 2*at+2)
				full()
				full()
				commit()
			}
		})
		sum := take(t, d, fault, 1)
		r := start(t, restore(t, d, sum.Taken), src)
		got := r.points()
		if got["a"] < float32(2*at+1) || got["a"] < got["b"] || got["a"] > got["b"]+1 && got["b"] > 0 {
			t.Errorf("operation %d: %v", at, got)
		}
		r.stop()
		if fault.Ops() < at {
			break
		}
		if at >= 40 && os.Getenv("VECTORLINK_LONG") == "" {
			break
		}
	}
}

// TestDeletedMeanwhile deletes a branch at every moment of the copying in turn, on which
// the files of another one stand: these are written anew, and the others go.
func TestDeletedMeanwhile(t *testing.T) {
	mem, src := vfstest.NewMem(), indexertest.NewSource()
	w := start(t, mem, src)
	w.index("main")
	src.Branch("dev", w.index("main"))
	dev := w.index("dev")
	want := w.commit(dev)
	w.stop()
	for at, ops := 0, 1; at < ops; at++ {
		mem := mem.CrashClone(1, 1)
		w := start(t, mem, src)
		d := openDir(t, vfstest.NewMem())
		fault := vfstest.NewFault(mem)
		fault.OnOp(func(n int, _ vfstest.Op) {
			if n == at {
				w.must(w.ix.DeleteBranchIndex(t.Context(), domain, "main"))
			}
		})
		sum := take(t, d, fault, 0)
		ops = fault.Ops()
		w.stop()
		to := restore(t, d, sum.Taken)
		if _, err := indexer.Verify(t.Context(), to, func(f indexer.Finding) { t.Errorf("operation %d: %+v", at, f) }); err != nil {
			t.Fatal(err)
		}
		r := start(t, to, src)
		if r.commit(dev) != want {
			t.Errorf("operation %d: %s answers otherwise", at, dev)
		}
		r.stop()
	}
}

// TestCostOfHistory adds a commit to a short history and to a long one: what a backup of
// it writes grows with neither.
func TestCostOfHistory(t *testing.T) {
	lengths := []int{150, 300}
	if os.Getenv("VECTORLINK_LONG") != "" {
		lengths = []int{300, 1500}
	}
	mem, src := vfstest.NewMem(), indexertest.NewSource()
	w := start(t, mem, src)
	defer w.stop()
	d := openDir(t, vfstest.NewMem())
	var added []int64
	for _, n := range lengths {
		for w.n < n {
			w.index("main")
		}
		w.settle()
		all := take(t, d, mem, 0)
		most := int64(0)
		for range 5 { // a block of the list is of any length
			w.index("main")
			w.settle()
			began := time.Now()
			sum := take(t, d, mem, 0)
			most = max(most, sum.Added)
			t.Logf("%d commits, %d bytes: %d bytes in %d parts are new of one more, %v", n, all.Bytes, sum.Added, sum.Parts, time.Since(began).Round(time.Millisecond))
		}
		added = append(added, most)
	}
	if added[1] > 3*added[0] {
		t.Errorf("one commit adds %d bytes to a backup of %d commits, and %d to one of %d", added[0], lengths[0], added[1], lengths[1])
	}
}
