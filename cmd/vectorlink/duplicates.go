package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/pairs"
)

var _ = add(command{ofDuplicates, "duplicates", "List documents that are nearly the same.", func() any {
	return &duplicatesCmd{request: asks(tags{
		"count": `xor:"pairs" help:"Most to list, 1 to 1000 (default all)."`, "start": "-",
		"target_doc_type": "-", "target_doc_id": "-", "target_filter": "-",
	}, &pairs.DuplicatesRequest{}, &pairs.ProfileRequest{})}
}, nil})

// duplicatesCmd lists near-equal documents.
type duplicatesCmd struct {
	ClientConfig
	Report
	request
	FailOnAny bool     `help:"Exit with 6 if there is one."`
	FailOver  *float32 `placeholder:"D" help:"List pairs up to this distance, and exit with 6 if there is one."`
	All       bool     `xor:"pairs" help:"List every pair, not only the nearest of each text, as they are found: one a line, with --json as JSON."`
	Decisions string   `placeholder:"FILE" help:"Apply the decisions of this file, too: JSON lines, as the command decisions writes them."`
	Profile   bool     `xor:"pairs" help:"Tell how many pairs have which score, with some of each, to choose --min-score by."`
}

// Help is shown by duplicates --help.
func (c *duplicatesCmd) Help() string {
	return `Pages and results of tests (--summary md, junit) show the texts of a pair with the
words marked that differ; the list does with --snippet.`
}

