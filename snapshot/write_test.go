package snapshot_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestWriteRefuses(t *testing.T) {
	with := func(change func(*snapshot.Header)) snapshot.Header {
		h := header(snapshot.Checkpoint, "c", "", 1)
		change(&h)
		return h
	}
	entry := func(change func(*snapshot.EntryText)) []snapshot.EntryText {
		d := doc("id", "text", 1)
		change(&d)
		return []snapshot.EntryText{d}
	}
	none := func(*snapshot.Header) {}
	asDelta := func(h *snapshot.Header) { h.Kind, h.Base = snapshot.Delta, "b" }
	one := []snapshot.EntryText{doc("id", "text", 1)}
	tests := []struct {
		name    string
		header  snapshot.Header
		changed []snapshot.EntryText
		removed []string
		graph   string
		want    string
	}{
		{"no domain", with(func(h *snapshot.Header) { h.Domain = "" }), one, nil, "", "empty"},
		{"no commit", with(func(h *snapshot.Header) { h.Commit = "" }), one, nil, "", "empty"},
		{"long name", with(func(h *snapshot.Header) { h.Branch = strings.Repeat("x", 4097) }), one, nil, "", "4097"},
		{"own base", with(func(h *snapshot.Header) { h.Base = h.Commit }), one, nil, "", "own base"},
		{"no kind", with(func(h *snapshot.Header) { h.Kind = 0 }), one, nil, "", "kind(0)"},
		{"delta without base", with(func(h *snapshot.Header) { h.Kind = snapshot.Delta }), one, nil, "", "no base"},
		{"alias with entries", with(func(h *snapshot.Header) { h.Kind, h.Base = snapshot.Alias, "b" }), one, nil, "", "alias"},
		{"alias with graph", with(func(h *snapshot.Header) { h.Kind, h.Base = snapshot.Alias, "b" }), nil, nil, "graph", "alias"},
		{"delta on itself", with(func(h *snapshot.Header) { asDelta(h); h.On = h.Commit }), one, nil, "", "own base"},
		{"delta as tag", with(func(h *snapshot.Header) { asDelta(h); h.Tag = true }), one, nil, "", "tag"},
		{"vectors without a name", with(func(h *snapshot.Header) { h.Others = make([]snapshot.NamedVectors, 1) }), one, nil, "", "no name"},
		{"vectors of a taken name", with(func(h *snapshot.Header) { h.Others = []snapshot.NamedVectors{{Name: "main"}} }), one, nil, "", "taken"},
		{"vectors that nobody names", with(none), entry(func(e *snapshot.EntryText) { e.Others = [][]snapshot.Chunk{{{Slot: 1}}} }), nil, "", "names 0"},
		{"no integer", with(none), entry(func(e *snapshot.EntryText) { e.ID, e.Int = "07", true }), nil, "", "integer"},
		{"text and none", with(none), entry(func(e *snapshot.EntryText) { e.NoText = true }), nil, "", "none"},
		{"checkpoint with removed", with(none), one, []string{"x"}, "", "checkpoint"},
		{"removed out of order", with(asDelta), nil, []string{"b", "a"}, "", "order"},
		{"removed twice", with(asDelta), nil, []string{"a", "a"}, "", "order"},
		{"removed empty", with(asDelta), nil, []string{""}, "", "empty"},
		{"changed and removed", with(asDelta), one, []string{"id"}, "", "both"},
		{"out of order", with(none), []snapshot.EntryText{doc("b", "", 1), doc("a", "", 1)}, nil, "", "order"},
		{"twice", with(none), []snapshot.EntryText{doc("a", "", 1), doc("a", "", 1)}, nil, "", "order"},
		{"no id", with(none), []snapshot.EntryText{doc("", "", 1)}, nil, "", "empty"},
		{"long id", with(none), []snapshot.EntryText{doc(strings.Repeat("x", snapshot.MaxID+1), "", 1)}, nil, "", "above"},
		{"wrong hash", with(none), entry(func(e *snapshot.EntryText) { e.TextHash[3] = 1 }), nil, "", "hash"},
		{"long fields", with(none), entry(func(e *snapshot.EntryText) { e.Fields = strings.Repeat("f", snapshot.MaxFields+1) }), nil, "", "limit"},
		{"chunk ends outside", with(none), entry(func(e *snapshot.EntryText) { e.Chunks[0].End = 5 }), nil, "", "outside"},
		{"chunk backwards", with(none), entry(func(e *snapshot.EntryText) { e.Chunks[0].Start, e.Chunks[0].End = 3, 2 }), nil, "", "outside"},
		{"no slot", with(none), entry(func(e *snapshot.EntryText) { e.Chunks[0].Slot = math.MaxUint32 }), nil, "", "slot"},
		{"chunks without vectors", with(func(h *snapshot.Header) { h.Vecs = "" }), one, nil, "", "vectors"},
		{"chunks without dimension", with(func(h *snapshot.Header) { h.Dim = 0 }), one, nil, "", "vectors"},
	}
	for _, tt := range tests {
		mem := vfstest.NewMem()
		changed := func(yield func(snapshot.EntryText, error) bool) {
			for _, d := range tt.changed {
				if !yield(d, nil) {
					return
				}
			}
		}
		if tt.changed == nil {
			changed = nil
		}
		_, err := snapshot.Write(mem, tt.header, snapshot.Contents{Changed: changed, Removed: snapshot.StringKeys(tt.removed), Graph: []byte(tt.graph)})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "snapshot: ") || errors.Is(err, snapshot.ErrCorrupt) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if names, _ := mem.List(); len(names) > 0 {
			t.Errorf("%s: it left %v", tt.name, names)
		}
	}
}

