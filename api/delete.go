package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// deleteDomain answers DELETE /domain: all commits of an org/db go, whatever
// branch the graphspec names. What is not there is deleted already.
func (s *server) deleteDomain(w *response, r *http.Request, req *service.DeleteRequest) error {
	remove := func() error { return s.ix.DeleteDomain(r.Context(), req.Domain, req.Purge) }
	if s.cfg.Spaces != nil && req.Purge {
		return w.deleted(r, req.Domain, s.cfg.Spaces.Forget(req.Domain, remove))
	}
	return w.deleted(r, req.Domain, remove())
}

// deleteBranchIndex answers DELETE /branch-index: the commits of one branch go.
func (s *server) deleteBranchIndex(w *response, r *http.Request, req *service.DeleteBranchRequest) error {
	return w.deleted(r, req.Domain, s.ix.DeleteBranchIndex(r.Context(), req.Domain, req.Branch))
}
