package templates_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/templates"
)

// golden is what another implementation made of templates over one document.
type golden struct {
	Data json.RawMessage
	Rows []struct {
		Template  string
		Want      string
		Error     bool
		Ours      *string
		OursError bool
		Why       string
	}
}

func readGolden(t *testing.T, name string, atLeast int) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Rows) < atLeast {
		t.Fatalf("%s has %d rows, want at least %d", name, len(g.Rows), atLeast)
	}
	return g
}

// htmlUnescape undoes what handlebars-rust escapes.
var htmlUnescape = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`,
	"&#x27;", "'", "&#x3D;", "=", "&#x60;", "`")

func TestGolden(t *testing.T) {
	for _, file := range []struct {
		name    string
		rows    int
		unquote *strings.Replacer
	}{
		{"handlebars-js.json", 120, strings.NewReplacer()},
		{"terminusdb.json", 62, htmlUnescape},
	} {
		t.Run(file.name, func(t *testing.T) {
			g := readGolden(t, file.name, file.rows)
			r := templates.New(templates.Limits{})
			for _, row := range g.Rows {
				want, wantErr := file.unquote.Replace(row.Want), row.Error
				if row.Ours != nil || row.OursError {
					if row.Why == "" {
						t.Errorf("%q differs without a reason", row.Template)
					}
					wantErr = row.OursError
					if want = ""; row.Ours != nil {
						want = *row.Ours
					}
				}
				got, err := r.Render(t.Context(), row.Template, g.Data)
				switch {
				case wantErr:
					if !errors.Is(err, templates.ErrTemplate) {
						t.Errorf("%q: got %q, %v, want ErrTemplate", row.Template, got, err)
					}
				case strings.TrimSpace(want) == "":
					if !errors.Is(err, templates.ErrEmpty) {
						t.Errorf("%q: got %q, %v, want ErrEmpty", row.Template, got, err)
					}
				case err != nil || got != want:
					t.Errorf("%q: got %q, %v, want %q", row.Template, got, err, want)
				}
				if _, check := r.Program(row.Template); (check != nil) != wantErr {
					t.Errorf("Program(%q) = %v, want an error: %v", row.Template, check, wantErr)
				}
			}
		})
	}
}

const peopleTemplate = "The person's name is {{label}}.{{#if desc}} They are described with the following synopsis: {{#each desc}} *{{this}} {{/each}}.{{/if}}{{#if gender}} Their gender is {{gender}}.{{/if}}{{#if hair_colors}} They have the following hair colours: {{hair_colors}}.{{/if}}{{#if mass}} They have a mass of {{mass}}.{{/if}}{{#if skin_colors}} Their skin colours are {{skin_colors}}.{{/if}}{{#if species}} Their species is {{species.label}}.{{/if}}{{#if homeworld}} Their homeworld is {{homeworld.label}}.{{/if}}"

const yoda = `{"birth_year":"896BBY","created":"2014-12-15T12:26:01.042Z","desc":["A very old, small and wise teacher."],"edited":null,"eye_color":"brown","gender":"male","hair_colors":"white","height":"66","homeworld":{"label":"unknown"},"label":"Yoda","mass":"17","skin_colors":"green","species":{"label":"Yoda's species"},"url":null}`

const yodaText = "The person's name is Yoda. They are described with the following synopsis:  *A very old, small and wise teacher. . Their gender is male. They have the following hair colours: white. They have a mass of 17. Their skin colours are green. Their species is Yoda's species. Their homeworld is unknown."

// TestPeople fills in the template that was published for the database's demo.
func TestPeople(t *testing.T) {
	r := templates.New(templates.Limits{})
	for _, c := range []struct{ name, data, want string }{
		{"all fields", yoda, yodaText},
		{"only a name", `{"label":"R5","desc":[],"gender":null,"hair_colors":null,"mass":null,"skin_colors":null,"species":null,"homeworld":null}`,
			"The person's name is R5."},
		{"lists of colours, a numeric mass", `{"label":"Obi-Wan","hair_colors":["auburn","white"],"mass":77.50,"skin_colors":["fair"]}`,
			"The person's name is Obi-Wan. They have the following hair colours: auburn, white. They have a mass of 77.50. Their skin colours are fair."},
	} {
		got, err := r.Render(t.Context(), peopleTemplate, []byte(c.data))
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.name, got, err, c.want)
		}
	}
}
