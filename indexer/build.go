package indexer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// builder turns operations into one commit: the single place where that
// happens, whoever brings the operations. It is used by one goroutine.
type builder struct {
	ix       *Indexer
	d        *domain
	settings catalog.Settings
	base     *search.Snapshot // nil: from nothing
	vecs     *vecstore.Store  // nil while the domain has no vectors
	holds    bool             // vecs is acquired
	stage    *stage
	report   func(func(*Task))

	fingerprint string
	key         contract.Secret           // the caller's at the provider
	free        bool                      // nothing may be embedded
	changes     map[snapshot.Key]*change  // the last operation on a key wins
	seen        map[snapshot.Key]struct{} // named by some operation; nil where they are not needed
	waiting     []*change                 // documents whose slots are not known yet
	lost        []*change                 // of them, those of which a vector was found damaged since it was looked up
	wanted      map[vecstore.Key]struct{}
	pieces      []piece // distinct texts without a vector, in document order
	issued      int     // number of pieces there have been
	refused     map[vecstore.Key]error
	damaged     map[uint32]struct{}
	unreadable  map[uint32]struct{} // slots of texts that the model cannot read

	// clustering: every text gets a vector in that role too, and the commit lists
	// them. clustered counts those that were embedded.
	clustering bool
	clustered  int

	// flowing: pieces are embedded while operations still come, so the
	// number of tokens is not known beforehand.
	flowing bool
	// same holds the documents that the operations leave as the base has
	// them; nil where they are not counted.
	same map[snapshot.Key]struct{}
	// left holds the documents that the snapshot will not hold as the commit
	// does: those skipped, and those of the base that no operation has named since.
	left map[snapshot.Key]struct{}
}

// change is what a commit does to one document.
type change struct {
	removed bool
	entry   snapshot.Entry
	text    span
	fields  span
	needs   int // number of pieces that must be embedded before
	// keys are those of the chunks until their slots are known, by role: none for
	// clustering where that is not stored, or the vector was supplied.
	keys map[contract.Role][]vecstore.Key
	// clustering are the chunks with the slots of their clustering vectors.
	clustering []snapshot.Chunk
	// unreadable are the indexes of chunks that the model cannot read.
	unreadable []int
	again      bool // a vector was lost before it could be used
}

// newBuilder returns a builder on the base, if any. With clustering, or where the
// base lists such vectors, texts get vectors in that role too.
func (ix *Indexer) newBuilder(d *domain, task string, settings catalog.Settings, clustering bool, base *search.Snapshot, vecs *vecstore.Store, report func(func(*Task))) (*builder, error) {
	st, err := newStage(ix.cfg.FS, task)
	if err != nil {
		return nil, err
	}
	b := &builder{
		ix: ix, d: d, clustering: clustering, settings: settings, base: base, vecs: vecs, stage: st, report: report,
		fingerprint: settings.Model(ix.cfg.Embedder.Fingerprint()),
		changes:     make(map[snapshot.Key]*change),
		seen:        make(map[snapshot.Key]struct{}),
		wanted:      make(map[vecstore.Key]struct{}),
		refused:     make(map[vecstore.Key]error),
		damaged:     make(map[uint32]struct{}),
		unreadable:  make(map[uint32]struct{}),
		left:        make(map[snapshot.Key]struct{}),
	}
	if base != nil {
		top := base.View().Header()
		b.clustering = b.clustering || search.ListsClustering(&top)
		for _, k := range base.View().Skipped() {
			b.left[k] = struct{}{}
		}
	}
	if vecs != nil {
		b.setVectors(vecs)
	}
	return b, nil
}

// setVectors gives the builder the vectors to look up in and append to. They stay
// open until its close; those that failed meanwhile refuse to be appended to.
func (b *builder) setVectors(vecs *vecstore.Store) {
	b.vecs, b.holds = vecs, vecs.Acquire() == nil
	for _, slot := range vecs.Damaged() {
		b.damaged[slot] = struct{}{}
	}
}

func (b *builder) close() {
	if b.holds {
		b.vecs.Release()
		b.holds = false
	}
	if err := b.stage.close(); err != nil {
		b.ix.log.Warn("staged texts were not removed; the next start does it", "file", b.stage.name, "err", err)
	}
}

// consume takes all operations of a pull.
func (b *builder) consume(ctx context.Context, pull *contract.Pull) error {
	ops := 0
	for op, err := range pull.Ops {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = b.apply(ctx, op)
		}
		if err != nil {
			return err
		}
		ops++
		if pull.Total > 0 {
			b.report(func(t *Task) { t.Percentage = sharePull * float64(ops) / float64(max(pull.Total, ops)) })
		}
	}
	return nil
}

