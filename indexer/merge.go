package indexer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
)

// mergeRequest names a commit whose file may have to be rewritten as a
// checkpoint.
type mergeRequest struct{ domain, commit string }

// considerMerge asks for a merge of a commit just written, if what stands
// between it and its checkpoint has grown too long, and for its full text, if
// that is so large that the first search should not wait for it. Nobody waits
// for either.
func (ix *Indexer) considerMerge(d *domain, commit string) {
	lease, err := ix.open(d, commit)
	if err != nil {
		ix.log.Error("commit just written cannot be opened", "domain", d.name, "commit", commit, "err", err)
		return
	}
	defer lease.release()
	s := lease.res.(*openSnapshot)
	if !ix.wantsMerge(s) && !largeText(s) {
		return
	}
	ix.askMerge(d, commit)
}

// askMerge asks for a merge of a commit, and for its full text.
func (ix *Indexer) askMerge(d *domain, commit string) {
	ix.merging.Add(1)
	select {
	case ix.merges <- mergeRequest{d.name, commit}:
	default: // the queue is full of merges; a later commit asks again
		ix.merging.Add(-1)
	}
}

// wantsMerge says whether a snapshot should become a checkpoint: when it is
// large and has no graph, when the tail that every search scans or the dead
// that every walk wades through have grown, or when opening takes many files.
func (ix *Indexer) wantsMerge(s *openSnapshot) bool {
	if s.view.Deltas() >= ix.cfg.Graph.MaxDeltas {
		return true
	}
	if s.graph == nil {
		return len(s.scanned) >= ix.cfg.Graph.MinVectors
	}
	held := s.graph.Len()
	dead := held - (s.view.LiveCount() - len(s.scanned))
	return len(s.scanned) > max(ix.cfg.Graph.MinVectors, held/50) || dead > held/8
}

// largeText reports whether the commit's own file lists many documents.
func largeText(s *openSnapshot) bool {
	return len(s.files[0].res.(*openFile).file.Entries()) >= 1000
}

// mergeLoop runs the merges one after another, beside everything else.
func (ix *Indexer) mergeLoop() {
	for {
		select {
		case req := <-ix.merges:
			start := time.Now()
			err := ix.guard(func() error { return ix.merge(ix.stopCtx, req) })
			if err == nil {
				err = ix.guard(func() error { return ix.prepareText(req) })
			}
			switch {
			case ix.stopCtx.Err() != nil:
				return
			case err != nil:
				ix.log.Error("merge failed; searches go on without it", "domain", req.domain, "commit", req.commit, "err", err)
			default:
				ix.log.Info("merged", "domain", req.domain, "commit", req.commit, "dur_ms", time.Since(start).Milliseconds())
			}
			ix.merging.Add(-1)
		case <-ix.stopCtx.Done():
			return
		}
	}
}

// merge rewrites a commit's file as a checkpoint of the same contents, by
// rename: a crash leaves the old file or the new one, and open snapshots keep
// the file they hold.
func (ix *Indexer) merge(ctx context.Context, req mergeRequest) error {
	d, err := ix.domain(req.domain)
	if errors.Is(err, contract.ErrNotFound) {
		return nil // deleted
	}
	lease, err := ix.open(d, req.commit)
	if errors.Is(err, contract.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lease.release()
	s := lease.res.(*openSnapshot)
	if !ix.wantsMerge(s) {
		return nil
	}
	live, err := s.readable(slices.Collect(s.view.LiveSlots()))
	if err != nil {
		return storeError(err)
	}
	var graph []byte
	if len(live) >= ix.cfg.Graph.MinVectors {
		nodes := make([]hnsw.Node, len(live))
		for i, slot := range live {
			nodes[i] = hnsw.Node{Slot: slot, Hash: slotHash(slot)}
		}
		g, err := hnsw.Build(ctx, s.vectors(), nodes, ix.graphParams(s.settings), ix.cfg.Workers)
		if err != nil {
			return storeError(err)
		}
		graph = g.AppendTo(nil)
	}
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	if _, ok := d.real(req.commit); !ok {
		return nil // deleted meanwhile
	}
	// Not under the lock: it takes long, and commits go on meanwhile.
	file, err := s.view.PrepareCheckpoint(ix.cfg.FS, graph)
	if err != nil {
		return storeError(err)
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	old, ok := d.real(req.commit)
	if h := s.view.Header(); !ok || old.Seq != h.Seq || old.SlotEnd != h.SlotEnd {
		file.Discard() // deleted or mended meanwhile
		return nil
	}
	h, size, err := file.Commit()
	if err != nil {
		return storeError(err)
	}
	d.add(fileInfo(h, size))
	ix.forgetFile(d, old)
	// What stands on it has a shorter chain now, or a graph again: a commit
	// that came meanwhile must not be merged for the length of its old one.
	ix.forgetSnapshots(d)
	return nil
}

// prepareText makes the full text of a large commit file, so that the first
// search by words does not wait for it.
func (ix *Indexer) prepareText(req mergeRequest) error {
	d, err := ix.domain(req.domain)
	if err != nil {
		return nil // deleted
	}
	lease, err := ix.open(d, req.commit)
	if errors.Is(err, contract.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lease.release()
	if s := lease.res.(*openSnapshot); largeText(s) {
		_, err = ix.text(s)
	}
	return err
}

// slotHash decides a node's level and its place in the order of insertion. A
// slot stands for a text for ever, so a hash of its number is as good as one
// of the text, and needs no look-up. (The finaliser of splitmix64, Steele et
// al. 2014.)
func slotHash(slot uint32) uint64 {
	z := (uint64(slot) + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
