package indexer

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// taskPrefix begins every task id.
const taskPrefix = "task-"

// Finished tasks are kept this long, and no more than this many (the oldest
// finished go first).
const (
	keepTasks  = time.Hour
	keepNumber = 10_000
)

var taskBucket = []byte("tasks")

// taskRegistry knows every task, and keeps their beginnings and ends in a
// database, so that a client's task id means something after a restart.
// Progress is in memory alone.
type taskRegistry struct {
	db *bbolt.DB // nil: memory only

	mu       sync.Mutex // guards below
	tasks    map[string]*job
	finished []string        // ids in order of finishing
	running  map[target]*job // not finished yet
	queues   map[string][]*job
}

// job is a task and what its run needs besides.
type job struct {
	task     Task
	previous string
	key      string // the caller's provider key; never stored
}

// target is what at most one running task makes.
type target struct{ domain, commit string }

// storedTask is a task's row.
type storedTask struct {
	Task     Task   `json:"task"`
	Previous string `json:"previous,omitempty"`
}

func openTasks(path string) (*taskRegistry, error) {
	r := &taskRegistry{
		tasks:   make(map[string]*job),
		running: make(map[target]*job),
		queues:  make(map[string][]*job),
	}
	if path == "" {
		return r, nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the task database %s (it may be removed: no commit depends on it): %w", path, err)
	}
	r.db = db
	var stale [][]byte
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(taskBucket)
		if err != nil {
			return err
		}
		err = b.ForEach(func(k, v []byte) error {
			var row storedTask
			if json.Unmarshal(v, &row) != nil || row.Task.ID != string(k) {
				stale = append(stale, slices.Clone(k))
				return nil
			}
			j := &job{task: row.Task, previous: row.Previous}
			r.tasks[row.Task.ID] = j
			if row.Task.State != TaskPending {
				r.finished = append(r.finished, row.Task.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range stale {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the task database %s: %w", path, err), db.Close())
	}
	slices.SortFunc(r.finished, func(a, b string) int {
		return r.tasks[a].task.Finished.Compare(r.tasks[b].task.Finished)
	})
	return r, nil
}

func (r *taskRegistry) close() error {
	if r.db == nil {
		return nil
	}
	return r.db.Close()
}

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

// add makes a task for the target unless one is running already, and reports
// whether it is new. A finished state in t is recorded as such.
func (r *taskRegistry) add(t Task, previous, key string) (*job, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.running[target{t.Domain, t.Commit}]; j != nil && t.State == TaskPending {
		return j, false, nil
	}
	t.ID = taskPrefix + randomID()
	t.Created = now()
	if t.State != TaskPending {
		t.Finished = t.Created
	}
	j := &job{task: t, previous: previous, key: key}
	if err := r.store(j); err != nil {
		return nil, false, err
	}
	r.tasks[t.ID] = j
	if t.State == TaskPending {
		r.running[j.target()] = j
	} else {
		r.finished = append(r.finished, t.ID)
	}
	r.prune()
	return j, true, nil
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

// inFlight reports whether a task for the target is running or queued.
func (r *taskRegistry) inFlight(domain, commit string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[target{domain, commit}] != nil
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
		return Task{}, fmt.Errorf("%w: task %.80q is not known (finished tasks are kept for an hour)", ErrNotFound, id)
	}
	return r.snapshot(j), nil
}

// update changes a running task's counters.
func (r *taskRegistry) update(j *job, f func(*Task)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := j.task.Percentage
	f(&j.task)
	j.task.Percentage = min(max(j.task.Percentage, before), 100)
}

// end records the task's final state; an error once recorded is final.
func (r *taskRegistry) end(j *job, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.task.State != TaskPending {
		return nil
	}
	j.task.State, j.task.Percentage = TaskComplete, 100
	if err != nil {
		j.task.State, j.task.Error = TaskFailed, err.Error()
	}
	j.task.Finished = now()
	j.key = ""
	delete(r.running, j.target())
	r.finished = append(r.finished, j.task.ID)
	r.prune()
	return r.store(j)
}

// store writes the task's row. Called with r.mu held.
func (r *taskRegistry) store(j *job) error {
	if r.db == nil {
		return nil
	}
	row, err := json.Marshal(storedTask{j.task, j.previous})
	if err != nil {
		return fmt.Errorf("store task: %w", err)
	}
	err = r.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(taskBucket).Put([]byte(j.task.ID), row)
	})
	if err != nil {
		return fmt.Errorf("store task: %w", err)
	}
	return nil
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
	if r.db == nil {
		return
	}
	// A row that stays is pruned at a later time, or loaded and pruned
	// after a restart.
	_ = r.db.Update(func(tx *bbolt.Tx) error {
		for _, id := range old {
			if err := tx.Bucket(taskBucket).Delete([]byte(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// count returns the number of known tasks.
func (r *taskRegistry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tasks)
}
