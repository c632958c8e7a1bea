package tasks_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestRefusedStart: a task that cannot be recorded is none, at once and after a
// restart; it can be asked for again.
func TestRefusedStart(t *testing.T) {
	for _, op := range []vfstest.Op{vfstest.OpWriteAt, vfstest.OpSync} {
		mem := vfstest.NewMem()
		fault := vfstest.NewFault(mem)
		r := open(t, fault)
		first := start(t, r, pull("c1"))
		fault.Set(vfstest.Plan{Forever: true, Err: syscall.ENOSPC, Only: []vfstest.Op{op}})
		for range 2 {
			j, fresh, err := r.Start(pull("c2"))
			if !errors.Is(err, contract.ErrStore) || !errors.Is(err, syscall.ENOSPC) || j != nil || fresh {
				t.Errorf("%s fails: %v, %t, %v", op, j, fresh, err)
			}
			if known, unfinished, _ := r.Count(); known != 1 || unfinished != 1 {
				t.Errorf("%s fails: %d known, %d unfinished", op, known, unfinished)
			}
			seen, err := mem.ReadFile(file) // as the next process sees it
			must(t, err)
			files := vfstest.NewMem()
			files.WriteFile(file, seen)
			killed := open(t, files)
			if got := killed.Pending(); len(got) != 1 || got[0].ID() != first.ID() {
				t.Errorf("%s fails: %d pending after a restart", op, len(got))
			}
			must(t, killed.Close())
		}
		fault.Set(vfstest.Plan{})
		second := start(t, r, pull("c2"))
		killed := open(t, mem.CrashClone(0, 0))
		find(t, killed, first.ID())
		find(t, killed, second.ID())
		must(t, errors.Join(killed.Close(), r.Close()))
	}
}

// TestCloseSyncs: what was written without a promise lasts once the registry is
// closed.
func TestCloseSyncs(t *testing.T) {
	mem := vfstest.NewMem()
	r := open(t, mem)
	start(t, r, pull("c1"))
	j := start(t, r, push("c2"))
	j.End(nil)
	must(t, r.Close())
	r = open(t, mem.CrashClone(0, 0))
	if got := find(t, r, j.ID()); got.State != tasks.Complete {
		t.Errorf("%+v", got)
	}
	must(t, r.Close())
}

// TestTwoForOneCommit: where the end of a push did not reach the disk, the pull
// that came after it has the commit.
func TestTwoForOneCommit(t *testing.T) {
	body := func(digit, created, rest string) []byte {
		return tasks.Seal(fmt.Appendf(nil, `{"task":{"id":"task-%s","domain":%q,"commit":"c1","branch":"main","state":"pending","created":%q}%s}`,
			strings.Repeat(digit, 32), domain, created, rest))
	}
	files := vfstest.NewMem()
	data := append(tasks.Header(), body("0", "2026-01-01T00:00:00Z", "")...)
	files.WriteFile(file, append(data, body("1", "2026-01-01T00:00:01Z", `,"resume":{}`)...))
	r := open(t, files)
	pending := r.Pending()
	if len(pending) != 2 || pending[0].Resume() != nil || pending[1].Resume() == nil {
		t.Fatalf("%d pending", len(pending))
	}
	if j, fresh, err := r.Start(pull("c1")); err != nil || fresh || j != pending[1] {
		t.Errorf("%v, %t, %v", j, fresh, err)
	}
	pending[0].End(errRun)
	if j, fresh, err := r.Start(pull("c1")); err != nil || fresh || j != pending[1] {
		t.Errorf("after the end of the push: %v, %t, %v", j, fresh, err)
	}
	must(t, r.Close())
}

// TestFinishedTasksAreBounded by what they take.
func TestFinishedTasksAreBounded(t *testing.T) {
	r, err := tasks.Open(nil, "", quiet())
	must(t, err)
	row := tasks.Skipped{ID: "d/A/1", Message: strings.Repeat("m", 500)}
	for i := range 300 {
		j := start(t, r, push(fmt.Sprint("c", i)))
		j.Report(func(t *tasks.Task) {
			for range tasks.MaxSkipped {
				t.Skip(row)
			}
		})
		j.End(nil)
	}
	if known, _, _ := r.Count(); known < 100 || known > 130 {
		t.Errorf("%d tasks of half a megabyte each are kept", known)
	}
	if _, total := r.LastSkipped(domain, "c299"); total != tasks.MaxSkipped {
		t.Error("the last one is not kept")
	}
	must(t, r.Close())
}
