package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// promises is what a history has been promised to last.
type promises struct {
	mu     sync.Mutex
	states map[string]tasks.State // by id: Pending may have become anything since
}

func (p *promises) copy() *promises {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &promises{states: maps.Clone(p.states)}
}

func (p *promises) promise(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// check opens what is left and holds it against the promises.
func (p *promises) check(t *testing.T, what string, files vfs.FS) {
	t.Helper()
	r := open(t, files)
	for id, want := range p.states {
		got, err := r.Find(id)
		if err != nil || want != tasks.Pending && got.State != want {
			t.Errorf("%s: task %s, which is %s, is %q, %v", what, id, want, got.State, err)
		}
	}
	must(t, r.Close())
}

// large ends tasks whose records take more than the journal keeps of what is out
// of date.
func large(r *tasks.Registry) error {
	for i := range 4 {
		j, _, err := r.Start(push(fmt.Sprint("large", i)))
		if err != nil {
			return err
		}
		j.Report(func(t *tasks.Task) {
			for range 16 {
				t.Skip(tasks.Skipped{ID: "d/A/1", Message: strings.Repeat("why", 2000)})
			}
		})
		j.End(nil)
	}
	return nil
}

// live begins, ends and cancels tasks, lets an hour pass, and closes the
// registry. It goes on after errors, and returns them.
func (p *promises) live(files vfs.FS, log *slog.Logger) (errs []error) {
	r, err := tasks.Open(files, file, log)
	if err != nil {
		return []error{err}
	}
	note := func(err error) bool {
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	}
	begin := func(commit string) *tasks.Job {
		j, fresh, err := r.Start(pull(commit))
		if note(err) && fresh {
			p.promise(func() { p.states[j.ID()] = tasks.Pending })
		}
		return j
	}
	begin("c1")
	c2 := begin("c2")
	note(large(r))
	synctest.Wait()
	if c2 != nil {
		p.promise(func() { delete(p.states, c2.ID()) })
		if note(r.Cancel(domain, func(t tasks.Task, _ string) bool { return t.Commit == "c2" }, errRun)) {
			p.promise(func() { p.states[c2.ID()] = tasks.Failed })
		}
	}
	c3 := begin("c3")
	// Finished tasks are forgotten, and the file is rewritten.
	p.promise(func() {
		maps.DeleteFunc(p.states, func(_ string, s tasks.State) bool { return s != tasks.Pending })
	})
	time.Sleep(2 * time.Hour)
	begin("c4")
	if c3 != nil {
		p.promise(func() { delete(p.states, c3.ID()) }) // it is forgotten one day
		c3.End(nil)
	}
	synctest.Wait()
	begin("c5")
	note(r.Close())
	return errs
}

func newPromises() *promises {
	return &promises{states: make(map[string]tasks.State)}
}

// TestPowerCut cuts the power before every operation and after the last, while
// tasks begin and end. What comes of it is opened, and its opening cut, too.
func TestPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type crash struct {
			what  string
			files *vfstest.Mem
			then  *promises
		}
		mem := vfstest.NewMem()
		p := newPromises()
		var crashes []crash
		renames := 0
		cut := func(n int, op vfstest.Op) {
			if op == vfstest.OpRename {
				renames++
			}
			for seed, share := range []float64{0, 1, 0.5, 0.5, 0.8} {
				c := crash{fmt.Sprintf("before %d %s, %.0f%%, seed %d", n, op, 100*share, seed), mem.CrashClone(uint64(seed), share), p.copy()}
				c.then.check(t, c.what, c.files.CrashClone(0, 1))
				if seed < 3 {
					crashes = append(crashes, c)
				}
			}
		}
		fault := vfstest.NewFault(mem)
		fault.OnOp(cut)
		for _, err := range p.live(fault, quiet()) {
			t.Error(err)
		}
		cut(fault.Ops(), "end")
		if renames != 2 {
			t.Errorf("the journal was renamed %d times, want once when it was made and once when most was out of date", renames)
		}
		for _, c := range crashes {
			for _, err := range c.then.live(c.files, quiet()) {
				t.Errorf("%s: %v", c.what, err)
			}
			c.then.check(t, c.what+", again", c.files.CrashClone(0, 0))
		}
		t.Logf("%d crashes at %d operations", len(crashes), fault.Ops())
	})
}

// counter is a log that counts what it is told.
type counter struct {
	slog.Handler
	mu sync.Mutex
	n  int
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }

func (c *counter) Handle(context.Context, slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return nil
}

// TestFaults fails each operation, once and for ever: it is returned or logged,
// and what was promised all the same lasts. After one fault the registry goes on.
func TestFaults(t *testing.T) {
	told := []vfstest.Op{vfstest.OpOpen, vfstest.OpRename, vfstest.OpSyncDir, vfstest.OpReadAt, vfstest.OpWriteAt, vfstest.OpSync, vfstest.OpSize}
	hits := 0
	for at := 0; ; at++ {
		ended := true
		for _, plan := range []vfstest.Plan{
			{At: at, Err: syscall.EIO, Only: told},
			{At: at, Err: syscall.ENOSPC, Only: told, Short: true},
			{At: at, Err: syscall.EIO},
			{At: at, Err: syscall.EIO, Forever: true},
		} {
			synctest.Test(t, func(t *testing.T) {
				mem := vfstest.NewMem()
				p := newPromises()
				for _, err := range p.live(mem, quiet()) {
					t.Error(err)
				}
				fault := vfstest.NewFault(mem)
				fault.Set(plan)
				log := &counter{Handler: slog.DiscardHandler}
				errs := p.live(fault, slog.New(log))
				what := fmt.Sprintf("operation %d: %+v", at, plan)
				if fault.Hits() > 0 {
					ended = false
					hits++
				}
				if plan.Only != nil && fault.Hits() > 0 && len(errs) == 0 && log.n == 0 {
					t.Errorf("%s: nobody was told", what)
				}
				for _, err := range errs {
					if !errors.Is(err, plan.Err) {
						t.Errorf("%s: %v", what, err)
					}
				}
				if !plan.Forever && len(errs) > 1 {
					t.Errorf("%s: one fault has spread: %v", what, errs)
				}
				p.check(t, what, mem.CrashClone(0, 0))
				p.check(t, what, mem)
			})
		}
		if ended {
			break
		}
	}
	if hits < 40 {
		t.Errorf("%d faults", hits)
	}
}
