package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
)

var _ = register[duplicatesCmd](ofDuplicates, "duplicates", "List pairs of documents that are nearly the same.")

// duplicatesCmd lists pairs of near-equal documents.
type duplicatesCmd struct {
	ClientConfig
	Report
	Where
	Likeness  string   `enum:",mixed,vector,words,trigrams" default:"" placeholder:"BY" help:"What to compare by: mixed (the default), vector, words or trigrams."`
	Match     string   `enum:",all,mutual,one_to_one,groups" default:"" placeholder:"HOW" help:"Which pairs count: groups (the default), all, mutual or one_to_one."`
	MinScore  *float64 `placeholder:"S" help:"Least likeness of a pair, from 0 to 1 (the default depends on --likeness and --match)."`
	Same      []string `placeholder:"FIELD" help:"Only pairs of which this field is equal, or missing in one."`
	Differ    []string `placeholder:"FIELD" help:"No pairs of which this field differs."`
	Threshold *float64 `placeholder:"D" help:"Compare by the distance of vectors alone, and list what is within this one, from 0 (the same text) to 1."`
	Since     string   `placeholder:"ID" help:"List only pairs that came about since this indexed commit."`
	FailOnAny bool     `help:"Exit with 6 if there is one."`
	FailOver  *float64 `placeholder:"D" help:"List pairs up to this distance, and exit with 6 if there is one."`
	Count     int      `xor:"pairs" placeholder:"N" help:"Most pairs to list, 1 to 1000 (default all)."`
	All       bool     `xor:"pairs" help:"List every pair, not only the nearest of each text, as they are found: one a line, with --json as JSON."`
	search.Filter
}

// idsOf names a group's documents.
func idsOf(g *api.Group) []string {
	ids := make([]string, len(g.Group))
	for i, m := range g.Group {
		ids[i] = plainText(m.ID)
	}
	return ids
}

// duplicates is what the command prints.
type duplicates struct {
	Commit string      `json:"commit"`
	Since  string      `json:"since,omitempty"`
	Groups []api.Group `json:"groups"`

	within string // which distance; empty where likeness counts
	title  func(string) string
}

