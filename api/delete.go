package api

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
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
	if s.cfg.Spaces != nil && purge {
		if err := s.cfg.Spaces.Forget(domain); err != nil && !errors.Is(err, contract.ErrReadOnly) {
			return err
		}
	}
	return w.done(s.ix.DeleteDomain(r.Context(), domain, purge))
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
