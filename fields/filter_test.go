package fields_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/fields"
)

// table makes a table of fields given as JSON.
func table(t testing.TB, list ...string) *fields.Table {
	t.Helper()
	objects := make([]fields.Object, len(list))
	for i, raw := range list {
		var err error
		if objects[i], err = fields.Parse([]byte(raw)); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	return fields.NewTable(len(list), func(i int) fields.Object { return objects[i] })
}

// select returns the documents for which a filter holds.
func selected(ctx context.Context, tab *fields.Table, expr string) ([]uint32, error) {
	f, err := fields.ParseFilter(expr)
	if err != nil {
		return nil, err
	}
	kinds := make(map[string]fields.Kinds)
	for _, name := range f.Names() {
		kinds[name] = tab.Kinds(name)
	}
	if err := f.Check(kinds); err != nil {
		return nil, err
	}
	found, err := f.Documents(ctx, tab)
	if err != nil {
		return nil, err
	}
	return found.ToArray(), nil
}

func TestFilter(t *testing.T) {
	tab := table(t,
		`{"language":"fr","publication_date":1704067200,"category":"sport","tags":["a","b"],"year":1999,"ok":true}`,
		`{"language":"fr","publication_date":1704067201,"category":"arts","tags":["b"],"year":2000.5,"d":"2024-01-31"}`,
		`{"language":"en","publication_date":1704067300,"category":"arts","year":9007199254740993,"d":"2024-01-31T01:00:00+02:00","mixed":5}`,
		`{"language":"French","ok":false,"d":"2024-02-01T00:00:00.5Z","mixed":"five","count":3}`,
		`{"mixed":["five",5],"tags":["b","c"],"year":-9223372036854775808,"dc:title":"Été"}`,
		`{}`,
	)
	for _, tt := range []struct {
		expr string
		want []uint32
	}{
		{`language == "fr" and publication_date >= 1704067200 and not (category in ["sport", "news"])`, []uint32{1}},
		{`language == "fr"`, []uint32{0, 1}},
		{`"fr" == language`, []uint32{0, 1}},
		{`language == 'FR'`, nil},
		{`language != "fr"`, []uint32{2, 3, 4, 5}},
		{`not (language == "fr")`, []uint32{2, 3, 4, 5}},
		{`!(language == "fr") && language != nil`, []uint32{2, 3}},
		{`language == nil`, []uint32{4, 5}},
		{`nil != language`, []uint32{0, 1, 2, 3}},
		{`language in ["fr", "en", "de"]`, []uint32{0, 1, 2}},
		{`language not in ["fr"]`, []uint32{2, 3, 4, 5}},
		{`language in []`, nil},
		{`language < "fr"`, []uint32{2, 3}},
		{`language <= "fr"`, []uint32{0, 1, 2, 3}},
		{`"fr" > language`, []uint32{2, 3}},
		{`language startsWith "f"`, []uint32{0, 1}},
		{`language endsWith "h"`, []uint32{3}},
		{`language contains "r"`, []uint32{0, 1, 3}},
		{`language contains ""`, []uint32{0, 1, 2, 3}},
		// Numbers by value, integers exactly.
		{`year == 1999.0`, []uint32{0}},
		{`year > 2000`, []uint32{1, 2}},
		{`year >= 2000.5`, []uint32{1, 2}},
		{`year == 9007199254740993`, []uint32{2}},
		{`year == 9007199254740992`, nil},
		{`year > 9007199254740992.0`, []uint32{2}},
		{`year < 0`, []uint32{4}},
		{`year < -9223372036854775807`, []uint32{4}},
		{`year >= -9.3e18 and year < 1e19`, []uint32{0, 1, 2, 4}},
		{`1990 <= year <= 2001`, []uint32{0, 1}},
		{`year == -1`, nil},
		// Dates in time order, whatever their form.
		{`d == "2024-01-30T23:00:00Z"`, []uint32{2}},
		{`d == "2024-01-31"`, []uint32{1}},
		{`d == "2024-01-31T00:00:00Z"`, []uint32{1}},
		{`d < "2024-01-31"`, []uint32{2}},
		{`d >= "2024-01-31" and d < "2024-02-01"`, []uint32{1}},
		{`d > "2024-02-01"`, []uint32{3}},
		{`d <= "2024-02-01T01:00:00.5+01:00"`, []uint32{1, 2, 3}},
		{`d in ["2024-01-30T23:00:00Z", "2024-02-01T00:00:00.500Z"]`, []uint32{2, 3}},
		{`d > "2024"`, []uint32{1, 2, 3}}, // no date: by bytes
		{`d startsWith "2024-01"`, []uint32{1, 2}},
		// Lists.
		{`"b" in tags`, []uint32{0, 1, 4}},
		{`not ("b" in tags)`, []uint32{2, 3, 5}},
		{`"z" not in tags`, []uint32{0, 1, 2, 3, 4, 5}},
		{`tags != nil`, []uint32{0, 1, 4}},
		// Of several kinds.
		{`mixed == 5`, []uint32{2}},
		{`mixed == "five"`, []uint32{3}},
		{`5 in mixed`, []uint32{2, 4}},
		{`mixed > 1`, []uint32{2}},
		{`mixed >= "a"`, []uint32{3}},
		{`mixed in [5, "five"]`, []uint32{2, 3}},
		// Booleans.
		{`ok`, []uint32{0}},
		{`not ok`, []uint32{1, 2, 3, 4, 5}},
		{`ok == false`, []uint32{3}},
		{`ok != nil and not ok`, []uint32{3}},
		{`true`, []uint32{0, 1, 2, 3, 4, 5}},
		{`false or ok`, []uint32{0}},
		// Names.
		{`$env["dc:title"] == "Été"`, []uint32{4}},
		{`count == 3`, []uint32{3}},
		{`nobody == 3`, nil},
		{`nobody != 3`, []uint32{0, 1, 2, 3, 4, 5}},
	} {
		got, err := selected(t.Context(), tab, tt.expr)
		if !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.expr, got, err, tt.want)
		}
	}
}

