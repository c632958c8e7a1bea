package snapshot_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// line writes commits on each other, keeping the view of the last.
type line struct {
	t    *testing.T
	fs   vfs.FS
	view *snapshot.View
	seq  uint64
	// written counts the entries of all files.
	written int
}

// newLine begins with a checkpoint of that many documents.
func newLine(t *testing.T, fsys vfs.FS, documents int) *line {
	t.Helper()
	docs := make([]snapshot.EntryText, documents)
	for i := range docs {
		docs[i] = doc(fmt.Sprintf("id%06d", i), fmt.Sprint("text ", i), uint32(i))
	}
	wrote(t)(snapshot.Write(fsys, header(snapshot.Checkpoint, "t0", "", 1), snapshot.Contents{Changed: seq(docs...)}))
	l := &line{t: t, fs: fsys, view: must(t)(chain(fsys, "t0")), seq: 1}
	t.Cleanup(func() { _ = l.view.Close() })
	return l
}

func (l *line) commit(keep string, docs ...snapshot.EntryText) snapshot.Header {
	l.t.Helper()
	l.seq++
	commit := fmt.Sprint("t", l.seq-1)
	h := wrote(l.t)(l.view.WriteDelta(l.fs, header(0, commit, "", l.seq), snapshot.Contents{Changed: seq(docs...), Count: len(docs)}, keep))
	f, err := snapshot.Open(l.fs, snapshot.FileName(domain, commit))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	next := l.view
	if h.Kind == snapshot.Checkpoint {
		next = must(l.t)(snapshot.NewView(f))
	} else {
		next = must(l.t)(next.Extend(f))
		l.written += len(f.Entries())
	}
	_ = l.view.Close()
	l.view = next
	return h
}

// TestChainsStayShort: 1,000 commits of one document make a chain of fewer than
// 3·log4 1,000 files, and write each document about once a tier.
func TestChainsStayShort(t *testing.T) {
	l := newLine(t, vfstest.NewMem(), 20_000)
	longest := 0
	for i := range 1000 {
		l.commit("", doc(fmt.Sprintf("id%06d", i*17%20_000), fmt.Sprint("changed ", i), uint32(30_000+i)))
		longest = max(longest, l.view.Deltas())
	}
	if longest > 15 || l.view.Overlay() != 2000 {
		t.Errorf("the longest chain had %d deltas, the overlay has %d", longest, l.view.Overlay())
	}
	if l.written > 5*1000 {
		t.Errorf("%d entries were written for 1,000", l.written)
	}
	t.Logf("longest chain %d deltas, %d entries written", longest, l.written)
}

// TestChainsStayShortWhateverCommits: the same for commits of random sizes, and
// with large ones on small ones.
func TestChainsStayShortWhateverCommits(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	l := newLine(t, vfstest.NewMem(), 5000)
	slot := uint32(10_000)
	for range 150 {
		docs := make([]snapshot.EntryText, 1<<rng.IntN(9))
		for i := range docs {
			slot++
			docs[i] = doc(fmt.Sprintf("id%06d", rng.IntN(5000)), fmt.Sprint("changed ", slot), slot)
		}
		l.commit("", docs...)
		if l.view.Deltas() > 24 {
			t.Fatalf("seed %d: a chain of %d deltas", seed, l.view.Deltas())
		}
	}
}

// TestSmallSnapshotsAreRewritten: a snapshot of few documents gets a checkpoint
// when deltas would hold a large part of it, if it has no graph.
func TestSmallSnapshotsAreRewritten(t *testing.T) {
	for _, graph := range []string{"", "graph"} {
		l := newLine(t, vfstest.NewMem(), 100)
		if graph != "" {
			wrote(t)(merge(l.fs, l.view, []byte(graph)))
			_ = l.view.Close()
			l.view = must(t)(chain(l.fs, "t0"))
		}
		rewritten := 0
		for i := range 100 {
			if h := l.commit("", doc(fmt.Sprintf("id%06d", i), fmt.Sprint("changed ", i), uint32(200+i))); h.Kind == snapshot.Checkpoint {
				rewritten++
			}
		}
		if graph == "" && (rewritten < 3 || rewritten > 12) || graph != "" && rewritten > 0 {
			t.Errorf("with the graph %q %d of 100 commits are checkpoints", graph, rewritten)
		}
	}
}

// TestKeepIsABarrier: what others wait for is not passed over.
func TestKeepIsABarrier(t *testing.T) {
	l := newLine(t, vfstest.NewMem(), 1000)
	for i := range 40 {
		h := l.commit("t2", doc(fmt.Sprintf("id%06d", i), fmt.Sprint("changed ", i), uint32(2000+i)))
		found := false
		for f := range l.view.Files() {
			found = found || f.Header().Commit == "t2"
		}
		if i > 1 && !found {
			t.Fatalf("%s stands on %s, and t2 is not in its chain", h.Commit, h.On)
		}
	}
}

