package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestSetCommands checks the commands about sets of documents, texts and names
// against a server that has two near documents.
func TestSetCommands(t *testing.T) {
	server := "VECTORLINK_SERVER=" + realServer(t)
	docs := `[{"id":"x/A/1","text":"wise old man"},{"id":"x/B/2","text":"wise old man"},{"id":"x/B/3","text":"something else"}]`
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"push", "--domain", "a/b", "--commit", "c", "-"}, []string{server}, strings.NewReader(docs), &stdout, &stderr); code != 0 {
		t.Fatal(stderr.String())
	}
	at := []string{"--domain", "a/b", "--commit", "c"}
	with := func(args ...string) []string { return append(args, at...) }
	for _, c := range []struct {
		args []string
		want string
	}{
		{with("candidates", "--threshold", "0.01", "--set-type", "A", "--target-type", "B"),
			"1 document of the set have partners in the target, at commit c\nx/A/1\n  0.0000  x/B/2\n1 document of the target have partners in the set, at commit c\nx/B/2\n  0.0000  x/A/1\n"},
		{with("candidates", "--json", "--threshold", "0", "--set-doc-id", "x/A/1", "--target-type", "B"), `{"set_to_target":{"x/A/1":[{"id":"x/B/2","distance":0}]},`},
		{with("candidates"), "2 documents of the set have partners in the target, at commit c\nx/A/1\n  1.0000  x/B/2\nx/B/2\n  1.0000  x/A/1\n"},
		{[]string{"compare", "a text", "a text"}, "0.0000\n"},
		{[]string{"compare", "--json", "--role", "clustering", "a text", "a text"}, `{"distance":0,`},
		{with("suggest", "wise o"), "2 completions at commit c\nwise old man\nwise old\n"},
		{with("suggest", "--json", "--count", "1", "--type", "B", "wise"), `{"served_commit":"c",`},
		{[]string{"assign", "--domain", "a/b", "--branch", "other", "c", "d"}, ""},
		{[]string{"search", "--domain", "a/b", "--commit", "d", "--count", "1", "something else"}, "1 hit at commit d\n1.0000  x/B/3\n        found by meaning and words, distance 0.0000\n        something else\n"},
		{[]string{"delete", "--domain", "a/b", "--branch", "other"}, "1 commit of "},
		{[]string{"delete", "--domain", "a/b", "--branch", "other", "--yes"}, ""},
		{[]string{"delete", "--domain", "a/b"}, "1 commit of "},
		{[]string{"delete", "--domain", "a/b", "--purge", "--yes"}, ""},
		{[]string{"status"}, "0 domains, 0 branches, 0 indexed commits"},
	} {
		if c.want != "" {
			var lost bytes.Buffer
			if code := run(t.Context(), c.args, []string{server}, strings.NewReader(""), full{}, &lost); code != exitFailed {
				t.Errorf("%v: exit %d with lost output\n%s", c.args, code, lost.String())
			}
		}
		code, stdout, stderr := call(t.Context(), []string{server}, c.args...)
		if code != 0 || !strings.HasPrefix(stdout, c.want) || c.want == "" && stdout != "" {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
}
