package indexer_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func (h *harness) searchMode(commit, text string, mode search.Mode, filter search.Filter, count int) []search.Hit {
	h.t.Helper()
	hits, err := h.Search(h.t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text, Mode: mode,
		Options: search.Options{Filter: filter, Page: search.Page{Count: count}, Snippet: true},
	})
	if err != nil {
		h.t.Fatalf("Search(%s, %q, %s): %v", commit, text, mode, err)
	}
	return hits.Hits
}

// bm25 ranks whole documents the plain way. Its words must be their own stems.
func bm25(texts map[string]string, query string) []search.Hit {
	total := 0
	for _, t := range texts {
		total += len(strings.Fields(t))
	}
	average := float64(total) / float64(len(texts))
	score := make(map[string]float64)
	terms := strings.Fields(query)
	slices.Sort(terms)
	for _, term := range slices.Compact(terms) {
		n := 0
		for _, t := range texts {
			if slices.Contains(strings.Fields(t), term) {
				n++
			}
		}
		for id, t := range texts {
			f := 0.0
			words := strings.Fields(t)
			for _, w := range words {
				if w == term {
					f++
				}
			}
			if f > 0 {
				idf := math.Log((float64(len(texts)-n)+0.5)/(float64(n)+0.5) + 1)
				score[id] += idf * f * 2.2 / (f + 1.2*(0.25+0.75*float64(len(words))/average))
			}
		}
	}
	var hits []search.Hit
	for id, s := range score {
		hits = append(hits, search.Hit{ID: id, Distance: 1 / (1 + float32(s))})
	}
	slices.SortFunc(hits, func(a, b search.Hit) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.ID, b.ID))
	})
	return hits
}

// TestFullTextOfRandomHistories holds the scores at every commit against BM25
// over that commit's documents alone, whatever came before or after it.
func TestFullTextOfRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for n := range max(histories()/5, 5) {
		t.Run(fmt.Sprintf("seed=%d", seed+uint64(n)), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed+uint64(n), 2))
			src, emb := indexertest.NewSource(), &indexertest.Embedder{}
			commits, branches := randomHistory(rng, src)
			files := vfstest.NewMem()
			config := func(c *indexer.Config) {
				c.Graph = indexer.Graph{MinVectors: 1 << 30, MaxDeltas: 3 + rng.IntN(10)}
				c.SnapshotPoolBytes = int64(1 + rng.IntN(100_000))
			}
			h := open(t, files, src, emb, config)
			for i, c := range commits {
				h.mustIndex(c, branches[i])
				if rng.IntN(3) == 0 {
					h.searchMode(commits[rng.IntN(i+1)], "red", search.ModeText, search.Filter{}, 1)
				}
				if rng.IntN(5) == 0 {
					h.close()
					h = open(t, files, src, emb, config)
				}
			}
			emb.Fail = func([]string) error { return fmt.Errorf("%w: down", contract.ErrProvider) }
			for _, c := range commits {
				for _, q := range []string{"red apple", "sea", "absent"} {
					want := bm25(src.Documents(c), q)
					got := h.searchMode(c, q, search.ModeText, search.Filter{}, 1000)
					if len(got) != len(want) {
						t.Fatalf("%s %q: %d hits, want %d", c, q, len(got), len(want))
					}
					for i, g := range got {
						if g.ID != want[i].ID && g.Distance != want[i].Distance || math.Abs(float64(g.Distance-want[i].Distance)) > 1e-6 {
							t.Fatalf("%s %q: hit %d is %s at %v, want %s at %v", c, q, i, g.ID, g.Distance, want[i].ID, want[i].Distance)
						}
					}
					filtered := h.searchMode(c, q, search.ModeText, search.Filter{Types: []string{"B"}}, 1000)
					b := slices.DeleteFunc(slices.Clone(got), func(x search.Hit) bool { return !strings.Contains(x.ID, "/B/") })
					if !slices.Equal(filtered, b) {
						t.Fatalf("%s %q: a filter changes more than what is let in: %v, want %v", c, q, filtered, b)
					}
				}
			}
		})
	}
}

func TestHybrid(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "red apple tree", "d/A/2", "green apple", "d/A/3", "blue whale", "d/A/4", "zyzzyva")})
	h := open(t, vfstest.NewMem(), src, emb)
	h.mustIndex("c1", "")
	byVector := h.searchMode("c1", "red apple", search.ModeVector, search.Filter{}, 10)
	byWords := h.searchMode("c1", "red apple", search.ModeText, search.Filter{}, 10)
	got := h.searchMode("c1", "red apple", search.ModeHybrid, search.Filter{}, 10)
	score := make(map[string]float64)
	for _, list := range [][]search.Hit{byVector, byWords} {
		for i, x := range list {
			score[x.ID] += 1 / float64(61+i)
		}
	}
	if len(got) != 4 {
		t.Fatalf("%d hits, want all 4", len(got))
	}
	for i := 1; i < len(got); i++ {
		if score[got[i-1].ID] < score[got[i].ID] {
			t.Errorf("hit %d, %s, has a lower score than %s behind it", i-1, got[i-1].ID, got[i].ID)
		}
	}
	for _, x := range got {
		i := slices.IndexFunc(byVector, func(v search.Hit) bool { return v.ID == x.ID })
		if x.Distance != byVector[i].Distance {
			t.Errorf("%s at %v, by vector at %v", x.ID, x.Distance, byVector[i].Distance)
		}
	}
	// Without a word that counts, hybrid is the ranking by vector.
	if got, want := h.searchMode("c1", "the", search.ModeHybrid, search.Filter{}, 10), h.searchMode("c1", "the", search.ModeVector, search.Filter{}, 10); !slices.EqualFunc(got, want, func(a, b search.Hit) bool {
		a.Score = b.Score
		return a == b
	}) {
		t.Errorf("only stop words: %v, want %v", got, want)
	}
	if _, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "x", Mode: "fuzzy", Options: search.Options{Page: search.Page{Count: 1}}}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("unknown mode: %v", err)
	}
}