// Run runs the command.
func (c *duplicatesCmd) Run(ctx context.Context, p *program) (err error) {
	if c.All && c.given() {
		return usage("--all prints lines: --summary and --summary-to do not go with it")
	}
	if err := c.choose(p); err != nil {
		return err
	}
	method, body := http.MethodGet, any(nil)
	if c.Decisions != "" {
		var decisions []byte
		if decisions, err = os.ReadFile(c.Decisions); err != nil {
			return as(errUsage, fmt.Errorf("--decisions: %w", err))
		}
		method, body = http.MethodPost, bytes.NewReader(decisions)
		defer func() {
			// The server reads the file, and does not know its name.
			if no := (*refused)(nil); errors.As(err, &no) && strings.Contains(no.text, "is no decision") {
				err = as(errUsage, fmt.Errorf("--decisions: %s, %s", c.Decisions, no.text))
			}
		}()
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	q := query(c.values())
	if c.Profile {
		return c.profile(ctx, p, cl, method, q, body)
	}
	if over := c.FailOver; over != nil {
		if threshold, ok := c.values()["threshold"].(float32); !ok || threshold < *over {
			q.Set("threshold", fmt.Sprint(*over))
		}
	}
	if c.given() && c.Summary != "json" {
		q.Set("snippet", "true")
	}
	res := duplicates{Since: c.text("since"), Groups: []api.Group{}, command: c, paint: p.paint(p.stdout)}
	if text := q.Get("threshold"); text != "" {
		res.within = " within " + text
	}
	if c.All {
		_, err := cl.lines(ctx, method, "/duplicates", q, body, func(line []byte) error {
			var g api.Group
			if err := foreign(cl.server+"/duplicates", json.Unmarshal(line, &g)); err != nil {
				return err
			}
			res.note(&g)
			if p.json {
				return printJSON(p.stdout, g)
			}
			res.group(p.stdout, &g)
			return p.stdout.lost
		})
		return cmp.Or(err, res.verdict())
	}
	a, err := cl.decode(ctx, method, "/duplicates", q, body, &res.Groups)
	if err != nil {
		return err
	}
	res.Commit = a.commit()
	for i := range res.Groups {
		res.note(&res.Groups[i])
	}
	if err := c.print(p, &res); err != nil {
		return err
	}
	return res.verdict()
}

// duplicates is what the command prints.
type duplicates struct {
	Commit string      `json:"commit"`
	Since  string      `json:"since,omitempty"`
	Groups []api.Group `json:"groups"`

	command *duplicatesCmd
	within  string // which distance; empty where likeness counts
	paint   paint
	over    int    // how many there may not be
	noun    string // what these are
}

// bad reports whether there may not be such a pair or group.
func (d *duplicates) bad(g *api.Group) bool {
	// The server compares and answers in single precision.
	return d.command.FailOnAny || d.command.FailOver != nil && g.Distance <= *d.command.FailOver
}

// note counts what there may not be.
func (d *duplicates) note(g *api.Group) {
	if d.bad(g) {
		d.over++
		d.noun = nounOf(g)
	}
}

// verdict returns the error of those that there may not be.
func (d *duplicates) verdict() error {
	switch {
	case d.over == 0:
		return nil
	case d.command.FailOnAny:
		return as(errDuplicates, fmt.Errorf("%s of duplicates%s", count(d.over, d.noun), since(d.Since)))
	}
	return as(errDuplicates, fmt.Errorf("%s within %g%s", count(d.over, d.noun), *d.command.FailOver, since(d.Since)))
}

// since says which pairs are listed.
func since(commit string) string {
	if commit == "" {
		return ""
	}
	return " since " + plainText(commit)
}

func nounOf(g *api.Group) string {
	if g.MeanScore != nil {
		return "group"
	}
	return "pair"
}

// measured returns a group's score, or its distance where only that counts, and which
// it is.
func measured(g *api.Group) (measure float32, name string) {
	switch {
	case g.MeanScore != nil:
		return *g.MeanScore, "score"
	case g.Alike != nil:
		return g.Score, "score"
	}
	return g.Distance, "distance"
}

// idsOf names a group's documents.
func idsOf(g *api.Group) []string {
	ids := make([]string, len(g.Group))
	for i, m := range g.Group {
		ids[i] = m.ID
	}
	return ids
}

// compared calls each with the texts of a group's first document, which is the most
// typical one if there is such, and of every other one; not where they are not known.
func compared(g *api.Group, each func(a, b string)) {
	first := 0
	for i, m := range g.Group {
		if m.ID == g.Representative {
			first = i
		}
	}
	for i, m := range g.Group {
		if i != first && m.Snippet != nil && g.Group[first].Snippet != nil && *g.Group[first].Snippet+*m.Snippet != "" {
			each(*g.Group[first].Snippet, *m.Snippet)
		}
	}
}

// group prints a pair or group for people.
func (d *duplicates) group(w io.Writer, g *api.Group) {
	measure, _ := measured(g)
	decided := ""
	if g.Decided != "" {
		decided = "  decided " + string(g.Decided)
	}
	fmt.Fprintf(w, "%.4f  %s%s\n", measure, plainText(strings.Join(idsOf(g), "  ")), decided)
	compared(g, func(a, b string) {
		a, b = markedPair(a, b, d.paint.removed, d.paint.added, plainText)
		fmt.Fprintf(w, "        %s\n        %s\n", a, b)
	})
}

func (d *duplicates) failed() bool { return false }

func (d *duplicates) text(w io.Writer) {
	if len(d.Groups) == 0 {
		fmt.Fprintf(w, "no duplicates%s%s at commit %s\n", d.within, since(d.Since), plainText(d.Commit))
		return
	}
	fmt.Fprintln(w, d.paint.dim(count(len(d.Groups), nounOf(&d.Groups[0]))+since(d.Since)+" at commit "+plainText(d.Commit)))
	for i := range d.Groups {
		d.group(w, &d.Groups[i])
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
	fmt.Fprintf(w, "### vectorlink: %s of near-duplicates%s at %s\n\n", count(len(d.Groups), nounOf(&d.Groups[0])), since, mdCode(d.Commit))
	for i := range d.Groups {
		if i == maxShownPairs {
			fmt.Fprintf(w, "And %d more.\n\n", len(d.Groups)-i)
			break
		}
		g := &d.Groups[i]
		measure, name := measured(g)
		fmt.Fprintf(w, "%s %.4f:", name, measure)
		for _, id := range idsOf(g) {
			fmt.Fprintf(w, " %s", mdCode(id))
		}
		if g.Decided != "" {
			fmt.Fprintf(w, " (decided %s)", g.Decided)
		}
		fmt.Fprintf(w, "\n\n")
		compared(g, func(a, b string) {
			a, b = markedPair(a, b, htmlMark("del"), htmlMark("ins"), htmlText)
			// Of HTML, in which nothing means anything to Markdown before its end.
			fmt.Fprintf(w, "<pre>%s\n%s</pre>\n\n", a, b)
		})
	}
}

func (d *duplicates) findings() []finding {
	list := make([]finding, 0, len(d.Groups))
	for i := range d.Groups {
		g := &d.Groups[i]
		measure, name := measured(g)
		f := finding{rule: "duplicates", level: levelWarning, ids: idsOf(g), text: fmt.Sprintf("nearly the same (%s %.4f): %s", name, measure, strings.Join(idsOf(g), " "))}
		if d.bad(g) {
			f.level = levelError
		}
		compared(g, func(a, b string) {
			a, b = markedPair(a, b, paint{}.removed, paint{}.added, plainText)
			f.text += "\n- " + a + "\n+ " + b
		})
		list = append(list, f)
	}
	return list
}

// profile prints how the scores of pairs are spread.
func (c *duplicatesCmd) profile(ctx context.Context, p *program, cl *client, method string, q url.Values, body any) error {
	a, err := cl.do(ctx, method, "/duplicates/profile", q, body)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.stdout, json.RawMessage(a.body))
	}
	return showing(printProfile)(p.stdout, p.paint(p.stdout), a)
}
