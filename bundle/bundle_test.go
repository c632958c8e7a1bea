package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const (
	domain     = "org/db"
	commitFile = "org%2Fdb@c1.hnsw"
	aliasFile  = "org%2Fdb@v1.hnsw"
	vecsFile   = "org%2Fdb.vecs"
)

// sample makes an open snapshot: keys of both kinds, documents without text and with
// fields, several chunks, clustering vectors, and slots that the commit does not need.
func sample(tb testing.TB, documents, dim int, about ...string) bundle.Contents {
	tb.Helper()
	rng, mem := rand.New(rand.NewPCG(1, 2)), vfstest.NewMem()
	pool := vecstore.NewPool(4 << 20)
	vecs, err := vecstore.Create(mem, vecsFile, vecstore.Config{Domain: domain, Fingerprint: "test", Dim: dim, Metric: vecstore.Cosine, Normalized: true}, pool)
	check(tb, err)
	n := 4 * documents
	keys, vectors := make([]vecstore.Key, n), make([][]float32, n)
	for i := range n {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		vector.Normalize(v)
		keys[i], vectors[i] = vecstore.ContentKey("test", contract.RoleDocument, fmt.Sprint(i)), v
	}
	_, err = vecs.Append(keys, vectors)
	check(tb, err)
	h := snapshot.Header{
		Kind: snapshot.Checkpoint, Domain: domain, Commit: "c1", Branch: "main", Seq: 7, Created: 1_700_000_000,
		Vectors: snapshot.Vectors{Fingerprint: "test", Dim: uint32(dim), Vecs: vecsFile, Metric: "cosine", Normalized: true},
	}
	h.Others = []snapshot.NamedVectors{{Name: "clustering", Vectors: h.Vectors}}
	var entries []snapshot.EntryText
	var live []uint32
	for i := range documents {
		text, slot := fmt.Sprint("text ", i, " of ", documents, about), uint32(4*i)
		e := snapshot.EntryText{Entry: snapshot.Entry{ID: fmt.Sprintf("%03d", i), Type: "T", DocTokens: 4}, Text: text}
		switch i % 5 {
		case 0:
			e.ID, e.Int = fmt.Sprint(i), true
		case 1:
			e.NoText, e.Text, e.Fields = true, "", `{"n":1}`
			e.Chunks = []snapshot.Chunk{{Slot: slot}}
		case 2:
			e.Chunks = []snapshot.Chunk{{Slot: slot + 1, End: 4, Tokens: 1}, {Slot: slot, Start: 5, End: uint32(len(text)), TokenStart: 1, Tokens: 3}}
			e.Others = [][]snapshot.Chunk{{{Slot: slot + 2, End: uint32(len(text)), Tokens: 4}}}
		}
		if e.Chunks == nil {
			e.Chunks = []snapshot.Chunk{{Slot: slot, End: uint32(len(e.Text)), Tokens: 4}}
		}
		for _, c := range e.Chunks {
			live = append(live, c.Slot)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b snapshot.EntryText) int { return a.Key().Compare(b.Key()) })
	slices.Sort(live)
	var graph *hnsw.Graph
	if len(live) > 0 {
		dead := slices.Sorted(slices.Values(append(slices.Clone(live), uint32(n-1))))
		graph, err = hnsw.Build(context.Background(), vecs, dead, hnsw.Params{M: 4}, 1)
		check(tb, err)
	}
	contents := snapshot.Contents{
		Changed: func(yield func(snapshot.EntryText, error) bool) {
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		},
		Skipped: []snapshot.Key{{ID: "left"}}, Unreadable: func(slot uint32) bool { return slot%12 == 0 },
	}
	info, err := snapshot.Write(mem, h, contents)
	check(tb, err)
	file, err := snapshot.Open(mem, info.Name())
	check(tb, err)
	view, err := snapshot.NewView(file)
	check(tb, errors.Join(err, file.Close()))
	tb.Cleanup(func() { check(tb, errors.Join(view.Close(), vecs.Close())) })
	return bundle.Contents{View: view, Vectors: vecs, Graph: graph, Alias: &snapshot.Header{Commit: "v1", Seq: 8, Tag: true}}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// written returns the bytes of a snapshot file.
func written(tb testing.TB, c bundle.Contents) []byte {
	tb.Helper()
	w, err := bundle.New(c)
	check(tb, err)
	var b bytes.Buffer
	check(tb, w.Write(&b))
	if size, err := w.Size(); err != nil || size != int64(b.Len()) {
		tb.Errorf("Size is %d, %v; the file has %d bytes", size, err, b.Len())
	}
	return b.Bytes()
}

func open(b []byte) (*bundle.File, error) { return bundle.Open(bytes.NewReader(b), int64(len(b))) }

// TestRoundTrip holds what a file says against the snapshot that it was made from.
func TestRoundTrip(t *testing.T) {
	c := sample(t, 60, 8)
	b := written(t, c)
	f, err := open(b)
	check(t, err)
	if damaged, err := f.Check(); damaged != 0 || err != nil {
		t.Fatal(damaged, err)
	}
	m := f.Manifest()
	if m.Domain != domain || m.Commit != "c1" || m.Alias != "v1" || m.Branch != "main" || m.Documents != 60 || m.Dim != 8 || m.Model != "test" || m.Metric != "cosine" || m.Created.Unix() != 1_700_000_000 {
		t.Errorf("manifest %+v", m)
	}
	if names, _ := f.List(); !slices.Equal(names, []string{vecsFile, commitFile, aliasFile}) {
		t.Errorf("members %v", names)
	}
	view, err := f.View()
	check(t, err)
	defer view.Close()
	vecs, err := f.Vectors()
	check(t, err)
	defer vecs.Close()
	// 60 documents, a second chunk of a fifth of them, as many clustering vectors, and
	// a dead node.
	if vecs.Len() != 60+12+12+1 || m.Vectors != int(vecs.Len()) {
		t.Errorf("%d vectors of %d are in the file, the manifest says %d", vecs.Len(), c.Vectors.Len(), m.Vectors)
	}
	a, b2 := make([]float32, 8), make([]float32, 8)
	same := func(what string, got, want []snapshot.Chunk) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %d chunks, not %d", what, len(got), len(want))
		}
		for i := range got {
			check(t, errors.Join(vecs.Read(got[i].Slot, a), c.Vectors.Read(want[i].Slot, b2)))
			key, err := vecs.Key(got[i].Slot)
			wantKey, err2 := c.Vectors.Key(want[i].Slot)
			check(t, errors.Join(err, err2))
			if !slices.Equal(a, b2) || key != wantKey || view.Unreadable(got[i].Slot) != c.View.Unreadable(want[i].Slot) {
				t.Errorf("%s: another vector", what)
			}
			got, want := got[i], want[i]
			if got.Slot = want.Slot; got != want {
				t.Errorf("%s: chunk %+v, not %+v", what, got, want)
			}
		}
	}
	entries := slices.Collect(c.View.All())
	if view.Len() != len(entries) || !slices.Equal(view.Skipped(), c.View.Skipped()) {
		t.Fatalf("%d documents, skipped %v", view.Len(), view.Skipped())
	}
	for i, got := range slices.Collect(view.All()) {
		want := entries[i]
		text, err := view.Text(got)
		check(t, err)
		wantText, err := c.View.Text(want)
		check(t, err)
		if got.Key() != want.Key() || text != wantText || got.NoText != want.NoText || got.Fields != want.Fields || got.Type != want.Type || got.DocTokens != want.DocTokens {
			t.Errorf("document %+v, not %+v", got, want)
		}
		same(got.ID, got.Chunks, want.Chunks)
		same(got.ID, got.ChunksOf("clustering"), want.ChunksOf("clustering"))
	}
	section, err := view.Checkpoint().Graph()
	check(t, err)
	graph, err := hnsw.Decode(section)
	check(t, err)
	if graph.Len() != c.Graph.Len() {
		t.Fatalf("a graph of %d nodes, not %d", graph.Len(), c.Graph.Len())
	}
	for i, slot := range graph.Slots() {
		check(t, errors.Join(vecs.Read(slot, a), c.Vectors.Read(c.Graph.Slots()[i], b2)))
		if !slices.Equal(a, b2) {
			t.Fatalf("node %d of the graph has another vector", i)
		}
	}
	// What is made of the file is the same file.
	again := written(t, bundle.Contents{View: view, Vectors: vecs, Graph: graph, Alias: c.Alias})
	if !bytes.Equal(again, b) {
		t.Error("the file of the file is another one")
	}
}

