package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// hit is the wire form of one found document.
type hit struct {
	ID       string          `json:"id"`
	Distance float32         `json:"distance"`
	Chunk    hitChunk        `json:"chunk"`
	Fields   json.RawMessage `json:"fields,omitempty"`
	Vector   []float32       `json:"vector,omitempty"`
}

type hitChunk struct {
	Index      int     `json:"index"`
	Count      int     `json:"count"`
	TokenStart int     `json:"token_start"`
	DocTokens  int     `json:"doc_token_len"`
	Location   float32 `json:"location"` // TokenStart / DocTokens
	Snippet    *string `json:"snippet,omitempty"`
}

// hitList returns the wire form of hits; none is [], never null.
func hitList(found []search.Hit, snippet bool) []hit {
	list := make([]hit, len(found))
	for i, f := range found {
		c := hitChunk{
			Index:      f.Chunk.Index,
			Count:      f.Chunk.Count,
			TokenStart: f.Chunk.TokenStart,
			DocTokens:  f.Chunk.DocTokens,
		}
		if c.DocTokens > 0 {
			c.Location = float32(c.TokenStart) / float32(c.DocTokens)
		}
		if snippet {
			c.Snippet = &f.Chunk.Snippet
		}
		list[i] = hit{ID: f.ID, Distance: f.Distance, Chunk: c}
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
	p, raw, err := searchParams(r)
	if err != nil {
		return err
	}
	spec := p.domain()
	req := search.SearchRequest{
		Domain:    spec.Domain(),
		Ref:       p.ref(spec),
		Text:      raw,
		Role:      contract.RoleQuery,
		CallerKey: callerKey(r.Header),
	}
	if raw == "" {
		req.Text = p.text("q")
		if req.Vector = p.vector(); req.Text == "" && req.Vector == nil {
			p.fail(errMissing, "q is required, or vector or vector_b64")
		}
	}
	// Without a text there are no words to go by.
	req.Mode, req.RankByDistance = p.mode(rawForm(r) || req.Text == "")
	req.Syntax = p.syntax(req.Mode)
	req.Page = p.page()
	req.Filter = p.filter("")
	req.Ef = p.ef()
	req.Snippet = p.flag("snippet")
	req.OutputFields = p.outputFields()
	return s.find(w, r, p, req)
}

// searchParams returns the parameters of a search, and the query text of one
// whose body is that text: anything that does not say it is JSON.
func searchParams(r *http.Request) (p *params, raw string, err error) {
	if !rawForm(r) {
		p, err = jsonParams(r)
		return p, "", err
	}
	if p, err = queryParams(r); err != nil {
		return nil, "", err
	}
	body, err := readBody(r, maxText)
	return p, string(body), err
}

// rawForm reports whether a search is one whose body is the query text.
func rawForm(r *http.Request) bool {
	return r.Method == http.MethodPost && !isJSON(mediaType(r))
}

// mode returns what a search goes by, and how a hybrid one ranks. A query given
// as a raw body goes by vector unless it says otherwise, as it always did, and so
// does one that is no more than a vector; any other is hybrid (wire contract §9,
// §4).
func (p *params) mode(raw bool) (mode search.Mode, byDistance bool) {
	mode = search.ModeHybrid
	if raw {
		mode = search.ModeVector
	}
	if given, ok := p.lookup("mode"); ok {
		mode = search.Mode(given)
		switch mode {
		case search.ModeVector, search.ModeText, search.ModeHybrid:
		default:
			p.fail(errParameter, "mode must be vector, fts or hybrid")
		}
	}
	rank, ok := p.lookup("rank")
	if ok && rank != "rrf" && rank != "distance" {
		p.fail(errParameter, "rank must be rrf or distance")
	}
	return mode, rank == "distance"
}

// syntax returns how the text is read.
func (p *params) syntax(mode search.Mode) search.Syntax {
	given, ok := p.lookup("syntax")
	syntax := search.Syntax(given)
	switch {
	case !ok, syntax == search.SyntaxPlain:
	case syntax != search.SyntaxQuery:
		p.fail(errParameter, "syntax must be plain or query")
	case mode == search.ModeVector:
		p.fail(errParameter, "syntax=query needs mode=fts or mode=hybrid")
	}
	return syntax
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
	spec := p.domain()
	req := search.SimilarRequest{Domain: spec.Domain(), Ref: p.ref(spec)}
	req.ID = p.text("id")
	if ids := slices.DeleteFunc(p.list("ids"), func(id string) bool { return id == "" }); len(ids) > 0 {
		req.IDs = ids
	}
	byID := req.ID != "" || len(req.IDs) > 0
	if req.ID != "" && len(req.IDs) > 0 {
		p.fail(errParameter, "id and ids cannot be given together")
	}
	if len(req.IDs) > search.MaxSimilarIDs {
		p.fail(errParameter, "ids names more than %d documents", search.MaxSimilarIDs)
	}
	var text string
	var vector []float32
	if !byID {
		if text = p.text("text"); text == "" {
			vector = p.vector()
		}
		if text == "" && vector == nil {
			p.fail(errMissing, "id is required, or ids, text, vector or vector_b64")
		}
	}
	req.Page = p.page()
	req.Filter = p.filter("")
	req.Ef = p.ef()
	req.Snippet = p.flag("snippet")
	req.OutputFields = p.outputFields()
	req.IncludeSelf = p.flag("include_self")
	if !byID {
		return s.find(w, r, p, search.SearchRequest{
			Domain: req.Domain, Ref: req.Ref,
			Text: text, Mode: search.ModeVector, Role: contract.RoleDocument, Vector: vector,
			Filter: req.Filter, Page: req.Page, Ef: req.Ef, Snippet: req.Snippet, OutputFields: req.OutputFields,
			CallerKey: callerKey(r.Header),
		})
	}
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
	defer cancel()
	found, err := s.ix.Similar(ctx, req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	return answer(w, r, req.Ref, found.Commit, hitList(found.Hits, req.Snippet))
}

// find runs a search and answers with its hits.
func (s *server) find(w http.ResponseWriter, r *http.Request, p *params, req search.SearchRequest) error {
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
	defer cancel()
	found, err := s.ix.Search(ctx, req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	return answer(w, r, req.Ref, found.Commit, hitList(found.Hits, req.Snippet))
}

// begin ends the decoding of a request that reads a commit: whatever was wrong
// with its parameters comes before whether searching is possible at all.
func (s *server) begin(w http.ResponseWriter, p *params, domain string, ref search.Ref) error {
	if p.err != nil {
		return p.err
	}
	rec := logged(w)
	rec.domain, rec.commit = domain, ref.Commit
	if !s.cfg.SearchReady {
		return failure(errNotReady, "searching is switched off")
	}
	return nil
}
