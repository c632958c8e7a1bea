package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// checkCmd looks for mistakes in pairs.
type checkCmd struct {
	SchemaConfig
	Pairs  string `placeholder:"FILE" help:"Check the pairs of this file, as suggest prints them, before those of the schema."`
	Sample int    `default:"100" placeholder:"N" help:"Documents of each class to try (default 100; 0 is all)."`
	Strict bool   `help:"Exit with 1 for warnings too."`
}

// Help is shown by check --help.
func (c *checkCmd) Help() string {
	return `Every query is held against the schema, every template against what its query
answers, and documents of every class are rendered. An error keeps documents out
of the index; a warning is about something that was hardly meant.`
}

// The severities of findings.
const (
	severityError   = "error"
	severityWarning = "warning"
)

// finding is what is wrong with the pair of a class.
type finding struct {
	Class    string   `json:"class"`
	Severity string   `json:"severity"` // error or warning
	Part     string   `json:"part"`     // schema, query, template or documents
	Line     int      `json:"line,omitempty"`
	Text     string   `json:"text"`
	IDs      []string `json:"ids,omitempty"` // some of the documents it is about
}

// checkResult is what the command prints.
type checkResult struct {
	Tried    map[string]int `json:"documents"` // rendered, by class
	Findings []finding      `json:"findings"`
}

func (r *checkResult) add(class, severity, part string, line int, format string, args ...any) *finding {
	r.Findings = append(r.Findings, finding{class, severity, part, line, fmt.Sprintf(format, args...), nil})
	return &r.Findings[len(r.Findings)-1]
}

// Run runs the command.
func (c *checkCmd) Run(ctx context.Context, p *program) error {
	w, err := c.open(ctx, p, c.Pairs)
	if err != nil {
		return err
	}
	res := &checkResult{Tried: make(map[string]int), Findings: []finding{}}
	r := templates.New(templates.Limits{})
	for _, pair := range w.pairs {
		if err := res.checkPair(ctx, w, r, pair, c.Sample); err != nil {
			return fromSource(err)
		}
	}
	res.checkHeirs(w)
	if p.json {
		err = printJSON(p.stdout, res)
	} else {
		res.print(p)
	}
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range res.Findings {
		if f.Severity == severityError {
			bad++
		}
	}
	switch {
	case bad > 0:
		return errors.New(count(bad, "error"))
	case c.Strict && len(res.Findings) > 0:
		return errors.New(count(len(res.Findings), "warning"))
	}
	return nil
}

// checkPair checks one class. Its error is the database's.
func (r *checkResult) checkPair(ctx context.Context, w *workshop, renderer *templates.Renderer, pair docdb.Class, sample int) error {
	r.Tried[pair.Name] = 0
	if pair.Err != nil {
		r.add(pair.Name, severityError, "schema", 0, "%v", pair.Err)
		return nil
	}
	answer, problems, err := w.schema.Answer(pair)
	if err != nil {
		r.add(pair.Name, severityError, "query", 0, "%v", err)
		return nil
	}
	for _, text := range problems {
		r.add(pair.Name, severityError, "query", 0, "%s", text)
	}
	if pair.Template == "" {
		r.add(pair.Name, severityWarning, "template", 0, "there is a query but no template: the class is not indexed")
		return nil
	}
	var shape *templates.Shape // not known where the query is wrong
	if len(problems) == 0 {
		shape = shapeOf(answer)
	}
	warnings, err := renderer.Review(pair.Template, shape)
	var bad *templates.TemplateError
	switch {
	case errors.As(err, &bad):
		r.add(pair.Name, severityError, "template", bad.Line, "%s", bad.Reason)
		return nil
	case err != nil:
		r.add(pair.Name, severityError, "template", 0, "%v", err)
		return nil
	}
	for _, warning := range warnings {
		r.add(pair.Name, severityWarning, "template", warning.Line, "%s", warning.Text)
	}
	if len(problems) > 0 {
		return nil // the database would refuse the query
	}
	return r.checkDocuments(ctx, w, renderer, pair, sample)
}

