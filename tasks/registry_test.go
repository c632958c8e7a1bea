package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestOneTaskForACommit: an equal task is returned while it runs, and not after.
func TestOneTaskForACommit(t *testing.T) {
	r := open(t, vfstest.NewMem())
	defer r.Close()
	j := start(t, r, pull("c1"))
	if !regexp.MustCompile(`^task-[0-9a-f]{32}$`).MatchString(j.ID()) {
		t.Errorf("id %q", j.ID())
	}
	for _, s := range []tasks.Spec{pull("c1"), push("c1")} {
		again, fresh, err := r.Start(s)
		if err != nil || fresh || again != j {
			t.Errorf("an equal task: %v, %t, %v", again, fresh, err)
		}
	}
	other := push("c1")
	other.Domain = "admin/other"
	start(t, r, other)
	j.End(nil)
	if next := start(t, r, pull("c1")); next.ID() == j.ID() {
		t.Error("a task that ended is returned for a new one")
	}
}

// TestStartRefuses: a bound commit, names that are too long, too many tasks, and
// a registry that is closed.
func TestStartRefuses(t *testing.T) {
	r := open(t, vfstest.NewMem())
	release, ok := r.Bind(domain, "c1")
	if !ok {
		t.Fatal("a free commit cannot be bound")
	}
	if _, ok := r.Bind(domain, "c1"); ok {
		t.Error("a bound commit is bound again")
	}
	want := func(what string, s tasks.Spec, sentinel error) {
		t.Helper()
		if j, fresh, err := r.Start(s); !errors.Is(err, sentinel) || j != nil || fresh {
			t.Errorf("%s: %v, %t, %v", what, j, fresh, err)
		}
	}
	want("a bound commit", push("c1"), tasks.ErrBound)
	want("a long name", pull(strings.Repeat("c", 5000)), contract.ErrInvalid)
	release()
	start(t, r, push("c1"))
	if _, ok := r.Bind(domain, "c1"); ok {
		t.Error("a commit that is being made can be bound")
	}
	for i := range 9_999 {
		start(t, r, push(fmt.Sprint("n", i)))
	}
	want("one too many", push("c2"), contract.ErrBusy)
	if known, unfinished, working := r.Count(); known != 10_000 || unfinished != 10_000 || working != 0 {
		t.Errorf("%d known, %d unfinished, %d working", known, unfinished, working)
	}
	must(t, r.Close())
	want("closed", push("c3"), contract.ErrClosed)
}

// TestReports: counters change while a task runs, the share of the work never
// falls, and the first end holds.
func TestReports(t *testing.T) {
	r, err := tasks.Open(nil, "", quiet())
	must(t, err)
	j := start(t, r, push("c1"))
	j.Report(func(t *tasks.Task) { t.Percentage, t.Tokens = 40, 7 })
	j.Report(func(t *tasks.Task) { t.Percentage = 30 })
	if got := j.Task(); got.Percentage != 40 || got.Tokens != 7 || got.State != tasks.Pending {
		t.Errorf("%+v", got)
	}
	j.Report(func(t *tasks.Task) { t.Percentage = 130 })
	if got := j.Task().Percentage; got != 100 {
		t.Errorf("%v %%", got)
	}
	j.End(fmt.Errorf("%w: %s", contract.ErrSource, strings.Repeat("é", 5000)))
	j.End(nil)
	j.Report(func(t *tasks.Task) { t.Tokens = 9 })
	got := find(t, r, j.ID())
	if got.State != tasks.Failed || got.ErrorCode != "source_failed" || len(got.Error) > 4<<10 || got.Tokens != 7 || got.Finished.IsZero() {
		t.Errorf("%+v", got)
	}
	<-j.Ended()
	must(t, r.Close())
}

