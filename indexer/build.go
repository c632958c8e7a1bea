package indexer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// MaxIDBytes bounds a document's id.
const MaxIDBytes = 8 << 10

// builder turns operations into one commit: the single place where that
// happens, whoever brings the operations. It is used by one goroutine.
type builder struct {
	ix     *Indexer
	d      *domain
	base   *openSnapshot // nil: from nothing
	vecs   *vecstore.Store
	stage  *stage
	report func(func(*Task))

	fingerprint string
	changes     map[string]*change  // by id; the last operation on an id wins
	seen        map[string]struct{} // ids of the base named by some operation
	waiting     []*change           // texts not embedded yet
	wanted      map[vecstore.Key]struct{}
	texts       []string       // distinct texts to embed
	keys        []vecstore.Key // their keys
	tokens      []int          // their lengths
}

// change is what a commit does to one document.
type change struct {
	removed bool
	entry   snapshot.Entry
	text    span
	keys    []vecstore.Key // of the chunks, until their slots are known
}

func (ix *Indexer) newBuilder(d *domain, task string, base *openSnapshot, vecs *vecstore.Store, report func(func(*Task))) (*builder, error) {
	st, err := newStage(ix.cfg.FS, task)
	if err != nil {
		return nil, err
	}
	b := &builder{
		ix: ix, d: d, base: base, vecs: vecs, stage: st, report: report,
		fingerprint: ix.cfg.Embedder.Fingerprint(),
		changes:     make(map[string]*change),
		seen:        make(map[string]struct{}),
		wanted:      make(map[vecstore.Key]struct{}),
	}
	return b, nil
}

func (b *builder) close() {
	if err := b.stage.close(); err != nil {
		b.ix.log.Warn("staged texts were not removed; the next start does it", "file", b.stage.name, "err", err)
	}
}

// apply takes one operation.
func (b *builder) apply(ctx context.Context, op Op) error {
	if op.Kind == Failed {
		b.skip(op.ID, op.Err)
		return nil
	}
	if op.ID == "" || len(op.ID) > MaxIDBytes {
		b.skip(op.ID, fmt.Errorf("a document id has 1 to %d bytes, this one has %d", MaxIDBytes, len(op.ID)))
		return nil
	}
	switch op.Kind {
	case Delete:
		b.touch(op.ID)
		b.changes[op.ID] = &change{removed: true}
		return nil
	case Upsert:
		return b.upsert(ctx, op)
	}
	return fmt.Errorf("operation of unknown kind %d", op.Kind)
}

// touch notes that the source named the document.
func (b *builder) touch(id string) {
	if b.base != nil {
		b.seen[id] = struct{}{}
	}
}

// skip records a document that cannot be indexed; what the base says of it
// stays.
func (b *builder) skip(id string, reason error) {
	if id != "" {
		b.touch(id)
		delete(b.changes, id)
	}
	b.report(func(t *Task) { t.Skipped = append(t.Skipped, skipped(id, reason)) })
}

func skipped(id string, reason error) Skipped {
	if id == "" {
		id = "unknown"
	}
	return Skipped{ID: id, Message: reason.Error()}
}

func (b *builder) upsert(ctx context.Context, op Op) error {
	text := op.Text
	if op.Template != "" {
		var err error
		if text, err = b.ix.cfg.Renderer.Render(ctx, op.Template, op.Data); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.skip(op.ID, err)
			return nil
		}
	}
	if op.Type == "" {
		op.Type = DocType(op.ID)
	}
	b.touch(op.ID)
	hash := snapshot.HashText(text)
	if b.base != nil {
		if old, ok := b.base.view.Lookup(op.ID); ok && old.TextHash == hash && old.Type == op.Type {
			delete(b.changes, op.ID)
			b.report(func(t *Task) { t.Reused += len(old.Chunks) })
			return nil
		}
	}
	chunks, tokens := b.ix.cfg.Embedder.Split(text)
	c := &change{entry: snapshot.Entry{
		ID: op.ID, Type: op.Type, TextHash: hash,
		DocTokens: uint32(tokens),
		Chunks:    make([]snapshot.Chunk, len(chunks)),
	}}
	var err error
	if c.text, err = b.stage.put(text); err != nil {
		return err
	}
	c.keys = make([]vecstore.Key, len(chunks))
	known := 0
	for i, ch := range chunks {
		c.entry.Chunks[i] = snapshot.Chunk{
			Start: uint32(ch.Start), End: uint32(ch.End),
			TokenStart: uint32(ch.TokenStart), Tokens: uint32(ch.Tokens),
		}
		piece := text[ch.Start:ch.End]
		c.keys[i] = contentKey(b.fingerprint, RoleDocument, piece)
		if _, ok := b.wanted[c.keys[i]]; ok {
			known++
			continue
		}
		if _, ok := b.vecs.Lookup(c.keys[i]); ok {
			known++
			continue
		}
		b.wanted[c.keys[i]] = struct{}{}
		b.texts = append(b.texts, piece)
		b.keys = append(b.keys, c.keys[i])
		b.tokens = append(b.tokens, ch.Tokens)
	}
	b.changes[op.ID] = c
	b.waiting = append(b.waiting, c)
	if known > 0 {
		b.report(func(t *Task) { t.Reused += known })
	}
	if len(b.texts) >= b.ix.cfg.Embedder.Batch() {
		return b.flush(ctx)
	}
	return nil
}

// contentKey is the address of a text's vector: the same text in the same role
// under the same model has one slot, in whatever document or commit it occurs.
func contentKey(fingerprint string, role Role, text string) vecstore.Key {
	h := sha256.New()
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(fingerprint)))
	h.Write(n[:])
	h.Write([]byte(fingerprint))
	h.Write([]byte{byte(role)})
	h.Write([]byte(text))
	var key vecstore.Key
	h.Sum(key[:0])
	return key
}

