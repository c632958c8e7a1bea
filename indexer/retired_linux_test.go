package indexer_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestFailedWritesKeepNothingOpen has twenty writes of vectors fail, as on a full
// disk, and checks that the files they left behind are closed.
func TestFailedWritesKeepNothingOpen(t *testing.T) {
	files, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	faulty := vfstest.NewFault(files)
	h := openPush(t, faulty, &indexertest.Embedder{})
	h.mustPush("", "", "c0", puts("d/A/1", "one")...)
	open := func() (n int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range names {
			if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasSuffix(to, ".vecs") {
				n++
			}
		}
		return n
	}
	before := open()
	faulty.Set(vfstest.Plan{Forever: true, Only: []vfstest.Op{vfstest.OpWriteAt}, Err: errors.New("no space left")})
	for i := range 20 {
		h.push("", "", fmt.Sprintf("x%d", i), puts("d/A/9", fmt.Sprintf("text %d", i))...)
	}
	faulty.Set(vfstest.Plan{})
	if after := open(); after > before+2 {
		t.Errorf("%d files of vectors are open after twenty failed writes, %d before", after, before)
	}
	h.mustPush("", "", "c1", puts("d/A/2", "two")...)
	h.search("c1", "two", 2)
}
