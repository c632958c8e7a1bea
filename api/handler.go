package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// handler answers a request, or returns why it could not and has then written
// nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

// The keys of the access log.
const (
	keyRequest = "request"
	keyMethod  = "method"
	keyPath    = "path"
	keyRemote  = "remote"
	keyStatus  = "status"
	keyBytes   = "bytes"
	keyDur     = "dur_ms"
	keyDomain  = "domain"
	keyCommit  = "commit"
	keyTask    = "task"
	keyKey     = "key"
	keyError   = "error"
	keyStack   = "stack"
	keyRoute   = "route"
	keyMode    = "mode"
)

const (
	// clientGone is logged as the status of a request whose client did not
	// wait; nothing is written then.
	clientGone = 499

	// bodyTime bounds how long a request's body may take to arrive, and
	// writeTime how long a client may take to accept a piece of the answer:
	// neither end holds a connection open by being slow.
	bodyTime  = 10 * time.Second
	writeTime = time.Minute

	// maxDrain is how much of an unread body is swallowed when a request is
	// refused, because a client that is still sending would see a broken
	// connection instead of the answer.
	maxDrain = 8 << 20

	maxLoggedPath = 200
)

// response remembers what was answered and carries what the access log says
// about the request.
type response struct {
	http.ResponseWriter
	ctl    *http.ResponseController
	id     string // of the request
	status int    // 0: nothing written
	bytes  int64
	err    error
	route  string // the path of its route, for metrics; otherRoute where it has none
	trace  *search.Trace
	domain string
	commit string // the served one, or the one asked for
	task   string
	key    string // the id of the key that the request was sent with
	// shape returns the body of an answer that is an error, in another protocol.
	shape func(err error, status int, code, text string) any

	waits sync.Mutex // guards waiting, which another goroutine may set
	// waiting: the client may take any time to accept what is written.
	waiting bool
}

// WriteHeader notes the status.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// Write gives the client its time to take what is written.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extend()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush sends what was written; package connect asks for it.
func (w *response) Flush() { _ = w.ctl.Flush() }

// extend moves the deadline of writing. Where the connection has none, as in
// tests without a network, slow clients cannot exist either.
func (w *response) extend() {
	w.waits.Lock()
	defer w.waits.Unlock()
	deadline := time.Now().Add(writeTime)
	if w.waiting {
		deadline = time.Time{}
	}
	_ = w.ctl.SetWriteDeadline(deadline)
}

// patient sets whether the client has all the time to accept what is written.
// It reaches a Write that waits.
func (w *response) patient(yes bool) {
	w.waits.Lock()
	w.waiting = yes
	w.waits.Unlock()
	w.extend()
}

// done answers a request of which nothing is to be told but that it was done.
func (w *response) done(err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// deleted answers a request that was to delete a domain or something of it.
func (w *response) deleted(r *http.Request, domain string, err error) error {
	if err == nil {
		service.CallerOf(r.Context()).Deleted(domain)
	}
	return w.done(err)
}

// logged returns the record that the access log is written from, for a handler
// to add to. Every handler runs under observe.
func logged(w http.ResponseWriter) *response { return w.(*response) }

// observe gives every request an id, guards against panics, and writes the
// access log.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &response{ResponseWriter: rw, ctl: http.NewResponseController(rw), id: rand.Text(), route: otherRoute}
		var ctx context.Context
		ctx, w.trace = search.WithTrace(r.Context())
		r = r.WithContext(ctx)
		h := w.Header()
		h.Set("X-Request-Id", w.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = newTimedBody(w.ctl, r.Body)
		}
		defer func() {
			abort := false
			if p := recover(); p != nil {
				abort = s.recovered(w, r, p)
			}
			dur := time.Since(start)
			s.cfg.Metrics.request(w, dur)
			s.record(w, r, dur)
			if abort {
				panic(http.ErrAbortHandler) // break the connection
			}
		}()
		next.ServeHTTP(w, r)
		if w.status == 0 { // package http answers so when a handler has written nothing
			w.status = http.StatusOK
		}
	})
}

// recovered deals with a panic and reports whether the connection must break.
func (s *server) recovered(w *response, r *http.Request, p any) (abort bool) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.log.Error("panic", keyRequest, w.id, keyError, fmt.Sprint(p), keyStack, string(debug.Stack()))
	return !s.fail(w, r, errors.New("panic"))
}

