package indexer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// piece is a text that must be embedded, or a vector that came with one and must
// be stored. It waits in the stage.
type piece struct {
	key    vecstore.Key
	text   span
	tokens int
	role   contract.Role
	vector span // n 0: none came
}

// flush embeds the waiting texts, makes their vectors durable batch by batch,
// and gives the waiting documents their slots. What was found damaged meanwhile is
// embedded again, once.
func (b *builder) flush(ctx context.Context) error {
	for {
		if err := b.embedWaiting(ctx); err != nil {
			return err
		}
		b.findLost()
		lost := b.lost
		if b.lost = nil; len(lost) == 0 {
			return nil
		}
		for _, c := range lost {
			text, err := b.stage.text(c.text)
			if err != nil {
				return err
			}
			c.keys = make(map[contract.Role][]vecstore.Key)
			b.want(c, contract.RoleDocument, text)
			if b.clustering {
				b.want(c, contract.RoleClustering, text)
			}
			b.waiting = append(b.waiting, c)
		}
	}
}

// findLost finds the documents whose slots were found damaged since they were given.
func (b *builder) findLost() {
	if b.vecs == nil {
		return
	}
	slots := b.vecs.Damaged()
	if len(slots) == len(b.damaged) {
		return
	}
	bad := func(c snapshot.Chunk) bool {
		_, bad := slices.BinarySearch(slots, c.Slot)
		return bad
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.changes), snapshot.Key.Compare) {
		c := b.changes[key]
		if !c.removed && !c.again && !c.entry.Supplied() && (slices.ContainsFunc(c.entry.Chunks, bad) || slices.ContainsFunc(c.clustering, bad)) {
			c.again = true
			b.lost = append(b.lost, c)
		}
	}
}

// embedWaiting does flush, once.
func (b *builder) embedWaiting(ctx context.Context) error {
	var err error
	if b.pieces, err = b.storeSupplied(b.pieces); err != nil {
		return err
	}
	total := 0
	for _, p := range b.pieces {
		total += p.tokens
	}
	b.report(func(t *Task) { t.TokensToEmbed = t.Tokens + total })
	if b.free && len(b.pieces) > 0 {
		return errEmbeds
	}
	for batch := range slices.Chunk(b.pieces, max(b.ix.cfg.Embedder.Batch(), 1)) {
		if err := b.embed(ctx, batch); err != nil {
			return err
		}
	}
	for _, c := range b.waiting {
		b.place(c)
	}
	b.pieces, b.waiting = nil, nil
	clear(b.wanted)
	return nil
}

// storeSupplied stores the vectors that came with their texts, and returns the
// pieces that must be embedded.
func (b *builder) storeSupplied(pieces []piece) ([]piece, error) {
	missing := pieces[:0:0]
	tokens := 0
	var keys []vecstore.Key
	var vectors [][]float32
	store := func() error {
		if len(keys) == 0 {
			return nil
		}
		if _, err := b.vecs.Append(keys, vectors); err != nil {
			if err := b.d.Retire(b.vecs); err != nil {
				b.ix.log.Warn("close vectors", "domain", b.d.Name(), "err", err)
			}
			return catalog.StoreError(err)
		}
		b.countReused(len(keys), tokens)
		tokens = 0
		keys, vectors = keys[:0], vectors[:0]
		return nil
	}
	for _, p := range pieces {
		v, err := b.suppliedVector(p)
		if err != nil {
			return nil, err
		}
		if v == nil {
			missing = append(missing, p)
			continue
		}
		keys, vectors = append(keys, p.key), append(vectors, v)
		tokens += p.tokens
		if len(keys) == suppliedBatch {
			if err := store(); err != nil {
				return nil, err
			}
		}
	}
	return missing, store()
}

// suppliedVector returns the vector that came with a text; nil where none did.
func (b *builder) suppliedVector(p piece) ([]float32, error) {
	if p.vector.n == 0 {
		return nil, nil
	}
	packed, err := b.stage.text(p.vector)
	return unpack(packed), err
}

// countReused counts texts that need not be embedded after all.
func (b *builder) countReused(texts, tokens int) {
	if texts == 0 {
		return
	}
	b.report(func(t *Task) {
		t.Reused += texts
		t.TokensToEmbed = max(t.TokensToEmbed-tokens, 0)
	})
}

// suppliedBatch is the number of supplied vectors stored, and synced, at once: up to
// 64 MiB of those of a space.
const suppliedBatch = 1024

