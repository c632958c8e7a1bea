package textindex_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// doc is a document of a snapshot: its chunks, and the commit file that they
// stand in.
type doc struct {
	chunks []string
	file   int
}

// file is a commit file: the chunks of the documents it lists, ids ascending.
type file struct {
	id      textindex.Identity
	docs    []string // of each chunk
	chunks  []string
	ordinal []int // of the chunk in its document
	segment *textindex.Segment
}

// commit is a snapshot: what is live, and the chain of files, checkpoint first.
type commit struct {
	docs  map[string]doc
	chain []int
}

// found is a hit in terms of the snapshot, not of the files.
type found struct {
	doc     string
	ordinal int
	score   float32
}

// history is a random history of commits and the files that keep it.
type history struct {
	t       *testing.T
	rng     *rand.Rand
	mem     *vfstest.Mem
	files   []file
	commits []commit
	seen    map[string]textindex.Seen // of each text, once
	silent  bool                      // the query at hand has silent words alone
}

func (h *history) text() string {
	var b strings.Builder
	n := h.rng.IntN(12)
	if h.rng.IntN(40) == 0 {
		n = 300 // long enough for frequencies above what chunks share
	}
	for range n {
		switch h.rng.IntN(8) {
		case 0:
			b.WriteString("the ")
		case 1:
			b.WriteString("Rare" + fmt.Sprint(h.rng.IntN(400)) + ", ")
		default:
			// Few words of very different frequency.
			b.WriteString([]string{"ship ", "droids ", "flying. ", "Engine ", "é ", "hyperdrive "}[min(h.rng.IntN(6), h.rng.IntN(6))])
		}
	}
	return b.String()
}

// add writes the file of the docs, which the commit brings or, for a
// checkpoint, has. Some segments are used as built, some as read back.
func (h *history) add(docs map[string]doc, checkpoint bool) {
	f := file{id: id(fmt.Sprint("c", len(h.files)))}
	f.id.Seq, f.id.Checkpoint = uint64(len(h.files)), checkpoint
	for _, d := range slices.Sorted(maps.Keys(docs)) {
		for i, c := range docs[d].chunks {
			f.docs, f.chunks, f.ordinal = append(f.docs, d), append(f.chunks, c), append(f.ordinal, i)
		}
	}
	var err error
	if f.segment, err = textindex.BuildBlocks(f.id, seq(f.chunks...), 1+h.rng.IntN(200), 1+h.rng.IntN(2000)); err != nil {
		h.t.Fatal(err)
	}
	if h.rng.IntN(2) == 0 {
		if err := f.segment.Write(h.mem); err != nil {
			h.t.Fatal(err)
		}
		if f.segment, err = textindex.Open(h.mem, f.id); err != nil {
			h.t.Fatal(err)
		}
	}
	if got, want := f.segment.Count(), uint32(len(f.chunks)); got != want {
		h.t.Fatalf("Count = %d, want %d", got, want)
	}
	h.files = append(h.files, f)
}

// next makes a commit on a random one.
func (h *history) next() {
	c := commit{docs: map[string]doc{}}
	if n := len(h.commits); n > 0 {
		base := h.commits[max(h.rng.IntN(n), h.rng.IntN(n))]
		c.docs, c.chain = maps.Clone(base.docs), slices.Clone(base.chain)
	}
	changed := map[string]doc{}
	for range h.rng.IntN(120) {
		d := fmt.Sprintf("d%03d", h.rng.IntN(300))
		if h.rng.IntN(4) == 0 {
			delete(c.docs, d)
			delete(changed, d)
			continue
		}
		var chunks []string
		for range h.rng.IntN(4) {
			chunks = append(chunks, h.text())
		}
		changed[d] = doc{chunks: chunks, file: len(h.files)}
		c.docs[d] = changed[d]
	}
	checkpoint := len(c.chain) == 0 || h.rng.IntN(6) == 0
	if checkpoint {
		h.checkpoint(&c)
	} else {
		c.chain = append(c.chain, len(h.files))
		h.add(changed, false)
	}
	h.commits = append(h.commits, c)
}

// checkpoint puts the whole commit into one file.
func (h *history) checkpoint(c *commit) {
	c.docs, c.chain = maps.Clone(c.docs), []int{len(h.files)}
	for d, v := range c.docs {
		v.file = len(h.files)
		c.docs[d] = v
	}
	h.add(c.docs, true)
}

