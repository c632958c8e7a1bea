package fields_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/fields"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{}`, ``},
		{`{"b":1,"a":"x"}`, `{"a":"x","b":1}`},
		{` { "a" : [ 1 , "x" , true ] } `, `{"a":[1,"x",true]}`},
		{`{"a":null,"b":[],"c":false}`, `{"c":false}`},
		{`{"a":2.0,"b":1e3,"c":-0,"d":0.5,"e":1e30,"f":1e-7}`, `{"a":2,"b":1000,"c":0,"d":0.5,"e":1e+30,"f":1e-07}`},
		{`{"a":9223372036854775807,"b":-9223372036854775808,"c":9007199254740993}`, `{"a":9223372036854775807,"b":-9223372036854775808,"c":9007199254740993}`},
		{`{"a":100000000000000000000}`, `{"a":100000000000000000000}`},
		{`{"a":"\u00e9<&>\u2028\n\"\\"}`, "{\"a\":\"é<&>\u2028\\u000a\\\"\\\\\"}"},
		{`{"a":"\ud800"}`, "{\"a\":\"\uFFFD\"}"},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"dc:title (fr)":"x"}`, `{"dc:title (fr)":"x"}`},
	} {
		got, err := fields.Parse([]byte(tt.in))
		if string(got) != tt.want || err != nil {
			t.Errorf("Parse(%s) = %s, %v, want %s", tt.in, got, err, tt.want)
		}
		if again, err := fields.Parse([]byte(got)); got != "" && (again != got || err != nil) {
			t.Errorf("Parse(%s) = %s, %v: not canonical", got, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	many := make(map[string]int)
	for i := range fields.MaxFields + 1 {
		many[strings.Repeat("x", i+1)] = i
	}
	crowd, _ := json.Marshal(many)
	for name, tt := range map[string]struct{ in, want string }{
		"null":          {`null`, "not a JSON object"},
		"list":          {`[1]`, "not a JSON object"},
		"empty":         {``, "not a JSON object"},
		"object":        {`{"a":1,"secret":{"b":1}}`, "field 2 by name"},
		"nested list":   {`{"a":[[1]]}`, "neither"},
		"null in list":  {`{"a":[1,null]}`, "null"},
		"above 64 bits": {`{"a":9223372036854775809}`, "64 bits"},
		"huge number":   {`{"a":1e999}`, "64 bits"},
		"empty name":    {`{"":1}`, "name"},
		"control name":  {`{"a\u0000":1}`, "name"},
		"long name":     {`{"` + strings.Repeat("n", fields.MaxName+1) + `":1}`, "name"},
		"long text":     {`{"a":"` + strings.Repeat("n", fields.MaxText+1) + `"}`, "a text above"},
		"long list":     {`{"a":[` + strings.Repeat("1,", fields.MaxList) + `1]}`, "a list above"},
		"many":          {string(crowd), "more than 100 fields"},
		"too much":      {`{"a":["` + strings.Repeat(strings.Repeat("n", 2000)+`","`, 9) + `"]}`, "bytes of fields"},
	} {
		got, err := fields.Parse([]byte(tt.in))
		if got != "" || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v, want an error of %q", name, got, err, tt.want)
		}
	}
}

func TestPick(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"_id":"x","_type":"T","_json":"{}","__typename":"T","label":"Yoda","homeworld":{"label":"?"}}`, `{"label":"Yoda"}`},
		{`{"codes":[1.0,"x",-2],"n":7}`, `{"codes":[1,"x",-2],"n":7}`},
		{`{"price":12345678901234567890}`, `{"price":12345678901234567000}`},
		{`{"price":"NaN","a":null,"b":[],"c":[null,"x",null],"d":[{"e":1}]}`, `{"c":["x"],"price":"NaN"}`},
		{`{"a":"` + strings.Repeat("x", fields.MaxText+1) + `","b":true}`, `{"b":true}`},
		{`"no object"`, ``},
	} {
		if got := fields.Pick([]byte(tt.in)); string(got) != tt.want {
			t.Errorf("Pick(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
	var large strings.Builder
	for i := range 200 {
		large.WriteString(`,"` + strings.Repeat("n", 1+i%100) + string(rune('a'+i/100)) + `":"` + strings.Repeat("v", 500) + `"`)
	}
	got := fields.Pick([]byte("{" + large.String()[1:] + "}"))
	if again, err := fields.Parse([]byte(got)); again != got || err != nil || len(got) < fields.MaxBytes*9/10 {
		t.Errorf("of too many fields %d bytes are picked: %v", len(got), err)
	}
}

func TestSelect(t *testing.T) {
	o, err := fields.Parse([]byte(`{"a":[1,"]},"],"b":"x\"y","c":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{[]string{"*"}, string(o)},
		{[]string{"c", "a"}, `{"a":[1,"]},"],"c":false}`},
		{[]string{"b", "nosuch"}, `{"b":"x\"y"}`},
		{[]string{"nosuch"}, `{}`},
		{nil, `{}`},
	} {
		if got := o.Select(tt.names); string(got) != tt.want {
			t.Errorf("Select(%q) = %s, want %s", tt.names, got, tt.want)
		}
	}
	if got := fields.Object("").Select([]string{"*"}); string(got) != "{}" {
		t.Errorf("of no fields: %s", got)
	}
}

// randomObject returns random fields of a few names, as JSON.
func randomObject(rng *rand.Rand) string {
	words := []string{"", "a", "b", "é\"\\", "2024-01-31", "2024-01-31T00:00:00Z", "2023-12-31T23:00:00-01:00", "zz", "2024"}
	scalar := func() any {
		switch rng.IntN(4) {
		case 0:
			return rng.IntN(2) == 0
		case 1:
			return []any{int64(rng.IntN(4)), 0.5, 1.5, int64(1) << 53, int64(1)<<53 + 1, 1e300, -3.25, int64(-1) << 63}[rng.IntN(8)]
		}
		return words[rng.IntN(len(words))]
	}
	o := make(map[string]any)
	for _, name := range []string{"a", "b", "c", "with space"} {
		switch rng.IntN(4) {
		case 0:
			var list []any
			for range rng.IntN(4) {
				list = append(list, scalar())
			}
			o[name] = list
		case 1:
		default:
			o[name] = scalar()
		}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// TestObjectsSayWhatWasSaid: a canonical object decodes to what was given, what
// is missing aside.
func TestObjectsSayWhatWasSaid(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		raw := randomObject(rng)
		o, err := fields.Parse([]byte(raw))
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, raw, err)
		}
		var in, out map[string]any
		_ = json.Unmarshal([]byte(raw), &in)
		if err := json.Unmarshal(o.Select([]string{"*"}), &out); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, o, err)
		}
		for name, v := range in {
			if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
				delete(in, name)
			}
		}
		a, _ := json.Marshal(in)
		b, _ := json.Marshal(out)
		if string(a) != string(b) {
			t.Fatalf("seed %d: %s became %s", seed, a, b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":["x",1.5,true],"b":"é"}`, `{"a":"\ud800\u0000"}`, `{"a":1e400}`, `{`, `{"a":-0.0,"A":12345678901234567890}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := fields.Parse(raw)
		picked := fields.Pick(raw)
		if err != nil && o != "" || len(o) > fields.MaxBytes || len(picked) > fields.MaxBytes+2 {
			t.Fatalf("%d bytes, %d picked, %v", len(o), len(picked), err)
		}
		for _, x := range []fields.Object{o, picked} {
			if x == "" {
				continue
			}
			if again, err := fields.Parse([]byte(x)); err != nil || again != x {
				t.Fatalf("%s is not canonical: %s, %v", x, again, err)
			}
		}
	})
}

// FuzzTable reads objects as a damaged file might hold them.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{"", "{", `{"a":1}`, `{"a":[1,`, `{"a":"\`, `{"a":nan}`, `{"a":"x","b":[true,"\u00e9"]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, o string) {
		table := fields.NewTable(2, func(int) fields.Object { return fields.Object(o) })
		if table.Bytes() < 0 || len(table.Names()) > len(o) {
			t.Fatal(table.Bytes())
		}
		if got := fields.Object(o).Select([]string{"a"}); !json.Valid(got) {
			t.Fatalf("Select of %q is %q", o, got)
		}
	})
}
