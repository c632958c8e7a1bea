package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/vectorlink/vectorlink/search"
)

var _ = add(command{ofReading, "export", "Write the documents or vectors of a commit, or all of it as one file.", func() any {
	return &exportCmd{request: asks(nil, &search.EmbeddingsRequest{})}
}, nil})

// exportCmd writes what a commit holds.
type exportCmd struct {
	ClientConfig
	request
	Format    string `enum:"ndjson,npy,safetensors" default:"ndjson" placeholder:"NAME" help:"ndjson (operations, as push reads them; the default), npy or safetensors (rows of vectors by ascending id)."`
	NoVectors bool   `name:"no-vectors" help:"Of ndjson: leave the vectors out."`
	Snapshot  string `placeholder:"FILE" help:"Write all of the commit as one snapshot file, which open serves and import takes in; - is standard output."`
	IDs       string `name:"ids" placeholder:"FILE" help:"Write the ids of the rows to this file, too, as a JSON array."`
}

// Help is shown by export --help.
func (c *exportCmd) Help() string {
	return `Each line has a document's id, text, fields and vector. To push such lines elsewhere
embeds nothing; the vector is that of the document's first chunk, so where texts are
long, leave the vectors out and have them embedded. Texts beyond 64 KiB are cut.`
}

// Run runs the command.
func (c *exportCmd) Run(ctx context.Context, p *program) error {
	if c.Snapshot != "" {
		return c.snapshot(ctx, p)
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	q := query(c.values())
	if c.IDs != "" {
		q.Set("format", "ids")
		a, err := cl.do(ctx, http.MethodGet, "/embeddings", q, nil)
		if err != nil {
			return err
		}
		c.pin(q, a)
		if err := os.WriteFile(c.IDs, append(a.body, '\n'), 0o666); err != nil {
			return fmt.Errorf("--ids: %w", err)
		}
	}
	if c.Format == "ndjson" {
		q.Del("format")
		return c.lines(ctx, p, cl, q)
	}
	q.Set("format", c.Format)
	resp, err := cl.send(ctx, http.MethodGet, "/embeddings", q, nil, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(p.stdout, resp.Body); err != nil && p.stdout.lost == nil {
		return cl.lost(ctx, err)
	}
	return nil
}

// pin has further requests read the commit that the first was answered from.
func (c *exportCmd) pin(q url.Values, a answered) {
	q.Del("branch")
	q.Set("commit", a.commit())
}

// pageNumbers is about how many numbers of vectors are asked for at once.
const pageNumbers = 4 << 20

// lines writes documents as operations, by pages of ascending ids. One without a vector
// has a damaged one.
func (c *exportCmd) lines(ctx context.Context, p *program, cl *client, q url.Values) error {
	bar := newProgress(p.stderr, plainText(q.Get("domain")))
	q.Set("texts", "true")
	q["output_fields"] = []string{"*", "vector"}
	if c.NoVectors {
		q["output_fields"] = []string{"*"}
	}
	cut, most := 0, 10 // until it is known how long vectors are
	for done, total := 0, 1; done < total; {
		q.Set("start", strconv.Itoa(done))
		q.Set("count", strconv.Itoa(most))
		var page struct {
			Total     int
			Documents []search.ListedDocument
		}
		a, err := cl.get(ctx, "/documents", q, &page)
		if err != nil {
			bar.end(false)
			return err
		}
		c.pin(q, a)
		longest := 1
		for _, d := range page.Documents {
			op := operation{Op: "Inserted", ID: d.ID, Text: *cmp.Or(d.Text, new(string)), Fields: d.Fields}
			if bytes.Equal(op.Fields, []byte("{}")) {
				op.Fields = nil
			}
			if d.Vector != nil {
				if op.Vector, err = json.Marshal(d.Vector); err != nil {
					return err
				}
			}
			if d.TextCut {
				cut++
			}
			if err := printJSON(p.stdout, op); err != nil {
				return err
			}
			longest = max(longest, len(d.Vector))
		}
		if len(page.Documents) == 0 {
			break
		}
		done, total, most = done+len(page.Documents), page.Total, max(min(search.MaxCount, pageNumbers/longest), 1)
		bar.update(100*float64(done)/float64(max(total, 1)), count(done, "document"))
	}
	bar.end(true)
	if cut > 0 {
		p.warn("%s cut at 64 KiB", count(cut, "text"))
	}
	return nil
}
