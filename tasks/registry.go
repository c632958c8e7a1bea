package tasks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// Finished tasks are kept this long, no more than this many, and no more of them
// than take this many bytes. The first that finished go first.
const (
	keepTime   = time.Hour
	keepNumber = 10_000
	keepBytes  = 64 << 20
)

const (
	// maxPending bounds the tasks that are not finished.
	maxPending = 10_000
	// maxName bounds the names of a task's domain, commit and branch.
	maxName = 4 << 10
	// maxResume bounds Spec.Resume.
	maxResume = 64 << 10
)

// ErrBound: the commit is being made another name of a snapshot; ask again.
var ErrBound = fmt.Errorf("%w: the commit is being given to another snapshot", contract.ErrBusy)

// Registry holds every task. All methods may be called by any number of
// goroutines.
type Registry struct {
	log *slog.Logger
	w   *writer // nil: memory only

	mu            sync.Mutex // guards below, and all of Job's fields that change
	tasks         map[string]*Job
	running       map[target]*Job // not finished
	bound         map[target]struct{}
	finished      []*Job // in order of finishing
	finishedBytes int
	last          map[target]*Job // the last that completed
	resumed       []*Job          // pending at Open
	closed        bool
	observe       func(Task) // told of tasks that end; nil: nobody is
}

// target is what at most one running task makes.
type target struct{ domain, commit string }

// Job is a task in a registry, for the goroutine that runs it.
type Job struct {
	r      *Registry
	id     string
	at     target
	resume json.RawMessage
	ended  chan struct{} // closed when the task is pending no more

	task     Task
	cancel   context.CancelCauseFunc // ends the run; nil while there is none
	base     string                  // the commit whose file the run builds on
	start    *batch                  // that makes it durable; nil if no call waits for it
	recorded bool                    // the journal may know of it
	stored   int64                   // bytes of its last record
}

// Spec says what a task makes.
type Spec struct {
	Domain, Commit, Branch string
	// Resume is what the caller needs to run the task again after a restart, as
	// JSON. A task without it cannot be run again.
	Resume []byte
}

// Open returns the registry with what the journal of that name holds; the name
// "" stands for none: tasks live in memory alone. A damaged journal is put
// aside, under its name with .damaged, and a new one is written with the tasks
// that could be read. The caller owns the directory.
func Open(files vfs.FS, name string, log *slog.Logger) (*Registry, error) {
	r := &Registry{
		log:     log,
		tasks:   make(map[string]*Job),
		running: make(map[target]*Job),
		bound:   make(map[target]struct{}),
		last:    make(map[target]*Job),
	}
	if name == "" {
		return r, nil
	}
	r.w = newWriter(r, files, name)
	lost, err := r.w.journal.open(r.load)
	if err != nil {
		return nil, fmt.Errorf("open the task journal %s (it may be removed: no commit depends on it): %w", name, err)
	}
	r.settle()
	if lost != nil {
		r.log.Error("the task journal is damaged; tasks are forgotten, commits are not: index again what was running",
			"file", name, "err", lost)
		if err := r.w.flush(newBatch()); err != nil {
			r.log.Error("the task journal was not rewritten", "file", name, "err", err)
		}
	}
	r.w.start()
	return r, nil
}

// load takes in a record of the journal.
func (r *Registry) load(rec record, size int) {
	switch {
	case rec.Clustering != nil: // of before commits said so
	case rec.Forget != "":
		if j := r.tasks[rec.Forget]; j != nil {
			r.w.live -= j.stored
			delete(r.tasks, rec.Forget)
		}
	default:
		j := r.tasks[rec.Task.ID]
		if j == nil {
			j = &Job{r: r, id: rec.Task.ID, ended: make(chan struct{}), recorded: true}
			r.tasks[j.id] = j
		}
		rec.Task.Created, rec.Task.Finished = rec.Task.Created.UTC(), rec.Task.Finished.UTC()
		j.task, j.resume, j.at = *rec.Task, rec.Resume, target{rec.Task.Domain, rec.Task.Commit}
		r.w.live += int64(size) - j.stored
		j.stored = int64(size)
	}
}

