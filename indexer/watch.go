package indexer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// Snapshots indexes what a [Watcher] finds: an *Indexer, or a client of a server
// that has one.
type Snapshots interface {
	// Indexed returns a look-up of the commits of a domain that are indexed, or
	// were until they were pruned.
	Indexed(ctx context.Context, domain string) (func(commit string) bool, error)
	// IndexNow indexes a commit and waits for the end of its task. An error
	// says that it could not be asked for, or not be waited for.
	IndexNow(ctx context.Context, req IndexRequest) (Task, error)
	// Assign with one commit as source and target makes it the branch's last
	// indexed one. It is contract.ErrPruned where it was pruned.
	Assign(ctx context.Context, domain, branch, source, target string) error
}

var _ Snapshots = (*Indexer)(nil)

// Indexed implements Snapshots.
func (ix *Indexer) Indexed(_ context.Context, domainName string) (func(commit string) bool, error) {
	return func(commit string) bool {
		d, err := ix.domain(domainName)
		if err != nil {
			return false
		}
		_, ok := d.State().Real(commit)
		return ok || d.State().Pruned(commit)
	}, nil
}

// IndexNow implements Snapshots.
func (ix *Indexer) IndexNow(ctx context.Context, req IndexRequest) (Task, error) {
	t, err := ix.Index(ctx, req)
	if err != nil {
		return Task{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ix.stopCtx, func() { cancel(contract.ErrClosed) })()
	return ix.tasks.Wait(ctx, t.ID)
}

// Followed names what a Watcher follows of one domain.
type Followed struct {
	Domain   string   // org/db
	Branches []string // empty: every branch, whenever it is made
}

// WatchConfig is what a Watcher is made of. Heads, Snapshots and Follow are
// required.
type WatchConfig struct {
	Heads     contract.Heads
	Snapshots Snapshots
	Follow    []Followed
	// Interval is the pause between two looks at a domain's branches; 0:
	// DefaultWatchInterval. After a failure it doubles, up to a minute.
	Interval time.Duration
	Logger   *slog.Logger // nil: nothing is logged
}

// DefaultWatchInterval is the pause between two looks at a domain's branches.
const DefaultWatchInterval = 5 * time.Second

// maxWatchPause bounds the pause after failures.
const maxWatchPause = time.Minute

// Watcher follows branches of document databases and has every new commit
// indexed, oldest first and one at a time per domain.
//
// A branch's new commits are those between its head and the nearest indexed
// ancestor. Of a history of which nothing is indexed, only the head is: the past
// is indexed by who asks for it. A branch's last indexed commit follows its head,
// also when that is reset, or made at a commit that is indexed. A branch that is
// reset or deleted keeps its snapshots, which deleting the branch's index removes.
// What was pruned is not indexed again, unless it becomes a branch's head.
//
// A commit that cannot be indexed for a reason of its own is passed over once
// there is a newer one; a branch's newest commit is tried again, ever less
// often. While the database, the provider or the server is away nothing is
// passed over.
//
// Its methods may be called by many goroutines.
type Watcher struct {
	domains []*watchedDomain
}

// NewWatcher returns a Watcher at rest: Run or Once sets it going.
func NewWatcher(cfg WatchConfig) *Watcher {
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultWatchInterval
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{}
	for _, f := range cfg.Follow {
		w.domains = append(w.domains, &watchedDomain{
			cfg: cfg, Followed: f, log: cfg.Logger.With("domain", f.Domain),
			wake: make(chan struct{}, 1), branches: make(map[string]*watchedBranch),
		})
	}
	return w
}

// Run follows until ctx ends, and then waits until nothing of it is at work.
func (w *Watcher) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, d := range w.domains {
		wg.Go(func() { d.run(ctx) })
	}
	wg.Wait()
}

// Once indexes what is new now. It returns what went wrong, after having tried
// every domain.
func (w *Watcher) Once(ctx context.Context) error {
	var errs []error
	for _, d := range w.domains {
		if err := d.round(ctx); err != nil {
			errs = append(errs, fmt.Errorf("watch %s: %w", d.Domain, err))
		}
	}
	return errors.Join(errs...)
}

