package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestHalfCharacters checks that no text from outside is cut in the middle of a
// character: decoded, it would be another text, and one id would be several.
func TestHalfCharacters(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	for _, line := range []string{
		`{"op":"Inserted","id":"x\ud800","string":"one"}`,
		`{"op":"Inserted","id":"x","string":"\udbff one"}`,
		`{"op":"Deleted","id":"x\udc00"}`,
		`{"op":"Error","message":"\ud83c"}`,
		`{"op":"Inserted","id":"x","string":"one","fields":{"a\ud800":1}}`,
		`{"op":"Inserted","id":"x","string":"one","fields":{"a":["b","\ud83c\\udf55"]}}`,
		`{"op":"Inserted","id":"x","string":"one","more\ud800":1}`,
	} {
		got := l.do(request{method: "POST", target: target("c1", "strict", "true"), body: inserted("d/A/1", "one") + line})
		got.wantError(t, 400, "invalid_request", "malformed line 2", "surrogate")
	}
	l.mustPush("c1", `{"op":"Inserted","id":"x\ud83c\udf55","string":"\\ud800 one","fields":{"a":"\ud83c\udf55"}}`)
	l.wantTexts("c1", "x🍕", `\ud800 one`)
	if got := l.get("/search?domain=org/db&commit=c1&mode=fts&q=one&filter=" + url.QueryEscape(`a == "\ud83c\udf55"`)); !strings.Contains(got.body, "x🍕") {
		t.Errorf("%d %s", got.status, got.body)
	}
	l.get("/search?domain=org/db&commit=c1&mode=fts&q=one&filter="+url.QueryEscape(`a == "\ud83c"`)).wantError(t, 400, "invalid_request", "surrogate")
	const ref = `"domain":"org/db","commit":"c1"`
	for path, body := range map[string]string{
		"/search":                   `{` + ref + `,"q":"o\ud800ne"}`,
		"/similar":                  `{` + ref + `,"id":"x\ud800"}`,
		"/candidates":               `{` + ref + `,"threshold_set":1,"doc_id":["\udfff"]}`,
		"/compare?method=embedding": `{"source":"a","target":"\udfff"}`,
		"/embeddings":               `{` + ref + `,"doc_ids":["x\ud800"]}`,
		"/assign":                   `{"domain":"org/db","source_commit":"c1","target_commit":"\ud800"}`,
	} {
		l.postJSON(path, body).wantError(t, 400, "bad_request", "surrogate")
	}
	l.do(request{method: "POST", target: "/embeddings", media: "application/x-ndjson", body: `{` + ref + "}\n" + `{"doc_id":"x\ud800"}`}).wantError(t, 400, "bad_request", "line 2")
}

// TestByteOrderMarks checks that JSON may begin with a mark, and that files that were
// put together may have others.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\ufeff"
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", mark+inserted("d/A/1", "one")+mark+inserted("d/A/2", "two")+mark)
	l.wantTexts("c1", "d/A/1", "one", "d/A/2", "two")
	const ref = `{"domain":"org/db","commit":"c1"`
	for path, body := range map[string]string{
		"/search": ref + `,"q":"one"}`, "/similar": ref + `,"id":"d/A/1"}`, "/candidates": ref + `,"threshold_set":1}`, "/embeddings": ref + `}`,
		"/compare?method=embedding": `{"source":"a","target":"a"}`,
	} {
		if got := l.postJSON(path, mark+body); got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := l.do(request{method: "POST", target: "/embeddings", media: "application/x-ndjson", body: mark + ref + "}\n"}); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := l.do(request{method: "POST", target: "/push?domain=org/db&target_commit=c2", body: "\xff\xfe{\x00"}); l.wait(got.body).Status != "Failed" {
		t.Error("UTF-16 is taken")
	}
}

// TestBlankTexts checks that a text in which there is nothing to be seen is missing
// wherever one is needed, as an empty one is.
func TestBlankTexts(t *testing.T) {
	e := newEnv(t)
	for _, blank := range []string{"", " ", "\t\n", "\u3000", "\u200b", "\u00a0\u2009\u00ad", "\u2060\ufeff", "\u115f\u3164", "\u2800", "\ufe0f"} {
		q := "?domain=a/b&commit=k7&q=" + url.QueryEscape(blank)
		for _, mode := range []string{"vector", "fts", "hybrid"} {
			e.get("/search"+q+"&mode="+mode).wantError(t, 400, "missing_parameter", "q is required")
		}
		e.get("/suggest"+q).wantError(t, 400, "missing_parameter", "q")
		e.get("/similar?domain=a/b&commit=k7&text="+url.QueryEscape(blank)).wantError(t, 400, "missing_parameter", "text")
		e.get("/check?task_id="+url.QueryEscape(blank)).wantError(t, 400, "missing_parameter", "task_id")
		e.do(request{method: "POST", target: "/search?domain=a/b&commit=k7", body: blank}).wantError(t, 400, "missing_parameter", "q")
		for _, body := range []string{`{"source":%q,"target":"x"}`, `{"target":%q,"source":"x"}`} {
			text := strings.NewReplacer(`\x`, `\u00`, `\U0000`, `\u`).Replace(fmt.Sprintf(body, blank))
			e.do(request{method: "POST", target: "/compare?method=embedding", media: "application/json", body: text}).wantError(t, 400, "missing_parameter", "is required")
		}
	}
	e.untouched(t)
	e.get("/search?domain=a/b&commit=k7&q=" + url.QueryEscape("\u200bx")) // reaches the search
	e.fake.last(t)
}

// TestDateHints checks that a filter with a date in another spelling is told of.
func TestDateHints(t *testing.T) {
	e := newEnv(t)
	for filter, want := range map[string]string{`d > "2024-03-09 22:30:00"`: "1:5", `d > "2024-03-09T22:30:00Z"`: ""} {
		got := e.get("/search?domain=a/b&commit=k7&q=x&filter=" + url.QueryEscape(filter)).header.Get("X-Vectorlink-Warning")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: warning %q, want %q", filter, got, want)
		}
	}
}

// TestFormsOfNothing checks that arrays of no vectors have the vectors' length: that
// of the settings, of the database, or of the model.
func TestFormsOfNothing(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", "", "domain", "a/supplied", "dim", "3")
	l.mustPush("c1", "", "domain", "a/model")
	l.mustPush("c1", inserted("d/A/1", "one"), "domain", "a/full")
	for query, dim := range map[string]int{"domain=a/supplied": 3, "domain=a/model": 32, "domain=a/full&doc_id=none": 32} {
		for form, shape := range map[string]string{"npy": "'shape': (0, %d)", "safetensors": `"shape":[0,%d]`} {
			got := l.get("/embeddings?commit=c1&" + query + "&format=" + form)
			if want := fmt.Sprintf(shape, dim); got.status != 200 || !strings.Contains(got.body, want) {
				t.Errorf("%s as %s: %d %q, want %s", query, form, got.status, got.body, want)
			}
		}
	}
}
