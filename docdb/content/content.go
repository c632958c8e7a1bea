// Package content reads ready-made operations from an endpoint that is asked for
// a commit, as the first VectorLink did instead of reading a database. It is the
// smallest document source there is: no history, no schema.
package content

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
	"github.com/vectorlink/vectorlink/service"
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
		lines := service.NewOpReader(body, MaxLine)
		for {
			op, err := lines.Next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.Is(err, service.ErrGone):
				err = c.broken(body.ctx, body.err)
			case err != nil:
				err = c.source("%s", strings.TrimPrefix(err.Error(), contract.ErrInvalid.Error()+": "))
			case op.Vector != nil: // what is pulled has no vectors
				op.Vector = nil
				op.Ignored++
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

var errIdle = errors.New("idle")

// idleReader is a response body that is given up when no byte comes for as long
// as the timeout.
type idleReader struct {
	body    io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
	err     error // of the last Read
}

func (r *idleReader) Read(p []byte) (n int, err error) {
	r.timer.Reset(r.timeout)
	defer r.timer.Stop()
	n, r.err = r.body.Read(p)
	return n, r.err
}

func (r *idleReader) close() {
	r.timer.Stop()
	r.cancel(nil)
	r.body.Close()
}
