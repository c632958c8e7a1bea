package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/search"
)

// documents answers GET /documents: those of a commit by ascending id.
func (s *server) documents(w *response, r *http.Request, req *search.DocumentsRequest) error {
	found, err := s.ix.ListDocuments(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	return answer(w, r, req.Ref, found.Commit, struct {
		Total     int                     `json:"total"`
		Documents []search.ListedDocument `json:"documents"`
	}{found.Total, arrayOf(found.Documents)})
}

// diff answers GET /diff: the documents that changed between two commits.
func (s *server) diff(w *response, r *http.Request, req *search.DiffRequest) error {
	w.commit = req.To
	found, err := s.ix.Diff(r.Context(), *req)
	if err != nil {
		return err
	}
	found.Documents = arrayOf(found.Documents)
	harmed(w, found.Damaged)
	return answer(w, r, pinned(req.Between, found.From), found.To, found)
}

// searchDiff answers GET /search/diff: how the hits of a search changed
// between two commits.
func (s *server) searchDiff(w *response, r *http.Request, req *search.SearchDiffRequest) error {
	w.commit = req.To
	found, err := s.ix.SearchDiff(r.Context(), *req)
	if err != nil {
		return err
	}
	found.Hits = arrayOf(found.Hits)
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	if found.Fallback { // nothing of it is to be kept
		served(w, found.To)
		return sendJSON(w, found)
	}
	return answer(w, r, pinned(req.Between, found.From), found.To, found)
}

// pinned returns the reference that an answer about two commits was asked for by, if
// the first of them was named exactly; else it is of a branch.
func pinned(b search.Between, from string) search.Ref {
	if b.From != from {
		return search.Ref{Branch: b.To}
	}
	return search.Ref{Commit: b.To}
}
