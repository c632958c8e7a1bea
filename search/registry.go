package search

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// Registry holds the domains of a data directory.
type Registry struct {
	log   *slog.Logger
	files vfs.FS
	pages *vecstore.Pool

	mu      sync.RWMutex // guards all below
	domains map[string]*Domain
	// seqFloor is no less than any sequence number of a forgotten domain: if
	// one comes back, its numbers go on, so that what was derived from an
	// earlier commit file is never taken for a later one's.
	seqFloor uint64
}

// domain returns the named domain, or ErrNotFound where nothing is indexed.
func (r *Registry) Domain(name string) (*Domain, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.domains[name]; d != nil && !d.empty() {
		return d, nil
	}
	return nil, fmt.Errorf("%w: nothing is indexed of %s", contract.ErrNotFound, name)
}

// enter returns the named domain, made if need be, and keeps it until leave.
// Only what is about to write calls it: reads never create a domain.
func (r *Registry) Enter(name string) *Domain {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.domains[name]
	if d == nil {
		d = newDomain(name, r.files, r.pages)
		d.seq = r.seqFloor
		r.domains[name] = d
	}
	d.users++
	return d
}

// Leave ends what Enter began. A domain that nobody uses and of which
// nothing is indexed (any more) is forgotten, and its vectors are closed: not
// earlier, because a file of vectors has one opener at a time.
// It reports whether the domain was forgotten.
func (r *Registry) Leave(d *Domain) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.users--
	if d.users > 0 || !d.empty() || r.domains[d.Name] != d {
		return false
	}
	if err := d.vectors.Retire(nil); err != nil {
		r.log.Warn("close vectors", "domain", d.Name, "err", err)
	}
	delete(r.domains, d.Name)
	r.seqFloor = max(r.seqFloor, d.NextSeq())
	return true
}

// list returns all domains, or that of the name if it is not empty.
func (r *Registry) List(name string) []*Domain {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var domains []*Domain
	for n, d := range r.domains {
		if name == "" || n == name {
			domains = append(domains, d)
		}
	}
	return domains
}

// busy counts those of the domains that are in use.
func (r *Registry) Busy(domains []*Domain) (n int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, d := range domains {
		if d.users > 0 {
			n++
		}
	}
	return n
}

// know makes a commit known that is there already.
func (r *Registry) Know(info snapshot.Info) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.domains[info.Domain]
	if d == nil {
		d = newDomain(info.Domain, r.files, r.pages)
		r.domains[info.Domain] = d
	}
	d.Add(info)
}
