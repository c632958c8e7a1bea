package workshop_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

// person is the shape of an answered person.
var person = &docdb.Answer{Members: map[string]*docdb.Answer{
	"label": {}, "desc": {Many: true},
	"homeworld": {Members: map[string]*docdb.Answer{"label": {}, "terrain": {}}},
	"films":     {Many: true, Members: map[string]*docdb.Answer{"label": {}, "director": {Members: map[string]*docdb.Answer{"name": {}}}}},
}}

func TestReview(t *testing.T) {
	r := templates.New(templates.Limits{})
	for _, c := range []struct{ template, want string }{
		// What is fine.
		{"{{label}} {{this.label}} {{{label}}} {{./label}} {{label.length}} {{@root.label}}", ""},
		{"{{desc}}{{#each desc}}{{this}}{{@index}}{{/each}}{{desc.[0]}}{{desc.0}}{{desc.length}}{{len desc}}", ""},
		{"{{#if homeworld}}{{homeworld.label}}{{#with homeworld}}{{terrain}} {{../label}}{{/with}}{{/if}}", ""},
		{"{{#each films}}{{label}} {{director.name}} {{../label}}{{#unless @last}}, {{/unless}}{{/each}}{{films.[0].director.name}}", ""},
		{"{{#each films as |film i|}}{{film.label}}{{i}}{{/each}}{{#films}}{{label}}{{/films}}{{^films}}none{{/films}}", ""},
		{"{{#homeworld}}{{label}}{{/homeworld}}{{#label}}{{this}}{{/label}}{{#each homeworld}}{{@key}} {{this}}{{/each}}", ""},
		{"{{#with this}}{{label}}{{/with}}{{lookup homeworld \"label\"}}{{#if (eq label \"x\")}}{{label}}{{/if}}", ""},
		{"it costs 3 & 4 < 5 > 2; a<b, x;y", ""},
		// Fields that are not there.
		{"a\n{{hair}}", `2: {{hair}}: there is no field "hair" here (it has desc, films, homeworld, label)`},
		{"{{#if hair}}x{{/if}}", `1: {{hair}}: there is no field "hair"`},
		{"{{homeworld.climate}}", `1: {{homeworld.climate}}: there is no field "climate" here (it has label, terrain)`},
		{"{{films.label}}", `1: {{films.label}}: there is no field "label" here: it is one of each item of a list (#each)`},
		{"{{label.first}}", `1: {{label.first}}: there is no field "first" here, in a text`},
		{"{{#each desc}}{{label}}{{/each}}", `1: {{label}}: there is no field "label" here, in a text`},
		{"{{#each films}}{{terrain}}{{/each}}", `1: {{terrain}}: there is no field "terrain" here (it has director, label)`},
		{"{{#with homeworld}}{{desc}}{{/with}}", `1: {{desc}}: there is no field "desc"`},
		{"{{#each films as |f|}}{{f.year}}{{/each}}", `1: {{f.year}}: there is no field "year"`},
		{"{{eq hair 1}}{{hair}}", `1: {{hair}}: there is no field "hair"`},
		// Values that print as objects.
		{"{{homeworld}}", "1: {{homeworld}} is an object: name one of its fields (label, terrain)"},
		{"{{films}}", "1: {{films}} is a list of objects: name one of its fields (director, label)"},
		{"{{#each films}}{{this}}{{/each}}", "1: {{this}} is an object: name one of its fields (director, label)"},
		{"{{#each films}}\n\n{{director}}{{/each}}", "3: {{director}} is an object"},
		// HTML.
		{"<p>{{label}}</p>", `1: the template writes "<p>"`},
		{"{{label}}\n&amp;", `2: the template writes "&amp;"`},
		{"{{label}}&#39;s", `1: the template writes "&#39;"`},
		// What the template alone shows.
		{"{{@type}}", "1: @type is a variable"},
	} {
		warnings, err := workshop.Review(r, c.template, person)
		if err != nil {
			t.Errorf("%q: %v", c.template, err)
			continue
		}
		if c.want == "" {
			if len(warnings) > 0 {
				t.Errorf("%q: %+v, want no warning", c.template, warnings)
			}
			continue
		}
		line, text, _ := strings.Cut(c.want, ": ")
		if len(warnings) != 1 || string(rune('0'+warnings[0].Line)) != line || !strings.HasPrefix(warnings[0].Text, text) {
			t.Errorf("%q: %+v, want %s", c.template, warnings, c.want)
		}
	}
	if warnings, err := workshop.Review(r, "{{a.b}}{{#each x}}{{y}}{{/each}}{{#with z}}{{q}}{{/with}}", nil); err != nil || len(warnings) > 0 {
		t.Errorf("of an unknown shape: %+v, %v", warnings, err)
	}
	if _, err := workshop.Review(r, "{{#if}}", person); !errors.Is(err, templates.ErrTemplate) {
		t.Errorf("a bad template: %v", err)
	}
}

func TestFindHTML(t *testing.T) {
	for text, want := range map[string]string{
		"fish & chips; a < b > c": "", "1<2": "", "x &y; z": "", "<name>": "", "<Planet 7>": "",
		"fish &amp; chips": "&amp;", "it&#x27;s": "&#x27;", "a<br>b": "<br>", "a<BR/>b": "<BR/>", `<a href="x">y</a>`: `<a href="x">`,
	} {
		if got := workshop.FindHTML(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
