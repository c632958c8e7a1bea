package snapshot_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// modelDoc is what the model knows of a document: its words, each of which is
// a chunk whose slot follows from the word, as slots are content-addressed.
type modelDoc struct {
	words  []string
	fields string
	noText bool
	other  []string // words among the vectors named other
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

// unreadable reports of which slots the files of the model say so.
func unreadable(slot uint32) bool { return slot%5 == 0 }

// entry returns the document as a file of these vectors lists it.
func (d modelDoc) entry(k snapshot.Key, vectors []snapshot.NamedVectors) snapshot.EntryText {
	et := snapshot.EntryText{Text: d.text()}
	et.ID, et.Int, et.Type, et.DocTokens, et.Fields = k.ID, k.Int, k.ID[:1], uint32(len(d.words)), d.fields
	et.NoText = d.noText
	if len(d.words) == 1 {
		et.DocTokens = snapshot.NotCounted
	}
	at := 0
	for i, w := range d.words {
		et.Chunks = append(et.Chunks, snapshot.Chunk{
			Slot: wordSlot(w), Start: uint32(at), End: uint32(at + len(w)), TokenStart: uint32(i), Tokens: 1,
		})
		at += len(w) + 1
	}
	for _, v := range vectors {
		et.Others = append(et.Others, nil)
		if v.Name == "other" {
			et.Others[len(et.Others)-1] = d.others()
		}
	}
	return et
}

func (d modelDoc) others() (chunks []snapshot.Chunk) {
	for _, w := range d.other {
		chunks = append(chunks, snapshot.Chunk{Slot: wordSlot(w), End: uint32(len(d.text())), Tokens: 7})
	}
	return chunks
}

type documents = map[snapshot.Key]modelDoc

// history is a random history and what every commit of it must hold.
type history struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *vfstest.Mem
	commits []string
	want    map[string]documents
	alias   map[string]bool
	skipped map[string][]snapshot.Key
	slotEnd map[string]uint32
	lists   map[string]bool           // the commit lists vectors beside the main ones
	vecs    string                    // the file of those
	open    map[string]*snapshot.View // kept open, whatever happens to the files
	seq     uint64
	// how often what was rare has happened
	absorbed, rewritten, partly int
}

func TestHistories(t *testing.T) {
	seeds, steps := 4, 250
	if os.Getenv("VECTORLINK_LONG") != "" {
		seeds = 300
	}
	first := rand.Uint64()
	var absorbed, rewritten, partly int
	for i := range uint64(seeds) {
		seed := first + i
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := &history{
				t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfstest.NewMem(),
				want: map[string]documents{}, alias: map[string]bool{}, skipped: map[string][]snapshot.Key{},
				slotEnd: map[string]uint32{}, open: map[string]*snapshot.View{}, lists: map[string]bool{},
			}
			h.vecs = []string{"o.vecs", header(0, "", "", 0).Vecs}[seed%2]
			h.root("c0")
			for range steps {
				h.step()
			}
			for _, c := range h.commits {
				h.check(c, h.view(c))
			}
			for c, v := range h.open {
				h.check(c, v)
				if err := v.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := vfs.Clean(h.fs); err != nil {
				t.Error(err)
			}
			absorbed, rewritten, partly = absorbed+h.absorbed, rewritten+h.rewritten, partly+h.partly
		})
	}
	if absorbed < 10 || rewritten < 3 || partly < 3 {
		t.Errorf("%d deltas absorbed others, %d became checkpoints, %d merges were not full: too few to prove anything", absorbed, rewritten, partly)
	}
}

func (h *history) view(commit string) *snapshot.View {
	h.t.Helper()
	v, err := chain(h.fs, commit)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = v.Close() })
	return v
}

// key and document draw from small sets, so that slots are shared, leave and
// come back.
func (h *history) key() snapshot.Key {
	if h.rng.IntN(4) == 0 {
		return snapshot.IntKey([]int64{-1 << 63, -70000, -12, -3, 0, 4, 12, 300, 1<<63 - 1}[h.rng.IntN(9)])
	}
	return snapshot.Key{ID: fmt.Sprintf("%c/%d", 'A'+h.rng.IntN(6), h.rng.IntN(12))}
}

