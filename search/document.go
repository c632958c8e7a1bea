package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
)

// DocumentRequest asks for one document.
type DocumentRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	ID     string `param:"id" need:"" help:"Id of the document, in full."` // full IRI
}

// Document is a document as it stands at a commit.
type Document struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Text is nil where the document came without one, or it is damaged.
	Text   *string         `json:"text,omitempty"`
	Tokens int             `json:"doc_token_len"` // of the text
	Fields json.RawMessage `json:"fields"`        // an object
	Chunks []DocumentChunk `json:"chunks"`

	Commit  string   `json:"-"` // the served one
	Damaged []string `json:"-"` // as of Hits
}

// DocumentChunk is a part of a document that has a vector of its own.
type DocumentChunk struct {
	Index      int `json:"index"`
	Start      int `json:"start"` // in bytes of the text
	End        int `json:"end"`
	TokenStart int `json:"token_start"`
	Tokens     int `json:"token_len"`
}

// Document returns a document of the served commit.
func (r *Reader) Document(ctx context.Context, req DocumentRequest) (Document, error) {
	_, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Document{}, err
	}
	defer s.Release()
	e, ok := s.view.Lookup(req.ID)
	if !ok {
		return Document{}, fmt.Errorf("%w: commit %s of %s has no such document", contract.ErrNotFound, commit, req.Domain)
	}
	doc := Document{
		ID: e.ID, Type: e.Type, Tokens: e.Tokens(), Fields: fields.Object(e.Fields).Select([]string{"*"}),
		Chunks: make([]DocumentChunk, len(e.Chunks)), Commit: commit,
	}
	for i, c := range e.Chunks {
		doc.Chunks[i] = DocumentChunk{i, int(c.Start), int(c.End), int(c.TokenStart), int(c.Tokens)}
	}
	if !e.NoText {
		text, err := s.view.Text(e)
		if err = catalog.StoreError(err); errors.Is(err, contract.ErrCorrupt) {
			s.noteText(e.ID, err) // the rest of it stands
		} else if err != nil {
			return Document{}, err
		} else {
			doc.Text = &text
		}
	}
	doc.Damaged = s.Damaged()
	return doc, nil
}
