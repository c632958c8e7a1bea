package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
func (s *server) search(w *response, r *http.Request, p *service.Params) error {
	if v, ok := p.Values().(*values); ok && v.body["queries"] != nil {
		return s.searches(w, r, p, v)
	}
	var req search.SearchRequest
	if rawForm(r) {
		// It goes by vector unless it says otherwise, as it always did (wire
		// contract §9).
		req.Mode = search.ModeVector
	}
	p.Decode(&req)
	if err := s.begin(w, p); err != nil {
		return err
	}
	found, err := s.ix.Search(r.Context(), req)
	if err != nil {
		return err
	}
	return answerHits(w, r, req.Ref, req.Options, found)
}

// maxQueries bounds the queries of one request.
const maxQueries = 100

// searches answers a search of several queries, each a text or an object of what it
// asks beside the request's other parameters: a list of hits for each, in order and
// all from one commit.
func (s *server) searches(w *response, r *http.Request, all *service.Params, v *values) error {
	var queries []json.RawMessage
	if json.Unmarshal(v.body["queries"], &queries) != nil {
		return service.Failure(service.ErrType, "queries must be an array")
	}
	if n := len(queries); n == 0 || n > maxQueries {
		return service.Failure(service.ErrParameter, "queries must be 1 to %d", maxQueries)
	}
	delete(v.body, "queries")
	requests := make([]search.SearchRequest, len(queries))
	for i, raw := range queries {
		one := &values{query: v.query, body: maps.Clone(v.body)}
		if raw[0] == '"' {
			one.body["q"] = raw
		} else {
			members, err := parseObject(raw)
			if err != nil {
				return service.Failure(service.ErrType, "queries[%d] must be a text or an object", i)
			}
			for _, name := range []string{"domain", "commit", "branch", "ancestors", "ancestor"} {
				if members[name] != nil {
					return service.Failure(service.ErrParameter, "queries[%d]: %s is one for all queries", i, name)
				}
			}
			maps.Copy(one.body, members)
		}
		p := service.NewParams(r.Context(), one)
		p.Key = all.Key
		p.Decode(&requests[i])
		if err := s.begin(w, p); err != nil {
			return fmt.Errorf("queries[%d]: %w", i, err)
		}
	}
	var commit string
	var whole search.Hits // what is said of the answer as a whole
	lists := make([][]Hit, len(requests))
	for i, req := range requests {
		if i > 0 {
			req.Ref = search.Ref{Commit: commit} // though the branch goes on
		}
		found, err := s.ix.Search(r.Context(), req)
		if err != nil {
			return fmt.Errorf("queries[%d]: %w", i, err)
		}
		commit, lists[i], whole.Damaged = found.Commit, hitList(found.Hits, req.Options), found.Damaged
		for _, text := range found.Warnings {
			if !slices.Contains(whole.Warnings, text) {
				whole.Warnings = append(whole.Warnings, text)
			}
		}
	}
	harmed(w, whole.Damaged)
	warn(w, whole.Warnings)
	served(w, commit)
	return sendJSON(w, lists)
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
	text, err := service.Encode(string(body))
	v.body = map[string]json.RawMessage{"q": text, "vector_b64": json.RawMessage(`""`)}
	return p, err
}

// rawForm reports whether a search is one whose body is the query text.
func rawForm(r *http.Request) bool {
	return r.Method == http.MethodPost && !isJSON(service.MediaType(r))
}

// similar answers GET and POST /similar: neighbours of a document of the
// commit, of the mean of several, of a text, or of a vector.
func (s *server) similar(w *response, r *http.Request, req *search.SimilarRequest) error {
	found, err := s.ix.Similar(r.Context(), *req)
	if err != nil {
		return err
	}
	return answerHits(w, r, req.Ref, req.Options, found)
}

// answerHits answers with the hits of a search.
func answerHits(w *response, r *http.Request, ref search.Ref, o search.Options, found search.Hits) error {
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	if found.Fallback { // nothing of it is to be kept
		served(w, found.Commit)
		return sendJSON(w, hitList(found.Hits, o))
	}
	return answer(w, r, ref, found.Commit, hitList(found.Hits, o))
}

var errSwitchedOff = service.Failure(errNotReady, "searching is switched off")

// begin ends the decoding of a request that reads a commit: whatever was wrong
// with its parameters comes before whether searching is possible at all.
func (s *server) begin(w *response, p *service.Params) error {
	if err := accept(w, p); err != nil {
		return err
	}
	warn(w, p.Hints())
	if !s.cfg.SearchReady {
		return errSwitchedOff
	}
	return nil
}
