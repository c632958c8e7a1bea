package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

var _ = register[statusCmd](ofReading, "status", "Show what the server has indexed.")

// statusCmd shows what the server has indexed.
type statusCmd struct {
	ClientConfig
	Domain string `placeholder:"ORG/DB" help:"Show this database's commits and branches."`
	Ready  bool   `help:"Ask alone whether the server is ready for requests, as probes of containers do; 0 says that it is."`
}

// statistics is what people see of /statistics.
type statistics struct {
	Domains   int               `json:"domains"`
	Branches  int               `json:"branches"`
	Commits   int               `json:"indexed_commits"`
	Documents int               `json:"documents"`
	Chunks    int               `json:"chunks"`
	Settings  *catalog.Settings `json:"settings"`
}

// Run runs the command.
func (c *statusCmd) Run(ctx context.Context, p *program) error {
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	var raw json.RawMessage
	if c.Ready {
		if _, err := cl.get(ctx, "/health/ready", nil, &raw); err != nil {
			return err
		}
		return p.print(raw, func(w io.Writer, _ paint) { fmt.Fprintln(w, "ready") })
	}
	if _, err := cl.get(ctx, "/statistics", values("domain", c.Domain), &raw); err != nil {
		return err
	}
	var st statistics
	if err := foreign(cl.server+"/statistics", json.Unmarshal(raw, &st)); err != nil {
		return err
	}
	out := struct {
		Statistics json.RawMessage     `json:"statistics"`
		Heads      []search.Head       `json:"heads,omitempty"`
		Commits    []search.CommitInfo `json:"commits,omitempty"`
	}{Statistics: raw}
	if c.Domain != "" && st.Commits > 0 {
		if _, err := cl.get(ctx, "/commits", values("domain", c.Domain), &out.Commits); err != nil {
			return err
		}
		var list []search.DomainInfo
		if _, err := cl.get(ctx, "/domains", nil, &list); err != nil {
			return err
		}
		for _, d := range list {
			if d.Domain == c.Domain {
				out.Heads = d.Heads
			}
		}
	}
	return p.print(out, func(w io.Writer, paint paint) { printStatus(w, paint, c.Domain, st, out.Heads, out.Commits) })
}

var _ = (&reading{
	group: ofReading, name: "domains", help: "List the databases of which something is indexed.", path: "/domains",
	show: showing(func(w io.Writer, _ paint, list *[]search.DomainInfo, _ answered) {
		rows := grid{{"DATABASE", "COMMITS", "DOCUMENTS", "CHUNKS", "BYTES", "HEADS"}}
		for _, d := range *list {
			var heads []string
			for _, h := range d.Heads {
				heads = append(heads, h.Branch+" "+h.Commit)
			}
			rows = append(rows, []any{d.Domain, d.Commits, d.Documents, d.Chunks, d.CommitBytes + d.VectorBytes, strings.Join(heads, ", ")})
		}
		rows.text(w)
	}),
}).register()

var _ = (&reading{
	group: ofReading, name: "commits", help: "List the indexed commits of a database, newest first.",
	path: "/commits", requests: []any{&service.CommitsRequest{}},
	show: showing(func(w io.Writer, _ paint, list *[]search.CommitInfo, _ answered) { printCommits(w, *list) }),
}).register()

func printCommits(w io.Writer, commits []search.CommitInfo) {
	rows := grid{{"COMMIT", "BRANCH", "KIND", "DOCUMENTS", "CHANGED", "DELETED", "EMBEDDED", "BYTES"}}
	said := slices.ContainsFunc(commits, func(c search.CommitInfo) bool { return c.About != contract.About{} })
	if said {
		rows[0] = append(rows[0], "TIME", "AUTHOR", "MESSAGE")
	}
	for _, c := range commits {
		row := []any{c.Commit, c.Branch, c.Kind, c.Documents, c.Indexed, c.Deleted, c.Embedded, c.Bytes}
		if said {
			made, line := c.Time, ""
			if made.IsZero() {
				made = c.Created
			}
			line, _, _ = strings.Cut(c.Message, "\n")
			row = append(row, made.Format(time.DateTime), c.Author, line)
		}
		rows = append(rows, row)
	}
	rows.text(w)
}

func printStatus(w io.Writer, c paint, domain string, st statistics, heads []search.Head, commits []search.CommitInfo) {
	if domain == "" {
		fmt.Fprintf(w, "%s, ", count(st.Domains, "domain"))
	}
	branches := "1 branch"
	if st.Branches != 1 {
		branches = fmt.Sprintf("%d branches", st.Branches)
	}
	fmt.Fprintf(w, "%s, %s, %s in %s\n", branches,
		count(st.Commits, "indexed commit"), count(st.Documents, "document"), count(st.Chunks, "chunk"))
	if st.Settings != nil {
		fmt.Fprintln(w, plainText(settingsLine(st.Settings)))
	}
	if len(commits) == 0 {
		return
	}
	rows := grid{{"BRANCH", "LAST INDEXED"}}
	for _, h := range heads {
		rows = append(rows, []any{h.Branch, h.Commit})
	}
	fmt.Fprintln(w)
	rows.text(w)
	fmt.Fprintf(w, "\n%s\n", c.bold("Commits, newest first"))
	printCommits(w, commits)
}

// settingsLine returns the settings of a database as one line.
func settingsLine(s *catalog.Settings) string {
	words := []string{
		"metric " + string(s.Metric), "normalize " + strconv.FormatBool(s.Normalize), "language " + s.Language,
		"m " + strconv.Itoa(s.M), "ef_construction " + strconv.Itoa(s.EfConstruction),
	}
	if s.Dim > 0 {
		words = append(words, "dim "+strconv.Itoa(s.Dim))
	}
	if s.Weight > 0 {
		words = append(words, "weight "+strconv.FormatFloat(float64(s.Weight), 'g', -1, 32))
	}
	return strings.Join(words, ", ")
}