// index makes the commit's index, the way the owner of the files does.
func (h *history) index(c commit) *textindex.Index {
	h.t.Helper()
	var parts []textindex.Part
	for _, n := range c.chain {
		f, dead := h.files[n], new(textindex.Bitmap)
		for i, d := range f.docs {
			if live, ok := c.docs[d]; !ok || live.file != n {
				dead.Add(uint32(i))
			}
		}
		if dead.IsEmpty() && h.rng.IntN(2) == 0 {
			dead = nil
		}
		part := textindex.Part{Segment: f.segment, Dead: dead, Documents: []uint32{}}
		for i, d := range f.docs {
			n := uint32(0)
			if i > 0 {
				n = part.Documents[i-1]
				if d != f.docs[i-1] {
					n++
				}
			}
			part.Documents = append(part.Documents, n)
		}
		parts = append(parts, part)
	}
	x, err := textindex.NewIndex(parts...)
	if err != nil {
		h.t.Fatal(err)
	}
	return x
}

// search returns what the index finds by the words of a text.
func (h *history) search(c commit, x *textindex.Index, text string, k int, admit func(doc string) bool) []found {
	h.t.Helper()
	return h.find(c, x, textindex.Plain(text), k, admit)
}

// find returns what the index finds, in terms of the snapshot, ordered by score,
// document and chunk.
func (h *history) find(c commit, x *textindex.Index, query textindex.Query, k int, admit func(doc string) bool) []found {
	h.t.Helper()
	var filter func(int, uint32) bool
	if admit != nil {
		filter = func(part int, chunk uint32) bool { return admit(h.files[c.chain[part]].docs[chunk]) }
	}
	hits, err := x.Search(h.t.Context(), query, k, filter)
	if err != nil {
		h.t.Fatal(err)
	}
	var list []found
	for i, hit := range hits {
		if i > 0 {
			last := hits[i-1]
			if order := cmp.Or(cmp.Compare(last.Score, hit.Score)*-1, cmp.Compare(last.Part, hit.Part), cmp.Compare(last.Chunk, hit.Chunk)); order >= 0 {
				h.t.Fatalf("hit %+v comes before %+v", last, hit)
			}
		}
		f := h.files[c.chain[hit.Part]]
		list = append(list, found{f.docs[hit.Chunk], f.ordinal[hit.Chunk], hit.Score})
	}
	sortFound(list)
	return list
}

func sortFound(list []found) {
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc), cmp.Compare(a.ordinal, b.ordinal))
	})
}

// look returns what the analyzer makes of a text, which is remembered.
func (h *history) look(text string) textindex.Seen {
	s, ok := h.seen[text]
	if !ok {
		s = textindex.Look(textindex.English, text)
		h.seen[text] = s
	}
	return s
}

// bruteForce is BM25 by its definition, over the live chunks and nothing else.
func (h *history) bruteForce(c commit, query string) []found {
	h.t.Helper()
	type chunk struct {
		found
		frequency map[string]int
		length    int
	}
	const other = "other "
	var chunks []chunk
	total, with := 0, map[string]int{}
	for d, v := range c.docs {
		for i, text := range v.chunks {
			ch := chunk{found: found{doc: d, ordinal: i}, frequency: map[string]int{}}
			seen := h.look(text)
			for _, w := range seen.Words {
				ch.frequency[w.Term]++
				if !textindex.Silent(w.Term) {
					ch.length++
				}
			}
			for _, term := range append(slices.Clone(seen.Others), seen.Parts...) {
				ch.frequency[other+term]++
			}
			for term := range ch.frequency {
				with[term]++
			}
			total += ch.length
			chunks = append(chunks, ch)
		}
	}
	// What the query names, how often, and what it is worth.
	times, share := map[string]int{}, map[string]float64{}
	name := func(term string, worth float64) {
		times[term]++
		share[term] = max(share[term], worth)
	}
	seen, silent := h.look(query), true
	for _, w := range seen.Words {
		silent = silent && textindex.Silent(w.Term)
	}
	for _, w := range seen.Words {
		if silent {
			name(w.Term, 1)
		} else if !textindex.Silent(w.Term) {
			name(w.Term, 1)
			name(other+w.Term, 0.5)
		}
	}
	for _, term := range seen.Others {
		name(term, 0.5)
		name(other+term, 0.5)
	}
	for _, term := range seen.Loose {
		name(term, 0.5)
	}
	n, average := float64(len(chunks)), float64(total)/float64(len(chunks))
	var list []found
	for _, ch := range chunks {
		score := 0.0
		for term, count := range times {
			f := float64(ch.frequency[term])
			if f == 0 {
				continue
			}
			nt := float64(with[term])
			if base, ok := strings.CutPrefix(term, other); ok {
				nt = min(n, nt+float64(with[base]))
			}
			idf := math.Log((n-nt+0.5)/(nt+0.5) + 1)
			score += float64(count) * share[term] * idf * f * (1.2 + 1) / (f + 1.2*(1-0.75+0.75*float64(ch.length)/average))
		}
		if score > 0 {
			ch.score = float32(score)
			list = append(list, ch.found)
		}
	}
	sortFound(list)
	return list
}

