package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

var _ = register[clustersCmd](ofReading, "clusters", "List the groups of documents that are alike, or what became of them.")

// clustersCmd lists the clusters of a commit, or what became of them.
type clustersCmd struct {
	ClientConfig
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Commit string `xor:"ref" required:"" placeholder:"ID" help:"Commit to read."`
	Branch string `xor:"ref" required:"" placeholder:"NAME" help:"Read the last indexed commit of this branch."`
	From   string `xor:"ref" required:"" placeholder:"ID" help:"With --to: what became of the clusters of this commit."`
	To     string `placeholder:"ID" help:"With --from: at this one."`

	search.ClusterOptions `embed:""`
	Filter                search.Filter `embed:""`
}

// Run runs the command.
func (c *clustersCmd) Run(ctx context.Context, p *program) error {
	if (c.From == "") != (c.To == "") {
		return usage("--from and --to go together")
	}
	q := values("domain", c.Domain, "commit", c.Commit, "branch", c.Branch, "from", c.From, "to", c.To)
	maps.Copy(q, query(service.Encode(&c.ClusterOptions)))
	maps.Copy(q, query(service.Encode(&c.Filter)))
	if c.From != "" {
		var diff search.ClustersDiff
		if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/clusters/diff", q, nil, &diff); err != nil {
			return err
		}
		return p.print(diff, func(w io.Writer, paint paint) { printChanges(w, paint, &diff) })
	}
	var found search.Clusters
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/clusters", q, nil, &found); err != nil {
		return err
	}
	return p.print(found, func(w io.Writer, paint paint) { printClusters(w, paint, &found) })
}

func printClusters(w io.Writer, paint paint, c *search.Clusters) {
	head := fmt.Sprintf("%s of %s at commit %s", count(c.Count, "cluster"), count(c.Documents, "document"), plainText(c.Commit))
	if c.Ungrouped > 0 {
		head += fmt.Sprintf(", %d in none", c.Ungrouped)
	}
	fmt.Fprintln(w, paint.dim(head))
	rows := [][]string{{"CLUSTER", "SIZE", "COHESION", "WORDS", "TYPICAL"}}
	for _, one := range c.Clusters {
		rows = append(rows, []string{one.ID, strconv.Itoa(one.Size), fmt.Sprintf("%.2f", one.Cohesion), wordsOf(&one), clip(one.Typical[0], 48)})
	}
	table(w, "lrrll", rows)
	if c.Resolution > 0 {
		fmt.Fprintln(w, paint.dim(fmt.Sprintf("--resolution %v gives %s, %v gives %s", c.Resolution/2, count(c.AtHalf, "cluster"), c.Resolution*2, count(c.AtTwice, "cluster"))))
	}
}

func wordsOf(c *search.Cluster) string { return plainText(strings.Join(c.Words, " ")) }

func printChanges(w io.Writer, paint paint, d *search.ClustersDiff) {
	fmt.Fprintln(w, paint.dim("clusters from commit "+plainText(d.From)+" to "+plainText(d.To)))
	rows := [][]string{{"", "FROM", "TO", "CAME", "LEFT", "WORDS"}}
	for _, c := range d.Changes {
		said := c.To
		if len(said) == 0 {
			said = c.From
		}
		rows = append(rows, []string{string(c.Fate), sizesOf(c.From), sizesOf(c.To), strconv.Itoa(c.Came), strconv.Itoa(c.Left), wordsOf(&said[0])})
	}
	table(w, "lrrrrl", rows)
}

// sizesOf names the clusters' sizes, joined by a plus.
func sizesOf(list []search.Cluster) string {
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = strconv.Itoa(c.Size)
	}
	return strings.Join(texts, "+")
}
