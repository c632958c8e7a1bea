package indexer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
)

// linger is how long a push waits for a batch to fill: operations may come
// slowly, and their sender may wait to see that they arrive.
const linger = 200 * time.Millisecond

// errPushCut is why a push fails that the end of the process cut short: its
// operations are gone.
var errPushCut = fmt.Errorf("%w: the server was stopped before the push was complete; push the commit again", contract.ErrClosed)

// errPushOver answers operations that come after the end.
var errPushOver = fmt.Errorf("%w: the push has ended", contract.ErrInvalid)

// PushRequest announces the operations that make a commit.
type PushRequest struct {
	Domain string `param:"domain" kind:"domain" need:""` // org/db
	// Branch is the one whose head moves to Commit; empty: main.
	Branch string `param:"branch" kind:"head" help:"Branch the commit lies on (default main)."`
	// Commit is the commit that they make.
	Commit string `param:"target_commit" kind:"target" need:"" name:"commit" placeholder:"ID" help:"Commit to make, by any name that is not indexed."`
	// Parent is the commit that they were computed from; may be empty. The
	// push builds on it if it is indexed, else on the branch's head.
	Parent string `param:"parent_commit" kind:"commit" name:"parent" placeholder:"ID" help:"Indexed commit to build on (default the last one of the branch)."`
	// Settings are those that the request names.
	Settings catalog.SettingsRequest
	// StoreClustering has the domain store clustering from this commit on: every
	// text that is indexed gets a vector in that role too.
	StoreClustering bool           `param:"store_clustering" help:"Keep vectors in the role of clustering, too."`
	About           contract.About // is said of the commit
	// CallerKey: see IndexRequest.
	CallerKey contract.Secret
}

// Complete refuses what cannot be said of a commit.
func (req *PushRequest) Complete() error { return req.About.Check() }

// Push makes a commit of operations that are handed to it one by one. Their
// texts are kept on disk and embedded while others come. Nothing of it is to be
// seen before it is complete, and nothing stays of one that fails.
//
// Apply, Finish and Abort are for one goroutine at a time, the other methods
// for any. Every push must be ended by Finish or Abort.
type Push struct {
	ix      *Indexer
	d       *domain
	j       *tasks.Job
	branch  string
	base    string // as named by the request or the branch
	release func()
	settled func() // ends the agreement about the domain's settings
	// old is the commit as it is indexed already, if it is damaged: the push
	// rebuilds its file.
	old     *snapshot.Info
	about   *contract.About
	start   time.Time
	vecsErr error // the vectors cannot be used

	ctx      context.Context
	cancel   context.CancelCauseFunc
	arrived  chan struct{} // operations have come, or their end
	advanced chan struct{}
	done     chan struct{}
	err      error // set before done is closed

	mu       sync.Mutex // guards below
	b        *builder   // its operations side; the run embeds outside of mu
	embedded int        // pieces
	ended    bool       // no more operations
	seen     int
	placed   int
	indexed  int
}

// PushProgress counts what a push has done so far. Its numbers never fall.
type PushProgress struct {
	Indexed int // documents that have their vectors
	Seen    int // operations
	Skipped int // documents that cannot be indexed, and failed operations
}

