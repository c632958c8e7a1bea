package search

import (
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// Domain is one org/db with its vectors.
type Domain struct {
	*catalog.Domain
	*vectors

	users int // guarded by Registry.mu

	mu       sync.Mutex
	suspects map[string]struct{} // files found damaged since they were looked over; guarded by mu
}

func newDomain(d *catalog.Domain, files vfs.FS, pages *vecstore.Pool, readOnly bool) *Domain {
	return &Domain{
		Domain:   d,
		vectors:  &vectors{domain: d.Name(), files: files, pages: pages, readOnly: readOnly},
		suspects: make(map[string]struct{}),
	}
}

// Suspect notes that a file was found damaged: its commit is looked over when it
// is indexed again.
func (d *Domain) Suspect(file string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.suspects[file] = struct{}{}
}

// IsSuspect reports whether a file was found damaged since Clear.
func (d *Domain) IsSuspect(file string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.suspects[file]
	return ok
}

// Clear notes that a file was looked over, or replaced.
func (d *Domain) Clear(file string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.suspects, file)
}

// Recorded returns the settings that the domain's commits carry, and whether there
// are any.
func (d *Domain) Recorded() (s catalog.Settings, ok bool) {
	state := d.State()
	s, err := catalog.ParseSettings(state.Settings())
	if err != nil {
		s = catalog.DefaultSettings // refused when the commit became known
	}
	return s, state.Len() > 0
}