func TestWriteSkipped(t *testing.T) {
	mem := vfstest.NewMem()
	h := wrote(t)(snapshot.Write(mem, header(snapshot.Checkpoint, "c1", "", 1), snapshot.Contents{Skipped: keys("a", "b")}))
	if got := view(t, mem, "c1").Skipped(); h.Skipped != 2 || !slices.Equal(got, keys("a", "b")) {
		t.Errorf("header %+v, skipped %v", h, got)
	}
	h = wrote(t)(view(t, mem, "c1").WriteDelta(mem, header(0, "c2", "", 2), snapshot.Contents{Changed: seq(doc("a", "text", 5))}, ""))
	if got := view(t, mem, "c2").Skipped(); h.Skipped != 0 || got != nil {
		t.Errorf("header %+v, skipped %v", h, got)
	}
	alias := header(snapshot.Alias, "c3", "c2", 3)
	for _, bad := range []struct {
		header  snapshot.Header
		skipped []snapshot.Key
	}{
		{header(snapshot.Checkpoint, "c4", "", 4), keys("b", "a")},
		{header(snapshot.Checkpoint, "c4", "", 4), keys("a", "a")},
		{header(snapshot.Checkpoint, "c4", "", 4), keys("")},
		{alias, keys("a")},
	} {
		if _, err := snapshot.Write(mem, bad.header, snapshot.Contents{Skipped: bad.skipped}); err == nil {
			t.Errorf("%v with %v is written", bad.header.Kind, bad.skipped)
		}
	}
}

func TestWritePassesTheSourceErrorOn(t *testing.T) {
	mem := vfstest.NewMem()
	broken := errors.New("broken")
	changed := func(yield func(snapshot.EntryText, error) bool) {
		if yield(doc("a", strings.Repeat("text ", 100000), 0), nil) {
			yield(snapshot.EntryText{}, broken)
		}
	}
	if _, err := snapshot.Write(mem, header(snapshot.Checkpoint, "c", "", 1), snapshot.Contents{Changed: changed}); !errors.Is(err, broken) {
		t.Errorf("Write: %v", err)
	}
	if names, _ := mem.List(); len(names) > 0 {
		t.Errorf("it left %v", names)
	}
}