// TestWithoutVectors: a commit may have no documents, or none with a vector.
func TestWithoutVectors(t *testing.T) {
	c := sample(t, 0, 4)
	c.Vectors, c.Alias = nil, nil
	f, err := open(written(t, c))
	check(t, err)
	if _, err := f.Check(); err != nil {
		t.Error(err)
	}
	if names, _ := f.List(); !slices.Equal(names, []string{commitFile}) {
		t.Errorf("members %v", names)
	}
}

// TestSpace: what a domain is as a space is carried along as it is, within bounds.
func TestSpace(t *testing.T) {
	c := sample(t, 3, 4)
	plain, err := bundle.New(c)
	check(t, err)
	for _, size := range []int{1, 128 << 10, 128<<10 + 1} {
		c.Space = bytes.Repeat([]byte("s"), size)
		w, err := bundle.New(c)
		check(t, err)
		if w.Identity() == plain.Identity() {
			t.Error("with a space the file is said to be the same")
		}
		f, err := open(written(t, c))
		if size > 128<<10 {
			if !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), ".space") {
				t.Errorf("%d bytes: %v", size, err)
			}
			continue
		}
		check(t, err)
		_, err = f.Check()
		check(t, err)
		m, err := f.Open(bundle.SpaceName(domain), vfs.Read)
		check(t, err)
		got := make([]byte, size)
		check(t, vfs.ReadFull(m, got, 0))
		if !bytes.Equal(got, c.Space) {
			t.Errorf("%d bytes come back as others", size)
		}
	}
}

