package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

// tags answers GET /tags with a domain's tags.
func (s *server) tags(w *response, _ *http.Request, req *service.DomainRequest) error {
	tags, err := s.ix.Tags(req.Domain)
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(tags))
}

// tag answers POST /tags: a commit gets a name.
func (s *server) tag(w *response, r *http.Request, req *service.TagRequest) error {
	return w.done(s.ix.Tag(r.Context(), req.Domain, req.Commit, req.Name))
}

// untag answers DELETE /tags: a name goes.
func (s *server) untag(w *response, r *http.Request, req *service.UntagRequest) error {
	return w.deleted(r, req.Domain, s.ix.DeleteTag(r.Context(), req.Domain, req.Name))
}

// prune answers POST /prune with the commits that a request does not keep, and
// removes them if told to.
func (s *server) prune(w *response, r *http.Request, req *indexer.PruneRequest) error {
	done, err := s.ix.Prune(r.Context(), *req)
	if err != nil {
		return err
	}
	if req.Apply {
		service.CallerOf(r.Context()).Deleted(req.Domain)
	}
	done.Commits = arrayOf(done.Commits)
	return sendJSON(w, done)
}

// pruned answers GET /pruned with the commits of a domain that were pruned.
func (s *server) pruned(w *response, _ *http.Request, req *service.DomainRequest) error {
	commits, err := s.ix.PrunedCommits(req.Domain)
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(commits))
}
