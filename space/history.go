package space

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Commit describes a commit of a space.
type Commit struct {
	Commit  string    `json:"commit"`
	Parent  string    `json:"parent,omitempty"`
	Time    time.Time `json:"time"`
	Set     int       `json:"set"`
	Deleted int       `json:"deleted"`
	Keys    int       `json:"keys"` // at the commit
	contract.About
}

// ancestry yields the commits that lead to one, the newest first. A branch's first
// commit may be another name of the one it was made from; that is passed over.
func ancestry(state *catalog.State, commit string) func(yield func(snapshot.Info) bool) {
	return func(yield func(snapshot.Info) bool) {
		for commit != "" {
			info, ok := state.Commit(commit)
			if !ok {
				return // pruned
			}
			if info.Kind != snapshot.Alias && !yield(info) {
				return
			}
			commit = info.Base
		}
	}
}

// commitAt returns the commit that is the last one at a place, "" for none.
func (sp *Space) commitAt(at At) string {
	if at.Branch != "" {
		return sp.last(at.Branch)
	}
	return at.Commit
}

// Log returns the commits that lead to a place, the newest first, at most limit, and
// whether there are more.
func (sp *Space) Log(at At, limit int) (log []Commit, more bool) {
	state := sp.state()
	log = []Commit{}
	if state == nil {
		return log, false
	}
	for info := range ancestry(state, sp.commitAt(at)) {
		if len(log) == limit {
			return log, true
		}
		log = append(log, Commit{info.Commit, info.Base, time.Unix(info.Created, 0).UTC(), int(info.Indexed), int(info.Deleted), int(info.Documents), info.Said()})
	}
	return log, false
}

// Difference is a key that does not have the same item at two places.
type Difference struct {
	Key    Key
	Change search.Change
	// Distance is between the vectors before and after, of a key that is changed.
	Distance *float32
}

