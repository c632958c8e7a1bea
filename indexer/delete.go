package indexer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// The reasons of tasks that a deletion cuts short.
var (
	errDomainDeleted = fmt.Errorf("%w: the domain was deleted meanwhile", contract.ErrConflict)
	errBranchDeleted = fmt.Errorf("%w: the branch's index, or what the commit builds on, was deleted meanwhile", contract.ErrConflict)
)

// DeleteDomain removes every commit of a domain and ends its running tasks. Its
// vectors stay, so that what is indexed again costs nothing, and so do decisions,
// which people have made, unless purge is set. What is not there is deleted already. It is durable when it returns;
// after a crash before that, some of the newest commits may be gone.
func (ix *Indexer) DeleteDomain(_ context.Context, domain string, purge bool) error {
	if ix.stopCtx.Err() != nil {
		return contract.ErrClosed
	}
	d := ix.enter(domain)
	defer ix.leave(d)
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	return d.Update(func(tx *catalog.Tx) error {
		infos := slices.Collect(tx.State().Newest())
		if err := tx.Remove(ids(infos)...); err != nil {
			return catalog.StoreError(err)
		}
		d.forgetSettings()
		// After the removal: a task that starts from here on finds nothing to
		// build on, and those that began before end.
		ix.cancelTasks(domain, func(Task, string) bool { return true }, errDomainDeleted)
		if err := ix.removeFiles(d, within(tx), infos); err != nil {
			return err
		}
		if err := tx.ForgetPruned(); err != nil {
			return err
		}
		if !purge {
			return nil
		}
		if err := tx.ForgetDecisions(); err != nil {
			return err
		}
		return ix.removeVectors(d, tx)
	})
}

// ids returns the names of commits.
func ids(infos []snapshot.Info) []string {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Commit
	}
	return names
}

// DeleteBranchIndex removes the commits that were indexed on a branch, and ends
// the running tasks that make such or build on one. Commits of other branches
// that build on one get files of their own before, and so do tagged ones, which are
// on no branch then, under all of their names. The branch has then no last indexed
// commit. Durability is as for DeleteDomain.
func (ix *Indexer) DeleteBranchIndex(_ context.Context, domain, branch string) error {
	if ix.stopCtx.Err() != nil {
		return contract.ErrClosed
	}
	if err := checkRef("branch", branch); err != nil {
		return err
	}
	d := ix.enter(domain)
	defer ix.leave(d)
	freed, err := ix.removeBranch(d, branch)
	for _, commit := range freed {
		ix.considerMerge(d, commit)
	}
	return err
}

// removeBranch does the work of DeleteBranchIndex, and returns the commits that got
// files of their own.
func (ix *Indexer) removeBranch(d *domain, branch string) (freed []string, err error) {
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	err = d.Update(func(tx *catalog.Tx) error {
		owned, tagged := make(map[string]bool), make(map[string]bool)
		for tag := range tx.State().Tags() {
			tagged[tag.Base] = true
		}
		var infos []snapshot.Info
		for info := range tx.State().NewestOn(branch) {
			named := info.Kind == snapshot.Alias && !catalog.IsMark(info)
			switch {
			case tagged[info.Commit]:
				if err := ix.rewriteAlone(d, tx, info, ""); err != nil {
					return err
				}
				freed = append(freed, info.Commit)
				continue
			case named && tagged[info.Base]: // another name of a tagged commit
				if err := ix.rewrite(d, tx, info, func(v *snapshot.View) (snapshot.Info, error) {
					h := info.Header
					h.Branch = ""
					return v.WriteAlias(ix.cfg.FS, h)
				}); err != nil {
					return err
				}
				continue
			}
			owned[info.Commit] = true
			infos = append(infos, info)
		}
		for _, h := range tx.State().Heads() {
			for mark := range tx.State().Marks(h.Branch) {
				if owned[mark.Base] && !owned[mark.Commit] {
					owned[mark.Commit] = true
					infos = append(infos, mark)
				}
			}
		}
		children, err := ix.standAlone(d, tx, infos)
		freed = append(freed, children...)
		if err != nil {
			return err
		}
		if err := tx.Remove(ids(infos)...); err != nil {
			return catalog.StoreError(err)
		}
		ix.cancelTasks(d.Name(), func(t Task, base string) bool { return t.Branch == branch || owned[base] }, errBranchDeleted)
		return ix.removeFiles(d, within(tx), infos)
	})
	return freed, err
}

