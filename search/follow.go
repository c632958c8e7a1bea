package search

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// OpenReadOnly returns a Reader of a data directory that another process may be
// writing. It takes no lock and writes nothing. Follow has it see what that process
// does.
func OpenReadOnly(cfg ReaderConfig) (*Reader, error) {
	known, err := catalog.Open(catalog.Config{FS: cfg.FS, ReadOnly: true, Check: catalog.CheckSettings, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	cfg.Catalog, cfg.ReadOnly = known, true
	return New(cfg), nil
}

// restShare is how much longer a Follow rests than a look took: looking takes no
// more than a twentieth of a processor, however large the directory is.
const restShare = 20

// Follow looks for what the writing process has done, again and again until ctx
// ends: every so often, and less often where a look takes long. A look reads the
// ends of the catalog files and lists the directory.
func (r *Reader) Follow(ctx context.Context, every time.Duration) {
	rest := time.NewTimer(every)
	defer rest.Stop()
	for {
		select {
		case <-rest.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		if err := r.Refresh(); err != nil && ctx.Err() == nil {
			r.log.Warn("the data directory cannot be looked at; what was seen of it is served", "err", err)
		}
		rest.Reset(max(every, restShare*time.Since(began)))
	}
}

// Refresh takes over what the writing process has done since.
func (r *Reader) Refresh() error {
	err := r.cfg.Catalog.Refresh()
	r.revalidate()
	return err
}

// revalidate takes the snapshots out of the pool whose files the writing process
// has replaced or removed: their files may have to be opened again, and are others
// then. It costs what is in the pool.
func (r *Reader) revalidate() {
	stale := make(map[string]bool) // keys of snapshots
	var files []string
	mended := make(map[*Domain]bool) // maybe
	r.pool.each(func(key string, res resource) {
		s, ok := res.(*Snapshot)
		if !ok {
			return
		}
		state := s.d.State()
		for _, l := range s.files {
			own := l.res.(*openFile).file.Info()
			if now, ok := state.Commit(own.Commit); !ok || !now.Same(own) {
				stale[key] = true
				files = append(files, fileKey(own), textKey(own))
				if len(s.Harmed()) > 0 {
					mended[s.d] = true
				}
			}
		}
	})
	if len(stale) == 0 {
		return
	}
	for _, key := range files {
		r.pool.remove(key)
	}
	r.pool.removeIf(func(key string) bool { return stale[key] })
	for d := range mended {
		r.ForgetDerived(d)
	}
}

// overtaken reports whether an error of a reader comes of what the writing process
// has done since before, the domain's state, was looked at: then the same request
// meets what is there now. Damage that is none of that stays damage.
func (r *Reader) overtaken(d *Domain, before *catalog.State, err error) bool {
	switch {
	case err == nil || !r.cfg.ReadOnly:
		return false
	case errors.Is(err, vfs.ErrReplaced), errors.Is(err, fs.ErrNotExist):
	case !errors.Is(err, contract.ErrCorrupt):
		return false
	}
	_ = r.Refresh() // Follow tells of what it cannot read
	return !errors.Is(err, contract.ErrCorrupt) || d.State() != before
}

// whileFollowing returns ErrBusy for the error of a file that the writing process
// replaced or removed while it was read: the same request finds the new one.
func (r *Reader) whileFollowing(err error) error {
	if err == nil || !r.cfg.ReadOnly || !errors.Is(err, vfs.ErrReplaced) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = r.Refresh() // Follow tells of what it cannot read
	return fmt.Errorf("%w: a file was replaced while it was read: try again", contract.ErrBusy)
}
