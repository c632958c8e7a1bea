package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
)

type noTemplates struct{}

func (noTemplates) Render(context.Context, string, []byte) (string, error) {
	return "", errors.New("no template in this test")
}

// dataDir makes a data directory of two domains of one commit each, with the
// full text of both, and hands its indexer to use.
func dataDir(t *testing.T, use func(ix *indexer.Indexer)) string {
	t.Helper()
	dir := t.TempDir()
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: map[string]string{"d/A/1": "a red apple", "d/A/2": "a green pear"}})
	ix, err := indexer.Open(indexer.Config{FS: files, Source: src, Embedder: &indexertest.Embedder{}, Renderer: noTemplates{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"a/one", "a/two"} {
		task, err := ix.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c1"})
		for err == nil && task.State == indexer.TaskPending {
			time.Sleep(time.Millisecond) // poll of a real goroutine, as a client polls /check
			task, err = ix.Task(task.ID)
		}
		if err != nil || task.State != indexer.TaskComplete {
			t.Fatal(err, task)
		}
		if _, err := ix.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "pear", Mode: search.ModeText, Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	if use != nil {
		use(ix)
	}
	if err := errors.Join(ix.Close(context.Background()), files.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestGC(t *testing.T) {
	dir := dataDir(t, func(ix *indexer.Indexer) {
		if err := ix.DeleteDomain(t.Context(), "a/two", false); err != nil {
			t.Fatal(err)
		}
	})
	for _, name := range []string{"a%2Ftwo@c9.zap", "a%2Fone@c1.hnsw.3.tmp", "task-1.stage", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := listing(t, dir)
	gc := func(want int, args ...string) (string, string) {
		t.Helper()
		code, stdout, stderr := call(t.Context(), nil, append([]string{"gc", "--data-dir", dir}, args...)...)
		if code != want {
			t.Fatalf("gc %v: exit %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	if out, _ := gc(exitDone); !strings.Contains(out, "0 files") || !strings.Contains(out, "4 files kept for being younger") {
		t.Errorf("within the grace:\n%s", out)
	}
	if out, _ := gc(exitDone, "--grace", "0s", "--dry-run"); !strings.Contains(out, "a%2Ftwo.vecs: vectors of a domain without commits") || !strings.Contains(out, "4 files") {
		t.Errorf("dry run:\n%s", out)
	}
	lockless := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == lockFile })
	}
	if after := listing(t, dir); !slices.Equal(lockless(after), lockless(before)) {
		t.Errorf("a dry run left %v of %v", after, before)
	}
	out, _ := gc(exitDone, "--grace", "0s", "--json")
	var sum struct {
		Removed int `json:"removed"`
		Files   []struct{ File string }
	}
	if err := json.Unmarshal([]byte(out), &sum); err != nil || sum.Removed != 4 || len(sum.Files) != 4 {
		t.Errorf("%v: %s", err, out)
	}
	want := []string{"a%2Fone.catalog", "a%2Fone.vecs", "a%2Fone@c1.hnsw", "a%2Fone@c1.zap", "notes.txt"}
	if after := lockless(listing(t, dir)); !slices.Equal(after, want) {
		t.Errorf("left are %v, want %v", after, want)
	}
	if code, stdout, stderr := call(t.Context(), nil, "verify", "--data-dir", dir); code != exitDone {
		t.Errorf("verify: exit %d\n%s%s", code, stdout, stderr)
	}
	gc(exitUsage, "--grace", "-1h")
	held, err := claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr := gc(exitFailed); !strings.Contains(stderr, "in use by another process") {
		t.Errorf("of a locked directory: %s", stderr)
	}
	if err := errors.Join(held.lock.Close(), held.dir.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestInspect shows each kind of file, whole and damaged at each of its bytes:
// it never fails but with 5, and its output is JSON.
func TestInspect(t *testing.T) {
	dir := dataDir(t, nil)
	for name, words := range map[string][]string{
		"a%2Fone.vecs":    {"dimensions", "32", "cosine", "records per page"},
		"a%2Fone@c1.hnsw": {"checkpoint", "a/one", "texts", "entries", "d/A/1", "whole"},
		"a%2Fone@c1.zap":  {"analyzer", "block 0", "whole"},
	} {
		path := filepath.Join(dir, name)
		args := []string{"inspect", path}
		if strings.HasSuffix(name, ".hnsw") {
			args = append(args, "--entries")
		}
		code, stdout, stderr := call(t.Context(), nil, args...)
		if code != exitDone {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
		for _, w := range words {
			if !strings.Contains(stdout, w) {
				t.Errorf("%s: no %q in\n%s", name, w, stdout)
			}
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/80 {
			bad := slices.Clone(whole)
			bad[at] ^= 0x10
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := call(t.Context(), nil, "inspect", "--json", path)
			var r struct {
				Whole bool
				Error string
				Size  int
			}
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitDamage || r.Whole || r.Error == "" || r.Size != len(whole) {
				t.Errorf("%s, byte %d: exit %d, %v\n%s%s", name, at, code, err, stdout, stderr)
			}
		}
		for _, n := range []int{0, 3, 60, len(whole) / 2, len(whole) - 1} {
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stdout, stderr := call(t.Context(), nil, "inspect", path); code != exitDamage {
				t.Errorf("%s cut to %d: exit %d\n%s%s", name, n, code, stdout, stderr)
			}
		}
	}
	if code, _, _ := call(t.Context(), nil, "inspect", filepath.Join(dir, "notes.txt")); code != exitUsage {
		t.Errorf("another kind of file: exit %d", code)
	}
	if code, _, _ := call(t.Context(), nil, "inspect", filepath.Join(dir, "none.vecs")); code != exitFailed {
		t.Errorf("no file: exit %d", code)
	}
}