func TestCommittedFilesAreImmutable(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	for _, commit := range []string{"c1", "c2", "c3"} {
		for _, kind := range []snapshot.Kind{snapshot.Checkpoint, snapshot.Delta, snapshot.Alias} {
			h := header(kind, commit, "", 7)
			if kind != snapshot.Checkpoint {
				h.Base = "x"
			}
			if _, err := snapshot.Write(mem, h, snapshot.Contents{}); !errors.Is(err, fs.ErrExist) {
				t.Errorf("writing a %v over %s: %v", kind, commit, err)
			}
		}
	}
	// A merge must keep the counts and the place in history.
	v := view(t, mem, "c2")
	lose := func(yield func(snapshot.EntryText, error) bool) {
		for et, err := range v.Texts() {
			if et.ID != "d" && !yield(et, err) {
				return
			}
		}
	}
	h := v.Header()
	h.Kind = snapshot.Checkpoint
	if _, err := snapshot.Write(mem, h, snapshot.Contents{Changed: lose}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a merge that loses an entry: %v", err)
	}
	h.Seq++
	if _, err := snapshot.Write(mem, h, snapshot.Contents{Changed: v.Texts()}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a merge that changes the sequence number: %v", err)
	}
	wrote(t)(merge(mem, v, nil))
	wrote(t)(merge(mem, v, []byte("a graph later")))
	wrote(t)(merge(mem, view(t, mem, "c3"), nil)) // an alias that stands by itself
	infos, bad, err := snapshot.List(mem)
	if len(infos) != 3 || len(bad) != 0 || err != nil {
		t.Errorf("List: %v, %v, %v", infos, bad, err)
	}
}

func TestOpenMissing(t *testing.T) {
	mem := vfstest.NewMem()
	if _, err := snapshot.Open(mem, "x@y.hnsw"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	if err := snapshot.Verify(mem, "x@y.hnsw"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Verify: %v", err)
	}
}

func TestListSeesOnlyCommitFiles(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	data, err := mem.ReadFile(snapshot.FileName(domain, "c1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LOCK", "x.vecs", "x@y.zap", "x@y.hnsw.1.tmp", "x.vecs.tmp"} {
		mem.WriteFile(name, data)
	}
	mem.WriteFile("copy@of.hnsw", data)
	mem.WriteFile("empty@file.hnsw", nil)
	infos, bad, err := snapshot.List(mem)
	if err != nil || len(infos) != 3 || len(bad) != 2 {
		t.Fatalf("List: %v, %v, %v", infos, bad, err)
	}
	for i, commit := range []string{"c1", "c2", "c3"} {
		if infos[i].Commit != commit || infos[i].Name() != snapshot.FileName(domain, commit) || infos[i].Size == 0 {
			t.Errorf("List: %+v", infos[i])
		}
	}
	for _, b := range bad {
		if !damaged(t, b.Err) {
			t.Errorf("%s: %v", b.Name, b.Err)
		}
	}
}

// TestLargeAndOddTexts covers texts longer than a block, empty ones, equal
// ones, ones that do not shrink and ones that shrink to nothing, and names
// that fill the header.
func TestLargeAndOddTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var lines strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&lines, "line %d of a long text\n", i)
	}
	texts := map[string]string{
		"1": "", "2": lines.String(), "3": string(noise), "4": "", "5": "short",
		"6": string(noise), "7": strings.Repeat("b", 32768), "8": "short", "9": strings.Repeat("c", 32769),
	}
	h := header(snapshot.Checkpoint, strings.Repeat("C", 4096), "", 1)
	h.Domain, h.Branch, h.Fingerprint = domain, strings.Repeat("b", 4096), strings.Repeat("f", 4096)
	var docs []snapshot.EntryText
	for id, text := range texts {
		docs = append(docs, doc(id, text, 4_000_000_000))
	}
	mem := vfstest.NewMem()
	info, err := snapshot.Write(mem, h, snapshot.Contents{Changed: seq(docs...)})
	if err != nil {
		t.Fatal(err)
	}
	// The noise, once, and what shrinks so much that it is kept as it is.
	if size := info.Size; size > 200_000+32_768+32_769+70_000 {
		t.Errorf("the file has %d bytes: equal texts are kept twice, or nothing is compressed", size)
	}
	if err := snapshot.Verify(mem, snapshot.FileName(domain, h.Commit)); err != nil {
		t.Error(err)
	}
	v := view(t, mem, h.Commit)
	for range 3 {
		for id, want := range texts {
			e, _ := v.Lookup(id)
			if got, err := v.Text(e); got != want || err != nil {
				t.Errorf("text %s has %d bytes (%v), want %d", id, len(got), err, len(want))
			}
		}
	}
	if _, err := v.Text(&snapshot.Entry{ID: "elsewhere"}); err == nil {
		t.Error("the text of an entry without one could be read")
	}
}

