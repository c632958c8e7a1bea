package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/service"
)

// candidateStats is what an answer to /candidates tells of itself.
type candidateStats struct {
	Elapsed      int64 `json:"elapsed_ms"`
	SetPoints    int   `json:"set_points"` // documents looked at
	TargetPoints int   `json:"target_points"`
	SetEdges     int   `json:"set_to_target_edges"`
	TargetEdges  int   `json:"target_to_set_edges"`
	Clustering   bool  `json:"store_clustering"`
}

// candidates answers POST /candidates: the nearest documents of another set,
// in both directions.
func (s *server) candidates(w *response, r *http.Request, p *service.Params) error {
	start := time.Now()
	var req pairs.CandidatesRequest
	p.Decode(&req)
	for word := range strings.SplitSeq(p.Text("include"), ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "embeddings":
			req.Vectors = true
		case "content":
			req.Content = true
		default:
			p.Fail(service.ErrParameter, "include must be embeddings, content, or both with a comma between")
		}
	}
	if err := s.begin(w, p); err != nil {
		return err
	}
	found, err := s.ix.Candidates(r.Context(), req)
	if err != nil {
		return err
	}
	served(w, found.Commit)
	harmed(w, found.Damaged)
	applied(w, req.Decided, found.Decisions)
	out := newWriter(w, r, mediaJSON)
	out.text(`{"set_to_target":`)
	setEdges := out.edges(found.SetToTarget, found.Documents, req)
	out.text(`,"target_to_set":`)
	targetEdges := out.edges(found.TargetToSet, found.Documents, req)
	out.text(`,"stats":`)
	out.json(candidateStats{
		Elapsed:   time.Since(start).Milliseconds(),
		SetPoints: found.SetDocuments, TargetPoints: found.TargetDocuments,
		SetEdges: setEdges, TargetEdges: targetEdges, Clustering: found.StoreClustering,
	})
	out.text("}")
	return out.end()
}

// edges writes one direction and returns the number of its edges.
func (w *writer) edges(lists []pairs.CandidateList, documents map[string]pairs.CandidateDocument, req pairs.CandidatesRequest) int {
	n := 0
	open := "{"
	for _, list := range lists {
		w.text(open)
		w.json(list.ID)
		w.text(":[")
		for i, c := range list.Partners {
			if i > 0 {
				w.text(",")
			}
			w.text(`{"id":`)
			w.json(c.ID)
			w.text(`,"distance":`)
			w.json(c.Distance)
			if a := c.Alike; a != nil {
				for i, part := range []float32{a.Score, a.Vector, a.Words, a.Trigrams, a.Margin} {
					w.text([]string{`,"score":`, `,"vector":`, `,"words":`, `,"trigrams":`, `,"margin":`}[i])
					w.json(part)
				}
			}
			if c.Decided != "" {
				w.text(`,"decided":`)
				w.json(c.Decided)
			}
			if c.Clustering != nil {
				w.text(`,"clustering_distance":`)
				w.json(*c.Clustering)
			}
			if req.Vectors && documents[c.ID].Vector != nil {
				w.text(`,"embedding":`)
				w.numbers(documents[c.ID].Vector)
			}
			if req.Content {
				w.text(`,"content":`)
				w.json(documents[c.ID].Content)
			}
			w.text("}")
		}
		w.text("]")
		n += len(list.Partners)
		open = ","
	}
	if open == "{" {
		w.text(open)
	}
	w.text("}")
	return n
}
