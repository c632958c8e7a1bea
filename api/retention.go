package api

import (
	"math"
	"net/http"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

// tags answers /tags: GET lists a domain's tags, POST gives a commit one, DELETE
// takes one away.
func (s *server) tags(w http.ResponseWriter, r *http.Request) error {
	p, err := anyParams(r)
	if err != nil {
		return err
	}
	spec := p.Domain()
	name, commit := "", ""
	change := r.Method == http.MethodPost || r.Method == http.MethodDelete
	if change {
		if name = p.Commit("name"); name == "" {
			p.Fail(service.ErrMissing, "name is required")
		}
	}
	if r.Method == http.MethodPost {
		if commit = p.Commit("commit"); commit == "" {
			commit = spec.Commit
		}
		if commit == "" {
			p.Fail(service.ErrMissing, "commit is required")
		}
	}
	if p.Err() != nil {
		return p.Err()
	}
	rec := logged(w)
	rec.domain, rec.commit = spec.Domain(), commit
	if !change {
		return s.listTags(w, spec.Domain())
	}
	if r.Method == http.MethodPost {
		err = s.ix.Tag(r.Context(), spec.Domain(), commit, name)
	} else {
		err = s.ix.DeleteTag(r.Context(), spec.Domain(), name)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) listTags(w http.ResponseWriter, domain string) error {
	tags, err := s.ix.Tags(domain)
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(tags))
}

// prune answers POST /prune with the commits that a request does not keep, and
// removes them if told to.
func (s *server) prune(w http.ResponseWriter, r *http.Request) error {
	p, err := anyParams(r)
	if err != nil {
		return err
	}
	req := indexer.PruneRequest{
		Domain:    p.Domain().Domain(),
		KeepLast:  p.Whole("keep_last", 0, 0, math.MaxInt32),
		KeepDaily: p.Whole("keep_daily", 0, 0, indexer.MaxKeepDaily),
		Keep:      p.List("keep"),
		Apply:     p.Flag("apply"),
	}
	if p.Err() != nil {
		return p.Err()
	}
	logged(w).domain = req.Domain
	done, err := s.ix.Prune(r.Context(), req)
	if err != nil {
		return err
	}
	done.Commits = arrayOf(done.Commits)
	return sendJSON(w, done)
}

// pruned answers GET /pruned with the commits of a domain that were pruned.
func (s *server) pruned(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	domain := p.Domain().Domain()
	if p.Err() != nil {
		return p.Err()
	}
	logged(w).domain = domain
	commits, err := s.ix.PrunedCommits(domain)
	if err != nil {
		return err
	}
	return sendJSON(w, arrayOf(commits))
}
