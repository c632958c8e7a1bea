package indexer

import (
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

// moveHead makes an indexed commit the branch's last indexed one. It is durable
// when it returns.
func (ix *Indexer) moveHead(d *domain, branch, commit string) error {
	return d.Update(func(tx *catalog.Tx) error {
		state := tx.State()
		info, ok := state.Real(commit)
		if !ok || catalog.IsMarkName(commit) {
			return state.Missing(commit)
		}
		// One snapshot under two names is the same head.
		if now, ok := state.Real(state.Head(branch).Commit); ok && now.Commit == info.Commit {
			return nil
		}
		s, err := ix.Open(ix.stopCtx, d.Domain, commit)
		if err != nil {
			return err
		}
		defer s.Release()
		older := slices.Collect(state.Marks(branch))
		seq := d.NextSeq()
		name := catalog.MarkName(branch, seq)
		_, err = d.write(tx, name, func() (snapshot.Info, error) {
			return s.View().WriteAlias(ix.cfg.FS, snapshot.Header{Commit: name, Branch: branch, Seq: seq, Created: now().Unix()})
		})
		if err != nil || len(older) == 0 {
			return err
		}
		if err := tx.Remove(ids(older)...); err != nil {
			return catalog.StoreError(err)
		}
		return ix.removeFiles(d, within(tx), older)
	})
}
