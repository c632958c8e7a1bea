package workshop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// ErrNoBetter: no improvement was found that holds.
var ErrNoBetter = errors.New("no better template")

// improveTries is how often the model is asked for one template.
const improveTries = 3

const instructions = `You write Handlebars templates that turn a database document into plain English prose for a text embedding model.
Improve the sentences of the draft: natural, short, in the words of the field's subject. Rules:
- Use only fields that the draft uses, each at least once, under the same paths.
- Guard every field but the first with {{#if}}, as the draft does; keep loops over lists as they are.
- Only {{field}}, #if, #unless, #each, @last, else. No helpers, partials, comments, HTML or line breaks.
- State nothing that the fields do not say.
Answer with one JSON object and nothing else: {"template": "..."}`

// triedDocuments is how many documents of a class an improved template must
// render.
const triedDocuments = 20

// Completer asks a chat model: a message under instructions.
type Completer func(ctx context.Context, instructions, message string) (string, error)

// Improve puts the template of a suggestion in better words, those of a chat
// model. It must review without a warning over the shape of its query's answer,
// speak of the same fields, and render documents of the class. The model is
// given what was wrong and asked again a few times; then the error is ErrNoBetter and
// the suggestion stays as it is. Other errors are those of complete and of the
// database.
//
// The model sees the class's name, the query and the template: no document.
func (s *Schema) Improve(ctx context.Context, r *templates.Renderer, complete Completer, of *Suggestion) error {
	pair := docdb.Class{Name: of.Class, Query: of.Pair.Query, Template: of.Pair.Template}
	answer, _, err := s.schema.Answer(pair)
	if err != nil {
		return err
	}
	var documents [][]byte
	for op, err := range s.Documents(ctx, pair, nil, triedDocuments) {
		if err != nil {
			return err
		}
		if op.Kind == contract.Upsert {
			documents = append(documents, op.Data)
		}
	}
	better, err := improver{r, complete, answer, documents}.improve(ctx, of.Class, of.Pair)
	if err != nil {
		return err
	}
	changed := Pair{of.Pair.Query, better}
	object, err := with(s.Class(of.Class), changed)
	if err != nil {
		return err
	}
	of.Pair, of.Object = changed, object
	return nil
}

// improver is what better templates of one class are held against.
type improver struct {
	renderer  *templates.Renderer
	complete  Completer
	shape     *docdb.Answer
	documents [][]byte
}

func (i improver) improve(ctx context.Context, class string, pair Pair) (string, error) {
	question := fmt.Sprintf("Class: %s\nQuery: %s\nDraft: %s", class, pair.Query, pair.Template)
	message := question
	var wrong error
	for range improveTries {
		answer, err := i.complete(ctx, instructions, message)
		if err != nil {
			return "", err
		}
		var template string
		if template, wrong = parseImproved(answer); wrong == nil {
			wrong = i.check(ctx, template, pair)
		}
		if wrong == nil {
			return template, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("workshop: %w", ctx.Err())
		}
		message = fmt.Sprintf("%s\nYour last answer was refused: %v", question, wrong)
	}
	return "", fmt.Errorf("workshop: %w: %w", ErrNoBetter, wrong)
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

// check reports what is wrong with a proposed template. Its error quotes no
// document.
func (i improver) check(ctx context.Context, template string, pair Pair) error {
	if strings.ContainsAny(template, "\r\n") {
		return errors.New("it has line breaks")
	}
	warnings, err := Review(i.renderer, template, i.shape)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return errors.New(warnings[0].Text)
	}
	want, err := printed(i.renderer, pair.Template)
	if err != nil {
		return err
	}
	have, err := printed(i.renderer, template)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if !have[path] {
			return fmt.Errorf("it does not say {{%s}}", path)
		}
	}
	for _, data := range i.documents {
		if _, err := i.renderer.Render(ctx, template, data); err != nil {
			return err
		}
	}
	return nil
}

// printed returns the paths that a template prints.
func printed(r *templates.Renderer, template string) (map[string]bool, error) {
	prog, err := r.Program(template)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool)
	var walk func(nodes []templates.Node)
	walk = func(nodes []templates.Node) {
		for _, n := range nodes {
			switch n := n.(type) {
			case templates.Print:
				if path, ok := n.Value.(*templates.Path); ok {
					paths[path.String()] = true
				}
			case *templates.Block:
				walk(n.Body)
				walk(n.Otherwise)
			}
		}
	}
	walk(prog.Body)
	return paths, nil
}