func shapeOf(a *docdb.Answer) *templates.Shape {
	s := &templates.Shape{Many: a.Many}
	if a.Members != nil {
		s.Members = make(map[string]*templates.Shape, len(a.Members))
		for name, m := range a.Members {
			s.Members[name] = shapeOf(m)
		}
	}
	return s
}

// maxShownIDs is how many documents a finding names.
const maxShownIDs = 3

// checkDocuments renders documents of a class and gathers what is wrong with
// their texts.
func (r *checkResult) checkDocuments(ctx context.Context, w *workshop, renderer *templates.Renderer, pair docdb.Class, sample int) error {
	var empty, marked []string
	html := ""
	failed := make(map[string][]string) // by reason
	for op, err := range w.client.Documents(ctx, w.schema, pair, nil, sample) {
		if err != nil {
			return err
		}
		r.Tried[pair.Name]++
		var text string
		if err = op.Err; op.Kind == contract.Upsert {
			text, err = renderer.Render(ctx, op.Template, op.Data)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, templates.ErrEmpty):
			empty = append(empty, op.ID)
		case err != nil:
			failed[err.Error()] = append(failed[err.Error()], op.ID)
		default:
			if found := templates.FindHTML(text); found != "" {
				marked, html = append(marked, op.ID), cmp.Or(html, found)
			}
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(failed)) {
		r.about(pair.Name, severityError, failed[reason], "cannot be rendered: "+reason)
	}
	if len(empty) > 0 {
		r.about(pair.Name, severityWarning, empty, "render to nothing, and are not indexed")
	}
	if len(marked) > 0 {
		r.about(pair.Name, severityWarning, marked, fmt.Sprintf("have HTML in their texts, such as %q", html))
	}
	return nil
}

func (r *checkResult) about(class, severity string, ids []string, what string) {
	f := r.add(class, severity, "documents", 0, "%d of %d documents %s", len(ids), r.Tried[class], what)
	f.IDs = ids[:min(len(ids), maxShownIDs)]
}

// checkHeirs warns of classes that inherit from one with a pair and have none:
// the database does not inherit metadata, so their documents are not indexed.
func (r *checkResult) checkHeirs(w *workshop) {
	paired := func(name string) bool {
		return slices.ContainsFunc(w.pairs, func(p docdb.Class) bool { return p.Name == name })
	}
	for _, class := range w.schema.Classes {
		if class.Abstract || class.Part || paired(class.Name) {
			continue
		}
		for _, parent := range class.Parents {
			if paired(parent) {
				r.add(class.Name, severityWarning, "schema", 0, "it inherits from %s, but a query and a template are not inherited: its documents are not indexed", parent)
			}
		}
	}
}

func (r *checkResult) print(p *program) {
	paint := p.paint(p.stdout)
	classes := maps.Clone(r.Tried)
	for _, f := range r.Findings {
		classes[f.Class] += 0
	}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		tried := ""
		if n, ok := r.Tried[name]; ok {
			tried = ": " + count(n, "document") + " tried"
		}
		fmt.Fprintf(p.stdout, "%s%s\n", paint.bold(plainText(name)), tried)
		for _, f := range r.Findings {
			if f.Class != name {
				continue
			}
			where := f.Part
			if f.Line > 0 {
				where = fmt.Sprintf("%s, line %d", f.Part, f.Line)
			}
			fmt.Fprintf(p.stdout, "  %s: %s: %s\n", f.Severity, where, clip(f.Text, 500))
			if len(f.IDs) > 0 {
				fmt.Fprintf(p.stdout, "    %s\n", paint.dim(plainText(strings.Join(f.IDs, "  "))))
			}
		}
	}
	if len(classes) == 0 {
		fmt.Fprintln(p.stdout, "no class has a query and a template: vectorlink templates suggest proposes some")
	}
}
