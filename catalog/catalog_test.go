package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// contents is one document of that text.
func contents(text string) snapshot.Contents {
	return snapshot.Contents{Changed: iter.Seq2[snapshot.EntryText, error](func(yield func(snapshot.EntryText, error) bool) {
		yield(snapshot.EntryText{Entry: snapshot.Entry{ID: "d", Type: "T"}, Text: text}, nil)
	})}
}

// write writes a commit file.
func write(fsys vfs.FS, domain, commit, base string, seq uint64, text string) (snapshot.Info, error) {
	h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: commit, Base: base, Branch: "main", Seq: seq, Created: 1}
	return snapshot.Write(fsys, h, contents(text))
}

// put writes a commit and puts it.
func put(fsys vfs.FS, d *catalog.Domain, commit, base string) error {
	return d.Update(func(tx *catalog.Tx) error {
		info, err := write(fsys, d.Name(), commit, base, d.NextSeq(), "text of "+commit)
		if err != nil {
			return err
		}
		return tx.Put(info)
	})
}

// replace puts another file in the place of a commit's.
func replace(fsys vfs.FS, d *catalog.Domain, commit, text string) error {
	return d.Update(func(tx *catalog.Tx) error {
		old, ok := tx.State().Commit(commit)
		if !ok {
			return fmt.Errorf("commit %s is not there", commit)
		}
		if err := tx.BeginReplace(commit); err != nil {
			return err
		}
		info, err := write(fsys, d.Name(), commit, old.Base, old.Seq, text)
		if err != nil {
			return err
		}
		return tx.Replace(info)
	})
}

// remove removes commits and their files, in that order.
func remove(fsys vfs.FS, d *catalog.Domain, commits ...string) error {
	return d.Update(func(tx *catalog.Tx) error {
		if err := tx.Remove(commits...); err != nil {
			return err
		}
		for _, c := range commits {
			if err := fsys.Remove(snapshot.FileName(d.Name(), c)); err != nil {
				return errors.Join(err, back(fsys, tx, d.Name(), c))
			}
		}
		return fsys.SyncDir()
	})
}

// back puts a commit whose file could not be removed.
func back(fsys vfs.FS, tx *catalog.Tx, domain, commit string) error {
	infos, _, err := snapshot.List(fsys)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Domain == domain && !tx.State().Has(info.Commit) {
			err = errors.Join(err, tx.Put(info))
		}
	}
	return err
}

// known returns what a catalog says is there, by file name.
func known(c *catalog.Catalog) []snapshot.Info {
	var infos []snapshot.Info
	for _, d := range c.Domains() {
		infos = slices.AppendSeq(infos, d.State().Oldest())
	}
	slices.SortFunc(infos, func(a, b snapshot.Info) int { return strings.Compare(a.Name(), b.Name()) })
	return infos
}

// agree reports how a catalog differs from the commit files, nil if it does not.
func agree(c *catalog.Catalog, fsys vfs.FS) error {
	truth, _, err := snapshot.List(fsys)
	if err != nil {
		return err
	}
	if got := known(c); !slices.EqualFunc(got, truth, func(a, b snapshot.Info) bool { return reflect.DeepEqual(a, b) }) {
		return fmt.Errorf("the catalog says\n%v, the files\n%v", got, truth)
	}
	return nil
}

