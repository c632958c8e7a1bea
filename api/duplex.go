package api

import (
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// maxPushDrain, drainTime and drainIdle bound how much is swallowed of
	// the rest of a body after the answer, how long that may take, and for
	// how long nothing may come. It goes on for clients that read the answer
	// only when they have sent everything.
	maxPushDrain = 64 << 20
	drainTime    = 10 * time.Second
	drainIdle    = time.Second
)

// slowBody is a request body that may come slowly, over any time, as long as
// something comes.
type slowBody struct {
	io.ReadCloser
	ctl  *http.ResponseController
	idle time.Duration // longest silence

	mu   sync.Mutex
	end  time.Time // when it must have ended; zero: never
	over bool      // it has ended: nothing reads any more
}

// Read waits for more, not for long.
func (b *slowBody) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// Package http reads on to notice when the client leaves; a
		// deadline would look just like that.
		b.mu.Lock()
		b.over = true
		_ = b.ctl.SetReadDeadline(time.Time{})
		b.mu.Unlock()
	}
	return n, err
}

func (b *slowBody) extend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	deadline := time.Now().Add(b.idle)
	if !b.end.IsZero() && deadline.After(b.end) {
		deadline = b.end
	}
	_ = b.ctl.SetReadDeadline(deadline)
}

// hurry bounds the time for the rest, which is not needed. It reaches a Read that
// waits.
func (b *slowBody) hurry() {
	b.mu.Lock()
	if b.end.IsZero() {
		b.idle, b.end = min(b.idle, drainIdle), time.Now().Add(drainTime)
	}
	b.mu.Unlock()
	b.extend()
}

// drain swallows the rest, within limits.
func (b *slowBody) drain() {
	b.hurry()
	_, _ = io.CopyN(io.Discard, b, maxPushDrain)
}

// streaming lets a handler read and write for any time, both at once, as long as the
// client is not silent for too long.
func (s *server) streaming(next handler) handler {
	return func(rw http.ResponseWriter, r *http.Request) error {
		w := logged(rw)
		w.patient(true)
		_ = w.ctl.EnableFullDuplex() // HTTP/2 can anyway
		if timed, ok := r.Body.(*timedBody); ok {
			r.Body = &slowBody{ReadCloser: timed.ReadCloser, ctl: w.ctl, idle: s.cfg.PushIdle}
		}
		return next(w, r)
	}
}

// duplex lets a handler answer while the body is still coming. A refusal goes
// out at once; the rest of the body is swallowed after it.
func (s *server) duplex(next handler) handler {
	return func(rw http.ResponseWriter, r *http.Request) error {
		w := logged(rw)
		// HTTP/2 can anyway, and without a network there is nothing to do.
		_ = w.ctl.EnableFullDuplex()
		body := &slowBody{ReadCloser: r.Body, ctl: w.ctl, idle: s.cfg.PushIdle}
		if timed, ok := r.Body.(*timedBody); ok {
			body.ReadCloser = timed.ReadCloser
		}
		r.Body = body
		err := next(w, r)
		if err != nil {
			w.Header().Set("Connection", "close")
			unread := *r
			unread.Body = http.NoBody
			if !s.fail(w, &unread, err) {
				return err
			}
			_ = w.ctl.Flush()
		}
		body.drain()
		return nil
	}
}
