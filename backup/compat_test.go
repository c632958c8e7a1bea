package backup_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "make the data directory of the current format, if it is not there yet")

// compatDir holds a data directory with something of everything, as version 3 of commit
// files and version 1 of the others were written, and beside it what it answered then. It
// is never made anew: whatever comes later must read it. ../testdata/compat/v1 and v2 hold
// what was written before, see the tests of package indexer.
const (
	compatDir     = "../testdata/compat/v3"
	compatAnswers = compatDir + ".answers"
)

// TestUpgrade opens a data directory that an earlier program wrote: it answers as it did
// then, embeds nothing, takes commits and writes, and can be backed up.
func TestUpgrade(t *testing.T) {
	if *update {
		makeCompat(t)
	}
	paths, err := filepath.Glob(filepath.Join(compatDir, "*"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files in %s, %v", len(paths), compatDir, err)
	}
	mem := vfstest.NewMem()
	seen := make(map[string]bool)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mem.WriteFile(filepath.Base(path), b)
		seen[filepath.Ext(path)] = true
	}
	for _, ext := range []string{".hnsw", ".vecs", ".catalog", ".pruned", ".decisions", ".zap", ".space", ".journal"} {
		if !seen[ext] {
			t.Errorf("there is no %s file", ext)
		}
	}
	want, err := os.ReadFile(compatAnswers)
	if err != nil {
		t.Fatal(err)
	}
	_, src := filled(t) // the history that the directory is of
	d := openDir(t, vfstest.NewMem())
	check(t, restore(t, d, take(t, d, mem, 0).Taken), src, string(want))

	w := start(t, mem, src)
	if got := w.answers(); got != string(want) {
		t.Errorf("it answers\n%s\nwant\n%s", got, want)
	}
	if b := w.bought(); len(b) > 0 {
		t.Errorf("it buys %q", b)
	}
	w.n = 1000
	id := w.index("main")
	if b := w.bought(); len(b) != 1 || !strings.Contains(w.commit(id), "data/New/1001") {
		t.Errorf("a new commit buys %q", b)
	}
	w.decide()
	w.set()
	if _, err := w.space().Commit(t.Context(), inMain); err != nil {
		t.Error(err)
	}
	w.stop()
	if _, err := indexer.Verify(t.Context(), mem, func(f indexer.Finding) { t.Errorf("%+v", f) }); err != nil {
		t.Fatal(err)
	}
	if _, err := space.Inspect(mem, "points.space"); err != nil {
		t.Error(err)
	}
}

// makeCompat writes the data directory, unless there is one.
func makeCompat(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(compatDir); err == nil {
		t.Logf("%s is kept as it is", compatDir)
		return
	}
	mem, src := filled(t)
	if err := mem.Remove("keys"); err != nil {
		t.Fatal(err)
	}
	w := start(t, mem, src)
	answers := w.answers()
	w.stop()
	names, err := mem.List()
	if err == nil {
		err = os.MkdirAll(compatDir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var b []byte
		if b, err = mem.ReadFile(name); err == nil {
			err = os.WriteFile(filepath.Join(compatDir, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(compatAnswers, []byte(answers), 0o644); err != nil {
		t.Fatal(err)
	}
}
