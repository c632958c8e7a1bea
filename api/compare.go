package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// compare answers POST /compare: how near two texts are.
func (s *server) compare(w *response, r *http.Request, p *service.Params) error {
	if method := p.Required("method"); method != "" && method != "embedding" {
		p.Fail(service.ErrParameter, "method is unsupported: it must be embedding")
	}
	req := search.CompareRequest{CallerKey: p.Key}
	req.SourceRole, req.TargetRole = roles(p)
	req.Source, req.Target = p.Required("source"), p.Required("target")
	if p.Err() != nil {
		return p.Err()
	}
	// Equal texts need nothing that could be switched off.
	if req.Source != req.Target {
		if err := s.begin(w, p); err != nil {
			return err
		}
	}
	distance, err := s.ix.Compare(r.Context(), req)
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
func roles(p *service.Params) (source, target contract.Role) {
	switch p.Text("role") {
	case contract.RoleDocument.String():
		return contract.RoleDocument, contract.RoleDocument
	case contract.RoleClustering.String():
		return contract.RoleClustering, contract.RoleClustering
	case contract.RoleClassification.String():
		return contract.RoleClassification, contract.RoleClassification
	case contract.RoleQuery.String(), "":
	default:
		p.Fail(service.ErrParameter, "role must be query, document, clustering or classification")
	}
	return contract.RoleQuery, contract.RoleDocument
}
