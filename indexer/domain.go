package indexer

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// domain is a domain as its writer sees it.
type domain struct {
	*search.Domain

	// rewriting is held while a merge writes its file, and by what removes
	// commits, so that nothing of them is left in one. It is taken before an
	// Update.
	rewriting sync.Mutex
	// unlooked counts the commits since retention has looked at the domain.
	unlooked atomic.Int64

	state sync.Mutex // guards all below
	// whole holds the commits that this process has written or looked over,
	// and how many damaged vectors it knew of then.
	whole map[string]int
	// agreed is what running tasks go by, nil while none does.
	agreed *agreement
	// pushing holds the branches that a push is at work on; the channel is
	// closed when it has ended.
	pushing map[string]chan struct{}
	// merging is the commit whose file is being merged, "" for none.
	merging string
	// going are commits that were pruned and whose files are being removed.
	going map[string]struct{}
}

// writers holds the writer's view of the domains in use. It is guarded by its
// lock.
type writers struct {
	mu      sync.Mutex
	domains map[*search.Domain]*domain
}

// of returns the writer's view of a domain.
func (t *writers) of(d *search.Domain) *domain {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.domains[d]
	if w == nil {
		w = &domain{Domain: d, whole: make(map[string]int), pushing: make(map[string]chan struct{})}
		t.domains[d] = w
	}
	return w
}

func (t *writers) forget(d *search.Domain) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.domains, d)
}

// domain returns the named domain, or ErrNotFound where nothing is indexed.
func (ix *Indexer) domain(name string) (*domain, error) {
	d, err := ix.Domains().Domain(name)
	if err != nil {
		return nil, err
	}
	return ix.targets.of(d), nil
}

// enter returns the named domain, created if need be, and keeps it until leave.
// Only what is about to write calls it: reads never create a domain.
func (ix *Indexer) enter(name string) *domain { return ix.targets.of(ix.Domains().Enter(name)) }

// leave ends what enter began.
func (ix *Indexer) leave(d *domain) {
	if ix.Domains().Leave(d.Domain) {
		ix.targets.forget(d.Domain)
	}
}

// write has the file of a commit written, a new one or one in the place of what
// stands under its name, and makes it known. It is part of an Update.
func (d *domain) write(tx *catalog.Tx, commit string, write func() (snapshot.Info, error)) (snapshot.Info, error) {
	if d.isGoing(commit) {
		return snapshot.Info{}, fmt.Errorf("%w: commit %s of %s is being pruned: try again", contract.ErrBusy, commit, d.Name())
	}
	_, there := tx.State().Commit(commit)
	if there {
		if err := tx.BeginReplace(commit); err != nil {
			return snapshot.Info{}, catalog.StoreError(err)
		}
	}
	info, err := write()
	if err != nil {
		return snapshot.Info{}, catalog.StoreError(err)
	}
	if there {
		d.Clear(info.Name())
		return info, tx.Replace(info)
	}
	return info, tx.Put(info)
}

// isVerified reports whether this process has written the commit or looked it
// over, and knows of no damage to it since.
func (d *domain) isVerified(info snapshot.Info) bool {
	d.state.Lock()
	slots, looked := d.whole[info.Commit]
	d.state.Unlock()
	if !looked || d.IsSuspect(info.Name()) {
		return false
	}
	if info.SlotEnd == 0 {
		return true
	}
	store, recovered := d.Current()
	return recovered && len(store.Damaged()) == slots
}

// damages returns how many vectors are known to be damaged.
func (d *domain) damages() int {
	if store, _ := d.Current(); store != nil {
		return len(store.Damaged())
	}
	return 0
}

// setVerified notes that the commit is whole, up to the vectors that were known to
// be damaged when it was begun or looked over: it does without them.
func (d *domain) setVerified(info snapshot.Info, damages int) {
	d.Clear(info.Name())
	d.state.Lock()
	defer d.state.Unlock()
	d.whole[info.Commit] = damages
}

// writableVectors returns the domain's vectors ready to be appended to.
func (d *domain) writableVectors(want vecstore.Config) (*vecstore.Store, error) {
	return d.Writable(want, d.State().SlotEnd())
}

// setGoing notes the commits whose files are being removed, nil for none. Until they
// are, no commit comes back under one of their names.
func (d *domain) setGoing(infos []snapshot.Info) {
	d.state.Lock()
	defer d.state.Unlock()
	d.going = make(map[string]struct{}, len(infos))
	for _, info := range infos {
		d.going[info.Commit] = struct{}{}
	}
}

func (d *domain) isGoing(commit string) bool {
	d.state.Lock()
	defer d.state.Unlock()
	_, going := d.going[commit]
	return going
}

// setMerging notes the commit whose file is being merged, "" for none.
func (d *domain) setMerging(commit string) {
	d.state.Lock()
	defer d.state.Unlock()
	d.merging = commit
}

// mergeOf returns the commit whose file is being merged, "" for none: what is
// written meanwhile keeps it in its chain, or the merge would be of no use.
func (d *domain) mergeOf() string {
	d.state.Lock()
	defer d.state.Unlock()
	return d.merging
}

// tryBranch takes the branch, or returns what is closed when it may be free.
func (d *domain) tryBranch(name string) chan struct{} {
	d.state.Lock()
	defer d.state.Unlock()
	if busy := d.pushing[name]; busy != nil {
		return busy
	}
	d.pushing[name] = make(chan struct{})
	return nil
}

func (d *domain) unlockBranch(name string) {
	d.state.Lock()
	defer d.state.Unlock()
	close(d.pushing[name])
	delete(d.pushing, name)
}

// branchesPushed returns the number of branches that pushes are at work on.
func (d *domain) branchesPushed() int {
	d.state.Lock()
	defer d.state.Unlock()
	return len(d.pushing)
}

// makeVectors returns the domain's vectors ready to be appended to, created if
// need be.
func (ix *Indexer) makeVectors(d *domain, settings catalog.Settings, dim int) (*vecstore.Store, error) {
	return d.writableVectors(ix.vecsConfig(d, settings, dim))
}

// ownVectors returns the domain's vectors ready to be looked up and appended
// to, if it has any; nil otherwise. Those of another model are ErrConflict.
func (ix *Indexer) ownVectors(d *domain, settings catalog.Settings) (*vecstore.Store, error) {
	s, err := d.Readable()
	if errors.Is(err, contract.ErrCorrupt) {
		// The header is damaged; the commits know what it said.
		for info := range d.State().Newest() {
			if info.SlotEnd > 0 {
				return d.writableVectors(vectorsOf(d, info))
			}
		}
	}
	if err != nil || s == nil {
		return nil, err
	}
	return d.writableVectors(ix.vecsConfig(d, settings, s.Dim()))
}
