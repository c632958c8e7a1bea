// Package content reads ready-made operations from an endpoint that is asked for
// a commit, as the first VectorLink did instead of reading a database. It is the
// smallest document source there is: no history, no schema.
package content

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
	"github.com/vectorlink/vectorlink/fields"
)

// MaxLine bounds a line of a content endpoint's answer in bytes.
const MaxLine = 64 << 20

// maxErrorBody is how much of a refused request's answer is looked at.
const maxErrorBody = 64 << 10

// Config says where ready-made operations come from.
type Config struct {
	// URL is asked as {URL}/{org}/{db}?commit_id=…[&previous=…]. Required.
	URL string
	// ForwardHeader, when set, is the header that names the user.
	ForwardHeader string
	// User is the value of ForwardHeader; empty means DefaultUser.
	User string
	// Timeout bounds the wait for the answer to begin and for each further
	// piece of it; the whole may take longer. 0 means DefaultTimeout.
	Timeout time.Duration
}

// Defaults of a Config.
const (
	DefaultUser    = "admin"
	DefaultTimeout = time.Minute
)

// setting is what errors name as the setting of the address.
const setting = "TERMINUSDB_CONTENT_ENDPOINT"

// Client reads NDJSON operations from an endpoint:
//
//	{"op":"Inserted","id":"…","string":"…"}   also Changed and Replaced
//	{"op":"Deleted","id":"…"}
//	{"op":"Error","message":"…"}
//
// It knows nothing of history: the caller's previous commit is the base, and
// every commit counts as lying on the requested branch. What could not be embedded
// before is tried again when the endpoint names it, and not before. A Client may
// be used by many goroutines.
type Client struct {
	base    *url.URL
	http    *http.Client
	forward string
	user    string
	timeout time.Duration
}

var _ contract.Source = (*Client)(nil)

// NewClient checks cfg and returns a client; it does not connect.
func NewClient(cfg Config) (*Client, error) {
	base, err := contract.ParseAddress(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("content: %s %w", setting, err)
	}
	if cfg.ForwardHeader != "" && !web.IsHeader(cfg.ForwardHeader) {
		return nil, fmt.Errorf("content: VECTORLINK_USER_FORWARD_HEADER: %q is not a header name", cfg.ForwardHeader)
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("content: timeout must not be negative")
	}
	cfg.User = cmp.Or(cfg.User, DefaultUser)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	return &Client{
		// A stream holds its connection as long as its reader takes: with a
		// limit, the pulls of other domains would wait for it.
		base: base, http: web.NewClient(cfg.Timeout, 0),
		forward: cfg.ForwardHeader, user: cfg.User, timeout: cfg.Timeout,
	}, nil
}

// Pull asks the endpoint for the operations that lead to the commit: from
// req.Previous where that is indexed, else from nothing, and then the answer is
// the complete commit. The stream is read while Ops is ranged over.
func (c *Client) Pull(ctx context.Context, req contract.PullRequest) (*contract.Pull, error) {
	path, err := web.Resource("", req.Domain)
	if err != nil {
		return nil, err
	}
	query := url.Values{"commit_id": {req.Commit}}
	pull := &contract.Pull{OnBranch: true, Complete: true}
	if req.Previous != "" && req.Indexed != nil && req.Indexed(req.Previous) {
		pull.Base, pull.Complete = req.Previous, false
		query.Set("previous", req.Previous)
	}
	body, err := c.open(ctx, c.base.String()+path+"?"+query.Encode(), req)
	if err != nil {
		return nil, err
	}
	pull.Ops = c.ops(ctx, body)
	return pull, nil
}

