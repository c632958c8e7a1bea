package indexer_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// heldMerge is a file system that holds the merge of a commit when it begins to
// write its file: the second of the commit.
type heldMerge struct {
	vfs.FS
	prefix        string
	written       atomic.Int32
	begun, goesOn chan struct{}
}

func (f *heldMerge) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if mode == vfs.Create && strings.HasPrefix(name, f.prefix) && f.written.Add(1) == 2 {
		close(f.begun)
		<-f.goesOn
	}
	return f.FS.Open(name, mode)
}

// TestCommitsDuringMerge: what is written while a commit is merged stands on it,
// or nobody would stand on what the merge makes.
func TestCommitsDuringMerge(t *testing.T) {
	files := &heldMerge{FS: vfstest.NewMem(), prefix: snapshot.FileName(domain, "c3") + ".", begun: make(chan struct{}), goesOn: make(chan struct{})}
	h := openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) {
		c.Graph = indexer.Graph{MinVectors: 1 << 30, MaxDeltas: 3, Ef: 200}
	})
	var ops []contract.Op
	for i := range 40 {
		ops = append(ops, put(fmt.Sprintf("d/A/%02d", i), fmt.Sprint("text ", i)))
	}
	h.mustPush("", "", "c0", ops...)
	for i := range 3 {
		h.mustPush("", "", fmt.Sprint("c", i+1), put(fmt.Sprint("d/B/", i), fmt.Sprint("new ", i)))
	}
	<-files.begun
	h.mustPush("", "", "c4", put("d/B/4", "new 4"))
	close(files.goesOn)
	h.close() // waits for the merge, or ends it: what stands on what is decided
	info, err := snapshot.ReadInfo(files, snapshot.FileName(domain, "c4"))
	if err != nil || info.On != "c3" {
		t.Errorf("c4 stands on %q, want c3 (%v)", info.On, err)
	}
}