// StartPush reserves the commit and leases what it builds on. Its errors are
//
//   - ErrConflict: the commit is in the making, or is indexed, as itself or as an
//     alias. A damaged commit is no conflict: the same operations repair it.
//   - ErrNotFound: the branch is new and not main, and Parent is not indexed.
//   - ErrBusy: another push is still at work on the branch after
//     Config.BranchWait.
func (ix *Indexer) StartPush(ctx context.Context, req PushRequest) (*Push, error) {
	if err := ix.checkPush(&req); err != nil {
		return nil, err
	}
	if d, err := ix.domain(req.Domain); err == nil {
		if info, ok := d.State().Commit(req.Commit); ok && (info.Kind == snapshot.Alias || d.isVerified(info)) {
			return nil, d.taken(req.Commit)
		}
	}
	// It cannot be run again: its operations are gone with the process.
	j, fresh, err := ix.tasks.Start(tasks.Spec{Domain: req.Domain, Commit: req.Commit, Branch: req.Branch})
	if err != nil && !errors.Is(err, tasks.ErrBound) {
		return nil, err
	}
	if !fresh {
		return nil, fmt.Errorf("%w: target_commit %s of %s is being indexed", contract.ErrConflict, req.Commit, req.Domain)
	}
	p := &Push{
		ix: ix, d: ix.enter(req.Domain), j: j, branch: req.Branch, about: said(req.About), start: time.Now(),
		arrived: make(chan struct{}, 1), advanced: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancelCause(ix.stopCtx)
	if err := p.open(ctx, req); err != nil {
		p.cancel(err)
		j.Discard()
		ix.leave(p.d)
		if errors.Is(err, errDomainDeleted) || errors.Is(err, errBranchDeleted) {
			err = fmt.Errorf("%w: %v", contract.ErrBusy, err) // it has not begun: try again
		}
		return nil, err
	}
	return p, nil
}

func (ix *Indexer) checkPush(req *PushRequest) error {
	if ix.stopCtx.Err() != nil {
		return contract.ErrClosed
	}
	if req.Branch == "" {
		req.Branch = contract.MainBranch
	}
	for _, r := range []struct{ name, value string }{{"target_commit", req.Commit}, {"branch", req.Branch}} {
		if err := checkRef(r.name, r.value); err != nil {
			return err
		}
	}
	if req.Parent != "" {
		if err := checkRef("parent_commit", req.Parent); err != nil {
			return err
		}
	}
	if err := req.About.Check(); err != nil {
		return err
	}
	return ix.compatible(req.Domain, req.Settings)
}

// taken is the error for a commit that stands for something already.
func (d *domain) taken(commit string) error {
	return fmt.Errorf("%w: target_commit %s of %s is indexed already", contract.ErrConflict, commit, d.Name())
}

// open takes hold of the branch, the base and the vectors, and starts the run.
func (p *Push) open(ctx context.Context, req PushRequest) (err error) {
	ix, d := p.ix, p.d
	if !p.j.Begin(p.cancel) {
		return errDomainDeleted
	}
	// From here on no other task can bind it.
	if info, ok := d.State().Commit(req.Commit); ok {
		from, needs := "", false
		if info.Kind != snapshot.Alias {
			from, needs = ix.needsPush(d, info)
		}
		if !needs {
			return d.taken(req.Commit)
		}
		p.old, p.base = &info, from
	}
	if err := ix.lockBranch(ctx, p.ctx, d, p.branch); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.unlockBranch(p.branch)
		}
	}()
	base, err := p.takeBase(req.Parent)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	settings, settled, err := ix.agree(d, req.Settings)
	if err != nil {
		return err
	}
	p.settled = settled
	defer func() {
		if err != nil {
			settled()
		}
	}()
	// Vectors that cannot be used are the task's failure, not a refusal:
	// clients take a conflict here for a commit that is done.
	vecs, vecsErr := ix.ownVectors(d, settings)
	p.vecsErr = vecsErr
	clustering := search.StoresClustering(d.State())
	if p.old != nil {
		clustering = search.ListsClustering(&p.old.Header)
	}
	p.b, err = ix.newBuilder(d, p.j.ID(), settings, clustering || req.StoreClustering, base, vecs, p.j.Report)
	if err != nil {
		return err
	}
	p.b.flowing, p.b.seen, p.b.same = true, nil, make(map[snapshot.Key]struct{})
	p.b.key = req.CallerKey
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	if ix.stopCtx.Err() != nil {
		p.b.close()
		return contract.ErrClosed
	}
	ix.wg.Go(p.run)
	return nil
}

// lockBranch takes the branch when another push on it has ended, for a run that
// may be cancelled.
func (ix *Indexer) lockBranch(ctx, run context.Context, d *domain, branch string) error {
	timer := time.NewTimer(ix.cfg.BranchWait)
	defer timer.Stop()
	for {
		busy := d.tryBranch(branch)
		if busy == nil {
			return nil
		}
		// Of several that are ready one is chosen at random: takeBase looks
		// again whether the push was cancelled.
		select {
		case <-busy:
		case <-timer.C:
			return fmt.Errorf("%w: another push to branch %s of %s is under way", contract.ErrBusy, branch, d.Name())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-run.Done():
			return context.Cause(run)
		}
	}
}

