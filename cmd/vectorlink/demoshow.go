package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/api"
)

// demoCommit is what indexing a commit of the demo has done.
type demoCommit struct {
	Commit    string  `json:"commit"` // its id
	Name      string  `json:"name"`
	Branch    string  `json:"branch"`
	Documents int     `json:"documents"`
	Changed   int     `json:"changed"`
	Deleted   int     `json:"deleted"`
	Embedded  int     `json:"embedded"`
	Reused    int     `json:"reused"`
	Skipped   int     `json:"skipped"`
	Seconds   float64 `json:"seconds"`

	task string
}

// demoQuery is a search of the demo.
type demoQuery struct {
	Q      string    `json:"q"`
	Commit string    `json:"commit"` // its id
	Name   string    `json:"name"`   // of the commit
	Why    string    `json:"why"`
	Hits   []api.Hit `json:"hits"`
}

// show indexes and searches, and prints what came of it.
func (d *demo) show(ctx context.Context, kernels string) error {
	p := d.p
	if !p.json {
		fmt.Fprintf(p.stdout, "A catalogue of Star Wars, %s long, in a document database inside this process.\n", count(len(d.data.Commits), "commit"))
		fmt.Fprintf(p.stdout, "Indexing them through %s with the built-in model (%s kernels):\n\n", d.client.server, kernels)
	}
	commits := make([]demoCommit, 0, len(d.data.Commits))
	for _, c := range d.data.Commits {
		done, err := d.index(ctx, c.Name, c.Branch)
		if err != nil {
			return fmt.Errorf("commit %s: %w", c.Name, err)
		}
		commits = append(commits, done)
	}
	if err := d.decide(ctx); err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	var queries []demoQuery
	for _, q := range d.data.Queries {
		found, err := d.search(ctx, q.Text, q.Commit)
		if err != nil {
			return fmt.Errorf("search at commit %s: %w", q.Commit, err)
		}
		queries = append(queries, demoQuery{Q: q.Text, Commit: d.commits[q.Commit], Name: q.Commit, Why: q.Why, Hits: found})
	}
	if p.json {
		return printJSON(p.stdout, struct {
			Queries []demoQuery  `json:"queries"`
			Commits []demoCommit `json:"commits"`
			Domain  string       `json:"domain"`
			Server  string       `json:"server"`
		}{queries, commits, demoDomain, d.client.server})
	}
	d.print(commits, queries)
	return nil
}

// print prints what came of it for people, with requests to paste if there will be
// a server to answer them.
func (d *demo) print(commits []demoCommit, queries []demoQuery) {
	d.printCommits(commits)
	d.printQueries(queries)
	if !d.once {
		d.printCurl(commits, queries)
	}
}

// index has the server index a commit and waits for it.
func (d *demo) index(ctx context.Context, name, branch string) (demoCommit, error) {
	out := demoCommit{Commit: d.commits[name], Name: name, Branch: branch}
	start, before := time.Now(), d.embedded.Load()
	id, err := d.client.index(ctx, values("domain", demoDomain, "commit", out.Commit, "branch", branch))
	if err != nil {
		return out, err
	}
	out.task = id
	bar := newProgress(d.p.stderr, fmt.Sprintf("%-10s", name))
	st, err := d.client.wait(ctx, id, 0, func(st taskState) {
		note := ""
		if n := d.embedded.Load() - before; n > 0 {
			note = fmt.Sprintf("%s, %.0f texts/s", count(int(n), "text"), float64(n)/time.Since(start).Seconds())
		}
		bar.update(st.Percentage, note)
	})
	bar.end(err == nil)
	out.Documents, out.Changed, out.Deleted = st.Documents, st.Indexed, st.Deleted
	out.Embedded, out.Reused, out.Skipped = st.Embedded, st.Reused, st.SkippedTotal
	out.Seconds = time.Since(start).Seconds()
	return out, err
}

// decide notes the decisions of the data set, unless the data directory has some from an
// earlier run.
func (d *demo) decide(ctx context.Context) error {
	var known struct{ Newest int }
	if _, err := d.client.get(ctx, "/decisions", values("domain", demoDomain), &known); err != nil || known.Newest > 0 {
		return err
	}
	for _, x := range d.data.Decisions {
		if _, err := d.client.do(ctx, http.MethodPost, "/decisions", nil, map[string]any{
			"domain": demoDomain, "commit": d.commits[x.Commit], "a": x.A, "b": x.B, "decision": x.Decision, "by": x.By, "note": x.Note,
		}); err != nil {
			return err
		}
	}
	return nil
}

