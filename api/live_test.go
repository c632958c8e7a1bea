package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs"
)

// live is a server over a real indexer.
type live struct {
	*env
	ix  *indexer.Indexer
	emb *indexertest.Embedder
	src *indexertest.Source
}

type noRenderer struct{}

func (noRenderer) Render(context.Context, string, []byte) (string, error) {
	return "", errors.New("no template in this test")
}

// newLive starts a server over a real indexer and a counting embedder. When the
// test ends, nothing of it may run on.
func newLive(t *testing.T, files vfs.FS, change ...func(*indexer.Config, *api.Config)) *live {
	t.Helper()
	before := goleak.IgnoreCurrent()
	l := &live{emb: &indexertest.Embedder{BatchSize: 4}, src: indexertest.NewSource()}
	ixCfg := indexer.Config{FS: files, Embedder: l.emb, Source: l.src, Renderer: noRenderer{}, Workers: 2}
	cfg := api.Config{SearchReady: true}
	for _, c := range change {
		c(&ixCfg, &cfg)
	}
	ix, err := indexer.Open(ixCfg)
	if err != nil {
		t.Fatal(err)
	}
	l.ix = ix
	srv := httptest.NewServer(api.New(cfg, service.New(ix.Reader, ix)))
	l.env = &env{t: t, url: srv.URL, log: new(buffer)}
	t.Cleanup(func() {
		srv.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := ix.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		goleak.VerifyNone(t, before)
	})
	return l
}

func inserted(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		line, err := json.Marshal(map[string]string{"op": "Inserted", "id": pairs[i], "string": pairs[i+1]})
		if err != nil {
			panic(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// target is the path and query of a push to org/db of the commit.
func target(commit string, params ...string) string {
	q := url.Values{"domain": {"org/db"}, "target_commit": {commit}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return "/push?" + q.Encode()
}

// push pushes in plain mode and waits for the task.
func (l *live) push(commit, body string, params ...string) (reply, taskState) {
	l.t.Helper()
	got := l.do(request{method: "POST", target: target(commit, params...), media: "application/x-ndjson", body: body})
	if got.status != 200 {
		return got, taskState{}
	}
	if !strings.HasPrefix(got.body, "task-") || got.header.Get("X-Task-Id") != got.body || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		l.t.Errorf("push %s: body %q, headers %v", commit, got.body, got.header)
	}
	return got, l.wait(got.body)
}

func (l *live) mustPush(commit, body string, params ...string) taskState {
	l.t.Helper()
	got, task := l.push(commit, body, params...)
	if got.status != 200 || task.Status != "Complete" {
		l.t.Fatalf("push %s: %d %s; task %+v", commit, got.status, got.body, task)
	}
	return task
}

// taskState is what /check says at the end.
type taskState struct {
	Status  string
	Error   string `json:"-"`
	Indexed int    `json:"indexed_documents"`
	Skipped []indexer.Skipped
}

func (l *live) wait(task string) taskState {
	l.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		got := l.get("/check?task_id=" + task)
		var state taskState
		if got.status == http.StatusInternalServerError {
			return taskState{Status: "Failed", Error: got.body}
		}
		if err := json.Unmarshal([]byte(got.body), &state); err != nil || got.status != 200 {
			l.t.Fatalf("check: %d %s: %v", got.status, got.body, err)
		}
		if state.Status == "Complete" {
			if state.Skipped == nil {
				l.t.Errorf("skipped is absent: %s", got.body)
			}
			return state
		}
	}
	l.t.Fatalf("task %s does not end", task)
	return taskState{}
}

// stream pushes in stream mode and returns all lines.
func (l *live) stream(commit, body string, params ...string) (reply, []map[string]any) {
	l.t.Helper()
	got := l.do(request{method: "POST", target: target(commit, append(params, "stream", "true")...), media: "application/x-ndjson", body: body})
	if got.status != 200 {
		return got, nil
	}
	if got.header.Get("Content-Type") != "application/x-ndjson" || !strings.HasPrefix(got.header.Get("X-Task-Id"), "task-") {
		l.t.Errorf("stream: headers %v", got.header)
	}
	var lines []map[string]any
	for line := range strings.Lines(got.body) {
		lines = append(lines, l.line(line))
	}
	return got, lines
}

func (l *live) line(text string) map[string]any {
	l.t.Helper()
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		l.t.Fatalf("line %q: %v", text, err)
	}
	return line
}

// texts returns every document of a commit.
func (l *live) texts(commit string) map[string]string {
	l.t.Helper()
	got := l.get("/search?domain=org/db&mode=vector&snippet=true&count=1000&q=anything&commit=" + commit)
	if got.status != 200 {
		l.t.Fatalf("search at %s: %d %s", commit, got.status, got.body)
	}
	var hits []struct {
		ID    string
		Chunk struct{ Snippet string }
	}
	if err := json.Unmarshal([]byte(got.body), &hits); err != nil {
		l.t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, h := range hits {
		texts[h.ID] = h.Chunk.Snippet
	}
	return texts
}

func (l *live) wantTexts(commit string, pairs ...string) {
	l.t.Helper()
	want := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if got := l.texts(commit); fmt.Sprint(got) != fmt.Sprint(want) {
		l.t.Errorf("%s holds %v, want %v", commit, got, want)
	}
}

func (l *live) wantHead(branch, want string) {
	l.t.Helper()
	got := l.get("/last-indexed?domain=org/db&branch=" + branch)
	var head struct{ Commit *string }
	if err := json.Unmarshal([]byte(got.body), &head); err != nil {
		l.t.Fatal(err)
	}
	commit := ""
	if head.Commit != nil {
		commit = *head.Commit
	}
	if commit != want {
		l.t.Errorf("last indexed of %s is %q, want %q", branch, commit, want)
	}
}
