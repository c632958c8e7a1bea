package indexer_test

import (
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// interrupted calls a function before one of its operations.
type interrupted struct {
	vfs.FS
	mu     sync.Mutex // guards before; headers are read side by side
	before int
	do     func()
}

func (f *interrupted) step() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before--; f.before == -1 {
		f.do()
	}
}

func (f *interrupted) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f.step()
	return f.FS.Open(name, mode)
}

func (f *interrupted) List() ([]string, error) {
	f.step()
	return f.FS.List()
}

// TestVerifyBesideServer: whatever a server does between any two operations of
// a Verify, nothing passes for damage.
func TestVerifyBesideServer(t *testing.T) {
	for at := 0; ; at++ {
		mem := vfstest.NewMem()
		h := openPush(t, mem, &indexertest.Embedder{})
		h.mustPush("main", "", "c1", put("d/A/1", "red fish"))
		h.mustPush("fan", "c1", "f1", put("d/A/2", "blue bird"))
		h.mustPush("main", "", "c2", put("d/A/3", "green frog"))
		h.searchMode("c2", "frog", search.ModeText, search.Filter{}, 1) // which makes texts
		h.searchMode("f1", "bird", search.ModeText, search.Filter{}, 1)
		files := &interrupted{FS: mem, before: at, do: func() {
			h.mustPush("main", "", "c3", put("d/A/4", "a white horse"), put("d/A/5", "and a black one"))
			if err := h.DeleteBranchIndex(t.Context(), domain, "fan"); err != nil {
				t.Fatal(err)
			}
		}}
		if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) {
			t.Errorf("interrupted before operation %d: %s: %s", at, f.File, f.Reason)
		}); err != nil {
			t.Errorf("interrupted before operation %d: %v", at, err)
		}
		h.close()
		if files.before >= 0 {
			if at < 8 {
				t.Fatalf("a Verify has %d operations only", at)
			}
			return
		}
	}
}
