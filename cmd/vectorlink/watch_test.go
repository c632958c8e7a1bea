package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// growing is a document database that commits are made in during a test.
type growing struct {
	t   *testing.T
	db  *minidb.DB
	url string
	ids map[string]string // commits by name
}

// newGrowing has the first steps of Star Wars.
func newGrowing(t *testing.T, n int) *growing {
	t.Helper()
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	g := &growing{t: t, db: minidb.New(minidb.Config{Now: demoClock()})}
	if g.ids, err = g.db.Load(domain, minidb.Prefixes{Base: starwars.Base}, steps(data)[:n]); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g.db)
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

// commit adds a planet to a branch and returns the commit.
func (g *growing) commit(branch, planet string) string {
	g.t.Helper()
	doc, err := json.Marshal(map[string]any{"@id": "Planet/" + planet, "@type": "Planet", "label": planet})
	if err != nil {
		g.t.Fatal(err)
	}
	id, err := g.db.Commit(domain, minidb.Change{Branch: branch, Author: "a", Message: "m", Put: []json.RawMessage{doc}})
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

// watchRows waits until what /statistics says of followed branches satisfies ok.
func watchRows(t *testing.T, server string, ok func([]indexer.BranchLag) bool) []indexer.BranchLag {
	t.Helper()
	cl := newClient(server, "", contract.Secret{})
	defer cl.close()
	for deadline := time.Now().Add(30 * time.Second); ; {
		var st struct{ Watch []indexer.BranchLag }
		if _, err := cl.get(t.Context(), "/statistics", nil, &st); err != nil {
			t.Fatal(err)
		}
		if ok(st.Watch) {
			return st.Watch
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %+v", st.Watch)
		}
		time.Sleep(5 * time.Millisecond) // between two looks, as a client does
	}
}

// at reports whether the branch is at the commit and nothing of it is new.
func at(branch, commit string) func([]indexer.BranchLag) bool {
	return func(rows []indexer.BranchLag) bool {
		for _, row := range rows {
			if row.Branch == branch {
				return row.Head == commit && row.Commits == 0
			}
		}
		return false
	}
}

// freePort returns a port that nobody listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestServeWatch checks the built program that follows a database: what it finds
// at the start, what a notification tells it, and its end.
func TestServeWatch(t *testing.T) {
	g := newGrowing(t, 2)
	prov := newProvider(t, nil)
	port := freePort(t)
	p := launchServe(t, t.TempDir(), append(prov.settings(g.url, 256),
		"VECTORLINK_WATCH="+domain, "VECTORLINK_WATCH_INTERVAL=1h", "VECTORLINK_PROMETHEUS_PORT="+port)...)
	watchRows(t, p.url, at("main", g.ids["load"]))
	commits := func() []string {
		t.Helper()
		var rows []search.CommitInfo
		if _, err := newClient(p.url, "", contract.Secret{}).get(t.Context(), "/commits", values("domain", domain), &rows); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range rows {
			ids = append(ids, r.Commit)
		}
		return ids
	}
	if got, want := commits(), []string{g.ids["load"]}; !reflect.DeepEqual(got, want) {
		t.Errorf("indexed at the start: %v, want the head alone, %v", got, want)
	}

	if err := g.db.Branch(domain, "fan", g.ids["load"]); err != nil {
		t.Fatal(err)
	}
	one, two := g.commit("main", "one"), g.commit("main", "two")
	three := g.commit("fan", "three")
	notify := func(body string) string {
		t.Helper()
		resp, err := http.Post(p.url+"/notify", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Errorf("notify: %d %s, %v", resp.StatusCode, answer, err)
		}
		return string(answer)
	}
	if got, want := notify(`{"path":"`+domain+`/local/branch/main","branch_head":"`+two+`","inserts":3,"deletes":0}`), `{"watched":true}`; got != want {
		t.Errorf("notify answers %s, want %s", got, want)
	}
	watchRows(t, p.url, at("fan", three))
	if got, want := commits(), []string{three, two, one, g.ids["load"]}; !reflect.DeepEqual(got, want) {
		t.Errorf("indexed %v, want %v", got, want)
	}
	if got, want := notify(`{"path":"admin/other/local/branch/main"}`), `{"watched":false}`; got != want {
		t.Errorf("notify answers %s, want %s", got, want)
	}

	resp, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	for _, branch := range []string{"main", "fan"} {
		if line := `vectorlink_watch_lag_commits{branch="` + branch + `",domain="` + domain + `"} 0` + "\n"; err != nil || !strings.Contains(string(metrics), line) {
			t.Errorf("the metrics lack %s%s, %v", line, metrics, err)
		}
	}

	// A reset moves the branch's last indexed commit too.
	if err := g.db.Reset(domain, "main", g.ids["load"]); err != nil {
		t.Fatal(err)
	}
	notify(`{"domain":"` + domain + `","branch":"main"}`)
	watchRows(t, p.url, func(rows []indexer.BranchLag) bool {
		var h search.Head
		if _, err := newClient(p.url, "", contract.Secret{}).get(t.Context(), "/last-indexed", values("domain", domain), &h); err != nil {
			t.Fatal(err)
		}
		return at("main", g.ids["load"])(rows) && h.Commit == g.ids["load"]
	})
	if code, took := p.stop(t, syscall.SIGTERM); code != exitDone || took > 5*time.Second {
		t.Errorf("ended with %d after %v", code, took)
	}
}

// TestWatchCommand checks the command that follows a database for a server that
// does not.
func TestWatchCommand(t *testing.T) {
	g := newGrowing(t, 2)
	prov := newProvider(t, nil)
	p := launchServe(t, t.TempDir(), prov.settings(g.url, 256)...)
	env := append(dbSettings(g.url), "VECTORLINK_SERVER="+p.url, "VECTORLINK_WATCH_INTERVAL=100ms")
	watch := func(args ...string) (int, string, string) {
		t.Helper()
		return call(t.Context(), env, append([]string{"watch", "--once", domain}, args...)...)
	}
	code, stdout, stderr := watch()
	if code != exitDone || !strings.Contains(stdout, g.ids["load"]+": 259 documents (259 new or changed, 0 deleted)") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ = watch(); code != exitDone || stdout != "" {
		t.Errorf("with nothing new: exit %d, %s", code, stdout)
	}

	ctx, cancel := context.WithCancel(t.Context())
	out := &lockedBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"watch", "--json", domain + ":main"}, env, strings.NewReader(""), out, io.Discard)
	}()
	id := g.commit("main", "one")
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), id); {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not indexed:\n%s", id, out)
		}
		time.Sleep(5 * time.Millisecond) // until the other process has seen it
	}
	cancel()
	if code := <-ended; code != exitDone {
		t.Errorf("ended with %d", code)
	}

	code, _, stderr = call(t.Context(), append(env, "VECTORLINK_TERMINUSDB_URL="), "watch", domain)
	if code != exitUsage || !strings.Contains(stderr, "terminusdb-url") {
		t.Errorf("without a database: exit %d, %s", code, stderr)
	}
	code, _, stderr = call(t.Context(), env, "watch", "--once", domain+":main,")
	if code != exitUsage || !strings.Contains(stderr, "branch without") {
		t.Errorf("a bad list: exit %d, %s", code, stderr)
	}
	p.kill(t)
	g.commit("main", "two")
	if code, _, stderr = watch(); code != exitUpstream {
		t.Errorf("without the server: exit %d, %s", code, stderr)
	}
}

// lockedBuffer is a buffer that may be read while it is written to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestWatchList(t *testing.T) {
	for text, want := range map[string][]indexer.Followed{
		"":    nil,
		"a/b": {{Domain: "a/b"}},
		" a/b:main,x-1  c/d ": {
			{Domain: "a/b", Branches: []string{"main", "x-1"}}, {Domain: "c/d"},
		},
	} {
		var l WatchList
		if err := l.UnmarshalText([]byte(text)); err != nil || !reflect.DeepEqual(l.followed(), want) {
			t.Errorf("%q gives %+v, %v; want %+v", text, l.followed(), err, want)
		}
	}
	for _, text := range []string{"a", "a/b/c", "a/b:", "a/b:,x", "a/b:x y", "a/b a/b:main", "a/b:.-x", "../x", "a/b:x/y"} {
		var l WatchList
		if err := l.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
