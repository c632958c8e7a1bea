package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// slotSet is a set of slots.
type slotSet []uint64

func (s slotSet) add(slot uint32) {
	if int(slot/64) < len(s) {
		s[slot/64] |= 1 << (slot % 64)
	}
}

func (s slotSet) has(slot uint32) bool { return int(slot/64) < len(s) && s[slot/64]>>(slot%64)&1 != 0 }

// freeVectors frees the vectors that no commit uses, see [vecstore.Store.Free]:
// those of pruned and deleted ones. Slots from the highest that is used on stay, for
// they may be of a task that is to go on. With hold, all stay.
func (s *sweeper) freeVectors(ctx context.Context, infos []snapshot.Info, hold bool) error {
	users := make(map[string][]snapshot.Info) // by file of vectors
	for _, info := range infos {
		files := make(map[string]bool)
		for _, n := range info.Named() {
			if n.SlotEnd > 0 && !files[n.Vecs] {
				files[n.Vecs] = true
				users[n.Vecs] = append(users[n.Vecs], info)
			}
		}
	}
	if hold {
		s.sum.Held += len(users) // a damaged file may refer to any
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if err := s.freeFile(ctx, name, users[name]); errors.Is(err, snapshot.ErrCorrupt) || errors.Is(err, vecstore.ErrCorrupt) {
			s.sum.Held++ // verify tells more
		} else if err != nil {
			return fmt.Errorf("indexer: free vectors of %s: %w", name, err)
		}
	}
	return nil
}

// freeFile frees the vectors of a file that these commits do not use.
func (s *sweeper) freeFile(ctx context.Context, name string, infos []snapshot.Info) (err error) {
	end := uint32(0)
	for _, info := range infos {
		for _, n := range info.Named() {
			if n.Vecs == name {
				end = max(end, n.SlotEnd)
			}
		}
	}
	used := make(slotSet, (int(end)+63)/64)
	for _, info := range infos {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := useSlots(s.cfg.FS, info, name, used); err != nil {
			return err
		}
	}
	vecs, err := vecstore.Open(s.cfg.FS, name, vecstore.Config{}, vecstore.NewPool(verifyPoolBytes))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // lost: verify tells
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vecs.Close()) }()
	freed, err := vecs.Free(end, used.has, s.cfg.DryRun)
	if err != nil || freed.Vectors == 0 {
		return err
	}
	s.sum.FreedVectors += freed.Vectors
	s.sum.FreedBytes += freed.Bytes
	s.report(Removal{File: name, Bytes: freed.Bytes, Vectors: freed.Vectors, Reason: "vectors that no commit uses"})
	return nil
}

// useSlots adds the slots of a file of vectors that a commit file's entries and
// graphs refer to.
func useSlots(files vfs.FS, info snapshot.Info, name string, used slotSet) (err error) {
	f, err := snapshot.Open(files, info.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, n := range info.Named() {
		if n.Vecs != name {
			continue
		}
		for i := range f.Entries() {
			for _, c := range f.Entries()[i].ChunksOf(n.Name) {
				used.add(c.Slot)
			}
		}
		p, err := f.GraphOf(n.Name)
		if err != nil {
			return err
		}
		if len(p) == 0 {
			continue
		}
		g, err := hnsw.Decode(p)
		if err != nil {
			return fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
		}
		for _, slot := range g.Slots() {
			used.add(slot)
		}
	}
	return nil
}
