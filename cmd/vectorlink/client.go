package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// ClientConfig says which server a client command talks to, and as whom. The
// sources are those of Config, without a file.
type ClientConfig struct {
	// Server is the server's address.
	Server string `name:"server" type:"setting" environ:"VECTORLINK_SERVER" fallback:"http://127.0.0.1:8080" placeholder:"URL" help:"Server to talk to."`
	// AdminUser and AdminSecret are the credentials it asks for. Without a
	// secret none are sent.
	AdminUser   string          `name:"admin-user" type:"setting" environ:"VECTORLINK_ADMIN_USER,TDB_SEARCH_ADMIN_USER" fallback:"admin" placeholder:"NAME" help:"User name at the server."`
	AdminSecret contract.Secret `name:"admin-secret" type:"setting" environ:"VECTORLINK_ADMIN_SECRET,VECTORLINK_ADMIN_PASSWORD,TDB_SEARCH_ADMIN_SECRET" placeholder:"SECRET" help:"Secret at the server."`
	// Patience bounds how long nothing may come from the server.
	Patience Interval `name:"patience" type:"setting" least:"100ms" environ:"VECTORLINK_PATIENCE" fallback:"5m" placeholder:"TIME" help:"Longest silence of the server, such as 30s or 1h."`
}

const (
	// mediaLines is the media type of JSON by lines.
	mediaLines = "application/x-ndjson"

	dialTime  = 5 * time.Second
	maxAnswer = 256 << 20
	// maxAnswerLine bounds a line of an answer by lines.
	maxAnswerLine = 64 << 20
	// maxComplaint bounds what is read of an answer that is no success.
	maxComplaint = 64 << 10
)

// client talks to a vectorlink server. It may be used by many goroutines.
type client struct {
	server   string // without a slash at its end
	user     string
	secret   contract.Secret
	patience time.Duration     // 0: without end
	heard    atomic.Int64      // when something last came from the server, in nanoseconds since 1970
	warn     func(text string) // nil: warnings of answers are dropped
	http     *http.Client
}

// connect reads the settings of a client command. It does not talk to the
// server yet.
func (p *program) connect(cfg ClientConfig) (*client, error) {
	var bad complaints
	p.readSettings(&cfg, "", &bad)
	if checkURL(&bad, "server", cfg.Server); cfg.Server == "" {
		bad.add("server: must not be empty")
	}
	if err := bad.error(); err != nil {
		return nil, err
	}
	c := newClient(cfg.Server, cfg.AdminUser, cfg.AdminSecret)
	c.patience = time.Duration(cfg.Patience)
	c.warn = func(text string) { p.warn("%s", text) }
	return c, nil
}

func newClient(server, user string, secret contract.Secret) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	return &client{server: strings.TrimRight(server, "/"), user: user, secret: secret, http: &http.Client{Transport: transport}}
}

// close lets go of idle connections, so that a server that is stopping does not
// wait for them.
func (c *client) close() { c.http.CloseIdleConnections() }

// unreachable says that no answer came from the server.
type unreachable struct {
	server string
	err    error
}

func (e *unreachable) Error() string {
	return fmt.Sprintf("no answer from %s: %v (is the server running? --server says where)", e.server, e.err)
}

func (e *unreachable) Unwrap() []error { return []error{errUpstream, e.err} }

// refused is an answer that is no success.
type refused struct {
	status int
	code   string // the body's code member, if it has one
	task   string // the error code of a failed task, where that is the answer
	text   string
	line   int // at fault of a push; 0: none
}

func (e *refused) Error() string {
	switch {
	case e.text == "":
		return fmt.Sprintf("the server answered %d %s", e.status, http.StatusText(e.status))
	case e.status == http.StatusUnauthorized:
		return e.text + ": set VECTORLINK_ADMIN_SECRET (and VECTORLINK_ADMIN_USER)"
	}
	return e.text
}

// Unwrap tells whether the cause lies behind the server, or in its being out of
// service for the moment.
func (e *refused) Unwrap() error {
	switch {
	case isUpstream(e.code), e.status == http.StatusBadGateway, e.status == http.StatusServiceUnavailable, e.status == http.StatusGatewayTimeout:
		return errUpstream
	}
	return errors.New("refused")
}

// answered is what is kept of a successful answer.
type answered struct {
	body   []byte
	header http.Header
	from   string // the address
	// Where a reading asked, with which parameters, and which of them were given.
	asked, given map[string]any
}

// commit returns the commit that the answer was read from.
func (a answered) commit() string {
	_, commit, _ := strings.Cut(a.header.Get("TerminusDB-Data-Version"), ":")
	return commit
}

// do sends a request without a body, or with a JSON one, and returns the answer
// if its status is one of success. Errors are an *unreachable, a *refused, or
// the context's.
func (c *client) do(ctx context.Context, method, path string, query url.Values, body any) (answered, error) {
	resp, err := c.send(ctx, method, path, query, body, "")
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answered{}, c.lost(ctx, err)
	}
	if len(data) > maxAnswer {
		return answered{}, fmt.Errorf("the server's answer is longer than %s", Bytes(maxAnswer))
	}
	return answered{body: data, header: resp.Header, from: c.server + path}, nil
}

