package api_test

import (
	"net/http/httptest"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestReadOnly: a server that only reads answers searches beside the one that
// writes, and refuses what that one is to do.
func TestReadOnly(t *testing.T) {
	files := vfstest.NewMem()
	l := newLive(t, files)
	l.mustPush("c1", inserted("d/A/1", "the red squid", "d/A/2", "the blue squid"))
	reader, err := search.OpenReadOnly(search.ReaderConfig{FS: files, Embedder: l.emb})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.New(api.Config{SearchReady: true}, service.New(reader, nil)))
	defer func() {
		srv.Close()
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	writer := l.url
	for _, target := range []string{
		"/search?domain=org/db&commit=c1&q=squid",
		"/similar?domain=org/db&commit=c1&id=d/A/1",
		"/similar?domain=org/db&commit=c1&text=squid",
		"/commits?domain=org/db",
		"/last-indexed?domain=org/db",
		"/document?domain=org/db&commit=c1&id=d/A/1",
	} {
		l.url = writer
		want := l.get(target)
		l.url = srv.URL
		l.get(target).wantBody(t, want.body)
	}
	l.get("/health/ready").wantBody(t, `{"ready":true,"index":false,"search":true}`)
	if got := l.get("/statistics?domain=org/db"); got.status != 200 {
		t.Errorf("statistics: %d %s", got.status, got.body)
	}
	for _, q := range []request{
		{target: "/index?domain=org/db&commit=c2"},
		{target: "/index?domain=org/db&commit=c2&dry_run=true"},
		{method: "POST", target: "/push?domain=org/db&target_commit=c2", body: "{}"},
		{target: "/check?task_id=x"},
		{target: "/tasks"},
		{target: "/assign?domain=org/db&source_commit=c1&target_commit=c2"},
		{method: "DELETE", target: "/domain?domain=org/db"},
		{method: "DELETE", target: "/branch-index?domain=org/db&branch=main"},
	} {
		l.do(q).wantError(t, 403, "read_only", "only reads")
	}
}