// TestSkippedIsBounded: what is skipped is counted, the first are kept.
func TestSkippedIsBounded(t *testing.T) {
	files := vfstest.NewMem()
	r := open(t, files)
	j, long := start(t, r, push("c1")), start(t, r, push("c2"))
	for i := range 150_000 {
		j.Report(func(t *tasks.Task) { t.Skip(tasks.Skipped{ID: fmt.Sprint(i), Message: "refused"}) })
	}
	for i := range 2000 { // one that does not fit, then those that would
		row := tasks.Skipped{ID: fmt.Sprint(i), Message: strings.Repeat("\x01", 700)}
		long.Report(func(t *tasks.Task) { t.Skip(row) })
	}
	if got := j.Task(); len(got.Skipped) != tasks.MaxSkipped || got.SkippedTotal != 150_000 || got.Skipped[999].ID != "999" {
		t.Errorf("%d kept of %d", len(got.Skipped), got.SkippedTotal)
	}
	j.End(nil)
	long.End(nil)
	must(t, r.Close())
	r = open(t, files)
	defer r.Close()
	list, total := r.LastSkipped(domain, "c1")
	if len(list) != tasks.MaxSkipped || total != 150_000 {
		t.Errorf("after a restart %d of %d", len(list), total)
	}
	list, total = r.LastSkipped(domain, "c2")
	if total != 2000 || len(list) < 700 || len(list) > 750 || list[len(list)-1].ID != fmt.Sprint(len(list)-1) {
		t.Errorf("of long rows %d of %d", len(list), total)
	}
	var task tasks.Task
	task.Skip(make([]tasks.Skipped, 1500)...)
	if len(task.Skipped) != tasks.MaxSkipped || task.SkippedTotal != 1500 {
		t.Errorf("at once: %d of %d", len(task.Skipped), task.SkippedTotal)
	}
}

// TestCancel: those that match end with the cause, their runs are told, their
// commits are free.
func TestCancel(t *testing.T) {
	files := vfstest.NewMem()
	r := open(t, files)
	running, waiting, kept := start(t, r, pull("c1")), start(t, r, pull("c2")), start(t, r, pull("c3"))
	ctx, cancel := context.WithCancelCause(t.Context())
	if !running.Begin(cancel) {
		t.Fatal("a pending task does not begin")
	}
	running.SetBase("c0")
	cause := fmt.Errorf("%w: deleted", contract.ErrConflict)
	must(t, r.Cancel("admin/other", all, cause))
	must(t, r.Cancel(domain, func(t tasks.Task, base string) bool { return base == "c0" || t.Commit == "c2" }, cause))
	if context.Cause(ctx) != cause || waiting.Begin(func(error) {}) {
		t.Error("the run does not know")
	}
	start(t, r, pull("c1"))
	running.End(nil)
	for _, j := range []*tasks.Job{running, waiting} {
		if got := j.Task(); got.State != tasks.Failed || got.ErrorCode != "conflict" {
			t.Errorf("%+v", got)
		}
	}
	if _, unfinished, working := r.Count(); unfinished != 2 || working != 0 || kept.Task().State != tasks.Pending {
		t.Errorf("%d unfinished, %d working", unfinished, working)
	}
	must(t, r.Close())
}

// TestDiscard: what is taken back is not known, now or after a restart.
func TestDiscard(t *testing.T) {
	files := vfstest.NewMem()
	r := open(t, files)
	early, late, ended := start(t, r, push("c1")), start(t, r, pull("c2")), start(t, r, push("c3"))
	early.Discard()
	late.Discard()
	ended.End(errRun)
	ended.Discard()
	for range 2 {
		for _, j := range []*tasks.Job{early, late} {
			if task, err := r.Find(j.ID()); !errors.Is(err, contract.ErrNotFound) {
				t.Errorf("%+v, %v", task, err)
			}
		}
		if task := find(t, r, ended.ID()); task.State != tasks.Failed {
			t.Errorf("%+v", task)
		}
		must(t, r.Close())
		r = open(t, files)
	}
	must(t, r.Close())
}

