package textindex_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/textindex"
)

func parse(t testing.TB, text string) textindex.Query {
	t.Helper()
	q, err := textindex.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return q
}

// find returns the chunks that a query with syntax finds, ascending.
func find(t testing.TB, x *textindex.Index, text string) []uint32 {
	t.Helper()
	hits, err := x.Search(t.Context(), parse(t, text), 1000, nil)
	if err != nil {
		t.Fatalf("Search(%q): %v", text, err)
	}
	list := chunks(hits)
	slices.Sort(list)
	return list
}

func TestQuery(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"),
		/* 0 */ "The Death Star is a space station",
		/* 1 */ "A station in space, and the star of death",
		/* 2 */ "An X-wing is a starfighter of the Rebellion",
		/* 3 */ "wing commander of universities",
		/* 4 */ "The universe and its stars; connections among them",
		/* 5 */ "lord of the rings",
		/* 6 */ "lord rings AND or not",
		/* 7 */ "Theory of communication",
		/* 8 */ "death star death star",
	)})
	for _, tt := range []struct {
		query string
		want  []uint32
	}{
		{`station`, []uint32{0, 1}},
		{`wing station`, []uint32{0, 1, 2, 3}},
		{`wing OR station`, []uint32{0, 1, 2, 3}},
		{`death AND station`, []uint32{0, 1}},
		{`wing station AND death`, []uint32{0, 1, 2, 3}},
		{`(wing station) AND death`, []uint32{0, 1}},
		{`+station death`, []uint32{0, 1}},
		{`death -station`, []uint32{8}},
		{`death NOT station`, []uint32{8}},
		{`death AND NOT station`, []uint32{8}},
		{`-station death`, []uint32{8}},
		{`wing NOT starfighter AND NOT station death`, []uint32{3, 8}},
		{`star AND (space OR death) AND -universe`, []uint32{0, 1, 8}},
		{`star -(space AND death)`, []uint32{4, 8}},
		{`star -(space -station)`, []uint32{0, 1, 4, 8}},
		{`"death star"`, []uint32{0, 8}},
		{`"Death Stars!"`, []uint32{0, 8}},
		{`"star death"`, []uint32{8}},
		{`"star of death"`, []uint32{1}},
		{`"star" "wing"`, []uint32{0, 1, 2, 3, 4, 8}},
		{`+"star of death" wing`, []uint32{1}},
		{`"lord of the rings"`, []uint32{5}},
		{`"lord rings"`, []uint32{6}},
		{`"lord a an rings"`, nil},
		{`x-wing`, []uint32{2}},
		{`x-w*`, []uint32{2}},
		{`+x-wing -commander`, []uint32{2}},
		{`star*`, []uint32{0, 1, 2, 4, 8}},
		{`STARF*`, []uint32{2}},
		{`universit*`, []uint32{3}},
		{`universities*`, []uint32{3}},
		{`univers*`, []uint32{3, 4}},
		{`connectio*`, []uint32{4}},
		{`communica* theor*`, []uint32{7}},
		{`the*`, []uint32{4, 7}},
		{`the`, []uint32{0, 1, 2, 4, 5}},
		{`the AND death`, []uint32{0, 1, 8}},
		{`+the +death -station`, []uint32{8}},
		{`death NOT the`, []uint32{0, 1, 8}},
		{`death AND (the NOT station)`, []uint32{8}},
		{`the NOT station`, []uint32{2, 4, 5}},
		{`"AND" lord`, []uint32{1, 4, 5, 6}},
		{`and or not`, []uint32{1, 4, 6}},
		{`"the" "of the"`, []uint32{0, 1, 2, 4, 5}},
		{`+"of the" -rings`, []uint32{2}},
		{`nowhere* wing`, []uint32{2, 3}},
		{`nowhere AND wing`, nil},
		{`"" wing`, []uint32{2, 3}},
		{`?! wing`, []uint32{2, 3}},
		{`lord-of-the-rings`, []uint32{5}},
		{`death"star"wing`, []uint32{0, 1, 2, 3, 4, 8}},
		{`death(star)AND(wing)`, []uint32{0, 1, 8}},
		{`title:wing`, nil},
		{"wing\u00a0\u3000AND\tcommander", []uint32{3}},
		{`((((wing))))`, []uint32{2, 3}},
		{`wing wing -nowhere`, []uint32{2, 3}},
	} {
		if got := find(t, x, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s finds %v, want %v", tt.query, got, tt.want)
		}
	}
}

