package indexer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// errNoVector is why a text is left out of a domain whose vectors are supplied.
var errNoVector = errors.New("it has no vector, and this database has no model to make one: its vectors come with its documents")

// dim returns the length of a domain's vectors.
func (ix *Indexer) dim(ctx context.Context, s catalog.Settings, key contract.Secret) (int, error) {
	if s.Dim != 0 {
		return s.Dim, nil
	}
	return ix.cfg.Embedder.Dim(ctx, key)
}

// CheckVector says, as an ErrInvalid, why an operation cannot bring that vector:
// its length, a value that is not finite, no direction where only directions
// count. Other errors are the embedder's, whose vectors it must match.
func (p *Push) CheckVector(v []float32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vecsErr != nil {
		return nil // the push fails for that
	}
	_, err := p.b.supplied(p.ctx, v)
	return err
}

// supplied returns a vector that comes with a document as it is stored.
func (b *builder) supplied(ctx context.Context, v []float32) ([]float32, error) {
	dim, err := 0, error(nil)
	switch {
	case b.vecs != nil:
		dim = b.vecs.Dim()
	case b.base != nil && b.base.View().Header().Dim > 0:
		dim = int(b.base.View().Header().Dim)
	default:
		if dim, err = b.ix.dim(ctx, b.settings, b.key); err != nil {
			return nil, err
		}
	}
	if len(v) != dim {
		return nil, fmt.Errorf("%w: vector has %d numbers, those of %s have %d", contract.ErrInvalid, len(v), b.d.Name(), dim)
	}
	if b.settings.Normalize {
		v = slices.Clone(v)
		if !vector.Normalize(v) {
			return nil, fmt.Errorf("%w: vector must be finite and not zero", contract.ErrInvalid)
		}
	}
	if err := b.ix.vecsConfig(b.d, b.settings, dim).Check(v); err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrInvalid, err)
	}
	return v, nil
}

// suppliedKey is the address of a supplied vector: the same numbers have one
// slot. No fingerprint is as long as the number it begins with, so that it is no
// text's.
func suppliedKey(m catalog.Metric, packed string) vecstore.Key {
	b := binary.LittleEndian.AppendUint32(nil, math.MaxUint32)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Stored()))
	return sha256.Sum256(append(b, packed...))
}

// pack returns a vector's bytes, for hashing and staging.
func pack(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

func unpack(packed string) []float32 {
	v := make([]float32, len(packed)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(packed[4*i:])))
	}
	return v
}

// upsertSupplied is upsert for a document that brings its vector.
func (b *builder) upsertSupplied(ctx context.Context, op contract.Op, hash [sha256.Size]byte) error {
	if len(op.Vector) == 0 {
		return b.upsertBare(op, hash)
	}
	v, err := b.supplied(ctx, op.Vector)
	if err != nil {
		return err
	}
	packed := pack(v)
	key := suppliedKey(b.settings.Metric, packed)
	if old, ok := b.unchanged(op, hash); ok && old.Supplied() && len(old.Chunks) > 0 && b.vecs != nil {
		if slot, stored := b.vecs.Lookup(key); stored && slot == old.Chunks[0].Slot {
			b.keep(keyOf(op), old)
			return nil
		}
	}
	delete(b.same, keyOf(op))
	c, err := b.suppliedChange(op, hash)
	if err != nil {
		return err
	}
	c.entry.Chunks = []snapshot.Chunk{{End: uint32(len(op.Text))}}
	c.keys = map[contract.Role][]vecstore.Key{contract.RoleDocument: {key}}
	if _, asked := b.wanted[key]; !asked && !b.stored(key) {
		b.wanted[key] = struct{}{}
		at, err := b.stage.put(packed)
		if err != nil {
			return err
		}
		b.pieces = append(b.pieces, piece{key: key, role: contract.RoleDocument, vector: at})
		b.issued++
	}
	b.await(keyOf(op), c)
	return nil
}

// suppliedChange returns the change to a document that needs no model, without
// chunks.
func (b *builder) suppliedChange(op contract.Op, hash [sha256.Size]byte) (c *change, err error) {
	c = &change{entry: snapshot.Entry{ID: op.ID, Int: op.Int, Type: op.Type, NoText: op.NoText, TextHash: hash, DocTokens: snapshot.NotCounted}}
	if c.text, err = b.stage.put(op.Text); err == nil {
		c.fields, err = b.stage.put(op.Fields)
	}
	return c, err
}

// upsertBare is upsertSupplied for a document without a vector.
func (b *builder) upsertBare(op contract.Op, hash [sha256.Size]byte) error {
	if old, ok := b.unchanged(op, hash); ok && old.Supplied() && len(old.Chunks) == 0 {
		b.keep(keyOf(op), old)
		return nil
	}
	delete(b.same, keyOf(op))
	c, err := b.suppliedChange(op, hash)
	if err != nil {
		return err
	}
	b.await(keyOf(op), c)
	return nil
}
