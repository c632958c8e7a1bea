package api

import (
	"math"
	"net/http"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

// tagInfo is the wire form of a tag.
type tagInfo struct {
	Name    string    `json:"name"`
	Commit  string    `json:"commit"`
	Created time.Time `json:"created"`
}

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
	list := make([]tagInfo, len(tags))
	for i, t := range tags {
		list[i] = tagInfo(t)
	}
	return sendJSON(w, list)
}

// prunedCommit is the wire form of a commit that is pruned.
type prunedCommit struct {
	Commit  string    `json:"commit"`
	Branch  string    `json:"branch"`
	Created time.Time `json:"created"`
	Bytes   int64     `json:"bytes"`
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
	list := make([]prunedCommit, len(done.Commits))
	for i, c := range done.Commits {
		list[i] = prunedCommit(c)
	}
	return sendJSON(w, struct {
		Applied bool           `json:"applied"`
		Commits []prunedCommit `json:"commits"`
		Bytes   int64          `json:"bytes"`
		Kept    int            `json:"kept"`
	}{done.Applied, list, done.Bytes, done.Kept})
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
	if commits == nil {
		commits = []string{}
	}
	return sendJSON(w, commits)
}