// TestReader reads files from any place on, in pieces of any length.
func TestReader(t *testing.T) {
	c := sample(t, 20, 8)
	whole := written(t, c)
	w, err := bundle.New(c)
	check(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	r := w.Reader()
	for range 30 {
		from, n := rng.IntN(len(whole)), rng.IntN(4000)
		_, err := r.Seek(int64(from), io.SeekStart)
		check(t, err)
		got, err := io.ReadAll(io.LimitReader(r, int64(n)))
		check(t, err)
		if want := whole[from:min(from+n, len(whole))]; !bytes.Equal(got, want) {
			t.Fatalf("%d bytes from %d on are others", n, from)
		}
	}
	if end, err := r.Seek(0, io.SeekEnd); err != nil || end != int64(len(whole)) {
		t.Errorf("the end is at %d, %v", end, err)
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("there is something before the beginning")
	}
	check(t, r.Close())
}

// TestIdentity: files of other bytes have another identity.
func TestIdentity(t *testing.T) {
	c := sample(t, 20, 8)
	seen := make(map[[32]byte]string)
	for name, change := range map[string]func(c *bundle.Contents){
		"as it is": func(*bundle.Contents) {}, "another branch": func(c *bundle.Contents) { c.Branch = "side" },
		"no alias":    func(c *bundle.Contents) { c.Alias = nil },
		"other texts": func(c *bundle.Contents) { c.View = sample(t, 20, 8, "other").View },
	} {
		c := c
		change(&c)
		w, err := bundle.New(c)
		check(t, err)
		if other := seen[w.Identity()]; other != "" {
			t.Errorf("%s and %s are said to be the same", name, other)
		}
		seen[w.Identity()] = name
	}
}

// rezip makes an archive of the members of another, changed.
func rezip(tb testing.TB, b []byte, change func(name string, data []byte) (string, []byte, bool), more ...string) []byte {
	tb.Helper()
	from, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	check(tb, err)
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	put := func(name string, data []byte) {
		w, err := to.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		check(tb, err)
		_, err = w.Write(data)
		check(tb, err)
	}
	for _, m := range from.File {
		r, err := m.Open()
		check(tb, err)
		data, err := io.ReadAll(r)
		check(tb, err)
		if name, data, keep := change(m.Name, data); keep {
			put(name, data)
		}
	}
	for _, name := range more {
		put(name, []byte("more"))
	}
	check(tb, to.Close())
	return out.Bytes()
}

// TestUnsound refuses files with faults of all kinds, naming the part, even where the
// archive's own checksums are right.
func TestUnsound(t *testing.T) {
	good := written(t, sample(t, 20, 8))
	edit := func(member string, change func([]byte) []byte) []byte {
		return rezip(t, good, func(name string, data []byte) (string, []byte, bool) {
			if name == member {
				data = change(bytes.Clone(data))
			}
			return name, data, true
		})
	}
	manifest := func(member string, value any) []byte {
		return edit("manifest.json", func(data []byte) []byte {
			var m map[string]any
			check(t, json.Unmarshal(data, &m))
			if m[member] = value; value == nil {
				delete(m, member)
			}
			data, err := json.Marshal(m)
			check(t, err)
			return data
		})
	}
	rename := func(member, to string) []byte {
		return rezip(t, good, func(name string, data []byte) (string, []byte, bool) {
			if name == member {
				name = to
			}
			return name, data, name != ""
		})
	}
	same := func(name string, data []byte) (string, []byte, bool) { return name, data, true }
	flip := func(at int) func([]byte) []byte {
		return func(data []byte) []byte {
			data[(at+len(data))%len(data)] ^= 1
			return data
		}
	}
	c := sample(t, 20, 8)
	infinite := func(data []byte) []byte { // a value of the first vector, with the right checksum
		record := data[4096 : 4096+128]
		binary.LittleEndian.PutUint32(record[4:], math.Float32bits(float32(math.Inf(1))))
		sum := vfs.Checksum(vfs.Checksum(vfs.Checksum(0, data[32:64]), make([]byte, 4)), record[:124])
		binary.LittleEndian.PutUint32(record[124:], sum)
		return data
	}
	commit := func(commit string, graph []byte) func([]byte) []byte {
		return func([]byte) []byte {
			var out bytes.Buffer
			h := c.View.Header()
			h.Commit, h.SlotEnd = commit, 0
			_, err := snapshot.Encode(&out, h, snapshot.Contents{Graph: graph})
			check(t, err)
			return out.Bytes()
		}
	}
	f, err := open(good)
	check(t, err)
	view, err := f.View()
	check(t, err)
	defer view.Close()
	beyond := func([]byte) []byte {
		var out bytes.Buffer
		graph := c.Graph.Renumber(func(slot uint32) uint32 { return slot + 1000 }).AppendTo(nil)
		_, err := snapshot.Encode(&out, view.Header(), snapshot.Contents{Changed: view.Texts(), Skipped: view.Skipped(), Unreadable: view.Unreadable, Graph: graph})
		check(t, err)
		return out.Bytes()
	}
	deflated := func() []byte {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		m, err := w.Create("manifest.json")
		check(t, err)
		_, err = m.Write(bytes.Repeat([]byte("0"), 1<<20))
		check(t, errors.Join(err, w.Close()))
		return out.Bytes()
	}()
	for name, c := range map[string]struct {
		file []byte
		word string
	}{
		"empty":                   {nil, "cut off"},
		"half":                    {good[:len(good)/2], "cut off"},
		"the end cut off":         {good[:len(good)-1], "cut off"},
		"a bit of the archive":    {flip(len(good) / 2)(bytes.Clone(good)), vecsFile},
		"no manifest":             {rename("manifest.json", ""), "manifest.json"},
		"a manifest of no JSON":   {edit("manifest.json", func([]byte) []byte { return []byte("[]") }), "manifest.json"},
		"a long manifest":         {edit("manifest.json", func(d []byte) []byte { return append(d, bytes.Repeat([]byte(" "), 1<<20)...) }), "manifest.json"},
		"a later format":          {manifest("format", 2), "format 2"},
		"no domain":               {manifest("domain", nil), "what commit"},
		"another domain":          {manifest("domain", "org/other"), "does not belong"},
		"another commit":          {manifest("commit", "c2"), "does not belong"},
		"another alias":           {manifest("alias", "v2"), "does not belong"},
		"the alias is the commit": {manifest("alias", "c1"), "what commit"},
		"no commit":               {rename(commitFile, ""), commitFile},
		"no alias":                {rename(aliasFile, ""), aliasFile},
		"no vectors":              {rename(vecsFile, ""), "vectors"},
		"a path":                  {rename(aliasFile, "../../etc/passwd"), "../../etc/passwd"},
		"a member twice":          {rename(aliasFile, vecsFile), "twice"},
		"too many members":        {rezip(t, good, same, "x", "y", "z"), "members"},
		"a member compressed":     {deflated, "not stored"},
		"a bit of the texts":      {edit(commitFile, flip(200)), commitFile},
		"a bit of the trailer":    {edit(commitFile, flip(-30)), commitFile},
		"the commit cut off":      {edit(commitFile, func(d []byte) []byte { return d[:len(d)-100] }), commitFile},
		"the alias for a commit":  {edit(aliasFile, flip(-30)), aliasFile},
		"a bit of the vectors":    {edit(vecsFile, flip(40)), vecsFile},
		"an infinite vector":      {edit(vecsFile, infinite), "unsound vector in slot 0"},
		"an alias that is none":   {edit(aliasFile, commit("v1", nil)), "no other name"},
		"another commit inside":   {edit(commitFile, commit("c2", nil)), commitFile},
		"an empty commit":         {edit(commitFile, commit("c1", nil)), "29 vectors"},
		"a graph beyond the end":  {edit(commitFile, beyond), "graph"},
		"more documents":          {manifest("documents", 21), "manifest"},
		"another model":           {manifest("model", "x"), "manifest"},
		"other settings":          {manifest("settings", "metric=l2"), "manifest"},
		"vectors cut off":         {edit(vecsFile, func(d []byte) []byte { return d[:len(d)-64] }), "vectors"},
		"more vectors":            {edit(vecsFile, func(d []byte) []byte { return append(d, d[len(d)-128:]...) }), "vectors"},
	} {
		f, err := open(c.file)
		if err == nil {
			_, err = f.Check()
		}
		if !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v does not speak of %s", name, err, c.word)
		}
	}
}

