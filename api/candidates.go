package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/pairs"
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

// candidate is the wire form of a partner, and what else is asked for.
type candidate struct {
	pairs.Candidate
	Embedding []float32 `json:"embedding,omitempty"`
	Content   *string   `json:"content,omitempty"`
}

// candidatesRequest asks for candidates, with what include names.
type candidatesRequest struct {
	pairs.CandidatesRequest
	Include string `param:"include"`
}

var errInclude = errors.New("include must be embeddings, content, or both with a comma between")

// Complete reads what is to be included.
func (req *candidatesRequest) Complete() error {
	for word := range strings.SplitSeq(req.Include, ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "embeddings":
			req.Vectors = true
		case "content":
			req.Content = true
		default:
			return errInclude
		}
	}
	return req.CandidatesRequest.Complete()
}

// candidates answers POST /candidates: the nearest documents of another set,
// in both directions.
func (s *server) candidates(w *response, r *http.Request, asked *candidatesRequest) error {
	start, req := time.Now(), asked.CandidatesRequest
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
			one, known := candidate{Candidate: c}, documents[c.ID]
			if req.Vectors {
				one.Embedding = known.Vector
			}
			if req.Content {
				one.Content = &known.Content
			}
			w.json(one)
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