// takeBase chooses and leases the snapshot to build on (wire contract §6.2). A
// push that was cancelled before gets none: a deletion cancels under the
// domain's lock, so that one which has begun before it never builds on what it
// left.
func (p *Push) takeBase(parent string) (*search.Snapshot, error) {
	s, release, err := p.ix.takeBase(p.d, p.j, func(state *catalog.State) (string, error) {
		if err := context.Cause(p.ctx); err != nil {
			return "", err
		}
		if p.old != nil {
			return p.base, nil
		}
		p.base = state.Head(p.branch).Commit
		if first := firstAbove(state, p.j.Task().Commit, p.branch); first > 0 {
			p.base = state.HeadBefore(p.branch, first)
		}
		if parent == "" {
			return p.base, nil
		}
		if _, ok := state.Real(parent); ok {
			p.base = parent
			return p.base, nil
		}
		if state.Pruned(parent) {
			return "", fmt.Errorf("parent_commit: %w", state.Missing(parent))
		}
		if p.base == "" && p.branch != contract.MainBranch {
			return "", fmt.Errorf("%w: parent_commit %s of %s is not indexed, and branch %s has no commits to build on", contract.ErrNotFound, parent, p.d.Name(), p.branch)
		}
		p.ix.log.Warn("the parent of a pushed commit is not indexed; building on the branch's head",
			"domain", p.d.Name(), "commit", p.j.Task().Commit, "parent", parent, "base", p.base)
		return p.base, nil
	})
	p.release = release
	return s, err
}

// firstAbove returns the lowest sequence number of the branch's commits that were
// built on a commit whose file was lost, 0 for none: it takes its old place below
// them. A commit that was pruned comes as a new one.
func firstAbove(state *catalog.State, commit, branch string) uint64 {
	if state.Pruned(commit) {
		return 0
	}
	return state.FirstOn(commit, branch)
}

// Apply hands one operation over. It does not wait for the embedder. After an
// error, which is why the push has failed, there is nothing left but to Abort.
func (p *Push) Apply(op contract.Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	if p.ended {
		return errPushOver
	}
	p.seen++
	if err := p.b.apply(p.ctx, op); err != nil {
		p.cancel(err)
		return err
	}
	notify(p.arrived)
	return nil
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a notice is waiting to be seen
	}
}

// Finish says that all operations have come. The push goes on by itself: see
// Done.
func (p *Push) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	notify(p.arrived)
}

// Abort ends a push that was not finished, for the reason given, and returns
// when the commit may be pushed again. After Finish it does nothing.
func (p *Push) Abort(reason error) {
	p.mu.Lock()
	over := p.ended
	p.mu.Unlock()
	if !over {
		p.cancel(reason)
		<-p.done
	}
}

// Done is closed when the push has ended, in whatever way.
func (p *Push) Done() <-chan struct{} { return p.done }

// Err returns why the push failed, once Done is closed; nil if it did not.
func (p *Push) Err() error { return p.err }

// Advanced receives when there is new progress.
func (p *Push) Advanced() <-chan struct{} { return p.advanced }

// Base returns the commit that the push builds on, under the name by which it
// was found; "" for none.
func (p *Push) Base() string { return p.base }

// Task returns the state of the push's task.
func (p *Push) Task() Task { return p.j.Task() }

// Progress returns the counts so far.
func (p *Push) Progress() PushProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PushProgress{Indexed: p.indexed, Seen: p.seen, Skipped: p.j.Task().SkippedTotal}
}

// run embeds what comes, writes the commit at the end, and lets go of
// everything whatever happens.
func (p *Push) run() {
	ix := p.ix
	err := ix.guard(p.work)
	if err != nil && errors.Is(err, contract.ErrClosed) {
		err = errPushCut
	}
	p.mu.Lock()
	p.ended = true
	p.cancel(errPushOver)
	p.b.close()
	p.mu.Unlock()
	p.release()
	p.settled()
	p.d.unlockBranch(p.branch)
	ix.leave(p.d)
	p.j.End(err)
	p.err = err
	close(p.done)
	ix.logTask(p.j.Task(), err, time.Since(p.start))
}

func (p *Push) work() error {
	if p.vecsErr != nil {
		return p.vecsErr
	}
	size := max(p.ix.cfg.Embedder.Batch(), 1)
	if p.b.settings.Dim != 0 {
		size = suppliedBatch // nothing is paid for: what is synced at once is as much as memory bears
	}
	for {
		batch, err := p.next(size)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return p.commit()
		}
		if err := p.embed(batch); err != nil {
			return err
		}
	}
}