// TestDamagedVector: a vector that was damaged where the file was made is damaged in
// the file, and no fault of it.
func TestDamagedVector(t *testing.T) {
	c := sample(t, 20, 8)
	b := rezip(t, written(t, c), func(name string, data []byte) (string, []byte, bool) {
		if name == vecsFile {
			data[4096+3] ^= 1
		}
		return name, data, true
	})
	f, err := open(b)
	check(t, err)
	if damaged, err := f.Check(); damaged != 1 || err != nil {
		t.Fatal(damaged, err)
	}
	view, err := f.View()
	check(t, err)
	defer view.Close()
	vecs, err := f.Vectors()
	check(t, err)
	defer vecs.Close()
	again, err := open(written(t, bundle.Contents{View: view, Vectors: vecs}))
	check(t, err)
	if damaged, err := again.Check(); damaged != 1 || err != nil {
		t.Error(damaged, err)
	}
}

// TestReadOnly: nothing of a file can be changed.
func TestReadOnly(t *testing.T) {
	f, err := open(written(t, sample(t, 2, 4)))
	check(t, err)
	_, create := f.Open(vecsFile, vfs.Create)
	_, write := f.Open(vecsFile, vfs.ReadWrite)
	_, lock := f.Lock("LOCK")
	member, err := f.Open(vecsFile, vfs.Read)
	check(t, err)
	_, at := member.WriteAt([]byte("x"), 0)
	for i, err := range []error{create, write, lock, at, member.Truncate(0), f.Remove(vecsFile), f.Rename(vecsFile, "x"), f.SyncDir()} {
		if err == nil {
			t.Errorf("change %d was made", i)
		}
	}
}
