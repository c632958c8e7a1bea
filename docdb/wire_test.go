package docdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

const canary = "canary-Xq7"

func TestSecret(t *testing.T) {
	cfg := docdb.Config{URL: "http://localhost", User: "admin", Password: contract.NewSecret(canary), Token: contract.NewSecret(canary)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cfg", cfg, "secret", cfg.Password)
	encoded, err := json.Marshal(cfg)
	if err != nil && !strings.Contains(err.Error(), "unsupported type") {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", cfg, cfg, cfg, cfg.Password, cfg.Password, cfg.Password), log.String(), string(encoded)} {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("shows the secret: %s", text)
		}
	}
	if s := (contract.Secret{}).String(); s != "" {
		t.Errorf("no secret prints as %q", s)
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, cfg := range []docdb.Config{
		{}, {URL: "localhost:6363"}, {URL: "ftp://localhost"}, {URL: "http://"}, {URL: "http://admin:" + canary + "@localhost"},
		{URL: "http://localhost?x=1"}, {URL: "http://" + canary + "\x7f"},
		{URL: "http://localhost", Password: contract.NewSecret(canary), Token: contract.NewSecret(canary)},
		{URL: "http://localhost", ForwardHeader: "no header"},
		{URL: "http://localhost", BatchSize: -1}, {URL: "http://localhost", BatchSize: 1_000_000},
		{URL: "http://localhost", Timeout: -1},
	} {
		if _, err := docdb.NewClient(cfg); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestCredentials logs in each way there is.
func TestCredentials(t *testing.T) {
	db := minidb.New(minidb.Config{})
	if _, err := db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	wrong, stranger := docdbtest.One(t, transcripts, "70b"), docdbtest.One(t, transcripts, "70d")
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, basic := r.BasicAuth()
		forwarded := r.Header.Get("X-User-Forward")
		switch {
		case forwarded == "admin", basic && password == canary:
			db.ServeHTTP(w, r)
		case forwarded != "", basic, r.Header.Get("Authorization") != "":
			wrong.Write(w)
		default:
			stranger.Write(w)
		}
	})
	for _, c := range []struct {
		name   string
		change func(*docdb.Config)
		says   string // empty: no error
	}{
		{"password", func(c *docdb.Config) { c.Password = contract.NewSecret(canary) }, ""},
		{"wrong password", func(c *docdb.Config) { c.Password = contract.NewSecret("x") }, "VECTORLINK_TERMINUSDB_PASSWORD"},
		{"no password", func(c *docdb.Config) { c.Password = contract.Secret{} }, "set VECTORLINK_TERMINUSDB_PASSWORD"},
		{"token", func(c *docdb.Config) { c.Password, c.Token = contract.Secret{}, contract.NewSecret(canary) }, "VECTORLINK_TERMINUSDB_TOKEN"},
		{"header", func(c *docdb.Config) { c.Password, c.ForwardHeader = contract.Secret{}, "X-User-Forward" }, ""},
		{"header, unknown user", func(c *docdb.Config) { c.User, c.ForwardHeader = "nobody", "X-User-Forward" }, `"nobody"`},
	} {
		_, err := newClient(t, guarded, c.change).Heads(t.Context(), domain)
		if c.says == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.says != "" && (!errors.Is(err, contract.ErrSource) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var got string
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }),
		func(c *docdb.Config) { c.Password, c.Token = contract.Secret{}, contract.NewSecret(canary) })
	c.Heads(t.Context(), domain)
	if got != "Bearer "+canary {
		t.Errorf("token was sent as %q", got)
	}
}

