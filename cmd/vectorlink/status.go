package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// statusCmd shows what the server has indexed.
type statusCmd struct {
	ClientConfig
	Domain string `placeholder:"ORG/DB" help:"Show this database's commits and branches."`
}

// statistics is what people see of /statistics.
type statistics struct {
	Domains   int   `json:"domains"`
	Branches  int   `json:"branches"`
	Commits   int   `json:"indexed_commits"`
	Documents int   `json:"documents"`
	Chunks    int   `json:"chunks"`
	Settings  *kept `json:"settings"`
}

// commitRow is an indexed commit: what is in it, and what it cost.
type commitRow struct {
	Commit    string    `json:"commit"`
	Base      string    `json:"base,omitempty"`
	Branch    string    `json:"branch"`
	Kind      string    `json:"kind"`
	Version   uint64    `json:"version"`
	Created   time.Time `json:"created,omitzero"`
	Bytes     int64     `json:"bytes"`
	Documents int       `json:"documents"`
	Chunks    int       `json:"chunks"`
	Indexed   int       `json:"indexed_documents"`
	Deleted   int       `json:"deleted"`
	Embedded  int       `json:"embedded"`
	Reused    int       `json:"reused"`
	Tokens    int       `json:"tokens"`
	Skipped   int       `json:"skipped,omitempty"`
}

// head is a branch's last indexed commit.
type head struct {
	Branch  string  `json:"branch"`
	Commit  *string `json:"commit"`
	Version uint64  `json:"version"`
}

// Run runs the command.
func (c *statusCmd) Run(ctx context.Context, p *program) error {
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	var raw json.RawMessage
	if _, err := cl.get(ctx, "/statistics", values("domain", c.Domain), &raw); err != nil {
		return err
	}
	var st statistics
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("%s/statistics did not answer as a vectorlink server does: %w", cl.server, err)
	}
	out := struct {
		Statistics json.RawMessage `json:"statistics"`
		Heads      []head          `json:"heads,omitempty"`
		Commits    []commitRow     `json:"commits,omitempty"`
	}{Statistics: raw}
	if c.Domain != "" && st.Commits > 0 {
		if _, err := cl.get(ctx, "/commits", values("domain", c.Domain), &out.Commits); err != nil {
			return err
		}
		if out.Heads, err = cl.heads(ctx, c.Domain, out.Commits); err != nil {
			return err
		}
	}
	if p.json {
		return printJSON(p.stdout, out)
	}
	return p.printStatus(c.Domain, st, out.Heads, out.Commits)
}

// heads asks for the heads of the branches that commits were indexed on.
func (c *client) heads(ctx context.Context, domain string, commits []commitRow) ([]head, error) {
	var names []string
	for _, row := range commits {
		if !slices.Contains(names, row.Branch) {
			names = append(names, row.Branch)
		}
	}
	slices.Sort(names)
	var list []head
	for _, name := range names {
		var h head
		if _, err := c.get(ctx, "/last-indexed", values("domain", domain, "branch", name), &h); err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}

func (p *program) printStatus(domain string, st statistics, heads []head, commits []commitRow) error {
	paint := p.paint(p.stdout)
	if domain == "" {
		fmt.Fprintf(p.stdout, "%s, ", count(st.Domains, "domain"))
	}
	branches := "1 branch"
	if st.Branches != 1 {
		branches = fmt.Sprintf("%d branches", st.Branches)
	}
	fmt.Fprintf(p.stdout, "%s, %s, %s in %s\n", branches,
		count(st.Commits, "indexed commit"), count(st.Documents, "document"), count(st.Chunks, "chunk"))
	if st.Settings != nil {
		fmt.Fprintln(p.stdout, plainText(st.Settings.String()))
	}
	if len(commits) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	rows := [][]string{{"BRANCH", "LAST INDEXED"}}
	for _, h := range heads {
		commit := "none"
		if h.Commit != nil {
			commit = *h.Commit
		}
		rows = append(rows, []string{plainText(h.Branch), plainText(commit)})
	}
	if err := table(p.stdout, "", rows); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	fmt.Fprintln(p.stdout, paint.bold("Commits, newest first"))
	rows = [][]string{{"COMMIT", "BRANCH", "KIND", "DOCUMENTS", "CHANGED", "DELETED", "EMBEDDED", "BYTES"}}
	for _, c := range commits {
		rows = append(rows, []string{plainText(c.Commit), plainText(c.Branch), c.Kind,
			strconv.Itoa(c.Documents), strconv.Itoa(c.Indexed), strconv.Itoa(c.Deleted), strconv.Itoa(c.Embedded), strconv.FormatInt(c.Bytes, 10)})
	}
	return table(p.stdout, "lllrrrrr", rows)
}
