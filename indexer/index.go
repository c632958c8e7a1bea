package indexer

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
)

// Index begins to make the snapshot of a commit and returns its task at once.
// An indexed commit gives a finished task and costs nothing, unless it is known
// to be damaged or was not looked at since the start: its task then looks it
// over, and rebuilds what is damaged. A commit that is being indexed gives
// the running task.
func (ix *Indexer) Index(_ context.Context, req IndexRequest) (Task, error) {
	if err := ix.checkIndex(&req); err != nil {
		return Task{}, err
	}
	if d, err := ix.domain(req.Domain); err == nil {
		if info, ok := d.State().Real(req.Commit); ok && d.isVerified(info) {
			t := Task{Domain: req.Domain, Commit: req.Commit, Branch: req.Branch}
			t.Documents, t.Base = int(info.Documents), info.Base
			t.HeadMoved = d.State().Head(req.Branch).Commit == req.Commit
			t.Skipped, t.SkippedTotal = ix.skippedBefore(d, req.Commit)
			return ix.tasks.Record(t)
		}
	}
	resume, err := req.resumption()
	if err != nil {
		return Task{}, err
	}
	j, fresh, err := ix.tasks.Start(tasks.Spec{Domain: req.Domain, Commit: req.Commit, Branch: req.Branch, Resume: resume})
	if err != nil {
		return Task{}, err
	}
	if fresh {
		ix.enqueue(&job{Job: j, previous: req.Previous, settings: req.Settings, about: req.About, key: req.CallerKey})
	}
	return j.Task(), nil
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
	if err := req.About.Check(); err != nil {
		return err
	}
	return ix.compatible(req.Domain, req.Settings)
}

var errNoSource = fmt.Errorf("%w: no document source: set VECTORLINK_TERMINUSDB_URL (or TERMINUSDB_CONTENT_ENDPOINT) to index by pulling", contract.ErrNotConfigured)

// indexed reports whether a commit is indexed: it can be looked over and repaired
// without a document source.
func (ix *Indexer) indexed(domain, commit string) bool {
	d, err := ix.domain(domain)
	if err != nil {
		return false
	}
	_, ok := d.State().Real(commit)
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
func (ix *Indexer) Task(id string) (Task, error) { return ix.tasks.Find(id) }

// Tasks returns the tasks of a domain, of all for "", that are in that state, in any
// for "": newest first.
func (ix *Indexer) Tasks(domain string, state TaskState) ([]Task, error) {
	return ix.tasks.List(func(t Task) bool {
		return (domain == "" || t.Domain == domain) && (state == "" || t.State == state)
	}), nil
}

// enqueue has the job run after those of its domain that came before it.
func (ix *Indexer) enqueue(j *job) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	// Stopped, the job stays in the journal and runs after the next start.
	if domain := j.Task().Domain; ix.stopCtx.Err() == nil && ix.queues.put(domain, j) {
		ix.wg.Go(func() { ix.serveQueue(domain) })
	}
}

// serveQueue runs a domain's jobs one after another until none is left.
func (ix *Indexer) serveQueue(domain string) {
	for j := ix.queues.next(domain, nil); j != nil; j = ix.queues.next(domain, j) {
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
	for _, pending := range ix.tasks.Pending() {
		if pending.Resume() == nil {
			ix.endPushCut(pending)
			continue
		}
		t := pending.Task()
		if ix.cfg.Source == nil && !ix.indexed(t.Domain, t.Commit) {
			pending.End(fmt.Errorf("%w: the server was restarted without a document source", contract.ErrNotConfigured))
			continue
		}
		j, err := resumed(pending)
		if err != nil {
			pending.End(fmt.Errorf("resume the task: %w", err))
			continue
		}
		ix.log.Info("resuming task", "task", t.ID, "domain", t.Domain, "commit", t.Commit)
		ix.enqueue(j)
	}
}

// run runs one job to its end.
func (ix *Indexer) run(j *job) {
	ctx, cancel := context.WithCancelCause(ix.stopCtx)
	defer cancel(nil)
	if !j.Begin(cancel) {
		return // it was cancelled while it waited
	}
	start := time.Now()
	err := ix.guard(func() error { return ix.pull(ctx, j) })
	if err != nil && ix.stopCtx.Err() != nil {
		return // stopped, not failed: it resumes at the next start
	}
	j.End(err)
	ix.logTask(j.Task(), err, time.Since(start))
}

func (ix *Indexer) logTask(t Task, err error, dur time.Duration) {
	attrs := []any{"task", t.ID, "domain", t.Domain, "commit", t.Commit, "dur_ms", dur.Milliseconds(),
		"documents", t.Documents, "indexed", t.Indexed, "embedded", t.Embedded, "reused", t.Reused, "skipped", t.SkippedTotal}
	if err != nil {
		ix.log.Error("task failed", append(attrs, "err", err)...)
		return
	}
	ix.log.Info("commit indexed", attrs...)
}

// guard turns a panic of the pipeline into a failed task. Where it happened is for
// the log alone.
func (ix *Indexer) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			ix.log.Error("panic", "err", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: panic: %v", parallel.Cause(r))
		}
	}()
	return f()
}

