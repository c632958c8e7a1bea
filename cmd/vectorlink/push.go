package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/internal/rawjson"
	"github.com/vectorlink/vectorlink/service"
)

var _ = add(command{ofWriting, "push", "Index the documents of files.", func() any {
	return &pushCmd{request: asks(nil, &service.PushRequest{})}
}, nil})

// pushCmd indexes documents that files bring.
type pushCmd struct {
	ClientConfig
	Report
	request
	Format        string   `enum:"ndjson,json,csv,tsv,npy,safetensors," default:"" placeholder:"NAME" help:"What the files are: ndjson, json, csv, tsv, npy or safetensors (default by the ending of their names; ndjson or json of standard input)."`
	ID            string   `name:"id" default:"id" placeholder:"NAME" help:"Member or column that is a document's id (default id)."`
	Text          string   `name:"text" default:"text" placeholder:"NAME" help:"Member or column that is its text (default text)."`
	IDs           string   `name:"ids" type:"existingfile" placeholder:"FILE" help:"Ids of the rows of an .npy or .safetensors file: a JSON array, or one a line."`
	FailOnSkipped bool     `help:"Exit with 3 when documents were skipped."`
	Files         []string `arg:"" name:"file" help:"Files to read; - is standard input."`
}

// Help is shown by push --help.
func (c *pushCmd) Help() string {
	return `A JSON object with a member "op" is an operation as the API takes it. Any other, and
a row of CSV, is a document: its id, its text, and fields of all else that fits. A
column of CSV whose cells are all numbers, or all true or false, has such fields;
empty cells are none. Rows of .npy and .safetensors are vectors; the ids of the latter
may stand in its metadata as vectorlink writes them (ids, a JSON array). All files
together make one commit, or none of it is made.`
}

// Run runs the command.
func (c *pushCmd) Run(ctx context.Context, p *program) error {
	if err := c.choose(p); err != nil {
		return err
	}
	in, err := c.open(p)
	if err != nil {
		return err
	}
	defer in.close()
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	q := query(c.values())
	q.Set("strict", "true")
	start := time.Now()
	bar := newProgress(p.stderr, plainText(q.Get("domain")+"@"+q.Get("target_commit")))
	id, err := cl.push(ctx, q, in, bar)
	var st taskState
	if err == nil { // its summary; of a server that knows no strict pushes, its end
		st, err = cl.wait(ctx, id, patience, func(st taskState) { bar.update(st.Percentage, st.note()) })
	}
	bar.end(err == nil)
	if in.unfit > 0 && err == nil {
		p.warn("no fields were made of %s: objects, or beyond the bounds of fields", count(in.unfit, "value"))
	}
	sum := summary{TaskID: id, taskState: st, Seconds: time.Since(start).Seconds()}
	var answer *refused
	var failed *failedTask
	return c.finish(p, &sum, q.Get("domain"), q.Get("target_commit"), errors.As(err, &answer) || errors.As(err, &failed), c.FailOnSkipped, err)
}

// push sends what in yields, and returns the id of the task that made a commit of
// it. An error of the input counts more than what the server says of its end.
func (c *client) push(ctx context.Context, q url.Values, in *input, bar *progress) (id string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	body, w := io.Pipe()
	written := make(chan error, 1)
	var documents atomic.Int64
	go func() {
		err := in.writeTo(w, func() { documents.Add(1) })
		w.CloseWithError(err)
		written <- err
	}()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.watch(ctx, q.Get("domain"), q.Get("target_commit"), func(share float64) {
			note := count(int(documents.Load()), "document") + " sent"
			bar.update(max(share, in.share()*sharePush), note)
		})
	}()
	a, err := c.do(ctx, http.MethodPost, "/push", q, body)
	body.Close()
	cancel()
	<-watched
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		return "", as(errInput, werr)
	}
	var answer *refused
	if errors.As(err, &answer) && answer.line > 0 {
		answer.text += in.origin(answer.line)
	}
	if id = a.header.Get("X-Task-Id"); err == nil && id == "" {
		err = fmt.Errorf("%s did not answer as a vectorlink server does", c.server)
	}
	return id, err
}

// sharePush is the percentage of a push's work that is sending it.
const sharePush = 10

// errInput is the kind of what is wrong with a file.
var errInput = errors.New("input")

// watch looks at the task of a push until ctx ends, and tells its percentage. Its
// looks are signs of life of a server that answers when all is done.
func (c *client) watch(ctx context.Context, domain, commit string, tell func(share float64)) {
	tick := time.NewTicker(pollMax)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var list []struct {
			Commit     string  `json:"commit"`
			Percentage float64 `json:"percentage"`
		}
		if _, err := c.get(ctx, "/tasks", values("domain", domain, "status", "pending"), &list); err != nil {
			_, _ = c.do(ctx, http.MethodGet, "/health/live", nil, nil) // an older server; what matters is that it answers
		}
		share := 0.0
		for _, task := range list {
			if task.Commit == commit {
				share = max(share, task.Percentage)
			}
		}
		tell(share)
	}
}

// open opens the files of the command line.
func (c *pushCmd) open(p *program) (*input, error) {
	in := &input{id: c.ID, text: c.Text}
	if c.IDs != "" {
		ids, err := readIDs(c.IDs)
		if err != nil {
			return nil, as(errUsage, fmt.Errorf("--ids: %w", err))
		}
		in.ids = ids
	}
	for _, name := range c.Files {
		f := source{name: name, Reader: p.stdin}
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				in.close()
				return nil, as(errUsage, err)
			}
			if info, err := file.Stat(); err == nil {
				in.size += info.Size()
			}
			f.Reader, f.Closer = file, file
		}
		ending := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
		if c.Format != "" {
			ending = c.Format
		}
		if f.read = formats[ending]; f.read == nil {
			if name != "-" {
				in.close()
				return nil, usage("%s: what is it? --format says ndjson, json, csv, tsv, npy or safetensors", name)
			}
			f.read = (*input).objects
		}
		in.files = append(in.files, f)
	}
	return in, nil
}

// readIDs reads the ids of rows.
func readIDs(name string) ([]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	data = rawjson.Trim(data)
	var ids []string
	if err := json.Unmarshal(data, &ids); err == nil {
		return ids, whole(data)
	}
	text := strings.TrimRight(string(data), "\r\n")
	for line := range strings.SplitSeq(text, "\n") {
		ids = append(ids, strings.TrimSuffix(line, "\r"))
	}
	return ids, nil
}
