package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestAllPairs: duplicates --all prints what comes, line by line.
func TestAllPairs(t *testing.T) {
	const near, far = `{"group":[{"id":"d/A/1"},{"id":"d/A/2"}],"distance":0.01}`, `{"group":[{"id":"d/A/1"},{"id":"d/B/1"}],"distance":0.25}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/x-ndjson" || r.FormValue("threshold") != "0.3" || r.FormValue("domain") != "a/b" {
			t.Errorf("asked %s, Accept %q", r.URL, r.Header.Get("Accept"))
		}
		fmt.Fprintf(w, "%s\n%s\n", near, far)
	}))
	defer srv.Close()
	env := []string{"VECTORLINK_SERVER=" + srv.URL}
	args := []string{"duplicates", "--domain", "a/b", "--commit", "c", "--threshold", "0.3", "--all"}
	const text = "0.0100  d/A/1  d/A/2\n0.2500  d/A/1  d/B/1\n"
	for _, c := range []struct {
		more []string
		code int
		out  string
	}{
		{nil, exitDone, text},
		{[]string{"--json"}, exitDone, near + "\n" + far + "\n"},
		{[]string{"--fail-over", "0.001"}, exitDone, text},
		{[]string{"--fail-over", "0.01"}, exitDuplicates, text},
		{[]string{"--count", "1"}, exitUsage, ""},
		{[]string{"--summary", "md"}, exitUsage, ""},
	} {
		code, stdout, stderr := call(t.Context(), env, append(args, c.more...)...)
		if code != c.code || stdout != c.out {
			t.Errorf("%v: exit %d, want %d\n%s%s", c.more, code, c.code, stdout, stderr)
		}
	}
}

// TestPatience: a command gives a silent server up, whether it has begun to
// answer or not, and not one that goes on answering.
func TestPatience(t *testing.T) {
	ended := make(chan struct{})
	defer close(ended)
	silent := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		code    int
	}{
		{"no answer", silent, exitUpstream},
		{"half an answer", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `[{"id"`)
			w.(http.Flusher).Flush()
			silent(w, r)
		}, exitUpstream},
		{"slowly", func(w http.ResponseWriter, r *http.Request) {
			for _, part := range strings.SplitAfter(`[ , , , , , , , , ]`, ",") {
				io.WriteString(w, strings.ReplaceAll(part, ",", ""))
				w.(http.Flusher).Flush()
				time.Sleep(50 * time.Millisecond) // in all more than the patience
			}
		}, exitDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			code, stdout, stderr := call(t.Context(), []string{"VECTORLINK_SERVER=" + srv.URL}, "duplicates", "--domain", "a/b", "--commit", "c", "--patience", "300ms")
			if code != c.code || (code == exitUpstream) != strings.Contains(stderr, "nothing came for too long") {
				t.Errorf("exit %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
		})
	}
}

// TestNobodyReads: a demo whose output is not read to its end takes its
// temporary directory with it.
func TestNobodyReads(t *testing.T) {
	program, tmp := builtProgram(t), t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "demo", "--once", "--listen", "127.0.0.1:0")
	cmd.Env, cmd.Stdout = environ("TMPDIR="+tmp), write
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if _, err := read.Read(make([]byte, 1)); err != nil {
		t.Errorf("nothing to read: %v", err)
	}
	read.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitPipe {
		t.Errorf("exit %v, want %d\n%s", cmd.ProcessState, exitPipe, stderr.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
