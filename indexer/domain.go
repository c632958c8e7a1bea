package indexer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// domain is what is known of one org/db: its commits, from the headers of
// their files, and its vectors.
type domain struct {
	name string

	users int // tasks and open snapshots at work on it; guarded by Indexer.mu

	// rewriting is held while a merge writes its file, and by whoever removes
	// commits, so that nothing of them is left in one. It is taken before
	// writing.
	rewriting sync.Mutex

	// writing is held, never for long, by whoever adds, replaces or removes
	// the domain's files, and by a task while it takes hold of what it will
	// build on. It is taken before mu.
	writing sync.Mutex

	mu      sync.RWMutex // guards all below
	commits map[string]snapshot.Info
	// whole holds the commits that this process has written or looked over,
	// and how many damaged vectors it knew of then.
	whole   map[string]int
	heads   map[string]Head
	seq     uint64 // highest sequence number given
	slotEnd uint32 // 1 + highest slot that any commit references
	vecs    *vecstore.Store
	// recovered: vecs may be appended to.
	recovered bool
	// retired are stores that failed a write and were replaced; searches
	// under way may still read them, so they stay open until the end.
	retired []*vecstore.Store
	totals  *totals // cached counts over branch heads, nil when stale
	// settings are the commits'; agreed is what running tasks go by, nil while
	// none does.
	settings Settings
	agreed   *agreement
	// pushing holds the branches that a push is at work on; the channel is
	// closed when it has ended.
	pushing map[string]chan struct{}
}

func newDomain(name string) *domain {
	return &domain{
		name:     name,
		settings: defaultSettings,
		commits:  make(map[string]snapshot.Info),
		whole:    make(map[string]int),
		heads:    make(map[string]Head),
		pushing:  make(map[string]chan struct{}),
	}
}

// add makes a commit known that was just written.
func (d *domain) add(info snapshot.Info) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.know(info)
	d.setWhole(info.Commit)
}

// know makes a commit known. Called with d.mu held.
func (d *domain) know(info snapshot.Info) {
	d.commits[info.Commit] = info
	d.seq = max(d.seq, info.Seq)
	d.slotEnd = max(d.slotEnd, info.SlotEnd)
	d.advance(info)
	d.settings = settingsOf(info)
	d.totals = nil
}

// advance moves a branch's head to the commit if it is the newest. Called with
// d.mu held.
func (d *domain) advance(info snapshot.Info) {
	if info.Branch != "" && info.Seq >= d.heads[info.Branch].Version {
		h := Head{Branch: info.Branch, Commit: info.Commit, Version: info.Seq}
		if isMark(info) {
			h.Commit = info.Base
		}
		d.heads[info.Branch] = h
	}
}

// nextSeq gives the next sequence number. Numbers of commits that were not
// finished are lost, which does no harm: only their order matters.
func (d *domain) nextSeq() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	return d.seq
}

// commit returns the header of an indexed commit.
func (d *domain) commit(id string) (snapshot.Info, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	info, ok := d.commits[id]
	return info, ok
}

// empty reports whether nothing is indexed.
func (d *domain) empty() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.commits) == 0
}

// real returns the commit whose file holds the entries that id is searched
// by: id itself, or the commit that an alias stands for.
func (d *domain) real(id string) (snapshot.Info, bool) {
	info, ok := d.commit(id)
	if ok && info.Kind == snapshot.Alias {
		return d.commit(info.Base)
	}
	return info, ok
}

// head returns the branch's last indexed commit; the zero commit if none.
func (d *domain) head(branch string) Head {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h := d.heads[branch]
	h.Branch = branch
	return h
}

// resolve chooses the commit to serve (wire contract §2.9, §2.10).
func (d *domain) resolve(ref Ref) (string, error) {
	if ref.Commit == "" && ref.Branch == "" {
		return "", fmt.Errorf("%w: commit (or branch) is required", contract.ErrInvalid)
	}
	if ref.Commit == "" {
		if h := d.head(ref.Branch); h.Commit != "" {
			return h.Commit, nil
		}
		return "", fmt.Errorf("%w: branch %s of %s has no indexed commit", contract.ErrNotFound, ref.Branch, d.name)
	}
	for _, c := range append([]string{ref.Commit}, ref.Ancestors...) {
		if _, ok := d.real(c); ok {
			return c, nil
		}
	}
	return "", fmt.Errorf("%w: commit %s of %s is not indexed", contract.ErrNotFound, ref.Commit, d.name)
}

// list returns all commits, newest first.
func (d *domain) list() []snapshot.Info {
	d.mu.RLock()
	defer d.mu.RUnlock()
	infos := make([]snapshot.Info, 0, len(d.commits))
	for _, info := range d.commits {
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b snapshot.Info) int { return cmp.Compare(b.Seq, a.Seq) })
	return infos
}

// vectors returns the domain's vectors for reading, or nil if none exist.
func (d *domain) vectors(files vfs.FS, pages *vecstore.Pool) (*vecstore.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vecs == nil {
		s, err := vecstore.Open(files, d.vecsName(), vecstore.Config{Domain: d.name}, pages)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if errors.Is(err, vecstore.ErrMismatch) {
			return nil, fmt.Errorf("%w: %w", contract.ErrCorrupt, err) // put in the place of ours
		}
		if err != nil {
			return nil, storeError(err)
		}
		d.vecs = s
	}
	return d.vecs, nil
}

