package workshop

import (
	"context"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// SuggestFrom suggests a pair for one of the classes.
var SuggestFrom = suggest

// Better asks for better words of a pair over answers of a shape, and holds them
// against documents.
func Better(ctx context.Context, complete Completer, class string, pair Pair, shape *docdb.Answer, documents ...[]byte) (string, error) {
	return improver{templates.New(templates.Limits{}), complete, shape, documents}.improve(ctx, class, pair)
}

// With returns a class's object with another pair.
var With = with

// DB returns the schema as package docdb reads it, and its client.
func (s *Schema) DB() (*docdb.Client, *docdb.Schema) { return s.client, s.schema }
