package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
)

var _ = register[candidatesCmd](ofDuplicates, "candidates", "List near documents of two sets, in both directions.")

// candidatesCmd lists near documents of two sets.
type candidatesCmd struct {
	ClientConfig
	Where
	Threshold       *float32      `placeholder:"D" help:"Go by the distance of vectors alone, up to this of a document to its partners. Without it documents are paired by likeness: one to one, or in groups where there is no target."`
	TargetThreshold float32       `placeholder:"D" help:"The same of a target's document to its partners (default that of --threshold)."`
	K               int           `name:"k" default:"5" placeholder:"N" help:"Most partners of a document (default 5)."`
	Set             search.Filter `embed:"" prefix:"set-"`
	Target          search.Filter `embed:"" prefix:"target-"`
}

// Help is shown by candidates --help.
func (c *candidatesCmd) Help() string {
	return `Each document of the set is listed with the nearest of the target, and each of the
target with the nearest of the set. Without --target-… the target is the set.`
}

// Run runs the command.
func (c *candidatesCmd) Run(ctx context.Context, p *program) error {
	body := c.with(&search.CandidatesRequest{TargetThreshold: c.TargetThreshold, K: c.K, Set: c.Set, Target: c.Target})
	if c.Threshold != nil {
		body["threshold_set"] = *c.Threshold // 0, too
	} else {
		body["likeness"] = search.LikenessMixed // also of a set with itself
	}
	var raw json.RawMessage
	a, err := p.ask(ctx, c.ClientConfig, http.MethodPost, "/candidates", nil, body, &raw)
	if err != nil {
		return err
	}
	var found struct {
		There map[string][]search.Candidate `json:"set_to_target"`
		Back  map[string][]search.Candidate `json:"target_to_set"`
	}
	if err := foreign(c.Server+"/candidates", json.Unmarshal(raw, &found)); err != nil {
		return err
	}
	return p.print(raw, func(w io.Writer, paint paint) {
		for _, side := range []struct {
			title string
			list  map[string][]search.Candidate
		}{{"of the set have partners in the target", found.There}, {"of the target have partners in the set", found.Back}} {
			fmt.Fprintln(w, paint.dim(count(len(side.list), "document")+" "+side.title+", at commit "+plainText(a.commit())))
			for _, id := range slices.Sorted(maps.Keys(side.list)) {
				fmt.Fprintln(w, paint.bold(plainText(id)))
				for _, partner := range side.list[id] {
					measured := partner.Distance
					if partner.Alike != nil {
						measured = partner.Score
					}
					fmt.Fprintf(w, "  %.4f  %s\n", measured, plainText(partner.ID))
				}
			}
		}
	})
}

var _ = register[compareCmd](ofReading, "compare", "Measure how near two texts are.")

// compareCmd measures how near two texts are.
type compareCmd struct {
	ClientConfig
	Role   string `enum:"query,document,clustering,classification" default:"query" placeholder:"ROLE" help:"What the texts are to the model: query (the second is then a document; the default), document, clustering or classification."`
	Source string `arg:"" help:"A text."`
	Target string `arg:"" help:"The text to measure it against."`
}

// Run runs the command.
func (c *compareCmd) Run(ctx context.Context, p *program) error {
	body := map[string]string{"method": "embedding", "role": c.Role, "source": c.Source, "target": c.Target}
	var found struct {
		Distance float32 `json:"distance"`
	}
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodPost, "/compare", nil, body, &found); err != nil {
		return err
	}
	return p.print(found, func(w io.Writer, _ paint) { fmt.Fprintf(w, "%.4f\n", found.Distance) })
}

var _ = register[suggestionsCmd](ofReading, "suggest", "Complete the beginning of a query from the texts of a commit.")

// suggestionsCmd completes a query.
type suggestionsCmd struct {
	ClientConfig
	Where
	search.Filter
	Count int    `default:"11" placeholder:"N" help:"Most documents to list (default 11)."`
	Query string `arg:"" help:"The beginning of a query."`
}

// Run runs the command.
func (c *suggestionsCmd) Run(ctx context.Context, p *program) error {
	req := search.SuggestRequest{Text: c.Query, Count: c.Count, Filter: c.Filter}
	var found api.Suggestions
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/suggest", query(c.with(&req)), nil, &found); err != nil {
		return err
	}
	return p.print(found, func(w io.Writer, paint paint) {
		fmt.Fprintln(w, paint.dim(count(len(found.Completions), "completion")+" at commit "+plainText(found.Commit)))
		for _, text := range found.Completions {
			fmt.Fprintln(w, paint.bold(clip(text, snippetWidth)))
		}
		for _, h := range found.Hits {
			fmt.Fprintf(w, "%.4f  %s\n        %s\n", h.Distance, plainText(h.ID), paint.dim(clip(h.Snippet, snippetWidth)))
		}
	})
}

var _ = register[assignCmd](ofWriting, "assign", "Have a commit answer as another one does.")

// assignCmd gives a commit a second name.
type assignCmd struct {
	ClientConfig
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Branch string `placeholder:"NAME" help:"Branch whose last indexed commit the target becomes (default main)."`
	Source string `arg:"" help:"Indexed commit."`
	Target string `arg:"" help:"Commit that is to answer as that one."`
}

// Help is shown by assign --help.
func (c *assignCmd) Help() string {
	return `For a commit that changes nothing that is indexed: nothing is embedded. A commit
assigned to itself becomes the last one of the branch.`
}

// Run runs the command.
func (c *assignCmd) Run(ctx context.Context, p *program) error {
	_, err := p.ask(ctx, c.ClientConfig, http.MethodPost, "/assign",
		values("domain", c.Domain, "branch", c.Branch, "source_commit", c.Source, "target_commit", c.Target), nil, nil)
	return err
}

var _ = register[deleteCmd](ofWriting, "delete", "Forget what is indexed of a database or a branch.")

// deleteCmd forgets what is indexed.
type deleteCmd struct {
	ClientConfig
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Branch string `xor:"what" placeholder:"NAME" help:"Forget the commits of this branch alone."`
	Purge  bool   `xor:"what" help:"Remove the vectors, too, which have been paid for."`
	Yes    bool   `help:"Do it; else it is only said what would go."`
}

// Help is shown by delete --help.
func (c *deleteCmd) Help() string {
	return `It forgets the indexed commits of a database, or of one of its branches. The
document database is not touched: what it has can be indexed again.`
}

// Run runs the command.
func (c *deleteCmd) Run(ctx context.Context, p *program) error {
	if c.Yes {
		path := "/domain"
		q := values("domain", c.Domain, "branch", c.Branch)
		if c.Branch != "" {
			path = "/branch-index"
		} else if c.Purge {
			q.Set("purge", "true")
		}
		_, err := p.ask(ctx, c.ClientConfig, http.MethodDelete, path, q, nil, nil)
		return err
	}
	var list []search.CommitInfo
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/commits", values("domain", c.Domain, "branch", c.Branch), nil, &list); err != nil {
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
