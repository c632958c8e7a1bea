package indexer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Index begins to make the snapshot of a commit and returns its task at once.
// An indexed commit gives a finished task and costs nothing, unless it is known
// to be damaged or was not looked at since the start: its task then looks it
// over, and makes anew what is damaged. A commit that is being indexed gives
// the running task.
func (ix *Indexer) Index(_ context.Context, req IndexRequest) (Task, error) {
	if err := ix.checkIndex(&req); err != nil {
		return Task{}, err
	}
	t := Task{Domain: req.Domain, Commit: req.Commit, Branch: req.Branch, State: TaskPending}
	if d, err := ix.domain(req.Domain); err == nil {
		if info, ok := d.Real(req.Commit); ok && d.isWhole(info) {
			t.State, t.Percentage = TaskComplete, 100
			t.Documents, t.Base = int(info.Documents), info.Base
			t.HeadMoved = d.Head(req.Branch).Commit == req.Commit
			t.Skipped = ix.skippedBefore(d, req.Commit)
		}
	}
	j, fresh, err := ix.tasks.add(&job{task: t, previous: req.Previous, settings: req.Settings, key: req.CallerKey})
	if err != nil {
		return Task{}, err
	}
	if fresh && t.State == TaskPending {
		ix.enqueue(j)
	}
	return ix.tasks.snapshot(j), nil
}

// checkIndex refuses requests that cannot be served, and fills in the branch.
func (ix *Indexer) checkIndex(req *IndexRequest) error {
	if ix.cfg.Source == nil && !ix.indexed(req.Domain, req.Commit) {
		return errNoSource
	}
	if ix.stopCtx.Err() != nil {
		return contract.ErrClosed
	}
	if req.Branch == "" {
		req.Branch = contract.MainBranch
	}
	for _, p := range []struct{ name, value string }{{"commit", req.Commit}, {"branch", req.Branch}} {
		if err := checkRef(p.name, p.value); err != nil {
			return err
		}
	}
	return ix.compatible(req.Domain, req.Settings)
}

var errNoSource = fmt.Errorf("%w: no document source: set VECTORLINK_TERMINUSDB_URL (or TERMINUSDB_CONTENT_ENDPOINT) to index by pulling", contract.ErrNotConfigured)

// indexed reports whether a commit is indexed: it can be looked over and mended
// without a document source.
func (ix *Indexer) indexed(domain, commit string) bool {
	d, err := ix.domain(domain)
	if err != nil {
		return false
	}
	_, ok := d.Real(commit)
	return ok
}

// checkRef refuses names that no header or log line could carry.
func checkRef(param, name string) error {
	if name == "" {
		return fmt.Errorf("%w: %s is required", contract.ErrInvalid, param)
	}
	if len(name) > contract.MaxRefBytes {
		return fmt.Errorf("%w: %s is longer than %d bytes", contract.ErrInvalid, param, contract.MaxRefBytes)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("%w: %s is not valid UTF-8", contract.ErrInvalid, param)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: %s holds a control character", contract.ErrInvalid, param)
	}
	return nil
}

// Task returns the state of a task, or ErrNotFound.
func (ix *Indexer) Task(id string) (Task, error) { return ix.tasks.find(id) }

// enqueue has the job run after those of its domain that came before it.
func (ix *Indexer) enqueue(j *job) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	// Stopped, the job stays in the database and runs after the next start.
	if ix.stopCtx.Err() == nil && ix.tasks.enqueue(j) {
		ix.wg.Go(func() { ix.serveQueue(j.task.Domain) })
	}
}

// serveQueue runs a domain's jobs one after another until none is left.
func (ix *Indexer) serveQueue(domain string) {
	for j := ix.tasks.next(domain, nil); j != nil; j = ix.tasks.next(domain, j) {
		select {
		case ix.running <- struct{}{}:
			ix.run(j)
			<-ix.running
		case <-ix.stopCtx.Done():
			return // the job stays pending and resumes at the next start
		}
	}
}

// resume goes on with the tasks that were running when the process ended.
func (ix *Indexer) resume() {
	for _, j := range ix.tasks.pending() {
		if j.push {
			ix.endCutPush(j)
			continue
		}
		if ix.cfg.Source == nil && !ix.indexed(j.task.Domain, j.task.Commit) {
			ix.endTask(j, fmt.Errorf("%w: the server was restarted without a document source", contract.ErrNotConfigured))
			continue
		}
		ix.log.Info("resuming task", "task", j.task.ID, "domain", j.task.Domain, "commit", j.task.Commit)
		ix.tasks.update(j, func(t *Task) { t.Skipped, t.Embedded, t.Reused, t.Tokens = nil, 0, 0, 0 })
		ix.enqueue(j)
	}
}

