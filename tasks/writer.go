package tasks

import (
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/vfs"
)

// slack is how much of the journal may be out of date before it is rewritten,
// besides as much as is up to date.
const slack = 256 << 10

// writer is the goroutine that writes the journal.
type writer struct {
	r       *Registry
	journal journal
	wake    chan struct{} // something was gathered
	quit    chan struct{}
	done    chan struct{}
	err     error // of the end; set before done is closed

	// Guarded by the registry's mu.
	next   *batch
	live   int64 // bytes of the tasks' records that hold
	failed bool  // the latest write failed
}

// batch gathers changes for one write: what has changed, not how, so that it
// stays small and the states written are those at the time of writing.
type batch struct {
	jobs   []*Job
	forget []string
	sync   bool
	done   chan struct{} // closed when it is written or has failed
	err    error         // set before done is closed
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) empty() bool { return len(b.jobs)+len(b.forget) == 0 }

func newWriter(r *Registry, files vfs.FS, name string) *writer {
	return &writer{
		r: r, journal: journal{files: files, name: name}, next: newBatch(),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
}

// gather returns the batch that is not being written yet. Called with the
// registry's mu held, which the caller keeps until it has added to the batch.
func (w *writer) gather() *batch {
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return w.next
}

func (w *writer) start() { go w.run() }

// stop writes what is gathered and waits for the goroutine to end. Nothing is
// gathered any more.
func (w *writer) stop() error {
	close(w.quit)
	<-w.done
	return w.err
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.wake:
			w.write()
		case <-w.quit:
			w.write()
			w.err = w.journal.close()
			return
		}
	}
}

// write writes what is gathered.
func (w *writer) write() {
	w.r.mu.Lock()
	b := w.next
	w.next = newBatch()
	w.r.mu.Unlock()
	if b.empty() {
		return
	}
	if b.err = w.flush(b); b.err != nil {
		// Calls that wait return the error too; the next write has all of it again.
		w.r.log.Error("task states were not stored", "file", w.journal.name, "err", b.err)
	}
	b.jobs = nil // their tasks refer to the batch
	close(b.done)
}

// flush brings the journal up to date with a batch.
func (w *writer) flush(b *batch) error {
	w.r.mu.Lock()
	rewrite := w.journal.file == nil || w.journal.size > 2*w.live+slack
	var recs []jobRecord
	if rewrite {
		recs = w.all()
	} else {
		recs = w.some(b)
	}
	w.r.mu.Unlock()
	var err error
	if rewrite {
		err = w.journal.rewrite(encoded(recs))
	} else {
		var buf []byte
		for rec, encErr := range encoded(recs) {
			err = errors.Join(err, encErr)
			buf = append(buf, rec...)
		}
		if err == nil {
			err = w.journal.append(buf, b.sync)
		}
	}
	w.wrote(recs, err)
	return err
}

// jobRecord is a record, the job that it is about, if any, and its size once it
// is encoded.
type jobRecord struct {
	record
	job  *Job
	size int64
}

// encoded yields the bytes of records, which are good until the next, and sets
// their sizes.
func encoded(recs []jobRecord) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var buf []byte
		for i := range recs {
			b, err := recs[i].append(buf[:0])
			recs[i].size, buf = int64(len(b)), b
			if !yield(b, err) {
				return
			}
		}
	}
}

// wrote notes the sizes of what was written, or that it was not.
func (w *writer) wrote(recs []jobRecord, err error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.failed = err != nil; w.failed {
		return
	}
	for _, rec := range recs {
		if rec.job == nil {
			continue
		}
		if w.r.tasks[rec.job.id] == rec.job {
			w.live += rec.size - rec.job.stored
		}
		rec.job.stored = rec.size
	}
}

// all returns the records of everything. Called with the registry's mu held.
func (w *writer) all() []jobRecord {
	recs := make([]jobRecord, 0, len(w.r.tasks))
	for _, j := range w.r.finished {
		recs = append(recs, w.job(j))
	}
	unfinished := slices.Collect(maps.Values(w.r.tasks))
	unfinished = slices.DeleteFunc(unfinished, func(j *Job) bool { return j.task.State != Pending })
	slices.SortFunc(unfinished, func(a, b *Job) int { return a.task.Created.Compare(b.task.Created) })
	for _, j := range unfinished {
		recs = append(recs, w.job(j))
	}
	return recs
}

// some returns the records of a batch. Called with the registry's mu held.
func (w *writer) some(b *batch) []jobRecord {
	var recs []jobRecord
	for _, id := range b.forget {
		recs = append(recs, jobRecord{record: record{Forget: id}})
	}
	var last *Job
	for _, j := range b.jobs {
		if w.r.tasks[j.id] == j && j != last {
			recs = append(recs, w.job(j))
			last = j
		}
	}
	return recs
}

// job returns the record of a task. That of a pending one holds what its run starts
// from, since a restart runs it from the beginning.
func (w *writer) job(j *Job) jobRecord {
	j.recorded = true
	t := j.snapshot()
	if t.State != Pending {
		return jobRecord{record: record{Task: &t}, job: j}
	}
	t = Task{ID: t.ID, Domain: t.Domain, Commit: t.Commit, Branch: t.Branch, State: Pending, Created: t.Created}
	return jobRecord{record: record{Task: &t, Resume: j.resume}, job: j}
}
