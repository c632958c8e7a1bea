package indexer

import (
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// mergeWorkers is the most domains that are merged at once.
const mergeWorkers = 2

// mergeRequest names a commit whose file may have to be rewritten, or without one a
// domain whose commits are to be looked at by [Config.Retention].
type mergeRequest struct{ domain, commit string }

// schedule holds the merges that are due: a set for each domain, so that asking
// twice is asking once, nothing is dropped however many are asked for, and one
// domain's never keep another's waiting. The domain that waits longest is next,
// and of one domain a single merge runs at a time. The set lives in memory: what
// is due is found again at a start and by searches.
type schedule struct {
	mu      sync.Mutex                     // guards all below
	due     map[string]map[string]struct{} // commits, by domain
	order   []string                       // domains with due commits and no merge running
	running map[string]bool
	count   int           // due and running
	wake    chan struct{} // receives once for every domain put into order
}

func newSchedule() *schedule {
	return &schedule{due: make(map[string]map[string]struct{}), running: make(map[string]bool), wake: make(chan struct{}, 1)}
}

// add makes a merge due.
func (s *schedule) add(req mergeRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	commits := s.due[req.domain]
	if commits == nil {
		commits = make(map[string]struct{})
		s.due[req.domain] = commits
		if !s.running[req.domain] {
			s.queue(req.domain)
		}
	}
	if _, ok := commits[req.commit]; !ok {
		commits[req.commit] = struct{}{}
		s.count++
	}
}

// queue puts a domain into the order. Called with s.mu held.
func (s *schedule) queue(domain string) {
	s.order = append(s.order, domain)
	notify(s.wake)
}

// next takes a merge that is due, and reports whether there is one. The caller
// ends it by done.
func (s *schedule) next() (req mergeRequest, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return mergeRequest{}, false
	}
	domain := s.order[0]
	s.order = s.order[1:]
	if len(s.order) > 0 {
		notify(s.wake) // another worker may take it
	}
	commits := s.due[domain]
	for commit := range commits {
		req = mergeRequest{domain, commit}
		break
	}
	delete(commits, req.commit)
	if len(commits) == 0 {
		delete(s.due, domain)
	}
	s.running[domain] = true
	return req, true
}

// done ends a merge that next returned.
func (s *schedule) done(req mergeRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	delete(s.running, req.domain)
	if len(s.due[req.domain]) > 0 {
		s.queue(req.domain)
	}
}

// pending returns the number of merges that are due or running.
func (s *schedule) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Merging returns the number of merges that are due or running.
func (ix *Indexer) Merging() int { return ix.merges.pending() }

// considerMerge makes a merge of a commit just written due if it needs one, or
// if its full text is so large that the first search should not wait for it.
// Commits wait for neither.
func (ix *Indexer) considerMerge(d *domain, commit string) {
	ix.considerRetention(d)
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		ix.log.Error("commit just written cannot be opened", "domain", d.Name(), "commit", commit, "err", err)
		return
	}
	defer s.Release()
	if ix.mergePlan(s).due() || largeText(s) {
		ix.merges.add(mergeRequest{d.Name(), s.Commit()})
	}
}

// considerOpened makes a merge due of a snapshot that was brought into memory: a
// branch's head that needs one, whose merge was lost when the process ended, or
// a file whose own graph cannot be read. Other old commits stay as they are.
func (ix *Indexer) considerOpened(s *search.Snapshot) {
	if !ix.mergePlan(s).due() {
		return
	}
	own := s.Own().Header().Kind == snapshot.Checkpoint
	if own || ix.isHead(s.Domain(), s.Commit()) {
		ix.merges.add(mergeRequest{s.Domain().Name(), s.Commit()})
	}
}

// isHead reports whether the commit is some branch's last indexed one.
func (ix *Indexer) isHead(d *search.Domain, commit string) bool {
	for _, h := range d.State().Heads() {
		if info, ok := d.State().Real(h.Commit); ok && info.Commit == commit {
			return true
		}
	}
	return false
}

// findMerges makes due what was lost when the last process ended: retention, and merges. It
// goes by what headers say: only heads that may need a graph are opened, by the
// workers.
func (ix *Indexer) findMerges() {
	for _, d := range ix.Domains().List("") {
		if ix.cfg.Retention != nil {
			ix.dueRetention(d.Name())
		}
		for _, h := range d.State().Heads() {
			if info, ok := d.State().Real(h.Commit); ok && int(info.Chunks) >= ix.cfg.Graph.MinVectors {
				ix.merges.add(mergeRequest{d.Name(), info.Commit})
			}
		}
	}
}

// mergeLoop runs merges one after another until the indexer stops.
func (ix *Indexer) mergeLoop() {
	for {
		for req, ok := ix.merges.next(); ok; req, ok = ix.merges.next() {
			if ix.stopCtx.Err() != nil {
				return
			}
			if req.commit == "" {
				if err := ix.guard(func() error { return ix.retain(req.domain) }); err != nil && ix.stopCtx.Err() == nil {
					ix.log.Error("commits that need not stay cannot be pruned", "domain", req.domain, "err", err)
				}
				ix.merges.done(req)
				continue
			}
			start := time.Now()
			merged := false
			err := ix.guard(func() (err error) {
				merged, err = ix.merge(ix.stopCtx, req)
				return err
			})
			if ix.cfg.Observer != nil && (merged || err != nil) && ix.stopCtx.Err() == nil {
				ix.cfg.Observer.Merged(time.Since(start), err)
			}
			if err == nil {
				err = ix.guard(func() error { return ix.prepareText(req) })
			}
			switch {
			case ix.stopCtx.Err() != nil:
				return
			case err != nil:
				ix.log.Error("merge failed; searches go on without it", "domain", req.domain, "commit", req.commit, "err", err)
			case merged:
				ix.log.Info("merged", "domain", req.domain, "commit", req.commit, "dur_ms", time.Since(start).Milliseconds())
			}
			ix.merges.done(req)
		}
		select {
		case <-ix.merges.wake:
		case <-ix.stopCtx.Done():
			return
		}
	}
}
