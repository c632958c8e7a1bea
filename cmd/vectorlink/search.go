package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// Where chooses what a search reads.
type Where struct {
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Commit string `xor:"ref" required:"" placeholder:"ID" help:"Commit to read."`
	Branch string `xor:"ref" required:"" placeholder:"NAME" help:"Read the last indexed commit of this branch."`
}

var _ = register[searchCmd](ofReading, "search", "Search a commit for a text.")

// searchCmd searches a commit for a text.
type searchCmd struct {
	ClientConfig
	Where
	search.Options
	Mode   string `enum:"vector,fts,hybrid," default:"" placeholder:"MODE" help:"Search by vector, by words (fts) or by both (hybrid). Default vector, with --syntax query hybrid."`
	Syntax string `enum:"plain,query" default:"plain" placeholder:"SYNTAX" help:"How to read the text: plain, or query for one with operators: \"a phrase\", word*, AND, OR, NOT, +, -, parentheses."`
	Fuzzy  string `enum:"auto,off,on" default:"auto" placeholder:"WHICH" help:"Which words may be misspelt, where the search goes by words: auto (those that no document has), off or on."`
	From   string `xor:"ref" required:"" placeholder:"COMMIT" help:"Tell how the hits changed since this commit or branch, with --to."`
	To     string `placeholder:"COMMIT" help:"The commit or branch to compare with --from."`
	Query  string `arg:"" help:"Text to search for."`
}

// Run runs the command.
func (c *searchCmd) Run(ctx context.Context, p *program) error {
	body := map[string]any{"q": c.Query, "mode": c.Mode}
	switch {
	case c.Mode == "" && c.Syntax == "query":
		body["mode"] = "hybrid"
	case c.Mode == "":
		body["mode"] = "vector"
	}
	if c.Syntax != "plain" {
		body["syntax"] = c.Syntax
	}
	if c.Fuzzy != "auto" {
		body["fuzzy"] = c.Fuzzy
	}
	if (c.From == "") != (c.To == "") {
		return usage("--from and --to go together")
	}
	if c.From == "" {
		return p.hits(ctx, c.ClientConfig, "/search", body, c.Where, c.Options)
	}
	maps.Copy(body, service.Encode(&c.Options))
	body["domain"], body["from"], body["to"] = c.Domain, c.From, c.To
	return p.searchDiff(ctx, c.ClientConfig, query(body))
}

var _ = register[similarCmd](ofReading, "similar", "List the documents nearest to a document or a text.")

// similarCmd lists the neighbours of a document or a text.
type similarCmd struct {
	ClientConfig
	Where
	search.Options
	ID   string `name:"id" xor:"source" required:"" placeholder:"IRI" help:"Document whose neighbours to list, by its full id."`
	Text string `xor:"source" required:"" placeholder:"TEXT" help:"Text to take as if it were a document's."`
}

// Run runs the command.
func (c *similarCmd) Run(ctx context.Context, p *program) error {
	body := map[string]any{"id": c.ID}
	if c.ID == "" {
		body = map[string]any{"text": c.Text}
	}
	return p.hits(ctx, c.ClientConfig, "/similar", body, c.Where, c.Options)
}

// found is what search and similar print with --json.
type found struct {
	Commit string    `json:"commit"` // the one that was read
	Hits   []api.Hit `json:"hits"`
}

// hits asks for hits and prints them. The body has what the options do not say.
func (p *program) hits(ctx context.Context, cfg ClientConfig, path string, body map[string]any, in Where, options search.Options) error {
	cl, err := p.connect(cfg)
	if err != nil {
		return err
	}
	defer cl.close()
	options.Snippet = true
	maps.Copy(body, in.with(&options))
	res, err := cl.find(ctx, path, body)
	if err != nil {
		return err
	}
	return p.print(res, res.print)
}

// with returns the parameters of a request at that commit, as a body has them.
func (in Where) with(request any) map[string]any {
	body := service.Encode(request)
	body["domain"] = in.Domain
	if in.Commit != "" {
		body["commit"] = in.Commit
	} else {
		body["branch"] = in.Branch
	}
	return body
}

// query returns the parameters of a body as those of a query string.
func query(body map[string]any) url.Values {
	q := make(url.Values)
	for name, value := range body {
		if list, ok := value.([]string); ok {
			q[name] = list
		} else {
			q.Set(name, fmt.Sprint(value))
		}
	}
	return q
}

// find asks /search or /similar.
func (c *client) find(ctx context.Context, path string, body map[string]any) (found, error) {
	res := found{Hits: []api.Hit{}}
	a, err := c.decode(ctx, http.MethodPost, path, nil, body, &res.Hits)
	res.Commit = a.commit()
	return res, err
}

// snippetWidth is how much of a document's text people see.
const snippetWidth = 120

func (res *found) print(w io.Writer, c paint) {
	if len(res.Hits) == 0 {
		fmt.Fprintf(w, "no hits at commit %s\n", plainText(res.Commit))
		return
	}
	fmt.Fprintln(w, c.dim(count(len(res.Hits), "hit")+" at commit "+plainText(res.Commit)))
	for _, h := range res.Hits {
		fmt.Fprintf(w, "%.4f  %s\n", h.Distance, c.bold(plainText(h.ID)))
		if h.Chunk.Snippet != nil {
			fmt.Fprintf(w, "        %s\n", c.dim(clip(*h.Chunk.Snippet, snippetWidth)))
		}
		if len(h.Matched) > 0 {
			fmt.Fprintf(w, "        has %s\n", plainText(strings.Join(h.Matched, ", ")))
		}
		if len(h.Fields) > 0 {
			fmt.Fprintf(w, "        %s\n", plainText(string(h.Fields)))
		}
	}
}