// standAlone rewrites the files of others that stand on commits which are going as
// checkpoints of the same contents, so that they need no other file. It returns
// their commits.
func (ix *Indexer) standAlone(d *domain, tx *catalog.Tx, going []snapshot.Info) (freed []string, err error) {
	gone := make(map[string]bool, len(going))
	for _, info := range going {
		gone[info.Commit] = true
	}
	for _, info := range going {
		for child := range tx.State().Children(info.Commit) {
			if gone[child.Commit] || child.Kind == snapshot.Checkpoint || child.On != info.Commit {
				continue
			}
			if err := ix.rewriteAlone(d, tx, child, child.Branch); err != nil {
				return freed, err
			}
			freed = append(freed, child.Commit)
		}
	}
	return freed, nil
}

// rewriteAlone rewrites the file of a commit as a checkpoint of the same contents,
// on that branch.
func (ix *Indexer) rewriteAlone(d *domain, tx *catalog.Tx, info snapshot.Info, branch string) error {
	return ix.rewrite(d, tx, info, func(v *snapshot.View) (snapshot.Info, error) {
		h := info.Header
		h.Branch = branch
		return v.WriteWhole(ix.cfg.FS, h, snapshot.Contents{Skipped: v.Skipped()})
	})
}

// rewrite puts what write makes of a commit's view in the place of its file.
func (ix *Indexer) rewrite(d *domain, tx *catalog.Tx, info snapshot.Info, write func(*snapshot.View) (snapshot.Info, error)) error {
	s, err := ix.Open(ix.stopCtx, d.Domain, info.Commit)
	if err != nil {
		return err
	}
	defer s.Release()
	if _, err := d.write(tx, info.Commit, func() (snapshot.Info, error) { return write(s.View()) }); err != nil {
		return err
	}
	ix.ForgetFile(d.Domain, info)
	return nil
}

// cancelTasks ends running tasks of a domain.
func (ix *Indexer) cancelTasks(domain string, match func(t Task, base string) bool, reason error) {
	if err := ix.tasks.Cancel(domain, match, reason); err != nil {
		// They have ended all the same: after a restart they find nothing
		// to resume, or make their commit again.
		ix.log.Error("states of cancelled tasks were not stored", "domain", domain, "err", err)
	}
}

// within returns an update that is part of the one under way.
func within(tx *catalog.Tx) func(func(*catalog.Tx) error) error {
	return func(change func(*catalog.Tx) error) error { return change(tx) }
}

// removeFiles removes the files of commits that the catalog has forgotten, none
// before those above it. Commits whose files stay are put back into the catalog, in
// an update.
func (ix *Indexer) removeFiles(d *domain, update func(func(*catalog.Tx) error) error, infos []snapshot.Info) (err error) {
	left := make(map[string]snapshot.Info, len(infos))
	standing := make(map[string]int) // on a commit, by its id
	for _, info := range infos {
		left[info.Commit] = info
		if info.Kind != snapshot.Checkpoint {
			standing[info.On]++
		}
	}
	defer func() {
		d.setGoing(nil)
		if len(left) == 0 {
			return
		}
		err = errors.Join(err, update(func(tx *catalog.Tx) (err error) {
			for _, info := range left {
				err = errors.Join(err, tx.Put(info))
			}
			return err
		}))
	}()
	// A round at a time, because removals may reach the disk in any order
	// until the directory is synced. There are as many as a chain has files.
	for len(left) > 0 {
		var round []snapshot.Info
		for commit, info := range left {
			if standing[commit] == 0 {
				round = append(round, info)
			}
		}
		if round == nil { // damaged: a circle
			for _, info := range left {
				round = append(round, info)
			}
		}
		slices.SortFunc(round, func(a, b snapshot.Info) int { return cmp.Compare(b.Seq, a.Seq) })
		for _, info := range round {
			err := ix.removeText(info)
			if err == nil {
				err = ix.cfg.FS.Remove(info.Name())
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("delete commit %s of %s: %w", info.Commit, d.Name(), err)
			}
			ix.ForgetFile(d.Domain, info)
			delete(left, info.Commit)
			if info.Kind != snapshot.Checkpoint {
				standing[info.On]--
			}
		}
		if err := ix.cfg.FS.SyncDir(); err != nil {
			return fmt.Errorf("delete commits of %s: %w", d.Name(), err)
		}
	}
	return nil
}

// removeVectors removes the vectors of a domain without commits. Searches under
// way go on reading them.
func (ix *Indexer) removeVectors(d *domain, tx *catalog.Tx) error {
	if err := d.Retire(nil); err != nil {
		ix.log.Warn("close vectors", "domain", d.Name(), "err", err)
	}
	tx.ForgetSlots()
	err := vecstore.Remove(ix.cfg.FS, d.VecsName())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete the vectors of %s: %w", d.Name(), err)
	}
	if err := ix.cfg.FS.SyncDir(); err != nil {
		return fmt.Errorf("delete the vectors of %s: %w", d.Name(), err)
	}
	return nil
}