// writableVectors returns the domain's vectors ready to be appended to, made
// anew if need be. Called with d.writing held.
func (d *domain) writableVectors(files vfs.FS, pages *vecstore.Pool, want vecstore.Config) (*vecstore.Store, error) {
	s, recovered, floor, err := d.openVectors(files, pages, want)
	if err != nil {
		return nil, err
	}
	have := s.Config()
	if have.Fingerprint != want.Fingerprint || have.Dim != want.Dim {
		return nil, fmt.Errorf("%w: the vectors of %s are from %s (%d dimensions), this server embeds with %s (%d); use that model, or another data directory, or delete the domain with purge=true",
			contract.ErrConflict, d.name, have.Fingerprint, have.Dim, want.Fingerprint, want.Dim)
	}
	if have.Metric != want.Metric || have.Normalized != want.Normalized {
		return nil, fmt.Errorf("%w: the vectors of %s are kept for metric %v (unit length: %v), not for %v (%v); delete the domain with purge=true to begin anew",
			contract.ErrConflict, d.name, have.Metric, have.Normalized, want.Metric, want.Normalized)
	}
	if recovered {
		return s, nil
	}
	// Not under mu: it reads the whole file, and searches go on meanwhile.
	if err := s.Recover(floor); errors.Is(err, fs.ErrNotExist) {
		// A reader opened the file just before it was purged.
		d.retireVectors(s)
		return d.writableVectors(files, pages, want)
	} else if err != nil {
		return nil, storeError(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recovered = d.vecs == s
	return s, nil
}

// openVectors returns the domain's vectors, made anew if need be, whether they
// may be appended to, and the slots that must not be lost.
func (d *domain) openVectors(files vfs.FS, pages *vecstore.Pool, want vecstore.Config) (s *vecstore.Store, recovered bool, floor uint32, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vecs == nil {
		s, err := vecstore.Open(files, d.vecsName(), want, pages)
		if errors.Is(err, fs.ErrNotExist) {
			s, err = vecstore.Create(files, d.vecsName(), want, pages)
			if err == nil && d.slotEnd > 0 {
				// Commits refer to vectors that are gone. Opened anew, it
				// can be recovered so that none gets the number of one.
				if err = s.Close(); err == nil {
					s, err = vecstore.Open(files, d.vecsName(), want, pages)
				}
			}
		}
		if errors.Is(err, vecstore.ErrCorrupt) && vecstore.MendHeader(files, d.vecsName(), want) == nil {
			s, err = vecstore.Open(files, d.vecsName(), want, pages)
		}
		if err != nil {
			return nil, false, 0, storeError(err)
		}
		d.vecs = s
	}
	return d.vecs, d.recovered, d.slotEnd, nil
}

// lender returns the domain's vectors for looking keys up, if they are of that
// model and nobody is writing; nil otherwise.
func (d *domain) lender(files vfs.FS, pages *vecstore.Pool, fingerprint string) *vecstore.Store {
	if !d.writing.TryLock() {
		// Its writer has recovered it, and look-ups run beside appends.
		d.mu.RLock()
		defer d.mu.RUnlock()
		if d.recovered && d.vecs.Config().Fingerprint == fingerprint {
			return d.vecs
		}
		return nil
	}
	defer d.writing.Unlock()
	s, err := d.vectors(files, pages)
	if err != nil || s == nil || s.Config().Fingerprint != fingerprint {
		return nil
	}
	s, err = d.writableVectors(files, pages, s.Config())
	if err != nil {
		return nil
	}
	return s
}

// makeVectors returns the domain's vectors ready to be appended to, made anew
// if need be.
func (ix *Indexer) makeVectors(d *domain, settings Settings, dim int) (*vecstore.Store, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.writableVectors(ix.cfg.FS, ix.pages, ix.vecsConfig(d, settings, dim))
}

// ownVectors returns the domain's vectors ready to be looked up and appended
// to, if it has any; nil otherwise. Those of another model are ErrConflict.
func (ix *Indexer) ownVectors(d *domain, settings Settings) (*vecstore.Store, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	s, err := d.vectors(ix.cfg.FS, ix.pages)
	if errors.Is(err, contract.ErrCorrupt) {
		// The header is damaged; the commits know what it said.
		for _, info := range d.list() {
			if info.SlotEnd > 0 {
				return d.writableVectors(ix.cfg.FS, ix.pages, vectorsOf(d, info))
			}
		}
	}
	if err != nil || s == nil {
		return nil, err
	}
	return d.writableVectors(ix.cfg.FS, ix.pages, ix.vecsConfig(d, settings, s.Dim()))
}

// retireVectors puts a store whose write or sync failed out of use: what it
// left behind is known only to the disk, so the next writer opens and reads
// the file anew. Of several tasks that met the failure the first does it.
func (d *domain) retireVectors(failed *vecstore.Store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vecs == failed {
		d.retired = append(d.retired, d.vecs)
		d.vecs, d.recovered = nil, false
	}
}

func (d *domain) vecsName() string { return vfs.FileName(d.name, "", vecsExt) }

func (d *domain) closeVectors() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	if d.vecs != nil {
		errs = append(errs, d.vecs.Close())
		d.vecs, d.recovered = nil, false
	}
	for _, s := range d.retired {
		errs = append(errs, s.Close())
	}
	d.retired = nil
	return errors.Join(errs...)
}

// storeError gives the errors of the packages below their meaning for a user.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vecstore.ErrCorrupt), errors.Is(err, snapshot.ErrCorrupt):
		return fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
	case errors.Is(err, vecstore.ErrVersion), errors.Is(err, snapshot.ErrVersion):
		return fmt.Errorf("%w: %w; start the program that wrote it", contract.ErrConflict, err)
	case errors.Is(err, vecstore.ErrMismatch):
		return fmt.Errorf("%w: %w", contract.ErrConflict, err)
	}
	var file *fs.PathError
	var link *os.LinkError
	if errors.As(err, &file) || errors.As(err, &link) {
		return fmt.Errorf("%w: %w", contract.ErrStore, err)
	}
	return err
}