func open(t *testing.T, fsys vfs.FS) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(catalog.Config{FS: fsys})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// must returns a function that fails the test at an error.
func must(t *testing.T) func(error) {
	return func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// headersRead opens a catalog and returns how many commit files were opened.
func headersRead(t *testing.T, fsys vfs.FS, readOnly bool) (*catalog.Catalog, int) {
	t.Helper()
	counted := &counting{FS: fsys}
	c, err := catalog.Open(catalog.Config{FS: counted, ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	must(t)(agree(c, fsys))
	return c, counted.commits
}

// counting counts the commit files that are opened.
type counting struct {
	vfs.FS
	mu      sync.Mutex
	commits int
}

func (c *counting) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if strings.HasSuffix(name, "."+snapshot.Ext) {
		c.mu.Lock()
		c.commits++
		c.mu.Unlock()
	}
	return c.FS.Open(name, mode)
}

func TestOpenReadsOneFilePerDomain(t *testing.T) {
	check := must(t)
	mem := vfstest.NewMem()
	c := open(t, mem)
	for _, name := range []string{"a/b", "Upper/case", "x/" + strings.Repeat("long", 80)} {
		d := c.Create(name)
		for n := range 20 {
			check(put(mem, d, fmt.Sprint("c", n), ""))
		}
		check(replace(mem, d, "c3", "another text"))
		check(remove(mem, d, "c5", "c6"))
	}
	check(agree(c, mem))
	if _, n := headersRead(t, mem, true); n != 0 {
		t.Errorf("%d headers were read for reading", n)
	}
	if _, n := headersRead(t, mem, false); n != 0 {
		t.Errorf("%d headers were read", n)
	}

	// A commit file that came without a word, one that went, and an upgrade.
	_, err := write(mem, "a/b", "alone", "", 99, "t")
	check(err)
	check(mem.Remove(snapshot.FileName("a/b", "c0")))
	if _, n := headersRead(t, mem, true); n != 1 {
		t.Errorf("%d headers were read, one is new", n)
	}
	if _, n := headersRead(t, mem, false); n != 1 {
		t.Errorf("%d headers were read, one is new", n)
	}
	if _, n := headersRead(t, mem, false); n != 0 {
		t.Errorf("%d headers were read after all were noted", n)
	}
	check(mem.Remove(catalog.FileName("a/b")))
	if _, n := headersRead(t, mem, false); n != 18 {
		t.Errorf("%d headers were read without a catalog file, there are 18", n)
	}
	if _, n := headersRead(t, mem, false); n != 0 {
		t.Errorf("%d headers were read after the file was rebuilt", n)
	}
}

// TestDamage flips every byte of a catalog file, and cuts it anywhere.
func TestDamage(t *testing.T) {
	mem := vfstest.NewMem()
	check := must(t)
	d := open(t, mem).Create("a/b")
	for n := range 4 {
		check(put(mem, d, fmt.Sprint("c", n), ""))
	}
	check(replace(mem, d, "c1", "another text"))
	check(remove(mem, d, "c2"))
	name := catalog.FileName("a/b")
	whole, err := mem.ReadFile(name)
	check(err)
	_, ends, err := catalog.Parse(whole)
	check(err)
	for i := range whole {
		for _, readOnly := range []bool{true, false} {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << (i % 8)
			mem.WriteFile(name, bad)
			if _, n := headersRead(t, mem, readOnly); n != 3 {
				t.Fatalf("byte %d: %d headers were read of 3", i, n)
			}
			if slices.Contains(ends, i) {
				continue // no crash does this to what was synced
			}
			mem.WriteFile(name, whole[:i])
			if _, n := headersRead(t, mem, readOnly); n != 3 {
				t.Fatalf("cut at byte %d: %d headers were read of 3", i, n)
			}
		}
		if _, n := headersRead(t, mem, false); n != 0 {
			t.Fatalf("byte %d: not repaired", i)
		}
	}
}

func TestCompaction(t *testing.T) {
	mem := vfstest.NewMem()
	check := must(t)
	c := open(t, mem)
	d := c.Create("a/b")
	check(put(mem, d, "c0", ""))
	most := 0
	for n := range 200 {
		check(replace(mem, d, "c0", fmt.Sprint(n)))
		most = max(most, d.Records())
	}
	if most < 64 || most > 70 {
		t.Errorf("the file came to %d records for one commit", most)
	}
	if _, n := headersRead(t, mem, false); n != 0 {
		t.Errorf("%d headers were read", n)
	}
	names, err := mem.List()
	check(err)
	if len(names) != 2 {
		t.Errorf("left are %v", names)
	}
}

func TestForget(t *testing.T) {
	mem := vfstest.NewMem()
	check := must(t)
	c := open(t, mem)
	d := c.Create("a/b")
	check(put(mem, d, "c0", ""))
	if c.Forget(d) {
		t.Fatal("a domain with a commit was forgotten")
	}
	check(remove(mem, d, "c0"))
	if _, err := c.Domain("a/b"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("Domain: %v", err)
	}
	last := d.NextSeq()
	if !c.Forget(d) || c.Forget(d) {
		t.Error("Forget")
	}
	if err := put(mem, d, "c1", ""); !errors.Is(err, catalog.ErrForgotten) {
		t.Errorf("Update: %v", err)
	}
	if names, _ := mem.List(); len(names) != 0 {
		t.Errorf("left are %v", names)
	}
	again := c.Create("a/b")
	if seq := again.NextSeq(); seq <= last {
		t.Errorf("number %d came again", seq)
	}
	if c.Create("a/b") != again || again.State().Settings() != "" {
		t.Error("Create")
	}
	check(put(mem, again, "c0", ""))
	check(agree(c, mem))
	headersRead(t, mem, false)
}

func TestMisuse(t *testing.T) {
	mem := vfstest.NewMem()
	check := must(t)
	c := open(t, mem)
	d := c.Create("a/b")
	check(put(mem, d, "c0", ""))
	c0, _ := d.State().Commit("c0")
	boom := errors.New("boom")
	err := d.Update(func(tx *catalog.Tx) error {
		for _, err := range []error{tx.Put(c0), tx.Replace(c0), tx.BeginReplace("none"), tx.Put(info("other/one", "c", "", "", 9))} {
			if err == nil {
				t.Error("no error")
			}
		}
		check(tx.Remove("none"))
		i, err := write(mem, "a/b", "c1", "", d.NextSeq(), "t")
		check(err)
		check(tx.Put(i))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Update: %v", err)
	}
	check(agree(c, mem)) // what has happened stays
	reader, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
	check(err)
	if err := put(mem, reader.Create("a/b"), "c2", ""); !errors.Is(err, catalog.ErrReadOnly) {
		t.Errorf("Update: %v", err)
	}
}

func TestCheck(t *testing.T) {
	mem := vfstest.NewMem()
	check := must(t)
	d := open(t, mem).Create("a/b")
	check(put(mem, d, "c0", ""))
	check(put(mem, d, "c1", ""))
	check(mem.Remove(catalog.FileName("a/b")))
	var logged bytes.Buffer
	c, err := catalog.Open(catalog.Config{FS: mem, Logger: slog.New(slog.NewTextHandler(&logged, nil)), Check: func(info snapshot.Info) error {
		if info.Commit == "c1" {
			return errors.New("not to our liking")
		}
		return nil
	}})
	check(err)
	if got := known(c); len(got) != 1 || got[0].Commit != "c0" || !strings.Contains(logged.String(), "not to our liking") {
		t.Errorf("%v, logged %s", got, &logged)
	}
}