// Notify has a domain looked at without delay, because something may have
// happened to the branch ("": to any). It reports whether that is followed.
func (w *Watcher) Notify(domain, branch string) bool {
	followed := false
	for _, d := range w.domains {
		if d.Domain != domain || branch != "" && len(d.Branches) > 0 && !slices.Contains(d.Branches, branch) {
			continue
		}
		followed = true
		select {
		case d.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
	return followed
}

// BranchLag says how far a followed branch's snapshots are behind it.
type BranchLag struct {
	Domain string `json:"domain"`
	Branch string `json:"branch"`
	Head   string `json:"head"` // in the database, when it was last looked at
	// Commits counts the new commits that are not indexed. Seconds is the
	// age of the oldest of them: for so long searches have been behind.
	Commits int     `json:"lag_commits"`
	Seconds float64 `json:"lag_seconds"`
	// Polled is when the branch was last looked at.
	Polled time.Time `json:"polled"`
	// Error is why the domain does not get on at the moment.
	Error string `json:"error,omitempty"`
}

// Lag returns how far every followed branch of a domain, or of all for "", is
// behind, by domain and branch. A domain that could not be looked at yet has one
// row, without a branch.
func (w *Watcher) Lag(domain string) []BranchLag {
	list := []BranchLag{}
	for _, d := range w.domains {
		if domain == "" || d.Domain == domain {
			list = d.lag(list)
		}
	}
	slices.SortStableFunc(list, func(a, b BranchLag) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Branch, b.Branch))
	})
	return list
}

// watchedDomain follows one domain. Its rounds are run by one goroutine.
type watchedDomain struct {
	Followed
	cfg  WatchConfig
	log  *slog.Logger
	wake chan struct{}

	mu       sync.Mutex // guards below
	branches map[string]*watchedBranch
	polled   time.Time
	failure  string
}

// watchedBranch is what is known of a branch. Its head does not change.
type watchedBranch struct {
	head    string
	pending []contract.Ancestor // not indexed, oldest first
	settled bool                // head is the last indexed commit
}

func (d *watchedDomain) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.wake:
		}
		err := d.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
		default:
			failures++
		}
		timer.Reset(watchPause(d.cfg.Interval, failures))
	}
}

// watchPause returns the pause after a number of failures in a row.
func watchPause(interval time.Duration, failures int) time.Duration {
	for ; failures > 0 && interval < maxWatchPause; failures-- {
		interval = min(2*interval, maxWatchPause)
	}
	return interval
}