// settle puts the tasks that were loaded in order.
func (r *Registry) settle() {
	for _, j := range r.tasks {
		if j.task.State == Pending {
			r.resumed = append(r.resumed, j)
		} else {
			close(j.ended)
			r.finished = append(r.finished, j)
		}
	}
	slices.SortFunc(r.resumed, func(a, b *Job) int {
		return cmp.Or(a.task.Created.Compare(b.task.Created), cmp.Compare(a.id, b.id))
	})
	slices.SortFunc(r.finished, func(a, b *Job) int {
		return cmp.Or(a.task.Finished.Compare(b.task.Finished), cmp.Compare(a.id, b.id))
	})
	for _, j := range r.resumed {
		// There may be two for a target, where the end of one did not reach
		// the disk. That which can run again has the target.
		if have := r.running[j.at]; have == nil || have.resume == nil && j.resume != nil {
			r.running[j.at] = j
		}
	}
	for _, j := range r.finished {
		r.finishedBytes += j.task.size()
		if j.task.State == Complete {
			r.last[j.at] = j
		}
	}
	r.prune()
}

// Close writes what is to be written and closes the journal. Tasks that have not
// ended stay pending. Ends that come later are lost.
func (r *Registry) Close() error {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	r.mu.Unlock()
	if was || r.w == nil {
		return nil
	}
	if err := r.w.stop(); err != nil {
		return fmt.Errorf("close the task journal: %w", err)
	}
	return nil
}

// Observe has f told of every task that ends from now on. It is called with a lock
// held, and must not call the registry.
func (r *Registry) Observe(f func(Task)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observe = f
}

// Start makes a task. Where one is running for the same commit of the domain it
// returns that, and false. The error is ErrBound, or wraps contract.ErrBusy (too
// many tasks), ErrInvalid, ErrClosed or ErrStore; then there is no task.
func (r *Registry) Start(s Spec) (j *Job, fresh bool, err error) {
	if max(len(s.Domain), len(s.Commit), len(s.Branch)) > maxName || len(s.Resume) > maxResume {
		return nil, false, fmt.Errorf("%w: a name or setting of the task is too long", contract.ErrInvalid)
	}
	if s.Resume != nil && !json.Valid(s.Resume) {
		return nil, false, errors.New("tasks: Spec.Resume is not JSON")
	}
	j = &Job{
		r: r, id: newID(), at: target{s.Domain, s.Commit}, resume: s.Resume, ended: make(chan struct{}),
	}
	j.task = Task{ID: j.id, Domain: s.Domain, Commit: s.Commit, Branch: s.Branch, State: Pending, Created: now()}
	j, fresh, err = r.enter(j)
	if err != nil || j.start == nil {
		return j, fresh, err
	}
	<-j.start.done
	if err := j.start.err; err != nil {
		if fresh {
			j.Discard()
		}
		return nil, false, fmt.Errorf("%w: the task cannot be recorded: %w", contract.ErrStore, err)
	}
	return j, fresh, nil
}

// enter makes j known, unless a task is running for its target: then that is
// returned.
func (r *Registry) enter(j *Job) (*Job, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false, contract.ErrClosed
	}
	if have := r.running[j.at]; have != nil {
		return have, false, nil
	}
	if _, bound := r.bound[j.at]; bound {
		return nil, false, ErrBound
	}
	if len(r.running) >= maxPending {
		return nil, false, fmt.Errorf("%w: %d tasks are waiting or running; ask again when some are done", contract.ErrBusy, len(r.running))
	}
	r.tasks[j.id] = j
	r.running[j.at] = j
	if b := r.changed(j); b != nil && j.resume != nil {
		b.sync = true
		j.start = b
	}
	return j, true, nil
}

// Record keeps a task that is complete from the start, and returns it with its
// id and times.
func (r *Registry) Record(t Task) (Task, error) {
	t.ID, t.State, t.Percentage, t.Created = newID(), Complete, 100, now()
	t.Finished = t.Created
	j := &Job{r: r, id: t.ID, at: target{t.Domain, t.Commit}, ended: make(chan struct{}), task: t}
	close(j.ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Task{}, contract.ErrClosed
	}
	r.tasks[t.ID] = j
	r.keep(j)
	return j.snapshot(), nil
}

// Find returns the task of that id.
func (r *Registry) Find(id string) (Task, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune()
	j := r.tasks[id]
	if j == nil {
		return Task{}, Unknown(id)
	}
	return j.snapshot(), nil
}

// Unknown returns the error of Find for a task that there is not.
func Unknown(id string) error {
	return fmt.Errorf("%w: task %.80q is not known (finished tasks are kept for an hour)", contract.ErrNotFound, id)
}

// Wait waits for the end of a task and returns it, or the cause of ctx.
func (r *Registry) Wait(ctx context.Context, id string) (Task, error) {
	r.mu.Lock()
	j := r.tasks[id]
	r.mu.Unlock()
	if j == nil {
		return r.Find(id)
	}
	select {
	case <-j.ended:
		return j.Task(), nil
	case <-ctx.Done():
		return Task{}, context.Cause(ctx)
	}
}

