package docdb_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
)

func TestRepairNumbers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"a":-12.25,"b":0,"c":12345678901234567890}`, `{"a":-12.25,"b":0,"c":12345678901234567890}`},
		{`{"a":1.0}`, `{"a":"1.0"}`},
		{`{"a":007.5,"b":01.10}`, `{"a":"007.5","b":"01.10"}`},
		{`{"price":1-2,"x":[1.50,2]}`, `{"price":"1-2","x":["1.50",2]}`},
		{`{"price":e,"quantity":.,"c":+5,"d":-,"e":1e5,"f":5.}`, `{"price":"e","quantity":".","c":"+5","d":"-","e":"1e5","f":"5."}`},
		{`{"a":-0,"b":-0.5,"c":0.0}`, `{"a":"-0","b":-0.5,"c":"0.0"}`},
		{`{"a":true,"b":false,"c":null}`, `{"a":true,"b":false,"c":null}`},
		{`{"a":"x \"y\":007.5 \\","b":007.5}`, `{"a":"x \"y\":007.5 \\","b":"007.5"}`},
		{`{"a":nonsense,"b":0x1}`, `{"a":nonsense,"b":0x1}`},
		{`{"a":"007`, `{"a":"007`},
		{`007`, `"007"`},
		{``, ``},
	} {
		if got := docdb.RepairNumbers([]byte(c.in)); string(got) != c.want {
			t.Errorf("repair %s\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestRepairRecorded(t *testing.T) {
	for name, want := range map[string]string{
		"54":  `{"data":{"Starship":[{"hyperdrive_rating":"1.0","MGLT":"100","specs":{"length":12.5,"crew":"1"}}]}}`,
		"54c": `{"data":{"Species":[{"label":"007.5","language":"01.10","hair_colors":"1.50","skin_colors":"it was \"hair_colors\":\"1.5\" <b>&=` + "`" + `"}]}}`,
		"58c": `{"data":{"Item":[{"label":"a","price":"1-2","quantity":3,"dec":12.34,"int":12345678901234567890,"dbl":1.5,"flag":true,"day":"2020-01-02","tags":["1.5","b"],"nums":[1.5,2],"kind":"big_thing","blob":"{\"v\":\"1.5\",\"w\":[1,{\"z\":null}]}","year":"2020"}]}}`,
	} {
		if got := docdb.RepairNumbers(docdbtest.One(t, transcripts, name).Answer); string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// unquote is what the server does to its answers.
var unquote = regexp.MustCompile(`"([a-z]+)":"([0-9]+\.[0-9]+)"|"(price)":"([0-9.eE+-]+)"`)

// TestRepairKeepsTexts: whatever the server unquotes, after repairing every value
// has the text it was stored with.
func TestRepairKeepsTexts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	atoms := []string{"0", "1", "7", "00", ".", "-", "+", "e", "E", `"`, `\`, "é", " ", "x", `":"1.5"`, "😀", "\n"}
	var value func(depth int) any
	value = func(depth int) any {
		switch k := rng.IntN(10); {
		case k == 0 && depth > 0:
			list := []any{}
			for range rng.IntN(4) {
				list = append(list, value(depth-1))
			}
			return list
		case k <= 2 && depth > 0:
			m := map[string]any{}
			for range rng.IntN(4) {
				m[[]string{"price", "label", "a"}[rng.IntN(3)]] = value(depth - 1)
			}
			return m
		case k == 3:
			return json.Number(fmt.Sprint(rng.IntN(200) - 100))
		case k == 4:
			return []any{true, false, nil}[rng.IntN(3)]
		}
		var s strings.Builder
		for range rng.IntN(6) {
			s.WriteString(atoms[rng.IntN(len(atoms))])
		}
		return s.String()
	}
	for range 20_000 {
		want := map[string]any{"data": value(4)}
		plain, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		sent := unquote.ReplaceAll(plain, []byte(`"$1$3":$2$4`))
		d := json.NewDecoder(bytes.NewReader(docdb.RepairNumbers(sent)))
		d.UseNumber()
		var got any
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%v\nstored %s\nsent   %s\nrepaired %s", err, plain, sent, docdb.RepairNumbers(sent))
		}
		if g, w := asTexts(got), asTexts(any(want)); !reflect.DeepEqual(g, w) {
			t.Fatalf("stored %s\nsent   %s\nrepaired %s", plain, sent, docdb.RepairNumbers(sent))
		}
	}
}

// asTexts turns numbers into their text.
func asTexts(v any) any {
	switch v := v.(type) {
	case json.Number:
		return string(v)
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, asTexts(x))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = asTexts(x)
		}
		return out
	}
	return v
}

// FuzzRepairNumbers: valid JSON stays valid and keeps its strings, and
// repairing twice is repairing once.
func FuzzRepairNumbers(f *testing.F) {
	for _, s := range []string{`{"a":007.5}`, `[1.0,-0,1e9]`, `{"price":1-2,"q":"\"1.0"}`, `"`, `\`, `{"a":"b\\"}`, "\xff1.0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := docdb.RepairNumbers(bytes.Clone(in))
		if again := docdb.RepairNumbers(out); !bytes.Equal(again, out) {
			t.Fatalf("repairing twice: %q then %q", out, again)
		}
		if json.Valid(in) && !json.Valid(out) {
			t.Fatalf("valid %q became invalid %q", in, out)
		}
	})
}