// pull makes the snapshot of the job's commit from the document source.
func (ix *Indexer) pull(ctx context.Context, j *job) error {
	t := j.Task()
	d := ix.enter(t.Domain)
	defer ix.leave(d)
	settings, settled, err := ix.agree(d, j.settings)
	if err != nil {
		return err
	}
	defer settled()
	if info, ok := d.State().Real(t.Commit); ok {
		err := ix.repair(ctx, d, j, info)
		j.Report(func(task *Task) { task.HeadMoved = d.State().Head(t.Branch).Commit == t.Commit })
		if err == nil {
			ix.considerMerge(d, info.Commit)
		}
		return err
	}
	b, pull, done, err := ix.read(ctx, d, settings, search.StoresClustering(d.State()), j, t.Commit, true)
	if err != nil {
		return err
	}
	defer done()
	h := snapshot.Header{Domain: t.Domain, Commit: t.Commit, About: said(contract.About{
		Author: cmp.Or(j.about.Author, pull.About.Author), Message: cmp.Or(j.about.Message, pull.About.Message), Time: pull.About.Time,
	})}
	if pull.OnBranch {
		h.Branch = t.Branch
	}
	if _, err := b.finish(ctx, h, pull.Complete, j.Task); err != nil {
		return err
	}
	j.Report(func(t *Task) { t.HeadMoved = pull.OnBranch })
	ix.considerMerge(d, t.Commit)
	return nil
}

// said returns what a commit's file keeps of an About, nil for nothing.
func said(a contract.About) *contract.About {
	if a = a.Kept(); a == (contract.About{}) {
		return nil
	}
	return &a
}

// read takes the operations that make a commit (the job's, or the one it is
// another name of) from the document source, into a builder on the snapshot
// that they build on. The caller ends both with done. With again, it is tried once
// more where what they build on is pruned meanwhile.
func (ix *Indexer) read(ctx context.Context, d *domain, settings catalog.Settings, clustering bool, j *job, commit string, again bool) (b *builder, pull *contract.Pull, done func(), err error) {
	if ix.cfg.Source == nil {
		return nil, nil, nil, fmt.Errorf("%w; a commit that was pushed is mended by pushing it again", errNoSource)
	}
	t := j.Task()
	pull, err = ix.cfg.Source.Pull(ctx, ix.pullRequest(d, commit, t.Branch, j.previous))
	if err != nil {
		return nil, nil, nil, err
	}
	key := j.key
	dim, err := ix.dim(ctx, settings, key)
	if err != nil {
		return nil, nil, nil, err
	}
	vecs, err := ix.makeVectors(d, settings, dim)
	if err != nil {
		return nil, nil, nil, err
	}
	base, release, err := ix.takeBase(d, j.Job, func(*catalog.State) (string, error) { return pull.Base, nil })
	if errors.Is(err, contract.ErrPruned) && again {
		// Since it was looked up: there is another one to build on.
		return ix.read(ctx, d, settings, clustering, j, commit, false)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	b, err = ix.newBuilder(d, t.ID, settings, clustering, base, vecs, j.Report)
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	b.key, b.free = key, j.free
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
		Domain: d.Name(), Commit: commit, Branch: branch,
		Head:     d.State().Head(branch).Commit,
		Previous: previous,
		Indexed:  func(commit string) bool { return ix.canOpen(d, commit) },
		Again:    func(base string) []string { return ix.again(d, base, commit) },
	}
}

