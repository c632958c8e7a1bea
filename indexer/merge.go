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

// mergePlan is what a merge of a snapshot's file has to do.
type mergePlan struct {
	build  bool // a graph where there is none
	insert bool // the tail, which every search scans, into a copy of the graph
	relink bool // a copy of the graph without its dead nodes, which every walk wades through
	full   bool // a checkpoint, since much of the chain's has changed
	chain  bool // one delta in the place of many files
}

// due reports whether there is anything to do.
func (p mergePlan) due() bool { return p != mergePlan{} }

// overlayLeast is how many documents may have changed since a checkpoint before
// another is due, however small the snapshot.
const overlayLeast = 4096

// mergePlan returns what is due for a snapshot. The costs follow from what has
// changed: a tail of 2 % of the graph costs the insertion of that many nodes, dead
// nodes are dropped an eighth of the graph at a time, and a checkpoint is written
// for an eighth of the documents. A merge that is due for one reason does half of
// what is due for the others, since it writes the graph anyway.
func (ix *Indexer) mergePlan(s *search.Snapshot) mergePlan {
	p := ix.mergeDue(s, 1)
	if p.due() && s.Graph() != nil {
		early := ix.mergeDue(s, 2)
		p.insert, p.relink = early.insert, early.relink
	}
	return p
}

// mergeDue returns what is due at that part of the limits.
func (ix *Indexer) mergeDue(s *search.Snapshot, part int) mergePlan {
	v := s.View()
	p := mergePlan{
		// A changed document counts twice, by what it was and what it is.
		full: v.Overlay() >= 2*max(overlayLeast, v.Len()/8),
		// A merge leaves one delta, or none.
		chain: v.Deltas() >= max(ix.cfg.Graph.MaxDeltas, 2),
	}
	if s.Graph() == nil {
		p.build = len(s.Scanned()) >= ix.cfg.Graph.MinVectors
		return p
	}
	held := s.Graph().Len()
	dead := held - (v.LiveCount() - len(s.Scanned()))
	p.insert = len(s.Scanned()) > max(ix.cfg.Graph.MinVectors, held/50)/part
	p.relink = dead > held/8/part
	return p
}

// largeText reports whether the commit's own file lists many documents.
func largeText(s *search.Snapshot) bool {
	return len(s.Own().Entries()) >= 1000
}

// merge rewrites a commit's file as another of the same contents, by rename: a
// crash leaves the old file or the new one, and open snapshots keep the file they
// hold. It reports whether there was anything to do.
func (ix *Indexer) merge(ctx context.Context, req mergeRequest) (merged bool, err error) {
	d, err := ix.domain(req.domain)
	if errors.Is(err, contract.ErrNotFound) {
		return false, nil // deleted
	}
	s, err := ix.Open(ctx, d.Domain, req.commit)
	if errors.Is(err, contract.ErrNotFound) || errors.Is(err, contract.ErrPruned) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.Release()
	plan := ix.mergePlan(s)
	if !plan.due() {
		return false, nil
	}
	d.setMerging(req.commit)
	defer d.setMerging("")
	graph, err := ix.mergedGraph(ctx, s, plan)
	if err != nil {
		return false, catalog.StoreError(err)
	}
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	if !standing(d.State(), s) {
		return false, nil // deleted or rewritten meanwhile, or what it stands on was
	}
	// Not in the Update: it takes long, and commits go on meanwhile.
	file, err := s.View().PrepareMerge(ix.cfg.FS, plan.full || s.Own().Header().Kind == snapshot.Checkpoint, graph)
	if err != nil {
		return false, catalog.StoreError(err)
	}
	var old snapshot.Info
	err = d.Update(func(tx *catalog.Tx) error {
		if !standing(tx.State(), s) {
			file.Discard() // rebuilt meanwhile
			return nil
		}
		old, _ = tx.State().Real(req.commit)
		merged = true
		_, err := d.write(tx, old.Commit, file.Commit)
		return err
	})
	if err != nil || !merged {
		return false, err
	}
	ix.ForgetFile(d.Domain, old)
	// Commits above it have a shorter chain now, or a graph again: one that came
	// meanwhile must not be merged for the length of its old chain.
	ix.ForgetSnapshots(d.Domain)
	return true, nil
}

// standing reports whether the files that a snapshot was opened from are still
// those of their commits: what is merged may stand on the first of them.
func standing(state *catalog.State, s *search.Snapshot) bool {
	for f := range s.View().Files() {
		if now, ok := state.Commit(f.Header().Commit); !ok || !now.Same(f.Info()) {
			return false
		}
	}
	return true
}

// mergedGraph returns the graph of a merged file, encoded; nil for none. Nodes
// whose vectors cannot be read are left out.
func (ix *Indexer) mergedGraph(ctx context.Context, s *search.Snapshot, plan mergePlan) ([]byte, error) {
	graph := s.Graph()
	switch {
	case plan.build:
		live, err := s.Readable(slices.Collect(s.View().LiveSlots()))
		if err != nil || len(live) < ix.cfg.Graph.MinVectors {
			return nil, err
		}
		if graph, err = hnsw.Build(ctx, s.Vectors(), live, ix.graphParams(s.Settings()), ix.cfg.Workers); err != nil {
			return nil, err
		}
	case graph == nil:
		return nil, nil
	case plan.insert || plan.relink:
		tail, err := s.Readable(s.Scanned())
		if err != nil {
			return nil, err
		}
		harmed := s.Harmed()
		keep := func(slot uint32) bool {
			_, bad := slices.BinarySearch(harmed, slot)
			return !bad && (!plan.relink || s.View().Live(slot))
		}
		if !plan.relink && len(harmed) == 0 {
			keep = nil
		}
		if graph, err = graph.Extend(ctx, s.Vectors(), tail, keep, ix.cfg.Workers); err != nil {
			return nil, err
		}
	}
	return graph.AppendTo(nil), nil
}

// prepareText makes the full text of a large commit file, so that the first
// search by words does not wait for it.
func (ix *Indexer) prepareText(req mergeRequest) error {
	d, err := ix.domain(req.domain)
	if err != nil {
		return nil // deleted
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, req.commit)
	if errors.Is(err, contract.ErrNotFound) || errors.Is(err, contract.ErrPruned) {
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
