package indexer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
)

// taskPrefix begins every task id.
const taskPrefix = "task-"

// Finished tasks are kept this long, and no more than this many (the oldest
// finished go first).
const (
	keepTasks  = time.Hour
	keepNumber = 10_000
)

// maxPending bounds the tasks that are not finished.
const maxPending = 10_000

// taskRegistry knows every task, and keeps their beginnings and ends in a
// database, so that a client's task id means something after a restart.
// Progress is in memory alone.
type taskRegistry struct {
	path string    // of the database
	db   *bbolt.DB // nil: memory only

	mu         sync.Mutex // guards below
	tasks      map[string]*job
	finished   []string            // ids in order of finishing
	running    map[target]*job     // not finished yet
	clustering map[string]struct{} // domains that store clustering
	bound      map[target]struct{} // being bound to another's snapshot
	queues     map[string][]*job
}

// job is a task and what its run needs besides.
type job struct {
	task     Task
	push     bool // it cannot be run again: its operations are gone
	previous string
	settings catalog.SettingsRequest
	key      string // the caller's provider key; never stored

	// cancel ends the run, nil while there is none; base is the commit whose
	// file the run builds on. Guarded by the registry's mu.
	cancel context.CancelCauseFunc
	base   string

	ended chan struct{} // closed when the task is pending no more
}

// target is what at most one running task makes.
type target struct{ domain, commit string }

// pending returns the tasks that were running when the process ended, oldest
// first.
func (r *taskRegistry) pending() []*job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var jobs []*job
	for _, j := range r.tasks {
		if j.task.State == TaskPending && r.running[j.target()] == nil {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int { return a.task.Created.Compare(b.task.Created) })
	return jobs
}

// randomID returns 32 hex digits.
func randomID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func (j *job) target() target { return target{j.task.Domain, j.task.Commit} }

// add makes the job's task unless one is running for the same target already,
// which it then returns; it reports whether the job is new. A task that is
// finished from the start is recorded as such.
func (r *taskRegistry) add(j *job) (*job, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &j.task
	if have := r.running[j.target()]; have != nil && t.State == TaskPending {
		return have, false, nil
	}
	if _, bound := r.bound[j.target()]; bound && j.push {
		return nil, false, nil
	}
	if t.State == TaskPending && len(r.running) >= maxPending {
		return nil, false, fmt.Errorf("%w: %d tasks are waiting or running; ask again when some are done", contract.ErrBusy, len(r.running))
	}
	t.ID = taskPrefix + randomID()
	t.Created = now()
	if t.State != TaskPending {
		t.Finished = t.Created
	}
	if err := r.store(j); err != nil {
		return nil, false, err
	}
	r.tasks[t.ID] = j
	if t.State == TaskPending {
		j.ended = make(chan struct{})
		r.running[j.target()] = j
	} else {
		r.finished = append(r.finished, t.ID)
	}
	r.prune()
	return j, true, nil
}

// discard takes back a job just added, unless it has been cancelled.
func (r *taskRegistry) discard(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.task.State != TaskPending {
		return
	}
	delete(r.running, j.target())
	delete(r.tasks, j.task.ID)
	close(j.ended)
	r.remove([]string{j.task.ID})
}

// begin notes how to cancel the job's run. It reports false if the job has
// ended already.
func (r *taskRegistry) begin(j *job, cancel context.CancelCauseFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	j.cancel = cancel
	return j.task.State == TaskPending
}

// callerKey returns the provider key that the job's caller brought.
func (r *taskRegistry) callerKey(j *job) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return j.key
}

// skipped returns the number of documents that the job has skipped.
func (r *taskRegistry) skipped(j *job) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(j.task.Skipped)
}

// lastSkipped returns what the last task that completed the target has skipped;
// nil where none is known.
func (r *taskRegistry) lastSkipped(at target) []Skipped {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range slices.Backward(r.finished) {
		if j := r.tasks[id]; j.target() == at && j.task.State == TaskComplete {
			return slices.Clone(j.task.Skipped)
		}
	}
	return nil
}

// setBase notes the commit whose file the job builds on.
func (r *taskRegistry) setBase(j *job, commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j.base = commit
}

