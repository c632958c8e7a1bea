package workshop

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// Preview is the text that a document becomes, as it would be embedded, or why it has
// none.
type Preview struct {
	ID     string `json:"id"`
	Text   string `json:"text,omitempty"`
	Tokens int    `json:"tokens"`
	Chunks int    `json:"chunks"`
	Error  string `json:"error,omitempty"`
}

// Preview returns what documents of a class become by a pair: those of the given full
// ids, or, with none, the first so many (0: all). split is the
// embedder's. Its error is the database's or the context's.
func (s *Schema) Preview(ctx context.Context, r *templates.Renderer, split func(text string) ([]contract.Chunk, int), pair docdb.Class, ids []string, most int) ([]Preview, error) {
	list := []Preview{}
	for op, err := range s.Documents(ctx, pair, ids, most) {
		if err != nil {
			return nil, err
		}
		p := Preview{ID: op.ID}
		if err = op.Err; op.Kind == contract.Upsert {
			p.Text, err = r.Render(ctx, op.Template, op.Data)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			p.Error = err.Error()
		} else {
			chunks, tokens := split(p.Text)
			p.Tokens, p.Chunks = tokens, len(chunks)
		}
		list = append(list, p)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(list, func(p Preview) bool { return p.ID == id }) {
			list = append(list, Preview{ID: id, Error: "there is no such document of the class, or its query leaves it out"})
		}
	}
	return list, nil
}

// Object returns a class as the schema would hold it with another pair.
func (s *Schema) Object(class string, pair Pair) (json.RawMessage, error) {
	return with(s.Class(class), pair)
}