// run runs one job to its end.
func (ix *Indexer) run(j *job) {
	ctx, cancel := context.WithCancelCause(ix.stopCtx)
	defer cancel(nil)
	if !ix.tasks.begin(j, cancel) {
		return // it was cancelled while it waited
	}
	if key := ix.tasks.callerKey(j); key != "" {
		ctx = contract.CallerKey(ctx, key)
	}
	start := time.Now()
	err := ix.guard(func() error { return ix.pull(ctx, j) })
	if err != nil && ix.stopCtx.Err() != nil {
		return // stopped, not failed: it resumes at the next start
	}
	ix.endTask(j, err)
	ix.logTask(j, err, time.Since(start))
}

func (ix *Indexer) logTask(j *job, err error, dur time.Duration) {
	t := ix.tasks.snapshot(j)
	attrs := []any{"task", t.ID, "domain", t.Domain, "commit", t.Commit, "dur_ms", dur.Milliseconds(),
		"documents", t.Documents, "indexed", t.Indexed, "embedded", t.Embedded, "reused", t.Reused, "skipped", len(t.Skipped)}
	if err != nil {
		ix.log.Error("task failed", append(attrs, "err", err)...)
		return
	}
	ix.log.Info("commit indexed", attrs...)
}

func (ix *Indexer) endTask(j *job, err error) {
	if serr := ix.tasks.end(j, err); serr != nil {
		// The commit does not depend on it: after a restart the task
		// runs again and finds its work done.
		ix.log.Error("task state was not stored", "task", j.task.ID, "err", serr)
	}
}

// guard turns a panic of the pipeline into a failed task.
func (ix *Indexer) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: panic: %v", r)
		}
	}()
	return f()
}

// pull makes the snapshot of the job's commit from the document source.
func (ix *Indexer) pull(ctx context.Context, j *job) error {
	t := ix.tasks.snapshot(j)
	d := ix.enter(t.Domain)
	defer ix.leave(d)
	settings, settled, err := ix.agree(d, j.settings)
	if err != nil {
		return err
	}
	defer settled()
	if info, ok := d.Real(t.Commit); ok {
		err := ix.mend(ctx, d, j, info)
		ix.tasks.update(j, func(task *Task) { task.HeadMoved = d.Head(t.Branch).Commit == t.Commit })
		if err == nil {
			ix.considerMerge(d, info.Commit)
		}
		return err
	}
	b, pull, done, err := ix.read(ctx, d, settings, j, t.Commit)
	if err != nil {
		return err
	}
	defer done()
	h := snapshot.Header{Domain: t.Domain, Commit: t.Commit}
	if pull.OnBranch {
		h.Branch = t.Branch
	}
	if _, err := b.finish(ctx, h, pull.Complete, func() Task { return ix.tasks.snapshot(j) }); err != nil {
		return err
	}
	ix.tasks.update(j, func(t *Task) { t.HeadMoved = pull.OnBranch })
	ix.considerMerge(d, t.Commit)
	return nil
}

// read takes the operations that make a commit (the job's, or the one it is
// another name of) from the document source, into a builder on the snapshot
// that they build on. The caller ends both with done.
func (ix *Indexer) read(ctx context.Context, d *domain, settings catalog.Settings, j *job, commit string) (b *builder, pull *contract.Pull, done func(), err error) {
	if ix.cfg.Source == nil {
		return nil, nil, nil, fmt.Errorf("%w; a commit that was pushed is mended by pushing it again", errNoSource)
	}
	t := ix.tasks.snapshot(j)
	pull, err = ix.cfg.Source.Pull(ctx, ix.pullRequest(d, commit, t.Branch, j.previous))
	if err != nil {
		return nil, nil, nil, err
	}
	dim, err := ix.dim(ctx, settings)
	if err != nil {
		return nil, nil, nil, err
	}
	vecs, err := ix.makeVectors(d, settings, dim)
	if err != nil {
		return nil, nil, nil, err
	}
	base, release, err := ix.takeBase(d, j, func() (string, error) { return pull.Base, nil })
	if err != nil {
		return nil, nil, nil, err
	}
	b, err = ix.newBuilder(d, t.ID, settings, base, vecs, func(f func(*Task)) { ix.tasks.update(j, f) })
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	done = func() {
		b.close()
		release()
	}
	if err := b.consume(ctx, pull); err != nil {
		done()
		return nil, nil, nil, err
	}
	return b, pull, done, nil
}

func (ix *Indexer) pullRequest(d *domain, commit, branch, previous string) contract.PullRequest {
	return contract.PullRequest{
		Domain: d.Name, Commit: commit, Branch: branch,
		Head:     d.Head(branch).Commit,
		Previous: previous,
		Indexed:  func(commit string) bool { return ix.canOpen(d, commit) },
		Again:    func(base string) []string { return ix.again(d, base, commit) },
	}
}