// skippedBefore returns what was skipped when the commit was indexed, as a task
// lists it, and how many documents in all: as the task said that did it, or that
// came after it, as long as that is known, and then as the commit's file lists
// documents.
func (ix *Indexer) skippedBefore(d *domain, commit string) (list []Skipped, total int) {
	if list, total := ix.tasks.LastSkipped(d.Name(), commit); total > 0 {
		return list, total
	}
	info, ok := d.State().Real(commit)
	if !ok || info.Skipped == 0 {
		return nil, 0
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		return nil, 0 // searches report the error
	}
	defer s.Release()
	var t Task
	for _, k := range s.View().Skipped() {
		t.Skip(skipped(k.ID, errSkippedBefore))
	}
	return t.Skipped, t.SkippedTotal
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
	var ids []string
	for _, k := range s.View().Skipped() {
		ids = append(ids, k.ID)
	}
	if len(ids) <= maxAgain {
		return ids
	}
	hash := snapshot.HashText(commit)
	at := int(binary.LittleEndian.Uint32(hash[:]) % uint32(len(ids)))
	return slices.Concat(ids[at:], ids[:at])[:maxAgain]
}

// takeBase chooses the commit that the job will build on and leases its snapshot,
// as openBase does. The choice is noted in the Update that makes it, so that a
// deletion sees every job that builds on what it removes; opening what was chosen
// may take long, and holds nothing up.
func (ix *Indexer) takeBase(d *domain, j *tasks.Job, choose func(*catalog.State) (string, error)) (*search.Snapshot, func(), error) {
	commit := ""
	err := d.Update(func(tx *catalog.Tx) (err error) {
		if commit, err = choose(tx.State()); err != nil || commit == "" {
			return err
		}
		info, _ := tx.State().Real(commit)
		j.SetBase(info.Commit)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return ix.openBase(d, commit)
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
	if _, ok := d.State().Real(commit); !ok {
		return false
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		ix.log.Warn("indexed commit cannot serve as base", "domain", d.Name(), "commit", commit, "err", err)
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
	if _, ok := d.State().Real(source); !ok {
		return fmt.Errorf("source_commit: %w", d.State().Missing(source))
	}
	if source == target {
		return ix.moveHead(d, branch, source)
	}
	release, ok := ix.tasks.Bind(domain, target)
	if !ok {
		return fmt.Errorf("%w: target_commit %s is being indexed", contract.ErrConflict, target)
	}
	defer release()
	return d.Update(func(tx *catalog.Tx) error {
		src, ok := tx.State().Real(source)
		if !ok {
			return fmt.Errorf("source_commit: %w", tx.State().Missing(source))
		}
		name := snapshot.Header{Commit: target, Branch: branch}
		if have, ok := tx.State().Real(target); ok {
			if have.Commit != src.Commit {
				return fmt.Errorf("%w: target_commit %s is indexed already, as another snapshot", contract.ErrConflict, target)
			}
			old, _ := tx.State().Commit(target)
			if old.Tag {
				return fmt.Errorf("%w: target_commit %s is a tag: delete it first", contract.ErrConflict, target)
			}
			if old.Kind != snapshot.Alias || !errors.Is(snapshot.Verify(ix.cfg.FS, old.Name()), snapshot.ErrCorrupt) {
				return nil
			}
			name.Branch, name.Seq = old.Branch, old.Seq // rebuilt as it was
		}
		s, err := ix.Open(ix.stopCtx, d.Domain, src.Commit)
		if err != nil {
			return err
		}
		defer s.Release()
		if name.Created = now().Unix(); name.Seq == 0 {
			name.Seq = d.NextSeq()
		}
		_, err = d.write(tx, target, func() (snapshot.Info, error) { return s.View().WriteAlias(ix.cfg.FS, name) })
		return err
	})
}