// round looks at the branches and indexes what is new.
func (d *watchedDomain) round(ctx context.Context) error {
	err := d.survey(ctx)
	if err == nil {
		err = d.catchUp(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	d.mu.Lock()
	changed := text != d.failure
	d.failure = text
	d.mu.Unlock()
	switch {
	case changed && err != nil:
		d.log.Warn("watching does not get on; trying again", "err", text)
	case changed:
		d.log.Info("watching goes on")
	}
	return err
}

// survey asks for the branches' heads and finds out what is new on them.
func (d *watchedDomain) survey(ctx context.Context) error {
	heads, err := d.heads(ctx)
	if err != nil {
		return err
	}
	indexed, err := d.cfg.Snapshots.Indexed(ctx, d.Domain)
	if err != nil {
		return err
	}
	d.mu.Lock()
	known := maps.Clone(d.branches)
	d.mu.Unlock()
	now := make(map[string]*watchedBranch, len(heads))
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		head := heads[name]
		was := known[name]
		if was != nil && was.head == head && was.settled && indexed(head) {
			now[name] = was
			continue
		}
		b := &watchedBranch{head: head}
		if b.pending, err = d.newCommits(ctx, head, indexed); err != nil {
			return fmt.Errorf("branch %s: %w", name, err)
		}
		now[name] = b
		switch {
		case was == nil:
			d.log.Info("following a branch", "branch", name, "head", head, "new", len(b.pending))
		case was.head != head && len(b.pending) == 0:
			d.log.Info("a branch was moved to an indexed commit", "branch", name, "head", head, "from", was.head)
		}
	}
	for name := range known {
		if now[name] == nil {
			d.log.Info("a branch is gone; its snapshots stay", "branch", name)
		}
	}
	d.mu.Lock()
	d.branches, d.polled = now, time.Now()
	d.mu.Unlock()
	return nil
}

// heads returns the heads of the followed branches that are there.
func (d *watchedDomain) heads(ctx context.Context) (map[string]string, error) {
	if len(d.Branches) == 0 {
		return d.cfg.Heads.Heads(ctx, d.Domain)
	}
	heads := make(map[string]string, len(d.Branches))
	for _, name := range d.Branches {
		head, err := d.cfg.Heads.Head(ctx, d.Domain, name)
		if errors.Is(err, contract.ErrNotFound) && len(d.Branches) > 1 {
			continue // or it has not been made yet
		}
		if err != nil {
			return nil, err
		}
		if head != "" {
			heads[name] = head
		}
	}
	return heads, nil
}

// newCommits returns the commits from the nearest indexed ancestor, which it
// leaves out, to the head; the head alone where there is none.
func (d *watchedDomain) newCommits(ctx context.Context, head string, indexed func(string) bool) ([]contract.Ancestor, error) {
	var list []contract.Ancestor
	for a, err := range d.cfg.Heads.Ancestry(ctx, d.Domain, head) {
		if err != nil {
			return nil, err
		}
		if indexed(a.Commit) {
			slices.Reverse(list)
			return list, nil
		}
		list = append(list, a)
	}
	return list[:min(1, len(list))], nil
}

// catchUp indexes the new commits of all branches, main first.
func (d *watchedDomain) catchUp(ctx context.Context) error {
	d.mu.Lock()
	branches := maps.Clone(d.branches)
	d.mu.Unlock()
	names := slices.Sorted(maps.Keys(branches))
	if i := slices.Index(names, contract.MainBranch); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, contract.MainBranch)
	}
	var errs []error
	done := make(map[string]bool) // commits that a branch before had too
	for _, name := range names {
		err := d.indexNew(ctx, name, branches[name], done)
		if isAway(err) {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// indexNew indexes the new commits of a branch. It goes on after one that cannot
// be indexed; the error is that of the last, the head. Then it sees to it that
// the head is the branch's last indexed commit: one that was indexed before, on
// another branch or before a reset, is not by itself.
func (d *watchedDomain) indexNew(ctx context.Context, branch string, b *watchedBranch, done map[string]bool) error {
	var failure error
	list := b.pending
	for i, a := range list {
		var err error
		if !done[a.Commit] {
			err = d.index(ctx, branch, a.Commit)
		}
		if isAway(err) || ctx.Err() != nil {
			return err
		}
		if failure != nil {
			d.log.Error("a commit is passed over", "branch", branch, "err", failure)
		}
		if failure = err; err == nil {
			done[a.Commit] = true
			d.mu.Lock()
			b.pending = list[i+1:]
			d.mu.Unlock()
		}
	}
	if failure != nil || b.settled {
		return failure
	}
	err := d.cfg.Snapshots.Assign(ctx, d.Domain, branch, b.head, b.head)
	if errors.Is(err, contract.ErrPruned) {
		// A branch was made at it, or moved to it: it is needed again.
		if err := d.index(ctx, branch, b.head); err != nil {
			return err
		}
		err = d.cfg.Snapshots.Assign(ctx, d.Domain, branch, b.head, b.head)
	}
	if err != nil {
		return fmt.Errorf("last indexed commit of branch %s: %w", branch, err)
	}
	b.settled = true
	return nil
}

func (d *watchedDomain) index(ctx context.Context, branch, commit string) error {
	t, err := d.cfg.Snapshots.IndexNow(ctx, IndexRequest{Domain: d.Domain, Commit: commit, Branch: branch})
	switch {
	case err != nil:
		return fmt.Errorf("index %s: %w", commit, err)
	case t.State != TaskComplete:
		return fmt.Errorf("index %s: %w", commit, &taskError{t.ErrorCode, t.Error})
	}
	return nil
}

// taskError is the end of a task that failed.
type taskError struct{ code, text string }

func (e *taskError) Error() string { return e.text }

// Unwrap returns the error that the code names.
func (e *taskError) Unwrap() error { return contract.FromCode(e.code) }

// isAway reports whether err does not concern a commit, but what indexing takes:
// the database, the provider, the server, the way to it. Only errors known to
// come from the commit itself let it be passed over, because a commit passed
// over is not indexed until it is requested: a task that failed without a code, a
// request that is invalid, names nothing, contradicts what is stored, or met
// damage.
func isAway(err error) bool {
	if err == nil {
		return false
	}
	for _, own := range []error{contract.ErrInvalid, contract.ErrNotFound, contract.ErrConflict, contract.ErrCorrupt, contract.ErrPruned} {
		if errors.Is(err, own) {
			return false
		}
	}
	var task *taskError
	return !errors.As(err, &task) || errors.Unwrap(task) != nil
}

// lag appends how far the domain's branches are behind.
func (d *watchedDomain) lag(list []BranchLag) []BranchLag {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.branches) == 0 {
		return append(list, BranchLag{Domain: d.Domain, Polled: d.polled, Error: d.failure})
	}
	for name, b := range d.branches {
		row := BranchLag{Domain: d.Domain, Branch: name, Head: b.head, Commits: len(b.pending), Polled: d.polled, Error: d.failure}
		if len(b.pending) > 0 && !b.pending[0].Time.IsZero() {
			// The clocks of two machines need not agree.
			row.Seconds = max(time.Since(b.pending[0].Time).Seconds(), 0)
		}
		list = append(list, row)
	}
	return list
}
