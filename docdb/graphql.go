package docdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hasura/go-graphql-client"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
)

// maxShifts is how often an answer is shifted by a byte to get a character off
// byte 1000. A character has at most four bytes, so one of four neighbouring
// places is between two of them.
const maxShifts = 3

// classError: the query cannot be answered, for whatever documents.
type classError struct{ reason string }

func (e *classError) Error() string { return e.reason }

// batchError: the query cannot be answered for these documents; it may be for
// some of them.
type batchError struct{ reason string }

func (e *batchError) Error() string { return e.reason }

// errNoData: the server answered null without an error, as it does where the query
// asks for a backlink whose property nobody uses.
var errNoData = &classError{"the database answers null to the query"}

// errByte1000: the server panicked because a character straddles byte 1000 of
// its answer.
var errByte1000 = &batchError{"the database panics where a character straddles byte 1000 of its answer"}

// graphQL runs a query of one root field at a commit and returns the list that it
// answers. text is given the key under which the answer is to stand, key or a
// longer one (see graphQLData). Errors are *classError, *batchError, errTooLarge or
// fatal.
func (c *Client) graphQL(ctx context.Context, domain, commit, key string, text func(key string) string, variables map[string]any) ([]json.RawMessage, error) {
	answer, key, err := c.graphQLData(ctx, domain, commit, key, text, variables)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	switch {
	case answer == nil:
		return nil, errNoData
	case json.Unmarshal(answer[key], &list) != nil:
		return nil, &classError{"the query is not answered by a list of documents"}
	}
	return list, nil
}

// graphQLData runs a query at a commit and returns its data and the key that it was
// asked with last: the server slices its answer after 1000 bytes for a debug
// log, and panics when that cuts a character in two, which an answer shifted by
// a byte or two, by a longer key at its beginning, avoids.
func (c *Client) graphQLData(ctx context.Context, domain, commit, key string, text func(key string) string, variables map[string]any) (map[string]json.RawMessage, string, error) {
	path, err := web.Resource("/api/graphql", domain, "local", "commit", commit)
	if err != nil {
		return nil, "", err
	}
	client := graphql.NewClient(c.wire.base.String()+path, doer{c.wire, domain})
	data, err := execute(ctx, client, text(key), variables)
	for shift := 1; errors.Is(err, errByte1000) && shift <= maxShifts; shift++ {
		key += "_"
		data, err = execute(ctx, client, text(key), variables)
	}
	if err != nil {
		return nil, "", err
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(data, &answer) != nil {
		return nil, "", c.wire.garbage("GraphQL data is not an object")
	}
	return answer, key, nil
}

// askedBacklink is a field of a query that answers the documents that link to those
// of a class.
type askedBacklink struct {
	class  string
	field  *ast.Field
	answer *Answer
}

// dropUnused takes out of a class's query the backlinks whose property no document
// uses at the commit, and has them answered by empty lists: for such a field the
// server answers null in the place of the nearest object around it that need not be
// there, and of everything where there is none.
func (c *Client) dropUnused(ctx context.Context, domain, commit string, p *classPull) error {
	for _, b := range p.shape.backlinks {
		field := b.field.Name
		_, err := c.graphQL(ctx, domain, commit, "b", func(key string) string {
			return fmt.Sprintf("{ %s: %s(limit: 1) { %s(limit: 1) { _id } } }", key, gqlname.Of(b.class), field)
		}, nil)
		switch {
		case errors.Is(err, errNoData):
			*b.field = ast.Field{Alias: b.field.Alias, Name: "_id"} // which is always there
			b.answer.empty = true
		case err != nil && !isClassFault(err):
			return err
		}
	}
	p.shape.backlinks, p.shape.hidden = nil, false
	return nil
}

// execute runs a query and sorts the library's errors.
func execute(ctx context.Context, client *graphql.Client, query string, variables map[string]any) ([]byte, error) {
	data, err := client.ExecRaw(ctx, query, variables)
	var list graphql.Errors
	if err == nil || !errors.As(err, &list) || len(list) == 0 {
		return data, err
	}
	// The first is what the server or the Doer said first. One with a cause
	// is the Doer's or the decoder's; one with a path is a failed field of
	// some document; any other is about the query.
	first := list[0]
	switch cause := first.Unwrap(); {
	case cause != nil:
		return nil, cause
	case len(first.Path) > 0:
		return nil, &batchError{"the database cannot resolve it: " + web.Shorten(first.Message)}
	}
	return nil, &classError{"the database refuses the query: " + web.Shorten(first.Message)}
}

// doer sends the GraphQL library's requests over our wire, so that the library
// meets only whole, bounded, well-formed answers of status 200.
type doer struct {
	wire   *wire
	domain string
}

// Do is an http.Client's.
func (d doer) Do(req *http.Request) (*http.Response, error) {
	a, err := d.wire.send(req)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, d.fault(a)
	}
	body := repairNumbers(a.body)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, d.wire.garbage("an empty GraphQL answer")
	case !utf8.Valid(body):
		return nil, d.wire.garbage("a GraphQL answer that is not UTF-8")
	case !json.Valid(body) || bytes.TrimSpace(body)[0] != '{':
		return nil, d.wire.garbage("a GraphQL answer that is not a JSON object")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Header: a.header, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// fault tells the failures apart that GraphQL has only messages for.
func (d doer) fault(a *answer) error {
	var e struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(a.body, &e) != nil || len(e.Errors) == 0 || a.status != http.StatusInternalServerError {
		return d.wire.fault(a, d.domain)
	}
	message := e.Errors[0].Message
	_, panicked, isPanic := strings.Cut(message, "rust_error(panic(")
	switch {
	case isPanic && strings.Contains(panicked, "byte index 1000 is not a char boundary"):
		return errByte1000
	case isPanic:
		// Rust quotes what it panicked over, a document maybe, in backticks.
		said, _, _ := strings.Cut(panicked, "`")
		return &batchError{"the database panics on it: " + web.Shorten(strings.Trim(said, `"\)],_0123456789 `))}
	case strings.Contains(message, "commit_does_not_exist"):
		return fmt.Errorf("%w: the commit is gone from %s", contract.ErrNotFound, d.domain)
	case strings.Contains(message, "immutable_graph_update"):
		return &classError{"the query is a mutation"}
	}
	return d.wire.fault(a, d.domain)
}
