package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// imported posts a snapshot file and returns what became of it.
func (l *live) imported(domain, file string, params ...string) (got struct {
	Domain, Commit, Branch  string
	Imported, Kept, Skipped int
}) {
	l.t.Helper()
	answer := l.importing(domain, file, params...)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil || answer.status != 200 {
		l.t.Fatalf("import: %d %s", answer.status, answer.body)
	}
	return got
}

func (l *live) importing(domain, file string, params ...string) reply {
	l.t.Helper()
	q := url.Values{"domain": {domain}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return l.do(request{method: "POST", target: "/snapshot?" + q.Encode(), media: bundle.MediaType, body: file})
}

// TestSnapshotFile takes a commit from a server, gives it back as a fork and as an
// import, and asks for parts of it.
func TestSnapshotFile(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	if got, task := l.push("c1", inserted("d/A/1", "red apple", "d/A/2", "green pear", "d/A/3", "blue plum")); !strings.EqualFold(task.Status, "complete") {
		t.Fatalf("push: %+v %+v", got, task)
	}
	file := l.get("/snapshot?domain=org/db&commit=c1")
	h := file.header
	etag := h.Get("ETag")
	if file.status != 200 || h.Get("Content-Type") != bundle.MediaType || etag == "" || strings.HasPrefix(etag, "W/") ||
		h.Get("Content-Length") != fmt.Sprint(len(file.body)) || h.Get("Content-Disposition") != `attachment; filename="db-c1.vlsnap"` {
		t.Fatalf("%d %v", file.status, h)
	}
	byBranch := l.get("/snapshot?domain=org/db&branch=main")
	if byBranch.body != file.body || byBranch.header.Get("ETag") != etag || byBranch.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("the head's file is another one: %v", byBranch.header)
	}
	if head := l.do(request{method: "HEAD", target: "/snapshot?domain=org/db&commit=c1"}); head.status != 200 || head.header.Get("Content-Length") != h.Get("Content-Length") || head.body != "" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	if again := l.do(request{target: "/snapshot?domain=org/db&commit=c1", header: map[string]string{"If-None-Match": etag}}); again.status != 304 {
		t.Errorf("a file that the client has: %d", again.status)
	}
	for from := 0; from < len(file.body); from += 1 + len(file.body)/7 {
		part := l.do(request{target: "/snapshot?domain=org/db&commit=c1", header: map[string]string{"Range": fmt.Sprintf("bytes=%d-", from), "If-Range": etag}})
		if part.status != http.StatusPartialContent || part.body != file.body[from:] {
			t.Errorf("the rest from %d on: %d, %d bytes of %d", from, part.status, len(part.body), len(file.body)-from)
		}
	}
	if other := l.do(request{target: "/snapshot?domain=org/db&commit=c1", header: map[string]string{"Range": "bytes=9-", "If-Range": `"other"`}}); other.status != 200 || other.body != file.body {
		t.Errorf("the rest of another file: %d, %d bytes", other.status, len(other.body))
	}
	if parts := l.do(request{target: "/snapshot?domain=org/db&commit=c1", header: map[string]string{"Range": "bytes=0-4,9-12"}}); parts.status != 200 || parts.body != file.body {
		t.Errorf("several parts: %d", parts.status)
	}
	l.get("/snapshot?domain=org/db&commit=c2").wantError(t, 404, "not_found", "c2")
	l.get("/snapshot?domain=org/db").wantError(t, 400, "missing_parameter", "commit")

	l.emb.Reset()
	if got := l.imported("org/fork", file.body); got.Commit != "c1" || got.Branch != "main" || got.Imported != 3 || got.Kept+got.Skipped != 0 {
		t.Errorf("fork: %+v", got)
	}
	if got := l.get("/search?domain=org/fork&commit=c1&mode=fts&q=pear"); got.status != 200 || !strings.Contains(got.body, "d/A/2") {
		t.Errorf("search of the fork: %d %s", got.status, got.body)
	}
	// The same texts are not embedded again, on whatever they build.
	if got := l.do(request{method: "POST", target: strings.Replace(target("c2", "strict", "true"), "org%2Fdb", "org%2Ffork", 1), media: "application/x-ndjson",
		body: inserted("d/A/1", "red apple", "d/A/9", "blue plum") + `{"op":"Deleted","id":"d/A/2"}`}); got.status != 200 {
		t.Errorf("push to the fork: %d %s", got.status, got.body)
	}
	l.importing("org/fork", file.body, "target_commit", "back").wantOK(t, `"imported":1`, `"kept":2`, `"commit":"back"`, `"branch":"main"`)
	l.importing("org/fork", file.body).wantOK(t, `"imported":0`, `"kept":3`, `"commit":"back"`)
	l.importing("org/fork", file.body, "restore", "true").wantError(t, 409, "conflict", "c1")
	if texts := l.emb.Texts(); len(texts) > 0 {
		t.Errorf("embedded: %q", texts)
	}
}

func (r reply) wantOK(t *testing.T, words ...string) {
	t.Helper()
	if r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, word := range words {
		if !strings.Contains(r.body, word) {
			t.Errorf("%s does not hold %s", r.body, word)
		}
	}
}

// TestSnapshotRefused posts what cannot be taken in.
func TestSnapshotRefused(t *testing.T) {
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, cfg *api.Config) { cfg.MaxImport = 20_000 })
	if _, task := l.push("c1", inserted("d/A/1", "red apple")); !strings.EqualFold(task.Status, "complete") {
		t.Fatal(task)
	}
	file := l.get("/snapshot?domain=org/db&commit=c1").body
	for name, c := range map[string]struct {
		file, word string
		status     int
		code       string
	}{
		"nothing":     {"", "cut off", 400, "invalid_request"},
		"no archive":  {"hello", "cut off", 400, "invalid_request"},
		"cut off":     {file[:len(file)-9], "cut off", 400, "invalid_request"},
		"a wrong bit": {strings.Replace(file, "red apple", "red apply", 1), "org%2Fdb@c1.hnsw", 400, "invalid_request"},
		"too long":    {file + strings.Repeat("x", 20_000), "import-bytes", 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := l.importing("org/fork", c.file)
			got.wantError(t, c.status, c.code, c.word)
		})
	}
	l.importing("org/fork", file, "metric", "l2").wantError(t, 400, "unknown_parameter", "metric")
	l.get("/search?domain=org/fork&branch=main&q=a").wantError(t, 404, "not_found", "nothing is indexed")
}