// flush embeds the waiting texts, makes their vectors durable, and gives the
// waiting documents their slots.
func (b *builder) flush(ctx context.Context) error {
	refused := make(map[vecstore.Key]error)
	size := max(b.ix.cfg.Embedder.Batch(), 1)
	for from := 0; from < len(b.texts); from += size {
		if err := b.embed(ctx, from, min(from+size, len(b.texts)), refused); err != nil {
			return err
		}
	}
	for _, c := range b.waiting {
		b.place(c, refused)
	}
	b.texts, b.keys, b.tokens, b.waiting = b.texts[:0], b.keys[:0], b.tokens[:0], b.waiting[:0]
	clear(b.wanted)
	return nil
}

// embed buys the texts from..to and stores their vectors: after that they are
// never bought again.
func (b *builder) embed(ctx context.Context, from, to int, refused map[vecstore.Key]error) error {
	texts, keys, tokens := b.texts[from:to], b.keys[from:to], b.tokens[from:to]
	vectors, err := b.ix.embed(ctx, RoleDocument, texts)
	var partly *RefusedError
	if errors.As(err, &partly) {
		for i, reason := range partly.Texts {
			refused[keys[i]] = reason
		}
	} else if err != nil {
		return err
	}
	if len(vectors) != len(texts) {
		return fmt.Errorf("%w: %d vectors for %d texts", ErrProvider, len(vectors), len(texts))
	}
	b.ix.hook("embedded")
	good, goodKeys, spent := vectors[:0:0], keys[:0:0], 0
	for i, v := range vectors {
		if refused[keys[i]] == nil {
			good, goodKeys = append(good, v), append(goodKeys, keys[i])
			spent += tokens[i]
		}
	}
	if _, err := b.vecs.Append(goodKeys, good); err != nil {
		if errors.Is(err, vecstore.ErrInvalid) {
			return fmt.Errorf("%w: %w", ErrProvider, err)
		}
		b.d.retireVectors()
		return storeError(err)
	}
	b.ix.hook("appended")
	b.report(func(t *Task) { t.Embedded += len(good); t.Tokens += spent })
	return nil
}

// place gives the document's chunks their slots, or skips it.
func (b *builder) place(c *change, refused map[vecstore.Key]error) {
	if b.changes[c.entry.ID] != c {
		return // a later operation on the same document replaced it
	}
	for i, key := range c.keys {
		slot, ok := b.vecs.Lookup(key)
		if !ok {
			reason := refused[key]
			if reason == nil {
				reason = errors.New("its text has no vector")
			}
			b.skip(c.entry.ID, reason)
			return
		}
		c.entry.Chunks[i].Slot = slot
	}
	c.keys = nil
}

// finish writes the commit file: the one commit point. With complete, the
// documents of the base that no operation named are removed.
func (b *builder) finish(ctx context.Context, h snapshot.Header, complete bool, cost func() Task) (snapshot.Info, error) {
	if err := b.flush(ctx); err != nil {
		return snapshot.Info{}, err
	}
	if complete && b.base != nil {
		for e := range b.base.view.All() {
			if _, ok := b.seen[e.ID]; !ok {
				b.changes[e.ID] = &change{removed: true}
			}
		}
	}
	var removed, changed []string
	for _, id := range slices.Sorted(maps.Keys(b.changes)) {
		if !b.changes[id].removed {
			changed = append(changed, id)
		} else if b.base != nil {
			if _, ok := b.base.view.Lookup(id); ok {
				removed = append(removed, id)
			}
		}
	}
	if err := context.Cause(ctx); err != nil {
		return snapshot.Info{}, err
	}
	b.report(func(t *Task) { t.Indexed, t.Deleted = len(changed), len(removed) })
	t := cost()
	h.Fingerprint, h.Dim, h.Vecs = b.fingerprint, uint32(b.vecs.Dim()), b.d.vecsName()
	h.Seq, h.Created = b.d.nextSeq(), now().Unix()
	h.Indexed, h.Deleted = uint32(t.Indexed), uint32(t.Deleted)
	h.Embedded, h.Reused, h.Tokens = uint32(t.Embedded), uint32(t.Reused), uint64(t.Tokens)
	var size int64
	var err error
	b.ix.hook("writing")
	if b.base != nil {
		h, size, err = b.base.view.WriteDelta(b.ix.cfg.FS, h, b.entries(changed), removed)
	} else {
		h.Kind = snapshot.Checkpoint
		h, size, err = snapshot.Write(b.ix.cfg.FS, h, b.entries(changed), nil, nil)
	}
	if err != nil {
		return snapshot.Info{}, storeError(err)
	}
	b.ix.hook("committed")
	info := fileInfo(h, size)
	b.d.add(info)
	b.report(func(t *Task) { t.Documents, t.Base = int(h.Documents), h.Base })
	return info, nil
}

// fileInfo describes a commit file just written.
func fileInfo(h snapshot.Header, size int64) snapshot.Info {
	return snapshot.Info{Header: h, Name: snapshot.FileName(h.Domain, h.Commit), Size: size}
}

func (b *builder) entries(ids []string) iter.Seq2[snapshot.EntryText, error] {
	return func(yield func(snapshot.EntryText, error) bool) {
		for _, id := range ids {
			c := b.changes[id]
			text, err := b.stage.text(c.text)
			if !yield(snapshot.EntryText{Entry: c.entry, Text: text}, err) || err != nil {
				return
			}
		}
	}
}

// hook lets tests stop the world at a named point of the commit protocol.
func (ix *Indexer) hook(phase string) {
	if ix.testHook != nil {
		ix.testHook(phase)
	}
}
