package indexer

import (
	"errors"

	"github.com/vectorlink/vectorlink/contract"
)

// Retention says which commits of a domain stay, as a [PruneRequest] does; the zero
// value keeps all.
type Retention struct{ KeepLast, KeepDaily int }

const (
	// maxRetired bounds how many commits go at once, so that what waits for the domain
	// or for a worker does not wait for long.
	maxRetired = 1000
	// retainShare: a domain's commits are looked at when so large a part of them is new,
	// so that many of them that stay do not make each new one dear.
	retainShare = 16
)

// considerRetention makes it due that the commits of a domain are looked at to which one
// was added.
func (ix *Indexer) considerRetention(d *domain) {
	if ix.cfg.Retention != nil && d.unlooked.Add(1)*retainShare >= int64(d.State().Len()) {
		ix.dueRetention(d.Name())
	}
}

// dueRetention makes it due that the commits of a domain are looked at. It waits in line
// with the merges, and runs beside none of the domain.
func (ix *Indexer) dueRetention(domain string) {
	if ix.cfg.Retention(domain) != (Retention{}) {
		ix.merges.add(mergeRequest{domain: domain})
	}
}

// retain prunes a domain by Config.Retention, or says what it would prune.
func (ix *Indexer) retain(domain string) error {
	keep := ix.cfg.Retention(domain)
	req := PruneRequest{Domain: domain, KeepLast: keep.KeepLast, KeepDaily: keep.KeepDaily, Most: maxRetired}
	d, err := ix.domain(domain)
	if err == nil {
		d.unlooked.Store(0)
	}
	p, err := ix.Prune(ix.stopCtx, req)
	switch {
	case errors.Is(err, contract.ErrNotFound): // deleted meanwhile
		return nil
	case err != nil || len(p.Commits) == 0:
		return err
	case ix.cfg.RetentionDryRun:
		ix.log.Info("commits would be pruned", "domain", domain, "commits", len(p.Commits), "bytes", p.Bytes, "newest", p.Commits[0].Commit)
		return nil
	}
	req.Apply = true
	if p, err = ix.Prune(ix.stopCtx, req); err == nil && len(p.Commits) == maxRetired {
		ix.dueRetention(domain)
	}
	return err
}