// TestRestart: tasks are what they were, without the progress of those that have
// not ended.
func TestRestart(t *testing.T) {
	files := vfstest.NewMem()
	r := open(t, files)
	done, again, lost := start(t, r, push("c1")), start(t, r, pull("c2")), start(t, r, push("c3"))
	done.Report(func(t *tasks.Task) { t.Documents, t.Base, t.HeadMoved = 3, "c0", true })
	done.End(nil)
	found, err := r.Record(tasks.Task{Domain: domain, Commit: "c1", Documents: 3})
	must(t, err)
	again.Report(func(t *tasks.Task) { t.Percentage, t.Tokens = 50, 100 })
	must(t, r.Close())

	r = open(t, files)
	for _, want := range []tasks.Task{done.Task(), found} {
		if got := find(t, r, want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	pending := r.Pending()
	if len(pending) != 2 || pending[0].ID() != again.ID() || pending[1].ID() != lost.ID() {
		t.Fatalf("pending: %v", pending)
	}
	if string(pending[0].Resume()) != `{"of":"c2"}` || pending[1].Resume() != nil {
		t.Errorf("resume %s and %s", pending[0].Resume(), pending[1].Resume())
	}
	if got := pending[0].Task(); got.Percentage != 0 || got.Tokens != 0 || !got.Created.Equal(again.Task().Created) {
		t.Errorf("%+v", got)
	}
	if same, fresh, err := r.Start(pull("c2")); err != nil || fresh || same != pending[0] {
		t.Errorf("a task that waits to run again: %v, %t, %v", same, fresh, err)
	}
	pending[1].End(errRun)
	if left := r.Pending(); len(left) != 1 {
		t.Errorf("%d pending", len(left))
	}
	must(t, r.Close())
}

// TestAges: finished tasks are kept for an hour, and no more than 10,000; over
// restarts too.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfstest.NewMem()
		r := open(t, files)
		old, pending := start(t, r, push("old")), start(t, r, pull("pending"))
		old.Report(func(t *tasks.Task) { t.Skip(tasks.Skipped{ID: "d/A/1"}) })
		old.End(nil)
		time.Sleep(30 * time.Minute)
		young := start(t, r, push("young"))
		young.End(nil)
		known := func(want ...bool) {
			t.Helper()
			for i, j := range []*tasks.Job{old, young, pending} {
				if _, err := r.Find(j.ID()); (err == nil) != want[i] {
					t.Errorf("%s: %v", j.Task().Commit, err)
				}
			}
		}
		time.Sleep(30 * time.Minute)
		known(true, true, true)
		time.Sleep(time.Second)
		known(false, true, true)
		if _, total := r.LastSkipped(domain, "old"); total != 0 {
			t.Error("what a forgotten task has skipped is known")
		}
		must(t, r.Close())
		time.Sleep(30 * time.Minute)
		r = open(t, files)
		known(false, false, true)
		for i := range 10_001 {
			start(t, r, push(fmt.Sprint("n", i))).End(nil)
		}
		if known, unfinished, _ := r.Count(); known != 10_001 || unfinished != 1 {
			t.Errorf("%d known, %d unfinished", known, unfinished)
		}
		must(t, r.Close())
	})
}

// TestWait returns at the end of the task, or of the context.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := tasks.Open(nil, "", quiet())
		must(t, err)
		j := start(t, r, push("c1"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.Wait(ctx, j.ID()); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := r.Wait(t.Context(), "task-0"); !errors.Is(err, contract.ErrNotFound) {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Minute)
			j.End(nil)
		}()
		if got, err := r.Wait(t.Context(), j.ID()); err != nil || got.State != tasks.Complete {
			t.Errorf("%+v, %v", got, err)
		}
		must(t, r.Close())
	})
}

// TestNothingWaitsForTheDisk: while the journal is being synced, all that is no
// promise goes on; the promise comes when it is done.
func TestNothingWaitsForTheDisk(t *testing.T) {
	fault := vfstest.NewFault(vfstest.NewMem())
	r := open(t, fault)
	start(t, r, pull("c0")) // makes the file
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fault.OnOp(func(_ int, op vfstest.Op) {
		if op == vfstest.OpSync {
			once.Do(func() { close(reached); <-release })
		}
	})
	started := make(chan *tasks.Job)
	go func() {
		j, _, err := r.Start(pull("c1"))
		if err != nil {
			t.Error(err)
		}
		started <- j
	}()
	<-reached
	j := start(t, r, push("c2"))
	j.Report(func(t *tasks.Task) { t.Tokens = 1 })
	j.End(nil)
	_, err := r.Record(tasks.Task{Domain: domain, Commit: "c3"})
	must(t, err)
	find(t, r, j.ID())
	r.LastSkipped(domain, "c2")
	r.Count()
	select {
	case <-started:
		t.Error("a task was promised before it was synced")
	default:
	}
	close(release)
	<-started
	must(t, r.Close())
}

// TestCrowd: many goroutines start, report, end, find and cancel (for the race
// detector); every commit has one task at a time.
func TestCrowd(t *testing.T) {
	r := open(t, vfstest.NewMem())
	var running [5]sync.Mutex
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 60 {
				n := (g + i) % len(running)
				spec := []func(string) tasks.Spec{push, pull}[i%2](fmt.Sprint("c", n))
				j, fresh, err := r.Start(spec)
				if err != nil {
					t.Error(err)
					return
				}
				if fresh {
					if !running[n].TryLock() {
						t.Error("two tasks for one commit")
						return
					}
					j.Begin(func(error) {})
					j.Report(func(t *tasks.Task) { t.Skip(tasks.Skipped{ID: "d/A/1"}) })
					running[n].Unlock()
					j.End(nil)
				}
				if _, err := r.Find(j.ID()); err != nil {
					t.Error(err)
				}
				r.LastSkipped(domain, spec.Commit)
				if i%10 == 0 {
					if err := r.Cancel("admin/other", all, errRun); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	must(t, r.Close())
}
