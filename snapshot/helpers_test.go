package snapshot_test

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

const domain = "admin/star_wars"

// header returns a header with a model, for tests.
func header(kind snapshot.Kind, commit, base string, seq uint64) snapshot.Header {
	return snapshot.Header{
		Kind: kind, Domain: domain, Commit: commit, Base: base, Branch: "main", Seq: seq, Created: 1700000000,
		Vectors: snapshot.Vectors{Fingerprint: "local:test:3", Dim: 3, Vecs: "admin%2Fstar_wars.vecs"},
	}
}

// doc is a document whose text is one chunk in the given slot.
func doc(id, text string, slot uint32) snapshot.EntryText {
	return snapshot.EntryText{
		Entry: snapshot.Entry{
			ID: id, Type: "People", DocTokens: 2,
			Chunks: []snapshot.Chunk{{Slot: slot, End: uint32(len(text)), Tokens: 2}},
		},
		Text: text,
	}
}

// seq yields the documents sorted by id.
func seq(docs ...snapshot.EntryText) iter.Seq2[snapshot.EntryText, error] {
	byID := map[string]snapshot.EntryText{}
	for _, d := range docs {
		byID[d.ID] = d
	}
	return func(yield func(snapshot.EntryText, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			if !yield(byID[id], nil) {
				return
			}
		}
	}
}

// write writes a commit file and returns its header.
func write(t testing.TB, fsys vfs.FS, h snapshot.Header, changed iter.Seq2[snapshot.EntryText, error], removed []string, graph []byte) snapshot.Header {
	t.Helper()
	info, err := snapshot.Write(fsys, h, snapshot.Contents{Changed: changed, Removed: snapshot.StringKeys(removed), Graph: graph})
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, fsys, h.Commit)
	listed, err := snapshot.ReadInfo(fsys, info.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Info(), info) || !reflect.DeepEqual(listed, info) || !listed.Same(info) {
		t.Fatalf("wrote %+v, read %+v, listed %+v", info, f.Info(), listed)
	}
	return info.Header
}

// open opens a commit's file and closes it when the test ends.
func open(t testing.TB, fsys vfs.FS, commit string) *snapshot.File {
	t.Helper()
	f, err := snapshot.Open(fsys, snapshot.FileName(domain, commit))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// chain makes the view of a commit from what is in the directory.
func chain(fsys vfs.FS, commit string) (*snapshot.View, error) {
	var files []*snapshot.File
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	for {
		f, err := snapshot.Open(fsys, snapshot.FileName(domain, commit))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		if f.Header().Kind == snapshot.Checkpoint {
			break
		}
		commit = f.Header().On
	}
	slices.Reverse(files)
	return snapshot.NewView(files[0], files[1:]...)
}

// view is chain for tests that expect no error.
func view(t testing.TB, fsys vfs.FS, commit string) *snapshot.View {
	t.Helper()
	v, err := chain(fsys, commit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// contents returns id → text of a view.
func contents(v *snapshot.View) (map[string]string, error) {
	m := map[string]string{}
	for et, err := range v.Texts() {
		if err != nil {
			return nil, err
		}
		m[et.ID] = et.Text
	}
	return m, nil
}

// three writes the chain that many tests use: checkpoint c1, delta c2 on it,
// alias c3 of c2.
func three(t testing.TB, fsys vfs.FS) {
	t.Helper()
	write(t, fsys, header(snapshot.Checkpoint, "c1", "", 1), seq(doc("a", "Luke Skywalker", 0), doc("b", "Leia Organa", 1), doc("c", "Luke Skywalker", 0)), nil, []byte("graph"))
	v := view(t, fsys, "c1")
	wrote(t)(v.WriteDelta(fsys, header(0, "c2", "", 2), snapshot.Contents{Changed: seq(doc("b", "General Leia Organa", 2), doc("d", "Yoda", 3)), Removed: keys("a")}, ""))
	wrote(t)(view(t, fsys, "c2").WriteAlias(fsys, snapshot.Header{Commit: "c3", Branch: "dev", Seq: 3, Created: 1700000001}))
}

// wrote returns a function that takes the results of a write.
func wrote(t testing.TB) func(snapshot.Info, error) snapshot.Header {
	t.Helper()
	return func(info snapshot.Info, err error) snapshot.Header {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return info.Header
	}
}

// merge replaces the file of v's commit by a checkpoint.
func merge(fsys vfs.FS, v *snapshot.View, graph []byte) (snapshot.Info, error) {
	p, err := v.PrepareMerge(fsys, true, graph)
	if err != nil {
		return snapshot.Info{}, err
	}
	return p.Commit()
}

// keys are those of ids.
func keys(ids ...string) []snapshot.Key { return snapshot.StringKeys(ids) }

// must returns a function that takes a result and an error.
func must(t testing.TB) func(*snapshot.View, error) *snapshot.View {
	t.Helper()
	return func(v *snapshot.View, err error) *snapshot.View {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// rich writes a checkpoint r1 and a delta r2 on it that have something of
// everything.
func rich(t testing.TB, fsys vfs.FS) {
	t.Helper()
	h := header(snapshot.Checkpoint, "r1", "", 1)
	h.Settings, h.Metric, h.Normalized, h.Tokens = "metric=l2 language=de", "l2", true, 300
	h.About = &contract.About{Author: "Ada", Message: "Several things\nat once – ✓", Time: time.Unix(1700000000, 0).UTC()}
	h.Others = []snapshot.NamedVectors{{Name: "clustering", Vectors: snapshot.Vectors{Fingerprint: "local:cluster:2", Dim: 2, Vecs: "c.vecs", Metric: "cosine"}}}
	number := doc("-7", "a number", 1)
	number.Int, number.Others = true, [][]snapshot.Chunk{{{Slot: 3, End: 8, Tokens: 1}}}
	nothing := doc("nothing", "", 0)
	nothing.NoText, nothing.Chunks, nothing.DocTokens = true, nil, 0
	pieces := doc("pieces", "in two pieces", 0)
	pieces.Chunks = []snapshot.Chunk{{Slot: 4, End: 6, Tokens: 1}, {Slot: 2, Start: 7, End: 13, TokenStart: 1, Tokens: 1}}
	fields := doc("pieces of fields", "supplied", 5)
	fields.Fields, fields.DocTokens = `{"n":1}`, snapshot.NotCounted
	docs := []snapshot.EntryText{number, nothing, pieces, fields}
	list := func(docs []snapshot.EntryText) iter.Seq2[snapshot.EntryText, error] {
		return func(yield func(snapshot.EntryText, error) bool) {
			for _, d := range docs {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
	wrote(t)(snapshot.Write(fsys, h, snapshot.Contents{
		Changed: list(docs), Skipped: append([]snapshot.Key{snapshot.IntKey(12)}, keys("lost", "lost too")...),
		Graph: []byte("graph"), OtherGraphs: [][]byte{[]byte("another")},
		Unreadable: func(slot uint32) bool { return slot != 5 },
	}))
	number.Text, number.Chunks, number.Others = "another number", nil, [][]snapshot.Chunk{{{Slot: 4, End: 14, Tokens: 2}}}
	wrote(t)(view(t, fsys, "r1").WriteDelta(fsys, header(0, "r2", "", 2), snapshot.Contents{
		Changed: list([]snapshot.EntryText{number}), Count: 1, Removed: append([]snapshot.Key{snapshot.IntKey(99)}, keys("nothing", "pieces")...),
	}, ""))
}
