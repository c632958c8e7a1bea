package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// Hit is the wire form of one found document.
type Hit struct {
	ID       string              `json:"id"`
	Distance float32             `json:"distance"`
	Score    float32             `json:"score"`
	Found    string              `json:"found"`
	Matched  []string            `json:"matched,omitempty"`
	Chunk    HitChunk            `json:"chunk"`
	Explain  *search.Explanation `json:"explain,omitempty"`
	Text     *string             `json:"text,omitempty"`
	TextCut  bool                `json:"text_cut,omitempty"` // Text is its beginning only
	Fields   json.RawMessage     `json:"fields,omitempty"`
	Vector   []float32           `json:"vector,omitempty"`
}

// HitChunk is the wire form of its best chunk.
type HitChunk struct {
	Index      int     `json:"index"`
	Count      int     `json:"count"`
	TokenStart int     `json:"token_start"`
	DocTokens  int     `json:"doc_token_len"`
	Location   float32 `json:"location"` // TokenStart / DocTokens
	Snippet    *string `json:"snippet,omitempty"`
}

// hitList returns the wire form of hits; none is [], never null.
func hitList(found []search.Hit, o search.Options) []Hit {
	list := make([]Hit, len(found))
	for i, f := range found {
		c := HitChunk{
			Index:      f.Chunk.Index,
			Count:      f.Chunk.Count,
			TokenStart: f.Chunk.TokenStart,
			DocTokens:  f.Chunk.DocTokens,
		}
		if c.DocTokens > 0 {
			c.Location = float32(c.TokenStart) / float32(c.DocTokens)
		}
		if o.Snippet {
			c.Snippet = &f.Chunk.Snippet
		}
		list[i] = Hit{ID: f.ID, Distance: f.Distance, Score: f.Score, Found: f.Found.String(), Matched: strings.Fields(f.Matched), Chunk: c}
		list[i].Explain = f.Explained
		if o.Texts {
			list[i].Text, list[i].TextCut = &f.Text, f.TextCut
		}
		if f.Output != nil {
			list[i].Fields, list[i].Vector = f.Output.Fields, f.Output.Vector
		}
	}
	return list
}

// search answers GET and POST /search.
func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	if err := checkDataVersion(r.Header); err != nil {
		return err
	}
	p, err := searchParams(r)
	if err != nil {
		return err
	}
	req := search.SearchRequest{CallerKey: callerKey(r.Header)}
	if rawForm(r) {
		// It goes by vector unless it says otherwise, as it always did (wire
		// contract §9).
		req.Mode = search.ModeVector
	}
	p.Decode(&req)
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
	defer cancel()
	found, err := s.ix.Search(ctx, req)
	if err != nil {
		return err
	}
	return answerHits(w, r, req.Ref, req.Options, found)
}

// searchParams returns the parameters of a search. The body of one is the text q
// and nothing else, unless it says that it is JSON.
func searchParams(r *http.Request) (*service.Params, error) {
	if !rawForm(r) {
		return jsonParams(r)
	}
	v, p, err := newValues(r)
	if err != nil {
		return nil, err
	}
	body, err := readBody(r, maxText)
	if err != nil || len(body) == 0 {
		return p, err
	}
	text, err := encode(string(body))
	v.body = map[string]json.RawMessage{"q": text, "vector_b64": json.RawMessage(`""`)}
	return p, err
}

// rawForm reports whether a search is one whose body is the query text.
func rawForm(r *http.Request) bool {
	return r.Method == http.MethodPost && !isJSON(mediaType(r))
}

// similar answers GET and POST /similar: neighbours of a document of the
// commit, of the mean of several, of a text, or of a vector.
func (s *server) similar(w http.ResponseWriter, r *http.Request) error {
	if err := checkDataVersion(r.Header); err != nil {
		return err
	}
	p, err := jsonParams(r)
	if err != nil {
		return err
	}
	req := search.SimilarRequest{CallerKey: callerKey(r.Header)}
	p.Decode(&req)
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
	defer cancel()
	found, err := s.ix.Similar(ctx, req)
	if err != nil {
		return err
	}
	return answerHits(w, r, req.Ref, req.Options, found)
}

// answerHits answers with the hits of a search.
func answerHits(w http.ResponseWriter, r *http.Request, ref search.Ref, o search.Options, found search.Hits) error {
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	if found.Fallback { // nothing of it is to be kept
		served(w, found.Commit)
		return sendJSON(w, hitList(found.Hits, o))
	}
	return answer(w, r, ref, found.Commit, hitList(found.Hits, o))
}

// begin ends the decoding of a request that reads a commit: whatever was wrong
// with its parameters comes before whether searching is possible at all.
func (s *server) begin(w http.ResponseWriter, p *service.Params, domain string, ref search.Ref) error {
	if err := p.Err(); err != nil {
		return err
	}
	warn(w, p.Hints())
	rec := logged(w)
	rec.domain, rec.commit = domain, ref.Commit
	if !s.cfg.SearchReady {
		return service.Failure(errNotReady, "searching is switched off")
	}
	return nil
}
