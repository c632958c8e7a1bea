package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/search"
)

// Suggestions is the wire form of how a query could go on.
type Suggestions struct {
	Commit      string       `json:"served_commit"`
	Total       int          `json:"total_approx"`
	Completions []string     `json:"completions"`
	Hits        []Suggestion `json:"hits"`
}

// Suggestion is the wire form of a document that has words of the query.
type Suggestion struct {
	ID       string  `json:"id"`
	Distance float32 `json:"distance"`
	Snippet  string  `json:"snippet"`
	// Byte offsets in Snippet.
	Start     *int     `json:"match_start,omitempty"`
	End       *int     `json:"match_end,omitempty"`
	NextWords []string `json:"next_words,omitempty"`
}

// suggest answers GET /suggest.
func (s *server) suggest(w *response, r *http.Request, req *search.SuggestRequest) error {
	found, err := s.ix.Suggest(r.Context(), *req)
	if err != nil {
		return err
	}
	body := Suggestions{
		Commit: found.Commit, Total: found.Total,
		Completions: append([]string{}, found.Completions...),
		Hits:        make([]Suggestion, len(found.Hits)),
	}
	for i, f := range found.Hits {
		h := Suggestion{ID: f.ID, Distance: f.Distance, Snippet: f.Snippet, NextWords: f.NextWords}
		if f.End > 0 {
			h.Start, h.End = &f.Start, &f.End
		}
		body.Hits[i] = h
	}
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	return answer(w, r, req.Ref, found.Commit, body)
}