// keyOf returns the key of an operation's document.
func keyOf(op contract.Op) snapshot.Key { return snapshot.Key{ID: op.ID, Int: op.Int} }

// apply takes one operation.
func (b *builder) apply(ctx context.Context, op contract.Op) error {
	if op.Ignored > 0 {
		b.report(func(t *Task) { t.Ignored += op.Ignored })
	}
	if op.Kind == contract.Failed {
		b.skip(keyOf(op), op.Err)
		if op.Lasting {
			delete(b.left, keyOf(op))
		}
		return nil
	}
	if op.ID == "" || len(op.ID) > contract.MaxIDBytes {
		b.skip(keyOf(op), fmt.Errorf("a document id has 1 to %d bytes, this one has %d", contract.MaxIDBytes, len(op.ID)))
		return nil
	}
	delete(b.left, keyOf(op))
	switch op.Kind {
	case contract.Delete:
		b.touch(keyOf(op))
		delete(b.same, keyOf(op))
		if b.inBase(keyOf(op)) {
			b.changes[keyOf(op)] = &change{removed: true}
		} else {
			delete(b.changes, keyOf(op))
		}
		return nil
	case contract.Upsert:
		return b.upsert(ctx, op)
	}
	return fmt.Errorf("operation of unknown kind %d", op.Kind)
}

// touch notes that the source named the document.
func (b *builder) touch(key snapshot.Key) {
	if b.base != nil && b.seen != nil {
		b.seen[key] = struct{}{}
	}
}

// skip records a document that cannot be indexed; what the base says of it
// stays.
func (b *builder) skip(key snapshot.Key, reason error) {
	if key.ID != "" {
		b.touch(key)
		delete(b.changes, key)
		delete(b.same, key)
	}
	if key.ID != "" && len(key.ID) <= contract.MaxIDBytes {
		b.left[key] = struct{}{}
	}
	b.report(func(t *Task) { t.Skip(skipped(key.ID, reason)) })
}

func skipped(id string, reason error) Skipped {
	if id == "" {
		id = "unknown"
	}
	if len(id) > contract.MaxIDBytes {
		id = strings.ToValidUTF8(id[:contract.MaxIDBytes], "") + "…"
	}
	return Skipped{ID: id, Message: reason.Error()}
}

func (b *builder) upsert(ctx context.Context, op contract.Op) error {
	text := op.Text
	if op.Template != "" {
		var err error
		if text, err = b.ix.cfg.Renderer.Render(ctx, op.Template, op.Data); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.skip(keyOf(op), err)
			return nil
		}
	}
	if op.Type == "" {
		op.Type = contract.DocType(op.ID)
	}
	if err := snapshot.CheckEntry(op.Type, text, op.Fields); err != nil {
		b.skip(keyOf(op), err)
		return nil
	}
	b.touch(keyOf(op))
	hash := snapshot.HashText(text)
	if op.NoText {
		hash = [sha256.Size]byte{}
	}
	if op.Vector != nil {
		op.Text = text
		return b.upsertSupplied(ctx, op, hash)
	}
	if b.settings.Dim != 0 {
		b.skip(keyOf(op), errNoVector)
		return nil
	}
	if old, ok := b.unchanged(op, hash); ok && !old.Supplied() && (!b.clustering || len(old.ChunksOf(search.ClusteringVectors)) == len(old.Chunks)) {
		b.keep(keyOf(op), old)
		return nil
	}
	delete(b.same, keyOf(op))
	chunks, tokens := b.ix.cfg.Embedder.Split(text)
	c := &change{
		entry: snapshot.Entry{
			ID: op.ID, Int: op.Int, Type: op.Type, TextHash: hash, DocTokens: uint32(tokens),
			Chunks: make([]snapshot.Chunk, len(chunks)),
		},
		keys: make(map[contract.Role][]vecstore.Key),
	}
	var err error
	if c.text, err = b.stage.put(text); err != nil {
		return err
	}
	if c.fields, err = b.stage.put(op.Fields); err != nil {
		return err
	}
	for i, ch := range chunks {
		c.entry.Chunks[i] = snapshot.Chunk{
			Start: uint32(ch.Start), End: uint32(ch.End),
			TokenStart: uint32(ch.TokenStart), Tokens: uint32(ch.Tokens),
		}
		if ch.Unreadable {
			c.unreadable = append(c.unreadable, i)
		}
	}
	known, tokens := b.want(c, contract.RoleDocument, text)
	if b.clustering {
		_, more := b.want(c, contract.RoleClustering, text)
		tokens += more
	}
	b.await(keyOf(op), c)
	b.report(func(t *Task) {
		t.Reused += known
		if b.flowing {
			t.TokensToEmbed += tokens
		}
	})
	return nil
}

