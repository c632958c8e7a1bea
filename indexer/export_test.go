package indexer

import (
	"context"
	"runtime"
)

// Documents opens a snapshot and returns the number of its documents.
func (ix *Indexer) Documents(ctx context.Context, domain, commit string) (int, error) {
	d, err := ix.domain(domain)
	if err != nil {
		return 0, err
	}
	s, err := ix.Open(ctx, d.Domain, commit)
	if err != nil {
		return 0, err
	}
	defer s.Release()
	return s.View().Len(), nil
}

// OpenVectors returns the number of files of vectors that are open.
func (ix *Indexer) OpenVectors() (n int) {
	for _, d := range ix.Domains().List("") {
		if store, _ := d.Current(); store != nil {
			n++
		}
	}
	return n
}

// Retire puts a domain's vectors out of use, as a failed write does.
func (ix *Indexer) Retire(domain string) error {
	d, err := ix.domain(domain)
	if err != nil {
		return err
	}
	return d.Retire(nil)
}

// WaitMerges waits until a merge that is due or running has ended, if there is one.
func (ix *Indexer) WaitMerges() {
	for n := ix.merges.pending(); n > 0 && ix.merges.pending() == n; {
		runtime.Gosched()
	}
}
