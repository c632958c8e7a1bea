package indexer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// repair looks an indexed commit over and rebuilds what is damaged of it: from its
// own file and those below it, which needs no document database, or else from
// the document source. Texts whose vectors are whole are not embedded
// again. The file is replaced by a checkpoint of the same contents.
func (ix *Indexer) repair(ctx context.Context, d *domain, j *job, info snapshot.Info) error {
	j.Report(func(t *Task) { t.Documents, t.Base = int(info.Documents), info.Base })
	before, total := ix.skippedBefore(d, info.Commit)
	if d.isVerified(info) {
		j.Report(func(t *Task) { t.Skipped, t.SkippedTotal = before, total })
		return nil
	}
	vecs, err := ix.recoverVectors(d, info)
	damages := d.damages()
	if err == nil {
		err = ix.repairVectors(ctx, d, j, info, vecs)
	}
	if errors.Is(err, contract.ErrCorrupt) && context.Cause(ctx) == nil {
		before, total = nil, 0 // it is read again
		ix.log.Warn("indexed commit is damaged: rebuilding it", "domain", d.Name(), "commit", info.Commit, "err", err)
		err = ix.rebuild(ctx, d, j, info)
	}
	if err == nil && j.Task().SkippedTotal == 0 {
		d.setVerified(info, damages)
		j.Report(func(t *Task) { t.Skipped, t.SkippedTotal = before, total })
	}
	return err
}

