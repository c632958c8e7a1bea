package tasks

import (
	"context"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
)

// ID returns the task's id.
func (j *Job) ID() string { return j.id }

// Resume returns what Spec.Resume was; nil for a task that cannot be run again.
func (j *Job) Resume() []byte { return j.resume }

// Ended is closed when the task is pending no more.
func (j *Job) Ended() <-chan struct{} { return j.ended }

// Task returns the task as it is now. Its list is shared.
func (j *Job) Task() Task {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	return j.snapshot()
}

// snapshot is Task, called with the registry's mu held.
func (j *Job) snapshot() Task {
	t := j.task
	t.Skipped = slices.Clip(t.Skipped)
	return t
}

// Begin notes how to cancel the task's run. It reports false if the task has
// ended already.
func (j *Job) Begin(cancel context.CancelCauseFunc) bool {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	j.cancel = cancel
	return j.task.State == Pending
}

// SetBase notes the commit whose file the run builds on, for Registry.Cancel.
func (j *Job) SetBase(commit string) {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	j.base = commit
}

// Report has update change the task's counters, unless it has ended: a run may
// not have found out yet that it was cancelled. update must not call the
// registry.
func (j *Job) Report(update func(*Task)) {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	if j.task.State != Pending {
		return
	}
	before := j.task.Percentage
	update(&j.task)
	j.task.Percentage = min(max(j.task.Percentage, before), 100)
	j.task.Skipped = j.task.Skipped[:min(len(j.task.Skipped), MaxSkipped)]
	j.task.SkippedTotal = max(j.task.SkippedTotal, len(j.task.Skipped))
}

// End records how the task ended, with err or without. The first end holds.
func (j *Job) End(err error) {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	j.finish(err)
}

// finish is End, called with the registry's mu held. It returns the batch that
// records the end.
func (j *Job) finish(err error) *batch {
	if j.task.State != Pending {
		return nil
	}
	j.task.State, j.task.Percentage = Complete, 100
	if err != nil {
		j.task.State, j.task.Error, j.task.ErrorCode = Failed, cut(err.Error(), maxError), contract.Code(err)
	}
	j.task.Finished = now()
	j.release()
	return j.r.keep(j)
}

// Discard takes back a task that has not begun, as if it had never been, unless
// it has ended.
func (j *Job) Discard() {
	r := j.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.task.State != Pending {
		return
	}
	j.release()
	r.drop(j)
	if !j.recorded {
		return
	}
	if b := r.batch(); b != nil {
		b.forget = append(b.forget, j.id)
	}
}

// release frees the commit for other tasks. Called with the registry's mu held.
func (j *Job) release() {
	close(j.ended)
	if j.r.running[j.at] == j {
		delete(j.r.running, j.at)
	}
}
