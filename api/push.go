package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

const (
	defaultMaxLine       = 64 << 20
	defaultPushIdle      = 5 * time.Minute
	defaultProgressEvery = 5 * time.Second
	// progressGap is the shortest time between two lines of progress.
	progressGap = 20 * time.Millisecond
)

// push answers POST /push, whose body is operations that make a commit.
func (s *server) push(w *response, r *http.Request, req *service.PushRequest) error {
	if err := checkEncoding(r); err != nil {
		return err
	}
	push, err := s.ix.StartPush(r.Context(), req.PushRequest)
	if err != nil {
		return err
	}
	// Should anything below give up, the push must not stay open.
	defer push.Abort(service.ErrGone)
	task := push.Task()
	w.task = task.ID
	h := w.Header()
	h.Set("X-Task-Id", task.ID)
	if base := push.Base(); base != "" || req.Parent != "" {
		h.Set("X-Base-Commit", base)
	}
	switch {
	case req.Strict:
		return s.pushStrict(w, r, push, req.Stream)
	case req.Stream:
		return s.pushStream(w, r, push)
	}
	err = s.feed(r.Body.(*slowBody), push)
	if errors.Is(err, service.ErrAborted) {
		return err
	}
	if err != nil {
		// The answer is the task's id all the same: the task says why.
		w.err = err
		h.Set("Connection", "close")
	}
	if err := service.Send(w, http.StatusOK, mediaText, []byte(task.ID)); err != nil {
		return err
	}
	_ = w.ctl.Flush()
	return nil
}

// pushStrict answers when a push has ended: with what was indexed, as JSON or as the
// one line of a stream, or with why there is no commit. The push of a client that
// leaves after its whole body came goes on without it.
func (s *server) pushStrict(w *response, r *http.Request, push *indexer.Push, stream bool) error {
	if errors.Is(s.feed(r.Body.(*slowBody), push), service.ErrSilent) {
		return service.Failure(errSlow, "the rest of the body did not come within %v", s.cfg.PushIdle)
	}
	select {
	case <-push.Done():
	case <-r.Context().Done():
		return context.Cause(r.Context())
	}
	if err := push.Err(); err != nil {
		return err
	}
	done, err := service.Encode(completed(push.Task()))
	if err != nil {
		return err
	}
	if stream {
		return service.Send(w, http.StatusOK, mediaND, append(done, '\n'))
	}
	return service.Send(w, http.StatusOK, mediaJSON, done)
}

// feed hands the operations of a body to a push, and finishes or aborts it. The
// error, if any, is why it was aborted. A push that ends by itself ends the
// reading too.
func (s *server) feed(body *slowBody, push *indexer.Push) (err error) {
	fed := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-push.Done():
			body.hurry()
		case <-fed:
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic", keyError, fmt.Sprint(p), keyStack, string(debug.Stack()))
			err = errors.New("internal error")
		}
		if err != nil {
			push.Abort(err)
		}
		close(fed)
		<-watched
	}()
	lines := service.NewOpReader(body, s.cfg.MaxLine)
	for {
		op, err := lines.Next()
		if errors.Is(err, io.EOF) {
			push.Finish()
			return nil
		}
		if op.Kind == contract.Failed {
			op.ID = "" // listed as unknown, whatever it is of
		}
		if err == nil && op.Vector != nil {
			if err = push.CheckVector(op.Vector); errors.Is(err, contract.ErrInvalid) {
				err = lines.Malformed(err)
			}
		}
		if err == nil {
			err = push.Apply(op)
		}
		if err != nil {
			return err
		}
	}
}

// The lines of a push's stream.
type (
	pushProgress struct {
		Status  string `json:"status"`
		Indexed int    `json:"indexed"`
		Seen    int    `json:"total_seen"`
		Skipped int    `json:"skipped"`
	}
	pushComplete struct {
		Status  string            `json:"status"`
		Indexed int               `json:"indexed_documents"`
		Skipped []indexer.Skipped `json:"skipped"`
		// SkippedTotal counts all; Skipped lists the first.
		SkippedTotal int      `json:"skipped_total"`
		Ignored      int      `json:"ignored_members,omitempty"`
		Warnings     []string `json:"warnings,omitempty"`
	}
	pushAborted struct {
		Status string `json:"status"`
	}
	pushFailed struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Code   string `json:"code"`
	}
)

// completed returns the last line of a push that has made its commit.
func completed(task indexer.Task) pushComplete {
	return pushComplete{"complete", task.Indexed, arrayOf(task.Skipped), task.SkippedTotal, task.Ignored, task.Warnings}
}

// pushStream answers with lines of progress while the body comes and its
// documents are embedded, and with one final line whatever happens.
func (s *server) pushStream(w *response, r *http.Request, push *indexer.Push) error {
	if r.Header.Get("Expect") != "" {
		// The client waits for leave to send, which package http gives only
		// as long as nothing was answered. It would add our headers.
		h := w.Header()
		kept := maps.Clone(h)
		clear(h)
		w.ResponseWriter.WriteHeader(http.StatusContinue)
		maps.Copy(h, kept)
	}
	w.Header().Set("Content-Type", mediaND)
	// Some clients read nothing before they have sent everything: until then
	// they have all the time to take what is written.
	w.patient(true)
	w.WriteHeader(http.StatusOK)
	out := &pushLines{w: w}
	out.flush()
	fed := make(chan error, 1)
	go func() {
		err := s.feed(r.Body.(*slowBody), push)
		w.patient(false)
		fed <- err
	}()
	tick := time.NewTicker(s.cfg.ProgressEvery)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-push.Advanced():
			out.progress(push.Progress())
			tick.Reset(s.cfg.ProgressEvery)
			select {
			case <-time.After(progressGap):
			case <-push.Done():
			}
		case <-tick.C:
			out.progress(push.Progress())
		case <-push.Done():
			done = true
		}
	}
	out.final(push)
	w.err = <-fed
	if w.err == nil {
		w.err = push.Err()
	}
	return nil
}

// pushLines writes the lines of a push's stream. Once the client takes no more
// nothing is written: the push goes on without it.
type pushLines struct {
	w    *response
	last indexer.PushProgress // written last
	err  error
}

func (l *pushLines) line(v any) {
	if l.err != nil {
		return
	}
	var text []byte
	if text, l.err = service.Encode(v); l.err != nil {
		return
	}
	if _, l.err = l.w.Write(append(text, '\n')); l.err == nil {
		l.flush()
	}
}

func (l *pushLines) flush() { l.err = l.w.ctl.Flush() }

func (l *pushLines) progress(now indexer.PushProgress) {
	l.line(pushProgress{"progress", now.Indexed, now.Seen, now.Skipped})
	l.last = now
}

func (l *pushLines) final(push *indexer.Push) {
	if now := push.Progress(); now != l.last {
		l.progress(now)
	}
	task := push.Task()
	switch err := push.Err(); {
	case errors.Is(err, service.ErrAborted):
		l.line(pushAborted{"aborted"})
	case err != nil:
		l.line(pushFailed{"error", task.Error, task.ErrorCode})
	default:
		l.line(completed(task))
	}
}
