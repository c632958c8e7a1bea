package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// live answers GET /health/live: the process serves requests.
func (s *server) live(w http.ResponseWriter, _ *http.Request) error {
	return sendJSON(w, struct {
		Status string `json:"status"`
	}{"ok"})
}

// ready answers GET /health/ready.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) error {
	can := s.ix.Ready()
	search := can.Search && s.cfg.SearchReady
	body, err := service.Encode(struct {
		Ready  bool `json:"ready"`
		Index  bool `json:"index"`
		Search bool `json:"search"`
		// Damaged counts what a scrub has found and could not mend.
		Damaged int `json:"damaged,omitempty"`
		// Warnings are about what is to be looked after before it fails.
		Warnings []string `json:"warnings,omitempty"`
	}{can.Index || search, can.Index, search, can.Damaged, s.warnings()})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !can.Index && !search {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	return service.Send(w, status, mediaJSON, body)
}

// warnings are what readiness tells of. Everybody may read it, so it names nothing.
func (s *server) warnings() (list []string) {
	if text := s.cfg.Certificate.Warning(); text != "" {
		list = append(list, text)
	}
	if s.cfg.Keys.Broken() != nil {
		list = append(list, "the file of keys cannot be read: the keys of before stay valid")
	}
	return list
}

// lastIndexed answers GET /last-indexed. What was never indexed, or is not
// known at all, has a null commit.
func (s *server) lastIndexed(w *response, r *http.Request, req *service.BranchRequest) error {
	head, err := s.ix.Head(req.Domain, req.Branch)
	if errors.Is(err, contract.ErrNotFound) {
		head, err = search.Head{}, nil
	}
	if err != nil {
		return err
	}
	body := struct {
		Branch  string  `json:"branch"`
		Commit  *string `json:"commit"`
		Version uint64  `json:"version"`
	}{Branch: req.Branch, Version: head.Version}
	if head.Commit != "" {
		body.Commit = &head.Commit
	}
	return sendJSON(w, body)
}

// statistics answers GET /statistics.
func (s *server) statistics(w *response, r *http.Request, req *service.AnyRequest) error {
	st, err := s.ix.Statistics(req.Domain)
	if errors.Is(err, contract.ErrNotFound) {
		st, err = search.Statistics{}, nil
	}
	if err != nil {
		return err
	}
	caller := service.CallerOf(r.Context())
	if !caller.SeesAll() {
		// What the process holds and does tells of others.
		st.Usage, st.Activity = search.Usage{}, search.Activity{}
		if req.Domain == "" {
			st = sum(s.ix.DomainInfos(caller.Sees))
		}
	}
	body := map[string]any{
		"pages": map[string]int64{
			"free":    st.Pages.Free,
			"loading": int64(st.Pages.Loading),
			"loaded":  int64(st.Pages.Loaded),
			"cached":  int64(st.Pages.Cached),
		},
	}
	internal := make(map[string]int64)
	for _, f := range figures {
		if f.internal {
			internal[f.name] = f.value(&st)
		} else {
			body[f.name] = f.value(&st)
		}
	}
	if s.cfg.Watcher != nil {
		body["watch"] = slices.DeleteFunc(s.cfg.Watcher.Lag(req.Domain), func(b indexer.BranchLag) bool { return !caller.Sees(b.Domain) })
	}
	if req.Domain != "" {
		body["store_clustering"] = st.StoreClustering
		if len(st.Skipped) > 0 {
			body["skipped"] = st.Skipped
		}
		if st.UnreadableTotal > 0 {
			body["unreadable"] = map[string]any{"documents": st.UnreadableTotal, "ids": st.Unreadable}
		}
		if st.Settings != nil {
			body["settings"] = st.Settings
		}
		return sendJSON(w, body)
	}
	body["version"] = s.cfg.Version
	if !caller.SeesAll() {
		return sendJSON(w, body)
	}
	body["internal"] = internal
	return sendJSON(w, body)
}

// sum counts domains as Statistics counts all of them.
func sum(infos []search.DomainInfo) (st search.Statistics) {
	for _, d := range infos {
		st.Domains++
		st.Branches += len(d.Heads)
		st.IndexedCommits += d.Commits
		st.Documents += d.Documents
		st.Chunks += d.Chunks
	}
	return st
}

// commits answers GET /commits with a domain's indexed commits, or those of a
// branch, newest first.
func (s *server) commits(w *response, r *http.Request, req *service.CommitsRequest) error {
	infos, err := s.ix.Commits(req.Domain)
	if err != nil {
		return err
	}
	if branch := req.Branch; branch != "" {
		infos = slices.DeleteFunc(slices.Clone(infos), func(c search.CommitInfo) bool { return c.Branch != branch })
		if len(infos) == 0 && branch != contract.MainBranch {
			return fmt.Errorf("%w: no commit of branch %s of %s is indexed", contract.ErrNotFound, branch, req.Domain)
		}
	}
	return sendJSON(w, arrayOf(infos))
}
