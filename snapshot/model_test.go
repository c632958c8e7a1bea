package snapshot_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// modelDoc is what the model knows of a document: its words, each of which is
// a chunk whose slot follows from the word, as slots are content-addressed.
type modelDoc struct {
	words  []string
	fields string
}

func (d modelDoc) text() string { return strings.Join(d.words, " ") }

// wordSlot spreads the slots over several pages of the bitsets.
func wordSlot(word string) uint32 {
	var n uint32
	if _, err := fmt.Sscanf(word, "w%d", &n); err != nil {
		panic(err)
	}
	return n*1777 + n%3
}

func (d modelDoc) entry(id string) snapshot.EntryText {
	et := snapshot.EntryText{Text: d.text()}
	et.ID, et.Type, et.DocTokens, et.Fields = id, id[:1], uint32(len(d.words)), d.fields
	at := 0
	for i, w := range d.words {
		et.Chunks = append(et.Chunks, snapshot.Chunk{
			Slot: wordSlot(w), Start: uint32(at), End: uint32(at + len(w)), TokenStart: uint32(i), Tokens: 1,
		})
		at += len(w) + 1
	}
	return et
}

// history is a random history and what every commit of it must hold.
type history struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *vfstest.Mem
	commits []string
	want    map[string]map[string]modelDoc
	alias   map[string]bool
	skipped map[string][]string
	slotEnd map[string]uint32
	open    map[string]*snapshot.View // kept open, whatever happens to the files
	seq     uint64
}

func TestHistories(t *testing.T) {
	seeds := 12
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 500
	}
	first := rand.Uint64()
	for i := range uint64(seeds) {
		seed := first + i
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := &history{
				t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfstest.NewMem(),
				want: map[string]map[string]modelDoc{}, alias: map[string]bool{}, skipped: map[string][]string{},
				slotEnd: map[string]uint32{}, open: map[string]*snapshot.View{},
			}
			h.root("c0")
			for range 40 {
				h.step()
			}
			for _, c := range h.commits {
				h.check(c, view(t, h.fs, c))
			}
			for c, v := range h.open {
				h.check(c, v)
				if err := v.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := snapshot.Clean(h.fs); err != nil {
				t.Error(err)
			}
		})
	}
}

// id and document draw from small sets, so that slots are shared, leave and
// come back.
func (h *history) id() string { return fmt.Sprintf("%c/%d", 'A'+h.rng.IntN(3), h.rng.IntN(12)) }

func (h *history) document() modelDoc {
	d := modelDoc{words: make([]string, h.rng.IntN(4))}
	if h.rng.IntN(2) == 0 {
		d.fields = fmt.Sprintf(`{"n":%d}`, h.rng.IntN(3))
	}
	for i := range d.words {
		d.words[i] = fmt.Sprintf("w%d", h.rng.IntN(15))
	}
	return d
}

