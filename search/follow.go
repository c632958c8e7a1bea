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

// listEvery is how many looks at the catalog files there are for one at the whole
// directory, which finds domains that are new.
const listEvery = 10

// Follow takes over what the writing process has done, every so often until ctx
// ends. It reads the end of each domain's catalog file, and each tenth time lists
// the directory, which finds new domains.
func (r *Reader) Follow(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		look := r.refreshDomains
		if n%listEvery == 0 {
			look = r.Refresh
		}
		if err := look(); err != nil && ctx.Err() == nil {
			r.log.Warn("the data directory cannot be looked at; what was seen of it is served", "err", err)
		}
	}
}

// Refresh takes over what the writing process has done since.
func (r *Reader) Refresh() error {
	err := r.cfg.Catalog.Refresh()
	r.revalidate()
	return err
}

func (r *Reader) refreshDomains() error {
	var errs []error
	for _, d := range r.cfg.Catalog.Domains() {
		errs = append(errs, d.Refresh())
	}
	r.revalidate()
	return errors.Join(errs...)
}

// revalidate takes the snapshots out of the pool whose files the writing process
// has replaced or removed: their files may have to be opened again, and are others
// then. It costs what is in the pool.
func (r *Reader) revalidate() {
	stale := make(map[string]bool) // keys of snapshots
	var files []string
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
				files = append(files, fileKey(own.Name()), textKey(own))
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