// skippedBefore returns what was skipped when the commit was indexed: as the task
// said that did it, or that came after it, as long as that is known, and then as
// the commit's file lists documents.
func (ix *Indexer) skippedBefore(d *domain, commit string) []Skipped {
	if list := ix.tasks.lastSkipped(target{d.Name, commit}); len(list) > 0 {
		return list
	}
	info, ok := d.Real(commit)
	if !ok || info.Skipped == 0 {
		return nil
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		return nil // who searches it is told why
	}
	defer s.Release()
	var list []Skipped
	for _, id := range s.View().Skipped() {
		list = append(list, skipped(id, errSkippedBefore))
	}
	return list
}

var errSkippedBefore = errors.New("it was skipped when the commit was indexed")

// maxAgain is how many skipped documents of its base a commit tries again, so
// that thousands which fail for good cost each commit one batch or two.
const maxAgain = 1000

// again returns documents that the base's snapshot lacks. Of more than maxAgain
// another part comes at each commit, so that none waits for ever.
func (ix *Indexer) again(d *domain, base, commit string) []string {
	s, err := ix.Open(ix.stopCtx, d.Domain, base)
	if err != nil {
		return nil // then nothing builds on it either
	}
	defer s.Release()
	ids := s.View().Skipped()
	if len(ids) <= maxAgain {
		return slices.Clone(ids)
	}
	hash := snapshot.HashText(commit)
	at := int(binary.LittleEndian.Uint32(hash[:]) % uint32(len(ids)))
	return slices.Concat(ids[at:], ids[:at])[:maxAgain]
}

// takeBase leases the snapshot that the job will build on, as openBase does,
// and notes it, so that a deletion sees every job that builds on what it
// removes.
func (ix *Indexer) takeBase(d *domain, j *job, choose func() (string, error)) (*search.Snapshot, func(), error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	commit, err := choose()
	if err != nil {
		return nil, nil, err
	}
	s, release, err := ix.openBase(d, commit)
	if s != nil {
		ix.tasks.setBase(j, s.Commit())
	}
	return s, release, err
}

// openBase leases the snapshot to build on; nil for no base.
func (ix *Indexer) openBase(d *domain, commit string) (*search.Snapshot, func(), error) {
	if commit == "" {
		return nil, func() {}, nil
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Release, nil
}

// canOpen reports whether the commit can serve as base: it is indexed, and
// what it stands on is there. A damaged base is passed over for an older one.
func (ix *Indexer) canOpen(d *domain, commit string) bool {
	if _, ok := d.Real(commit); !ok {
		return false
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		ix.log.Warn("indexed commit cannot serve as base", "domain", d.Name, "commit", commit, "err", err)
		return false
	}
	s.Release()
	return true
}

// Assign makes target another name of source's snapshot and the branch's last
// indexed commit. It is durable when it returns. The same pair again does
// nothing; a target that stands for something else is ErrConflict. Where source
// and target are one, an indexed commit becomes the branch's last, be it older:
// so a branch follows a reset.
func (ix *Indexer) Assign(_ context.Context, domain, branch, source, target string) error {
	if branch == "" {
		branch = contract.MainBranch
	}
	for _, p := range []struct{ name, value string }{{"source_commit", source}, {"target_commit", target}, {"branch", branch}} {
		if err := checkRef(p.name, p.value); err != nil {
			return err
		}
	}
	d, err := ix.domain(domain)
	if err != nil {
		return err
	}
	if _, ok := d.Real(source); !ok {
		return fmt.Errorf("%w: source_commit %s of %s is not indexed", contract.ErrNotFound, source, domain)
	}
	if source == target {
		return ix.moveHead(d, branch, source)
	}
	release, ok := ix.tasks.bind(domain, target)
	if !ok {
		return fmt.Errorf("%w: target_commit %s is being indexed", contract.ErrConflict, target)
	}
	defer release()
	d.writing.Lock()
	defer d.writing.Unlock()
	src, ok := d.Real(source)
	if !ok {
		return fmt.Errorf("%w: source_commit %s of %s is not indexed", contract.ErrNotFound, source, domain)
	}
	name := snapshot.Header{Commit: target, Branch: branch}
	if have, ok := d.Real(target); ok {
		if have.Commit != src.Commit {
			return fmt.Errorf("%w: target_commit %s is indexed already, as another snapshot", contract.ErrConflict, target)
		}
		old, _ := d.Commit(target)
		if old.Kind != snapshot.Alias || !errors.Is(snapshot.Verify(ix.cfg.FS, old.Name), snapshot.ErrCorrupt) {
			return nil
		}
		name.Branch, name.Seq = old.Branch, old.Seq // made anew, as it was
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, src.Commit)
	if err != nil {
		return err
	}
	defer s.Release()
	if name.Created = now().Unix(); name.Seq == 0 {
		name.Seq = d.NextSeq()
	}
	h, size, err := s.View().WriteAlias(ix.cfg.FS, name)
	if err != nil {
		return catalog.StoreError(err)
	}
	d.written(fileInfo(h, size))
	return nil
}
