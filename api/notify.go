package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
)

// notify answers POST /notify: something may have happened to a branch of the
// document database, which is then looked at without delay. What the database's
// plugin sends is {"path":"org/db/local/branch/main", ...}; domain and branch
// are taken too. A branch that is not followed is no error, for a plugin sends
// every commit of every database.
func (s *server) notify(w *response, _ *http.Request, req *service.NotifyRequest) error {
	if s.cfg.Watcher == nil {
		return service.Failure(contract.ErrNotConfigured, "nothing is followed: start the server with --watch (VECTORLINK_WATCH)")
	}
	body, err := service.Encode(struct {
		Watched bool `json:"watched"`
	}{s.cfg.Watcher.Notify(req.Domain, req.Branch)})
	if err != nil {
		return err
	}
	return service.Send(w, http.StatusAccepted, mediaJSON, body)
}
