package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/testdata/starwars"
	"github.com/vectorlink/vectorlink/workshop"
)

// sketch serves a database with a schema and documents, and returns the settings
// that lead to it.
func sketch(t *testing.T, schema, documents string) (env []string, url string) {
	t.Helper()
	db := minidb.New(minidb.Config{})
	srv := httptest.NewServer(db)
	t.Cleanup(srv.Close)
	change := func(text string) []json.RawMessage { return []json.RawMessage{json.RawMessage(text)} }
	_, err := db.Load("a/b", minidb.Prefixes{Base: "terminusdb:///b/"}, []minidb.Step{
		{Name: "schema", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Schema: change(schema)}},
		{Name: "documents", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Put: change(documents)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dbSettings(srv.URL), srv.URL
}

// pairOf is the metadata of a class.
func pairOf(query, template string) string {
	text, err := json.Marshal(map[string]any{"embedding": map[string]string{"query": query, "template": template}})
	if err != nil {
		panic(err)
	}
	return `"@metadata":` + string(text)
}

// TestTemplatesCheck checks a schema with every mistake.
func TestTemplatesCheck(t *testing.T) {
	class := func(name, rest string) string {
		return `{"@id":"` + name + `","@type":"Class","label":"xsd:string","home":{"@type":"Optional","@class":"Good"},"tags":{"@type":"Set","@class":"xsd:string"}` + rest + `}`
	}
	query := func(name, fields string) string { return "query($id: ID){ " + name + "(id: $id) { " + fields + " } }" }
	env, _ := sketch(t, "["+strings.Join([]string{
		class("Good", ","+pairOf(query("Good", "label, home { label }, tags"), "{{label}}{{#if home}} of {{home.label}}{{/if}}{{#each tags}} {{this}}{{/each}}")),
		class("Heir", `,"@inherits":["Good"]`),
		class("NoObject", `,"@metadata":"text"`),
		class("NoTemplate", ","+pairOf(query("NoTemplate", "label"), "")),
		class("BadQuery", ","+pairOf("query {", "x")),
		class("UnknownInQuery", ","+pairOf(query("UnknownInQuery", "label, colour"), "{{label}}")),
		`{"@id":"Maker","@type":"Class","@abstract":[]},{"@id":"Work","@type":"Class","title":"xsd:string","maker":"Maker"}`,
		class("UnknownBacklink", `,"@inherits":["Maker"],`+pairOf(query("UnknownBacklink", "label, _maker_of_Work { title }"), "{{label}}")),
		class("NoSelection", ","+pairOf(query("NoSelection", "label, home"), "{{label}}")),
		class("BadTemplate", ","+pairOf(query("BadTemplate", "label"), "a\n{{#if label}}")),
		class("UnknownInTemplate", ","+pairOf(query("UnknownInTemplate", "label"), "{{label}}\n{{colour}}")),
		class("Object", ","+pairOf(query("Object", "label, home { label }"), "{{label}} {{home}}")),
		class("Empty", ","+pairOf(query("Empty", "label, home { label }"), "{{home.label}}")),
		class("Marked", ","+pairOf(query("Marked", "label"), "{{label}}")),
	}, ",")+"]", `[{"@id":"Good/1","@type":"Good","label":"one","tags":["x"]},{"@id":"Heir/1","@type":"Heir","label":"h"},
		{"@id":"Empty/1","@type":"Empty","label":"e"},{"@id":"Empty/2","@type":"Empty","label":"e","home":"Good/1"},
		{"@id":"Marked/1","@type":"Marked","label":"a &amp; b"},{"@id":"UnknownInTemplate/1","@type":"UnknownInTemplate","label":"u"}]`)
	code, stdout, stderr := call(t.Context(), env, "templates", "check", "--domain", "a/b")
	const want = `BadQuery: 0 documents tried
  error: query: query does not parse: Expected Name, found <EOF> (1:8)
BadTemplate: 0 documents tried
  error: template, line 2: block "if" is not closed
Empty: 2 documents tried
  warning: documents: 1 of 2 documents render to nothing, and are not indexed
    terminusdb:///b/Empty/1
Good: 1 document tried
Heir
  warning: schema: it inherits from Good, but a query and a template are not inherited: its documents are not indexed
Marked: 1 document tried
  warning: documents: 1 of 1 documents have HTML in their texts, such as "&amp;"
    terminusdb:///b/Marked/1
NoObject: 0 documents tried
  error: schema: @metadata is not an object
NoSelection: 0 documents tried
  error: query: query asks for home of NoSelection without saying which of its fields: home { … }
NoTemplate: 0 documents tried
  warning: template: there is a query but no template: the class is not indexed
Object: 0 documents tried
  warning: template, line 1: {{home}} is an object: name one of its fields (label)
UnknownBacklink: 0 documents tried
  error: query: query asks for _maker_of_Work, which UnknownBacklink does not have
UnknownInQuery: 0 documents tried
  error: query: query asks for colour, which UnknownInQuery does not have
UnknownInTemplate: 1 document tried
  warning: template, line 2: {{colour}}: there is no field "colour" here (it has label)
`
	if code != exitFailed || stdout != want || !strings.Contains(stderr, "6 errors") {
		t.Errorf("exit %d\n%s%s\nwant\n%s", code, stdout, stderr, want)
	}
	code, stdout, _ = call(t.Context(), env, "templates", "check", "--domain", "a/b", "--json")
	var res workshop.Report
	if err := json.Unmarshal([]byte(stdout), &res); err != nil || code != exitFailed || len(res.Findings) != 12 || res.Tried["Empty"] != 2 {
		t.Errorf("as JSON: exit %d, %+v, %v", code, res, err)
	}
	if code, stdout, stderr := call(t.Context(), env, "templates", "suggest", "--domain", "a/b"); code != 0 || !strings.Contains(stdout, `"@id": "NoTemplate"`) || strings.Contains(stdout, `"@id": "Good"`) {
		t.Errorf("suggest for a class with a query alone: exit %d\n%s%s", code, stdout, stderr)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"check", "--domain", "a/c"}, exitFailed, "a/c"},
		{[]string{"check", "--domain", "a/b", "--commit", "000"}, exitFailed, "000"},
		{[]string{"check", "--domain", "a/b", "--branch", "fan"}, exitFailed, "fan"},
		{[]string{"check", "--domain", "a/b", "--pairs", "missing.json"}, exitUsage, "missing.json"},
		{[]string{"preview", "--domain", "a/b", "--class", "Missing"}, exitFailed, "no class Missing"},
		{[]string{"preview", "--domain", "a/b", "--class", "Heir"}, exitFailed, "no query and template"},
		{[]string{"preview", "--domain", "a/b", "--class", "NoTemplate"}, exitFailed, "no template"},
		{[]string{"preview", "--domain", "a/b", "--class", "Good", "--id", "Good/9"}, exitFailed, "1 document without a text"},
		{[]string{"preview", "--domain", "a/b", "--class", "Empty"}, exitFailed, "1 document without a text"},
		{[]string{"suggest", "--domain", "a/b", "--class", "Missing"}, exitFailed, "no class Missing"},
		{[]string{"suggest", "--domain", "a/b", "--terminusdb-url", "http://127.0.0.1:1"}, exitUpstream, "connection refused"},
		{[]string{"suggest", "--domain", "a/b", "--terminusdb-url", ""}, exitUsage, "terminusdb-url"},
	} {
		code, _, stderr := call(t.Context(), env, append([]string{"templates"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, %s; want %d and %q", c.args, code, stderr, c.code, c.says)
		}
	}
}

// TestTemplatesLoop goes the way of somebody who has no pairs: suggest, preview,
// insert, check.
func TestTemplatesLoop(t *testing.T) {
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	db := minidb.New(minidb.Config{Now: demoClock()})
	srv := httptest.NewServer(db)
	defer srv.Close()
	list := steps(data)[:2]
	list[0].Schema = bare(t, list[0].Schema)
	if _, err := db.Load(domain, minidb.Prefixes{Base: starwars.Base}, list); err != nil {
		t.Fatal(err)
	}
	env := dbSettings(srv.URL)
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := call(t.Context(), env, append([]string{"templates"}, append(args, "--domain", domain)...)...)
		if code != exitDone {
			t.Fatalf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
		return stdout
	}
	if got := run("check"); !strings.Contains(got, "suggest") {
		t.Errorf("check of a bare schema: %s", got)
	}
	suggested := run("suggest")
	file := filepath.Join(t.TempDir(), "classes.json")
	if err := os.WriteFile(file, []byte(suggested), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "The planet is called Hoth. A world of snow and ice where the rebels dig in and giant walkers attack. " +
		"The climate is frozen. The surface water is 100. The terrain is tundra, ice caves, mountain ranges."
	want := "terminusdb:///star-wars/Planet/4\n" + text + "\n46 tokens in 1 chunk\n"
	if got := run("preview", "--class", "Planet", "--id", "Planet/4", "--pairs", file); got != want {
		t.Errorf("preview with the file: got\n%swant\n%s", got, want)
	}
	if _, err := db.Commit(domain, minidb.Change{Schema: []json.RawMessage{json.RawMessage(suggested)}}); err != nil {
		t.Fatalf("inserting what was suggested: %v", err)
	}
	if got := run("preview", "--class", "Planet", "--id", starwars.Base+"Planet/4"); got != want {
		t.Errorf("preview: got\n%swant\n%s", got, want)
	}
	if got := run("check", "--sample", "0", "--strict"); !strings.Contains(got, "People: 82 documents tried\nPlanet: 60 documents tried\n") || strings.Contains(got, "warning") {
		t.Errorf("check:\n%s", got)
	}
	if got := run("suggest"); got != "[]\n" {
		t.Errorf("nothing is left to suggest, but: %s", got)
	}
	if got := run("suggest", "--class", "Planet"); !strings.Contains(suggested, strings.Trim(got, "[]\n")) {
		t.Errorf("suggested again: %s", got)
	}
	var shown []workshop.Preview
	if err := json.Unmarshal([]byte(run("preview", "--class", "Film", "--json", "--count", "2")), &shown); err != nil || len(shown) != 2 || shown[0].Tokens == 0 || shown[0].Chunks == 0 {
		t.Errorf("%+v, %v", shown, err)
	}
}

// TestSuggestAI checks a chat model that improves one class, loses a field of
// another, and says nothing that can be used of the rest.
func TestSuggestAI(t *testing.T) {
	env, _ := sketch(t, `[
		{"@id":"Good","@type":"Class","label":"xsd:string","home":{"@type":"Optional","@class":"Good"}},
		{"@id":"Lost","@type":"Class","label":"xsd:string","kind":"xsd:string"}]`,
		`[{"@id":"Good/1","@type":"Good","label":"one &amp; only"},{"@id":"Lost/1","@type":"Lost","label":"l","kind":"k"}]`)
	const better = "{{label}} is good{{#if home}} and lives in {{home.label}}{{/if}}."
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model    string
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Model != "chatty" || len(req.Messages) != 2 {
			t.Errorf("request %+v, %v", req, err)
		}
		if strings.Contains(req.Messages[1].Content, "only") {
			t.Error("the model was shown a document")
		}
		template := "{{label}}"
		if strings.Contains(req.Messages[1].Content, "Class: Good") {
			template = better
		}
		content, _ := json.Marshal(map[string]string{"template": template})
		answer, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"role": "assistant", "content": string(content)}}}})
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	}))
	defer model.Close()
	code, stdout, stderr := call(t.Context(), append(env, "VECTORLINK_EMBED_URL="+model.URL), "templates", "suggest", "--domain", "a/b", "--ai", "chatty")
	if code != exitDone || !strings.Contains(stdout, better) || !strings.Contains(stdout, "The kind is {{kind}}") ||
		!strings.Contains(stderr, "Lost: keeps the plain sentences") || !strings.Contains(stderr, "{{kind}}") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	code, _, stderr = call(t.Context(), env, "templates", "suggest", "--domain", "a/b", "--ai", "chatty")
	if code != exitUsage || !strings.Contains(stderr, "VECTORLINK_EMBED_URL") {
		t.Errorf("without a provider: exit %d, %s", code, stderr)
	}
	code, _, stderr = call(t.Context(), append(env, "VECTORLINK_EMBED_URL=http://127.0.0.1:1"), "templates", "suggest", "--domain", "a/b", "--ai", "chatty")
	if code != exitUpstream {
		t.Errorf("without the model: exit %d, %s", code, stderr)
	}
}
