package indexer

import (
	"fmt"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// moveHead makes an indexed commit the branch's last indexed one. It is durable
// when it returns.
func (ix *Indexer) moveHead(d *domain, branch, commit string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	info, ok := d.Real(commit)
	if !ok || strings.HasPrefix(commit, search.MarkPrefix) {
		return fmt.Errorf("%w: commit %s of %s is not indexed", contract.ErrNotFound, commit, d.Name)
	}
	// One snapshot under two names is the same head.
	if now, ok := d.Real(d.Head(branch).Commit); ok && now.Commit == info.Commit {
		return nil
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		return err
	}
	defer s.Release()
	seq := d.NextSeq()
	mark, err := s.View().WriteAlias(ix.cfg.FS,
		snapshot.Header{Commit: fmt.Sprintf("%s%s/%d", search.MarkPrefix, branch, seq), Branch: branch, Seq: seq, Created: now().Unix()})
	if err != nil {
		return catalog.StoreError(err)
	}
	d.written(mark)
	older := d.Unbind(func(info snapshot.Info) bool { return search.IsMark(info) && info.Branch == branch && info.Seq < seq })
	return ix.removeCommits(d, older)
}
