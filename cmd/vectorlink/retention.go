package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

var _ = register[tagCmd](ofWriting, "tag", "Give a commit a name, which keeps it; or list and remove names.")

// tagCmd gives commits names.
type tagCmd struct {
	ClientConfig
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Commit string `arg:"" optional:"" help:"Indexed commit to give a name to."`
	Name   string `arg:"" optional:"" help:"Its name."`
	Delete string `placeholder:"NAME" help:"Remove this tag, and leave its commit."`
}

// Help is shown by tag --help.
func (c *tagCmd) Help() string {
	return `A tag is usable wherever a commit is, and its commit is never pruned. Without a
commit and a name, the database's tags are listed.`
}

// Run runs the command.
func (c *tagCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Commit != "" && c.Name == "":
		return usage("a commit and a name belong together: vectorlink tag --domain ORG/DB COMMIT NAME")
	case c.Commit != "" && c.Delete != "":
		return usage("--delete takes the tag's name alone")
	}
	switch {
	case c.Delete != "":
		_, err := p.ask(ctx, c.ClientConfig, http.MethodDelete, "/tags", values("domain", c.Domain, "name", c.Delete), nil, nil)
		return err
	case c.Commit != "":
		_, err := p.ask(ctx, c.ClientConfig, http.MethodPost, "/tags", values("domain", c.Domain, "commit", c.Commit, "name", c.Name), nil, nil)
		return err
	}
	var list []search.TagInfo
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodGet, "/tags", values("domain", c.Domain), nil, &list); err != nil {
		return err
	}
	return p.print(list, func(w io.Writer, _ paint) {
		rows := grid{{"TAG", "COMMIT", "CREATED"}}
		for _, t := range list {
			rows = append(rows, []any{t.Name, t.Commit, t.Created})
		}
		rows.text(w)
	})
}

var _ = register[pruneCmd](ofWriting, "prune", "Remove the commits that are not to be kept.")

// pruneCmd removes commits that nobody needs.
type pruneCmd struct {
	ClientConfig
	Domain    string   `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	KeepLast  int      `name:"keep-last" placeholder:"N" help:"Keep the last N commits of each branch."`
	KeepDaily int      `name:"keep-daily" placeholder:"DAYS" help:"Keep each branch's last commit of each of the last days."`
	Keep      []string `name:"keep" sep:"none" placeholder:"COMMIT" help:"Keep this commit; may be repeated."`
	Yes       bool     `name:"yes" aliases:"apply" help:"Remove them; else they are only listed."`
}

// Help is shown by prune --help.
func (c *pruneCmd) Help() string {
	return `It says which commits are not to be kept and how many bytes their files take, and
with --yes removes them. Kept besides are branches' last indexed commits, tagged
ones, those that marks and kept names stand for, what running tasks build on, and
all whose files these need. A commit that was pruned is not indexed again by a
watcher; index or push it to have it again. Vectors are not removed: other commits
may share them.`
}

// Run runs the command.
func (c *pruneCmd) Run(ctx context.Context, p *program) error {
	if c.KeepLast <= 0 && c.KeepDaily <= 0 && len(c.Keep) == 0 {
		return usage("say what to keep: --keep-last, --keep-daily or --keep")
	}
	query := url.Values{"domain": {c.Domain}, "keep": c.Keep, "apply": {strconv.FormatBool(c.Yes)},
		"keep_last": {strconv.Itoa(c.KeepLast)}, "keep_daily": {strconv.Itoa(c.KeepDaily)}}
	var done indexer.Pruning
	if _, err := p.ask(ctx, c.ClientConfig, http.MethodPost, "/prune", query, nil, &done); err != nil {
		return err
	}
	return p.print(done, func(w io.Writer, _ paint) {
		if len(done.Commits) > 0 {
			rows := grid{{"COMMIT", "BRANCH", "INDEXED", "BYTES"}}
			for _, g := range done.Commits {
				rows = append(rows, []any{g.Commit, g.Branch, g.Created, g.Bytes})
			}
			rows.text(w)
		}
		text := "%s of %d bytes to be removed (--yes removes them), %d kept\n"
		if done.Applied {
			text = "%s of %d bytes removed, %d kept\n"
		}
		fmt.Fprintf(w, text, count(len(done.Commits), "commit"), done.Bytes, done.Kept)
	})
}