// TestFilterRefuses: what is no filter, or compares what cannot be compared, is
// refused with its place and without the text.
func TestFilterRefuses(t *testing.T) {
	tab := table(t, `{"language":"fr","year":1999,"tags":["a"],"ok":true,"d":"2024-01-01","at":"x","mixed":[1,"a"]}`)
	for _, tt := range []struct{ expr, want string }{
		{``, "unexpected token EOF at 1:1"},
		{`language ==`, "unexpected token EOF"},
		{`(language == "fr"`, "unexpected token EOF"},
		{"language == \"fr\nor", "not terminated"},
		{"language == \"\xff\"", "not UTF-8"},
		{`language == 5`, "mismatched types string and int) at 1:10; language holds texts"},
		{`year == "1999"`, "year holds numbers"},
		{`d > 1704067200`, "d holds dates"},
		{`ok > true`, "> does not compare booleans"},
		{`ok == "true"`, "ok holds booleans"},
		{`tags == "a"`, "tags holds lists of texts"},
		{`5 in tags`, "tags holds lists of texts"},
		{`"f" in language`, "in asks for a list behind it at 1:8; language holds texts"},
		{`"a" in tags or 5 not in year`, "in asks for a list behind it at 1:25; year holds numbers"},
		{`tags in ["a"]`, "tags holds lists of texts"},
		{`year`, "year holds numbers"},
		{`year and ok`, "year holds numbers"},
		{`year contains "a"`, "year holds numbers"},
		{`"fr"`, "a text is no condition at 1:1"},
		{`language == year`, `not with each other at 1:13`},
		{`language = "fr"`, `equal is written == at 1:`},
		{`year == 18446744073709551616`, `a number beyond 64 bits at 1:`},
		{`year == -9223372036854775809`, `a number beyond 64 bits at 1:`},
		{`year < 1e400`, `a number beyond 64 bits at 1:`},
		{`1 == 1`, "compares a field with a value"},
		{`nil == nil`, "compares a field with a value"},
		{`language < nil`, "does not compare with nil"},
		{`nil in tags`, "nil is in no list"},
		{`language in [nil]`, "nil is in no list"},
		{`language in "fr"`, "in asks for"},
		{`language in ["a", ["b"]]`, "a list is no value"},
		{`language in 1..3`, "in asks for"},
		{`year + 1 == 2000`, "compares a field with a value"},
		{`year == 1999 + 1`, "+ is no value"},
		{`-year == 1`, "here is -"},
		{`language matches "f.*"`, "matches is not for filters"},
		{`language ?? "x" == "y"`, "cannot be mixed"},
		{`ok ? ok : ok`, "a choice is no condition"},
		{`let x = 1; ok`, "no condition"},
		{`ok; ok`, "no condition"},
		{`len(language) == 2`, "a call of a function"},
		{`any(tags, {# == "a"})`, "a call of a function"},
		{`now() > d`, "a call of a function"},
		{`language | trim() == "fr"`, "a call of a function"},
		{`language.size == 1`, "a member"},
		{`tags[0] == "a"`, "a member"},
		{`$env.language == "fr" and $env == nil`, "compares a field with a value"},
		{`$env?.language == "fr"`, "compares a field"},
		{`{"a": 1}`, "no condition"},
		{`year == 99999999999999999999`, "a number beyond 64 bits"},
		{strings.Repeat("x", fields.MaxFilter+1), "longer than"},
		{`secret secret`, "unexpected token Identifier at 1:8"},
		{`language == "secret" "secret"`, "unexpected token String at 1:22"},
		{`year == 1secret`, " at 1:"},
		{`language in [` + strings.Repeat(`1,`, fields.MaxNodes) + `]`, "exceeds maximum allowed nodes"},
		{`language == b"fr"`, "a text is no value"},
	} {
		got, err := selected(t.Context(), tab, tt.expr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.60s: %v, %v, want an error of %q", tt.expr, got, err, tt.want)
		}
	}
}

