package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

// TestIndex holds wire contract §9.
func TestIndex(t *testing.T) {
	e := newEnv(t)
	const id = "task-0123456789abcdef0123456789abcdef"
	base := indexer.IndexRequest{Domain: "admin/sw", Commit: "k7", Branch: "main"}
	with := func(change func(*indexer.IndexRequest)) indexer.IndexRequest {
		r := base
		change(&r)
		return r
	}
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name string
		req  request
		want indexer.IndexRequest
	}{
		{"get", request{target: "/index?domain=admin/sw&commit=k7"}, base},
		{"escaped slash", request{target: "/index?domain=admin%2Fsw&commit=k7"}, base},
		{"post", request{method: "POST", target: "/index?domain=admin/sw&commit=k7"}, base},
		{"post json without body", request{method: "POST", target: "/index?domain=admin/sw&commit=k7", media: "application/json"}, base},
		{"post json", request{method: "POST", target: "/index", media: "application/json", body: `{"domain":"admin/sw","commit":"k7"}`}, base},
		{"post json over query", request{method: "POST", target: "/index?commit=k1&domain=admin/sw", media: "application/json", body: `{"commit":"k7","domain":null}`}, base},
		{"post form", request{method: "POST", target: "/index", media: form, body: "domain=admin%2Fsw&commit=k7"}, base},
		{"all", request{target: "/index?domain=admin/sw&commit=k7&previous=k6&branch=dev"},
			with(func(r *indexer.IndexRequest) { r.Previous, r.Branch = "k6", "dev" })},
		{"graphspec's branch", request{target: "/index?domain=admin/sw/local/branch/dev&commit=k7"},
			with(func(r *indexer.IndexRequest) { r.Branch = "dev" })},
		{"branch over graphspec's", request{target: "/index?domain=admin/sw/local/branch/dev&commit=k7&branch=x"},
			with(func(r *indexer.IndexRequest) { r.Branch = "x" })},
		{"graphspec's commit", request{target: "/index?domain=admin/sw/local/commit/k7"}, base},
		{"key", request{target: "/index?domain=admin/sw&commit=k7", header: map[string]string{"VECTORLINK_EMBEDDING_API_KEY": canary}},
			with(func(r *indexer.IndexRequest) { r.CallerKey = contract.NewSecret(canary) })},
		{"key in canonical letters", request{target: "/index?domain=admin/sw&commit=k7", header: map[string]string{"Vectorlink_embedding_api_key": canary}},
			with(func(r *indexer.IndexRequest) { r.CallerKey = contract.NewSecret(canary) })},
		{"key in the other header", request{target: "/index?domain=admin/sw&commit=k7", header: map[string]string{"x-embedding-api-key": canary}},
			with(func(r *indexer.IndexRequest) { r.CallerKey = contract.NewSecret(canary) })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := e.do(tt.req)
			got.wantBody(t, id)
			if got := e.last(t); got != tt.want {
				t.Errorf("asked for %+v, want %+v", got, tt.want)
			}
			if h := got.header.Get("X-Task-Id"); h != id {
				t.Errorf("X-Task-Id %q, want %q", h, id)
			}
			if h := got.header.Get("Content-Type"); h != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q", h)
			}
		})
	}
}

func TestIndexRefusals(t *testing.T) {
	e := newEnv(t)
	tests := []struct {
		name   string
		req    request
		status int
		words  []string
	}{
		{"no domain", request{target: "/index?commit=k7"}, 400, []string{"domain"}},
		{"empty domain", request{target: "/index?domain=&commit=k7"}, 400, []string{"domain"}},
		{"bad domain", request{target: "/index?domain=..%2F..&commit=k7"}, 400, []string{"domain"}},
		{"no commit", request{target: "/index?domain=a/b"}, 400, []string{"commit"}},
		{"empty commit", request{target: "/index?domain=a/b&commit="}, 400, []string{"commit"}},
		{"control character", request{target: "/index?domain=a/b&commit=k%0d%0a7"}, 400, []string{"commit"}},
		{"control in previous", request{target: "/index?domain=a/b&commit=k7&previous=%00"}, 400, []string{"previous"}},
		{"control in branch", request{target: "/index?domain=a/b&commit=k7&branch=%1b"}, 400, []string{"branch"}},
		{"reserved branch", request{target: "/index?domain=a/b&commit=k7&branch=.-compact_rebuild_1"}, 400, []string{"branch"}},
		{"repeated", request{target: "/index?domain=a/b&commit=k7&commit=k8"}, 400, []string{"commit"}},
		{"repeated in the form", request{method: "POST", target: "/index?domain=a/b&commit=k7", media: "application/x-www-form-urlencoded", body: "commit=k7"}, 400, []string{"commit"}},
		{"other body", request{method: "POST", target: "/index?domain=a/b&commit=k7", media: "text/plain", body: "x"}, 415, nil},
		{"wrong type", request{method: "POST", target: "/index?domain=a/b", media: "application/json", body: `{"commit":7}`}, 422, []string{"commit"}},
		{"no syntax", request{method: "POST", target: "/index?domain=a/b", media: "application/json", body: `{"commit":`}, 400, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.do(tt.req).wantError(t, tt.status, "", tt.words...)
			e.untouched(t)
		})
	}
	e.err = contract.ErrNotConfigured
	e.get("/index?domain=a/b&commit=k7").wantError(t, 400, "not_configured")
}