func (h *history) document(lists bool) modelDoc {
	d := modelDoc{words: make([]string, h.rng.IntN(4))}
	if h.rng.IntN(2) == 0 {
		d.fields = fmt.Sprintf(`{"n":%d}`, h.rng.IntN(3))
	}
	for i := range d.words {
		d.words[i] = fmt.Sprintf("w%d", h.rng.IntN(15))
	}
	d.noText = len(d.words) == 0 && h.rng.IntN(2) == 0
	for range max(h.rng.IntN(4)-1, 0) {
		if !lists {
			break
		}
		d.other = append(d.other, fmt.Sprintf("w%d", h.rng.IntN(15)))
	}
	return d
}

// someKeys draws keys of documents that could not be taken, ascending.
func (h *history) someKeys() []snapshot.Key {
	var keys []snapshot.Key
	for range max(h.rng.IntN(8)-4, 0) {
		keys = append(keys, h.key())
	}
	slices.SortFunc(keys, snapshot.Key.Compare)
	return slices.Compact(keys)
}

// header returns the header of a new commit. Where it lists others, they come in
// any order, and more than there are chunks of.
func (h *history) header(commit string) snapshot.Header {
	h.seq++
	hd := header(snapshot.Checkpoint, commit, "", h.seq)
	hd.Metric, hd.Normalized = "cosine", true
	hd.About = aboutOf(commit)
	if h.lists[commit] {
		v := snapshot.Vectors{Fingerprint: "x", Dim: 2, Vecs: h.vecs, Metric: "l2"}
		hd.Others = []snapshot.NamedVectors{{Name: "other", Vectors: v}, {Name: "more", Vectors: v}}
		h.rng.Shuffle(2, func(i, j int) { hd.Others[i], hd.Others[j] = hd.Others[j], hd.Others[i] })
		hd.Others = hd.Others[:1+h.rng.IntN(2)]
		if !slices.ContainsFunc(hd.Others, isOther) {
			hd.Others = append(hd.Others, snapshot.NamedVectors{Name: "other", Vectors: v})
		}
	}
	return hd
}

// aboutOf returns what is said of a commit, of a third of them nothing.
func aboutOf(commit string) *contract.About {
	n := int(snapshot.HashText(commit)[0])
	if n%3 == 0 {
		return nil
	}
	said := contract.Said(strings.Repeat("a", n%7), strings.Repeat(commit, n%1000), int64(n))
	return &said
}

func isOther(v snapshot.NamedVectors) bool { return v.Name == "other" }

func (h *history) add(commit string, want documents, slotEnd uint32) {
	h.commits = append(h.commits, commit)
	h.want[commit], h.slotEnd[commit] = want, slotEnd
	h.check(commit, h.view(commit))
}

// end returns 1 + the highest slot of the documents in the file of main vectors.
func (h *history) end(docs documents) (n uint32) {
	for _, d := range docs {
		words := d.words
		if h.vecs != "o.vecs" {
			words = slices.Concat(words, d.other)
		}
		for _, w := range words {
			n = max(n, wordSlot(w)+1)
		}
	}
	return n
}

// root writes a checkpoint that has no base.
func (h *history) root(commit string) {
	want := documents{}
	h.lists[commit] = h.rng.IntN(2) == 0
	for range h.rng.IntN(90) {
		want[h.key()] = h.document(h.lists[commit])
	}
	h.skipped[commit] = h.someKeys()
	hd := h.header(commit)
	wrote(h.t)(snapshot.Write(h.fs, hd, snapshot.Contents{Changed: entries(want, hd), Skipped: h.skipped[commit], Unreadable: unreadable}))
	h.add(commit, want, h.end(want))
}

func sortedKeys(docs documents) []snapshot.Key {
	return slices.SortedFunc(maps.Keys(docs), snapshot.Key.Compare)
}

func entries(docs documents, hd snapshot.Header) func(func(snapshot.EntryText, error) bool) {
	return func(yield func(snapshot.EntryText, error) bool) {
		for _, k := range sortedKeys(docs) {
			if !yield(docs[k].entry(k, hd.Others), nil) {
				return
			}
		}
	}
}

// step does one random thing to a random commit.
func (h *history) step() {
	base := h.commits[h.rng.IntN(len(h.commits))]
	if h.rng.IntN(8) > 0 {
		base = h.commits[len(h.commits)-1]
	}
	commit := fmt.Sprintf("c%d", len(h.commits))
	switch n := h.rng.IntN(60); {
	case n == 0:
		h.root(commit)
	case n <= 3:
		hd := h.header(commit)
		wrote(h.t)(h.view(base).WriteAlias(h.fs, hd))
		h.alias[commit], h.skipped[commit], h.lists[commit] = true, h.skipped[base], h.lists[base]
		h.add(commit, h.want[base], h.slotEnd[base])
	case n <= 7 && !h.alias[base]:
		h.merge(base, h.view(base))
	case n <= 10:
		h.alone(base, h.view(base))
	default:
		h.delta(base, commit, h.view(base))
	}
}

