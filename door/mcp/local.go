package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// Local returns a way to ask a handler of this process, with the caller of the request for
// a tool.
func Local(h http.Handler) http.RoundTripper { return local{h} }

type local struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (l local) RoundTrip(req *http.Request) (res *http.Response, err error) {
	w := &recorder{header: make(http.Header), status: http.StatusOK}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: // the handler has said why in the log
			res, err = nil, errors.New("the request was cut short")
		default:
			panic(p)
		}
	}()
	// What the request for a tool carries in its context, its route among it, is not
	// this one's, but for its caller.
	ctx, cancel := context.WithCancelCause(service.As(context.Background(), req.Context()))
	defer cancel(nil)
	defer context.AfterFunc(req.Context(), func() { cancel(context.Cause(req.Context())) })()
	r := req.Clone(ctx)
	r.RemoteAddr, r.RequestURI = "mcp", req.URL.RequestURI()
	l.handler.ServeHTTP(w, r)
	if w.body.Len() > maxRead {
		return nil, errLong
	}
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: req}, nil
}

// recorder keeps an answer, no more than can be read.
type recorder struct {
	header  http.Header
	status  int
	written bool
	body    bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if !w.written {
		w.status, w.written = status, true
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(p) > maxRead+1 {
		w.body.Write(p[:max(maxRead+1-w.body.Len(), 0)])
		return 0, errLong
	}
	return w.body.Write(p)
}
