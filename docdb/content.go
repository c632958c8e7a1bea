package docdb

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
)

// MaxLine bounds a line of a content endpoint's answer in bytes.
const MaxLine = 64 << 20

// maxContentErrorBody is how much of a refused request's answer is looked at.
const maxContentErrorBody = 64 << 10

// ContentConfig says where ready-made operations come from.
type ContentConfig struct {
	// Endpoint is asked as {Endpoint}/{org}/{db}?commit_id=…[&previous=…].
	// Required.
	Endpoint string
	// ForwardHeader, when set, is the header that names the user.
	ForwardHeader string
	// User is the value of ForwardHeader; empty means DefaultUser.
	User string
	// Timeout bounds the wait for the answer to begin and for each further
	// piece of it; the whole may take longer. 0 means DefaultTimeout.
	Timeout time.Duration
}

// ContentSource reads NDJSON operations from a content endpoint, which the
// first VectorLink took instead of a database:
//
//	{"op":"Inserted","id":"…","string":"…"}   also Changed and Replaced
//	{"op":"Deleted","id":"…"}
//	{"op":"Error","message":"…"}
//
// It knows nothing of history: the caller's previous commit is the base, and
// every commit counts as lying on the requested branch. It may be used by many
// goroutines.
type ContentSource struct {
	base    *url.URL
	http    *http.Client
	forward string
	user    string
	timeout time.Duration
}

var _ contract.Source = (*ContentSource)(nil)

// NewContentSource checks cfg and returns a source; it does not connect.
func NewContentSource(cfg ContentConfig) (*ContentSource, error) {
	base, err := baseURL(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("docdb: TERMINUSDB_CONTENT_ENDPOINT: %w", err)
	}
	if cfg.ForwardHeader != "" && !isToken(cfg.ForwardHeader) {
		return nil, fmt.Errorf("docdb: VECTORLINK_USER_FORWARD_HEADER: %q is not a header name", cfg.ForwardHeader)
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("docdb: timeout must not be negative")
	}
	orElse(&cfg.User, DefaultUser)
	orElse(&cfg.Timeout, DefaultTimeout)
	return &ContentSource{
		// A stream holds its connection as long as its reader takes: with a
		// limit, the pulls of other domains would wait for it.
		base: base, http: newHTTPClient(cfg.Timeout, 0),
		forward: cfg.ForwardHeader, user: cfg.User, timeout: cfg.Timeout,
	}, nil
}

// Pull asks the endpoint for the operations that lead to the commit: from
// req.Previous where that is indexed, else from nothing, and then the answer is
// the complete commit. The stream is read while Ops is ranged over.
func (s *ContentSource) Pull(ctx context.Context, req contract.PullRequest) (*contract.Pull, error) {
	path, err := resource("", req.Domain)
	if err != nil {
		return nil, err
	}
	query := url.Values{"commit_id": {req.Commit}}
	pull := &contract.Pull{OnBranch: true, Complete: true}
	if req.Previous != "" && req.Indexed != nil && req.Indexed(req.Previous) {
		pull.Base, pull.Complete = req.Previous, false
		query.Set("previous", req.Previous)
	}
	body, err := s.open(ctx, s.base.String()+path+"?"+query.Encode(), req)
	if err != nil {
		return nil, err
	}
	pull.Ops = s.ops(ctx, body)
	return pull, nil
}

// open sends the request and returns the body of a 200. Nobody needs to read
// it: it closes itself when ctx ends or no reader comes within the timeout.
func (s *ContentSource) open(ctx context.Context, address string, req contract.PullRequest) (*idleReader, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(s.timeout, func() { cancel(errIdle) })
	fail := func(err error) (*idleReader, error) {
		idle.Stop()
		cancel(nil)
		return nil, err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(s.source("cannot be asked"))
	}
	if s.forward != "" {
		httpReq.Header.Set(s.forward, s.user)
	}
	httpReq.Header.Set("User-Agent", "vectorlink")
	resp, err := s.http.Do(httpReq)
	if err != nil && isLostConnection(err) && ctx.Err() == nil {
		resp, err = s.http.Do(httpReq)
	}
	if err != nil {
		return fail(s.broken(ctx, err))
	}
	if resp.StatusCode == http.StatusOK {
		return &idleReader{body: resp.Body, ctx: ctx, cancel: cancel, timer: idle, timeout: s.timeout}, nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxContentErrorBody))
	resp.Body.Close()
	switch kind := errorKind(body); {
	case resp.StatusCode == http.StatusNotFound:
		return fail(fmt.Errorf("%w: the content endpoint at %s knows no commit %q of %s", contract.ErrNotFound, s.host(), req.Commit, req.Domain))
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fail(s.source("does not let us in (%d): is VECTORLINK_USER_FORWARD_HEADER right?", resp.StatusCode))
	case kind != "":
		return fail(s.source("answered %d %s", resp.StatusCode, kind))
	}
	return fail(s.source("answered %d", resp.StatusCode))
}

func (s *ContentSource) host() string { return s.base.Scheme + "://" + s.base.Host }

func (s *ContentSource) source(format string, args ...any) error {
	return fmt.Errorf("%w: content endpoint at %s: %s", contract.ErrSource, s.host(), fmt.Sprintf(format, args...))
}

// broken says why a request or its answer broke off.
func (s *ContentSource) broken(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errIdle):
		return s.source("no answer within %v", s.timeout)
	case cause != nil:
		return fmt.Errorf("docdb: asking %s: %w", s.host(), cause)
	}
	return s.source("%s", strings.ReplaceAll(reason(err, s.timeout), "VECTORLINK_TERMINUSDB_URL", "TERMINUSDB_CONTENT_ENDPOINT"))
}

// ops reads the stream line by line and closes it at the end.
func (s *ContentSource) ops(ctx context.Context, body *idleReader) iter.Seq2[contract.Op, error] {
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
				err = s.source("line %d is longer than %d bytes", number, MaxLine)
			case err != nil && !errors.Is(err, io.EOF):
				err = s.broken(body.ctx, err)
			case len(bytes.TrimSpace(line)) == 0:
				continue
			default:
				if op, err = parseLine(line); err != nil {
					err = s.source("line %d: %v", number, err)
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
		if !isNull(l.Fields) {
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
		return contract.Op{Kind: contract.Failed, ID: l.ID, Err: fmt.Errorf("operation error: %s", shorten(l.Message))}, nil
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
