package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// TestInspectPruned shows a list of pruned commits, and one that is cut off.
func TestInspectPruned(t *testing.T) {
	dir := t.TempDir()
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	c, err := catalog.Open(catalog.Config{FS: files})
	if err != nil {
		t.Fatal(err)
	}
	d := c.Create("a/b")
	for _, commit := range []string{"c1", "c2"} {
		if err := d.Update(func(tx *catalog.Tx) error {
			info, err := snapshot.Write(files, snapshot.Header{Kind: snapshot.Checkpoint, Domain: "a/b", Commit: commit, Seq: d.NextSeq()}, snapshot.Contents{})
			if err != nil {
				return err
			}
			return tx.Put(info)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Update(func(tx *catalog.Tx) error { return tx.Prune("c1") }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decide([]catalog.Decision{{A: "y", B: "x", Verdict: catalog.DecidedLater, Commit: "c2"}}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, catalog.PrunedName("a/b"))
	inspect := func(code int, want ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), []string{"inspect", "--json", name}, nil, strings.NewReader(""), &out, &errs); got != code {
			t.Errorf("exit %d, want %d: %s", got, code, errs.String())
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s lacks %s", out.String(), w)
			}
		}
	}
	inspect(exitDone, `"kind":"pruned"`, `"domain":"a/b"`, `"pruned":["c1"]`, `"whole":true`)
	f, err := files.Open(catalog.PrunedName("a/b"), vfs.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err == nil {
		err = f.Truncate(size - 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	inspect(exitDamage, `"domain":"a/b"`, `"whole":false`, "ends early")
	name = filepath.Join(dir, catalog.DecisionsName("a/b"))
	inspect(exitDone, `"kind":"decisions"`, `"domain":"a/b"`, `"n":1,"a":"x","b":"y","decision":"later"`, `"whole":true`)
}
