package api

import (
	"context"
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// compare answers POST /compare: how near two texts are.
func (s *server) compare(w http.ResponseWriter, r *http.Request) error {
	p, err := jsonParams(r)
	if err != nil {
		return err
	}
	if method := p.required("method"); method != "" && method != "embedding" {
		p.fail(errParameter, "method is unsupported: it must be embedding")
	}
	req := search.CompareRequest{CallerKey: callerKey(r.Header)}
	req.SourceRole, req.TargetRole = p.roles()
	req.Source, req.Target = p.required("source"), p.required("target")
	if p.err != nil {
		return p.err
	}
	// Equal texts need nothing that could be switched off.
	if req.Source != req.Target {
		if err := s.begin(w, p, "", search.Ref{}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
	defer cancel()
	distance, err := s.ix.Compare(ctx, req)
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Distance float32 `json:"distance"`
		Source   string  `json:"source_role"`
		Target   string  `json:"target_role"`
	}{distance, req.SourceRole.String(), req.TargetRole.String()})
}

// roles returns what the two texts of a comparison are to the model.
func (p *params) roles() (source, target contract.Role) {
	role, ok := p.lookup("role")
	switch {
	case !ok, role == "", role == contract.RoleQuery.String():
		return contract.RoleQuery, contract.RoleDocument
	case role == contract.RoleDocument.String():
		return contract.RoleDocument, contract.RoleDocument
	case role == contract.RoleClustering.String():
		return contract.RoleClustering, contract.RoleClustering
	case role == contract.RoleClassification.String():
		return contract.RoleClassification, contract.RoleClassification
	}
	p.fail(errParameter, "role must be query, document, clustering or classification")
	return 0, 0
}
