package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commitsOf pushes documents, as JSON lines, to a server as commits of a/b.
func commitsOf(t *testing.T, server string, commits ...[2]string) {
	t.Helper()
	for _, c := range commits {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"push", "--domain", "a/b", "--commit", c[0], "-"}, []string{server}, strings.NewReader(c[1]), &stdout, &stderr); code != 0 {
			t.Fatal(stderr.String())
		}
	}
}

// TestDecisions: what is decided at the server or stands in a file takes pairs away or
// marks them, comes out again, and the profile counts it.
func TestDecisions(t *testing.T) {
	server := "VECTORLINK_SERVER=" + realServer(t)
	commitsOf(t, server, [2]string{"c", `{"id":"x/1","text":"red cotton shirt with long sleeves and a collar"}
{"id":"x/2","text":"red cotton shirt with long sleeves and collar"}
{"id":"x/3","text":"a collar with long sleeves and a red cotton shirt"}
{"id":"x/4","text":"garden hose of twenty metres"}
`})
	file := filepath.Join(t.TempDir(), "decisions.ndjson")
	const said = `{"a":"x/1","b":"x/2","decision":"same","by":"ana"}
{"a":"x/2","b":"x/1","decision":"different","note":"the last one counts"}

{"a":"x/3","b":"x/1","decision":"later"}
`
	if err := os.WriteFile(file, []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"--domain", "a/b", "--commit", "c"}
	check := func(code int, args []string, has, lacks string) string {
		t.Helper()
		got, stdout, stderr := call(t.Context(), []string{server}, args...)
		if got != code || !strings.Contains(stdout, has) || lacks != "" && strings.Contains(stdout, lacks) {
			t.Errorf("%v: exit %d, want %d, %q and not %q\n%s%s", args, got, code, has, lacks, stdout, stderr)
		}
		return stdout
	}
	with := func(args ...string) []string { return append(args, at...) }
	check(exitDuplicates, with("duplicates", "--fail-on-any"), "1 group at commit c", "x/4")

	// A file: groups without those decided otherwise, as the server's decisions have it.
	check(exitDuplicates, with("duplicates", "--decisions", file, "--fail-on-any"), "1 group at commit c\n0.9465  x/1  x/3\n", "x/2")
	check(exitDone, with("duplicates", "--decisions", file, "--count", "1"), "1 group at commit c\n0.9465  x/1  x/3", "x/2")
	check(exitDone, with("duplicates", "--decisions", file, "--all", "--json"), `"decided":"later"`, `"x/1"},{"id":"x/2"`)
	check(exitDone, with("duplicates", "--decisions", file, "--threshold", "0"), "no duplicates within 0 at", "")
	check(exitDone, with("duplicates", "--decisions", file, "--summary", "md"), "<ins>", "`x/1` `x/2`")

	// At the server.
	check(exitDone, with("decide", "x/2", "x/1", "different", "--by", "=ana", "--note", "another cut"), "decision 1: different\n", "")
	check(exitDone, with("decide", "x/2", "x/3", "later", "--json"), `"n":2`, "")
	check(exitUsage, with("decide", "x/2", "x/3", "perhaps"), "", "decision")
	check(exitDone, with("duplicates", "--all"), "", "x/1  x/2")
	check(exitDone, with("duplicates", "--all", "--decided", "none"), "x/1  x/2", "")
	list := []string{"decisions", "--domain", "a/b"}
	check(exitDone, list, "N  DECISION   DOCUMENTS       BY    NOTE         COMMIT", "")
	check(exitDone, append(list, "--from", "1", "--json"), "}\n"+`{"n":2,`, "DECISION")
	check(exitDone, append(list, "--format", "csv"), "1,x/1,x/2,different,'=ana,another cut,c", "")
	if err := os.WriteFile(file, []byte(said+`{"a":"x/1","b":"x/2","decision":"open"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(exitDone, with("duplicates", "--decided", "none", "--decisions", file), "x/1  x/2  x/3\n", "decided")
	// What is written out is what duplicates takes.
	lines := check(exitDone, append(list, "--format", "ndjson"), `"note":"another cut"`, "")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	check(exitDone, with("duplicates", "--decided", "none", "--decisions", file), "0.9465  x/1  x/3\n", "x/2")
	if err := os.WriteFile(file, []byte(`{"a":"x/4","b":"x/1","decision":"same"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	check(exitDone, with("duplicates", "--decisions", file), "0.8451  x/2  x/3\n0.0031  x/1  x/4\n", "")
	check(exitDone, with("duplicates", "--decisions", file, "--decided", "none", "--profile", "--min-score", "0", "--json"), `"same":1`, "")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(exitUsage, with("duplicates", "--decisions", file), "", "x/1")
	check(exitUsage, with("duplicates", "--decisions", file+"-", "--all"), "", "")

	profile := check(exitDone, with("duplicates", "--profile"), "FROM  PAIRS  DOCUMENTS  SAME  DIFFERENT  PRECISION", "")
	if !strings.Contains(profile, "with long sleeves and [-a -]collar") || !strings.Contains(profile, "#") {
		t.Errorf("the profile shows no bars or no examples with the words that differ:\n%s", profile)
	}
	check(exitDone, with("duplicates", "--profile", "--json", "--examples", "1"), `"steps":[`, "")
	check(exitUsage, with("duplicates", "--profile", "--all"), "", "FROM")
}

// TestBetween: what reads two commits asks and prints that.
func TestBetween(t *testing.T) {
	server := "VECTORLINK_SERVER=" + realServer(t)
	shirts := `{"id":"x/1","text":"red cotton shirt"}
{"id":"x/2","text":"blue cotton shirt"}
{"id":"x/3","text":"green cotton shirt"}
`
	commitsOf(t, server, [2]string{"c", shirts}, [2]string{"d", `{"id":"x/4","text":"yellow cotton shirt"}
{"id":"x/5","text":"garden hose"}
`})
	for _, c := range []struct {
		code int
		args []string
		has  string
	}{
		{exitDone, []string{"search", "--from", "c", "--to", "d", "yellow shirt"}, "came"},
		{exitDone, []string{"search", "--from", "c", "--to", "d", "--json", "yellow shirt"}, `{"from":"c","to":"d","hits":[`},
		{exitUsage, []string{"search", "--from", "c", "shirt"}, ""},
		{exitUsage, []string{"search", "--to", "c", "--branch", "main", "shirt"}, ""},
		{exitDone, []string{"clusters", "--from", "c", "--to", "d"}, "clusters from commit c to d\n"},
		{exitDone, []string{"clusters", "--from", "c", "--to", "d", "--json"}, `"changes":[`},
		{exitUsage, []string{"clusters", "--from", "c"}, ""},
		{exitUsage, []string{"clusters", "--from", "c", "--to", "d", "--commit", "d"}, ""},
		{exitDone, []string{"clusters", "--commit", "c", "--k", "2"}, "1 cluster of 3 documents at commit c, 1 in none"},
		{exitDone, []string{"diff", "--from", "c", "--to", "d"}, "0 changed, 2 added, 0 removed from c to d\nadded    x/4\nadded    x/5\n"},
		{exitDone, []string{"diff", "--from", "c", "--to", "d", "--count", "1", "--summary", "md"}, "| added |  | `x/4` |\n|  |  | and 1 more |\n"},
		{exitUsage, []string{"diff", "--from", "c"}, ""},
		{exitDone, []string{"commits"}, "COMMIT  BRANCH  KIND"},
		{exitDone, []string{"document", "--commit", "d", "x/5"}, "x/5 at commit d\ngarden hose\n"},
		{exitDone, []string{"search", "--commit", "d", "--rank", "rrf", "garden hose"}, "found by meaning and words"},
		{exitDone, []string{"search", "--commit", "d", "--weight", "0.25", "--explain", "garden hose"}, "score: 0.25 of meaning"},
		{exitDone, []string{"search", "--commit", "d", "--mode", "vector", "--max-distance", "0.001", "--feedback", "2", "garden hose"}, " at commit d\n"},
		{exitDone, []string{"search", "--commit", "d", "--mode", "fts", "--texts", "hose"}, "found by words\n"},
		{exitFailed, []string{"search", "--commit", "d", "--weight", "2", "hose"}, ""},
		{exitDone, []string{"similar", "--commit", "d", "--ids", "x/1", "--ids", "x/2", "--include-self"}, "5 hits at commit d"},
	} {
		args := append(c.args, "--domain", "a/b")
		code, stdout, stderr := call(t.Context(), []string{server}, args...)
		var lost bytes.Buffer
		if got := run(t.Context(), args, []string{server}, strings.NewReader(""), full{}, &lost); c.code == exitDone && got != exitFailed {
			t.Errorf("%v: exit %d with lost output\n%s", c.args, got, lost.String())
		}
		if code != c.code || !strings.Contains(stdout, c.has) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.has, stdout, stderr)
		}
	}
}
