package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

var _ = (&reading{
	group: ofDuplicates, name: "candidates", help: "Pair the documents of two sets.",
	more: `Each document of the set that has a partner in the target is listed with it, and each
of the target with its partner in the set: by likeness, one to one, unless --match or a
distance says otherwise. Without --target-… the set is paired with itself, in groups.`,
	method: http.MethodPost, path: "/candidates", requests: []any{&pairs.CandidatesRequest{}},
	tags: tags{"doc_type": `aliases:"set-type"`, "doc_id": `aliases:"set-doc-id"`, "filter": `aliases:"set-filter"`},
	choose: func(asked map[string]any) (to endpoint, err error) {
		if asked["threshold_set"] == nil && asked["likeness"] == nil {
			asked["likeness"] = pairs.LikenessMixed // also of a set with itself
		}
		return to, nil
	},
	show: showing(printCandidates),
}).register()

// candidates is the answer of /candidates, as far as people see it.
type candidates struct {
	There map[string][]pairs.Candidate `json:"set_to_target"`
	Back  map[string][]pairs.Candidate `json:"target_to_set"`
}

func printCandidates(w io.Writer, c paint, found *candidates, a answered) {
	for _, side := range []struct {
		title string
		list  map[string][]pairs.Candidate
	}{{"of the set have partners in the target", found.There}, {"of the target have partners in the set", found.Back}} {
		fmt.Fprintln(w, c.dim(count(len(side.list), "document")+" "+side.title+", at commit "+plainText(a.commit())))
		for _, id := range slices.Sorted(maps.Keys(side.list)) {
			fmt.Fprintln(w, c.bold(plainText(id)))
			for _, partner := range side.list[id] {
				measured := partner.Distance
				if partner.Alike != nil {
					measured = partner.Score
				}
				fmt.Fprintf(w, "  %.4f  %s\n", measured, plainText(partner.ID))
			}
		}
	}
}

var _ = (&reading{
	group: ofReading, name: "compare", help: "Measure how near two texts are.",
	method: http.MethodPost, path: "/compare", requests: []any{&service.CompareRequest{}},
	tags:   tags{"source": `arg:""`, "target": `arg:""`},
	always: map[string]any{"method": "embedding"},
	show: showing(func(w io.Writer, _ paint, found *struct{ Distance float32 }, _ answered) {
		fmt.Fprintf(w, "%.4f\n", found.Distance)
	}),
}).register()

var _ = (&reading{
	group: ofReading, name: "suggest", help: "Complete the beginning of a query from the texts of a commit.",
	path: "/suggest", requests: []any{&search.SuggestRequest{}},
	tags: tags{"q": `arg:"" name:"query"`},
	show: showing(func(w io.Writer, c paint, found *api.Suggestions, _ answered) {
		fmt.Fprintln(w, c.dim(count(len(found.Completions), "completion")+" at commit "+plainText(found.Commit)))
		for _, text := range found.Completions {
			fmt.Fprintln(w, c.bold(clip(text, snippetWidth)))
		}
		for _, h := range found.Hits {
			fmt.Fprintf(w, "%.4f  %s\n        %s\n", h.Distance, plainText(h.ID), c.dim(clip(h.Snippet, snippetWidth)))
		}
	}),
}).register()

var _ = (&reading{
	group: ofReading, name: "document", help: "Show a document's text and fields.",
	path: "/document", requests: []any{&search.DocumentRequest{}},
	tags: tags{"id": `arg:""`},
	show: showing(func(w io.Writer, c paint, d *search.Document, a answered) {
		fmt.Fprintln(w, c.dim(plainText(d.ID)+" at commit "+plainText(a.commit())))
		if d.Text != nil {
			for line := range strings.Lines(*d.Text) {
				fmt.Fprintln(w, plainText(line))
			}
		}
		if len(d.Fields) > 2 { // {} is none
			fmt.Fprintln(w, c.dim(plainText(string(d.Fields))))
		}
	}),
}).register()

var _ = (&reading{
	group: ofWriting, name: "assign", help: "Have a commit answer as another one does.",
	more: `For a commit that changes nothing that is indexed: nothing is embedded. A commit
assigned to itself becomes the last one of the branch.`,
	method: http.MethodPost, path: "/assign", requests: []any{&service.AssignRequest{}},
	tags: tags{"source_commit": `arg:"" name:"source"`, "target_commit": `arg:"" name:"target"`},
}).register()

var _ = add(command{ofWriting, "delete", "Forget what is indexed of a database or a branch.", func() any {
	return &deleteCmd{request: asks(tags{"branch": `xor:"what"`, "purge": `xor:"what"`}, &service.DeleteRequest{}, &service.DeleteBranchRequest{})}
}, nil})

// deleteCmd forgets what is indexed.
type deleteCmd struct {
	ClientConfig
	request
	Yes bool `help:"Do it; else it is only said what would go."`
}

// Help is shown by delete --help.
func (c *deleteCmd) Help() string {
	return `It forgets the indexed commits of a database, or of one of its branches. The
document database is not touched: what it has can be indexed again.`
}

// Run runs the command.
func (c *deleteCmd) Run(ctx context.Context, p *program) error {
	q := query(c.values())
	if c.Yes {
		path := "/domain"
		if q.Has("branch") {
			path = "/branch-index"
		}
		_, err := p.ask(ctx, c.ClientConfig, http.MethodDelete, path, q, nil, nil)
		return err
	}
	q.Del("purge")
	var list []search.CommitInfo
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/commits", q, nil, &list); err != nil {
		return err
	}
	var bytes int64
	for _, row := range list {
		bytes += row.Bytes
	}
	result := struct {
		Commits int   `json:"commits"`
		Bytes   int64 `json:"bytes"`
		Deleted bool  `json:"deleted"`
	}{len(list), bytes, false}
	return p.print(result, func(w io.Writer, _ paint) {
		fmt.Fprintf(w, "%s of %d bytes to be forgotten (--yes does it)\n", count(len(list), "commit"), bytes)
	})
}
