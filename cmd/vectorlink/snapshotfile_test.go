package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSnapshotFile takes a commit out of a server as a file, opens that, where it
// answers the same and refuses to be changed, and gives it back.
func TestSnapshotFile(t *testing.T) {
	server, dir := "VECTORLINK_SERVER="+launchServe(t, t.TempDir()).url, t.TempDir()
	docs, file := filepath.Join(dir, "docs.ndjson"), filepath.Join(dir, "c1.vlsnap")
	if err := os.WriteFile(docs, []byte(`{"id":"a","text":"red apple pie"}`+"\n"+`{"id":"b","text":"green pear cake","n":3}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cli := func(server string, args ...string) string {
		t.Helper()
		code, stdout, stderr := call(t.Context(), []string{server}, args...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
		return stdout
	}
	cli(server, "push", "--domain", "a/b", "--commit", "c1", docs)
	if out := cli(server, "export", "--domain", "a/b", "--branch", "main", "--snapshot", file); !strings.Contains(out, "2 documents of a/b at commit c1") {
		t.Errorf("export: %s", out)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := cli(server, "export", "--domain", "a/b", "--commit", "c1", "--snapshot", "-"); out != string(whole) {
		t.Error("on standard output it is another file")
	}
	search := []string{"search", "--domain", "a/b", "--branch", "main", "--mode", "hybrid", "--json", "fruit"}
	want := cli(server, search...)

	p := launch(t, environ(), nil, func(line []byte) string {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal(line, &entry) != nil || entry.Msg != "listening" {
			return ""
		}
		return "http://" + entry.Addr
	}, "open", file, "--addr", "127.0.0.1:0")
	opened := "VECTORLINK_SERVER=" + p.url
	if got := cli(opened, search...); got != want {
		t.Errorf("offline the answer is\n%s\nnot\n%s", got, want)
	}
	if got := cli(opened, "export", "--domain", "a/b", "--commit", "c1"); got != cli(server, "export", "--domain", "a/b", "--commit", "c1") {
		t.Errorf("offline the documents are\n%s", got)
	}
	if code, _, stderr := call(t.Context(), []string{opened}, "push", "--domain", "a/b", "--commit", "c2", docs); code == 0 || !strings.Contains(stderr, "only reads") {
		t.Errorf("push to a file: exit %d, %s", code, stderr)
	}
	if code, _ := p.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("open ends with %d", code)
	}

	if out := cli(server, "import", "--domain", "a/fork", file); out != "a/fork at commit c1: 2 documents imported, 0 kept, 0 skipped\n" {
		t.Errorf("import: %s", out)
	}
	if out := cli(server, "import", "--domain", "a/fork", "--json", file); !strings.Contains(out, `"kept":2`) {
		t.Errorf("import again: %s", out)
	}
	if err := os.WriteFile(file, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"open", file}, {"import", "--domain", "a/c", file}} {
		if code, _, stderr := call(t.Context(), []string{server}, args...); code == 0 || !strings.Contains(stderr, "cut off") {
			t.Errorf("%s half a file: exit %d, %s", args[0], code, stderr)
		}
	}
	if code, _, _ := call(t.Context(), []string{server}, "export", "--domain", "a/none", "--branch", "main", "--snapshot", filepath.Join(dir, "none")); code == 0 {
		t.Error("an export of nothing succeeds")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*none*")); len(left) > 0 {
		t.Errorf("a failed export leaves %v", left)
	}
}