// lines asks for an answer by lines, and calls each with them as they come. What it
// returns has no body.
func (c *client) lines(ctx context.Context, method, path string, query url.Values, body any, each func(line []byte) error) (answered, error) {
	resp, err := c.send(ctx, method, path, query, body, mediaLines)
	if err != nil {
		return answered{}, err
	}
	a := answered{header: resp.Header, from: c.server + path}
	defer resp.Body.Close()
	err = eachLine(resp.Body, each)
	var failed *unread
	if errors.As(err, &failed) {
		return a, c.lost(ctx, failed.error)
	}
	return a, err
}

// unread is the error of a line that could not be read.
type unread struct{ error }

// eachLine calls each with the lines of r. Its errors are those of each, or an
// *unread.
func eachLine(r io.Reader, each func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAnswerLine)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("a line is longer than %s", Bytes(maxAnswerLine))
	case err != nil:
		return &unread{err}
	}
	return nil
}

// errSilent is why a request was given up.
var errSilent = errors.New("nothing came for too long (--patience allows for more)")

// send sends a request, and returns its answer if that is one of success. Its
// body must be closed. Errors are those of do.
func (c *client) send(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	address := c.server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	content, streamed := body.(io.Reader)
	if body != nil && !streamed {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	sent, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(sent, method, address, content)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("request: %w", err)
	}
	switch {
	case streamed:
		req.Header.Set("Content-Type", mediaLines)
	case body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if !c.secret.IsZero() {
		req.SetBasicAuth(c.user, c.secret.Reveal())
	}
	c.hear()
	if c.patience > 0 {
		c.expect(sent, cancel, c.patience)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = c.lost(ctx, cmp.Or(silence(sent), err))
		cancel(nil)
		return nil, err
	}
	c.hear()
	resp.Body = &heardBody{resp.Body, sent, cancel, c.hear}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, complaint(resp)
	}
	c.warnings(resp.Header)
	return resp, nil
}

// warnings hands on what an answer warns of.
func (c *client) warnings(h http.Header) {
	for _, text := range h.Values("X-Vectorlink-Warning") {
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		if c.warn != nil {
			c.warn(text)
		}
	}
}

// hear notes a sign of life of the server. One of any request counts for all.
func (c *client) hear() { c.heard.Store(time.Now().UnixNano()) }

// expect cancels a request with errSilent when, after a time or later, nothing has
// come from the server for all its patience.
func (c *client) expect(ctx context.Context, cancel context.CancelCauseFunc, after time.Duration) {
	timer := time.AfterFunc(after, func() {
		if rest := c.patience - time.Since(time.Unix(0, c.heard.Load())); rest > 0 {
			c.expect(ctx, cancel, rest)
		} else {
			cancel(errSilent)
		}
	})
	context.AfterFunc(ctx, func() { timer.Stop() })
}

// silence returns errSilent if that ended the context.
func silence(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, errSilent) {
		return err
	}
	return nil
}

// heardBody is the body of an answer, whose pieces are signs of life.
type heardBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	heard  func()
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.heard()
	if err != nil && err != io.EOF {
		err = cmp.Or(silence(b.ctx), err)
	}
	return n, err
}

func (b *heardBody) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// lost returns the error of a request that got no whole answer.
func (c *client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address in it may be long, and is known
	}
	return &unreachable{c.server, err}
}

// complaint reads an answer that is no success.
func complaint(resp *http.Response) error {
	e := &refused{status: resp.StatusCode, task: resp.Header.Get("X-Error-Code")}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxComplaint))
	if err != nil {
		return e // the status is all there is
	}
	switch mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType {
	case "application/json":
		var body struct {
			Error, Code string
			Line        int
		}
		if json.Unmarshal(data, &body) == nil {
			e.text, e.code, e.line = body.Error, body.Code, body.Line
		}
	case "text/plain":
		e.text = strings.TrimSpace(string(data))
	}
	return e
}

// get asks for a JSON answer and decodes it into v.
func (c *client) get(ctx context.Context, path string, query url.Values, v any) (answered, error) {
	return c.decode(ctx, http.MethodGet, path, query, nil, v)
}

func (c *client) decode(ctx context.Context, method, path string, query url.Values, body, v any) (answered, error) {
	a, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return a, err
	}
	return a, foreign(c.server+path, json.Unmarshal(a.body, v))
}

// foreign returns the error of an answer that cannot be decoded, nil where it can.
func foreign(address string, err error) error {
	if err != nil {
		return fmt.Errorf("%s did not answer as a vectorlink server does: %w", address, err)
	}
	return nil
}

// ask sends a request of a command to its server, and decodes the answer into v
// unless that is nil. Its errors are those of do.
func (p *program) ask(ctx context.Context, cfg ClientConfig, method, path string, query url.Values, body, v any) (answered, error) {
	cl, err := p.connect(cfg)
	if err != nil {
		return answered{}, err
	}
	defer cl.close()
	if v == nil {
		return cl.do(ctx, method, path, query, body)
	}
	return cl.decode(ctx, method, path, query, body, v)
}

// values makes query parameters of names and values; empty values are left out.
func values(pairs ...string) url.Values {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