// document is a random document, decoded without this package.
type document map[string]any

// holds is what the filters of TestFilterAgainstDocuments mean.
func (d document) holds(op string, name string, lit any) bool {
	v, ok := d[name]
	if _, isList := v.([]any); isList || !ok {
		return false
	}
	c, comparable := compare(v, lit)
	if !comparable {
		return false
	}
	switch op {
	case "==":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func compare(a, b any) (int, bool) {
	switch a := a.(type) {
	case bool:
		b, ok := b.(bool)
		return map[bool]int{true: 0, false: 2}[a == b], ok
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return 0, false
		}
		return exact(a).Cmp(exact(b)), true
	case string:
		b, ok := b.(string)
		if !ok {
			return 0, false
		}
		ta, errA := parseTime(a)
		tb, errB := parseTime(b)
		if errA == nil && errB == nil {
			return ta.Compare(tb), true
		}
		return strings.Compare(a, b), true
	}
	return 0, false
}

func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, s)
}

// TestFilterAgainstDocuments holds random filters on random documents against
// the plain meaning, document by document.
func TestFilterAgainstDocuments(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	literals := []any{true, false, json.Number("0"), json.Number("2"), json.Number("1.5"), json.Number("9007199254740993"),
		json.Number("-3.25"), "", "a", "é\"\\", "2024-01-31", "2024-01-31T00:00:00Z", "2023-12-31T23:00:00-01:00", "2024", "zz"}
	names := []string{"a", "b", "c", "with space", "nobody"}
	for range 300 {
		var raws []string
		var documents []document
		for range 1 + rng.IntN(30) {
			raw := randomObject(rng)
			d := document{}
			dec := json.NewDecoder(strings.NewReader(raw))
			dec.UseNumber()
			if err := dec.Decode(&d); err != nil {
				t.Fatal(err)
			}
			for name, v := range d {
				if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
					delete(d, name)
				}
			}
			raws, documents = append(raws, raw), append(documents, d)
		}
		tab := table(t, raws...)
		for range 10 {
			expr, holds := randomFilter(rng, names, literals, 3)
			f, err := fields.ParseFilter(expr)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, expr, err)
			}
			found, err := f.Documents(t.Context(), tab)
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range documents {
				if got, want := found.Contains(uint32(i)), holds(d); got != want {
					t.Fatalf("seed %d: %s of %s is %v, want %v", seed, expr, raws[i], got, want)
				}
			}
			if !found.IsEmpty() && int(found.Maximum()) >= len(documents) {
				t.Fatalf("seed %d: %s finds %v of %d", seed, expr, found, len(documents))
			}
		}
	}
}

