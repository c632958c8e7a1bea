package textindex_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/textindex"
)

func newIndex(t testing.TB, parts ...textindex.Part) *textindex.Index {
	t.Helper()
	x, err := textindex.NewIndex(parts...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func search(t testing.TB, x *textindex.Index, query string, k int) []textindex.Hit {
	t.Helper()
	hits, err := x.Search(t.Context(), textindex.Plain(query), k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func chunks(hits []textindex.Hit) (list []uint32) {
	for _, h := range hits {
		list = append(list, h.Chunk)
	}
	return list
}

// Figures worked out by hand.
func TestSearchScore(t *testing.T) {
	s := build(t, id("c1"), "smuggler freighter", "freighter freighter the droid moon", "moon")
	x := newIndex(t, textindex.Part{Segment: s})
	if got, want := x.Stats(), (textindex.Stats{Chunks: 3, Terms: 7}); got != want {
		t.Fatalf("Stats = %+v, want %+v", got, want)
	}
	norm := func(length float64) float64 { return 1.2 * (0.25 + 0.75*length/(7.0/3)) }
	freighter, smuggler := math.Log((3-2+0.5)/(2+0.5)+1), math.Log((3-1+0.5)/(1+0.5)+1)
	want := []textindex.Hit{
		{Chunk: 0, Score: float32(smuggler*2.2/(1+norm(2)) + freighter*2.2/(1+norm(2)))},
		{Chunk: 1, Score: float32(freighter * 2 * 2.2 / (2 + norm(4)))},
	}
	got := search(t, x, "The Freighters of a smuggler", 10)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i].Chunk != want[i].Chunk || math.Abs(float64(got[i].Score-want[i].Score)) > 1e-6 {
			t.Errorf("hit %d = %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestSearchFindsNothing(t *testing.T) {
	s := build(t, id("c1"), "the ship", "", "of")
	all, ship := new(textindex.Bitmap), new(textindex.Bitmap)
	all.AddRange(0, 3)
	ship.Add(0)
	for _, tt := range []struct {
		name  string
		parts []textindex.Part
		query string
		k     int
	}{
		{"empty query", []textindex.Part{{Segment: s}}, "", 10},
		{"stop words that nothing has", []textindex.Part{{Segment: s}}, "to AND", 10},
		{"only separators", []textindex.Part{{Segment: s}}, "?! \"*\" \xff", 10},
		{"absent term", []textindex.Part{{Segment: s}}, "droid", 10},
		{"k 0", []textindex.Part{{Segment: s}}, "ship", 0},
		{"no parts", nil, "ship", 10},
		{"no chunks", []textindex.Part{{Segment: build(t, id("c2"))}}, "ship", 10},
		{"all dead", []textindex.Part{{Segment: s, Dead: all}}, "ship", 10},
		{"only chunks without terms are live", []textindex.Part{{Segment: s, Dead: ship}}, "ship", 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if hits := search(t, newIndex(t, tt.parts...), tt.query, tt.k); len(hits) != 0 {
				t.Errorf("got %v", hits)
			}
		})
	}
}

// Plain text is never syntax.
func TestSearchIsNoSyntax(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "one", "two", "not", "_id")})
	if got, want := chunks(search(t, x, `one AND "two" -two NOT t:one on* one~2`, 10)), []uint32{0, 1}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if got, want := chunks(search(t, x, "_id:_id", 10)), []uint32{3}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// Equal hits are in the order of part and chunk, and none is cut off from the
// others.
func TestSearchTies(t *testing.T) {
	same := slices.Repeat([]string{"moon"}, 500)
	a, b := build(t, id("c1"), append([]string{"moon moon"}, same...)...), build(t, id("c2"), same...)
	hits := search(t, newIndex(t, textindex.Part{Segment: a}, textindex.Part{Segment: b}), "moon", 1)
	if len(hits) != 1 || hits[0].Chunk != 0 {
		t.Errorf("the best is %v", hits)
	}
	hits = search(t, newIndex(t, textindex.Part{Segment: a}, textindex.Part{Segment: b}), "moon", 2)
	if len(hits) != 1001 {
		t.Fatalf("%d hits, want 1001", len(hits))
	}
	for i, h := range hits[1:] {
		if want := (textindex.Hit{Part: i / 500, Score: hits[1].Score}); h.Part != want.Part || h.Score != want.Score {
			t.Fatalf("hit %d = %+v", i+1, h)
		}
	}
}

// A block is full at either limit, and the next starts from nothing.
func TestBuildLimits(t *testing.T) {
	for _, tt := range []struct{ chunks, postings, want int }{
		{100, 100, 1}, {6, 100, 1}, {5, 100, 2}, {2, 100, 3}, {100, 12, 1}, {100, 10, 2}, {100, 4, 3}, {1, 1, 6},
	} {
		s, err := textindex.BuildBlocks(id("c1"), seq(slices.Repeat([]string{"moon ship moon"}, 6)...), tt.chunks, tt.postings)
		if err != nil {
			t.Fatal(err)
		}
		if s.Blocks() != tt.want || s.Count() != 6 {
			t.Errorf("at most %d chunks, %d postings: %d blocks of %d chunks, want %d", tt.chunks, tt.postings, s.Blocks(), s.Count(), tt.want)
		}
	}
}

// A segment of more chunks than a block holds.
func TestSearchBlocks(t *testing.T) {
	texts := make([]string, 70_000)
	for i := range texts {
		texts[i] = "moon"
		if i%1000 == 999 {
			texts[i] = fmt.Sprint("ship n", i)
		}
	}
	s := build(t, id("c1"), texts...)
	if s.Blocks() != 3 {
		t.Fatalf("%d blocks, want 3", s.Blocks())
	}
	dead := new(textindex.Bitmap)
	dead.AddRange(32_000, 33_000)
	dead.AddRange(69_000, 70_000)
	x := newIndex(t, textindex.Part{Segment: s, Dead: dead})
	if got, want := x.Stats(), (textindex.Stats{Chunks: 68_000, Terms: 68_068}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	got := chunks(search(t, x, "ships", 100))
	if len(got) != 68 || slices.Contains(got, 32_999) || slices.Contains(got, 69_999) || !slices.Contains(got, 68_999) {
		t.Errorf("found %v", got)
	}
	if got := chunks(search(t, x, "n65999", 10)); !slices.Equal(got, []uint32{65_999}) {
		t.Errorf("found %v", got)
	}
	if got := chunks(search(t, x, "n32999", 10)); got != nil {
		t.Errorf("found the dead chunk %v", got)
	}
}

func TestSearchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "moon")})
	if _, err := x.Search(ctx, textindex.Plain("moon"), 10, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestNewIndexRefuses(t *testing.T) {
	dead := new(textindex.Bitmap)
	dead.Add(1)
	if _, err := textindex.NewIndex(textindex.Part{Segment: build(t, id("c1"), "moon"), Dead: dead}); err == nil {
		t.Error("a dead chunk that is not there passes")
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, change := range map[string]func(*textindex.Identity){
		"no domain":   func(id *textindex.Identity) { id.Domain = "" },
		"no commit":   func(id *textindex.Identity) { id.Commit = "" },
		"long commit": func(id *textindex.Identity) { id.Commit = strings.Repeat("c", 4097) },
	} {
		bad := id("c1")
		change(&bad)
		if _, err := textindex.Build(bad, seq("moon")); err == nil || errors.Is(err, textindex.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("cannot read")
	_, err := textindex.Build(id("c1"), func(yield func(string, error) bool) {
		_ = yield("moon", nil) && yield("", broken) && yield("ship", nil)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the iterator's error", err)
	}
}

// Segments and indexes are shared, and searching leaves the bytes alone, which
// parts of zapx read in place.
func TestSearchConcurrently(t *testing.T) {
	texts := corpus(7, 3000, 20)
	s, err := textindex.BuildBlocks(id("c1"), seq(texts...), 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	dead := new(textindex.Bitmap)
	dead.AddRange(500, 700)
	x, clean := newIndex(t, textindex.Part{Segment: s, Dead: dead}), newIndex(t, textindex.Part{Segment: s})
	before := s.Checksums()
	query := word(0) + " " + word(5) + " " + word(99)
	want, wantClean := search(t, x, query, 50), search(t, clean, query, 50)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20 {
				x, want := x, want
				if i%2 == 0 {
					x, want = clean, wantClean
				}
				if hits, err := x.Search(t.Context(), textindex.Plain(query), 50, nil); err != nil || !slices.Equal(hits, want) {
					t.Errorf("got %v, %v", hits, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if !slices.Equal(s.Checksums(), before) {
		t.Error("searching has changed the segment's bytes")
	}
}

func TestLargest(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		x := make([]float32, 1+rng.IntN(60))
		for i := range x {
			x[i] = float32(rng.IntN(1 + rng.IntN(80)))
		}
		sorted := slices.Sorted(slices.Values(x))
		slices.Reverse(sorted)
		k := 1 + rng.IntN(len(x))
		if got := textindex.Largest(slices.Clone(x), k); got != sorted[k-1] {
			t.Fatalf("seed %d: number %d of %v is %v, got %v", seed, k, sorted, sorted[k-1], got)
		}
	}
}
