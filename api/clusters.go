package api

import (
	"iter"
	"net/http"

	"github.com/vectorlink/vectorlink/search"
)

// clusters answers GET /clusters: the groups of a commit's documents, or as
// lines the group of each document.
func (s *server) clusters(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	var req search.ClustersRequest
	p.Decode(&req)
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	found, err := s.ix.Clusters(r.Context(), req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	w.Header().Set("Vary", "Accept")
	if preferred(r, mediaJSON, mediaND) == mediaND {
		served(w, found.Commit)
		return sendLines(w, r, found.Memberships())
	}
	return answer(w, r, req.Ref, found.Commit, found)
}

// clustersDiff answers GET /clusters/diff: what became of the groups of one
// commit at another.
func (s *server) clustersDiff(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	var req search.ClustersDiffRequest
	p.Decode(&req)
	if err := s.begin(w, p, req.Domain, search.Ref{Commit: req.To}); err != nil {
		return err
	}
	found, err := s.ix.ClustersDiff(r.Context(), req)
	if err != nil {
		return err
	}
	served(w, found.To)
	return sendJSON(w, found)
}

// mapAnswer is the wire form of a map: places by the number of the document.
type mapAnswer struct {
	Commit    string     `json:"commit"`
	Documents int        `json:"documents"`
	Others    int        `json:"not_placed"`
	Box       [4]float32 `json:"box"`
	IDs       []string   `json:"ids"`
	X         []float32  `json:"x"`
	Y         []float32  `json:"y"`
}

// mapOf answers GET /map: a place in the plane for each document.
func (s *server) mapOf(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	var req search.MapRequest
	p.Decode(&req)
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	m, err := s.ix.Map(r.Context(), req)
	if err != nil {
		return err
	}
	harmed(w, m.Damaged)
	w.Header().Set("Vary", "Accept")
	if preferred(r, mediaJSON, mediaND) == mediaND {
		served(w, m.Commit)
		return sendLines(w, r, m.Points())
	}
	out := mapAnswer{
		Commit: m.Commit, Documents: m.Len, Others: m.Others, Box: m.Box,
		IDs: make([]string, 0, m.Len), X: make([]float32, 0, m.Len), Y: make([]float32, 0, m.Len),
	}
	for at := range m.Points() {
		out.IDs, out.X, out.Y = append(out.IDs, at.ID), append(out.X, at.X), append(out.Y, at.Y)
	}
	return answer(w, r, req.Ref, m.Commit, out)
}

// sendLines sends each value as a line of JSON.
func sendLines[T any](w http.ResponseWriter, r *http.Request, values iter.Seq[T]) error {
	out := newWriter(w, r, mediaND)
	if !out.silent {
		for v := range values {
			if out.json(v); out.failed != nil {
				break
			}
			out.text("\n")
		}
	}
	return out.end()
}
