package indexer_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// readOnly is a file system of which nothing can be changed.
type readOnly struct {
	vfs.FS
	changes int // tried
}

func (r *readOnly) refuse() error {
	r.changes++
	return syscall.EROFS
}

func (r *readOnly) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if mode != vfs.Read {
		return nil, r.refuse()
	}
	return r.FS.Open(name, mode)
}

func (r *readOnly) Rename(string, string) error { return r.refuse() }
func (r *readOnly) Remove(string) error         { return r.refuse() }
func (r *readOnly) SyncDir() error              { return r.refuse() }

// TestReadOnlyText: words are found without a file of the full text, though none
// can be written, and a Reader that is to write nothing does not try.
func TestReadOnlyText(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "red apple", "d/A/2", "green pear")})
	mem := vfstest.NewMem()
	emb := &indexertest.Embedder{}
	h := open(t, mem, src, emb)
	h.mustIndex("c1", "")
	h.close()

	name := textindex.FileName(domain, "c1")
	for _, c := range []struct {
		name             string
		readOnly, damage bool
	}{
		{"missing", true, false},
		{"damaged", true, true},
		{"missing, of a reader that writes", false, false},
		{"damaged, of a reader that writes", false, true},
	} {
		if err := mem.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if c.damage {
			mem.WriteFile(name, []byte("damaged"))
		}
		files := &readOnly{FS: mem}
		known, err := catalog.Open(catalog.Config{FS: files, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		r := search.New(search.ReaderConfig{FS: files, Catalog: known, Embedder: emb, ReadOnly: c.readOnly})
		hits, err := r.Search(t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: "c1"}, Text: "pear", Mode: search.ModeText, Options: search.Options{Page: search.Page{Count: 5}},
		})
		if err != nil || len(hits.Hits) != 1 || hits.Hits[0].ID != "d/A/2" {
			t.Errorf("%s: %+v, %v", c.name, hits, err)
		}
		if c.readOnly && files.changes != 0 {
			t.Errorf("%s: %d changes tried", c.name, files.changes)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: close: %v", c.name, err)
		}
	}
}