// someIDs draws ids of documents that could not be taken, ascending.
func (h *history) someIDs() []string {
	var ids []string
	for range max(h.rng.IntN(8)-4, 0) {
		ids = append(ids, h.id())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (h *history) header(commit string) snapshot.Header {
	h.seq++
	return header(snapshot.Checkpoint, commit, "", h.seq)
}

func (h *history) add(commit string, want map[string]modelDoc, slotEnd uint32) {
	h.commits = append(h.commits, commit)
	h.want[commit], h.slotEnd[commit] = want, slotEnd
	v := view(h.t, h.fs, commit)
	h.check(commit, v)
}

// end returns 1 + the highest slot of the documents.
func end(docs map[string]modelDoc) (n uint32) {
	for _, d := range docs {
		for _, w := range d.words {
			n = max(n, wordSlot(w)+1)
		}
	}
	return n
}

// root writes a checkpoint that has no base.
func (h *history) root(commit string) {
	want := map[string]modelDoc{}
	for range h.rng.IntN(20) {
		want[h.id()] = h.document()
	}
	h.skipped[commit] = h.someIDs()
	wrote(h.t)(snapshot.Write(h.fs, h.header(commit), snapshot.Contents{Changed: entries(want), Skipped: h.skipped[commit]}))
	h.add(commit, want, end(want))
}

func entries(docs map[string]modelDoc) func(func(snapshot.EntryText, error) bool) {
	var list []snapshot.EntryText
	for id, d := range docs {
		list = append(list, d.entry(id))
	}
	return seq(list...)
}

// step does one random thing to a random commit.
func (h *history) step() {
	base := h.commits[h.rng.IntN(len(h.commits))]
	if h.rng.IntN(3) > 0 {
		base = h.commits[len(h.commits)-1]
	}
	commit := fmt.Sprintf("c%d", len(h.commits))
	v := view(h.t, h.fs, base)
	switch n := h.rng.IntN(20); {
	case n == 0:
		h.root(commit)
	case n <= 2:
		hd := h.header(commit)
		wrote(h.t)(v.WriteAlias(h.fs, hd))
		h.alias[commit], h.skipped[commit] = true, h.skipped[base]
		h.add(commit, h.want[base], h.slotEnd[base])
	case n <= 6 && !h.alias[base]:
		if h.rng.IntN(2) == 0 && h.open[base] == nil {
			h.open[base] = must(h.t)(chain(h.fs, base))
		}
		var graph []byte
		if h.rng.IntN(2) == 0 {
			graph = []byte("graph of " + base)
		}
		merged := wrote(h.t)(v.WriteCheckpoint(h.fs, graph))
		before := v.Header()
		before.Kind, before.Changed, before.Removed = merged.Kind, merged.Changed, merged.Removed // skipped stays
		if before != merged {
			h.t.Fatalf("merge changed the header from %+v to %+v", before, merged)
		}
		m := view(h.t, h.fs, base)
		h.check(base, m)
		if len(m.Tail()) != 0 || m.Deltas() != 0 {
			h.t.Fatalf("a merged checkpoint has a tail of %d on %d deltas", len(m.Tail()), m.Deltas())
		}
		if got, want := m.CheckpointSlots(), slices.Collect(v.LiveSlots()); !slices.Equal(got, want) {
			h.t.Fatalf("checkpoint slots %d, want the live ones %d", got, want)
		}
		if got, err := m.Checkpoint().Graph(); string(got) != string(graph) || err != nil {
			h.t.Fatalf("graph %q, %v", got, err)
		}
	default:
		h.delta(base, commit, v)
	}
}

// delta writes a delta, and checks that extending the base's view by it is the
// same as making the view anew.
func (h *history) delta(base, commit string, v *snapshot.View) {
	want := maps.Clone(h.want[base])
	var removed []string
	for range h.rng.IntN(6) {
		id := h.id() // perhaps not there, perhaps twice
		removed = append(removed, id)
		delete(want, id)
	}
	changed := map[string]modelDoc{}
	for range h.rng.IntN(8) {
		id := h.id()
		if slices.Contains(removed, id) {
			continue
		}
		changed[id] = h.document()
	}
	maps.Copy(want, changed)
	h.skipped[commit] = h.someIDs()
	wrote(h.t)(v.WriteDelta(h.fs, h.header(commit), snapshot.Contents{Changed: entries(changed), Removed: removed, Skipped: h.skipped[commit]}))
	slotEnd := max(h.slotEnd[base], end(changed))
	x, err := v.Extend(open(h.t, h.fs, commit))
	if err != nil {
		h.t.Fatal(err)
	}
	h.want[commit], h.slotEnd[commit] = want, slotEnd
	h.check(base, v)
	h.check(commit, x)
	h.check(base, v)
	if h.rng.IntN(4) == 0 {
		h.open[commit] = x
	} else if err := x.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.add(commit, want, slotEnd)
}

// check compares everything a view says with the model.
func (h *history) check(commit string, v *snapshot.View) {
	t := h.t
	t.Helper()
	want := h.want[commit]
	if got, want := v.Skipped(), h.skipped[commit]; !slices.Equal(got, want) {
		t.Fatalf("%s: skipped %q, want %q", commit, got, want)
	}
	ids := slices.Sorted(maps.Keys(want))
	var got []string
	holders := map[uint32][]string{}
	chunks := 0
	for e := range v.All() {
		got = append(got, e.ID)
		w := want[e.ID].entry(e.ID)
		w.TextHash, w.TextLen = snapshot.HashText(w.Text), uint32(len(w.Text))
		if e.Type != w.Type || e.TextHash != w.TextHash || e.TextLen != w.TextLen || e.DocTokens != w.DocTokens || e.Fields != w.Fields || !slices.Equal(e.Chunks, w.Chunks) {
			t.Fatalf("%s: entry %+v, want %+v", commit, e, w.Entry)
		}
		if text, err := v.Text(e); text != w.Text || err != nil {
			t.Fatalf("%s: text of %s is %q (%v), want %q", commit, e.ID, text, err, w.Text)
		}
		if !v.Holds(e) || &e.File().Entries()[e.Place()] != e {
			t.Fatalf("%s: %s is not held, or not in its place %d", commit, e.ID, e.Place())
		}
		if l, ok := v.Lookup(e.ID); !ok || l != e {
			t.Fatalf("%s: Lookup(%s) = %v, %v", commit, e.ID, l, ok)
		}
		for i, c := range e.Chunks {
			holders[c.Slot] = append(holders[c.Slot], fmt.Sprint(e.ID, "#", i))
			chunks++
		}
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("%s: ids %v, want %v", commit, got, ids)
	}
	if v.Len() != len(ids) || v.Chunks() != chunks || v.SlotEnd() != h.slotEnd[commit] {
		t.Fatalf("%s: %d documents, %d chunks, slot end %d; want %d, %d, %d", commit, v.Len(), v.Chunks(), v.SlotEnd(), len(ids), chunks, h.slotEnd[commit])
	}
	if hd := v.Header(); hd.Commit != commit || int(hd.Documents) != len(ids) || int(hd.Chunks) != chunks {
		t.Fatalf("%s: header %+v", commit, hd)
	}
	held := 0
	for f := range v.Files() {
		for i := range f.Entries() {
			if v.Holds(&f.Entries()[i]) {
				held++
			}
		}
	}
	if held != len(ids) {
		t.Fatalf("%s: holds %d entries of its files, want %d", commit, held, len(ids))
	}
	live := slices.Sorted(maps.Keys(holders))
	if got := slices.Collect(v.LiveSlots()); !slices.Equal(got, live) || v.LiveCount() != len(live) {
		t.Fatalf("%s: live slots %v (%d), want %v", commit, got, v.LiveCount(), live)
	}
	base := v.CheckpointSlots()
	tail := slices.DeleteFunc(slices.Clone(live), func(s uint32) bool { _, ok := slices.BinarySearch(base, s); return ok })
	if !slices.Equal(v.Tail(), tail) {
		t.Fatalf("%s: tail %v, want %v", commit, v.Tail(), tail)
	}
	for w := range 16 {
		slot := wordSlot(fmt.Sprintf("w%d", w))
		var got []string
		for e, i := range v.Holders(slot) {
			got = append(got, fmt.Sprint(e.ID, "#", i))
		}
		slices.Sort(got)
		slices.Sort(holders[slot])
		if !slices.Equal(got, holders[slot]) || v.Live(slot) != (len(got) > 0) || v.Live(slot+1) {
			t.Fatalf("%s: holders of %d are %v, want %v", commit, slot, got, holders[slot])
		}
	}
	for range 5 {
		id := h.id()
		if _, ok := v.Lookup(id); ok != slices.Contains(ids, id) {
			t.Fatalf("%s: Lookup(%s) found is %v", commit, id, ok)
		}
	}
	if v.Bytes() < 0 || v.Checkpoint().Bytes() < 0 {
		t.Fatalf("%s: %d bytes, checkpoint %d", commit, v.Bytes(), v.Checkpoint().Bytes())
	}
}
