package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
)

// TestStrangeServers checks the exit codes of commands whose server is none of
// ours, or out of order.
func TestStrangeServers(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		code    int
		says    string
	}{
		{"web page", answer(200, "text/html", "<html>"), exitFailed, "did not answer as a vectorlink server does"},
		{"other JSON", answer(200, "application/json", `["a"]`), exitFailed, "did not answer as a vectorlink server does"},
		{"nothing", answer(200, "application/json", ""), exitFailed, "did not answer as a vectorlink server does"},
		{"not found", answer(404, "text/html", "<html>"), exitFailed, "404 Not Found"},
		{"text", answer(500, "text/plain", "out of order"), exitFailed, "out of order"},
		{"redirect in circles", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, exitUpstream, "redirects"},
		{"proxy without server", answer(502, "text/html", "<html>"), exitUpstream, "502 Bad Gateway"},
		{"slow server", answer(504, "", ""), exitUpstream, "504 Gateway Timeout"},
		{"restart", answer(503, "application/json", `{"error":"shutting down","code":"shutting_down"}`), exitUpstream, "shutting down"},
		{"hang up", hangUp, exitUpstream, "no answer"},
		{"half an answer", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `[{"id"`)
			hangUp(w, r)
		}, exitUpstream, "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(c.handler)
			srv.Config.ErrorLog = nil
			srv.Start()
			defer srv.Close()
			for _, args := range [][]string{
				{"search", "--domain", "a/b", "--commit", "c", "word"},
				{"duplicates", "--domain", "a/b", "--commit", "c"},
				{"status"},
				{"index", "--domain", "a/b", "--commit", "c", "--wait"},
			} {
				code, stdout, stderr := call(t.Context(), []string{"VECTORLINK_SERVER=" + srv.URL}, args...)
				if code != c.code || !strings.Contains(stderr, c.says) || stdout != "" {
					t.Errorf("%s: exit %d, want %d and %q\n%s%s", args[0], code, c.code, c.says, stdout, stderr)
				}
			}
		})
	}
}

// TestInterruptedWait checks that Ctrl-C while waiting leaves the task alone and
// says so.
func TestInterruptedWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fake := api.New(api.Config{SearchReady: true}, &fakeIndexer{looks: make(map[string]int)})
	var looks atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fake.ServeHTTP(w, r)
		if r.URL.Path == "/check" && looks.Add(1) == 5 {
			cancel()
		}
	}))
	defer srv.Close()
	code, stdout, stderr := call(ctx, []string{"VECTORLINK_SERVER=" + srv.URL}, "index", "--wait", "--domain", domain, "--commit", "9e")
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "the server goes on with "+taskID("9e")) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestWaitThroughRestart checks that waiting survives a server that is away for
// a moment, and not one that stays away.
func TestWaitThroughRestart(t *testing.T) {
	var looks atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := looks.Add(1); {
		case n == 1:
			fmt.Fprint(w, `{"status":"Pending","percentage":50}`)
		case n < 6:
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, `{"status":"Complete","documents":7}`)
		}
	}))
	defer srv.Close()
	st, err := newClient(srv.URL, "", contract.Secret{}).wait(t.Context(), "task-1", time.Minute, func(taskState) {})
	if err != nil || st.Documents != 7 {
		t.Errorf("got %+v, %v", st, err)
	}
	looks.Store(0)
	_, err = newClient(srv.URL, "", contract.Secret{}).wait(t.Context(), "task-1", 0, func(taskState) {})
	if exitCode(err) != exitUpstream {
		t.Errorf("without patience: got %v", err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{context.Canceled, 1},
		{usage("x"), 2},
		{complaints{errors.New("x")}.error(), 2},
		{fmt.Errorf("more: %w", as(errSkipped, errors.New("x"))), 3},
		{&unreachable{"http://x", io.EOF}, 4},
		{&refused{status: 500, code: "provider_failed"}, 4},
		{&refused{status: 500, code: "source_failed"}, 4},
		{&refused{status: 503, code: "busy"}, 4},
		{&refused{status: 500, code: "internal"}, 1},
		{&refused{status: 401, code: "unauthorized"}, 1},
		{&failedTask{"no answer", "source_failed"}, 4},
		{&failedTask{"429", "provider_failed"}, 4},
		{&failedTask{"docdb: document database: no commit", "not_found"}, 1},
		{as(errDamage, errors.New("x")), 5},
		{as(errDuplicates, errors.New("x")), 6},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

// TestLines checks the progress for logs: at most a line a second, never a
// share below an earlier one, and a sign of life when nothing moves.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := newProgress(&out, "x")
		for i := range 25 {
			time.Sleep(200 * time.Millisecond)
			percent := float64(i)
			if i%5 == 4 {
				percent = 1 // a server that forgot
			}
			l.update(percent, "note")
		}
		for range 15 {
			time.Sleep(time.Second)
			l.update(23, "")
		}
		l.end(true)
		want := "x    3.0 %  1.0 s  note\n" +
			"x    8.0 %  2.0 s  note\nx   13.0 %  3.0 s  note\nx   18.0 %  4.0 s  note\nx   23.0 %  5.0 s  note\n" +
			"x   23.0 %  15 s\nx  100.0 %  20 s\n"
		if got := out.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

func TestDeadlineAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		late, release := deadlineAfter(ctx, 10*time.Second)
		time.Sleep(time.Hour)
		cancel()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if late.Err() != nil {
			t.Error("ended before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(late), context.DeadlineExceeded) {
			t.Errorf("the cause is %v", context.Cause(late))
		}
		release()
		_, release = deadlineAfter(context.Background(), time.Second)
		release()
	})
}

// TestBar checks that a bar never goes back, stays on its line, and shows in the
// end whether the work was finished.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, done := range []bool{true, false} {
			var out strings.Builder
			b := &progress{w: &out, label: "x", width: 60, start: time.Now()}
			b.update(50, "a note that is too long for the line")
			time.Sleep(time.Second)
			b.update(20, "")
			b.end(done)
			half := "x [===============---------------]  50 %  "
			want := "\r" + half + "0.0 s  a note tha\x1b[K\r" + half + "1.0 s  \x1b[K\r"
			if done {
				want += "x [==============================] 100 %  1.0 s  \x1b[K\n"
			} else {
				want += half + "1.0 s  \x1b[K\n"
			}
			if got := out.String(); got != want {
				t.Errorf("end(%t): got\n%q want\n%q", done, got, want)
			}
		}
	})
}
