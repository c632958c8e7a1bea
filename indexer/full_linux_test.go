package indexer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs"
)

// smallDisk returns a directory that is a file system of its own, of that many
// bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a disk that can be filled needs leave to mount a tmpfs (root): %v", err)
	}
	t.Cleanup(func() {
		// The directory's handle is open still.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fillUp takes all of a disk but some bytes, until give gives it back.
func fillUp(t *testing.T, dir string, left int) (give func()) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "ballast")
	if err := os.WriteFile(name, make([]byte, max(int(s.Bavail)*int(s.Bsize)-left, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk fills a real disk, leaving more and more: what is indexed can be
// searched all the while, the task that fails says why, and it is finished once
// there is room, for what was in flight.
func TestFullDisk(t *testing.T) {
	const batch, workers = 8, 2
	dir := smallDisk(t, 4<<20)
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := indexertest.NewSource()
	src.Incremental = true
	commit := func(c string) {
		put := make(map[string]string)
		for i := range 60 {
			put[fmt.Sprintf("d/A/%s-%02d", c, i)] = fmt.Sprintf("%s number %d %x", c, i, strings.Repeat(c+"y"[i%2:], 40))
		}
		src.Commit("main", c, indexertest.Change{Put: put})
	}
	commit("c0")
	emb := &indexertest.Embedder{BatchSize: batch}
	tasks := func(c *indexer.Config) { c.TaskFile = taskFile }
	h := open(t, files, src, emb, tasks)
	h.mustIndex("c0", "")
	failed := 0
	for n, left := range []int{0, 4 << 10, 8 << 10, 12 << 10, 16 << 10, 20 << 10, 24 << 10, 32 << 10, 48 << 10, 256 << 10} {
		last, c := fmt.Sprintf("c%d", n), fmt.Sprintf("c%d", n+1)
		commit(c)
		emb.Reset()
		give := fillUp(t, dir, left)
		task, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: c})
		if err == nil {
			task = h.wait(task.ID)
		}
		full := err != nil || task.State != indexer.TaskComplete
		if full {
			failed++
			code, why := task.ErrorCode, task.Error
			if err != nil {
				code, why = contract.Code(err), err.Error()
			}
			if code != "store_failed" || !strings.Contains(why, "no space left") {
				t.Errorf("%d bytes left: the task failed with %s, %q", left, code, why)
			}
		}
		text := fmt.Sprintf("%s number 7", last)
		if hits := h.search(last, text, 5); len(hits) != 5 {
			t.Errorf("%d bytes left: %d hits at %s", left, len(hits), last)
		}
		give()
		h.mustIndex(c, "") // and one text of a query
		if texts := len(emb.Texts()) - 1; texts > 60+batch*workers || !full && texts != 60 {
			t.Errorf("%d bytes left: %d texts were embedded for 60", left, texts)
		}
		if n%4 == 3 {
			h.close()
			h = open(t, files, src, emb, tasks)
		}
		h.eachWhole(last, c)
	}
	if failed < 3 || failed > 9 {
		t.Errorf("the disk was full %d times of 10", failed)
	}
	h.close()
	found := 0
	if _, err := indexer.Verify(t.Context(), files, func(f indexer.Finding) { found++; t.Error(f) }); err != nil || found > 0 {
		t.Errorf("%d findings, %v", found, err)
	}
}