// Run runs the command.
func (c *duplicatesCmd) Run(ctx context.Context, p *program) error {
	if c.All && c.given() {
		return usage("--all prints lines: --summary and --summary-to do not go with it")
	}
	if err := c.choose(p); err != nil {
		return err
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	q := query(c.with(&search.DuplicatesRequest{
		Since: c.Since, Set: c.Filter, Page: search.Page{Count: c.Count},
		Pairing: search.Pairing{Likeness: search.Likeness(c.Likeness), Match: search.Match(c.Match), Same: c.Same, Differ: c.Differ},
	}))
	threshold, within := c.Threshold, ""
	if c.FailOver != nil && (threshold == nil || *threshold < *c.FailOver) {
		threshold = c.FailOver
	}
	if threshold != nil { // 0, too, which is not the same as none
		q.Set("threshold", fmt.Sprint(float32(*threshold)))
		within = fmt.Sprintf(" within %g", *threshold)
	}
	if c.MinScore != nil {
		q.Set("min_score", fmt.Sprint(float32(*c.MinScore)))
	}
	if c.All {
		return c.list(ctx, p, cl, q)
	}
	res := duplicates{Since: c.Since, Groups: []api.Group{}, within: within, title: p.paint(p.stdout).dim}
	a, err := cl.get(ctx, "/duplicates", q, &res.Groups)
	if err != nil {
		return err
	}
	res.Commit = a.commit()
	if err := c.print(p, &res); err != nil {
		return err
	}
	over := 0
	for i := range res.Groups {
		over += c.over(&res.Groups[i])
	}
	return c.verdict(over)
}

// list prints every pair as it comes.
func (c *duplicatesCmd) list(ctx context.Context, p *program, cl *client, q url.Values) error {
	over := 0
	err := cl.lines(ctx, "/duplicates", q, func(line []byte) error {
		var g api.Group
		if err := foreign(cl.server+"/duplicates", json.Unmarshal(line, &g)); err != nil {
			return err
		}
		over += c.over(&g)
		var err error
		if p.json {
			_, err = fmt.Fprintf(p.stdout, "%s\n", line)
		} else {
			err = printGroup(p.stdout, &g)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.verdict(over)
}

// over returns 1 for a pair that there may not be.
func (c *duplicatesCmd) over(g *api.Group) int {
	// The server compares and answers in single precision.
	if c.FailOnAny || c.FailOver != nil && g.Distance <= float32(*c.FailOver) {
		return 1
	}
	return 0
}

// verdict returns the error of pairs that there may not be.
func (c *duplicatesCmd) verdict(over int) error {
	if over == 0 {
		return nil
	}
	if c.FailOnAny {
		what := "pair"
		if !c.All && c.Threshold == nil && c.FailOver == nil {
			what = "group"
		}
		return as(errDuplicates, fmt.Errorf("%s of duplicates%s", count(over, what), since(c.Since)))
	}
	return as(errDuplicates, fmt.Errorf("%s within %g%s", count(over, "pair"), *c.FailOver, since(c.Since)))
}

// since says which pairs are listed.
func since(commit string) string {
	if commit == "" {
		return ""
	}
	return " since " + plainText(commit)
}

// measured returns a group's score, or its distance where only that counts.
func measured(g *api.Group) float32 {
	switch {
	case g.MeanScore != nil:
		return *g.MeanScore
	case g.Alike != nil:
		return g.Score
	}
	return g.Distance
}

// kind returns what the groups are, and what is told of them.
func (d *duplicates) kind() (what, measure string) {
	switch {
	case len(d.Groups) > 0 && d.Groups[0].MeanScore != nil:
		return "group", "score"
	case len(d.Groups) > 0 && d.Groups[0].Alike != nil:
		return "pair", "score"
	}
	return "pair", "distance"
}

func printGroup(w io.Writer, g *api.Group) error {
	_, err := fmt.Fprintf(w, "%.4f  %s\n", measured(g), strings.Join(idsOf(g), "  "))
	return err
}

func (d *duplicates) failed() bool { return false }

func (d *duplicates) text(w io.Writer) {
	if len(d.Groups) == 0 {
		fmt.Fprintf(w, "no duplicates%s%s at commit %s\n", d.within, since(d.Since), plainText(d.Commit))
		return
	}
	what, _ := d.kind()
	fmt.Fprintln(w, d.title(count(len(d.Groups), what)+since(d.Since)+" at commit "+plainText(d.Commit)))
	for i := range d.Groups {
		_ = printGroup(w, &d.Groups[i]) // as all that is printed for people
	}
}

// maxShownPairs is how many pairs a Markdown summary lists.
const maxShownPairs = 100

func (d *duplicates) markdown(w io.Writer) {
	since := ""
	if d.Since != "" {
		since = " since " + mdCode(d.Since)
	}
	if len(d.Groups) == 0 {
		fmt.Fprintf(w, "### vectorlink: no duplicates%s%s at %s\n\n", d.within, since, mdCode(d.Commit))
		return
	}
	what, measure := d.kind()
	fmt.Fprintf(w, "### vectorlink: %s of near-duplicates%s at %s\n\n| %s | documents |\n| ---: | --- |\n",
		count(len(d.Groups), what), since, mdCode(d.Commit), measure)
	for i, g := range d.Groups {
		if i == maxShownPairs {
			fmt.Fprintf(w, "| | and %d more |\n", len(d.Groups)-i)
			break
		}
		ids := idsOf(&g)
		for i, id := range ids {
			ids[i] = mdCell(id)
		}
		fmt.Fprintf(w, "| %.4f | %s |\n", measured(&g), strings.Join(ids, " "))
	}
	fmt.Fprintln(w)
}
