package docdb

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// nodesPerQuery is how many documents are asked about in one triple query.
const nodesPerQuery = 200

// row is an answer of a triple query: those parts of a triple that were asked
// for, named as the database shortens them.
type row struct {
	S, P string
	O    json.RawMessage // a name, or an object for data
}

// object returns the triple's object where it is a name, else "".
func (r row) object() string { return text(r.O) }

// Places of a triple in a query.
type (
	node  map[string]any
	query map[string]any
)

func variable(kind, name string) node { return node{"@type": kind, "variable": name} }

func triple(kind string, subject, object node) query {
	return query{"@type": kind, "subject": subject, "predicate": variable("NodeValue", "P"), "object": object, "graph": "instance"}
}

// delta returns the triples that a commit added to its parent's and those it
// deleted, together. Of a commit that left the documents alone it is the delta
// of an earlier one: ask only where the instance layer changed.
func (c *Client) delta(ctx context.Context, domain, commit string) ([]row, error) {
	s, o := variable("NodeValue", "S"), variable("Value", "O")
	return c.woql(ctx, domain, commit, query{"@type": "Or", "or": []query{triple("AddedTriple", s, o), triple("DeletedTriple", s, o)}})
}

// referrers returns subject and predicate of the triples whose object is one of
// the nodes, at most nodesPerQuery.
func (c *Client) referrers(ctx context.Context, domain, commit string, nodes []string) ([]row, error) {
	return c.anyOf(ctx, domain, commit, nodes, func(n string) query {
		return triple("Triple", variable("NodeValue", "S"), node{"@type": "Value", "node": n})
	})
}

// properties returns predicate and object of the triples whose subject is one
// of the nodes, at most nodesPerQuery.
func (c *Client) properties(ctx context.Context, domain, commit string, nodes []string) ([]row, error) {
	return c.anyOf(ctx, domain, commit, nodes, func(n string) query {
		return triple("Triple", node{"@type": "NodeValue", "node": n}, variable("Value", "O"))
	})
}

// anyOf runs a triple query about each of some nodes, in one.
func (c *Client) anyOf(ctx context.Context, domain, commit string, nodes []string, about func(node string) query) ([]row, error) {
	var parts []query
	for _, n := range nodes {
		parts = append(parts, about(n))
	}
	return c.woql(ctx, domain, commit, query{"@type": "Or", "or": parts})
}

// woql runs a triple query at a commit.
func (c *Client) woql(ctx context.Context, domain, commit string, q query) ([]row, error) {
	body, err := json.Marshal(map[string]any{"query": q})
	if err != nil {
		return nil, err
	}
	var answer json.RawMessage
	if _, err := c.ask(ctx, http.MethodPost, "woql", domain, []string{"commit", commit}, nil, body, &answer); err != nil {
		return nil, err
	}
	rows, err := parseRows(answer)
	if err != nil {
		return nil, c.wire.garbage(err.Error())
	}
	return rows, nil
}

// parseRows reads the answer of a triple query.
func parseRows(body []byte) ([]row, error) {
	var answer struct {
		Status   string `json:"api:status"`
		Bindings []row  `json:"bindings"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status != "api:success" || answer.Bindings == nil {
		return nil, errors.New("a triple query was not answered by bindings")
	}
	return answer.Bindings, nil
}