// agree fails unless the two lists are the same but for rounding.
func agree(t *testing.T, got, want []found) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d hits, want %d", len(got), len(want))
	}
	type key struct {
		doc     string
		ordinal int
	}
	scores := map[key]float32{}
	for _, f := range want {
		scores[key{f.doc, f.ordinal}] = f.score
	}
	for _, f := range got {
		if w, ok := scores[key{f.doc, f.ordinal}]; !ok || math.Abs(float64(f.score-w)) > 1e-5*float64(w) {
			t.Fatalf("chunk %d of %s scores %g, want %g", f.ordinal, f.doc, f.score, w)
		}
	}
}

// Over random histories with branches, deletions and checkpoints: scores are
// those of brute force over the live chunks, whatever the chain; filters and
// limits cut and change nothing; results at a commit stay what they were when
// later commits arrive, and are the same from a checkpoint of it.
func TestModel(t *testing.T) {
	const all = 1 << 30
	histories, commits := 3, 18
	if os.Getenv("VECTORLINK_LONG") != "" {
		histories, commits = 20, 60
	}
	for range histories {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 0)), mem: vfstest.NewMem(), seen: map[string]textindex.Seen{}}
			queries := []string{"the", "ship", "Ship the SHIPS, ship!", "droid fly hyperdrive", "rare7 engines e rare8 nowhere", "rare1 rare2 rare3 rare4"}
			type answer struct {
				index *textindex.Index
				hits  [][]found
			}
			var answers []answer
			for range commits {
				h.next()
				c := h.commits[len(h.commits)-1]
				a := answer{index: h.index(c)}
				for _, q := range queries {
					got := h.search(c, a.index, q, all, nil)
					agree(t, got, h.bruteForce(c, q))
					a.hits = append(a.hits, got)

					// The k best, and what equals the last of them.
					k := 1 + h.rng.IntN(20)
					want := got
					if k < len(got) {
						want = slices.DeleteFunc(slices.Clone(got), func(f found) bool { return f.score < got[k-1].score })
					}
					if best := h.search(c, a.index, q, k, nil); !slices.Equal(best, want) {
						t.Fatalf("%q: the best %d of %v are %v", q, k, got, best)
					}

					// A filter leaves out and changes no score.
					even := func(d string) bool { return d[len(d)-1]%2 == 0 }
					want = slices.DeleteFunc(slices.Clone(got), func(f found) bool { return !even(f.doc) })
					if filtered := h.search(c, a.index, q, all, even); !slices.Equal(filtered, want) {
						t.Fatalf("%q: filtered %v, want %v", q, filtered, want)
					}
				}
				for range 4 {
					h.checkQuery(c, a.index)
				}
				answers = append(answers, a)
			}
			for i, c := range h.commits {
				again := h.index(c)
				merged := c
				h.checkpoint(&merged)
				x := h.index(merged)
				if got, want := x.Stats(), answers[i].index.Stats(); got != want {
					t.Errorf("commit %d: Stats of its checkpoint %+v, of its chain %+v", i, got, want)
				}
				for j, q := range queries {
					want := answers[i].hits[j]
					for _, got := range [][]found{
						h.search(c, answers[i].index, q, all, nil),
						h.search(c, again, q, all, nil),
						h.search(merged, x, q, all, nil),
					} {
						if !slices.Equal(got, want) {
							t.Fatalf("commit %d, %q: %v, at first %v", i, q, got, want)
						}
					}
				}
			}
		})
	}
}