// TestCheck checks what is told of tasks.
func TestCheck(t *testing.T) {
	e := newEnv(t)
	e.get("/check").wantError(t, 400, "missing_parameter", "task_id")
	e.get("/check?task_id=").wantError(t, 400, "missing_parameter", "task_id")
	e.untouched(t)

	e.task = indexer.Task{ID: "task-1", Domain: "a/b", Commit: "k7", Branch: "main", State: indexer.TaskPending, Percentage: 41.5, Tokens: 12, TokensToEmbed: 99}
	e.get("/check?task_id=task-1").wantBody(t, `{"status":"Pending","percentage":41.5,"domain":"a/b","commit":"k7","tokens":12,"tokens_to_embed":99}`)
	if got := e.last(t); got != taskCall("task-1") {
		t.Errorf("asked for %v", got)
	}

	e.task.State = indexer.TaskComplete
	e.task.Indexed, e.task.Documents, e.task.Deleted = 3, 40, 1
	e.task.Embedded, e.task.Reused, e.task.Tokens = 2, 1, 99
	e.task.Base, e.task.HeadMoved = "k6", true
	e.get("/check?task_id=task-1").wantBody(t, `{"status":"Complete","indexed_documents":3,"skipped":[],"skipped_total":0,`+
		`"domain":"a/b","commit":"k7","branch":"main","base":"k6","head_moved":true,`+
		`"documents":40,"deleted":1,"embedded":2,"reused":1,"tokens":99}`)

	e.task.Skipped, e.task.SkippedTotal = []indexer.Skipped{{ID: "x", Message: "refused"}}, 1234
	got := e.get("/check?task_id=task-1")
	var body struct {
		Skipped      []indexer.Skipped
		SkippedTotal int `json:"skipped_total"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || !reflect.DeepEqual(body.Skipped, e.task.Skipped) || body.SkippedTotal != 1234 {
		t.Errorf("skipped %+v, %v; want %+v of 1234", body, err, e.task.Skipped)
	}

	e.task.State, e.task.Error = indexer.TaskFailed, "commit k7 is not in the database"
	got = e.get("/check?task_id=task-1")
	if got.status != http.StatusInternalServerError || got.body != e.task.Error || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("failed task: status %d, %s, body %q", got.status, got.header.Get("Content-Type"), got.body)
	}
	for code, want := range map[string]string{"": "internal", "source_failed": "source_failed"} {
		e.task.ErrorCode = code
		if got := e.get("/check?task_id=task-1").header.Get("X-Error-Code"); got != want {
			t.Errorf("a task that failed with code %q has X-Error-Code %q, want %q", code, got, want)
		}
	}

	e.err = contract.ErrNotFound
	e.get("/check?task_id=task-2").wantError(t, 404, "not_found")
}

// TestAssign checks the request of /assign, by both methods.
func TestAssign(t *testing.T) {
	e := newEnv(t)
	want := assignCall{"a/b", "main", "k1", "k2"}
	dev := want
	dev.branch = "dev"
	const params = "source_commit=k1&target_commit=k2"
	tests := []struct {
		name string
		req  request
		want assignCall
	}{
		{"get", request{target: "/assign?domain=a/b&" + params}, want},
		{"post", request{method: "POST", target: "/assign/?domain=a/b&" + params}, want},
		{"post json", request{method: "POST", target: "/assign", media: "application/json", body: `{"domain":"a/b","source_commit":"k1","target_commit":"k2"}`}, want},
		{"graphspec's branch", request{target: "/assign?domain=a/b/local/branch/dev&" + params}, dev},
		{"branch", request{target: "/assign?domain=a/b&branch=dev&" + params}, dev},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := e.do(tt.req)
			if got.status != http.StatusNoContent || got.body != "" {
				t.Errorf("status %d, body %q; want 204", got.status, got.body)
			}
			if got := e.last(t); got != tt.want {
				t.Errorf("asked for %+v, want %+v", got, tt.want)
			}
		})
	}
	for name, target := range map[string]string{
		"domain":        "/assign?" + params,
		"source_commit": "/assign?domain=a/b&target_commit=k2",
		"target_commit": "/assign?domain=a/b&source_commit=k1&target_commit=",
	} {
		e.get(target).wantError(t, 400, "missing_parameter", name)
	}
	e.untouched(t)
	e.err = contract.ErrConflict
	e.get("/assign?domain=a/b&"+params).wantError(t, 409, "conflict")
}
