package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
)

var _ = (&reading{
	group: ofReading, name: "clusters", help: "List the groups of documents that are alike, or what became of them.",
	more: `With --from and --to in the place of a commit it is told what became of the groups of
one at the other.`,
	path: "/clusters", requests: []any{&overview.ClustersRequest{}, &search.Between{}},
	show:    showing(printClusters),
	between: endpoint{path: "/clusters/diff", show: showing(printChanges)},
}).register()

func printClusters(w io.Writer, paint paint, c *overview.Clusters, _ answered) {
	head := fmt.Sprintf("%s of %s at commit %s", count(c.Count, "cluster"), count(c.Documents, "document"), plainText(c.Commit))
	if c.Ungrouped > 0 {
		head += fmt.Sprintf(", %d in none", c.Ungrouped)
	}
	fmt.Fprintln(w, paint.dim(head))
	rows := grid{{"CLUSTER", "SIZE", "COHESION", "WORDS", "TYPICAL"}}
	for _, one := range c.Clusters {
		rows = append(rows, []any{one.ID, one.Size, number(fmt.Sprintf("%.2f", one.Cohesion)), strings.Join(one.Words, " "), clip(one.Typical[0], 48)})
	}
	rows.text(w)
	if c.Resolution > 0 {
		fmt.Fprintln(w, paint.dim(fmt.Sprintf("--resolution %v gives %s, %v gives %s", c.Resolution/2, count(c.AtHalf, "cluster"), c.Resolution*2, count(c.AtTwice, "cluster"))))
	}
}

func printChanges(w io.Writer, paint paint, d *overview.ClustersDiff, _ answered) {
	fmt.Fprintln(w, paint.dim("clusters from commit "+plainText(d.From)+" to "+plainText(d.To)))
	rows := grid{{"", "FROM", "TO", "CAME", "LEFT", "WORDS"}}
	for _, c := range d.Changes {
		said := c.To
		if len(said) == 0 {
			said = c.From
		}
		rows = append(rows, []any{word(c.Fate), sizesOf(c.From), sizesOf(c.To), c.Came, c.Left, strings.Join(said[0].Words, " ")})
	}
	rows.text(w)
}

// sizesOf names the clusters' sizes, joined by a plus.
func sizesOf(list []overview.Cluster) number {
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = strconv.Itoa(c.Size)
	}
	return number(strings.Join(texts, "+"))
}
