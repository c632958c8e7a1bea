package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/search"
)

// embeddings answers GET and POST /embeddings: one vector per document, in one
// of the forms of vectors.go.
func (s *server) embeddings(rw http.ResponseWriter, r *http.Request) error {
	w := logged(rw)
	p, ids, err := embeddingsParams(r)
	if err != nil {
		return err
	}
	spec := p.domain()
	req := search.EmbeddingsRequest{
		Domain: spec.Domain(),
		Ref:    p.ref(spec),
		Filter: search.Filter{
			Types: p.commaList("doc_types", "doc_type"),
			IDs:   append(ids, p.commaList("doc_ids", "doc_id")...),
			Expr:  p.expression("filter"),
		},
	}
	form := p.vectorForm(r)
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	return s.ix.Embeddings(r.Context(), req, func(found *search.Embeddings) error {
		served(w, found.Commit)
		harmed(w, found.Damaged)
		if keep(r, w.Header(), req.Ref, found.Commit) {
			identity := found.Identity()
			if w.unchanged(r, append(identity[:], form...)) {
				return nil
			}
		}
		return forms[form](w, r, found)
	})
}

// isLines reports whether a body of that type is one JSON object per line.
func isLines(mediaType string) bool {
	return mediaType == mediaND || mediaType == "application/ndjson" || mediaType == "application/jsonl"
}

// embeddingsParams returns the parameters, and the ids that lines of the body
// name. What a body that is not lines says it is does not matter.
func embeddingsParams(r *http.Request) (*params, []string, error) {
	p, err := queryParams(r)
	if err != nil || r.Method != http.MethodPost {
		return p, nil, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, nil, err
	}
	if !isLines(mediaType(r)) {
		p.body, err = parseObject(body)
		return p, nil, err
	}
	var ids []string
	number := 0
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(line, &members) != nil || members == nil {
			return nil, nil, failure(errSyntax, "line %d is not a JSON object", number)
		}
		if p.body == nil {
			p.body = members
		}
		for _, name := range []string{"domain", "commit"} {
			// Lines may repeat the first one's, and not contradict it.
			if raw, ok := members[name]; ok && string(raw) != "null" && !bytes.Equal(raw, p.body[name]) {
				return nil, nil, failure(errParameter, "line %d names another %s than the first", number, name)
			}
		}
		if raw, ok := members["doc_id"]; ok && string(raw) != "null" {
			var id string
			if json.Unmarshal(raw, &id) != nil {
				return nil, nil, failure(errType, "line %d: doc_id must be a string", number)
			}
			ids = append(ids, id)
		}
	}
	if p.body != nil {
		delete(p.body, "doc_id")
	}
	return p, ids, nil
}

// commaList returns the values of a parameter that is an array in JSON and, in
// a query, values with commas between them, or another one repeated.
func (p *params) commaList(name, repeated string) []string {
	if _, ok := p.member(name); ok {
		return p.list(name)
	}
	var values []string
	for _, text := range listed(p.query, name) {
		for value := range strings.SplitSeq(text, ",") {
			if value != "" {
				values = append(values, value)
			}
		}
	}
	return append(values, slices.DeleteFunc(p.list(repeated), func(v string) bool { return v == "" })...)
}