// TestDamagedTextIsNotWrittenAgain: a damaged text below is no reason for a
// commit to fail.
func TestDamagedTextIsNotWrittenAgain(t *testing.T) {
	mem := vfstest.NewMem()
	l := newLine(t, mem, 1000)
	for i := range 3 {
		l.commit("", doc(fmt.Sprintf("id%06d", i), fmt.Sprint("changed ", i), uint32(2000+i)))
	}
	name := snapshot.FileName(domain, "t2")
	data, err := mem.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, _, err := snapshot.Rows(data)
	if err != nil || rows[0].Name != "texts" {
		t.Fatalf("rows %v, %v", rows, err)
	}
	data[rows[0].Offset] ^= 1
	mem.WriteFile(name, data)
	_ = l.view.Close()
	l.view = must(t)(chain(mem, "t3"))
	if h := l.commit("", doc("new", "text", 3000)); h.On != "t3" || h.Documents != 1001 {
		t.Errorf("header %+v", h)
	}
	e, _ := l.view.Lookup("id000001")
	if _, err := l.view.Text(e); !damaged(t, err) {
		t.Errorf("the damaged text: %v", err)
	}
	if text, err := l.view.Text(func() *snapshot.Entry { e, _ := l.view.Lookup("new"); return e }()); text != "text" || err != nil {
		t.Errorf("the new text: %q, %v", text, err)
	}
	// The source's own error is passed on at once.
	broken, calls := errors.New("broken"), 0
	changed := func(yield func(snapshot.EntryText, error) bool) { calls++; yield(snapshot.EntryText{}, broken) }
	if _, err := l.view.WriteDelta(mem, header(0, "tx", "", 99), snapshot.Contents{Changed: changed, Count: 1}, ""); !errors.Is(err, broken) || calls != 1 {
		t.Errorf("WriteDelta: %v after %d calls", err, calls)
	}
	// A key both changed and removed is refused.
	_, err = l.view.WriteDelta(mem, header(0, "ty", "", 100), snapshot.Contents{Changed: seq(doc("new", "x", 1)), Count: 1, Removed: keys("new")}, "")
	if err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("WriteDelta: %v", err)
	}
}

// stream is a file system whose files can only be written at their end, and
// counts reads.
type stream struct {
	vfs.FS
	t     *testing.T
	reads int
}

func (s *stream) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := s.FS.Open(name, mode)
	return &streamFile{f, s}, err
}

type streamFile struct {
	vfs.File
	s *stream
}

func (f *streamFile) ReadAt(p []byte, offset int64) (int, error) {
	f.s.reads++
	return f.File.ReadAt(p, offset)
}

func (f *streamFile) WriteAt(p []byte, offset int64) (int, error) {
	if size, err := f.Size(); err != nil || size != offset {
		f.s.t.Errorf("written at %d of a file of %d bytes, %v", offset, size, err)
	}
	return f.File.WriteAt(p, offset)
}

// TestFilesAreStreams: files are written from front to back, listed in one read,
// and small ones read in one.
func TestFilesAreStreams(t *testing.T) {
	s := &stream{FS: vfstest.NewMem(), t: t}
	l := newLine(t, s, 20_000)
	l.commit("", doc("id000001", "changed", 30_000))
	rich(t, s)
	for commit, small := range map[string]bool{"t0": false, "t1": true, "r1": true, "r2": true} {
		name := snapshot.FileName(domain, commit)
		s.reads = 0
		if _, err := snapshot.ReadInfo(s, name); err != nil || s.reads != 1 {
			t.Errorf("%s: listed in %d reads, %v", commit, s.reads, err)
		}
		s.reads = 0
		f := open(t, s, commit)
		if small != (f.Size() <= 64<<10) || small != (s.reads == 1) || small == f.Descriptor() {
			t.Errorf("%s of %d bytes: opened in %d reads, keeps a descriptor: %v", commit, f.Size(), s.reads, f.Descriptor())
		}
		s.reads = 0
		for i := range f.Entries() {
			if _, err := f.Text(&f.Entries()[i]); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.Graph(); err != nil || small && s.reads > 0 {
			t.Errorf("%s: %d reads, %v", commit, s.reads, err)
		}
	}
}

func TestCheckEntry(t *testing.T) {
	long := strings.Repeat("x", snapshot.MaxFields+1)
	for _, tt := range []struct {
		typ, text, fields string
		want              string
	}{
		{"People", "text", "{}", ""},
		{long[:snapshot.MaxID], "", long[:snapshot.MaxFields], ""},
		{long[:snapshot.MaxID+1], "", "", "type"},
		{"", "", long, "fields"},
	} {
		err := snapshot.CheckEntry(tt.typ, tt.text, tt.fields)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("CheckEntry of %d, %d and %d bytes: %v, want %q", len(tt.typ), len(tt.text), len(tt.fields), err, tt.want)
		}
	}
}

// TestSame: a file is told from the one whose place it takes, and from itself it
// is not.
func TestSame(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	info := func(commit string) snapshot.Info {
		i, err := snapshot.ReadInfo(mem, snapshot.FileName(domain, commit))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	before := info("c2")
	if !before.Same(info("c2")) || before.Same(info("c1")) {
		t.Error("a file is not the same as itself, or as another")
	}
	var merged []snapshot.Info
	for _, graph := range []string{"one", "two"} {
		wrote(t)(merge(mem, view(t, mem, "c2"), []byte(graph)))
		merged = append(merged, info("c2"))
	}
	if before.Same(merged[0]) || merged[0].Same(merged[1]) {
		t.Error("a merged file is the same as the one before")
	}
}

// TestTagsAreAliases: a tag is kept as one.
func TestTagsAreAliases(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	h := wrote(t)(view(t, mem, "c2").WriteAlias(mem, snapshot.Header{Commit: "v1.0", Tag: true, Seq: 9}))
	if got := open(t, mem, "v1.0").Header(); !got.Tag || got.On != "c2" || got.Base != "c2" || !h.Tag {
		t.Errorf("header %+v", got)
	}
}
