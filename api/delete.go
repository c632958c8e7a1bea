package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// deleteDomain answers DELETE /domain: all commits of an org/db go, whatever
// branch the graphspec names. What is not there is deleted already.
func (s *server) deleteDomain(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	domain := p.Domain().Domain()
	purge := p.Flag("purge")
	if p.Err() != nil {
		return p.Err()
	}
	logged(w).domain = domain
	if err := s.ix.DeleteDomain(r.Context(), domain, purge); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteBranchIndex answers DELETE /branch-index: the commits of one branch go.
func (s *server) deleteBranchIndex(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	spec := p.Domain()
	branch := p.Branch()
	if branch == "" {
		branch = spec.Branch
	}
	if branch == "" {
		p.Fail(service.ErrMissing, "branch is required")
	}
	if p.Err() != nil {
		return p.Err()
	}
	logged(w).domain = spec.Domain()
	if err := s.ix.DeleteBranchIndex(r.Context(), spec.Domain(), branch); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
