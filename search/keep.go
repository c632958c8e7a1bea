package search

import (
	"context"
	"fmt"
	"slices"

	"github.com/vectorlink/vectorlink/snapshot"
)

// Derived is what was made of a snapshot, or of one of its files: memory alone, which
// the pool keeps as long as it has room for it.
type Derived interface {
	// Bytes is the memory that it takes; constant.
	Bytes() int64
}

// kept is a Derived in the pool.
type kept struct{ Derived }

func (k kept) size() int64 { return k.Bytes() }

func (kept) close() {}

// keep returns what is in the pool under a key, made by derive if it is not there: of
// several callers one makes it. What it returns outlives its stay in the pool.
func (r *Reader) keep(ctx context.Context, key string, derive func() (Derived, error)) (Derived, error) {
	l, err := r.pool.acquire(ctx, key, func() (resource, error) {
		d, err := derive()
		return kept{d}, err
	})
	if err != nil {
		return nil, err
	}
	defer l.release()
	return l.res.(kept).Derived, nil
}

// Keep returns what derive makes of the snapshot, from the pool if it was made before
// under that name.
func (s *Snapshot) Keep(ctx context.Context, name string, derive func() (Derived, error)) (Derived, error) {
	return s.r.keep(ctx, fmt.Sprintf("%s\x00%d", name, s.serial), derive)
}

// EachFile calls use with what derive makes of each commit file of the snapshot's
// chain, the newest first. It is shared by every snapshot whose chain has the file, and
// made at its first use. An error ends it.
func (s *Snapshot) EachFile(ctx context.Context, name string, derive func(*snapshot.File) (Derived, error), use func(*snapshot.File, Derived) error) error {
	for _, l := range s.files {
		f := l.res.(*openFile)
		d, err := s.r.keepOf(ctx, f, name, derive)
		if err == nil {
			err = use(f.file, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepOf is keep for what is made of one file. It is not kept by the file's name: under
// it another file may be put, while snapshots still use the old one.
func (r *Reader) keepOf(ctx context.Context, f *openFile, name string, derive func(*snapshot.File) (Derived, error)) (Derived, error) {
	key := fmt.Sprintf("%s of\x00%d", name, f.serial)
	f.derivedMu.Lock()
	if !slices.Contains(f.derived, key) {
		f.derived = append(f.derived, key)
	}
	f.derivedMu.Unlock()
	return r.keep(ctx, key, func() (Derived, error) { return derive(f.file) })
}

// forgetDerived takes what was made of a file out of the pool.
func (r *Reader) forgetDerived(f *openFile) {
	f.derivedMu.Lock()
	defer f.derivedMu.Unlock()
	for _, key := range f.derived {
		r.pool.remove(key)
	}
}
