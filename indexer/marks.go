package indexer

import (
	"fmt"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// moveHead makes an indexed commit the branch's last indexed one. It is durable
// when it returns.
func (ix *Indexer) moveHead(d *domain, branch, commit string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	info, ok := d.real(commit)
	if !ok || strings.HasPrefix(commit, markPrefix) {
		return fmt.Errorf("%w: commit %s of %s is not indexed", contract.ErrNotFound, commit, d.name)
	}
	// One snapshot under two names is the same head.
	if now, ok := d.real(d.head(branch).Commit); ok && now.Commit == info.Commit {
		return nil
	}
	s, err := ix.open(ix.stopCtx, d.Domain, commit)
	if err != nil {
		return err
	}
	defer s.release()
	seq := d.nextSeq()
	h, size, err := s.View().WriteAlias(ix.cfg.FS,
		snapshot.Header{Commit: fmt.Sprintf("%s%s/%d", markPrefix, branch, seq), Branch: branch, Seq: seq, Created: now().Unix()})
	if err != nil {
		return storeError(err)
	}
	d.written(fileInfo(h, size))
	older := d.unbind(func(info snapshot.Info) bool { return isMark(info) && info.Branch == branch && info.Seq < seq })
	return ix.removeCommits(d, older)
}