// alone puts a checkpoint in the place of a commit's file.
func (h *history) alone(commit string, v *snapshot.View) {
	hd := v.Header()
	if written := wrote(h.t)(v.WriteWhole(h.fs, hd, snapshot.Contents{Skipped: v.Skipped()})); written.Base != hd.Base || written.Kind != snapshot.Checkpoint {
		h.t.Fatalf("header %+v of %+v", written, hd)
	}
	h.alias[commit] = false
	h.check(commit, h.view(commit))
}

// merge puts another file of the same contents in the place of a commit's.
func (h *history) merge(commit string, v *snapshot.View) {
	if h.rng.IntN(2) == 0 && h.open[commit] == nil {
		h.open[commit] = must(h.t)(chain(h.fs, commit))
	}
	var graph []byte
	if h.rng.IntN(2) == 0 {
		graph = []byte("graph of " + commit)
	}
	full := h.rng.IntN(2) == 0
	p, err := v.PrepareMerge(h.fs, full, graph)
	if err != nil {
		h.t.Fatal(err)
	}
	merged := wrote(h.t)(p.Commit())
	if v.Deltas() == 0 {
		full = true
	}
	before := v.Header()
	if merged.Kind == snapshot.Delta {
		h.partly++
	}
	if full != (merged.Kind == snapshot.Checkpoint) || merged.Base != before.Base || merged.Seq != before.Seq || merged.Documents != before.Documents ||
		merged.Chunks != before.Chunks || merged.Skipped != before.Skipped || merged.Tokens != before.Tokens {
		h.t.Fatalf("merge changed the header from %+v to %+v", before, merged)
	}
	m := h.view(commit)
	h.check(commit, m)
	if m.Deltas() != map[bool]int{true: 0, false: 1}[full] {
		h.t.Fatalf("a merged file stands on %d", m.Deltas())
	}
	if graph == nil {
		return
	}
	if got, want := slices.Collect(m.GraphSlots()), slices.Collect(v.LiveSlots()); !slices.Equal(got, want) || len(m.Tail()) != 0 {
		h.t.Fatalf("graph slots %d, want the live ones %d; tail %d", got, want, m.Tail())
	}
	if got, err := m.GraphFile().Graph(); string(got) != string(graph) || err != nil {
		h.t.Fatalf("graph %q, %v", got, err)
	}
}

