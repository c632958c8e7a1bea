package snapshot_test

import (
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

const domain = "admin/star_wars"

// header returns a header with a model, for tests.
func header(kind snapshot.Kind, commit, base string, seq uint64) snapshot.Header {
	return snapshot.Header{
		Kind: kind, Domain: domain, Commit: commit, Base: base, Branch: "main", Seq: seq, Created: 1700000000,
		Fingerprint: "local:test:3", Dim: 3, Vecs: "admin%2Fstar_wars.vecs",
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
	h, size, err := snapshot.Write(fsys, h, snapshot.Contents{Changed: changed, Removed: removed, Graph: graph})
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, fsys, h.Commit)
	if f.Header() != h || f.Size() != size {
		t.Fatalf("wrote %+v (%d bytes), read %+v (%d bytes)", h, size, f.Header(), f.Size())
	}
	return h
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
		commit = f.Header().Base
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
	wrote(t)(v.WriteDelta(fsys, header(0, "c2", "", 2), snapshot.Contents{Changed: seq(doc("b", "General Leia Organa", 2), doc("d", "Yoda", 3)), Removed: []string{"a"}}))
	wrote(t)(view(t, fsys, "c2").WriteAlias(fsys, snapshot.Header{Commit: "c3", Branch: "dev", Seq: 3, Created: 1700000001}))
}

// wrote returns a function that takes the results of a write.
func wrote(t testing.TB) func(snapshot.Header, int64, error) snapshot.Header {
	t.Helper()
	return func(h snapshot.Header, _ int64, err error) snapshot.Header {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
}

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
