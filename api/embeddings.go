package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// embeddings answers GET and POST /embeddings: one vector per document, in one
// of the forms of vectors.go.
func (s *server) embeddings(w *response, r *http.Request, p *service.Params) error {
	var req vectorsRequest
	p.Decode(&req)
	req.Filter.IDs = append(p.Values().(*values).ids, req.Filter.IDs...)
	form := req.form(r)
	if forms[form] == nil {
		p.Fail(service.ErrParameter, "format must be json, ndjson, safetensors, npy or ids")
	}
	if form != formLines && (req.Texts || len(req.OutputFields) > 0) {
		p.Fail(service.ErrParameter, "texts and output_fields need lines: format=ndjson")
	}
	if err := s.begin(w, p); err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	return s.ix.Embeddings(r.Context(), req.EmbeddingsRequest, func(found *search.Embeddings) error {
		served(w, found.Commit)
		harmed(w, found.Damaged)
		if w.kept(r, req.Ref, found.Commit, found.Identity, form, req.Texts, req.OutputFields) {
			return nil
		}
		return forms[form](w, r, found)
	})
}

// isLines reports whether a body of that type is one JSON object per line.
func isLines(mediaType string) bool {
	return mediaType == mediaND || mediaType == "application/ndjson" || mediaType == "application/jsonl"
}

// embeddingsParams returns the parameters, the ids that lines of the body name among
// them. What a body that is not lines says it is does not matter.
func embeddingsParams(r *http.Request) (*service.Params, error) {
	v, p, err := newValues(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	if !isLines(service.MediaType(r)) {
		v.body, err = parseObject(body)
		return p, err
	}
	number := 0
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		members, err := parseObject(line)
		if err != nil {
			return nil, service.Failure(errSyntax, "line %d is not a JSON object of whole texts", number)
		}
		if v.body == nil {
			v.body = members
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			// Lines may repeat the first one's, and not contradict it.
			if raw := members[name]; name != "doc_id" && string(raw) != "null" && !bytes.Equal(raw, v.body[name]) {
				return nil, service.Failure(service.ErrParameter, "line %d names another %.40s than the first", number, name)
			}
		}
		if raw, ok := members["doc_id"]; ok && string(raw) != "null" {
			var id string
			if json.Unmarshal(raw, &id) != nil {
				return nil, service.Failure(service.ErrType, "line %d: doc_id must be a string", number)
			}
			v.ids = append(v.ids, id)
		}
	}
	delete(v.body, "doc_id")
	return p, nil
}