// randomFilter returns a filter and its meaning.
func randomFilter(rng *rand.Rand, names []string, literals []any, depth int) (string, func(document) bool) {
	name := names[rng.IntN(len(names))]
	shown := name
	if name == "with space" || rng.IntN(5) == 0 {
		shown = fmt.Sprintf("$env[%q]", name)
	}
	lit := func() (string, any) {
		v := literals[rng.IntN(len(literals))]
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b), v
	}
	if depth > 0 {
		l, holdsL := randomFilter(rng, names, literals, depth-1)
		r, holdsR := randomFilter(rng, names, literals, depth-1)
		switch rng.IntN(5) {
		case 0:
			return "(" + l + " and " + r + ")", func(d document) bool { return holdsL(d) && holdsR(d) }
		case 1:
			return "(" + l + " || " + r + ")", func(d document) bool { return holdsL(d) || holdsR(d) }
		case 2:
			return "not (" + l + ")", func(d document) bool { return !holdsL(d) }
		}
	}
	text, v := lit()
	switch rng.IntN(6) {
	case 0:
		return shown + " == nil", func(d document) bool { _, ok := d[name]; return !ok }
	case 1:
		more, w := lit()
		return fmt.Sprintf("%s in [%s, %s]", shown, text, more), func(d document) bool { return d.holds("==", name, v) || d.holds("==", name, w) }
	case 2:
		return fmt.Sprintf("%s in %s", text, shown), func(d document) bool {
			list, ok := d[name].([]any)
			if !ok {
				return d.holds("==", name, v)
			}
			return slices.ContainsFunc(list, func(x any) bool { c, ok := compare(x, v); return ok && c == 0 })
		}
	case 3:
		return fmt.Sprintf("%s != %s", shown, text), func(d document) bool { return !d.holds("==", name, v) }
	}
	op := []string{"==", "<", "<=", ">", ">="}[rng.IntN(5)]
	if _, isBool := v.(bool); isBool {
		op = "=="
	}
	return fmt.Sprintf("%s %s %s", shown, op, text), func(d document) bool { return d.holds(op, name, v) }
}

