package tasks_test

import (
	"os"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestCompat opens a journal that the first program wrote which had one.
func TestCompat(t *testing.T) {
	data, err := os.ReadFile("testdata/compat/v1.journal")
	must(t, err)
	// In a bubble the clock stands before its tasks ended.
	synctest.Test(t, func(t *testing.T) {
		files := vfstest.NewMem()
		files.WriteFile(file, data)
		r := open(t, files)
		if _, err := files.ReadFile(file + ".damaged"); err == nil {
			t.Error("it was put aside as damaged")
		}
		all := r.All()
		byCommit := make(map[string]tasks.Task)
		for _, task := range all {
			byCommit[task.Commit] = task
		}
		if len(all) != 3 {
			t.Errorf("%d tasks", len(all))
		}
		if got := byCommit["c1"]; got.State != tasks.Complete || got.Documents != 3 || got.Base != "c0" || !got.HeadMoved || got.SkippedTotal != 1 || got.Skipped[0].Message != "refused" {
			t.Errorf("%+v", got)
		}
		if got := byCommit["c2"]; got.State != tasks.Failed || got.Error != errRun.Error() || got.ErrorCode != "internal" {
			t.Errorf("%+v", got)
		}
		if got := r.Pending(); len(got) != 1 || got[0].Task().Commit != "c3" || string(got[0].Resume()) != `{"of":"c3"}` {
			t.Errorf("pending: %v", got)
		}
		must(t, r.Close())
	})
}
