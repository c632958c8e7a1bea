package page_test

import (
	"html"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/page"
)

// TestReference shows every operation of the contract: its parameters, bodies and
// answers, and a form for those that read.
func TestReference(t *testing.T) {
	s := newSite(t)
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	list := s.has("api", nil, `href="./../openapi.yaml"`)
	anchor := regexp.MustCompile(`href="#([^"]+)"`)
	forms := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(list, `href="api?op=`+op.OperationID+`"`) {
				t.Errorf("%s is not listed", op.OperationID)
			}
			want := []string{method + " " + path + "</code></h1>"}
			for _, p := range op.Parameters {
				want = append(want, "<dt><code>"+p.Value.Name+"</code>")
			}
			for status, answer := range op.Responses.Map() {
				want = append(want, "<b>"+status+"</b>")
				for media := range answer.Value.Content {
					want = append(want, "<code>"+html.EscapeString(media)+"</code>")
				}
			}
			if op.RequestBody != nil {
				for media := range op.RequestBody.Value.Content {
					want = append(want, "<code>"+html.EscapeString(media)+"</code>")
				}
			}
			form := `class="try"`
			if changes := op.Extensions["x-changes"] != nil; method != http.MethodGet || changes {
				form = "!" + form
			} else {
				forms++
				for _, p := range op.Parameters {
					if p.Value.In == "query" {
						want = append(want, ` name="`+p.Value.Name+`"`)
					}
				}
			}
			body := s.has("api", []string{"op", op.OperationID}, append(want, form, "!id=\"answer\"")...)
			for _, m := range anchor.FindAllStringSubmatch(body, -1) {
				if !strings.Contains(body, `id="`+m[1]+`"`) {
					t.Errorf("%s refers to %s, which is not there", op.OperationID, m[1])
				}
			}
			if len(body) > 100<<10 || strings.Contains(body, "%!") || strings.Contains(body, "&lt;nil&gt;") {
				t.Errorf("%s: %d bytes", op.OperationID, len(body))
			}
		}
	}
	if forms < 20 {
		t.Errorf("%d forms; the test would be empty", forms)
	}
	if status, body, _ := s.get("api", "op", "<b>"); status != 404 || strings.Contains(body, "<b>") {
		t.Errorf("no such operation: %d %.300s", status, body)
	}
}

// TestReferenceSends: the request is what was filled in, and it is answered; nothing is
// sent that changes something, or lacks a parameter, and no header is asked for.
func TestReferenceSends(t *testing.T) {
	s := newSite(t)
	body := s.has("api", []string{"op", "search", "send", "1", "domain", "org/db", "branch", "main", "q", `wise "old" & <b>`, "count", "2", "mode", "", "doc_type", "People", "nonsense", "x", "X-Embedding-Api-Key", "secret"},
		`data-send="#reply"`, `value="wise &#34;old&#34; &amp; &lt;b&gt;"`, "!nonsense", "!secret", "!&amp;mode=", `id="reply"`)
	m := regexp.MustCompile(`href="\./\.\./(search[^"]*)" data-send`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no request: %s", body)
	}
	res, err := http.Get(s.url + "/" + html.UnescapeString(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if want := "/search?branch=main&amp;count=2&amp;doc_type=People&amp;domain=org%2Fdb&amp;q=wise"; res.StatusCode != 200 || !strings.Contains(body, want) {
		t.Errorf("%s: %d %s", m[1], res.StatusCode, answer)
	}
	s.has("api", []string{"op", "search", "send", "1", "q", "wise"}, "!data-send")
	s.has("api", []string{"op", "search", "domain", "org/db", "q", "wise"}, "!data-send")
	for _, op := range []string{"index", "assign", "push", "deleteDomain"} {
		s.has("api", []string{"op", op, "send", "1", "domain", "org/db", "commit", "first", "source_commit", "first", "target_commit", "x"}, "!data-send", "!<form class=\"try\"")
	}
	// A server of another contract, with a parameter in the path.
	other := newSite(t, func(c *page.Config, _ *api.Config) {
		c.OpenAPI = []byte("tags: [{name: T}]\npaths: {'/a/{b}/c': {get: {operationId: x, tags: [T], parameters: [{name: b, in: path, required: true, schema: {type: string}}], responses: {}}}}")
	})
	other.has("api", []string{"op", "x", "send", "1", "b", "../d?e"}, `href="./../a/..%2Fd%3Fe/c"`)
	broken := newSite(t, func(c *page.Config, _ *api.Config) { c.OpenAPI = []byte("paths: [") })
	if status, body, _ := broken.get("api"); status != 500 || strings.Contains(body, "yaml") {
		t.Errorf("a contract that cannot be read: %d %.500s", status, body)
	}
}

// TestDocsLeadHere: /docs leads to the page, also behind a prefix.
func TestDocsLeadHere(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{"/docs": "ui/api", "/docs/": "../ui/api"} {
		res, err := noRedirect.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 302 || res.Header.Get("Location") != want {
			t.Errorf("%s: %d %q", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
}

// TestTextStaysText: what a request is answered with is never read as markup.
func TestTextStaysText(t *testing.T) {
	script, err := os.ReadFile("static/page.js")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(script); !strings.Contains(s, "reply.textContent = text") || strings.Contains(s, "innerHTML") {
		t.Error("page.js makes markup of answers")
	}
}
