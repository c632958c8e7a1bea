package search

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// vectors holds the open file of a domain's vectors.
type vectors struct {
	domain string
	files  vfs.FS
	pages  *vecstore.Pool
	// readOnly: another process writes the file.
	readOnly bool

	// recovery is held while the file is opened for writing, which reads all of
	// it. It is taken before mu.
	recovery sync.Mutex

	mu    sync.RWMutex // guards all below
	store *vecstore.Store
	// recovered: store may be appended to.
	recovered bool
}

// VecsName returns the name of the file of vectors.
func (v *vectors) VecsName() string { return vecstore.FileName(v.domain, vecstore.Main) }

// Readable returns the vectors for reading, or nil if none exist.
func (v *vectors) Readable() (*vecstore.Store, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil {
		open := vecstore.Open
		if v.readOnly {
			open = vecstore.OpenRead
		}
		s, err := open(v.files, v.VecsName(), vecstore.Config{Domain: v.domain}, v.pages)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if errors.Is(err, vecstore.ErrMismatch) {
			return nil, fmt.Errorf("%w: %w", contract.ErrCorrupt, err) // put in the place of ours
		}
		if err != nil {
			return nil, catalog.StoreError(err)
		}
		v.store = s
	}
	return v.store, nil
}

// acquire returns the vectors below slot end for reading until their Release, or
// nil if none exist.
func (v *vectors) acquire(end uint32) (*vecstore.Store, error) {
	for {
		s, err := v.Readable()
		if err != nil || s == nil {
			return nil, err
		}
		if err := s.Acquire(); errors.Is(err, vecstore.ErrClosed) {
			continue // another store has taken its place
		} else if err != nil {
			return nil, err
		}
		if !v.readOnly {
			return s, nil
		}
		switch err := s.Refresh(end); {
		case errors.Is(err, vfs.ErrReplaced):
			// The domain was deleted and has come again.
			s.Release()
			_ = v.Retire(s) // opened for reading: nothing to lose
		case err != nil && !errors.Is(err, vecstore.ErrCorrupt):
			s.Release()
			return nil, catalog.StoreError(err)
		default:
			return s, nil // what the file lacks is damage, met by what reads it
		}
	}
}

// Writable returns the vectors ready to be appended to, created or repaired if
// need be. Slots below floor are never given again, be they lost.
func (v *vectors) Writable(want vecstore.Config, floor uint32) (*vecstore.Store, error) {
	v.recovery.Lock()
	defer v.recovery.Unlock()
	for {
		s, recovered, err := v.open(want, floor)
		if err != nil {
			return nil, err
		}
		have := s.Config()
		if have.Fingerprint != want.Fingerprint || have.Dim != want.Dim {
			return nil, fmt.Errorf("%w: the vectors of %s are from %s (%d dimensions), this server embeds with %s (%d); use that model, or another data directory, or delete the domain with purge=true",
				contract.ErrConflict, v.domain, have.Fingerprint, have.Dim, want.Fingerprint, want.Dim)
		}
		if have.Metric != want.Metric || have.Normalized != want.Normalized {
			return nil, fmt.Errorf("%w: the vectors of %s are kept for metric %v (unit length: %v), not for %v (%v); delete the domain with purge=true to begin anew",
				contract.ErrConflict, v.domain, have.Metric, have.Normalized, want.Metric, want.Normalized)
		}
		if recovered {
			return s, nil
		}
		// Not under mu: it reads the whole file, and searches go on meanwhile.
		if err := s.Recover(floor); errors.Is(err, fs.ErrNotExist) {
			_ = v.Retire(s) // never written; a reader opened the file just before it was purged
			continue
		} else if err != nil {
			return nil, catalog.StoreError(err)
		}
		v.mu.Lock()
		v.recovered = v.store == s
		v.mu.Unlock()
		return s, nil
	}
}

// open returns the vectors, created if need be, and whether they may be appended
// to.
func (v *vectors) open(want vecstore.Config, floor uint32) (s *vecstore.Store, recovered bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil {
		s, err := vecstore.Open(v.files, v.VecsName(), want, v.pages)
		if errors.Is(err, fs.ErrNotExist) {
			s, err = vecstore.Create(v.files, v.VecsName(), want, v.pages)
			if err == nil && floor > 0 {
				// Commits refer to vectors that are gone. Opened again, it
				// can be recovered so that none gets the number of one.
				if err = s.Close(); err == nil {
					s, err = vecstore.Open(v.files, v.VecsName(), want, v.pages)
				}
			}
		}
		if errors.Is(err, vecstore.ErrCorrupt) && vecstore.RepairHeader(v.files, v.VecsName(), want) == nil {
			s, err = vecstore.Open(v.files, v.VecsName(), want, v.pages)
		}
		if err != nil {
			return nil, false, catalog.StoreError(err)
		}
		v.store = s
	}
	return v.store, v.recovered, nil
}

// Retire puts a store whose write or sync failed out of use (nil: whichever is
// in use): what it left behind is known only to the disk, so the next writer
// opens and reads the file again. Of several tasks that met the failure the
// first does it. The file is closed when the last snapshot on it is.
func (v *vectors) Retire(failed *vecstore.Store) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil || failed != nil && v.store != failed {
		return nil
	}
	err := v.store.Retire()
	v.store, v.recovered = nil, false
	return err
}

// Current returns the open store, nil for none, and whether it may be appended
// to.
func (v *vectors) Current() (*vecstore.Store, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.store, v.recovered
}
