package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
)

// What can be wrong with a request of HTTP, whatever its parameters.
var (
	errHeader    = errors.New("bad header")
	errSyntax    = errors.New("unreadable request")
	errCrossSite = errors.New("cross-site request")
	errPath      = errors.New("no such path")
	errMethod    = errors.New("method not allowed")
	errSlow      = errors.New("body too slow")
	errMediaType = errors.New("media type")
	errRate      = errors.New("too many requests")
	errNotReady  = errors.New("not ready")
)

// outcomes is the one table from errors to answers: the first row whose error
// is wrapped decides. A row's text, where it has one, is shown instead of the
// error's own, which then goes to the log only.
var outcomes = []struct {
	err    error
	status int
	code   string
	text   string
}{
	{service.ErrMissing, http.StatusBadRequest, "missing_parameter", ""},
	{service.ErrParameter, http.StatusBadRequest, "bad_parameter", ""},
	{service.ErrUnknown, http.StatusBadRequest, "unknown_parameter", ""},
	{errHeader, http.StatusBadRequest, "bad_header", ""},
	{errSyntax, http.StatusBadRequest, "bad_request", ""},
	{service.ErrCredentials, http.StatusUnauthorized, "unauthorized", ""},
	{service.ErrForbidden, http.StatusForbidden, "forbidden", ""},
	{errCrossSite, http.StatusForbidden, "cross_site", ""},
	{errPath, http.StatusNotFound, "no_such_path", ""},
	{errMethod, http.StatusMethodNotAllowed, "method_not_allowed", ""},
	{errSlow, http.StatusRequestTimeout, "body_too_slow", ""},
	{service.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", ""},
	{errMediaType, http.StatusUnsupportedMediaType, "unsupported_media_type", ""},
	{service.ErrType, http.StatusUnprocessableEntity, "wrong_type", ""},
	{service.ErrAborted, http.StatusUnprocessableEntity, "push_aborted", ""},
	{errRate, http.StatusTooManyRequests, "rate_limited", ""},
	{errNotReady, http.StatusServiceUnavailable, "not_ready", ""},

	{contract.ErrInvalid, http.StatusBadRequest, "invalid_request", ""},
	{contract.ErrNotConfigured, http.StatusBadRequest, "not_configured", ""},
	{contract.ErrNoKey, http.StatusNotFound, "key_not_found", ""},
	{contract.ErrNotFound, http.StatusNotFound, "not_found", ""},
	{contract.ErrPruned, http.StatusGone, "pruned", ""},
	{contract.ErrFrozen, http.StatusConflict, "frozen", ""},
	{contract.ErrImmutable, http.StatusConflict, "immutable", ""},
	{contract.ErrConflict, http.StatusConflict, "conflict", ""},
	{contract.ErrBusy, http.StatusServiceUnavailable, "busy", ""},
	{contract.ErrReadOnly, http.StatusForbidden, "read_only", ""},
	{contract.ErrClosed, http.StatusServiceUnavailable, "shutting_down", ""},
	{contract.ErrCorrupt, http.StatusInternalServerError, "damaged", "a stored file is damaged: run `vectorlink verify` to find it, then index or push again the commit that it names"},
	{contract.ErrDown, http.StatusServiceUnavailable, "provider_down", ""},
	{contract.ErrStore, http.StatusInternalServerError, "store_failed", "the data directory cannot be read or written: look at the space and the rights of its disk, and at the log"},
	{contract.ErrProvider, http.StatusInternalServerError, "provider_failed", ""},
	{contract.ErrDenied, http.StatusInternalServerError, "source_denied", ""},
	{contract.ErrSource, http.StatusInternalServerError, "source_failed", ""},

	{context.DeadlineExceeded, http.StatusGatewayTimeout, "timeout", "the request took too long"},
	// Unforeseen errors reveal nothing about the inside.
	{nil, http.StatusInternalServerError, "internal", "internal error"},
}

// retryAfter is the Retry-After of every 503, in seconds.
const retryAfter = "30"

// problem is the body of every error answer.
type problem struct {
	Error string `json:"error"`
	Code  string `json:"code"`
	// Line is the one of a pushed body that is at fault.
	Line int `json:"line,omitempty"`
	// Request finds the request in the log, where the text alone cannot
	// tell what happened.
	Request string `json:"request_id,omitempty"`
}

// outcome looks err up in the table.
func outcome(err error, request string) (status int, body problem) {
	i := 0
	for outcomes[i].err != nil && !errors.Is(err, outcomes[i].err) {
		i++
	}
	row := outcomes[i]
	body = problem{Error: row.text, Code: row.code}
	if body.Error == "" {
		body.Error = err.Error()
	}
	var at *service.LineError
	if errors.As(err, &at) {
		body.Line = at.Line
	}
	if row.status == http.StatusInternalServerError {
		body.Request = request
		if row.text != "" {
			body.Error += " (request " + request + ")"
		}
	}
	return row.status, body
}
