package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

// exportPage is a part of a commit's documents.
type exportPage struct {
	Total     int `json:"total"`
	Documents []struct {
		ID     string          `json:"id"`
		Text   string          `json:"text"`
		Cut    bool            `json:"text_cut"`
		Fields json.RawMessage `json:"fields"`
	} `json:"documents"`
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

// lines writes documents as operations: pages of texts and fields, joined with the
// vectors, both of which come by ascending id.
func (c *exportCmd) lines(ctx context.Context, p *program, cl *client, q url.Values) error {
	bar := newProgress(p.stderr, plainText(q.Get("domain")))
	var now exportPage
	start, at, cut := 0, 0, 0
	fetch := func() error {
		next := url.Values{"texts": {"true"}, "output_fields": {"*"}, "start": {strconv.Itoa(start)}, "count": {strconv.Itoa(search.MaxCount)}}
		maps.Copy(next, q)
		now = exportPage{}
		a, err := cl.get(ctx, "/documents", next, &now)
		if err == nil {
			c.pin(q, a)
		}
		start, at = start+len(now.Documents), 0
		return err
	}
	// until writes the documents up to that of an id, with its vector; all where the
	// id is "". Those that are passed over have no vector: it is damaged.
	until := func(id string, vector json.RawMessage) error {
		for at < len(now.Documents) {
			d := now.Documents[at]
			op := operation{Op: "Inserted", ID: d.ID, Text: d.Text, Fields: d.Fields}
			if bytes.Equal(op.Fields, []byte("{}")) {
				op.Fields = nil
			}
			if d.Cut {
				cut++
			}
			if d.ID == id {
				op.Vector = vector
			}
			if err := printJSON(p.stdout, op); err != nil {
				return err
			}
			if at++; at == len(now.Documents) && start < now.Total {
				bar.update(100*float64(start)/float64(now.Total), count(start, "document"))
				if err := fetch(); err != nil {
					return err
				}
			}
			if d.ID == id {
				return nil
			}
		}
		return nil
	}
	err := fetch()
	if err == nil && !c.NoVectors {
		_, err = cl.lines(ctx, "/embeddings", q, func(line []byte) error {
			var v struct {
				ID     string          `json:"doc_id"`
				Vector json.RawMessage `json:"embedding"`
			}
			if err := json.Unmarshal(line, &v); err != nil {
				return errors.New("a line of /embeddings is none of a vectorlink server")
			}
			return until(v.ID, v.Vector)
		})
	}
	if err == nil {
		err = until("", nil)
	}
	bar.end(err == nil)
	if cut > 0 {
		p.warn("%s cut at 64 KiB", count(cut, "text"))
	}
	return err
}
