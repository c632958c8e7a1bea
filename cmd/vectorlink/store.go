package main

import (
	"context"
	"encoding/binary"
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
	"github.com/vectorlink/vectorlink/search"
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
	if err := usable(st.dir); err != nil {
		return nil, errors.Join(err, st.lock.Close(), st.dir.Close())
	}
	return st, nil
}

// headers are how files of spaces and catalogs begin, of which there are one each for a
// domain: where their version stands, and the highest that this program reads.
var headers = map[string]struct {
	magic string
	bytes int // of the version, behind the magic
	reads uint32
}{
	space.Ext:            {"VLSPACE\n", 4, 1},
	catalog.PrunedExt:    {"VLPR", 2, 1},
	catalog.DecisionsExt: {"VLDC", 2, 1},
}

// usable returns an error where putting back a backup was not finished, or a newer
// program has written files that this one does not read: what it cannot see it
// might make again, or take for damaged.
func usable(dir vfs.FS) error {
	names, err := dir.List()
	if err != nil {
		return err
	}
	if slices.Contains(names, backup.Unfinished) {
		return errors.New("the data directory holds a part of a backup: run vectorlink restore again, to its end")
	}
	var newer []error
	for _, name := range names {
		ext := strings.TrimPrefix(filepath.Ext(name), ".")
		if ext == vecstore.Ext {
			v, err := vecstore.Open(dir, name, vecstore.Config{}, vecstore.NewPool(1<<20))
			if errors.Is(err, vecstore.ErrVersion) {
				newer = append(newer, err)
			} else if err == nil {
				_ = v.Close() // opened for reading
			}
		}
		if headers[ext].magic == "" {
			continue
		}
		if f, err := dir.Open(name, vfs.Read); err == nil { // else who needs it tells
			newer = append(newer, later(name, f)...)
			_ = f.Close() // opened for reading
		}
	}
	if newer != nil {
		return laterFiles(errors.Join(newer...))
	}
	return nil
}

// later returns an error if a file with one of the headers is of a newer version.
func later(name string, f vfs.File) []error {
	h := headers[strings.TrimPrefix(filepath.Ext(name), ".")]
	b := make([]byte, len(h.magic)+4)
	if vfs.ReadFull(f, b, 0) != nil || string(b[:len(h.magic)]) != h.magic {
		return nil // damage is another matter
	}
	if v := binary.LittleEndian.Uint32(b[len(h.magic):]) & uint32(1<<(8*h.bytes)-1); v > h.reads {
		return []error{fmt.Errorf("%s has version %d, this program reads up to %d", name, v, h.reads)}
	}
	return nil
}

// newest returns an error where the newest commit file of a domain that is no alias is of a
// newer program: its catalog file does not tell.
func newest(r *search.Reader) error {
	for _, d := range r.Domains().List("") {
		for info := range d.State().Newest() {
			if info.Kind == snapshot.Alias {
				continue
			}
			if _, err := snapshot.ReadInfo(r.Files(), info.Name()); errors.Is(err, snapshot.ErrVersion) {
				return laterFiles(err)
			}
			break
		}
	}
	return nil
}

// laterFiles says what to do about files of a newer program.
func laterFiles(err error) error {
	return fmt.Errorf("a newer vectorlink than this one (%s) has written the data directory: start that one, or restore the backup that was taken before it\n%w", version, err)
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
	if errors.Is(err, snapshot.ErrVersion) {
		err = laterFiles(err)
	}
	if err != nil {
		return err
	}
	s.Indexer = ix
	return newest(ix.Reader)
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