// LastSkipped returns what the last task that completed the commit has skipped,
// and how many in all; nothing where no such task is known.
func (r *Registry) LastSkipped(domain, commit string) (list []Skipped, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune()
	j := r.last[target{domain, commit}]
	if j == nil {
		return nil, 0
	}
	return slices.Clip(j.task.Skipped), j.task.SkippedTotal
}

// Pending returns the tasks that were pending when the journal was opened, the
// oldest first, for the caller to run again or to end.
func (r *Registry) Pending() []*Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.resumed), func(j *Job) bool { return j.task.State != Pending })
}

// Cancel ends the pending tasks of a domain that match, with their commits free
// for others when it returns. Their runs find out by their contexts. match is
// called with the task and the commit whose file it builds on, and must not call
// the registry. An error wraps contract.ErrStore and says that ends may not
// outlive a power cut.
func (r *Registry) Cancel(domain string, match func(t Task, base string) bool, cause error) error {
	var recorded *batch
	r.mu.Lock()
	for _, j := range r.tasks {
		if j.task.State != Pending || j.at.domain != domain || !match(j.snapshot(), j.base) {
			continue
		}
		if j.cancel != nil {
			j.cancel(cause)
		}
		if recorded = j.finish(cause); recorded != nil {
			recorded.sync = true
		}
	}
	r.mu.Unlock()
	if recorded == nil {
		return nil
	}
	<-recorded.done
	if recorded.err != nil {
		return fmt.Errorf("%w: the ends of cancelled tasks cannot be recorded: %w", contract.ErrStore, recorded.err)
	}
	return nil
}

// Uses returns the commits that the pending tasks of a domain make or build on, in
// no order.
func (r *Registry) Uses(domain string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var commits []string
	for at, j := range r.running {
		if at.domain != domain {
			continue
		}
		commits = append(commits, at.commit)
		if j.base != "" {
			commits = append(commits, j.base)
		}
	}
	return commits
}

// Bind reserves a commit that is being made another name of a snapshot, so that
// no task begins to make it before release. It reports false while it is taken.
func (r *Registry) Bind(domain, commit string) (release func(), ok bool) {
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

// List returns the tasks that match, newest first.
func (r *Registry) List(match func(Task) bool) []Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Task
	for _, j := range r.tasks {
		if t := j.snapshot(); match(t) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b Task) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return list
}

// Count returns the number of known tasks, of those that have not ended, and of
// those at work.
func (r *Registry) Count() (known, unfinished, working int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.running {
		if j.cancel != nil {
			working++
		}
	}
	return len(r.tasks), len(r.running), working
}

// keep puts a task that has ended among the finished ones and has its state
// written. Called with r.mu held.
func (r *Registry) keep(j *Job) *batch {
	r.finished = append(r.finished, j)
	r.finishedBytes += j.task.size()
	if j.task.State == Complete {
		r.last[j.at] = j
	}
	if r.observe != nil {
		r.observe(j.snapshot())
	}
	b := r.changed(j)
	r.prune()
	return b
}

// prune forgets old finished tasks. Nothing is written: they are pruned from
// what a restart reads as well. Called with r.mu held.
func (r *Registry) prune() {
	limit := now().Add(-keepTime)
	n := 0
	for n < len(r.finished) {
		j := r.finished[n]
		if len(r.finished)-n <= keepNumber && r.finishedBytes <= keepBytes && !j.task.Finished.Before(limit) {
			break
		}
		r.finishedBytes -= j.task.size()
		if r.last[j.at] == j {
			delete(r.last, j.at)
		}
		r.drop(j)
		r.finished[n] = nil
		n++
	}
	r.finished = r.finished[n:]
}

// drop makes the task unknown. Called with r.mu held.
func (r *Registry) drop(j *Job) {
	delete(r.tasks, j.id)
	if r.w != nil {
		r.w.live -= j.stored
	}
}

// changed has the task's state written, in the batch that it returns; nil where
// nothing is written. Called with r.mu held.
func (r *Registry) changed(j *Job) *batch {
	b := r.batch()
	if b != nil {
		b.jobs = append(b.jobs, j)
	}
	return b
}

// batch returns the batch that gathers changes. Called with r.mu held.
func (r *Registry) batch() *batch {
	if r.w == nil || r.closed {
		return nil
	}
	return r.w.gather()
}