// repairVectors gives the documents whose vectors are damaged new ones. It returns
// ErrCorrupt if the commit's file, or one below it, cannot be read.
func (ix *Indexer) repairVectors(ctx context.Context, d *domain, j *job, info snapshot.Info, vecs *vecstore.Store) error {
	rewrite := false
	err := snapshot.Verify(ix.cfg.FS, info.Name())
	if bad, ok := errors.AsType[*snapshot.CorruptError](err); ok && bad.Section == "graph" {
		rewrite = true // the merge that follows makes another
	} else if err != nil {
		return catalog.StoreError(err)
	}
	s, err := ix.Open(ctx, d.Domain, info.Commit)
	if err != nil {
		return err
	}
	defer s.Release()
	b, err := ix.newBuilder(d, j.ID(), catalog.SettingsOf(info), search.ListsClustering(&info.Header), s, vecs, j.Report)
	if err != nil {
		return err
	}
	defer b.close()
	b.key, b.free = j.key, j.free
	if err := b.repairBase(ctx); err != nil {
		return err
	}
	b.reportLost()
	if len(b.changes) == 0 && !rewrite {
		return nil
	}
	if have := catalog.SettingsOf(info).Model(ix.cfg.Embedder.Fingerprint()); have != info.Fingerprint {
		return fmt.Errorf("%w: %d documents at commit %s of %s have damaged vectors of %s, and this server embeds with %s: start it with that model to mend them",
			contract.ErrConflict, len(b.changes), info.Commit, d.Name(), info.Fingerprint, have)
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	return b.replace(ctx, info, false)
}

// rebuild makes an indexed commit from the document source again.
func (ix *Indexer) rebuild(ctx context.Context, d *domain, j *job, info snapshot.Info) error {
	b, pull, done, err := ix.read(ctx, d, catalog.SettingsOf(info), search.ListsClustering(&info.Header), j, info.Commit, true)
	if err != nil {
		return err
	}
	defer done()
	if !pull.Complete {
		if err := b.repairBase(ctx); err != nil {
			return err
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	return b.replace(ctx, info, pull.Complete)
}

// recoverVectors returns the vectors that the commit refers to after all of
// them were checked; nil where it refers to none.
func (ix *Indexer) recoverVectors(d *domain, info snapshot.Info) (*vecstore.Store, error) {
	if info.SlotEnd == 0 {
		return nil, nil
	}
	return d.writableVectors(vectorsOf(d, info))
}

// vectorsOf returns what the vectors that a commit refers to were created with.
func vectorsOf(d *domain, info snapshot.Info) vecstore.Config {
	s := catalog.SettingsOf(info)
	return vecstore.Config{
		Domain: d.Name(), Fingerprint: info.Fingerprint,
		Dim: int(info.Dim), Metric: s.Metric.Stored(), Normalized: s.Normalize,
	}
}

// repairBase takes the documents of the base that have a damaged vector and that
// no operation has named for changed: their texts are embedded again. It is
// ErrCorrupt if the text of some cannot be read either; they stay as they are, and
// so do those whose vectors came with them.
func (b *builder) repairBase(ctx context.Context) error {
	if b.base == nil {
		return nil
	}
	var unreadable error
	for _, e := range b.base.View().Using(slices.Sorted(maps.Keys(b.damaged))) {
		if b.changes[e.Key()] != nil || e.Supplied() {
			continue
		}
		text, err := b.base.View().Text(e)
		if err != nil {
			unreadable = catalog.StoreError(err)
			continue
		}
		if err := b.upsert(ctx, contract.Op{Kind: contract.Upsert, ID: e.ID, Int: e.Int, Type: e.Type, Text: text, Fields: e.Fields}); err != nil {
			return err
		}
	}
	return unreadable
}

// errLostVector is why a document stays damaged whose vector came with it.
var errLostVector = errors.New("its vector came with it and is damaged; push the document again with its vector to mend it")

// reportLost lists the documents whose damaged vectors nothing here can make again.
func (b *builder) reportLost() {
	for _, e := range b.base.View().Using(slices.Sorted(maps.Keys(b.damaged))) {
		if e.Supplied() && b.changes[e.Key()] == nil {
			b.report(func(t *Task) { t.Skip(skipped(e.ID, errLostVector)) })
		}
	}
}

// replace puts a checkpoint of what the base and the changes make in the place
// of the file of a commit, whose history it keeps.
func (b *builder) replace(ctx context.Context, old snapshot.Info, complete bool) error {
	changed, removed := b.outcome(complete)
	var info snapshot.Info
	err := b.d.Update(func(tx *catalog.Tx) (err error) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		now, ok := tx.State().Commit(old.Commit)
		if !ok || now.Seq != old.Seq || now.SlotEnd != old.SlotEnd {
			return fmt.Errorf("%w: commit %s of %s was replaced meanwhile", contract.ErrConflict, old.Commit, b.d.Name())
		}
		h := old.Header
		h.Kind = snapshot.Checkpoint
		if b.vecs != nil {
			h.Fingerprint, h.Dim, h.Vecs = b.fingerprint, uint32(b.vecs.Dim()), b.d.VecsName()
		}
		if b.clustering {
			h.Others = b.listClustering(slices.Clone(h.Others))
		}
		contents := snapshot.Contents{Changed: b.entries(changed), Skipped: b.unsettled(complete), Unreadable: b.isUnreadable}
		info, err = b.d.write(tx, old.Commit, func() (snapshot.Info, error) {
			if b.base == nil {
				return snapshot.Write(b.ix.cfg.FS, h, contents)
			}
			contents.Removed = removed
			return b.base.View().WriteWhole(b.ix.cfg.FS, h, contents)
		})
		return err
	})
	if err != nil {
		return err
	}
	b.d.setVerified(info, len(b.damaged))
	b.ix.ForgetFile(b.d.Domain, old)
	b.ix.ForgetSnapshots(b.d.Domain)
	b.ix.ForgetDerived(b.d.Domain)
	b.report(func(t *Task) { t.Indexed, t.Documents = len(changed), int(info.Documents) })
	return nil
}

// needsPush reports whether only the operations of an indexed commit can mend
// it: its file cannot be read, or vectors that came with its documents are
// damaged. It is looked over as it is when it is indexed again.
// from is the commit to build them on: itself if its file is whole, else what it
// was built on.
func (ix *Indexer) needsPush(d *domain, info snapshot.Info) (from string, needs bool) {
	if d.isVerified(info) {
		return "", false
	}
	if _, err := ix.recoverVectors(d, info); err != nil {
		return "", false // searches report the error
	}
	damages := d.damages()
	err := snapshot.Verify(ix.cfg.FS, info.Name())
	if bad, ok := errors.AsType[*snapshot.CorruptError](err); ok && bad.Section != "graph" {
		return info.Base, true
	}
	s, err := ix.Open(ix.stopCtx, d.Domain, info.Commit)
	if err != nil {
		return "", false // a file below it is damaged
	}
	defer s.Release()
	if len(s.Damaged()) > 0 {
		return info.Commit, true
	}
	d.setVerified(info, damages)
	return "", false
}
