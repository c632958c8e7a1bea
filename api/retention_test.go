package api_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

func TestTags(t *testing.T) {
	e := newEnv(t)
	at := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
	e.tags = []search.TagInfo{{Name: "v1", Commit: "k7", Created: at}}
	e.get("/tags?domain=a/b").wantBody(t, `[{"name":"v1","commit":"k7","created":"2026-11-20T01:02:03Z"}]`)
	if got := e.last(t); got != tagsCall("a/b") {
		t.Errorf("%#v", got)
	}
	e.tags = nil
	e.get("/tags?domain=a/b").wantBody(t, `[]`)
	e.last(t)
	for _, q := range []request{
		{method: http.MethodPost, target: "/tags?domain=a/b&commit=k7&name=v1"},
		{method: http.MethodPost, target: "/tags?domain=a/b/local/commit/k7&name=v1"},
	} {
		if got := e.do(q); got.status != 204 {
			t.Errorf("%s: %d %s", q.target, got.status, got.body)
		}
		if got := e.last(t); got != (tagCall{"a/b", "k7", "v1"}) {
			t.Errorf("%s: %#v", q.target, got)
		}
	}
	if got := e.postJSON("/tags", `{"domain":"a/b","commit":"k7","name":"v1"}`); got.status != 204 {
		t.Errorf("JSON: %d %s", got.status, got.body)
	}
	e.last(t)
	if got := e.do(request{method: http.MethodDelete, target: "/tags?domain=a/b&name=v1"}); got.status != 204 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	if got := e.last(t); got != (deleteTagCall{"a/b", "v1"}) {
		t.Errorf("delete: %#v", got)
	}
	e.do(request{method: http.MethodPost, target: "/tags?domain=a/b&commit=k7"}).wantError(t, 400, "missing_parameter", "name")
	e.do(request{method: http.MethodPost, target: "/tags?domain=a/b&name=v1"}).wantError(t, 400, "missing_parameter", "commit")
	e.do(request{method: http.MethodDelete, target: "/tags?domain=a/b"}).wantError(t, 400, "missing_parameter", "name")
	e.get("/tags").wantError(t, 400, "missing_parameter", "domain")
	e.untouched(t)
}

func TestPrune(t *testing.T) {
	e := newEnv(t)
	at := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
	e.pruning = indexer.Pruning{Commits: []indexer.PrunedCommit{{Commit: "k1", Branch: "main", Created: at, Bytes: 12}}, Bytes: 12, Kept: 3}
	want := `{"applied":false,"commits":[{"commit":"k1","branch":"main","created":"2026-11-20T01:02:03Z","bytes":12}],"bytes":12,"kept":3}`
	e.do(request{method: http.MethodPost, target: "/prune?domain=a/b&keep_last=5&keep_daily=7&keep=k1&keep=k2"}).wantBody(t, want)
	if got, want := e.last(t), (indexer.PruneRequest{Domain: "a/b", KeepLast: 5, KeepDaily: 7, Keep: []string{"k1", "k2"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%#v", got)
	}
	e.postJSON("/prune", `{"domain":"a/b","keep_last":1,"keep":["k1"],"apply":true}`).wantBody(t, want)
	if got, want := e.last(t), (indexer.PruneRequest{Domain: "a/b", KeepLast: 1, Keep: []string{"k1"}, Apply: true}); !reflect.DeepEqual(got, want) {
		t.Errorf("%#v", got)
	}
	e.do(request{method: http.MethodPost, target: "/prune?domain=a/b&keep_last=-1"}).wantError(t, 400, "bad_parameter", "keep_last")
	e.do(request{method: http.MethodPost, target: "/prune?domain=a/b&keep_daily=x"}).wantError(t, 400, "bad_parameter", "keep_daily")
	e.do(request{method: http.MethodPost, target: "/prune?keep_last=1"}).wantError(t, 400, "missing_parameter", "domain")
	e.untouched(t)
	e.get("/pruned?domain=a/b").wantBody(t, `[]`)
	e.last(t)
	e.pruned = []string{"k1", "k2"}
	e.get("/pruned?domain=a/b").wantBody(t, `["k1","k2"]`)
	if got := e.last(t); got != prunedCall("a/b") {
		t.Errorf("%#v", got)
	}
	e.get("/pruned").wantError(t, 400, "missing_parameter", "domain")
	e.untouched(t)
}
