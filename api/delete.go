package api

import "net/http"

// deleteDomain answers DELETE /domain: all commits of an org/db go, whatever
// branch the graphspec names. What is not there is deleted already.
func (s *server) deleteDomain(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	domain := p.domain().Domain()
	purge := p.flag("purge")
	if p.err != nil {
		return p.err
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
	spec := p.domain()
	branch := p.branch()
	if branch == "" {
		branch = spec.Branch
	}
	if branch == "" {
		p.fail(errMissing, "branch is required")
	}
	if p.err != nil {
		return p.err
	}
	logged(w).domain = spec.Domain()
	if err := s.ix.DeleteBranchIndex(r.Context(), spec.Domain(), branch); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
