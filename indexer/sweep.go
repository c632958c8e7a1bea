package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// SweepConfig says what a Sweep does.
type SweepConfig struct {
	FS vfs.FS
	// DryRun reports what would be removed, and removes nothing.
	DryRun bool
	// Spare, when not nil, reports whether a file is too young to be removed.
	Spare func(name string) (bool, error)
}

// Removal is a file that a Sweep has removed, or out of which it has taken vectors.
type Removal struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`             // that the disk has back
	Vectors int    `json:"vectors,omitempty"` // freed; 0 for a file that is removed
	Reason  string `json:"reason"`
}

// SweepSummary says what a Sweep has done.
type SweepSummary struct {
	Removed int   `json:"removed"` // files
	Bytes   int64 `json:"bytes"`   // of those
	Spared  int   `json:"spared"`  // files too young
	// FreedVectors are the vectors taken out of files that stay, and FreedBytes
	// what the disk has back of them.
	FreedVectors int   `json:"freed_vectors"`
	FreedBytes   int64 `json:"freed_bytes"`
	// Held are files of vectors that were left because of damaged commit files,
	// which may refer to them.
	Held int `json:"held"`
}

// sweeper is a Sweep under way.
type sweeper struct {
	cfg    SweepConfig
	report func(Removal)
	sum    SweepSummary
}

// Sweep removes what nothing in a data directory refers to: vectors of domains
// without commits, full texts of commits that are gone, what unfinished writes left,
// and, out of files that stay, vectors that no commit uses. The directory must be
// locked by the caller, and no Indexer be open on it; others may read it. It removes
// nothing that any commit file needs, so it may be cut short anywhere and run again.
// It is durable when it returns.
func Sweep(ctx context.Context, cfg SweepConfig, report func(Removal)) (SweepSummary, error) {
	s := &sweeper{cfg: cfg, report: report}
	infos, damaged, err := snapshot.List(cfg.FS)
	if err != nil {
		return s.sum, fmt.Errorf("indexer: sweep: %w", err)
	}
	if err := s.removeFiles(ctx, infos, damaged); err != nil {
		return s.sum, err
	}
	return s.sum, s.freeVectors(ctx, infos, len(damaged) > 0)
}

// removeFiles removes the files that nothing refers to.
func (s *sweeper) removeFiles(ctx context.Context, infos []snapshot.Info, damaged []snapshot.Damage) error {
	cfg, sum := s.cfg, &s.sum
	// After the commits: what comes meanwhile is not looked at.
	names, err := cfg.FS.List()
	if err != nil {
		return fmt.Errorf("indexer: sweep: %w", err)
	}
	used := make(map[string]bool)
	for _, info := range infos {
		vecs := []string{vecstore.FileName(info.Domain, vecstore.Main)}
		for _, n := range info.Named() {
			vecs = append(vecs, n.Vecs)
		}
		for _, name := range vecs {
			used[name], used[vecstore.RangesName(name)] = true, true
		}
		used[textindex.FileName(info.Domain, info.Commit)] = true
		used[catalog.FileName(info.Domain)], used[catalog.PrunedName(info.Domain)] = true, true
	}
	for _, d := range damaged {
		used[strings.TrimSuffix(d.Name, snapshot.Ext)+textindex.Ext] = true
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		reason := ""
		switch {
		case used[name]:
		case leftover(name):
			reason = "left by an unfinished write"
		case strings.HasSuffix(name, "."+catalog.Ext):
			if len(damaged) > 0 {
				continue
			}
			reason = "catalog of a domain without commits"
		case strings.HasSuffix(name, "."+catalog.PrunedExt):
			if len(damaged) > 0 {
				continue
			}
			reason = "list of pruned commits of a domain without commits"
		case strings.HasSuffix(name, "."+textindex.Ext):
			reason = "full text of a commit that is gone"
		case strings.HasSuffix(name, "."+vecstore.RangesExt):
			if len(damaged) > 0 {
				continue
			}
			reason = "hashes of vectors of a domain without commits"
		case strings.HasSuffix(name, "."+vecstore.Ext):
			reason = "vectors of a domain without commits"
			if len(damaged) > 0 {
				sum.Held++
				continue
			}
		}
		if reason == "" {
			continue
		}
		if cfg.Spare != nil {
			if young, err := cfg.Spare(name); err != nil {
				return fmt.Errorf("indexer: sweep: %w", err)
			} else if young {
				sum.Spared++
				continue
			}
		}
		r := Removal{File: name, Reason: reason}
		if r.Bytes, err = sizeOf(cfg.FS, name); err != nil {
			return fmt.Errorf("indexer: sweep: %w", err)
		}
		if !cfg.DryRun {
			if err := cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("indexer: sweep: %w", err)
			}
		}
		sum.Removed++
		sum.Bytes += r.Bytes
		s.report(r)
	}
	if sum.Removed == 0 || cfg.DryRun {
		return nil
	}
	if err := cfg.FS.SyncDir(); err != nil {
		return fmt.Errorf("indexer: sweep: %w", err)
	}
	return nil
}

// leftover reports whether a file is one that this program writes and then
// renames or removes: whatever is left of it is rubbish.
func leftover(name string) bool {
	if vfs.IsTemp(name) {
		for _, ext := range []string{snapshot.Ext, textindex.Ext, vecstore.Ext, vecstore.RangesExt, catalog.Ext, catalog.PrunedExt, catalog.DecisionsExt} {
			if strings.Contains(name, "."+ext+".") {
				return true
			}
		}
	}
	return strings.HasSuffix(name, stageSuffix) && strings.HasPrefix(name, tasks.IDPrefix)
}

func sizeOf(files vfs.FS, name string) (int64, error) {
	f, err := files.Open(name, vfs.Read)
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	return size, errors.Join(err, f.Close())
}
