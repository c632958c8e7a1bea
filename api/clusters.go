package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/service"
)

// clusters answers GET /clusters: the groups of a commit's documents, or as
// lines the group of each document.
func (s *server) clusters(w *response, r *http.Request, req *overview.ClustersRequest) error {
	found, err := s.ix.Clusters(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	w.Header().Set("Vary", "Accept")
	if service.Preferred(r, mediaJSON, mediaND) == mediaND {
		served(w, found.Commit)
		return sendLines(w, r, sound(found.Memberships()), itself)
	}
	return answer(w, r, req.Ref, found.Commit, found)
}

// clustersDiff answers GET /clusters/diff: what became of the groups of one
// commit at another.
func (s *server) clustersDiff(w *response, r *http.Request, req *overview.ClustersDiffRequest) error {
	w.commit = req.To
	found, err := s.ix.ClustersDiff(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	return answer(w, r, pinned(req.Between, found.From), found.To, found)
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
func (s *server) mapOf(w *response, r *http.Request, req *overview.MapRequest) error {
	m, err := s.ix.Map(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, m.Damaged)
	w.Header().Set("Vary", "Accept")
	if service.Preferred(r, mediaJSON, mediaND) == mediaND {
		served(w, m.Commit)
		return sendLines(w, r, sound(m.Points()), itself)
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
