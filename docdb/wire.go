package docdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
)

// maxConns: with as many kept connections as it has workers (the number of its
// CPUs) the server stalls for seconds; every TerminusDB has two at least.
const maxConns = 2

// wire sends requests to one server and reads whole answers, within limits.
type wire struct {
	base *url.URL
	http *http.Client
	cfg  Config
}

// answer is a whole HTTP answer of any status.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// errTooLarge: the answer passed the limit. A batch can be split.
var errTooLarge = errors.New("answer is too long")

// do asks path (escaped, from /api on) with an optional query and JSON body.
// Its error is the context's or wraps contract.ErrSource; any status is an
// answer.
func (w *wire) do(ctx context.Context, method, path string, query url.Values, body []byte) (*answer, error) {
	address := w.base.String() + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, w.source("cannot be asked: %s", strings.TrimPrefix(err.Error(), "net/http: "))
	}
	if body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	return w.send(req)
}

// send adds the credentials, sends req and reads the answer. Everything we ask
// is a read, so a lost connection is tried once more: the server closes idle
// connections without a word.
func (w *wire) send(req *http.Request) (*answer, error) {
	switch {
	case w.cfg.ForwardHeader != "":
		req.Header.Set(w.cfg.ForwardHeader, w.cfg.User)
	case !w.cfg.Token.IsZero():
		req.Header.Set("Authorization", "Bearer "+w.cfg.Token.Reveal())
	case !w.cfg.Password.IsZero():
		req.SetBasicAuth(w.cfg.User, w.cfg.Password.Reveal())
	}
	req.Header.Set("User-Agent", "vectorlink")
	ctx := req.Context()
	a, err := w.sendOnce(req)
	if err != nil && web.IsLost(err) && ctx.Err() == nil {
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, w.source("cannot be asked again: %v", err)
			}
		}
		a, err = w.sendOnce(req)
	}
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("docdb: asking %s: %w", w.host(), context.Cause(ctx))
	case errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("%w at %s: %w (more than %d bytes)", contract.ErrSource, w.host(), errTooLarge, w.cfg.MaxAnswer)
	}
	return nil, w.source("%s", web.Reason(err, w.cfg.Timeout, "VECTORLINK_TERMINUSDB_URL"))
}

func (w *wire) sendOnce(req *http.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), w.cfg.Timeout)
	defer cancel()
	resp, err := w.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, w.cfg.MaxAnswer+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > w.cfg.MaxAnswer {
		return nil, errTooLarge
	}
	return &answer{resp.StatusCode, resp.Header, body}, nil
}

// host names the server in errors.
func (w *wire) host() string { return w.base.Scheme + "://" + w.base.Host }

// denied returns a [contract.ErrDenied] that names the server.
func (w *wire) denied(format string, args ...any) error {
	return fmt.Errorf("%w at %s: %s", contract.ErrDenied, w.host(), fmt.Sprintf(format, args...))
}

// source returns an error that wraps contract.ErrSource and names the server.
func (w *wire) source(format string, args ...any) error {
	return fmt.Errorf("%w at %s: %s", contract.ErrSource, w.host(), fmt.Sprintf(format, args...))
}

// garbage is source for an answer that makes no sense.
func (w *wire) garbage(what string) error { return w.source("answered nonsense: %s", what) }

// loginHint says what to set when we are not let in.
func (w *wire) loginHint(what string) string {
	switch {
	case w.cfg.ForwardHeader != "":
		return fmt.Sprintf("%s, sent as user %q in the header %s: does the server take that header, and is VECTORLINK_TERMINUSDB_USER right?", what, w.cfg.User, w.cfg.ForwardHeader)
	case !w.cfg.Token.IsZero():
		return what + ": is VECTORLINK_TERMINUSDB_TOKEN right?"
	case !w.cfg.Password.IsZero():
		return fmt.Sprintf("%s, sent as user %q with a password: are VECTORLINK_TERMINUSDB_USER and VECTORLINK_TERMINUSDB_PASSWORD right?", what, w.cfg.User)
	}
	return what + ": set VECTORLINK_TERMINUSDB_PASSWORD"
}

// who names the user that asks.
func (w *wire) who() string {
	if w.cfg.ForwardHeader == "" && !w.cfg.Token.IsZero() {
		return "the token's user"
	}
	return fmt.Sprintf("user %q", w.cfg.User)
}

// action is how the server names a right, in JSON or in a message.
var action = regexp.MustCompile(`Action/([a-z_]{1,60})\b`)

// missingRight returns the right that a refusal names, or "".
func missingRight(body []byte) string {
	found := action.FindSubmatch(body[:min(len(body), 4<<10)])
	if found == nil {
		return ""
	}
	return string(found[1])
}

// fault turns an answer that is not the one hoped for into an error; domain
// may be empty. Server messages can quote documents, so only the error's kind
// is passed on.
func (w *wire) fault(a *answer, domain string) error {
	kind := web.ErrorKind(a.body)
	switch {
	case kind == "UnknownDatabase":
		return fmt.Errorf("%w: no database %q at %s", contract.ErrNotFound, domain, w.host())
	case kind == "UnresolvableAbsoluteDescriptor":
		return fmt.Errorf("%w: no such branch or database in %q at %s", contract.ErrNotFound, domain, w.host())
	case a.status == http.StatusUnauthorized:
		return w.denied("%s", w.loginHint("does not let us in (401)"))
	case a.status == http.StatusForbidden && (w.cfg.ForwardHeader+w.cfg.Token.Reveal()+w.cfg.Password.Reveal()) == "":
		return w.denied("%s", w.loginHint("does not let strangers in (403)"))
	case a.status == http.StatusForbidden:
		if right := missingRight(a.body); right != "" {
			return w.denied("%s lacks the right %s on %q (403): the Consumer Role on that database has it", w.who(), right, domain)
		}
		return w.denied("%s may not read %q (403): grant the Consumer Role on that database, or is the name wrong?", w.who(), domain)
	case a.status == http.StatusServiceUnavailable:
		return w.source("is not ready yet (503)")
	case a.status >= 300 && a.status < 400:
		return w.source("redirects us elsewhere (%d), which is refused: set VECTORLINK_TERMINUSDB_URL to the server itself", a.status)
	case a.status < 300:
		return w.garbage(fmt.Sprintf("status %d", a.status))
	case kind != "":
		return w.source("answered %d %s", a.status, kind)
	}
	return w.source("answered %d", a.status)
}
