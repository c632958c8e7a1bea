package service_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// values are texts, and members of a JSON object.
type values struct {
	texts   map[string][]string
	members map[string]json.RawMessage
}

func (v values) Member(name string) (json.RawMessage, bool) {
	raw, ok := v.members[name]
	return raw, ok && string(raw) != "null"
}

func (v values) Texts(name string) []string { return v.texts[name] }

func (v values) List(names ...string) []string {
	var list []string
	for _, name := range names {
		list = append(list, v.texts[name]...)
	}
	return list
}

func (v values) Names() []string {
	return append(slices.Sorted(maps.Keys(v.texts)), slices.Sorted(maps.Keys(v.members))...)
}

func text(pairs ...string) values {
	v := values{texts: make(map[string][]string)}
	for pair := range slices.Chunk(pairs, 2) {
		v.texts[pair[0]] = append(v.texts[pair[0]], pair[1])
	}
	return v
}

func member(t *testing.T, object string) values {
	t.Helper()
	v := values{}
	if err := json.Unmarshal([]byte(object), &v.members); err != nil {
		t.Fatal(err)
	}
	return v
}

// asked has a parameter of each kind.
type asked struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    search.Ref
	Word   search.Mode `param:"word" words:"one,two"`
	A      string      `param:"a"`
	B      []string    `param:"b" kind:"names" most:"2" apart:"a"`
	Vector []float32   `param:"v,v64" unless:"a,b" need:"a,b"`
	Nested nested
	Plain  nested  `param:"x,y,z" default:"none"`
	Limit  float32 `param:"limit,fallback"`
	Since  string  `param:"since" kind:"commit"`
	Flag   bool    `param:"flag"`
	Other  int
	done   bool
}

type nested struct {
	Number int      `param:"number" default:"7" least:"1" most:"9"`
	List   []string `param:"list"`
	Expr   string   `param:"expr" kind:"expression"`
}

var errOdd = errors.New("since is odd")

// Complete refuses one value.
func (a *asked) Complete() error {
	a.done = true
	if a.Since == "odd" {
		return errOdd
	}
	return nil
}

// TestDecode checks what a request is set to.
func TestDecode(t *testing.T) {
	least := asked{Domain: "o/d", Ref: search.Ref{Commit: "c"}, A: "a", Nested: nested{Number: 7}, Other: 5, done: true}
	with := func(change func(*asked)) asked {
		a := least
		change(&a)
		return a
	}
	for name, tt := range map[string]struct {
		values values
		want   asked
	}{
		"least":    {text("domain", "o/d", "commit", "c", "a", "a"), least},
		"members":  {member(t, `{"domain":"o/d","commit":"c","a":"a","b":null,"number":null}`), least},
		"graph":    {text("domain", "o/d/local/commit/c", "a", "a", "v", "ignored"), least},
		"word":     {text("domain", "o/d", "commit", "c", "a", "a", "word", "two"), with(func(a *asked) { a.Word = "two" })},
		"names":    {text("domain", "o/d", "commit", "c", "b", "x", "b", "", "b", "y"), with(func(a *asked) { a.A, a.B = "", []string{"x", "y"} })},
		"vector":   {member(t, `{"domain":"o/d","commit":"c","v":[1,2]}`), with(func(a *asked) { a.A, a.Vector = "", []float32{1, 2} })},
		"base64":   {text("domain", "o/d", "commit", "c", "v64", "AACAPw"), with(func(a *asked) { a.A, a.Vector = "", []float32{1} })},
		"fallback": {text("domain", "o/d", "commit", "c", "a", "a", "fallback", "0.5"), with(func(a *asked) { a.Limit = 0.5 })},
		"nested": {member(t, `{"domain":"o/d","commit":"c","a":"a","number":3,"list":["",""],"expr":" e ","x":2,"y":["l"],"z":"f","limit":0,"fallback":1,"since":"s","flag":true}`), with(func(a *asked) {
			a.Nested, a.Plain = nested{3, []string{"", ""}, "e"}, nested{2, []string{"l"}, "f"}
			a.Since, a.Flag = "s", true
		})},
	} {
		t.Run(name, func(t *testing.T) {
			got := asked{Other: 5}
			p := service.NewParams(t.Context(), tt.values)
			p.Decode(&got)
			if p.Err() != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%v\n got %+v\nwant %+v", p.Err(), got, tt.want)
			}
		})
	}
}

// TestDecodeRefusals checks which mistake is reported, the first in the order of
// the fields, and that a request with one is not completed.
func TestDecodeRefusals(t *testing.T) {
	steps := []struct {
		bad, good []string
		kind      error
		want      string
	}{
		{[]string{"domain", ""}, []string{"domain", "o/d"}, service.ErrMissing, "domain is required"},
		{nil, []string{"commit", "c"}, service.ErrMissing, "commit or branch is required"},
		{[]string{"word", ""}, []string{"word", "one"}, service.ErrParameter, "word must be one or two"},
		{nil, []string{"b", "x"}, service.ErrMissing, "a is required, or b, v or v64"},
		{[]string{"number", "10"}, []string{"number", "9"}, service.ErrParameter, "number must be a whole number from 1 to 9"},
		{[]string{"x", "0"}, []string{"x", "1"}, service.ErrParameter, "x must be a whole number from 1 to 9"},
		{[]string{"limit", "-1"}, []string{"limit", "1"}, service.ErrParameter, "limit must be a finite number of at least 0"},
		{[]string{"since", "\x00"}, []string{"since", "s"}, service.ErrParameter, "since contains a control character"},
		{[]string{"flag", "x"}, []string{"flag", "true"}, service.ErrParameter, "flag must be true or false"},
	}
	for i, step := range steps {
		var pairs []string
		for j, s := range steps {
			if j < i {
				pairs = append(pairs, s.good...)
			} else {
				pairs = append(pairs, s.bad...)
			}
		}
		var got asked
		p := service.NewParams(t.Context(), text(pairs...))
		p.Decode(&got)
		if err := p.Err(); !errors.Is(err, step.kind) || err.Error() != step.want || got.done {
			t.Errorf("got %v, want %s (completed: %t)", err, step.want, got.done)
		}
	}
	for want, v := range map[string]values{
		"a and b cannot be given together":          text("domain", "o/d", "commit", "c", "a", "a", "b", "b"),
		"b has more than 2 names":                   text("domain", "o/d", "commit", "c", "b", "b", "b", "b", "b", "b"),
		"a is given more than once":                 text("domain", "o/d", "commit", "c", "a", "a", "a", "a"),
		"since is odd":                              text("domain", "o/d", "commit", "c", "a", "a", "since", "odd"),
		"a must be a string":                        member(t, `{"domain":"o/d","commit":"c","a":1}`),
		"number must be a whole number from 1 to 9": member(t, `{"domain":"o/d","commit":"c","a":"a","number":1.5}`),
		"v must be an array of numbers":             member(t, `{"domain":"o/d","commit":"c","v":{}}`),
	} {
		p := service.NewParams(t.Context(), v)
		p.Decode(new(asked))
		if err := p.Err(); err == nil || err.Error() != want || errors.Is(err, service.ErrType) != (v.members != nil) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
