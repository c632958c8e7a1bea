package api

import (
	"cmp"
	"math"
	"net/http"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

// tags answers /tags: GET lists a domain's tags, POST gives a commit one, DELETE
// takes one away.
func (s *server) tags(w *response, r *http.Request, p *service.Params) error {
	spec := p.Domain()
	name, commit := "", ""
	if r.Method == http.MethodPost || r.Method == http.MethodDelete {
		if name = p.Commit("name"); name == "" {
			p.Fail(service.ErrMissing, "name is required")
		}
	}
	if r.Method == http.MethodPost {
		if commit = cmp.Or(p.Commit("commit"), spec.Commit); commit == "" {
			p.Fail(service.ErrMissing, "commit is required")
		}
	}
	if err := accept(w, p); err != nil {
		return err
	}
	w.commit = commit
	switch r.Method {
	case http.MethodPost:
		return w.done(s.ix.Tag(r.Context(), spec.Domain(), commit, name))
	case http.MethodDelete:
		return w.done(s.ix.DeleteTag(r.Context(), spec.Domain(), name))
	}
	tags, err := s.ix.Tags(spec.Domain())
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(tags))
}

// prune answers POST /prune with the commits that a request does not keep, and
// removes them if told to.
func (s *server) prune(w *response, r *http.Request, p *service.Params) error {
	req := indexer.PruneRequest{
		Domain:    p.Domain().Domain(),
		KeepLast:  p.Whole("keep_last", 0, 0, math.MaxInt32),
		KeepDaily: p.Whole("keep_daily", 0, 0, indexer.MaxKeepDaily),
		Keep:      p.List("keep"),
		Apply:     p.Flag("apply"),
	}
	if err := accept(w, p); err != nil {
		return err
	}
	done, err := s.ix.Prune(r.Context(), req)
	if err != nil {
		return err
	}
	done.Commits = arrayOf(done.Commits)
	return sendJSON(w, done)
}

// pruned answers GET /pruned with the commits of a domain that were pruned.
func (s *server) pruned(w *response, r *http.Request, p *service.Params) error {
	domain := p.Domain().Domain()
	if err := accept(w, p); err != nil {
		return err
	}
	commits, err := s.ix.PrunedCommits(domain)
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(commits))
}
