package workshop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// Severity says what a finding means: an error keeps documents out of the index,
// a warning is about something that was hardly meant.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is what is wrong with the pair of a class.
type Finding struct {
	Class    string   `json:"class"`
	Severity Severity `json:"severity"`
	Part     string   `json:"part"` // schema, query, template or documents
	Line     int      `json:"line,omitempty"`
	Text     string   `json:"text"`
	IDs      []string `json:"ids,omitempty"` // some of the documents it is about
}

// Report is what a check found.
type Report struct {
	Tried    map[string]int `json:"documents"` // rendered, by class
	Findings []Finding      `json:"findings"`
}

// Count returns the number of findings of a severity.
func (r *Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (r *Report) add(class string, severity Severity, part string, line int, format string, args ...any) *Finding {
	r.Findings = append(r.Findings, Finding{class, severity, part, line, fmt.Sprintf(format, args...), nil})
	return &r.Findings[len(r.Findings)-1]
}

// Check holds every query against the schema and every template against what its
// query answers, and renders the first so many documents of every class (0:
// all). Its error is the database's or the context's.
func (s *Schema) Check(ctx context.Context, r *templates.Renderer, sample int) (*Report, error) {
	report := &Report{Tried: make(map[string]int), Findings: []Finding{}}
	for _, pair := range s.Pairs {
		if err := s.checkPair(ctx, report, r, pair, sample); err != nil {
			return nil, err
		}
	}
	s.checkHeirs(report)
	return report, nil
}

// CheckPair is Check for one pair.
func (s *Schema) CheckPair(ctx context.Context, r *templates.Renderer, pair docdb.Class, sample int) (*Report, error) {
	report := &Report{Tried: make(map[string]int), Findings: []Finding{}}
	return report, s.checkPair(ctx, report, r, pair, sample)
}

// checkPair checks one class. Its error is the database's.
func (s *Schema) checkPair(ctx context.Context, report *Report, r *templates.Renderer, pair docdb.Class, sample int) error {
	report.Tried[pair.Name] = 0
	if pair.Err != nil {
		report.add(pair.Name, Error, "schema", 0, "%v", pair.Err)
		return nil
	}
	answer, problems, err := s.schema.Answer(pair)
	if err != nil {
		report.add(pair.Name, Error, "query", 0, "%v", err)
		return nil
	}
	for _, text := range problems {
		report.add(pair.Name, Error, "query", 0, "%s", text)
	}
	if pair.Template == "" {
		report.add(pair.Name, Warning, "template", 0, "there is a query but no template: the class is not indexed")
		return nil
	}
	if len(problems) > 0 {
		answer = nil // not known where the query is wrong
	}
	warnings, err := Review(r, pair.Template, answer)
	var bad *templates.TemplateError
	switch {
	case errors.As(err, &bad):
		report.add(pair.Name, Error, "template", bad.Line, "%s", bad.Reason)
		return nil
	case err != nil:
		report.add(pair.Name, Error, "template", 0, "%v", err)
		return nil
	}
	for _, w := range warnings {
		report.add(pair.Name, Warning, "template", w.Line, "%s", w.Text)
	}
	if len(problems) > 0 {
		return nil // the database would refuse the query
	}
	return s.checkDocuments(ctx, report, r, pair, sample)
}

// checkDocuments renders documents of a class and gathers what is wrong with
// their texts.
func (s *Schema) checkDocuments(ctx context.Context, report *Report, r *templates.Renderer, pair docdb.Class, sample int) error {
	var empty, marked []string
	html := ""
	failed := make(map[string][]string) // by reason
	for op, err := range s.Documents(ctx, pair, nil, sample) {
		if err != nil {
			return err
		}
		report.Tried[pair.Name]++
		var text string
		if err = op.Err; op.Kind == contract.Upsert {
			text, err = r.Render(ctx, op.Template, op.Data)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, templates.ErrEmpty):
			empty = append(empty, op.ID)
		case err != nil:
			failed[err.Error()] = append(failed[err.Error()], op.ID)
		default:
			if found := FindHTML(text); found != "" {
				marked, html = append(marked, op.ID), cmp.Or(html, found)
			}
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(failed)) {
		report.about(pair.Name, Error, failed[reason], "cannot be rendered: "+reason)
	}
	if len(empty) > 0 {
		report.about(pair.Name, Warning, empty, "render to nothing, and are not indexed")
	}
	if len(marked) > 0 {
		report.about(pair.Name, Warning, marked, fmt.Sprintf("have HTML in their texts, such as %q", html))
	}
	return nil
}

// maxShownIDs is how many documents a finding names.
const maxShownIDs = 3

func (r *Report) about(class string, severity Severity, ids []string, what string) {
	f := r.add(class, severity, "documents", 0, "%d of %d documents %s", len(ids), r.Tried[class], what)
	f.IDs = ids[:min(len(ids), maxShownIDs)]
}

// checkHeirs warns of classes that inherit from one with a pair and have none:
// the database does not inherit metadata, so their documents are not indexed.
func (s *Schema) checkHeirs(report *Report) {
	for _, class := range s.Classes {
		if class.Abstract || class.Part || s.Pair(class.Name) != nil {
			continue
		}
		for _, parent := range class.Parents {
			if s.Pair(parent) != nil {
				report.add(class.Name, Warning, "schema", 0, "it inherits from %s, but a query and a template are not inherited: its documents are not indexed", parent)
			}
		}
	}
}