// LevelRequest is that of the access log's lines: below LevelInfo, so that a log can
// do without them. Requests that failed here are errors, and probes are of
// LevelDebug.
const LevelRequest = slog.LevelInfo - 1

// otherRoute is the route of requests that lead to none.
const otherRoute = "other"

// record writes the access log's line, and that of a request that took long.
func (s *server) record(w *response, r *http.Request, dur time.Duration) {
	s.recordSlow(w, r, dur)
	level := LevelRequest
	switch {
	case w.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case strings.HasPrefix(r.URL.Path, "/health/"):
		level = slog.LevelDebug // probes come every few seconds
	}
	attrs := []slog.Attr{
		slog.String(keyRequest, w.id),
		slog.String(keyMethod, r.Method),
		slog.String(keyPath, loggedPath(r)),
		slog.String(keyRemote, r.RemoteAddr),
		slog.Int(keyStatus, w.status),
		slog.Int64(keyBytes, w.bytes),
		slog.Float64(keyDur, milliseconds(dur)),
	}
	for _, a := range []struct{ key, value string }{
		{keyDomain, w.domain}, {keyCommit, w.commit}, {keyTask, w.task}, {keyKey, w.key},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if w.err != nil {
		attrs = append(attrs, slog.String(keyError, w.err.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// recordSlow writes a line about a request that read a commit and took long: what its
// time went to, and nothing of what was asked.
func (s *server) recordSlow(w *response, r *http.Request, dur time.Duration) {
	if s.cfg.Slow <= 0 || dur < s.cfg.Slow || !w.trace.Reads() {
		return
	}
	mode, _ := w.trace.Searched()
	attrs := []slog.Attr{
		slog.String(keyRequest, w.id), slog.String(keyRoute, w.route), slog.String(keyMode, mode),
		slog.String(keyDomain, w.domain), slog.String(keyCommit, w.commit), slog.Float64(keyDur, milliseconds(dur)),
	}
	for p := range search.Parts {
		attrs = append(attrs, slog.Float64(p.String()+"_ms", milliseconds(w.trace.Part(p))))
	}
	s.log.LogAttrs(r.Context(), slog.LevelWarn, "slow request", attrs...)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func loggedPath(r *http.Request) string { return r.URL.Path[:min(len(r.URL.Path), maxLoggedPath)] }

// handle adapts the handler of a route to package http.
func (s *server) handle(route string, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		logged(w).route = route
		if err := h(w, r); err != nil && !s.fail(logged(w), r, err) {
			panic(http.ErrAbortHandler)
		}
	}
}

// fail answers with an error. It reports false where no answer can be given:
// the client is gone, or part of another answer is already on its way.
func (s *server) fail(w *response, r *http.Request, err error) bool {
	w.err = err
	// Package http takes a body that is late for a client that left, too.
	if r.Context().Err() != nil && !errors.Is(err, errSlow) {
		w.status = clientGone
		return false
	}
	if w.status != 0 {
		return false
	}
	if r.Body != nil && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
	status, body := outcome(err, w.id)
	h := w.Header()
	h.Set("Cache-Control", "no-store") // whatever was going to be said
	h.Del("ETag")
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="vectorlink", charset="UTF-8"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	}
	if s.cfg.Page != nil && strings.HasPrefix(r.URL.Path, pagePath) {
		return s.cfg.Page.Refuse(w, r, status, body.Error, w.id) == nil
	}
	var shown any = body
	if w.shape != nil {
		shown = w.shape(err, status, body.Code, body.Error)
	}
	text, err := service.Encode(shown)
	if err != nil { // strings always encode
		panic(err)
	}
	return service.Send(w, status, "application/json", text) == nil
}

// sendJSON answers 200 with v.
func sendJSON(w http.ResponseWriter, v any) error { return service.SendJSON(w, http.StatusOK, v) }

// arrayOf returns a list as it is sent: none is [], never null.
func arrayOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// timedBody is a request body that must arrive in time. The deadline is lifted
// at its end: the connection is read from while the handler works, to notice
// when the client leaves, and a deadline would look just like that.
type timedBody struct {
	io.ReadCloser
	ctl *http.ResponseController
}

func newTimedBody(ctl *http.ResponseController, body io.ReadCloser) *timedBody {
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTime))
	return &timedBody{body, ctl}
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}