// search searches a commit, given by name.
func (d *demo) search(ctx context.Context, text, name string) ([]api.Hit, error) {
	hits := []api.Hit{}
	_, err := d.client.decode(ctx, http.MethodPost, "/search", nil, map[string]any{
		"domain": demoDomain, "commit": d.commits[name], "q": text, "mode": "vector", "count": demoHits, "snippet": true,
	}, &hits)
	return hits, err
}

func (d *demo) printCommits(commits []demoCommit) {
	out, paint := d.p.stdout, d.p.paint(d.p.stdout)
	fmt.Fprintf(out, "\n%s\n\n", paint.bold("What each commit cost"))
	rows := grid{{"COMMIT", "BRANCH", "DOCUMENTS", "CHANGED", "DELETED", "EMBEDDED", "REUSED", "SECONDS"}}
	for _, c := range commits {
		rows = append(rows, []any{c.Name, c.Branch, c.Documents, c.Changed, c.Deleted, c.Embedded, c.Reused, number(fmt.Sprintf("%.2f", c.Seconds))})
	}
	rows.text(out)
	fmt.Fprintln(out, "\nOnly texts that no commit had before are embedded; the others find their vectors again.")
}

// shownHits is how many of a search's hits people see.
const shownHits = 3

// printQueries prints the searches; those of one text stand together.
func (d *demo) printQueries(queries []demoQuery) {
	out, paint := d.p.stdout, d.p.paint(d.p.stdout)
	fmt.Fprintf(out, "\n%s\n", paint.bold("Searches"))
	last := d.lastOnMain()
	for _, q := range queries {
		at := "at the last commit"
		if q.Name != last {
			at = "at the commit " + q.Name
		}
		fmt.Fprintf(out, "\n%s %s\n", paint.bold(strconv.Quote(q.Q)), at)
		fmt.Fprintf(out, "%s\n", paint.dim(q.Why))
		for i, h := range q.Hits {
			if i == shownHits {
				break
			}
			fmt.Fprintf(out, "  %.4f  %s\n", h.Distance, paint.bold(h.ID))
			fmt.Fprintf(out, "          %s\n", paint.dim(clip(*h.Chunk.Snippet, snippetWidth)))
		}
	}
}

func (d *demo) lastOnMain() string {
	name := ""
	for _, c := range d.data.Commits {
		if c.Branch == "main" {
			name = c.Name
		}
	}
	return name
}

// printCurl prints requests to paste.
func (d *demo) printCurl(commits []demoCommit, queries []demoQuery) {
	out, paint := d.p.stdout, d.p.paint(d.p.stdout)
	last := commits[0]
	duplicates := commits[0].Commit // the commit that has most documents twice
	for _, c := range commits {
		if c.Name == d.lastOnMain() {
			last = c
		}
		if c.Name == "load" {
			duplicates = c.Commit
		}
	}
	address := func(path string, pairs ...string) string {
		var query []string
		for i := 0; i < len(pairs); i += 2 {
			query = append(query, pairs[i]+"="+url.QueryEscape(pairs[i+1]))
		}
		return "'" + d.client.server + path + "?" + strings.Join(query, "&") + "'"
	}
	fmt.Fprintf(out, "\n%s\n\n", paint.bold("Ask for yourself"))
	for _, l := range [][2]string{
		{"index a commit, on its branch; this one is indexed, so it costs nothing",
			"curl -X POST " + address("/index", "domain", demoDomain, "commit", last.Commit, "branch", last.Branch)},
		{"how far is a task",
			"curl " + address("/check", "task_id", last.task)},
		{"search a commit for a text",
			"curl -d " + "'" + queries[0].Q + "' " + address("/search", "domain", demoDomain, "commit", last.Commit, "count", "3", "snippet", "true")},
		{"the neighbours of a document",
			"curl " + address("/similar", "domain", demoDomain, "commit", last.Commit, "id", queries[0].Hits[0].ID, "count", "3")},
		{"documents that are nearly the same, at the commit load",
			"curl " + address("/duplicates", "domain", demoDomain, "commit", duplicates, "threshold", "0.01")},
	} {
		fmt.Fprintf(out, "%s\n%s\n\n", paint.dim("# "+l[0]), l[1])
	}
}
