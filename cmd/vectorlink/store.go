package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/backup"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// The files of a data directory that are not the indexer's own.
const (
	lockFile = "LOCK"
	taskFile = "tasks.journal"
)

// store is a data directory that this process holds, and the indexer over it.
type store struct {
	*indexer.Indexer
	dir   *vfs.OS
	files *vfs.Limited // dir, within the process's limit of open files
	lock  io.Closer
}

// claim opens and locks a data directory, unless what is in it is a part of a backup. It
// does not wait for another process to let go.
func claim(dir string) (*store, error) {
	st, err := lockDirectory(dir)
	if err != nil {
		return nil, err
	}
	if err := restored(st.dir); err != nil {
		return nil, errors.Join(err, st.lock.Close(), st.dir.Close())
	}
	return st, nil
}

// restored returns an error where putting back a backup was not finished.
func restored(dir vfs.FS) error {
	names, err := dir.List()
	if err == nil && slices.Contains(names, backup.Unfinished) {
		err = errors.New("the data directory holds a part of a backup: run vectorlink restore again, to its end")
	}
	return err
}

// lockDirectory opens and locks a data directory.
func lockDirectory(dir string) (*store, error) {
	if err := checkOwn(dir); err != nil {
		return nil, err
	}
	files, err := vfs.NewOS(dir)
	if err != nil {
		return nil, err
	}
	lock, err := files.Lock(lockFile)
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("the data directory %s is in use by another process: stop that, or take another --data-dir", dir)
	}
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return &store{dir: files, files: vfs.Limit(files, vfs.DefaultLimit()), lock: lock}, nil
}

// extensions are those of the files of a data directory.
var extensions = []string{snapshot.Ext, vecstore.Ext, vecstore.RangesExt, textindex.Ext, catalog.Ext, catalog.PrunedExt, catalog.DecisionsExt, space.Ext}

// checkOwn refuses a directory that other programs have files in, and we none. What
// is hidden does not count, nor what file systems and locks leave behind.
func checkOwn(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	foreign := ""
	for {
		// By parts: where there is a file of ours it is mostly among the first.
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			name := e.Name()
			switch ext := strings.TrimPrefix(filepath.Ext(name), "."); {
			case name == taskFile, name == backup.Unfinished, e.Type().IsRegular() && slices.Contains(extensions, ext):
				return nil
			case name == lockFile, name == service.KeysFile, name == indexer.ScrubFile, name == "lost+found", strings.HasPrefix(name, "."), vfs.IsTemp(name):
			default:
				foreign = name
			}
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("data directory: %w", err)
		}
		if foreign == "" {
			return nil
		}
		return usage("data-dir: %s holds files of other programs (such as %s): name a new directory, or an empty one", dir, plainText(foreign))
	}
}

// open opens the indexer over the claimed directory.
func (s *store) open(cfg indexer.Config) error {
	cfg.FS = s.files
	cfg.TaskFile = taskFile
	ix, err := indexer.Open(cfg)
	if err != nil {
		return err
	}
	s.Indexer = ix
	return nil
}

// close closes the indexer, if it was opened, and lets go of the directory.
// Tasks that do not stop before the end of ctx are left to the next start,
// which does not need to be told: their vectors and commits are safe.
func (s *store) close(ctx context.Context, log *slog.Logger) error {
	if s.Indexer != nil {
		err := s.Indexer.Close(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			// Its goroutines still use the files: the end of the process
			// closes them, and lets go of the lock.
			log.Warn("tasks were cut short by the shutdown; they resume at the next start")
			return nil
		}
		if err != nil {
			return errors.Join(err, s.lock.Close(), s.dir.Close())
		}
	}
	return errors.Join(s.lock.Close(), s.dir.Close())
}