// embed gets the texts of one batch their vectors. A text that another task is
// embedding at the moment is left to it; if that fails, it is this one's turn.
func (b *builder) embed(ctx context.Context, batch []piece) error {
	for len(batch) > 0 {
		mine, others := b.claim(batch)
		if err := b.embedClaimed(ctx, mine); err != nil {
			return err
		}
		batch = batch[:0:0]
		for _, o := range others {
			select {
			case <-o.landed:
				batch = append(batch, o.piece)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		var err error
		if batch, err = b.storeSupplied(batch); err != nil {
			return err
		}
	}
	return nil
}

// embedClaimed embeds claimed texts and stores their vectors: after that they are never
// bought again.
func (b *builder) embedClaimed(ctx context.Context, batch []piece) error {
	defer b.ix.flights.release(batch)
	if len(batch) == 0 {
		return nil
	}
	for _, role := range []contract.Role{contract.RoleDocument, contract.RoleClustering} {
		part := slices.DeleteFunc(slices.Clone(batch), func(p piece) bool { return p.role != role })
		if len(part) > 0 {
			if err := b.embedRole(ctx, role, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// embedRole is embedClaimed for texts in one role.
func (b *builder) embedRole(ctx context.Context, role contract.Role, batch []piece) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	texts := make([]string, len(batch))
	var err error
	for i, p := range batch {
		if texts[i], err = b.stage.text(p.text); err != nil {
			return err
		}
	}
	vectors, failed := b.ix.cfg.Embedder.Embed(ctx, contract.EmbedRequest{
		Role: role, Texts: texts, AsGiven: !b.settings.Normalize, Patient: true, Key: b.key,
	})
	var partly *contract.RefusedError
	if errors.As(failed, &partly) {
		failed = nil
		for i, reason := range partly.Texts {
			b.refused[batch[i].key] = reason
		}
	}
	if failed != nil && vectors == nil {
		return failed
	}
	if len(vectors) != len(batch) {
		return errors.Join(failed, fmt.Errorf("%w: %d vectors for %d texts", contract.ErrProvider, len(vectors), len(batch)))
	}
	var keys []vecstore.Key
	good, tokens := vectors[:0:0], 0
	for i, p := range batch {
		if failed != nil && vectors[i] == nil {
			continue // not embedded; the others are paid for
		}
		tokens += p.tokens
		if b.refused[p.key] == nil {
			good, keys = append(good, vectors[i]), append(keys, p.key)
		}
	}
	b.ix.counters.embedded.Add(int64(len(good)))
	if _, err := b.vecs.Append(keys, good); err != nil {
		if errors.Is(err, vecstore.ErrInvalid) {
			return fmt.Errorf("%w: %w", contract.ErrProvider, err)
		}
		if err := b.d.Retire(b.vecs); err != nil {
			b.ix.log.Warn("close vectors", "domain", b.d.Name(), "err", err)
		}
		return catalog.StoreError(err)
	}
	b.ix.counters.written.Add(int64(len(good)))
	if role == contract.RoleClustering {
		b.clustered += len(good)
	}
	b.report(func(t *Task) {
		t.Embedded += len(good)
		t.Tokens += tokens
		if !b.flowing {
			t.Percentage = sharePull + (shareEmbed-sharePull)*float64(t.Tokens)/float64(max(t.TokensToEmbed, 1))
		}
	})
	return failed
}

// The percentages at which a task has read its documents, and has its vectors.
// Time goes into embedding, so most of the scale counts tokens.
const (
	sharePull  = 10.0
	shareEmbed = 98.0
)

// place gives the document's chunks their slots, or skips it.
func (b *builder) place(c *change) {
	if b.changes[c.entry.Key()] != c {
		return // a later operation on the same document replaced it
	}
	lacks, ok := b.give(c.entry.Chunks, c.keys[contract.RoleDocument])
	clustering := slices.Clone(c.entry.Chunks)
	lacksToo, clusters := b.give(clustering, c.keys[contract.RoleClustering])
	if !c.again && !c.entry.Supplied() && (!ok && b.refused[lacks] == nil || !clusters && b.refused[lacksToo] == nil) {
		c.again = true
		b.lost = append(b.lost, c) // a vector of it was found damaged since it was looked up
		return
	}
	if !ok {
		reason := b.refused[lacks]
		if reason == nil {
			reason = errors.New("its text has no vector")
		}
		b.skip(c.entry.Key(), reason)
		return
	}
	for _, i := range c.unreadable {
		b.unreadable[c.entry.Chunks[i].Slot] = struct{}{}
	}
	// One that is refused for clustering goes without.
	if clusters && len(c.keys[contract.RoleClustering]) > 0 {
		c.clustering = clustering
		for _, i := range c.unreadable {
			b.unreadable[clustering[i].Slot] = struct{}{}
		}
	}
	c.keys = nil
}

// give gives chunks the slots of their keys. It is not ok where a key has no
// vector, which is the one that the chunk lacks.
func (b *builder) give(chunks []snapshot.Chunk, keys []vecstore.Key) (lacks vecstore.Key, ok bool) {
	for i, key := range keys {
		var ok bool
		if chunks[i].Slot, ok = b.vecs.Lookup(key); !ok {
			return key, false
		}
	}
	return lacks, true
}
