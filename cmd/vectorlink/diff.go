package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

var _ = register[diffCmd](ofReading, "diff", "List the documents that changed between two commits, and how far they moved in meaning.")

// diffCmd lists the documents that changed between two commits.
type diffCmd struct {
	ClientConfig
	Report
	search.Between
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Count  int    `default:"100" placeholder:"N" help:"Most documents to list, 1 to 1000."`
}

// diffed is what the command prints.
type diffed struct{ search.Diff }

// Run runs the command.
func (c *diffCmd) Run(ctx context.Context, p *program) error {
	if err := c.choose(p); err != nil {
		return err
	}
	var res diffed
	req := search.DiffRequest{Domain: c.Domain, Between: c.Between, Page: search.Page{Count: c.Count}}
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/diff", query(service.Encode(&req)), nil, &res.Diff); err != nil {
		return err
	}
	return c.print(p, &res)
}

func (d *diffed) failed() bool { return false }

func (d *diffed) title() string {
	return fmt.Sprintf("%d changed, %d added, %d removed", d.Changed, d.Added, d.Removed)
}

// more says how many documents are not listed.
func (d *diffed) more() int { return d.Changed + d.Added + d.Removed - len(d.Documents) }

// far returns how far a document moved, as a cell.
func far(d *search.DiffedEntry) string {
	switch {
	case d.FieldsOnly:
		return "fields"
	case d.Distance == nil:
		return ""
	}
	return fmt.Sprintf("%.4f", *d.Distance)
}

func (d *diffed) text(w io.Writer) {
	fmt.Fprintf(w, "%s from %s to %s\n", d.title(), plainText(d.From), plainText(d.To))
	rows := make([][]string, len(d.Documents))
	for i := range d.Documents {
		e := &d.Documents[i]
		rows[i] = []string{string(e.Change), far(e), plainText(e.ID)}
	}
	table(w, "lrl", rows)
	if n := d.more(); n > 0 {
		fmt.Fprintf(w, "and %d more\n", n)
	}
}

func (d *diffed) markdown(w io.Writer) {
	fmt.Fprintf(w, "### vectorlink: %s from %s to %s\n\n", d.title(), mdCode(d.From), mdCode(d.To))
	if len(d.Documents) == 0 {
		return
	}
	fmt.Fprintln(w, "| | moved | document |\n| --- | ---: | --- |")
	for i := range d.Documents {
		e := &d.Documents[i]
		fmt.Fprintf(w, "| %s | %s | %s |\n", e.Change, far(e), mdCell(e.ID))
	}
	if n := d.more(); n > 0 {
		fmt.Fprintf(w, "| | | and %d more |\n", n)
	}
	fmt.Fprintln(w)
}

// searchDiff prints how the hits of a search changed between two commits.
func (p *program) searchDiff(ctx context.Context, cfg ClientConfig, q url.Values) error {
	var res search.SearchDiff
	if _, err := p.ask(ctx, cfg, http.MethodGet, "/search/diff", q, nil, &res); err != nil {
		return err
	}
	return p.print(res, func(w io.Writer, _ paint) { printSearchDiff(w, &res) })
}

func printSearchDiff(w io.Writer, res *search.SearchDiff) {
	counts := map[search.Change]int{}
	rows := make([][]string, len(res.Hits))
	rank := func(p *search.Placed) string {
		if p == nil {
			return "-"
		}
		return strconv.Itoa(p.Rank)
	}
	for i, h := range res.Hits {
		counts[h.Change]++
		var notes []string
		for _, n := range []struct {
			is   bool
			text string
		}{{h.TextChanged, "text changed"}, {h.Added, "new document"}, {h.Removed, "document removed"}} {
			if n.is {
				notes = append(notes, n.text)
			}
		}
		rows[i] = []string{string(h.Change), rank(h.Before), rank(h.After), plainText(h.ID), strings.Join(notes, ", ")}
	}
	fmt.Fprintf(w, "%d came, %d went, %d moved, %d stayed from %s to %s\n", counts[search.Came], counts[search.Went],
		counts[search.Moved], counts[search.Same], plainText(res.From), plainText(res.To))
	table(w, "lrrl", rows)
}
