package main

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// removed declares the tag to remove.
type removed struct {
	Delete string `param:"delete" placeholder:"NAME" help:"Remove this tag, and leave its commit."`
}

var _ = (&reading{
	group: ofWriting, name: "tag", help: "Give a commit a name, which keeps it; or list and remove names.",
	more: `A tag is usable wherever a commit is, and its commit is never pruned. Without a
commit and a name, the database's tags are listed.`,
	path: "/tags", requests: []any{&service.TagRequest{}, &removed{}},
	tags: tags{"commit": `arg:"" optional:""`, "name": `arg:"" optional:""`},
	choose: func(asked map[string]any) (to endpoint, err error) {
		name, old := asked["name"], asked["delete"]
		delete(asked, "delete")
		switch {
		case asked["commit"] != nil && name == nil:
			err = usage("a commit and a name belong together: vectorlink tag --domain ORG/DB COMMIT NAME")
		case name != nil && old != nil:
			err = usage("--delete takes the tag's name alone")
		case name != nil:
			to = endpoint{method: http.MethodPost, path: "/tags"}
		case old != nil:
			asked["name"] = old
			to = endpoint{method: http.MethodDelete, path: "/tags"}
		}
		return to, err
	},
	show: showing(func(w io.Writer, _ paint, list *[]search.TagInfo, _ answered) {
		rows := grid{{"TAG", "COMMIT", "CREATED"}}
		for _, t := range *list {
			rows = append(rows, []any{t.Name, t.Commit, t.Created})
		}
		rows.text(w)
	}),
}).register()

var _ = (&reading{
	group: ofWriting, name: "prune", help: "Remove the commits that are not to be kept.",
	more: `It says which commits are not to be kept and how many bytes their files take, and
with --yes removes them. Kept besides are branches' last indexed commits, tagged
ones, those that marks and kept names stand for, what running tasks build on, and
all whose files these need. A commit that was pruned is not indexed again by a
watcher; index or push it to have it again. Vectors are not removed: other commits
may share them.`,
	method: http.MethodPost, path: "/prune", requests: []any{&indexer.PruneRequest{}},
	tags: tags{"apply": `aliases:"apply"`},
	choose: func(asked map[string]any) (to endpoint, err error) {
		if asked["keep_last"] == nil && asked["keep_daily"] == nil && asked["keep"] == nil {
			err = usage("say what to keep: --keep-last, --keep-daily or --keep")
		}
		return to, err
	},
	show: showing(func(w io.Writer, _ paint, done *indexer.Pruning, _ answered) {
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
	}),
}).register()

// RetentionRules say which commits of which domains stay: PATTERN=last:N,daily:D or
// PATTERN=all, separated by spaces.
type RetentionRules string

// UnmarshalText takes such rules.
func (r *RetentionRules) UnmarshalText(text []byte) error {
	for item := range strings.FieldsSeq(string(text)) {
		if _, _, err := parseRetention(item); err != nil {
			return err
		}
	}
	*r = RetentionRules(text)
	return nil
}

// parseRetention reads one rule.
func parseRetention(item string) (pattern string, keep indexer.Retention, err error) {
	pattern, list, _ := strings.Cut(item, "=")
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		return "", keep, fmt.Errorf("has %q, which does not begin with a pattern and =", item)
	}
	if list == "all" {
		return pattern, keep, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		what, number, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil || n < 1 || what == "daily" && n > indexer.MaxKeepDaily:
			return "", keep, fmt.Errorf("has %q, which ends in none of all, last:N, daily:D and both", item)
		case what == "last":
			keep.KeepLast = n
		case what == "daily":
			keep.KeepDaily = n
		default:
			return "", keep, fmt.Errorf("has %q, where %q is none of last, daily", item, what)
		}
	}
	return pattern, keep, nil
}

// retention returns which commits of a domain stay; nil: all of every domain.
func (c *Config) retention() func(domain string) indexer.Retention {
	general := indexer.Retention{KeepLast: c.KeepLast, KeepDaily: c.KeepDaily}
	rules := strings.Fields(string(c.Retention))
	if general == (indexer.Retention{}) && len(rules) == 0 {
		return nil
	}
	return func(domain string) indexer.Retention {
		for _, rule := range rules {
			pattern, keep, _ := parseRetention(rule) // it was checked
			if fits, _ := path.Match(pattern, domain); fits {
				return keep
			}
		}
		return general
	}
}