// What is asked of a document holds for all of its chunks together; a phrase
// stands in one.
func TestQueryOfDocuments(t *testing.T) {
	seg := func() *textindex.Segment {
		// Blocks of two chunks, so that documents straddle them.
		s, err := textindex.BuildBlocks(id("c1"), seq("red apple", "green pear", "blue plum", "red plum", "apple", "pear green"), 2, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}()
	dead := new(textindex.Bitmap)
	dead.Add(5)
	x := newIndex(t, textindex.Part{Segment: seg, Documents: []uint32{0, 0, 0, 1, 1, 2}, Dead: dead})
	for _, tt := range []struct {
		query string
		want  []uint32
	}{
		{`red AND plum`, []uint32{0, 2, 3}},
		{`red AND blue`, []uint32{0, 2}},
		{`apple -blue`, []uint32{4}},
		{`"apple green"`, nil},
		{`green`, []uint32{1}},
		{`apple -green`, []uint32{4}},
		{`+apple pear`, []uint32{0, 1, 4}},
	} {
		if got := find(t, x, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s finds %v, want %v", tt.query, got, tt.want)
		}
	}
	for _, tt := range []struct {
		query  string
		want   []uint32
		others bool
	}{
		{`+apple pear`, []uint32{0, 1}, false},
		{`apple -green`, []uint32{0}, true},
		{`apple AND -green`, []uint32{1}, false},
		{`apple AND nowhere`, nil, false},
		{`the -green`, []uint32{0}, true},
	} {
		d, ok, err := x.Conditions(t.Context(), parse(t, tt.query))
		if !ok || err != nil || d.Others != tt.others {
			t.Errorf("Conditions(%s) = %+v, %t, %v", tt.query, d, ok, err)
		}
		got := append([]uint32(nil), d.Parts[0].ToArray()...)
		if !slices.Equal(got, tt.want) {
			t.Errorf("Conditions(%s) names %v, want %v", tt.query, got, tt.want)
		}
	}
	for _, query := range []string{"apple", "apple pear", "apple OR (pear AND green) OR -x"} {
		q, err := textindex.Parse(query)
		if err != nil {
			continue
		}
		if d, ok, err := x.Conditions(t.Context(), q); ok || err != nil {
			t.Errorf("Conditions(%s) = %+v, %t, %v, want none", query, d, ok, err)
		}
	}
	if d, ok, err := x.Conditions(t.Context(), textindex.Plain("+apple -pear")); ok || err != nil {
		t.Errorf("a plain query has the conditions %+v, %v", d, err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		query    string
		position int
		reason   string
	}{
		{``, 1, "empty"},
		{"  \t", 4, "empty"},
		{`"death star`, 1, "quotation mark is not closed"},
		{`über "death`, 6, "quotation mark is not closed"},
		{`(death`, 1, "not closed"},
		{`a (b (c)`, 3, "not closed"},
		{`death)`, 6, "not opened"},
		{`)`, 1, "empty"},
		{`a ()`, 4, "nothing stands in the parentheses"},
		{`OR a`, 1, "OR needs"},
		{`a OR`, 3, "OR needs"},
		{`a OR OR b`, 6, "OR needs"},
		{`a (OR b)`, 4, "OR needs"},
		{`AND a`, 1, "AND needs"},
		{`a AND`, 3, "AND needs"},
		{`a AND AND b`, 3, "AND needs"},
		{`a AND OR b`, 3, "AND needs"},
		{`a OR AND b`, 6, "AND needs"},
		{`(a AND) b`, 4, "AND needs"},
		{`-a`, 1, "everything is excluded"},
		{`NOT a NOT b`, 1, "everything is excluded"},
		{`NOT a AND NOT b`, 1, "everything is excluded"},
		{`a AND (-b)`, 8, "everything is excluded"},
		{`a OR NOT b`, 3, "alternative of OR"},
		{`a OR -b`, 3, "alternative of OR"},
		{`-a OR b`, 4, "alternative of OR"},
		{`a NOT`, 3, "NOT needs"},
		{`a NOT NOT b`, 7, "NOT cannot stand behind NOT"},
		{`a NOT -b`, 3, "NOT needs"},
		{`a --b`, 3, "- needs"},
		{`a - b`, 3, "- needs"},
		{`a + b`, 3, "+ needs"},
		{`a +`, 3, "+ needs"},
		{`(a +)`, 4, "+ needs"},
		{`*`, 1, "* stands"},
		{`a *`, 3, "* stands"},
		{`sta*r`, 4, "* stands"},
		{`*star`, 1, "* stands"},
		{`star**`, 5, "* stands"},
		{`"death"*`, 8, "* stands"},
		{strings.Repeat("(", 17) + "a", 17, "more than 16"},
		{strings.Repeat("a ", 65), 129, "more than 64"},
		{strings.Repeat("ab ", 3000), 8193, "longer than 8192"},
		{strings.Repeat("ü", 4096) + "b", 4097, "longer than 8192"},
	} {
		_, err := textindex.Parse(tt.query)
		wrong, ok := errors.AsType[*textindex.SyntaxError](err)
		if !ok {
			t.Errorf("Parse(%.40q): %v", tt.query, err)
			continue
		}
		if wrong.Position != tt.position || !strings.Contains(wrong.Reason, tt.reason) {
			t.Errorf("Parse(%.40q): %v, want %d: %s", tt.query, err, tt.position, tt.reason)
		}
		if want := fmt.Sprintf("character %d", tt.position); !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): %v does not say %s", tt.query, err, want)
		}
	}
}

