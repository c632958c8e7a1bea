package indexer_test

import (
	"fmt"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestMergeAfterRestart checks that a merge that was due when the process ended
// is found by the next one, though nobody commits or searches.
func TestMergeAfterRestart(t *testing.T) {
	mem := vfstest.NewMem()
	var ops []contract.Op
	for i := range 60 {
		ops = append(ops, puts(fmt.Sprintf("d/A/%02d", i), fmt.Sprintf("word%d and word%d", i, i%7))...)
	}
	without := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 1000} }
	with := func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 30} }
	h := openPush(t, mem, &indexertest.Embedder{}, without)
	h.mustPush("", "", "c1", ops...)
	h.close() // as if it had been stopped before the merge began
	h = openPush(t, mem, &indexertest.Embedder{}, with)
	waitGraph(t, mem, snapshot.FileName(domain, "c1"))
	h.close()
}

// TestMergesEnd: with the least number of files that may stand above a checkpoint a
// merge leaves nothing due.
func TestMergesEnd(t *testing.T) {
	files := vfstest.NewMem()
	h := openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 8, MaxDeltas: 1} })
	var ops []contract.Op
	for i := range 40 {
		ops = append(ops, puts(fmt.Sprintf("d/A/%02d", i), fmt.Sprint("word", i))...)
	}
	h.mustPush("", "", "c1", ops...)
	h.WaitMerges()
	for i := 2; i < 5; i++ {
		h.mustPush("", "", fmt.Sprint("c", i), puts("d/A/01", fmt.Sprint("other", i))...)
		h.WaitMerges()
	}
	before, err := snapshot.ReadInfo(files, snapshot.FileName(domain, "c4"))
	if err != nil {
		t.Fatal(err)
	}
	h.close()
	h = openPush(t, files, &indexertest.Embedder{}, func(c *indexer.Config) { c.Graph = indexer.Graph{MinVectors: 8, MaxDeltas: 1} })
	h.WaitMerges()
	if after, err := snapshot.ReadInfo(files, snapshot.FileName(domain, "c4")); err != nil || after.ID != before.ID {
		t.Errorf("a start merges what was merged: %v, %v", after, err)
	}
}
