package workshop_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/workshop"
)

func TestImprove(t *testing.T) {
	pair := workshop.Pair{Query: "query($id: ID){ People(id: $id) { label, homeworld { label } } }",
		Template: "The person is called {{label}}.{{#if homeworld}} The homeworld is {{homeworld.label}}.{{/if}}"}
	const good = "{{label}} is a person{{#if homeworld}} from {{homeworld.label}}{{/if}}."
	quoted := `{"template": "` + good + `"}`
	const fits = `{"label":"Luke","homeworld":{"label":"Tatooine"}}`
	unavailable := errors.New("no answer")
	for _, c := range []struct {
		name    string
		answers []string // of the model, in turn; the last is repeated
		data    string   // of a document
		want    string
		err     error
		told    string // what the model is told of its mistake
	}{
		{"at once", []string{quoted}, fits, good, nil, ""},
		{"in a fence", []string{"Sure!\n```json\n" + quoted + "\n```"}, fits, good, nil, ""},
		{"no JSON, then good", []string{"{{label}}", quoted}, fits, good, nil, "not a JSON object"},
		{"bad template", []string{`{"template":"{{#if label}}"}`, quoted}, fits, good, nil, "not closed"},
		{"unknown field", []string{`{"template":"{{label}} {{homeworld.label}} {{hair}}"}`, quoted}, fits, good, nil, "hair"},
		{"a field is lost", []string{`{"template":"{{label}}"}`, quoted}, fits, good, nil, "{{homeworld.label}}"},
		{"HTML", []string{`{"template":"<b>{{label}}</b> {{homeworld.label}}"}`, quoted}, fits, good, nil, "HTML"},
		{"line breaks", []string{`{"template":"{{label}}\n{{homeworld.label}}"}`, quoted}, fits, good, nil, "line breaks"},
		{"never", []string{"no"}, fits, "", workshop.ErrNoBetter, "not a JSON object"},
		{"documents fail", []string{quoted}, "[]", "", workshop.ErrNoBetter, "bad document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			var messages []string
			complete := func(_ context.Context, instructions, message string) (string, error) {
				if !strings.Contains(instructions, "JSON") || !strings.Contains(message, pair.Template) {
					t.Errorf("asked %q, %q", instructions, message)
				}
				messages = append(messages, message)
				asked++
				return c.answers[min(asked, len(c.answers))-1], nil
			}
			got, err := workshop.Better(t.Context(), complete, "People", pair, person, []byte(c.data))
			if got != c.want || !errors.Is(err, c.err) || asked > 3 {
				t.Errorf("got %q, %v after %d questions; want %q, %v", got, err, asked, c.want, c.err)
			}
			if c.told != "" && !strings.Contains(messages[len(messages)-1], c.told) {
				t.Errorf("the model is not told %q: %s", c.told, messages[len(messages)-1])
			}
		})
	}
	complete := func(context.Context, string, string) (string, error) { return "", unavailable }
	if _, err := workshop.Better(t.Context(), complete, "People", pair, person); !errors.Is(err, unavailable) {
		t.Errorf("without the model: %v", err)
	}
}