func TestWords(t *testing.T) {
	for query, want := range map[string]string{
		`smuggler freighter`:             "smuggler freighter",
		`"death star" AND (fan* OR +x) `: "death star fan x",
		`jedi -sith NOT (dark "side x")`: "jedi",
		`jedi -(dark -"side x")`:         "jedi",
		`"  " a`:                         "a",
		`"" ?!`:                          "?!",
	} {
		if got := parse(t, query).Words(); got != want {
			t.Errorf("Words of %s: %q, want %q", query, got, want)
		}
	}
	if got := textindex.Plain(`+a "b" -c`).Words(); got != `+a "b" -c` {
		t.Errorf("Words of a plain query: %q", got)
	}
}

// A query without operators is a plain query, to the bit.
func TestQueryOfWordsIsPlain(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), corpus(seed, 2000, 30)...)})
	for range 50 {
		var words []string
		for range 1 + rng.IntN(5) {
			words = append(words, word(uint64(rng.IntN(200))))
		}
		words = append(words, words[0], "the")
		text := strings.Join(words, " ")
		got, err := x.Search(t.Context(), parse(t, text), 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := search(t, x, text, 100); !slices.Equal(got, want) {
			t.Fatalf("seed %d, %s: %v, plain %v", seed, text, got, want)
		}
	}
}

func TestExpansion(t *testing.T) {
	texts := make([]string, textindex.MaxExpansion+1)
	for i := range texts {
		texts[i] = fmt.Sprintf("q%05d", i)
	}
	s := build(t, id("c1"), texts...)
	x := newIndex(t, textindex.Part{Segment: s})
	_, err := x.Search(t.Context(), parse(t, "moon q*"), 10, nil)
	wrong, ok := errors.AsType[*textindex.SyntaxError](err)
	if !ok || wrong.Position != 6 || !strings.Contains(err.Error(), "4096") {
		t.Errorf("too many terms: %v", err)
	}
	// What no live chunk has does not count.
	dead := new(textindex.Bitmap)
	dead.Add(7)
	x = newIndex(t, textindex.Part{Segment: s, Dead: dead})
	if hits, err := x.Search(t.Context(), parse(t, "q*"), 10_000, nil); err != nil || len(hits) != textindex.MaxExpansion {
		t.Errorf("%d hits, %v", len(hits), err)
	}
	// What two prefixes stand for counts once.
	if _, err := x.Search(t.Context(), parse(t, "q0* q*"), 10, nil); err != nil {
		t.Errorf("terms of two prefixes are counted twice: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		``, `a b`, `"death star" AND (x-wing* OR +a) -b`, `a OR NOT b`, `((a)`, `a) b`, `+ -`, `NOT`, `a"b"(c)d*`, `**`, "\xff\"\xff\"", `a AND NOT "b`, `-(a -b) c`, strings.Repeat("(", 40), strings.Repeat("a ", 70),
	} {
		f.Add(s)
	}
	s, err := textindex.Build(id("c1"), seq("death star a b c", "x wing b", "a c d"))
	if err != nil {
		f.Fatal(err)
	}
	x, err := textindex.NewIndex(textindex.Part{Segment: s})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := textindex.Parse(text)
		if err != nil {
			wrong, ok := errors.AsType[*textindex.SyntaxError](err)
			if !ok || wrong.Position < 1 || wrong.Position > utf8.RuneCountInString(text)+1 || wrong.Reason == "" {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		if len(q.Words()) > len(text) {
			t.Fatalf("Words of %q: %q", text, q.Words())
		}
		hits, err := x.Search(t.Context(), q, 10, nil)
		if err != nil {
			t.Fatalf("Search(%q): %v", text, err)
		}
		// In parentheses it is the same query.
		if wrapped, err := textindex.Parse("(" + text + ")"); err == nil {
			again, err := x.Search(t.Context(), wrapped, 10, nil)
			if err != nil || !slices.Equal(hits, again) {
				t.Fatalf("(%s) finds %v, %v, without parentheses %v", text, again, err, hits)
			}
		} else if strings.Count(text, "(") < textindex.MaxDepth && len(text) < textindex.MaxQuery-1 {
			t.Fatalf("(%s): %v", text, err)
		}
		d, ok, err := x.Conditions(t.Context(), q)
		if err != nil {
			t.Fatalf("Conditions(%q): %v", text, err)
		}
		for _, h := range hits {
			if ok && d.Parts[h.Part].Contains(h.Chunk) == d.Others {
				t.Fatalf("%q finds chunk %d, which does not meet its conditions %+v", text, h.Chunk, d)
			}
		}
	})
}
