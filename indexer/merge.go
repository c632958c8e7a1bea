package indexer

import (
	"context"
	"errors"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// wantsMerge says whether a snapshot should become a checkpoint: when it is
// large and has no graph, when the tail that every search scans or the dead
// that every walk wades through have grown, or when opening takes many files.
func (ix *Indexer) wantsMerge(s *search.Snapshot) bool {
	if s.View().Deltas() >= ix.cfg.Graph.MaxDeltas {
		return true
	}
	if s.Graph() == nil {
		return len(s.Scanned()) >= ix.cfg.Graph.MinVectors
	}
	held := s.Graph().Len()
	dead := held - (s.View().LiveCount() - len(s.Scanned()))
	return len(s.Scanned()) > max(ix.cfg.Graph.MinVectors, held/50) || dead > held/8
}

// largeText reports whether the commit's own file lists many documents.
func largeText(s *search.Snapshot) bool {
	return len(s.Own().Entries()) >= 1000
}

// merge rewrites a commit's file as a checkpoint of the same contents, by
// rename: a crash leaves the old file or the new one, and open snapshots keep
// the file they hold. It reports whether there was anything to do.
func (ix *Indexer) merge(ctx context.Context, req mergeRequest) (merged bool, err error) {
	d, err := ix.domain(req.domain)
	if errors.Is(err, contract.ErrNotFound) {
		return false, nil // deleted
	}
	s, err := ix.Open(ctx, d.Domain, req.commit)
	if errors.Is(err, contract.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.Release()
	if !ix.wantsMerge(s) {
		return false, nil
	}
	d.setMerging(req.commit)
	defer d.setMerging("")
	live, err := s.Readable(slices.Collect(s.View().LiveSlots()))
	if err != nil {
		return false, catalog.StoreError(err)
	}
	var graph []byte
	if len(live) >= ix.cfg.Graph.MinVectors {
		g, err := hnsw.Build(ctx, s.Vectors(), live, ix.graphParams(s.Settings()), ix.cfg.Workers)
		if err != nil {
			return false, catalog.StoreError(err)
		}
		graph = g.AppendTo(nil)
	}
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	if _, ok := d.State().Real(req.commit); !ok {
		return false, nil // deleted meanwhile
	}
	// Not under the lock: it takes long, and commits go on meanwhile.
	file, err := s.View().PrepareMerge(ix.cfg.FS, true, graph)
	if err != nil {
		return false, catalog.StoreError(err)
	}
	var old snapshot.Info
	err = d.Update(func(tx *catalog.Tx) error {
		var ok bool
		old, ok = tx.State().Real(req.commit)
		if h := s.View().Header(); !ok || old.Seq != h.Seq || old.SlotEnd != h.SlotEnd {
			file.Discard() // deleted or rebuilt meanwhile
			return nil
		}
		merged = true
		_, err := d.write(tx, old.Commit, file.Commit)
		return err
	})
	if err != nil || !merged {
		return false, err
	}
	ix.ForgetFile(d.Domain, old)
	// What stands on it has a shorter chain now, or a graph again: a commit
	// that came meanwhile must not be merged for the length of its old one.
	ix.ForgetSnapshots(d.Domain)
	return true, nil
}

// prepareText makes the full text of a large commit file, so that the first
// search by words does not wait for it.
func (ix *Indexer) prepareText(req mergeRequest) error {
	d, err := ix.domain(req.domain)
	if err != nil {
		return nil // deleted
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, req.commit)
	if errors.Is(err, contract.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Release()
	if largeText(s) {
		return ix.PrepareText(ix.stopCtx, s)
	}
	return nil
}
