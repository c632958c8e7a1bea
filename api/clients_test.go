package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestEarlyRefusals: they reach a client that goes on sending, in
// both modes.
func TestEarlyRefusals(t *testing.T) {
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.Secret = contract.NewSecret("s") })
	tests := []struct {
		target string
		auth   string
		status int
	}{
		{target("c1"), "x", 401}, {target("c1", "stream", "true"), "x", 401},
		{target(""), "s", 400}, {target("n1", "branch", "b", "parent_commit", "p"), "s", 404},
	}
	for _, tt := range tests {
		body, in := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), "POST", l.url+tt.target, body)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", tt.auth)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for { // until nobody takes it any more
				if _, err := io.WriteString(in, inserted("d/A/1", strings.Repeat("x", 1000))); err != nil {
					return
				}
			}
		}()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(text), `"error"`) {
			t.Errorf("%s: %d %s, %v; want %d", tt.target, resp.StatusCode, text, err, tt.status)
		}
		resp.Body.Close()
		body.Close()
		<-sent
	}
}

// dial opens a connection and sends the head of a push with a chunked body.
func (l *live) dial(target string, head ...string) net.Conn {
	l.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	write(l.t, conn, "POST "+target+" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"+strings.Join(head, "")+"\r\n")
	return conn
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// taskOf returns the id of the task that makes a commit, by asking for it.
func (l *live) taskOf(commit string) string {
	l.t.Helper()
	task, err := l.ix.Index(l.t.Context(), indexer.IndexRequest{Domain: "org/db", Commit: commit})
	if err != nil {
		l.t.Fatal(err)
	}
	return task.ID
}

// TestClientsThatLeave: they leave no commit, and their tasks say so.
func TestClientsThatLeave(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		l := newLive(t, vfstest.NewMem())
		conn := l.dial(target("c1", "stream", stream))
		write(t, conn, chunk(inserted("d/A/1", "one")))
		id := ""
		for id == "" { // until the push has begun
			if st, err := l.ix.Statistics(""); err != nil {
				t.Fatal(err)
			} else if st.Tasks > 0 {
				id = l.taskOf("c1")
			}
			runtime.Gosched()
		}
		conn.Close()
		if task := l.wait(id); task.Status != "Failed" || !strings.Contains(task.Error, "disconnected") {
			t.Errorf("stream=%s: %+v", stream, task)
		}
		l.wantHead("main", "")
		l.mustPush("c1", inserted("d/A/1", "one"))
	}
}

// TestClientsThatFallSilent: a push ends of a client that is there and sends
// nothing.
func TestClientsThatFallSilent(t *testing.T) {
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.PushIdle = 20 * time.Millisecond })
	conn := l.dial(target("c1"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if task := l.wait(resp.Header.Get("X-Task-Id")); task.Status != "Failed" || !strings.Contains(task.Error, "disconnected") {
		t.Errorf("%+v", task)
	}
}

// TestClientsThatDoNotRead: they do not stop a push that they have sent.
func TestClientsThatDoNotRead(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	conn := l.dial(target("c1", "stream", "true"))
	for i := range 50 {
		write(t, conn, chunk(inserted(fmt.Sprintf("d/A/%d", i), fmt.Sprintf("text %d", i))))
	}
	write(t, conn, "0\r\n\r\n")
	id := ""
	for id == "" {
		if st, err := l.ix.Statistics(""); err != nil {
			t.Fatal(err)
		} else if st.Tasks > 0 {
			id = l.taskOf("c1")
		}
	}
	if task := l.wait(id); task.Status != "Complete" {
		t.Errorf("%+v", task)
	}
	l.wantHead("main", "c1")
}

// TestExpectContinue: a client that asks before it sends is answered before the
// stream's head goes out.
func TestExpectContinue(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		l := newLive(t, vfstest.NewMem())
		conn := l.dial(target("c1", "stream", stream), "Expect: 100-continue\r\n")
		in := bufio.NewReader(conn)
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("stream=%s: %q, %v", stream, line, err)
		}
		if line, err := in.ReadString('\n'); err != nil || line != "\r\n" {
			t.Fatalf("stream=%s: then %q, %v", stream, line, err)
		}
		write(t, conn, chunk(inserted("d/A/1", "one"))+"0\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("stream=%s: %v, %v", stream, resp, err)
		}
		if task := l.wait(resp.Header.Get("X-Task-Id")); task.Status != "Complete" {
			t.Errorf("stream=%s: %+v", stream, task)
		}
	}
}