// next returns the next texts to embed: a full batch, or what there is when no
// more has come for a while or will come. None are left when it is empty.
func (p *Push) next(size int) ([]piece, error) {
	var late <-chan time.Time // runs while some text waits
	for least := size; ; {
		if err := context.Cause(p.ctx); err != nil {
			return nil, err
		}
		batch, waiting, ended := p.take(least, size)
		if len(batch) > 0 || ended {
			return batch, nil
		}
		if waiting && late == nil {
			late = time.After(linger)
		}
		select {
		case <-p.arrived:
		case <-late:
			least = 1
		case <-p.ctx.Done():
		}
	}
}

// take takes a batch off the texts that wait, if there are enough or no more
// will come. It settles the documents that have all their vectors.
func (p *Push) take(least, most int) (batch []piece, waiting, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
	n := min(len(p.b.pieces), most)
	if n < least && !p.ended {
		return nil, n > 0, false
	}
	batch = slices.Clip(p.b.pieces[:n])
	p.b.pieces = p.b.pieces[n:]
	return batch, false, p.ended
}

// settle places the documents that have all their vectors.
func (p *Push) settle() {
	b := p.b
	n := 0
	for n < len(b.waiting) && b.waiting[n].needs <= p.embedded {
		c := b.waiting[n]
		b.place(c)
		if b.changes[c.entry.Key()] == c {
			p.placed++
		}
		b.waiting[n] = nil
		n++
	}
	b.waiting = b.waiting[n:]
	if now := p.placed + len(b.same); now > p.indexed {
		p.indexed = now
		notify(p.advanced)
	}
}

// embed gets a batch its vectors.
func (p *Push) embed(batch []piece) error {
	if p.b.vecs == nil {
		dim, err := p.ix.dim(p.ctx, p.b.settings, p.b.key)
		if err != nil {
			return err
		}
		vecs, err := p.ix.makeVectors(p.d, p.b.settings, dim)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.b.setVectors(vecs)
		p.mu.Unlock()
	}
	missing, err := p.b.storeSupplied(batch)
	if err == nil {
		err = p.b.embed(p.ctx, missing)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.embedded += len(batch)
	p.settle()
	if p.ended {
		share := shareEmbed * float64(p.embedded) / float64(p.b.issued)
		p.j.Report(func(t *Task) { t.Percentage = share })
	}
	return nil
}

// commit writes the commit: from then on it is there.
func (p *Push) commit() error {
	t := p.Task()
	if p.old != nil {
		if err := p.b.repairBase(p.ctx); err != nil && !errors.Is(err, contract.ErrCorrupt) {
			return err
		}
		if err := p.b.flush(p.ctx); err != nil {
			return err
		}
		if err := p.b.replace(p.ctx, *p.old, false); err != nil {
			return err
		}
	} else {
		h := snapshot.Header{Domain: t.Domain, Commit: t.Commit, Branch: t.Branch, About: p.about, Seq: p.d.State().FreeSeq(firstAbove(p.d.State(), t.Commit, t.Branch))}
		if _, err := p.b.finish(p.ctx, h, false, p.Task); err != nil {
			return err
		}
	}
	p.j.Report(func(t *Task) { t.HeadMoved = p.d.State().Head(t.Branch).Commit == t.Commit })
	p.ix.considerMerge(p.d, t.Commit)
	return nil
}

// endPushCut ends a push that was running when the process ended: as failed,
// unless its commit had been written.
func (ix *Indexer) endPushCut(j *tasks.Job) {
	cut := j.Task()
	if d, err := ix.domain(cut.Domain); err == nil {
		if info, ok := d.State().Commit(cut.Commit); ok {
			j.Report(func(t *Task) {
				t.Documents, t.Base, t.HeadMoved = int(info.Documents), info.Base, true
				t.Indexed, t.Deleted = int(info.Indexed), int(info.Deleted)
				t.Embedded, t.Reused, t.Tokens = int(info.Embedded), int(info.Reused), int(info.Tokens)
			})
			j.End(nil)
			return
		}
	}
	j.End(errPushCut)
}