// await notes a change, which is placed when all pieces issued so far have their
// vectors.
func (b *builder) await(key snapshot.Key, c *change) {
	c.needs = b.issued
	b.changes[key] = c
	b.waiting = append(b.waiting, c)
}

// want notes the keys of a document's chunks in a role, and has those embedded
// that have no vector, of which it returns the tokens. known counts the others.
func (b *builder) want(c *change, role contract.Role, text string) (known, tokens int) {
	for _, ch := range c.entry.Chunks {
		key := vecstore.ContentKey(b.fingerprint, role, text[ch.Start:ch.End])
		c.keys[role] = append(c.keys[role], key)
		if _, asked := b.wanted[key]; asked || b.stored(key) {
			known++
			continue
		}
		b.wanted[key] = struct{}{}
		b.pieces = append(b.pieces, piece{
			key: key, role: role, text: span{c.text.off + int64(ch.Start), int(ch.End - ch.Start)}, tokens: int(ch.Tokens),
		})
		b.issued++
		tokens += int(ch.Tokens)
	}
	return known, tokens
}

// unchanged returns the base's entry of the operation's document, if that says
// the same of it but for the vector, and nothing of it is damaged.
func (b *builder) unchanged(op contract.Op, hash [sha256.Size]byte) (*snapshot.Entry, bool) {
	if b.base == nil {
		return nil, false
	}
	old, ok := b.base.View().LookupKey(keyOf(op))
	return old, ok && old.NoText == op.NoText && old.TextHash == hash && old.Type == op.Type && old.Fields == op.Fields && b.undamaged(old)
}

// keep leaves a document as the base has it.
func (b *builder) keep(key snapshot.Key, old *snapshot.Entry) {
	delete(b.changes, key)
	if b.same != nil {
		b.same[key] = struct{}{}
	}
	b.report(func(t *Task) { t.Reused += len(old.Chunks) })
}

// stored reports whether the key has a vector.
func (b *builder) stored(key vecstore.Key) bool {
	if b.vecs == nil {
		return false
	}
	_, ok := b.vecs.Lookup(key)
	return ok
}

// undamaged reports whether no vector of the entry is known to be damaged.
func (b *builder) undamaged(e *snapshot.Entry) bool {
	if len(b.damaged) == 0 {
		return true
	}
	bad := func(c snapshot.Chunk) bool {
		_, bad := b.damaged[c.Slot]
		return bad
	}
	return !slices.ContainsFunc(e.Chunks, bad) && !slices.ContainsFunc(e.ChunksOf(search.ClusteringVectors), bad)
}

// finish writes the commit file: the one commit point.
func (b *builder) finish(ctx context.Context, h snapshot.Header, complete bool, cost func() Task) (snapshot.Info, error) {
	if !complete {
		// What cannot be repaired stays as the base has it.
		if err := b.repairBase(ctx); err != nil && !errors.Is(err, contract.ErrCorrupt) {
			return snapshot.Info{}, err
		}
	}
	if err := b.flush(ctx); err != nil {
		return snapshot.Info{}, err
	}
	changed, removed := b.outcome(complete)
	chunks := b.chunks(changed, removed)
	b.report(func(t *Task) {
		t.Indexed, t.Deleted = len(changed)+len(b.same), len(removed)
		t.Reused = max(chunks-(t.Embedded-b.clustered), 0)
	})
	b.reportUnreadable(changed)
	t := cost()
	h.Indexed, h.Deleted = uint32(t.Indexed), uint32(t.Deleted)
	h.Embedded, h.Reused, h.Tokens = uint32(t.Embedded), uint32(t.Reused), uint64(t.Tokens)
	var info snapshot.Info
	err := b.d.Update(func(tx *catalog.Tx) (err error) {
		// What removes a commit that this builds on cancels it in an Update.
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, taken := tx.State().Commit(h.Commit); taken {
			return fmt.Errorf("%w: commit %s of %s was bound meanwhile", contract.ErrConflict, h.Commit, b.d.Name())
		}
		if b.clustering || search.StoresClustering(tx.State()) {
			h.Others = b.listClustering(nil)
		}
		info, err = b.d.write(tx, h.Commit, func() (snapshot.Info, error) { return b.write(h, changed, removed, complete) })
		return err
	})
	if err != nil {
		return snapshot.Info{}, err
	}
	b.d.setVerified(info, len(b.damaged))
	b.report(func(t *Task) { t.Documents, t.Base = int(info.Documents), info.Base })
	return info, nil
}

