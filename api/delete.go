package api

import (
	"cmp"
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// deleteDomain answers DELETE /domain: all commits of an org/db go, whatever
// branch the graphspec names. What is not there is deleted already.
func (s *server) deleteDomain(w *response, r *http.Request, p *service.Params) error {
	domain := p.Domain().Domain()
	purge := p.Flag("purge")
	if err := accept(w, p); err != nil {
		return err
	}
	remove := func() error { return s.ix.DeleteDomain(r.Context(), domain, purge) }
	if s.cfg.Spaces != nil && purge {
		return w.done(s.cfg.Spaces.Forget(domain, remove))
	}
	return w.done(remove())
}

// deleteBranchIndex answers DELETE /branch-index: the commits of one branch go.
func (s *server) deleteBranchIndex(w *response, r *http.Request, p *service.Params) error {
	spec := p.Domain()
	branch := cmp.Or(p.Branch(), spec.Branch)
	if branch == "" {
		p.Fail(service.ErrMissing, "branch is required")
	}
	if err := accept(w, p); err != nil {
		return err
	}
	return w.done(s.ix.DeleteBranchIndex(r.Context(), spec.Domain(), branch))
}
