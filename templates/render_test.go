package templates_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/templates"
)

func TestValues(t *testing.T) {
	r := templates.New(templates.Limits{})
	for _, c := range []struct{ template, data, want string }{
		// Nothing is escaped, however it is asked for.
		{`{{x}}|{{{x}}}|{{&x}}`, `{"x":"Tom & \"J\" <b> '=\u0060"}`, "Tom & \"J\" <b> '=`|Tom & \"J\" <b> '=`|Tom & \"J\" <b> '=`"},
		{`{{#each x}}{{this}};{{/each}}{{x}}`, `{"x":["<a>","&"]}`, "<a>;&;<a>, &"},
		// Numbers stay as they were written.
		{`{{x}}`, `{"x":12345678901234567890}`, "12345678901234567890"},
		{`{{x}}`, `{"x":-12345678901234567890123}`, "-12345678901234567890123"},
		{`{{x}} {{y}} {{z}}`, `{"x":1.10,"y":1E+2,"z":-0.0}`, "1.10 1E+2 -0.0"},
		{`{{#each x}}{{this}} {{/each}}`, `{"x":[1.10,0.1,1e3]}`, "1.10 0.1 1e3 "},
		{`{{x}}`, `{"x":"1.50"}`, "1.50"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":0}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":0.0}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":-0}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":0.000e5}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":0e0}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":1e-400}`, "y"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":123456789012345678901234567890}`, "y"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":""}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":[]}`, "n"},
		{`{{#if x}}y{{else}}n{{/if}}`, `{"x":"0"}`, "y"},
		// Booleans and null.
		{`{{a}} {{b}} {{c}}.`, `{"a":true,"b":false,"c":null}`, "true false ."},
		// Lists.
		{`{{x}}`, `{"x":["auburn","white"]}`, "auburn, white"},
		{`{{x}}`, `{"x":["a",null,"","b",3,true]}`, "a, b, 3, true"},
		{`{{x}}`, `{"x":[["a","b"],[],["c",["d"]]]}`, "a, b, c, d"},
		{`[{{x}}]`, `{"x":[null,[],""]}`, "[]"},
		{`{{x}}`, `{"x":["one"]}`, "one"},
		// Objects.
		{`{{x}}`, `{"x":{"label":"Naboo","climate":"mild"}}`, "climate: mild, label: Naboo"},
		{`{{x}}`, `{"x":{"a":null,"b":"","c":[],"d":{},"e":"e"}}`, "e: e"},
		{`{{x}}`, `{"x":{"a":["p","q"],"b":{"c":1,"d":[2]},"e":["r"]}}`, "a: (p, q), b: (c: 1, d: 2), e: r"},
		{`{{x}}`, `{"x":[{"a":1,"b":2},{"a":3},{}]}`, "a: 1, b: 2; a: 3"},
		{`{{this}}`, `{"b":1,"a":2}`, "a: 2, b: 1"},
		{`{{#each x}}{{@key}}={{this}}{{#unless @last}},{{/unless}}{{/each}}`, `{"x":{"c":1,"a":2,"b":3}}`, "a=2,b=3,c=1"},
		{`{{#each x}}{{@index}}{{@first}}{{@key}} {{/each}}`, `{"x":{"b":1,"a":2}}`, "0truea 1falseb "},
		{`{{x}}`, `{"x":1,"x":2}`, "2"},
		// Names.
		{`{{[@type]}} {{[@id]}}{{@type}}`, `{"@type":"Person","@id":"Person/1"}`, "Person Person/1"},
		{`{{x.[a b].[@id]}}`, `{"x":{"a b":{"@id":"i"}}}`, "i"},
		{`{{len}} {{lookup}} {{this.if}}`, `{"len":"l","lookup":"k","if":"i"}`, "l k i"},
		{`{{x.0.label}} {{x.1}} {{x.[1]}} {{m.0.1}} {{#each x.2}}{{this}}{{/each}}`, `{"x":[{"label":"a"},"b",[1,2]],"m":[["p","q"]]}`, "a b b q 12"},
		{`{{#each x}}{{../x.0}}{{/each}}`, `{"x":["p","q"]}`, "pp"},
		{`{{x.01}}{{x.[-1]}}{{x.9}}.`, `{"x":["p","q"]}`, "."},
		{`{{this.elsewhere}} {{[elsewhere]}}`, `{"elsewhere":"e"}`, "e e"},
		// A missing field is not looked for outside.
		{`{{#each x}}({{label}}){{/each}}`, `{"label":"outer","x":[{},{"label":null},{"label":"in"}]}`, "()()(in)"},
		{`{{#with x}}({{label}}){{/with}}`, `{"label":"outer","x":{"a":1}}`, "()"},
		// Helpers.
		{`{{len s}} {{len l}} {{len o}} {{len n}} {{len m}}`, `{"s":"naïve 漢字","l":[1,2],"o":{"a":1},"n":42}`, "8 2 1 0 0"},
		{`{{eq a b}} {{eq a c}} {{eq c 1}} {{eq d e}} {{eq f g}}`, `{"a":1,"b":1.0,"c":"1","d":[1,{"x":2}],"e":[1.0,{"x":2e0}],"f":null}`, "true false false true true"},
		{`{{eq a 12345678901234567891}} {{eq b 100}} {{eq b -100}} {{eq c 0}}`, `{"a":12345678901234567890,"b":0.1e3,"c":-0.0}`, "false true false true"},
		{`{{eq a b}} {{eq a "x"}} {{eq o p}}`, `{"a":"x","b":"y","o":{"k":1},"p":{"j":1}}`, "false true false"},
		{`{{eq a b}}{{eq a c}}{{eq c 1}}`, `{"a":1e99999999999999999999,"b":1e-99999999999999999999,"c":[1]}`, "falsefalsefalse"},
		{`{{#if (eq kind "ship")}}ship{{else if (eq kind "planet")}}planet{{else}}?{{/if}}`, `{"kind":"planet"}`, "planet"},
		{`{{#eq a 1}}one{{else}}other{{/eq}}`, `{"a":2}`, "other"},
		{`{{lookup x "a"}}{{lookup x b}}{{lookup y 1}}{{lookup y true}}`, `{"x":{"a":"A","c":"C"},"b":"c","y":[0,"Y"]}`, "ACY"},
		{`{{log "secret" x}}ok`, `{"x":1}`, "ok"},
		// Line ends inside and outside of tags.
		{"{{#if\r\n x\r\n}}a\r\nb{{/if}}{{\r\nlookup\r\ny\r\n1\r\n}}", `{"x":1,"y":[1,2]}`, "a\r\nb2"},
		{"{{\"a\\\"b\"}}{{lookup this 'c'}}", `{"a\"b":1,"c":2}`, "12"},
		{"\u0000{{x}}\ufffd", `{"x":"\u0000\ud800"}`, "\u0000\u0000\ufffd\ufffd"},
	} {
		got, err := r.Render(t.Context(), c.template, []byte(c.data))
		if err != nil || got != c.want {
			t.Errorf("%q over %s:\n got %q, %v\nwant %q", c.template, c.data, got, err, c.want)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	r := templates.New(templates.Limits{})
	for _, c := range []struct {
		template string
		line     int
		reason   string
	}{
		{"a\nb {{#if x}}", 2, `block "if" is not closed`},
		{"{{#if x}}\n\n{{/each}}", 3, `block "if" is closed by "each"`},
		{"\n{{x", 2, "unclosed expression"},
		{"\n\n{{/if}}", 3, `unexpected "{{/"`},
		{"\n{{else}}", 2, "else outside a block"},
		{"{{\n\n}}", 3, `a name expected, not "}}"`},
		{"{{\n\nshout x}}", 3, `unknown helper "shout"`},
		{"{{#if x}}{{else}}\n{{shout x}}{{/if}}", 2, `unknown helper "shout"`},
		{"{{#each x}}{{len (shout .)}}{{/each}}", 1, `unknown helper "shout"`},
		{"{{#if (shout x)}}{{/if}}", 1, `unknown helper "shout"`},
		{"{{#shout x}}{{/shout}}", 1, `unknown helper "shout"`},
		{"{{#if x includeZero=(shout 1)}}{{/if}}", 1, `unknown helper "shout"`},
		{"{{a.b c}}", 1, `unknown helper "a.b"`},
		{"{{> part}}", 1, "partials are not supported"},
		{"{{{{quote}}}}x{{{{/quote}}}}", 1, `the only raw block is {{{{raw}}}}, not "quote"`},
		{"{{{{raw}}}}{{x}}", 1, "unclosed raw block"},
		{"{{if x}}", 1, "if is a block: {{#if ...}}"},
		{"{{#if}}{{/if}}", 1, "{{#if}} needs a value"},
		{"{{#each a b}}{{/each}}", 1, "{{#each}} takes one value, not 2"},
		{"{{eq a}}", 1, "eq takes 2 arguments, not 1"},
		{"{{#each a as |x y z|}}{{/each}}", 1, "a block gives at most two names, not 3"},
		{"{{#each a as ||}}{{/each}}", 1, `a name expected, not "|"`},
		{"{{elsewhere}}", 1, "else outside a block"},
		{"{{#if x}}{{elsewhere}}{{/if}}", 1, "write {{this.else...}} for a field whose name begins with else"},
		{"{{a.this}}", 1, `"this" must stand at the beginning of a path`},
		{"{{len 0x1}}", 1, `bad number "0x1"`},
		{"{{x}}\n\xff", 2, "not valid UTF-8"},
	} {
		for range 2 { // the second answer comes from the cache
			_, err := r.Render(t.Context(), c.template, []byte(`{"x":1}`))
			detail, ok := errors.AsType[*templates.TemplateError](err)
			if !ok || !errors.Is(err, templates.ErrTemplate) {
				t.Errorf("%q: got %v, want a TemplateError", c.template, err)
				continue
			}
			if detail.Line != c.line || detail.Reason != c.reason {
				t.Errorf("%q: got line %d, %q, want line %d, %q", c.template, detail.Line, detail.Reason, c.line, c.reason)
			}
		}
	}
}

func TestBadData(t *testing.T) {
	r := templates.New(templates.Limits{})
	const canary = "SECRET"
	for _, data := range []string{
		"", " ", "null", "[]", `"SECRET"`, "1", "SECRET", "{", `{"SECRET"`, `{"x":SECRET}`, `{"x":"SECRET}`, `{"x":1}{"SECRET":2}`,
		`{"x":1} SECRET`, `{"x":1}]`, `{x:"SECRET"}`, `{"x":01}`, `{"x":NaN}`, `{"x":1,}`, `{"x":[1,]}`, `{"x":[1 2]}`, `{"x" "SECRET"}`, `{"x":"\q"}`,
		"{\"x\":\"SECRET\xff\"}", "{\"x\":\"SECRET\n\"}", `{"x":[SECRET}`, `{"x":{]}`,
	} {
		got, err := r.Render(t.Context(), "{{x}}!", []byte(data))
		if !errors.Is(err, templates.ErrData) || got != "" {
			t.Errorf("%q: got %q, %v, want ErrData", data, got, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error quotes the document: %v", data, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	r := templates.New(templates.Limits{})
	for _, template := range []string{"", " \n\t\u00a0", "{{missing}}", "{{x}} {{y}}", "{{#each l}}{{this}}{{/each}}", "{{! nothing }}"} {
		got, err := r.Render(t.Context(), template, []byte(`{"x":"","y":null,"l":["",null]}`))
		if !errors.Is(err, templates.ErrEmpty) || got != "" {
			t.Errorf("%q: got %q, %v, want ErrEmpty", template, got, err)
		}
		if _, err := r.Program(template); err != nil {
			t.Errorf("Program(%q) = %v, want nil", template, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	r := templates.New(templates.Limits{})
	prog, err := r.Program("{{@index}}{{@root.x}}\n{{^x}}{{@type}}{{else}}\n{{len @id}}{{/x}}")
	if err != nil {
		t.Fatal(err)
	}
	want := []templates.Warning{
		{Line: 2, Text: "@type is a variable that is never set; for the field write {{[@type]}}"},
		{Line: 3, Text: "@id is a variable that is never set; for the field write {{[@id]}}"},
	}
	if fmt.Sprint(prog.Warnings) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", prog.Warnings, want)
	}
	if _, err := r.Program("{{"); !errors.Is(err, templates.ErrTemplate) {
		t.Errorf("got %v, want ErrTemplate", err)
	}
}

func TestDeterminism(t *testing.T) {
	const template = `{{#each o}}{{@key}}:{{this}};{{/each}}{{o}}{{l}}`
	const data = `{"o":{"q":1,"w":[1,2],"e":{"z":1,"a":2},"r":null,"t":"x","y":true,"u":1.0,"i":9,"p":"p"},"l":[{"b":1,"a":2}]}`
	want := ""
	for i := range 200 {
		got, err := templates.New(templates.Limits{}).Render(t.Context(), template, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("run %d: got %q, want %q", i, got, want)
		}
	}
}

// TestShared renders one template and some bad ones from many goroutines.
func TestShared(t *testing.T) {
	r := templates.New(templates.Limits{})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 100 {
				if got, err := r.Render(t.Context(), peopleTemplate, []byte(yoda)); err != nil || got != yodaText {
					t.Errorf("got %q, %v, want %q", got, err, yodaText)
				}
				own := fmt.Sprintf("{{label}} %d", i)
				if got, err := r.Render(t.Context(), own, []byte(yoda)); err != nil || got != fmt.Sprintf("Yoda %d", i) {
					t.Errorf("got %q, %v", got, err)
				}
				if _, err := r.Program(fmt.Sprintf("{{#if x}}%d %d", g%2, i)); !errors.Is(err, templates.ErrTemplate) {
					t.Errorf("got %v, want ErrTemplate", err)
				}
			}
		})
	}
	wg.Wait()
}

func ExampleRenderer_Render() {
	r := templates.New(templates.Limits{})
	text, err := r.Render(context.Background(),
		"{{label}} is {{colors}}.{{#if home}} Home: {{home.label}}.{{/if}}",
		[]byte(`{"label":"Jar Jar","colors":["orange","tan"],"home":{"label":"Naboo"}}`))
	fmt.Println(text, err)
	// Output: Jar Jar is orange, tan. Home: Naboo. <nil>
}

func BenchmarkRender(b *testing.B) {
	r := templates.New(templates.Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Render(b.Context(), peopleTemplate, []byte(yoda)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := templates.New(templates.Limits{}).Program(peopleTemplate); err != nil {
			b.Fatal(err)
		}
	}
}