// TestBrokenServers: a database that fails, in whatever way, is an error that
// names it, on every kind of request.
func TestBrokenServers(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	hijack := func(w http.ResponseWriter, write string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			fmt.Fprint(conn, write)
			conn.Close()
		}
	}
	for _, c := range []struct {
		name, says string
		h          http.HandlerFunc
	}{
		{"nothing", "closed", func(w http.ResponseWriter, r *http.Request) { hijack(w, "") }},
		{"cut", "closed", func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"name\"")
		}},
		{"no HTTP", "malformed", func(w http.ResponseWriter, r *http.Request) { hijack(w, "220 smtp ready\r\n") }},
		{"empty", "nonsense", func(w http.ResponseWriter, r *http.Request) {}},
		{"html", "nonsense", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>login</html>") }},
		{"not UTF-8", "nonsense", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "[{\"name\":\"\xff}") }},
		{"another shape", "nonsense", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `7`) }},
		{"500", "500", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); fmt.Fprint(w, "document text") }},
		{"503", "not ready", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }},
		{"redirect", "redirects", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/steal" {
				t.Error("a redirect was followed")
			}
			http.Redirect(w, r, "/steal", http.StatusFound)
		}},
		{"204", "nonsense", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }},
		{"too long", "too long", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) }},
		{"silence", "no answer within", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}},
	} {
		client := newClient(t, c.h, func(cfg *docdb.Config) {
			cfg.Password, cfg.MaxAnswer, cfg.Timeout = contract.NewSecret(canary), 1000, 10*time.Second
			if c.name == "silence" {
				cfg.Timeout = 50 * time.Millisecond
			}
		})
		calls := map[string]func() error{
			"branches": func() error { _, err := client.Heads(t.Context(), domain); return err },
			"commit":   func() error { _, err := client.Commit(t.Context(), domain, bulkCommit); return err },
			"ask": func() error {
				_, err := client.Ask(t.Context(), domain, bulkCommit, "A", func(string) string { return "{A{_id}}" }, nil)
				return err
			},
		}
		if c.name != "silence" {
			calls["classes"] = func() error { _, err := client.Classes(t.Context(), domain, bulkCommit); return err }
		}
		if c.name != "silence" && c.name != "cut" { // an answer to HEAD has no body
			calls["head"] = func() error { _, err := client.Head(t.Context(), domain, "main"); return err }
		}
		for call, f := range calls {
			err := f()
			says := c.says
			if says == "too long" && call == "ask" && errors.Is(err, docdb.ErrTooLarge) {
				continue
			}
			if !errors.Is(err, contract.ErrSource) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "http://127.0.0.1:") {
				t.Errorf("%s, %s: %v; want one that says %q", c.name, call, err, says)
			}
			if err != nil && (strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "document text")) {
				t.Errorf("%s, %s: %v says too much", c.name, call, err)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c, err := docdb.NewClient(docdb.Config{URL: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Heads(t.Context(), domain); !errors.Is(err, contract.ErrSource) || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "VECTORLINK_TERMINUSDB_URL") {
		t.Errorf("refused connection: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Heads(ctx, domain); !errors.Is(err, context.Canceled) || errors.Is(err, contract.ErrSource) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRetry: a lost connection is tried once more, with the same body; a second
// loss is an error.
func TestRetry(t *testing.T) {
	var requests, lose atomic.Int32
	var query atomic.Value
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		var body struct{ Query string }
		json.NewDecoder(r.Body).Decode(&body)
		query.Store(body.Query)
		if lose.Add(-1) >= 0 {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
			return
		}
		fmt.Fprint(w, `{"data":{"A":[]}}`)
	}))
	ask := func() error {
		_, err := c.Ask(t.Context(), domain, bulkCommit, "A", func(string) string { return "{A{_id}}" }, nil)
		return err
	}
	lose.Store(1)
	if err := ask(); err != nil || requests.Load() != 2 || query.Load() != "{A{_id}}" {
		t.Errorf("one loss: %v after %d requests, the last %q", err, requests.Load(), query.Load())
	}
	requests.Store(0)
	lose.Store(10)
	if err := ask(); !errors.Is(err, contract.ErrSource) || requests.Load() != 2 {
		t.Errorf("many losses: %v after %d requests", err, requests.Load())
	}
}

// TestHazard07IdleConnections: never more than two, however many ask.
func TestHazard07IdleConnections(t *testing.T) {
	var open, most atomic.Int32
	db := minidb.New(minidb.Config{})
	if _, err := db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(db)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			n := open.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c, err := docdb.NewClient(docdb.Config{URL: s.URL + "/", Password: contract.NewSecret("root")})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 20 {
		go func() {
			_, err := c.Heads(t.Context(), domain)
			done <- err
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 {
		t.Errorf("%d connections at once", most.Load())
	}
}