// TestFilterBounds: what is nested deeply, long or costly costs no more than its
// length.
func TestFilterBounds(t *testing.T) {
	tab := table(t, `{"a":"x","n":1,"ok":true}`)
	for name, expr := range map[string]string{
		"parentheses": strings.Repeat("(", fields.MaxFilter/2) + strings.Repeat(")", fields.MaxFilter/2),
		"open":        strings.Repeat("(", fields.MaxFilter),
		"brackets":    strings.Repeat("[", fields.MaxFilter),
		"braces":      strings.Repeat("{", fields.MaxFilter),
		"not":         strings.Repeat("not ", fields.MaxNodes/2) + "ok",
		"!":           strings.Repeat("!", fields.MaxFilter-2) + "ok",
		"minus":       "n == " + strings.Repeat("-", fields.MaxFilter-10) + "1",
		"chain":       strings.Repeat("n<", fields.MaxFilter/2-1) + "1",
		"ternary":     strings.Repeat("ok?ok:", fields.MaxFilter/6-1) + "ok",
		"predicates":  strings.Repeat("all(a,", fields.MaxFilter/6-1),
		"regex":       `a matches "` + strings.Repeat("(x{1000}){1000}", 100) + `"`,
		"or":          "ok" + strings.Repeat(" or ok", 2000),
		"range":       "n in 1..9223372036854775807",
		"escapes":     `a == "` + strings.Repeat(`\u0000`, 2000) + `"`,
	} {
		bounded(t, name, expr, func() { _, _ = selected(t.Context(), tab, expr) })
	}
	var many []string
	for i := range 3 * 1024 {
		many = append(many, fmt.Sprintf(`{"a":"text %d"}`, i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := selected(ctx, table(t, many...), `a contains "x"`); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}

// bounded runs f, which is about a filter, and holds what it allocates against
// the filter's length: a measure of its work that no load of the machine changes.
// The bound of bytes is wide because pools forget at random under the race detector.
func bounded(t *testing.T, name, expr string, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	objects, size := int(after.Mallocs-before.Mallocs), int(after.TotalAlloc-before.TotalAlloc)
	if mostObjects, most := 1000+10*len(expr), 256<<10+2000*len(expr); objects > mostObjects || size > most {
		t.Errorf("%s, %d bytes: %d objects of %d bytes allocated, want at most %d of %d", name, len(expr), objects, size, mostObjects, most)
	}
}

func FuzzFilterExpr(f *testing.F) {
	for _, seed := range []string{
		`language == "fr" and publication_date >= 1704067200 and not (category in ["sport", "news"])`,
		`"a" in tags or $env["x y"] != nil`, `1 < n <= 2.5e3`, `not ok`, `a startsWith "\u00e9"`, `d < "2024-01-31T00:00:00+01:00"`,
		`(((`, `a matches "("`, `len(a)`, `a?.b ?? c`, `{#`, `let x = y; x`, `if ok { ok } else { ok }`, `a in 1..2`, "a == `raw`", `::len(a)`, `0x`, `1_000 == n`, `b"x"`, `a[1:2]`, `#`, `/* c */ ok // d`,
	} {
		f.Add(seed)
	}
	tab := table(f, `{"a":"x","b":[1,"x"],"n":1.5,"ok":true,"d":"2024-01-31","tags":["a"]}`, `{"a":"é","n":9007199254740993,"ok":false}`, `{}`)
	f.Fuzz(func(t *testing.T, expr string) {
		bounded(t, "the filter", expr, func() { _, _ = selected(t.Context(), tab, expr) })
		filter, err := fields.ParseFilter(expr)
		if err != nil {
			if len(err.Error()) > 300 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		kinds := make(map[string]fields.Kinds)
		for _, name := range filter.Names() {
			kinds[name] = tab.Kinds(name)
		}
		_ = filter.Check(kinds)
		// A filter that was refused for its types has a meaning all the same.
		found, err := filter.Documents(t.Context(), tab)
		if err != nil || !found.IsEmpty() && found.Maximum() > 2 {
			t.Fatalf("%v, %v", found, err)
		}
		other, err := fields.ParseFilter("not (" + expr + "\n)")
		if err != nil {
			return // such as a comment that is not closed
		}
		rest, err := other.Documents(t.Context(), tab)
		if err != nil || rest.GetCardinality()+found.GetCardinality() != 3 || rest.Intersects(found) {
			t.Fatalf("%v and its contrary %v, %v", found, rest, err)
		}
	})
}

func TestSuggest(t *testing.T) {
	names := []string{"language", "publication_date", "publisher", "tags", "Straße"}
	for _, tt := range []struct{ name, want string }{
		{"langauge", `: did you mean "language"?`},
		{"LANGUAGE", `: did you mean "language"?`},
		{"publised", `: did you mean "publisher"?`},
		{"tag", `: did you mean "tags"?`},
		{"colour of the sea", `: there are "language", "publication_date", "publisher", "tags", "Straße"`},
		{strings.Repeat("é", 100), `: there are "language", "publication_date", "publisher", "tags", "Straße"`},
	} {
		if got := fields.Suggest(tt.name, names); got != tt.want {
			t.Errorf("Suggest(%q) = %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := fields.Suggest("x", nil); got != ": the documents have no fields" {
		t.Errorf("of no names: %s", got)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("%s%02d", strings.Repeat("name", 30), i))
	}
	if got := fields.Suggest("other", many); len(got) > 20*80 || !strings.HasSuffix(got, ", …") {
		t.Errorf("of many names: %s", got)
	}
}

// exact returns a number without rounding.
func exact(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		panic(n)
	}
	return r
}

func TestTableSizes(t *testing.T) {
	empty := fields.NewTable(0, nil)
	if got, err := selected(t.Context(), empty, "a == 1 or true"); len(got) != 0 || err != nil {
		t.Errorf("of no documents: %v, %v", got, err)
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf(`{"n":%d,"s":"x%d","f":%g}`, i, i%7, math.Sqrt(float64(i))))
	}
	tab := table(t, many...)
	if tab.Bytes() < 1000*12 || tab.Broken() != 0 {
		t.Errorf("%d bytes, %d broken", tab.Bytes(), tab.Broken())
	}
	if got := slices.Sorted(slices.Values(tab.Names())); !slices.Equal(got, []string{"f", "n", "s"}) {
		t.Errorf("names %q", got)
	}
}

func BenchmarkTable(b *testing.B) {
	var many []fields.Object
	for i := range 60_000 {
		o, err := fields.Parse(fmt.Appendf(nil, `{"author":"author %d","category":"c%d","language":"l%d","published":"20%02d-01-%02d","title":"title of document %d","year":%d}`, i%5000, i%40, i%7, i%25, 1+i%28, i, i%100))
		if err != nil {
			b.Fatal(err)
		}
		many = append(many, o)
	}
	b.Run("make", func(b *testing.B) {
		var t *fields.Table
		for b.Loop() {
			t = fields.NewTable(len(many), func(i int) fields.Object { return many[i] })
		}
		b.ReportMetric(float64(t.Bytes())/float64(len(many)), "B/document")
	})
	t := fields.NewTable(len(many), func(i int) fields.Object { return many[i] })
	for _, expr := range []string{`language == "l1"`, `year < 50`, `published >= "2010-01-01"`, `title contains "123"`, `language == "l1" and year >= 50 and not (category in ["c1", "c2"])`} {
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				f, err := fields.ParseFilter(expr)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Documents(b.Context(), t); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