// open sends the request and returns the body of a 200. Nobody needs to read
// it: it closes itself when ctx ends or no reader comes within the timeout.
func (c *Client) open(ctx context.Context, address string, req contract.PullRequest) (*idleReader, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(c.timeout, func() { cancel(errIdle) })
	fail := func(err error) (*idleReader, error) {
		idle.Stop()
		cancel(nil)
		return nil, err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(c.source("cannot be asked"))
	}
	if c.forward != "" {
		httpReq.Header.Set(c.forward, c.user)
	}
	httpReq.Header.Set("User-Agent", "vectorlink")
	resp, err := c.http.Do(httpReq)
	if err != nil && web.IsLost(err) && ctx.Err() == nil {
		resp, err = c.http.Do(httpReq)
	}
	if err != nil {
		return fail(c.broken(ctx, err))
	}
	if resp.StatusCode == http.StatusOK {
		return &idleReader{body: resp.Body, ctx: ctx, cancel: cancel, timer: idle, timeout: c.timeout}, nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body.Close()
	switch kind := web.ErrorKind(body); {
	case resp.StatusCode == http.StatusNotFound:
		return fail(fmt.Errorf("%w: the content endpoint at %s knows no commit %q of %s", contract.ErrNotFound, c.host(), req.Commit, req.Domain))
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fail(c.denied("does not let us in (%d): is VECTORLINK_USER_FORWARD_HEADER right?", resp.StatusCode))
	case kind != "":
		return fail(c.source("answered %d %s", resp.StatusCode, kind))
	}
	return fail(c.source("answered %d", resp.StatusCode))
}

func (c *Client) denied(format string, args ...any) error {
	return fmt.Errorf("%w: content endpoint at %s: %s", contract.ErrDenied, c.host(), fmt.Sprintf(format, args...))
}

func (c *Client) host() string { return c.base.Scheme + "://" + c.base.Host }

func (c *Client) source(format string, args ...any) error {
	return fmt.Errorf("%w: content endpoint at %s: %s", contract.ErrSource, c.host(), fmt.Sprintf(format, args...))
}

// broken says why a request or its answer broke off.
func (c *Client) broken(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errIdle):
		return c.source("no answer within %v", c.timeout)
	case cause != nil:
		return fmt.Errorf("content: asking %s: %w", c.host(), cause)
	}
	return c.source("%s", web.Reason(err, c.timeout, setting))
}

// ops reads the stream line by line and closes it at the end.
func (c *Client) ops(ctx context.Context, body *idleReader) iter.Seq2[contract.Op, error] {
	return func(yield func(contract.Op, error) bool) {
		defer body.close()
		lines := bufio.NewReaderSize(body, 64<<10)
		for number := 1; ; number++ {
			line, err := readLine(lines)
			if errors.Is(err, io.EOF) && len(line) == 0 {
				return
			}
			var op contract.Op
			switch {
			case errors.Is(err, errLongLine):
				err = c.source("line %d is longer than %d bytes", number, MaxLine)
			case err != nil && !errors.Is(err, io.EOF):
				err = c.broken(body.ctx, err)
			case len(bytes.TrimSpace(line)) == 0:
				continue
			default:
				if op, err = parseLine(line); err != nil {
					err = c.source("line %d: %v", number, err)
				}
			}
			// Whoever takes the operation may be slow: that is not the
			// endpoint's silence.
			body.timer.Stop()
			if !yield(op, err) || err != nil {
				return
			}
		}
	}
}

// parseLine reads one operation. Its errors quote nothing of the line.
func parseLine(line []byte) (contract.Op, error) {
	if !utf8.Valid(line) {
		return contract.Op{}, errors.New("not UTF-8")
	}
	var l struct {
		Op      string          `json:"op"`
		ID      string          `json:"id"`
		String  *string         `json:"string"`
		Message string          `json:"message"`
		Fields  json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return contract.Op{}, fmt.Errorf("%s is not a string", kind.Field)
		}
		return contract.Op{}, errors.New("not a JSON object")
	}
	switch l.Op {
	case "Inserted", "Changed", "Replaced":
		if l.ID == "" || l.String == nil {
			return contract.Op{}, fmt.Errorf("%s without id or string", l.Op)
		}
		op := contract.Op{Kind: contract.Upsert, ID: l.ID, Text: *l.String}
		if len(l.Fields) > 0 && string(l.Fields) != "null" {
			object, err := fields.Parse(l.Fields)
			if err != nil {
				return contract.Op{}, fmt.Errorf("fields: %w", err)
			}
			op.Fields = string(object)
		}
		return op, nil
	case "Deleted":
		if l.ID == "" {
			return contract.Op{}, fmt.Errorf("%s without id", l.Op)
		}
		return contract.Op{Kind: contract.Delete, ID: l.ID}, nil
	case "Error":
		return contract.Op{Kind: contract.Failed, ID: l.ID, Err: fmt.Errorf("operation error: %s", web.Shorten(l.Message))}, nil
	}
	return contract.Op{}, errors.New("op is not one of Inserted, Changed, Replaced, Deleted, Error")
}

var errLongLine = errors.New("line too long")

// readLine returns the next line with its newline; the last may have none, and
// comes with io.EOF where it is not empty.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, errLongLine
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

var errIdle = errors.New("idle")

// idleReader is a response body that is given up when no byte comes for as long
// as the timeout.
type idleReader struct {
	body    io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.timeout)
	defer r.timer.Stop()
	return r.body.Read(p)
}

func (r *idleReader) close() {
	r.timer.Stop()
	r.cancel(nil)
	r.body.Close()
}
