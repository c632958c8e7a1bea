package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
)

// accessLines returns the access log's lines.
func (e *env) accessLines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(e.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["msg"] == "request" {
			lines = append(lines, m)
		}
	}
	return lines
}

func TestAccessLog(t *testing.T) {
	e := newEnv(t)
	got := e.get("/search?domain=a/b&commit=k8&ancestor=k7&q=" + canary)
	e.get("/nowhere?q=" + canary)
	e.do(request{method: "POST", target: "/search?domain=a/b&commit=k7", body: canary})
	e.get("/index?domain=a/b&commit=k7")
	e.get("/health/live")
	lines := e.accessLines(t)
	if len(lines) != 5 {
		t.Fatalf("%d lines, want 5:\n%s", len(lines), e.log)
	}
	first := lines[0]
	for key, want := range map[string]any{
		"level": "DEBUG+3", "method": "GET", "path": "/search", "status": 200.0, "domain": "a/b",
		"commit": "k7", "bytes": 2.0, "request": got.header.Get("X-Request-Id"),
	} {
		if first[key] != want {
			t.Errorf("%s = %v, want %v", key, first[key], want)
		}
	}
	if lines[1]["status"] != 404.0 || lines[1]["error"] == nil {
		t.Errorf("line of an error: %v", lines[1])
	}
	if lines[3]["task"] != e.task.ID {
		t.Errorf("line of a task: %v", lines[3])
	}
	if lines[4]["level"] != "DEBUG" {
		t.Errorf("a probe is logged at %v", lines[4]["level"])
	}
}

func TestPanic(t *testing.T) {
	e := newEnv(t)
	for _, p := range []any{"boom", errors.New("boom"), fmt.Errorf("x %w", io.EOF)} {
		e.panics = p
		got := e.get("/search?domain=a/b&commit=k7&q=" + canary)
		got.wantError(t, 500, "internal", got.header.Get("X-Request-Id"))
		if strings.Contains(got.body, "boom") {
			t.Errorf("the panic shows: %s", got.body)
		}
	}
	log := e.log.String()
	if !strings.Contains(log, "boom") || !strings.Contains(log, "fake_test.go") {
		t.Errorf("no panic with its stack in the log: %s", log)
	}
	if lines := e.accessLines(t); len(lines) != 3 || lines[0]["status"] != 500.0 || lines[0]["level"] != "ERROR" {
		t.Errorf("access log: %v", lines)
	}
	e.panics = nil
	e.get("/search?domain=a/b&commit=k7&q=x").wantBody(t, "[]") // still up
}

// TestClientGone checks that a search ends with its client, and is logged so.
func TestClientGone(t *testing.T) {
	e := newEnv(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	e.hook = func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	// A body that was read to its end must not keep the server from noticing.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, "POST", e.url+"/search?domain=a/b&commit=k7", strings.NewReader(canary))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultTransport.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Fatalf("request ended with %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the search ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the search did not end")
	}
	e.close() // so that the line is written
	if lines := e.accessLines(t); len(lines) != 1 || lines[0]["status"] != 499.0 || lines[0]["level"] != "DEBUG+3" {
		t.Errorf("access log: %v", lines)
	}
}

// TestSearchTimeout checks the bound on a search's time.
func TestSearchTimeout(t *testing.T) {
	e := newEnv(t, func(c *api.Config) { c.SearchTimeout = time.Millisecond })
	e.hook = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, target := range []string{"/search?q=x", "/similar?id=x", "/similar?text=x"} {
		e.get(target+"&domain=a/b&commit=k7").wantError(t, http.StatusGatewayTimeout, "timeout")
	}
}

// TestRefusalWhileSending checks that a client which is still sending a large
// body sees why it was refused.
func TestRefusalWhileSending(t *testing.T) {
	e := newEnv(t, withSecret)
	const size = 6 << 20
	for name, auth := range map[string]string{"credentials": "", "size": basic("admin", secret)} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /similar HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", auth, size)
			if n, err := io.Copy(conn, io.LimitReader(spaces{}, size)); err != nil {
				t.Fatalf("sending broke after %d bytes: %v", n, err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			want := map[string]int{"credentials": 401, "size": 413}[name]
			if resp.StatusCode != want {
				t.Errorf("status %d, want %d", resp.StatusCode, want)
			}
		})
	}
}

// spaces is an endless body.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestCutBody checks that a body which ends early is no request.
func TestCutBody(t *testing.T) {
	e := newEnv(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /search?domain=a/b&commit=k7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf a que")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("status %d, want 400", resp.StatusCode)
		}
	}
	e.untouched(t)
}

// brokenBody is a body whose arrival failed.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestBodyFails(t *testing.T) {
	ix := &fake{}
	h := api.New(api.Config{SearchReady: true}, ix)
	for _, tt := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), http.StatusRequestTimeout},
		{io.ErrUnexpectedEOF, http.StatusBadRequest},
	} {
		for _, target := range []string{"/search", "/similar", "/index"} {
			r := httptest.NewRequest(http.MethodPost, "http://localhost"+target, brokenBody{tt.err})
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("%s with %v: status %d, want %d", target, tt.err, w.Code, tt.status)
			}
		}
	}
	ix.untouched(t)
}

// TestOddTargets sends request lines that no client library would.
func TestOddTargets(t *testing.T) {
	e := newEnv(t)
	for line, want := range map[string]int{
		"GET * HTTP/1.1":                        404,
		"CONNECT x:1 HTTP/1.1":                  404,
		"GET http://x/health/live HTTP/1.1":     200,
		"GET /search%2F..%2Fhealth HTTP/1.1":    404,
		"GET /health/live?%zz HTTP/1.1":         200,
		"GET /statistics?domain=a/b HTTP/1.0":   200,
		"GET /search\\..\\health/live HTTP/1.1": 404,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nHost: localhost\r\nConnection: close\r\n\r\n", line)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", line, resp.StatusCode, want)
		}
		conn.Close()
	}
}

// TestSlowness waits out the deadlines: a body that stalls is refused, and a
// search that takes longer than a body may is not disturbed.
func TestSlowness(t *testing.T) {
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("takes 25 seconds; set VECTORLINK_LONG=1")
	}
	ix := &fake{}
	address, stop := serve(t, ix)
	t.Cleanup(stop)
	t.Run("stalling", func(t *testing.T) {
		t.Parallel()
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /search?domain=a/b&commit=k7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("status %d, want 408", resp.StatusCode)
		}
	})
	t.Run("thinking", func(t *testing.T) {
		t.Parallel()
		ix.hook = func(ctx context.Context) error {
			select {
			case <-time.After(25 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		resp, err := http.Post("http://"+address+"/search?domain=a/b&commit=k7", "text/plain", strings.NewReader("squid"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d, want 200", resp.StatusCode)
		}
	})
}