// TestFullTextFollowsARemadeCommit has a commit come back from damage with other
// documents than it had: the full text that was kept of the old ones, of the
// same commit and sequence number, must not answer.
func TestFullTextFollowsARemadeCommit(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs(
		"d/A/1", "red apple", "d/A/2", "green apple", "d/A/3", "blue apple")})
	emb.Refuse = func(text string) error {
		if text == "green apple" {
			return errors.New("not now")
		}
		return nil
	}
	for share := range 8 {
		mem := vfstest.NewMem()
		h := open(t, mem, src, emb)
		h.index("c1", "")
		if n := len(h.searchMode("c1", "apple", search.ModeText, search.Filter{}, 10)); n != 2 {
			t.Fatalf("%d hits, want 2", n)
		}
		h.close()
		at := 0
		spoil(t, mem, snapshot.FileName(domain, "c1"), func(b []byte) []byte {
			at = share * (len(b) - 1) / 7
			b[at] ^= 1
			return b
		})
		h = open(t, mem, src, &indexertest.Embedder{})
		h.mustIndex("c1", "")
		for _, q := range []string{"red", "green", "blue"} {
			hits := h.searchMode("c1", q, search.ModeText, search.Filter{}, 10)
			if len(hits) != 1 || h.texts("c1")[hits[0].ID] != q+" apple" {
				t.Errorf("byte %d: %s: %v", at, q, hits)
			}
		}
		h.close()
	}
}

// TestFullTextIsMadeAnew: whatever happens to the file of a full text, searches
// by words answer the same at every commit, the first of many at once too, and
// leave a whole file behind.
func TestFullTextIsMadeAnew(t *testing.T) {
	src := indexertest.NewSource()
	src.Incremental = true
	put := make(map[string]string)
	for i := range 40 {
		put[fmt.Sprintf("d/A/%02d", i)] = fmt.Sprintf("apple of tree %d and word%d", i, i%7)
	}
	src.Commit("main", "c1", indexertest.Change{Put: put})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/03", "pear", "d/B/1", "an apple fell"), Remove: []string{"d/A/05"}})
	src.Commit("main", "c3", indexertest.Change{Put: docs("d/A/04", "apple apple plum")})
	commits := []string{"c1", "c2", "c3"}
	config := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 1 << 30, MaxDeltas: 1 << 30} }
	mem := vfstest.NewMem()
	h := open(t, mem, src, &indexertest.Embedder{}, config)
	answers := func(h *harness, commit string) (all [][]search.Hit) {
		for _, q := range []string{"apple", "plum word3", "tree fell"} {
			for _, mode := range []search.Mode{search.ModeText, search.ModeHybrid} {
				all = append(all, h.searchMode(commit, q, mode, search.Filter{}, 100))
			}
		}
		return all
	}
	want := make(map[string][][]search.Hit)
	files := make(map[string][]byte) // of the full texts
	for _, c := range commits {
		h.mustIndex(c, "")
		want[c] = answers(h, c)
	}
	h.close()
	for _, c := range commits {
		name := textindex.FileName(domain, c)
		b, err := mem.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = bytes.Clone(b)
	}
	flip := func(share float64) func(b []byte) []byte {
		return func(b []byte) []byte {
			b[int(share*float64(len(b)-1))] ^= 4
			return b
		}
	}
	for _, tt := range []struct {
		name string
		harm func(b []byte) []byte // nil: the file is lost
	}{
		{"missing", nil},
		{"empty", func([]byte) []byte { return []byte{} }},
		{"cut in the header", func(b []byte) []byte { return b[:40] }},
		{"cut at the end", func(b []byte) []byte { return b[:len(b)-1] }},
		{"longer", func(b []byte) []byte { return append(b, 0) }},
		{"damaged magic", flip(0)},
		{"damaged a third in", flip(0.33)},
		{"damaged two thirds in", flip(0.66)},
		{"damaged at the end", flip(1)},
		{"version 1", func(b []byte) []byte { b[4] = 1; return b }},
		{"a later version", func(b []byte) []byte { b[4] = 200; return b }},
		{"zeros", func(b []byte) []byte { clear(b); return b }},
		{"another commit's", func(b []byte) []byte { return b }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, b := range files {
				switch harmed := bytes.Clone(b); {
				case tt.harm == nil:
					if err := mem.Remove(name); err != nil {
						t.Fatal(err)
					}
				case tt.name == "another commit's":
					i := slices.IndexFunc(commits, func(c string) bool { return textindex.FileName(domain, c) == name })
					mem.WriteFile(name, bytes.Clone(files[textindex.FileName(domain, commits[(i+1)%3])]))
				default:
					mem.WriteFile(name, tt.harm(harmed))
				}
			}
			emb := &indexertest.Embedder{}
			h := open(t, mem, src, emb, config)
			var wg sync.WaitGroup
			for n := range 9 {
				wg.Go(func() {
					c := commits[n%3]
					if got := answers(h, c); !slices.EqualFunc(got, want[c], slices.Equal) {
						t.Errorf("%s answers otherwise", c)
					}
				})
			}
			wg.Wait()
			h.close()
			for name := range files {
				if _, err := textindex.Verify(mem, name); err != nil {
					t.Errorf("what is left of %s: %v", name, err)
				}
			}
			noFindings(t, mem)
		})
	}
}