// Diff calls use with the differences between two references, by ascending key.
// Writes that are in no commit are committed before, if a branch is named.
func (sp *Space) Diff(ctx context.Context, from, to string, use func(func(yield func(Difference, error) bool)) error) error {
	var views [2]*view
	for i, ref := range []string{from, to} {
		at, err := sp.Resolve(ref)
		if err == nil && at.Branch != "" && !sp.s.cfg.ReadOnly {
			_, err = sp.Commit(ctx, at)
		}
		v := sp.past()
		if err == nil {
			err = v.open(ctx, at)
		}
		if err != nil {
			return err
		}
		defer v.release()
		views[i] = v
	}
	a, b := views[0].base, views[1].base
	return use(func(yield func(Difference, error) bool) {
		for x, y := range search.Differing(a, b) {
			if err := context.Cause(ctx); err != nil {
				yield(Difference{}, err)
				return
			}
			var d Difference
			var err error
			switch {
			case x == nil:
				d = Difference{Key: y.Key(), Change: search.Added}
			case y == nil:
				d = Difference{Key: x.Key(), Change: search.Removed}
			default:
				d = Difference{Key: y.Key(), Change: search.Changed}
				if d.Distance, err = search.Shift(a, x, b, y); d.Distance != nil {
					*d.Distance = sp.schema.distance(*d.Distance)
				}
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	})
}

// Branches returns the branches of the space.
func (sp *Space) Branches() []BranchInfo {
	names := []BranchInfo{}
	if state := sp.state(); state != nil {
		for _, h := range state.Heads() {
			names = append(names, BranchInfo{Branch: h.Branch, Head: h.Commit})
		}
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	main := false
	for i := range names {
		main = main || names[i].Branch == contract.MainBranch
		if h := sp.heads[names[i].Branch]; h != nil {
			names[i].Pending = h.tail.Len()
		}
	}
	if !main {
		first := BranchInfo{Branch: contract.MainBranch}
		if h := sp.heads[contract.MainBranch]; h != nil {
			first.Pending = h.tail.Len()
		}
		names = append([]BranchInfo{first}, names...)
	}
	return names
}

// BranchInfo describes a branch.
type BranchInfo struct {
	Branch  string `json:"branch"`
	Head    string `json:"head,omitempty"`
	Pending int    `json:"pending"`
}

// MakeBranch makes a branch of what is at a place. The branch's first commit is another
// name of that commit.
func (sp *Space) MakeBranch(ctx context.Context, at At, branch string) error {
	if sp.s.cfg.ReadOnly {
		return contract.ErrReadOnly
	}
	if branch == "" || len(branch) > contract.MaxRefBytes || checkName(branch) != nil || strings.Contains(branch, "~") {
		return invalid("the name of a branch is UTF-8 of 1 to %d bytes, without @ and ~", contract.MaxRefBytes)
	}
	if at.Branch != "" {
		if _, err := sp.Commit(ctx, at); err != nil {
			return err
		}
	}
	from := sp.commitAt(at)
	if from == "" {
		return fmt.Errorf("%w: space %s has no commit yet to branch from", contract.ErrConflict, sp.name)
	}
	if sp.last(branch) != "" {
		return fmt.Errorf("%w: space %s has a branch %s", contract.ErrConflict, sp.name, branch)
	}
	if sp.state().Has(branch) {
		return fmt.Errorf("%w: %s is the name of a commit or tag of space %s", contract.ErrConflict, branch, sp.name)
	}
	sp.mu.Lock()
	id := sp.commitID(branch)
	sp.mu.Unlock()
	return sp.s.cfg.Service.Assign(ctx, sp.name, branch, from, id)
}

// Conflict is a key that two branches changed, each in its own way.
type Conflict struct {
	Key    Key
	Ours   string // the commit that changed it last, on the branch merged into
	Theirs string
	Kept   string // ours or theirs: the later of the two
}

// Merge brings what a branch has changed, since it and another parted, into the other,
// by a commit of its own. Of a key that both changed the later change counts.
func (sp *Space) Merge(ctx context.Context, into At, from string) (commit string, conflicts []Conflict, err error) {
	theirAt, err := sp.Resolve(from)
	if err != nil {
		return "", nil, err
	}
	into.Said.Message = cmp.Or(into.Said.Message, "merge of "+from)
	mineAt, otherAt := sp.pending(into.Branch), sp.pending(theirAt.Branch)
	if theirAt.Branch != "" {
		if _, err := sp.Commit(ctx, theirAt); err != nil {
			return "", nil, err
		}
	}
	b, err := sp.Bulk(ctx, into)
	if err != nil {
		return "", nil, err
	}
	defer b.Abort()
	ours, theirs := sp.commitAt(into), sp.commitAt(theirAt)
	if ours == "" || theirs == "" {
		return "", nil, fmt.Errorf("%w: a branch without commits cannot be merged", contract.ErrConflict)
	}
	state := sp.state()
	base := commonAncestor(state, ours, theirs)
	if base == "" {
		return "", nil, fmt.Errorf("%w: %s and %s have no commit in common (it may have been pruned)", contract.ErrConflict, into.Branch, from)
	}
	var views [3]*view
	for i, c := range []string{base, ours, theirs} {
		views[i] = sp.past()
		if err := views[i].open(ctx, At{Commit: c}); err != nil {
			return "", nil, err
		}
		defer views[i].release()
	}
	for old, now := range search.Differing(views[0].base, views[2].base) {
		if err := context.Cause(ctx); err != nil {
			return "", nil, err
		}
		k := keyOf(old, now)
		before, hadIt := views[0].base.View().LookupKey(k)
		mine, haveIt := views[1].base.View().LookupKey(k)
		if sameEntry(mine, haveIt, now, now != nil) {
			continue // both did the same
		}
		if !sameEntry(before, hadIt, mine, haveIt) {
			c, err := sp.decide(ctx, state, k, base, ours, theirs)
			if err != nil {
				return "", nil, err
			}
			// Which of two branches was committed last says nothing of what waited.
			if mine, other := mineAt[k], otherAt[k]; mine > other {
				c.Kept = "ours"
			} else if other > mine {
				c.Kept = "theirs"
			}
			conflicts = append(conflicts, c)
			if c.Kept == "ours" {
				continue
			}
		}
		if err := b.take(views[2], k, now); err != nil {
			return "", nil, err
		}
	}
	commit, err = b.Commit()
	return commit, conflicts, err
}

// pending returns the numbers of a branch's writes that are in no commit, by key.
func (sp *Space) pending(branch string) map[Key]uint64 {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	h := sp.heads[branch]
	if h == nil {
		return nil
	}
	numbers := make(map[Key]uint64, h.tail.Len())
	for _, w := range h.tail.Items() {
		numbers[w.key] = w.seq
	}
	return numbers
}

func keyOf(a, b *snapshot.Entry) Key {
	if b != nil {
		return b.Key()
	}
	return a.Key()
}

func sameEntry(a *snapshot.Entry, isA bool, b *snapshot.Entry, isB bool) bool {
	if isA != isB || !isA {
		return isA == isB
	}
	return search.Unchanged(a, b)
}

// take adds what a view has of a key to a Bulk.
func (b *Bulk) take(v *view, k Key, e *snapshot.Entry) error {
	if e == nil {
		return b.Delete(k)
	}
	it, err := v.entry(e)
	if err != nil {
		return err
	}
	return b.m.put(&write{key: k, vector: it.Vector, bare: len(e.Chunks) == 0, fields: e.Fields, text: it.Text})
}

// commonAncestor returns the newest commit that leads to both, "" for none.
func commonAncestor(state *catalog.State, a, b string) string {
	seen := make(map[string]bool)
	for info := range ancestry(state, a) {
		seen[info.Commit] = true
	}
	for info := range ancestry(state, b) {
		if seen[info.Commit] {
			return info.Commit
		}
	}
	return ""
}

// decide says which of two changes to a key is the later.
func (sp *Space) decide(ctx context.Context, state *catalog.State, k Key, base, ours, theirs string) (Conflict, error) {
	c := Conflict{Key: k, Kept: "ours"}
	a, err := sp.changedBy(ctx, state, k, base, ours)
	if err != nil {
		return c, err
	}
	b, err := sp.changedBy(ctx, state, k, base, theirs)
	if err != nil {
		return c, err
	}
	c.Ours, c.Theirs = a.Commit, b.Commit
	if b.Seq > a.Seq {
		c.Kept = "theirs"
	}
	return c, nil
}

// changedBy returns the last commit before and with head, and behind base, that changed a key.
func (sp *Space) changedBy(ctx context.Context, state *catalog.State, k Key, base, head string) (snapshot.Info, error) {
	var last snapshot.Info
	var e *snapshot.Entry
	there, any := false, false
	var held []*view
	defer func() {
		for _, v := range held {
			v.release()
		}
	}()
	for info := range ancestry(state, head) {
		v := sp.past()
		if err := v.open(ctx, At{Commit: info.Commit}); err != nil {
			return last, err
		}
		held = append(held, v)
		if len(held) > 2 {
			held[0].release()
			held = held[1:]
		}
		now, ok := v.base.View().LookupKey(k)
		if any && !sameEntry(e, there, now, ok) {
			return last, nil
		}
		last, e, there, any = info, now, ok, true
		if info.Commit == base {
			break
		}
	}
	return last, nil
}

// Revert makes a commit by which a branch is again what is at a reference.
func (sp *Space) Revert(ctx context.Context, at At, to string) (string, error) {
	target, err := sp.Resolve(to)
	if err != nil {
		return "", err
	}
	at.Said.Message = cmp.Or(at.Said.Message, "revert to "+to)
	if target.Branch != "" {
		if _, err := sp.Commit(ctx, target); err != nil {
			return "", err
		}
	}
	b, err := sp.Bulk(ctx, at)
	if err != nil {
		return "", err
	}
	defer b.Abort()
	now, then := sp.past(), sp.past()
	if err := errors.Join(now.open(ctx, at), then.open(ctx, target)); err != nil {
		now.release()
		then.release()
		return "", err
	}
	defer now.release()
	defer then.release()
	for a, e := range search.Differing(now.base, then.base) {
		if err := b.take(then, keyOf(a, e), e); err != nil {
			return "", err
		}
	}
	return b.Commit()
}