// listClustering returns the vectors beside the main ones, which others are, with
// those of clustering, the first of them.
func (b *builder) listClustering(others []snapshot.NamedVectors) []snapshot.NamedVectors {
	c := snapshot.NamedVectors{Name: search.ClusteringVectors, Vectors: b.d.describe(b.vecs, b.settings)}
	return append([]snapshot.NamedVectors{c}, slices.DeleteFunc(others, func(o snapshot.NamedVectors) bool { return o.Name == c.Name })...)
}

// describe returns what a commit says of the domain's vectors; nothing where there
// are none.
func (d *domain) describe(vecs *vecstore.Store, s catalog.Settings) snapshot.Vectors {
	if vecs == nil {
		return snapshot.Vectors{}
	}
	return snapshot.Vectors{
		Fingerprint: vecs.Config().Fingerprint, Dim: uint32(vecs.Dim()), Vecs: d.VecsName(),
		Metric: string(s.Metric), Normalized: s.Normalize,
	}
}

// write writes the commit's file.
func (b *builder) write(h snapshot.Header, changed, removed []snapshot.Key, complete bool) (info snapshot.Info, err error) {
	h.Vectors = b.d.describe(b.vecs, b.settings)
	if h.Created = now().Unix(); h.Seq == 0 {
		h.Seq = b.d.NextSeq()
	}
	contents := snapshot.Contents{Changed: b.entries(changed), Count: len(changed), Skipped: b.unsettled(complete), Unreadable: b.isUnreadable}
	if b.base != nil {
		contents.Removed = removed
		info, err = b.base.View().WriteDelta(b.ix.cfg.FS, h, contents, b.d.barrier(b.base))
	} else {
		h.Kind, h.Settings = snapshot.Checkpoint, b.settings.String()
		info, err = snapshot.Write(b.ix.cfg.FS, h, contents)
	}
	return info, err
}

// outcome returns the keys that change and those that go, ascending. With
// complete, documents of the base that no operation named go.
func (b *builder) outcome(complete bool) (changed, removed []snapshot.Key) {
	if complete && b.base != nil {
		for e := range b.base.View().All() {
			if _, ok := b.seen[e.Key()]; !ok {
				b.changes[e.Key()] = &change{removed: true}
			}
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.changes), snapshot.Key.Compare) {
		if !b.changes[key].removed {
			changed = append(changed, key)
		} else if b.inBase(key) {
			removed = append(removed, key)
		}
	}
	return changed, removed
}

// maxLeft bounds how many documents a snapshot notes as left. The others are not
// tried again before they change.
const maxLeft = 1 << 16

// unsettled returns the documents that the snapshot does not hold as the commit
// does, ascending. With complete, those that no operation named are gone.
func (b *builder) unsettled(complete bool) []snapshot.Key {
	keys := slices.SortedFunc(maps.Keys(b.left), snapshot.Key.Compare)
	if complete && b.base != nil {
		keys = slices.DeleteFunc(keys, func(key snapshot.Key) bool {
			_, named := b.seen[key]
			return !named
		})
	}
	return keys[:min(len(keys), maxLeft)]
}

// chunks returns the number of chunks that the snapshot will have.
func (b *builder) chunks(changed, removed []snapshot.Key) int {
	n := 0
	if b.base != nil {
		n = b.base.View().Chunks()
		for _, keys := range [][]snapshot.Key{changed, removed} {
			for _, key := range keys {
				if e, ok := b.base.View().LookupKey(key); ok {
					n -= len(e.Chunks)
				}
			}
		}
	}
	for _, key := range changed {
		n += len(b.changes[key].entry.Chunks)
	}
	return n
}

func (b *builder) inBase(key snapshot.Key) bool {
	if b.base == nil {
		return false
	}
	_, ok := b.base.View().LookupKey(key)
	return ok
}

// barrier returns the last commit of the base's chain that the new file must not
// pass over, "" for none: one that is being merged, or one whose file was
// replaced since the base was opened, by a merge, or because what it stood on
// was removed. Called with d.writing held.
func (d *domain) barrier(base *search.Snapshot) (commit string) {
	merging := d.mergeOf()
	for f := range base.View().Files() {
		h := f.Header()
		now, ok := d.State().Commit(h.Commit)
		if ok && h.Kind != snapshot.Alias && (h.Commit == merging || !now.Same(f.Info())) {
			commit = h.Commit
		}
	}
	return commit
}

func (b *builder) entries(keys []snapshot.Key) iter.Seq2[snapshot.EntryText, error] {
	return func(yield func(snapshot.EntryText, error) bool) {
		for _, key := range keys {
			c := b.changes[key]
			e := snapshot.EntryText{Entry: c.entry}
			if len(c.clustering) > 0 {
				e.Others = [][]snapshot.Chunk{c.clustering} // as listClustering lists them
			}
			var err error
			if e.Text, err = b.stage.text(c.text); err == nil {
				e.Fields, err = b.stage.text(c.fields)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
