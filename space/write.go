package space

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
)

// Set stores items, each in the place of any other of its key: all of them, or none.
// They last when it returns, or within a second, as the spaces are configured; reads see
// them at once.
func (sp *Space) Set(ctx context.Context, at At, items ...Item) error {
	writes := make([]*write, len(items))
	for i, it := range items {
		var err error
		if writes[i], err = sp.schema.check(it); err != nil {
			return err
		}
	}
	return sp.write(ctx, at, writes)
}

// Delete removes keys, as Set stores items. One that is not there is no error.
func (sp *Space) Delete(ctx context.Context, at At, keys ...Key) error {
	writes := make([]*write, len(keys))
	for i, k := range keys {
		writes[i] = &write{key: k, deleted: true}
	}
	return sp.write(ctx, at, writes)
}

// Commit makes a commit of what is pending on a branch, and returns the branch's last
// commit, "" for none.
func (sp *Space) Commit(ctx context.Context, at At) (string, error) {
	if err := sp.writable(at); err != nil {
		return "", err
	}
	sp.mu.Lock()
	err := sp.retired
	h := sp.head(at.Branch)
	sp.mu.Unlock()
	if err != nil {
		return "", err
	}
	return h.cut(ctx, at.Said)
}

// Freeze has the space take no writes any more. What is pending is committed; when it
// returns, no commit is in the making.
func (sp *Space) Freeze(ctx context.Context) error {
	if sp.s.cfg.ReadOnly {
		return contract.ErrReadOnly
	}
	sp.mu.Lock()
	err := sp.retired
	if err == nil && !sp.frozen {
		err = sp.append(record{kind: recFrozen})
		sp.frozen = err == nil
	}
	if err != nil {
		sp.mu.Unlock()
		return err
	}
	n, heads := sp.journal.written, slices.Collect(maps.Values(sp.heads))
	sp.mu.Unlock()
	if err := sp.synced(n); err != nil {
		return err
	}
	for _, h := range heads {
		if _, err := h.cut(ctx, contract.About{}); err != nil {
			return err
		}
	}
	return nil
}

// Bulk is a commit of many writes, which are all in it or none. It holds back other
// commits of its branch, and comes before the single writes that arrive meanwhile.
// It must be ended by Commit or Abort.
type Bulk struct {
	sp *Space
	h  *head
	m  *making
}

// Bulk begins one. What is pending on the branch is committed before.
func (sp *Space) Bulk(ctx context.Context, at At) (*Bulk, error) {
	if err := sp.writable(at); err != nil {
		return nil, err
	}
	sp.mu.Lock()
	err := sp.retired
	if err == nil && sp.frozen {
		err = sp.errFrozen()
	}
	h := sp.head(at.Branch)
	sp.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := h.lock(ctx); err != nil {
		return nil, err
	}
	_, err = h.cutLocked(ctx, contract.About{})
	var m *making
	if err == nil {
		m, err = h.begin(ctx, at.Said, nil, 0)
	}
	if err != nil {
		h.unlock()
		return nil, err
	}
	return &Bulk{sp: sp, h: h, m: m}, nil
}

// Set adds an item.
func (b *Bulk) Set(it Item) error {
	w, err := b.sp.schema.check(it)
	if err != nil {
		return err
	}
	return b.m.put(w)
}

// Delete adds the deletion of a key.
func (b *Bulk) Delete(k Key) error { return b.m.put(&write{key: k, deleted: true}) }

// Counts returns how many items and deletions were added.
func (b *Bulk) Counts() (sets, deletes int) { return b.m.sets, b.m.deletes }

var errAborted = errors.New("given up")

// Abort ends the Bulk without a commit. After Commit it does nothing.
func (b *Bulk) Abort() {
	if b.h != nil {
		b.m.abort(fmt.Errorf("%w: a bulk of writes was not whole", errAborted))
		b.h.unlock()
		b.h = nil
	}
}

// Commit makes the commit, and returns its id. A Bulk of nothing makes none, and returns
// the branch's last commit.
func (b *Bulk) Commit() (string, error) {
	if b.m.sets+b.m.deletes == 0 {
		b.Abort()
		return b.sp.last(b.m.h.branch), nil
	}
	b.sp.mu.RLock()
	frozen := b.sp.frozen
	b.sp.mu.RUnlock()
	if frozen { // meanwhile
		b.Abort()
		return "", b.sp.errFrozen()
	}
	commit, err := b.m.finish()
	b.h.unlock()
	b.h = nil
	return commit, err
}

// DeleteAll removes all keys by a commit, and returns how many they were.
func (sp *Space) DeleteAll(ctx context.Context, at At) (n int, commit string, err error) {
	b, err := sp.Bulk(ctx, at)
	if err != nil {
		return 0, "", err
	}
	defer b.Abort()
	v := sp.past()
	if err := v.open(ctx, at); err != nil {
		return 0, "", err
	}
	defer v.release()
	if v.base != nil {
		for e := range v.base.View().All() {
			if err := b.Delete(e.Key()); err != nil {
				return 0, "", err
			}
			n++
		}
	}
	commit, err = b.Commit()
	return n, commit, err
}

func lengthOf(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
