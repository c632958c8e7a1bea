package indexer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// domain is what is known of one org/db: its commits, from the headers of
// their files, and its vectors.
type domain struct {
	name string

	// writing is held by whoever turns operations into a commit of this
	// domain, or replaces a commit's file. It is taken before mu.
	writing sync.Mutex

	mu      sync.RWMutex // guards all below
	commits map[string]snapshot.Info
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
}

func newDomain(name string) *domain {
	return &domain{
		name:    name,
		commits: make(map[string]snapshot.Info),
		heads:   make(map[string]Head),
	}
}

// add makes a commit known.
func (d *domain) add(info snapshot.Info) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commits[info.Commit] = info
	d.seq = max(d.seq, info.Seq)
	d.slotEnd = max(d.slotEnd, info.SlotEnd)
	if info.Branch != "" && info.Seq >= d.heads[info.Branch].Version {
		d.heads[info.Branch] = Head{Branch: info.Branch, Commit: info.Commit, Version: info.Seq}
	}
	d.totals = nil
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
		return "", fmt.Errorf("%w: commit (or branch) is required", ErrInvalid)
	}
	if ref.Commit == "" {
		if h := d.head(ref.Branch); h.Commit != "" {
			return h.Commit, nil
		}
		return "", fmt.Errorf("%w: branch %s of %s has no indexed commit", ErrNotFound, ref.Branch, d.name)
	}
	for _, c := range append([]string{ref.Commit}, ref.Ancestors...) {
		if _, ok := d.real(c); ok {
			return c, nil
		}
	}
	return "", fmt.Errorf("%w: commit %s of %s is not indexed", ErrNotFound, ref.Commit, d.name)
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
		s, err := vecstore.Open(files, d.vecsName(), vecstore.Config{}, pages)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vecs == nil {
		s, err := vecstore.Open(files, d.vecsName(), want, pages)
		if errors.Is(err, fs.ErrNotExist) {
			s, err = vecstore.Create(files, d.vecsName(), want, pages)
		}
		if err != nil {
			return nil, storeError(err)
		}
		d.vecs = s
	}
	if have := d.vecs.Config(); have.Fingerprint != want.Fingerprint || have.Dim != want.Dim {
		return nil, fmt.Errorf("%w: the vectors of %s are from %s (%d dimensions), this server embeds with %s (%d); use that model, or another data directory",
			ErrConflict, d.name, have.Fingerprint, have.Dim, want.Fingerprint, want.Dim)
	}
	if !d.recovered {
		if err := d.vecs.Recover(d.slotEnd); err != nil {
			return nil, storeError(err)
		}
		d.recovered = true
	}
	return d.vecs, nil
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

// retireVectors puts a store whose write or sync failed out of use: what it
// left behind is known only to the disk, so the next writer opens and reads
// the file anew.
func (d *domain) retireVectors() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.vecs != nil {
		d.retired = append(d.retired, d.vecs)
		d.vecs, d.recovered = nil, false
	}
}

func (d *domain) vecsName() string { return vfs.FileName(d.name, "", "vecs") }

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
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, vecstore.ErrMismatch):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}
