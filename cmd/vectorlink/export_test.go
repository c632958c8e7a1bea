package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportLines checks that pages of documents are written with their vectors, which
// some have not, and that what was cut is told.
func TestExportLines(t *testing.T) {
	pages := map[string]string{
		"0": `{"total":4,"documents":[{"id":"2","text":"two <","fields":{"n":2},"vector":[1,0]},{"id":"10","text":"ten","fields":{}}]}`,
		"2": `{"total":4,"documents":[{"id":"a","text":"cut","text_cut":true,"vector":[0,1]},{"id":"b","text":""}]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("TerminusDB-Data-Version", "commit:c")
		q := r.URL.Query()
		first := r.URL.Path == "/documents" && q.Get("start") == "0"
		if q.Get("domain") != "a/b" || q.Get("filter") != "n > 1" || (q.Get("branch") == "main") != first || (q.Get("commit") == "c") == first {
			t.Errorf("asked %s", r.URL)
		}
		page := pages[q.Get("start")]
		if !slices.Contains(q["output_fields"], "vector") {
			page = strings.NewReplacer(`,"vector":[1,0]`, "", `,"vector":[0,1]`, "").Replace(page)
		}
		fmt.Fprint(w, page)
	}))
	defer srv.Close()
	const want = `{"op":"Inserted","id":"2","string":"two <","fields":{"n":2},"vector":[1,0]}
{"op":"Inserted","id":"10","string":"ten"}
{"op":"Inserted","id":"a","string":"cut","vector":[0,1]}
{"op":"Inserted","id":"b","string":""}
`
	for args, want := range map[string]string{"": want, "--no-vectors": strings.NewReplacer(`,"vector":[1,0]`, "", `,"vector":[0,1]`, "").Replace(want)} {
		code, stdout, stderr := call(t.Context(), []string{"VECTORLINK_SERVER=" + srv.URL},
			append([]string{"export", "--domain", "a/b", "--branch", "main", "--filter", "n > 1"}, strings.Fields(args)...)...)
		if code != 0 || stdout != want || !strings.Contains(stderr, "warning: 1 text cut at 64 KiB") {
			t.Errorf("%s: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

// TestExportRows checks that vectors which were pushed from a file come back as
// that file.
func TestExportRows(t *testing.T) {
	server, dir := "VECTORLINK_SERVER="+realServer(t), t.TempDir()
	ids, vectors := filepath.Join(dir, "ids.json"), filepath.Join(dir, "v.npy")
	if err := os.WriteFile(vectors, []byte(arrayFile([]float32{1, 0}, []float32{0, 1})), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ids, []byte(`["a","b"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t.Context(), []string{server}, "push", "--domain", "a/b", "--commit", "c", "--dim", "2", "--ids", ids, vectors); code != 0 {
		t.Fatal(stderr)
	}
	for _, format := range []string{"npy", "safetensors"} {
		back, backIDs := filepath.Join(dir, "back."+format), filepath.Join(dir, "back.json")
		code, stdout, stderr := call(t.Context(), []string{server}, "export", "--domain", "a/b", "--branch", "main", "--format", format, "--ids", backIDs)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if err := os.WriteFile(back, []byte(stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(backIDs); err != nil || string(bytes.TrimSpace(got)) != `["a","b"]` {
			t.Errorf("ids are %s, %v", got, err)
		}
		if code, _, stderr := call(t.Context(), []string{server}, "push", "--domain", "a/"+format, "--commit", "c", "--dim", "2", "--ids", backIDs, back); code != 0 {
			t.Error(stderr)
		}
		if got := pushed(t, server, "a/"+format, true); got != "a [1,0] | b [0,1]" {
			t.Errorf("%s: came back as %s", format, got)
		}
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"export", "--domain", "a/b", "--commit", "c", "--format", "npy"}, []string{server}, strings.NewReader(""), full{}, &stderr); code != exitFailed {
		t.Errorf("with lost output: exit %d", code)
	}
}

// TestExportIsPushed checks that a database which is made of what another exports
// has the same documents.
func TestExportIsPushed(t *testing.T) {
	server := "VECTORLINK_SERVER=" + realServer(t)
	const docs = `[{"id":"b","text":"one < two","n":1.5,"tags":["x","y"]},{"id":"10","text":"ten"},{"id":"2","text":"two","ok":false}]`
	in := docs
	for _, domain := range []string{"a/b", "a/copy"} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"push", "--domain", domain, "--commit", "c", "-"}, []string{server}, strings.NewReader(in), &stdout, &stderr); code != 0 {
			t.Fatal(stderr.String())
		}
		code, lines, errors := call(t.Context(), []string{server}, "export", "--domain", domain, "--branch", "main")
		if code != 0 || domain != "a/b" && lines != in || strings.Count(lines, "\"vector\":[") != 3 {
			t.Errorf("%s: exit %d\n%s%s", domain, code, lines, errors)
		}
		in = lines
	}
	if got := pushed(t, server, "a/copy", false); got != `10 | 2 {"ok":false} | b {"n":1.5,"tags":["x","y"]}` && got != `2 {"ok":false} | 10 | b {"n":1.5,"tags":["x","y"]}` {
		t.Errorf("got %s", got)
	}
}