// TestEntriesThatShrinkTooMuch writes a table that would pass the ratio.
func TestEntriesThatShrinkTooMuch(t *testing.T) {
	mem := vfstest.NewMem()
	d := doc("id", "text", 1)
	d.Fields = string(make([]byte, 1<<20))
	write(t, mem, header(snapshot.Checkpoint, "c", "", 1), seq(d), nil, nil)
	e, _ := view(t, mem, "c").Lookup("id")
	if e.Fields != d.Fields {
		t.Errorf("fields of %d bytes", len(e.Fields))
	}
}

// The smallest entry is an integer key after another, without a text, of a supplied
// vector.
func TestManySmallestEntries(t *testing.T) {
	const n = 500
	docs := make([]snapshot.EntryText, n)
	for i := range docs {
		docs[i] = doc(snapshot.IntKey(int64(i)).ID, "", uint32(i))
		docs[i].Int, docs[i].NoText, docs[i].DocTokens = true, true, snapshot.NotCounted
		docs[i].Chunks = []snapshot.Chunk{{Slot: uint32(i)}}
	}
	fsys := vfstest.NewMem()
	write(t, fsys, header(snapshot.Checkpoint, "c", "", 1), func(yield func(snapshot.EntryText, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}, nil, nil)
	if got := view(t, fsys, "c").Len(); got != n {
		t.Fatalf("%d entries, want %d", got, n)
	}
}

func TestEmptyCheckpoint(t *testing.T) {
	mem := vfstest.NewMem()
	h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: "c"}
	write(t, mem, h, nil, nil, nil)
	v := view(t, mem, "c")
	if v.Len() != 0 || v.Chunks() != 0 || v.SlotEnd() != 0 || v.Live(0) || len(v.Tail()) != 0 {
		t.Errorf("an empty view holds %d documents", v.Len())
	}
	// The model arrives with the first vector.
	h = header(0, "d", "", 2)
	wrote(t)(v.WriteDelta(mem, h, snapshot.Contents{Changed: seq(doc("a", "text", 5))}, ""))
	v = view(t, mem, "d")
	if !slices.Equal(v.Tail(), []uint32{5}) || v.SlotEnd() != 6 {
		t.Errorf("tail %v, slot end %d", v.Tail(), v.SlotEnd())
	}
	// And stays, also when the last vector goes.
	wrote(t)(v.WriteDelta(mem, snapshot.Header{Commit: "e"}, snapshot.Contents{Removed: keys("a")}, ""))
	h = view(t, mem, "e").Header()
	if h.Documents != 0 || h.SlotEnd != 6 || h.Vecs == "" || h.Dim != 3 {
		t.Errorf("header %+v", h)
	}
}

// TestOperatingSystem writes, merges and reads on a real directory, with the
// old file open while it is replaced.
func TestOperatingSystem(t *testing.T) {
	fsys, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fsys.Close() }()
	three(t, fsys)
	old := view(t, fsys, "c2")
	wrote(t)(merge(fsys, old, []byte("graph")))
	for i, v := range []*snapshot.View{old, view(t, fsys, "c2"), view(t, fsys, "c3")} {
		m, err := contents(v)
		if got := fmt.Sprint(m); got != "map[b:General Leia Organa c:Luke Skywalker d:Yoda]" || err != nil {
			t.Errorf("view %d: %s, %v", i, got, err)
		}
	}
	infos, bad, err := snapshot.List(fsys)
	if len(infos) != 3 || len(bad) != 0 || err != nil {
		t.Errorf("List: %v, %v, %v", infos, bad, err)
	}
}
