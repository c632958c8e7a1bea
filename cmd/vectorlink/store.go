package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/vectorlink/vectorlink/indexer"
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

// claim opens and locks a data directory. It does not wait for another process
// to let go.
func claim(dir string) (*store, error) {
	fs, err := vfs.NewOS(dir)
	if err != nil {
		return nil, err
	}
	lock, err := fs.Lock(lockFile)
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("the data directory %s is in use by another process: stop that, or take another --data-dir", dir)
	}
	if err != nil {
		return nil, errors.Join(err, fs.Close())
	}
	return &store{dir: fs, files: vfs.Limit(fs, vfs.DefaultLimit()), lock: lock}, nil
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
