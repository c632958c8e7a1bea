package rawjson_test

import (
	"encoding/json"
	"testing"

	"github.com/vectorlink/vectorlink/internal/rawjson"
)

func TestCutNumbers(t *testing.T) {
	for object, want := range map[string][2]string{
		`{"key":1,"vector":[1,2]}`:                         {"[1,2]", `{"key":1,"vector":null}`},
		`{"vector" : [ 1 , 2 ] , "key":1}`:                 {"[ 1 , 2 ]", `{"vector" : null , "key":1}`},
		`{"key":"vector","vector":[]}`:                     {"[]", `{"key":"vector","vector":null}`},
		`{"fields":{"vector":[1]},"vector":[2]}`:           {"[2]", `{"fields":{"vector":[1]},"vector":null}`},
		`{"text":"\"vector\":[1]\\","vector":[2]}`:         {"[2]", `{"text":"\"vector\":[1]\\","vector":null}`},
		`{"a":["vector",":",{"vector":[1]}],"vector":[2]}`: {"[2]", `{"a":["vector",":",{"vector":[1]}],"vector":null}`},
		`{"vector":[1],"vector":[2]}`:                      {"[1]", `{"vector":null,"vector":[2]}`},
		`{"vector":[1,"]"]}`:                               {"", `{"vector":[1,"]"]}`},
		`{"vector":[[1]]}`:                                 {"", `{"vector":[[1]]}`},
		`{"vector":null}`:                                  {"", `{"vector":null}`},
		`{"vector":[1`:                                     {"", `{"vector":[1`},
		`{"vector":`:                                       {"", `{"vector":`},
		`{"vec`:                                            {"", `{"vec`},
		`["vector",[1]]`:                                   {"", `["vector",[1]]`},
		``:                                                 {"", ``},
	} {
		array, rest := rawjson.CutNumbers([]byte(object), "vector")
		if string(array) != want[0] || string(rest) != want[1] {
			t.Errorf("%s: %q, %q, want %q", object, array, rest, want)
		}
	}
}

// FuzzCutNumbers compares what is left and what was cut with what the decoder finds.
func FuzzCutNumbers(f *testing.F) {
	for _, seed := range []string{`{"a":{"vector":[0]},"vector":[1,2.5e3],"b":"\"vector\":[1]"}`, `{"vector":[1],"vector":2}`, `{"vector":[nul]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		array, rest := rawjson.CutNumbers([]byte(text), "vector")
		if array == nil {
			if string(rest) != text {
				t.Errorf("%q became %q", text, rest)
			}
			return
		}
		var whole, less map[string]any
		sound := json.Unmarshal([]byte(text), &whole) == nil
		if got := json.Unmarshal(rest, &less) == nil && json.Valid(array); got != sound {
			t.Errorf("%q is sound: %t; cut into %q and %q: %t", text, sound, array, rest, got)
		}
		if sound && len(whole) != len(less) {
			t.Errorf("%q has %v, %q has %v", text, whole, rest, less)
		}
	})
}
