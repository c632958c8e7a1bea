package search

import (
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// Registry holds the domains of a catalog with their vectors, each once: a file of
// vectors has one opener at a time.
type Registry struct {
	log      *slog.Logger
	catalog  *catalog.Catalog
	files    vfs.FS
	pages    *vecstore.Pool
	readOnly bool

	mu      sync.Mutex // guards all below
	domains map[*catalog.Domain]*Domain
}

// of returns the domain with its vectors. Called with r.mu held.
func (r *Registry) of(d *catalog.Domain) *Domain {
	known := r.domains[d]
	if known == nil {
		known = newDomain(d, r.files, r.pages, r.readOnly)
		r.domains[d] = known
	}
	return known
}

// Domain returns the named domain, or ErrNotFound where nothing is indexed.
func (r *Registry) Domain(name string) (*Domain, error) {
	d, err := r.catalog.Domain(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(d), nil
}

// Enter returns the named domain, created if need be, and keeps it until Leave.
// Only what is about to write calls it: reads never create a domain.
func (r *Registry) Enter(name string) *Domain {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.of(r.catalog.Create(name))
	d.users++
	return d
}

// Leave ends what Enter began, and reports whether the domain was forgotten, with
// its vectors closed: that happens to one that is not in use and has no commits.
func (r *Registry) Leave(d *Domain) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.users--
	if d.users > 0 || d.State().Len() > 0 || !r.catalog.Forget(d.Domain) {
		return false
	}
	if err := d.Retire(nil); err != nil {
		r.log.Warn("close vectors", "domain", d.Name(), "err", err)
	}
	delete(r.domains, d.Domain)
	return true
}

// List returns all domains of which something is indexed, by name; that of the
// name alone if it is not empty.
func (r *Registry) List(name string) []*Domain {
	var all []*catalog.Domain
	if name == "" {
		all = r.catalog.Domains()
	} else if d, err := r.catalog.Domain(name); err == nil {
		all = append(all, d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	domains := make([]*Domain, 0, len(all))
	for _, d := range all {
		if d.State().Len() > 0 {
			domains = append(domains, r.of(d))
		}
	}
	return domains
}

// InUse returns all domains that are entered, by name.
func (r *Registry) InUse() []*Domain {
	r.mu.Lock()
	defer r.mu.Unlock()
	var domains []*Domain
	for _, d := range r.domains {
		if d.users > 0 {
			domains = append(domains, d)
		}
	}
	slices.SortFunc(domains, func(a, b *Domain) int { return strings.Compare(a.Name(), b.Name()) })
	return domains
}

// close closes the vectors of all domains.
func (r *Registry) close() (errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.domains {
		errs = append(errs, d.Retire(nil))
	}
	return errs
}
