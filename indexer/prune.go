package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// MaxKeepDaily bounds the days of a PruneRequest.
const MaxKeepDaily = 100_000

// PruneRequest says which commits of a domain to keep; it must name some.
type PruneRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	// KeepLast is the number of commits to keep on each branch, the last ones.
	KeepLast int `param:"keep_last" least:"0" help:"Keep the last N commits of each branch."`
	// KeepDaily is the number of days, today's included, of which the last commit
	// on each branch is kept. Days are UTC's, commits are of the day on which they
	// were indexed.
	KeepDaily int `param:"keep_daily" least:"0" most:"100000" placeholder:"DAYS" help:"Keep each branch's last commit of each of the last days."`
	// Keep names commits to keep besides.
	Keep []string `param:"keep" placeholder:"COMMIT" help:"Keep this commit; may be repeated."`
	// Apply has the others removed; else it is said what would be removed.
	Apply bool `param:"apply" name:"yes" help:"Remove them; else they are only listed."`
	// Most bounds how many go, the newest first, of those that are not kept; 0: all.
	Most int
}

// Pruning says what a Prune has removed, or would.
type Pruning struct {
	Applied bool           `json:"applied"`
	Commits []PrunedCommit `json:"commits"` // newest first
	Bytes   int64          `json:"bytes"`   // of their files
	Kept    int            `json:"kept"`    // commits
}

// PrunedCommit is a commit that goes.
type PrunedCommit struct {
	Commit  string    `json:"commit"`
	Branch  string    `json:"branch"`
	Created time.Time `json:"created"`
	Bytes   int64     `json:"bytes"` // of its file and its full text
}

// Prune removes the commits of a domain that a request does not keep, or says
// which these are. Kept besides are the branches' last indexed commits, what is
// tagged under any of its names, what marks and kept aliases stand for, what running tasks build on or
// make, and all whose files these need. Searches go on meanwhile; they answer
// ErrPruned for a commit that has gone, until it is indexed or pushed again.
//
// It is durable when it returns. After an error, or a crash before that, some of
// the commits are gone and the others are as they were.
func (ix *Indexer) Prune(_ context.Context, req PruneRequest) (Pruning, error) {
	if ix.stopCtx.Err() != nil {
		return Pruning{}, contract.ErrClosed
	}
	if err := req.check(); err != nil {
		return Pruning{}, err
	}
	d, err := ix.domain(req.Domain)
	if err != nil {
		return Pruning{}, err
	}
	if !req.Apply {
		_, p, err := ix.planPruning(d.State(), req)
		return p, err
	}
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	var going []snapshot.Info
	var p Pruning
	err = d.Update(func(tx *catalog.Tx) (err error) {
		// In the Update: a task chooses what it builds on in one.
		if going, p, err = ix.planPruning(tx.State(), req); err != nil {
			return err
		}
		d.setGoing(going)
		return catalog.StoreError(tx.Prune(ids(going)...))
	})
	if err != nil {
		d.setGoing(nil)
	} else {
		// Not in that one: there may be many, and commits go on meanwhile.
		err = ix.removeFiles(d, d.Update, going)
	}
	if err != nil {
		return Pruning{}, err
	}
	p.Applied = true
	if ix.cfg.Observer != nil {
		ix.cfg.Observer.Pruned(len(p.Commits), p.Bytes)
	}
	ix.log.Info("commits pruned", "domain", req.Domain, "commits", len(p.Commits), "bytes", p.Bytes)
	return p, nil
}

func (req *PruneRequest) check() error {
	if req.KeepLast < 0 || req.KeepDaily < 0 || req.KeepDaily > MaxKeepDaily {
		return fmt.Errorf("%w: keep_last must be at least 0, keep_daily 0 to %d", contract.ErrInvalid, MaxKeepDaily)
	}
	if req.KeepLast == 0 && req.KeepDaily == 0 && len(req.Keep) == 0 {
		return fmt.Errorf("%w: say what to keep: keep_last, keep_daily or keep", contract.ErrInvalid)
	}
	for _, c := range req.Keep {
		if err := checkRef("keep", c); err != nil {
			return err
		}
	}
	return nil
}

// planPruning returns the commits that go, newest first, and tells of them.
func (ix *Indexer) planPruning(state *catalog.State, req PruneRequest) ([]snapshot.Info, Pruning, error) {
	kept, err := ix.keeps(state, req)
	if err != nil {
		return nil, Pruning{}, err
	}
	var going []snapshot.Info
	p := Pruning{Commits: []PrunedCommit{}}
	for info := range state.Newest() {
		if kept[info.Commit] || req.Most > 0 && len(going) == req.Most {
			if !info.Tag && !catalog.IsMark(info) {
				p.Kept++
			}
			continue
		}
		text, err := sizeOf(ix.cfg.FS, textindex.FileName(info.Domain, info.Commit))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, Pruning{}, catalog.StoreError(err)
		}
		going = append(going, info)
		c := PrunedCommit{Commit: info.Commit, Branch: info.Branch, Created: time.Unix(info.Created, 0).UTC(), Bytes: info.Size + text}
		p.Commits = append(p.Commits, c)
		p.Bytes += c.Bytes
	}
	return going, p, nil
}

// keeps returns the commits to keep, tags and marks among them.
func (ix *Indexer) keeps(state *catalog.State, req PruneRequest) (map[string]bool, error) {
	kept := make(map[string]bool)
	keep := func(commit string) {
		// What it stands on, down to a checkpoint or what is kept already.
		for info, ok := state.Commit(commit); ok && !kept[info.Commit]; info, ok = state.Commit(info.On) {
			kept[info.Commit] = true
		}
	}
	for _, commit := range req.Keep {
		if !state.Has(commit) {
			return nil, fmt.Errorf("keep: %w", state.Missing(commit))
		}
		keep(commit)
	}
	for _, commit := range ix.tasks.Uses(req.Domain) {
		keep(commit)
	}
	for _, h := range state.Heads() {
		keep(h.Commit)
	}
	for tag := range state.Tags() {
		// It may have been given to any of the commit's names.
		for name := range state.Children(tag.Base) {
			if name.Kind == snapshot.Alias {
				keep(name.Commit)
			}
		}
	}
	type day struct {
		branch string
		n      int64
	}
	last, daily := make(map[string]int), make(map[day]bool)
	since := int64(math.MaxInt64)
	if req.KeepDaily > 0 {
		since = dayOf(now().Unix()) - int64(req.KeepDaily) + 1
	}
	for info := range state.Newest() {
		switch {
		case info.Tag, catalog.IsMark(info):
			keep(info.Commit)
			continue
		case info.Branch == "":
			continue
		}
		if last[info.Branch]++; last[info.Branch] <= req.KeepLast {
			keep(info.Commit)
		}
		if on := (day{info.Branch, dayOf(info.Created)}); on.n >= since && !daily[on] {
			daily[on] = true
			keep(info.Commit)
		}
	}
	return kept, nil
}

// dayOf returns the number of the UTC day of a time in Unix seconds.
func dayOf(seconds int64) int64 {
	const length = 24 * 60 * 60
	n := seconds / length
	if seconds%length < 0 {
		n--
	}
	return n
}
