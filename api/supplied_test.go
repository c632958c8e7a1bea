package api_test

import (
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSuppliedVectors: vectors that come with a push's lines, and searches by
// them.
func TestSuppliedVectors(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	settings := []string{"dim", "2", "metric", "l2", "normalize", "false"}
	lines := `{"op":"Inserted","id":"d/A/1","string":"red","vector":[1,0]}
{"op":"Inserted","id":"d/A/2","string":"green","vector_b64":"` + b64(0, 3) + `"}
{"op":"Inserted","id":"d/A/3","string":"no vector","vector":null}
`
	_, task := l.push("c1", lines, settings...)
	if task.Indexed != 2 || len(task.Skipped) != 1 || task.Skipped[0].ID != "d/A/3" {
		t.Errorf("%+v", task)
	}
	for _, tt := range []struct{ body, want string }{
		{`{"vector":[1,0]}`, `"id":"d/A/1","distance":0,`},
		{`{"vector_b64":"` + b64(0, 3) + `"}`, `"id":"d/A/2","distance":0,`},
		{`{"vector":[0,0],"count":1}`, `"id":"d/A/1","distance":1,`},
		{`{"q":"green","mode":"fts"}`, `"id":"d/A/2"`},
		{`{"q":"green","vector":[0,3],"mode":"hybrid"}`, `"id":"d/A/2","distance":0,`},
	} {
		got := l.postJSON("/search?domain=org/db&commit=c1", tt.body)
		if got.status != 200 || !strings.HasPrefix(got.body, "[{"+tt.want) {
			t.Errorf("%s: %d %s, want %s", tt.body, got.status, got.body, tt.want)
		}
	}
	l.postJSON("/search?domain=org/db&commit=c1", `{"q":"green"}`).wantError(t, 409, "conflict", "vector_b64")
	l.postJSON("/search?domain=org/db&commit=c1", `{"vector":[1]}`).wantError(t, 409, "conflict", "2")
	l.postJSON("/search?domain=org/db&commit=c1", `{}`).wantError(t, 400, "missing_parameter", "q")
	l.postJSON("/search?domain=org/db&commit=c1", `{"vector":[1,0],"mode":"fts"}`).wantError(t, 400, "invalid_request", "q")
	if got := l.get("/search?domain=org/db&commit=c1&vector_b64=" + strings.ReplaceAll(b64(1, 0), "+", "%2B")); got.status != 200 || !strings.HasPrefix(got.body, `[{"id":"d/A/1"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := l.get("/similar?domain=org/db&commit=c1&id=d/A/1"); got.status != 200 || !strings.HasPrefix(got.body, `[{"id":"d/A/2","distance":10,`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	first := `{"op":"Inserted","id":"d/A/7","string":"x","vector":[1,1]}` + "\n"
	for _, tt := range []struct{ member, want string }{
		{`"vector":[1]`, "have 2"},
		{`"vector":[1,2,3]`, "have 2"},
		{`"vector":[]`, "empty"},
		{`"vector":"x"`, "array of numbers"},
		{`"vector":[1,null]`, "array of numbers"},
		{`"vector":[1,1e39]`, "finite"},
		{`"vector":[1e30,0]`, "length"},
		{`"vector_b64":7`, "not a string"},
		{`"vector_b64":"AAA"`, "base64"},
		{`"vector_b64":"` + b64(1) + `"`, "have 2"},
		{`"vector":[1,2],"vector_b64":"` + b64(1, 2) + `"`, "beside"},
	} {
		_, task := l.push("c2", first+`{"op":"Changed","id":"d/A/1","string":"red",`+tt.member+"}\n")
		for _, want := range []string{"malformed line 2", tt.want} {
			if !strings.Contains(task.Error, want) {
				t.Errorf("%s: %q does not say %q", tt.member, task.Error, want)
			}
		}
		if n := strings.Count(task.Error, "invalid request"); n != 1 {
			t.Errorf("%s: %q says %d times that it is invalid", tt.member, task.Error, n)
		}
	}
}
