package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/vectorlink/vectorlink/search"
)

var _ = add(command{ofReading, "diff", "List the documents that changed between two commits, and how far they moved in meaning.", func() any {
	return &diffCmd{request: asks(tags{"count": `default:"100" help:"Most documents to list, 1 to 1000 (default 100)."`}, &search.DiffRequest{})}
}, nil})

// diffCmd lists the documents that changed between two commits.
type diffCmd struct {
	ClientConfig
	Report
	request
}

// diffed is what the command prints.
type diffed struct{ search.Diff }

// Run runs the command.
func (c *diffCmd) Run(ctx context.Context, p *program) error {
	if err := c.choose(p); err != nil {
		return err
	}
	var res diffed
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/diff", query(c.values()), nil, &res.Diff); err != nil {
		return err
	}
	return c.print(p, &res)
}

func (d *diffed) failed() bool { return false }

func (d *diffed) title() string {
	return fmt.Sprintf("%d changed, %d added, %d removed", d.Changed, d.Added, d.Removed)
}

// far returns how far a document moved, as a cell.
func far(e *search.DiffedEntry) any {
	switch {
	case e.FieldsOnly:
		return number("fields")
	case e.Distance == nil:
		return nil
	}
	return *e.Distance
}

// rows are the documents, under the titles that these are.
func (d *diffed) rows(titles ...any) grid {
	rows := grid{titles}
	for i := range d.Documents {
		e := &d.Documents[i]
		rows = append(rows, []any{word(e.Change), far(e), e.ID})
	}
	if more := d.Changed + d.Added + d.Removed - len(d.Documents); more > 0 {
		rows = append(rows, []any{nil, nil, word(fmt.Sprintf("and %d more", more))})
	}
	return rows
}

func (d *diffed) text(w io.Writer) {
	fmt.Fprintf(w, "%s from %s to %s\n", d.title(), plainText(d.From), plainText(d.To))
	d.rows("", "", "").text(w)
}

func (d *diffed) markdown(w io.Writer) {
	fmt.Fprintf(w, "### vectorlink: %s from %s to %s\n\n", d.title(), mdCode(d.From), mdCode(d.To))
	if len(d.Documents) > 0 {
		d.rows("", "moved", "document").markdown(w)
	}
}

func (d *diffed) findings() []finding {
	var list []finding
	for i := range d.Documents {
		e := &d.Documents[i]
		list = append(list, finding{rule: "document-" + string(e.Change), level: levelNote, ids: []string{e.ID}, text: string(e.Change)})
	}
	return list
}