// delta writes a delta, and checks that extending the base's view by it is the
// same as making the view from its files.
func (h *history) delta(base, commit string, v *snapshot.View) {
	want := maps.Clone(h.want[base])
	var removed []snapshot.Key
	for range max(h.rng.IntN(9)-5, 0) {
		k := h.key() // perhaps not there, perhaps twice
		removed = append(removed, k)
		delete(want, k)
	}
	changed := documents{}
	h.lists[commit] = h.lists[base] || h.rng.IntN(8) == 0
	for range h.rng.IntN(4) {
		if k := h.key(); !slices.Contains(removed, k) {
			changed[k] = h.document(h.lists[commit])
		}
	}
	maps.Copy(want, changed)
	h.skipped[commit] = h.someKeys()
	keep := ""
	if h.rng.IntN(6) == 0 {
		keep = h.commits[h.rng.IntN(len(h.commits))]
	}
	hd := h.header(commit)
	c := snapshot.Contents{Changed: entries(changed, hd), Count: len(changed), Removed: removed, Skipped: h.skipped[commit], Unreadable: unreadable}
	slotEnd := max(h.slotEnd[base], h.end(changed))
	if h.rng.IntN(20) == 0 {
		wrote(h.t)(v.WriteWhole(h.fs, hd, c))
		h.add(commit, want, slotEnd)
		return
	}
	written := wrote(h.t)(v.WriteDelta(h.fs, hd, c, keep))
	h.want[commit], h.slotEnd[commit] = want, slotEnd
	if written.Base != base || written.Indexed != 0 {
		h.t.Fatalf("header %+v", written)
	}
	if written.Kind == snapshot.Checkpoint {
		h.rewritten++
		h.add(commit, want, slotEnd)
		return
	}
	if written.On != base && !h.alias[base] {
		h.absorbed++
	}
	f := open(h.t, h.fs, commit)
	h.checkDelta(v, f, keep)
	x, err := v.Extend(f)
	if err != nil {
		h.t.Fatal(err)
	}
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

// checkDelta checks that a delta on v says what it must, and no more, and that
// it passed over no file that it must not.
func (h *history) checkDelta(v *snapshot.View, f *snapshot.File, keep string) {
	h.t.Helper()
	commit, on := f.Header().Commit, f.Header().On
	for _, k := range f.Removed() {
		_, below := h.want[on][k]
		_, above := h.want[commit][k]
		if !below || above {
			h.t.Fatalf("%s removes %v; there in %s: %v, in it: %v", commit, k, on, below, above)
		}
	}
	over := false
	for file := range v.Files() {
		hd := file.Header()
		if over && (hd.Kind == snapshot.Checkpoint || hd.Graph || hd.Commit == keep && hd.Kind != snapshot.Alias) {
			h.t.Fatalf("%s stands on %s and passes over %s, keep %q", commit, on, hd.Commit, keep)
		}
		over = over || hd.Commit == on
	}
	if !over {
		h.t.Fatalf("%s stands on %s, which is not below", commit, on)
	}
}

// check compares everything a view says with the model.
func (h *history) check(commit string, v *snapshot.View) {
	t := h.t
	t.Helper()
	want := h.want[commit]
	if top := v.Header(); !reflect.DeepEqual(top.About, aboutOf(commit)) {
		t.Fatalf("%s: said %v, want %v", commit, top.About, aboutOf(commit))
	}
	if got, want := v.Skipped(), h.skipped[commit]; !slices.Equal(got, want) {
		t.Fatalf("%s: skipped %v, want %v", commit, got, want)
	}
	keys := sortedKeys(want)
	var got []snapshot.Key
	holders := map[uint32][]string{}
	chunks, others := 0, 0
	for e := range v.All() {
		for _, c := range slices.Concat(e.Chunks, e.ChunksOf("other")) {
			if same := e.ChunksOf("other") == nil || h.vecs == v.Header().Vecs; same && v.Unreadable(c.Slot) != unreadable(c.Slot) {
				t.Fatalf("%s: slot %d of %v is unreadable: %v", commit, c.Slot, e.Key(), v.Unreadable(c.Slot))
			}
		}
		got = append(got, e.Key())
		w := want[e.Key()].entry(e.Key(), nil)
		if w.TextLen = uint32(len(w.Text)); !w.NoText {
			w.TextHash = snapshot.HashText(w.Text)
		}
		if e.Type != w.Type || e.TextHash != w.TextHash || e.TextLen != w.TextLen || e.DocTokens != w.DocTokens || e.Fields != w.Fields || e.NoText != w.NoText || !slices.Equal(e.Chunks, w.Chunks) {
			t.Fatalf("%s: entry %+v, want %+v", commit, e, w.Entry)
		}
		other := want[e.Key()].others()
		if !slices.Equal(e.ChunksOf("other"), other) || !slices.Equal(e.ChunksOf(snapshot.MainVectors), w.Chunks) || e.ChunksOf("none") != nil {
			t.Fatalf("%s: other chunks %v, want %v", commit, e.ChunksOf("other"), other)
		}
		others += len(other)
		if text, err := v.Text(e); text != w.Text || err != nil {
			t.Fatalf("%s: text of %s is %q (%v), want %q", commit, e.ID, text, err, w.Text)
		}
		if !v.Holds(e) || &e.File().Entries()[e.Place()] != e {
			t.Fatalf("%s: %s is not held, or not in its place %d", commit, e.ID, e.Place())
		}
		if l, ok := v.LookupKey(e.Key()); !ok || l != e {
			t.Fatalf("%s: LookupKey(%v) = %v, %v", commit, e.Key(), l, ok)
		}
		if l, ok := v.Lookup(e.ID); !e.Int && (!ok || l != e) || e.Int && ok {
			t.Fatalf("%s: Lookup(%s) = %v, %v", commit, e.ID, l, ok)
		}
		for i, c := range e.Chunks {
			holders[c.Slot] = append(holders[c.Slot], fmt.Sprint(e.Key(), "#", i))
			chunks++
		}
	}
	if !slices.Equal(got, keys) {
		t.Fatalf("%s: keys %v, want %v", commit, got, keys)
	}
	if v.Len() != len(keys) || v.Chunks() != chunks || v.SlotEnd() != h.slotEnd[commit] {
		t.Fatalf("%s: %d documents, %d chunks, slot end %d; want %d, %d, %d", commit, v.Len(), v.Chunks(), v.SlotEnd(), len(keys), chunks, h.slotEnd[commit])
	}
	hd := v.Header()
	if hd.Commit != commit || int(hd.Documents) != len(keys) || int(hd.Chunks) != chunks || hd.Metric != "cosine" {
		t.Fatalf("%s: header %+v", commit, hd)
	}
	listed := slices.IndexFunc(hd.Others, isOther)
	if (listed >= 0) != h.lists[commit] || listed < 0 && others > 0 || listed >= 0 && int(hd.Others[listed].Chunks) != others {
		t.Fatalf("%s: header %+v, want %d other chunks", commit, hd, others)
	}
	h.checkUsing(commit, v)
	h.checkFiles(commit, v)
	live := slices.Sorted(maps.Keys(holders))
	if got := slices.Collect(v.LiveSlots()); !slices.Equal(got, live) || v.LiveCount() != len(live) {
		t.Fatalf("%s: live slots %v (%d), want %v", commit, got, v.LiveCount(), live)
	}
	for w := range 16 {
		slot := wordSlot(fmt.Sprintf("w%d", w))
		var got []string
		for e, i := range v.Holders(slot) {
			got = append(got, fmt.Sprint(e.Key(), "#", i))
		}
		slices.Sort(got)
		slices.Sort(holders[slot])
		if !slices.Equal(got, holders[slot]) || v.Live(slot) != (len(got) > 0) || v.Live(slot+1) {
			t.Fatalf("%s: holders of %d are %v, want %v", commit, slot, got, holders[slot])
		}
	}
	for range 5 {
		k := h.key()
		if _, ok := v.LookupKey(k); ok != slices.Contains(keys, k) {
			t.Fatalf("%s: LookupKey(%v) found is %v", commit, k, ok)
		}
	}
	if v.Bytes() < 0 || v.Checkpoint().Bytes() < 0 {
		t.Fatalf("%s: %d bytes, checkpoint %d", commit, v.Bytes(), v.Checkpoint().Bytes())
	}
}

// checkUsing checks which entries a view says to use slots.
func (h *history) checkUsing(commit string, v *snapshot.View) {
	words := []string{fmt.Sprintf("w%d", h.rng.IntN(8)), fmt.Sprintf("w%d", 8+h.rng.IntN(8))}
	var want, got []snapshot.Key
	for _, k := range sortedKeys(h.want[commit]) {
		d := h.want[commit][k]
		used := slices.Clone(d.words)
		if h.vecs != "o.vecs" {
			used = append(used, d.other...)
		}
		if slices.ContainsFunc(used, func(w string) bool { return slices.Contains(words, w) }) {
			want = append(want, k)
		}
	}
	for _, e := range v.Using([]uint32{wordSlot(words[0]), wordSlot(words[1])}) {
		got = append(got, e.Key())
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("%s: %v use the vectors of %v, want %v", commit, got, words, want)
	}
}

// checkFiles checks what a view says of its files: what they hold, and what the
// newest graph of them holds.
func (h *history) checkFiles(commit string, v *snapshot.View) {
	t := h.t
	t.Helper()
	held := 0
	graph := v.Checkpoint()
	for f := range v.Files() {
		for i := range f.Entries() {
			if v.Holds(&f.Entries()[i]) {
				held++
			}
		}
		if f.Header().Graph {
			graph = f
		}
	}
	if held != v.Len() {
		t.Fatalf("%s: holds %d entries of its files, want %d", commit, held, v.Len())
	}
	if g := v.GraphFile(); graph.Header().Graph && g != graph || !graph.Header().Graph && g != nil {
		t.Fatalf("%s: the newest graph is in %v, want %s", commit, g, graph.Name())
	}
	slots := map[uint32]bool{}
	for _, d := range h.want[graph.Header().Commit] {
		for _, w := range d.words {
			slots[wordSlot(w)] = true
		}
	}
	if got, want := slices.Collect(v.GraphSlots()), slices.Sorted(maps.Keys(slots)); !slices.Equal(got, want) || v.GraphLen() != len(want) {
		t.Fatalf("%s: the graph holds %v, want %v", commit, got, want)
	}
	tail := slices.DeleteFunc(slices.Collect(v.LiveSlots()), func(s uint32) bool { return slots[s] })
	dead := 0
	for s := range slots {
		if !v.Live(s) {
			dead++
		}
	}
	if !slices.Equal(v.Tail(), tail) || v.GraphDead() != dead {
		t.Fatalf("%s: tail %v, %d dead; want %v, %d", commit, v.Tail(), v.GraphDead(), tail, dead)
	}
}
