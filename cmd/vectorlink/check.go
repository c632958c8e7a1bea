package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
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

// Run runs the command.
func (c *checkCmd) Run(ctx context.Context, p *program) error {
	schema, _, err := c.open(ctx, p, c.Pairs)
	if err != nil {
		return err
	}
	report, err := schema.Check(ctx, templates.New(templates.Limits{}), c.Sample)
	if err != nil {
		return behind(err)
	}
	if p.json {
		err = printJSON(p.stdout, report)
	} else {
		p.printReport(report)
	}
	if err != nil {
		return err
	}
	switch bad := report.Count(workshop.Error); {
	case bad > 0:
		return errors.New(count(bad, "error"))
	case c.Strict && len(report.Findings) > 0:
		return errors.New(count(len(report.Findings), "warning"))
	}
	return nil
}

func (p *program) printReport(r *workshop.Report) {
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
