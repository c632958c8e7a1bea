package templates

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNoBetter: no improvement was found that holds.
var ErrNoBetter = errors.New("no better template")

// Improver asks a chat model for better sentences in suggested templates.
type Improver struct {
	// Complete asks the model: a message under instructions.
	Complete func(ctx context.Context, instructions, message string) (string, error)
	// Try fills a template in with real documents of the class. Its error says
	// what is wrong, and is told the model.
	Try func(ctx context.Context, template string) error
}

// improveTries is how often the model is asked for one template.
const improveTries = 3

const instructions = `You write Handlebars templates that turn a database document into plain English prose for a text embedding model.
Improve the sentences of the draft: natural, short, in the words of the field's subject. Rules:
- Use only fields that the draft uses, each at least once, under the same paths.
- Guard every field but the first with {{#if}}, as the draft does; keep loops over lists as they are.
- Only {{field}}, #if, #unless, #each, @last, else. No helpers, partials, comments, HTML or line breaks.
- State nothing that the fields do not say.
Answer with one JSON object and nothing else: {"template": "..."}`

// Improve returns a template in better words for the class of a pair, that
// reviews without a warning over the shape of its query's answer, speaks of the
// same fields, and passes Try. The model is told what was wrong and asked again a
// few times; then the error is ErrNoBetter. Other errors are those of Complete.
//
// The model sees the class's name, the query and the template: no document.
func (r *Renderer) Improve(ctx context.Context, by Improver, class string, pair Pair, shape *Shape) (string, error) {
	message := fmt.Sprintf("Class: %s\nQuery: %s\nDraft: %s", class, pair.Query, pair.Template)
	var wrong error
	for range improveTries {
		answer, err := by.Complete(ctx, instructions, message)
		if err != nil {
			return "", err
		}
		template, err := parseImproved(answer)
		if err == nil {
			err = r.better(ctx, by, template, pair, shape)
		}
		if err == nil {
			return template, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("templates: %w", ctx.Err())
		}
		wrong = err
		message = fmt.Sprintf("Class: %s\nQuery: %s\nDraft: %s\nYour last answer was refused: %v", class, pair.Query, pair.Template, err)
	}
	return "", fmt.Errorf("templates: %w: %w", ErrNoBetter, wrong)
}

// parseImproved finds the template in a model's answer, which may stand in a
// fence.
func parseImproved(answer string) (string, error) {
	from, to := strings.IndexByte(answer, '{'), strings.LastIndexByte(answer, '}')
	var object struct {
		Template string `json:"template"`
	}
	if from < 0 || to < from || json.Unmarshal([]byte(answer[from:to+1]), &object) != nil || object.Template == "" {
		return "", errors.New(`it is not a JSON object with a member "template"`)
	}
	return object.Template, nil
}

// better reports what is wrong with a proposed template.
func (r *Renderer) better(ctx context.Context, by Improver, template string, pair Pair, shape *Shape) error {
	if strings.ContainsAny(template, "\r\n") {
		return errors.New("it has line breaks")
	}
	warnings, err := r.Review(template, shape)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return errors.New(warnings[0].Text)
	}
	want, err := r.printed(pair.Template)
	if err != nil {
		return err
	}
	have, err := r.printed(template)
	if err != nil {
		return err
	}
	for path := range want {
		if !have[path] {
			return fmt.Errorf("it does not say {{%s}}", path)
		}
	}
	return by.Try(ctx, template)
}

// printed returns the paths that a template prints.
func (r *Renderer) printed(template string) (map[string]bool, error) {
	prog, err := r.program(template)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool)
	var walk func(nodes []node)
	walk = func(nodes []node) {
		for _, n := range nodes {
			switch n := n.(type) {
			case print:
				if p, ok := n.value.(*path); ok {
					paths[p.String()] = true
				}
			case *block:
				walk(n.body)
				walk(n.otherwise)
			}
		}
	}
	walk(prog.body)
	return paths, nil
}
