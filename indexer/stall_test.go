package indexer_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// slowDisk stalls the first read of a file of vectors that comes after it was
// opened for writing: whoever does that reads the whole file.
type slowDisk struct {
	vfs.FS
	stalls           atomic.Bool // from the next opening on
	armed            atomic.Bool
	reached, release chan struct{}
}

func (d *slowDisk) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := d.FS.Open(name, mode)
	if err != nil || !strings.HasSuffix(name, ".vecs") {
		return f, err
	}
	if mode == vfs.ReadWrite && d.stalls.Swap(false) {
		d.armed.Store(true)
	}
	return &slowFile{f, d}, nil
}

type slowFile struct {
	vfs.File
	disk *slowDisk
}

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	if f.disk.armed.Swap(false) {
		close(f.disk.reached)
		<-f.disk.release
	}
	return f.File.ReadAt(p, off)
}

// TestNobodyWaitsForTheReadingOfVectors: while a push reads the file of vectors
// whole, searches at any commit, in memory or not, other pushes' commits, other
// names, deletions and figures of the domain go on. (Under a lock that it held
// they would wait here for ever.)
func TestNobodyWaitsForTheReadingOfVectors(t *testing.T) {
	disk := &slowDisk{FS: vfstest.NewMem(), reached: make(chan struct{}), release: make(chan struct{})}
	h := openPush(t, disk, &indexertest.Embedder{}, func(c *indexer.Config) { c.SnapshotPoolBytes = 1 })
	h.mustPush("main", "", "c1", puts("d/A/1", "one", "d/A/2", "two")...)
	h.mustPush("main", "", "c2", puts("d/A/3", "three")...)
	h.mustPush("side", "c1", "s1", puts("d/A/4", "four")...)
	began := h.mustStart("fork", "c1", "f1")
	if err := began.Apply(remove("d/A/1")); err != nil {
		t.Fatal(err)
	}
	if err := h.Retire(domain); err != nil { // as a failed write does
		t.Fatal(err)
	}
	disk.stalls.Store(true)
	reading := make(chan *indexer.Push)
	go func() {
		p, err := h.start("main", "", "c3")
		if err != nil {
			t.Error(err)
		}
		reading <- p
	}()
	<-disk.reached

	h.wantTexts("c1", "d/A/1", "one", "d/A/2", "two")
	h.wantTexts("c2", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
	began.Finish()
	<-began.Done()
	if err := began.Err(); err != nil {
		t.Errorf("the push that had begun: %v", err)
	}
	h.wantTexts("f1", "d/A/2", "two")
	if err := h.Assign(t.Context(), domain, "other", "f1", "o1"); err != nil {
		t.Error(err)
	}
	h.wantTexts("o1", "d/A/2", "two")
	if err := h.DeleteBranchIndex(t.Context(), domain, "side"); err != nil {
		t.Error(err)
	}
	h.wantGone("s1")
	if st, err := h.Statistics(domain); err != nil || st.IndexedCommits != 4 {
		t.Errorf("statistics %+v, %v", st, err)
	}
	h.wantHead("fork", "f1")

	close(disk.release)
	p := <-reading
	if p == nil {
		t.Fatal("the push that read was refused")
	}
	if err := p.Apply(put("d/A/5", "five")); err != nil {
		t.Error(err)
	}
	p.Finish()
	<-p.Done()
	h.wantTexts("c3", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/5", "five")
}