// cancel ends the jobs of a domain that match, at once: their targets are free
// when it returns. Their runs find out at their next step, and write nothing
// any more.
func (r *taskRegistry) cancel(domain string, match func(*job) bool, reason error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for at, j := range r.running {
		if at.domain != domain || !match(j) {
			continue
		}
		if j.cancel != nil {
			j.cancel(reason)
		}
		errs = append(errs, r.finish(j, reason))
	}
	return errors.Join(errs...)
}

// bind reserves a target that is being made another name of a snapshot, so
// that nothing else makes it meanwhile. It reports false while it is taken.
func (r *taskRegistry) bind(domain, commit string) (release func(), ok bool) {
	at := target{domain, commit}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.bound[at]; taken || r.running[at] != nil {
		return nil, false
	}
	r.bound[at] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.bound, at)
	}, true
}

// enqueue puts the job at the end of its domain's queue, and reports whether
// the queue was idle, so that the caller must serve it.
func (r *taskRegistry) enqueue(j *job) (idle bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[j.target()] = j
	q := r.queues[j.task.Domain]
	r.queues[j.task.Domain] = append(q, j)
	return len(q) == 0
}

// next returns the job at the head of the domain's queue after taking done
// (nil at first) off it; nil when the queue is empty.
func (r *taskRegistry) next(domain string, done *job) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[domain]
	if done != nil {
		q = q[1:]
	}
	if len(q) == 0 {
		delete(r.queues, domain)
		return nil
	}
	r.queues[domain] = q
	return q[0]
}

// snapshot returns a copy of the task.
func (r *taskRegistry) snapshot(j *job) Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := j.task
	t.Skipped = slices.Clone(t.Skipped)
	return t
}

func (r *taskRegistry) find(id string) (Task, error) {
	r.mu.Lock()
	r.prune()
	j := r.tasks[id]
	r.mu.Unlock()
	if j == nil {
		return Task{}, fmt.Errorf("%w: task %.80q is not known (finished tasks are kept for an hour)", contract.ErrNotFound, id)
	}
	return r.snapshot(j), nil
}

// wait waits for the end of a task, or of ctx or stop.
func (r *taskRegistry) wait(ctx context.Context, id string, stop <-chan struct{}) (Task, error) {
	r.mu.Lock()
	j := r.tasks[id]
	r.mu.Unlock()
	if j == nil {
		return Task{}, fmt.Errorf("%w: task %.80q is not known", contract.ErrNotFound, id)
	}
	if t := r.snapshot(j); t.State != TaskPending {
		return t, nil
	}
	select {
	case <-j.ended:
		return r.snapshot(j), nil
	case <-ctx.Done():
		return Task{}, context.Cause(ctx)
	case <-stop:
		return Task{}, contract.ErrClosed
	}
}

// update changes a running task's counters.
func (r *taskRegistry) update(j *job, f func(*Task)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.task.State != TaskPending {
		return // cancelled, and the run has not found out yet
	}
	before := j.task.Percentage
	f(&j.task)
	j.task.Percentage = min(max(j.task.Percentage, before), 100)
}

// end records the task's final state; an error once recorded is final.
func (r *taskRegistry) end(j *job, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.finish(j, err)
}

// finish is end, called with r.mu held.
func (r *taskRegistry) finish(j *job, err error) error {
	if j.task.State != TaskPending {
		return nil
	}
	j.task.State, j.task.Percentage = TaskComplete, 100
	if err != nil {
		j.task.State, j.task.Error, j.task.ErrorCode = TaskFailed, err.Error(), contract.Code(err)
	}
	j.task.Finished = now()
	j.key = ""
	close(j.ended)
	delete(r.running, j.target())
	r.finished = append(r.finished, j.task.ID)
	r.prune()
	return r.store(j)
}

// prune forgets old finished tasks. Called with r.mu held.
func (r *taskRegistry) prune() {
	limit := now().Add(-keepTasks)
	n := 0
	for n < len(r.finished) && (len(r.finished)-n > keepNumber || r.tasks[r.finished[n]].task.Finished.Before(limit)) {
		n++
	}
	if n == 0 {
		return
	}
	old := r.finished[:n]
	r.finished = slices.Clone(r.finished[n:])
	for _, id := range old {
		delete(r.tasks, id)
	}
	r.remove(old)
}

// count returns the number of known tasks.
func (r *taskRegistry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tasks)
}

// active returns the number of tasks that have not ended, and of those at work.
func (r *taskRegistry) active() (unfinished, working int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.running {
		if j.cancel != nil {
			working++
		}
	}
	return len(r.running), working
}
