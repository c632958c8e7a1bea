package search

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/vectorlink/vectorlink/snapshot"
)

// DocumentsRequest asks for a commit's documents by ascending id.
type DocumentsRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	Page   Page
	Filter Filter
	// Texts and OutputFields have documents bring their texts and fields, as in
	// Options.
	Texts        bool     `param:"texts"`
	OutputFields []string `param:"output_fields" kind:"names" most:"100"`
}

// Documents is the answer to a DocumentsRequest.
type Documents struct {
	Commit    string // the served commit
	Total     int    // documents that the filter admits
	Documents []ListedDocument
	Damaged   []string // as of Hits
}

// ListedDocument is one of them.
type ListedDocument struct {
	ID      string          `json:"id"`
	Chunks  int             `json:"chunks"`
	Text    *string         `json:"text,omitempty"`     // when asked for; a damaged one is empty
	TextCut bool            `json:"text_cut,omitempty"` // Text is its beginning only
	Fields  json.RawMessage `json:"fields,omitempty"`   // when asked for
	Vector  []float32       `json:"vector,omitempty"`   // of its first chunk, when asked for; nil if it is damaged
}

// ListDocuments lists the documents that a filter admits. No query is needed, and no
// embedder.
func (r *Reader) ListDocuments(ctx context.Context, req DocumentsRequest) (found Documents, err error) {
	defer func() { err = r.whileFollowing(err) }()
	if err := req.Page.Check(); err != nil {
		return Documents{}, err
	}
	_, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Documents{}, err
	}
	defer s.Release()
	among, err := s.Select(ctx, req.Filter, Replaced(req.Ref, commit))
	if err != nil {
		return Documents{}, err
	}
	var all []*snapshot.Entry
	if among == nil || among.all {
		all = slices.AppendSeq(make([]*snapshot.Entry, 0, s.view.Len()), s.view.All())
	} else {
		all = among.entries()
	}
	found = Documents{Commit: commit, Total: len(all)}
	for _, e := range all[min(req.Page.Start, len(all)):min(req.Page.Start+req.Page.Count, len(all))] {
		d := ListedDocument{ID: e.ID, Chunks: len(e.Chunks)}
		if req.Texts {
			text, cut, err := s.shownText(e)
			if err != nil {
				return Documents{}, err
			}
			d.Text, d.TextCut = &text, cut
		}
		out, err := s.output(e, 0, req.OutputFields)
		if err != nil {
			return Documents{}, err
		}
		if out != nil {
			d.Fields, d.Vector = out.Fields, out.Vector
		}
		found.Documents = append(found.Documents, d)
	}
	found.Damaged = s.Damaged()
	return found, nil
}
