package api

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/search"
)

const defaultCandidates = 5

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
func (s *server) candidates(w http.ResponseWriter, r *http.Request) error {
	start := time.Now()
	p, err := jsonParams(r)
	if err != nil {
		return err
	}
	spec := p.domain()
	req := search.CandidatesRequest{Domain: spec.Domain(), Ref: p.ref(spec)}
	var given bool
	if req.SetThreshold, given = p.distance("threshold_set"); !given {
		p.fail(errMissing, "threshold_set is required")
	}
	if req.TargetThreshold, given = p.distance("threshold_target"); !given {
		req.TargetThreshold = req.SetThreshold
	}
	req.K = p.whole("k", defaultCandidates, 1, math.MaxInt32)
	req.Set = search.Filter{Types: p.list("set_doc_types"), IDs: p.list("set_doc_ids"), Expr: p.expression("set_filter")}
	req.Target = search.Filter{Types: p.list("target_doc_types"), IDs: p.list("target_doc_ids"), Expr: p.expression("target_filter")}
	for word := range strings.SplitSeq(p.text("include"), ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "embeddings":
			req.Vectors = true
		case "content":
			req.Content = true
		default:
			p.fail(errParameter, "include must be embeddings, content, or both with a comma between")
		}
	}
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	found, err := s.ix.Candidates(r.Context(), req)
	if err != nil {
		return err
	}
	served(w, found.Commit)
	harmed(w, found.Damaged)
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
func (w *writer) edges(lists []search.CandidateList, documents map[string]search.CandidateDocument, req search.CandidatesRequest) int {
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

// distance returns a finite number of at least 0 and whether it was given. How
// large a distance can be depends on the metric, which package indexer knows.
func (p *params) distance(name string) (float32, bool) {
	text, wrong, ok := p.scalar(name)
	if !ok {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax), strings.Trim(text, "0123456789.eE+-") != "":
	case err != nil, x < 0, x > math.MaxFloat32:
		wrong = errParameter
	default:
		return float32(x), true
	}
	p.fail(wrong, "%s must be a finite number of at least 0, with cosine up to 1", name)
	return 0, true
}
