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
