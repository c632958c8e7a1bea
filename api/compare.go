package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// compare answers POST /compare: how near two texts are.
func (s *server) compare(w *response, r *http.Request, req *service.CompareRequest) error {
	// Equal texts need nothing that could be switched off.
	if req.Source != req.Target && !s.cfg.SearchReady {
		return errSwitchedOff
	}
	distance, err := s.ix.Compare(r.Context(), req.CompareRequest)
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Distance float32 `json:"distance"`
		Source   string  `json:"source_role"`
		Target   string  `json:"target_role"`
	}{distance, req.SourceRole.String(), req.TargetRole.String()})
}
