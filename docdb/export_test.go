package docdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
)

// For tests of what the exported methods do not show one by one.
var (
	RepairNumbers = repairNumbers
	IsPlainNumber = isPlainNumber
	ErrTooLarge   = errTooLarge
	ParseMetadata = parseMetadata
)

// Rewrite returns the batch query for a class, its list variable, and the key
// of the ids.
func Rewrite(class, query string) (text, variable, idKey string, err error) {
	q, err := parseBatch(class, query)
	if err != nil {
		return "", "", "", err
	}
	return q.text(class), q.variable, q.idKey, nil
}

// Ask runs a query at a commit.
func (c *Client) Ask(ctx context.Context, domain, commit, key string, text func(string) string, variables map[string]any) ([]json.RawMessage, error) {
	return c.graphQL(ctx, domain, commit, key, text, variables)
}

// Classes lists the classes with embedding metadata in the schema at a commit.
func (c *Client) Classes(ctx context.Context, domain, commit string) ([]Class, error) {
	s, err := c.schema(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	return s.pairs, nil
}

// SplitID takes the id out of an answered object.
func SplitID(row []byte, key string, keep bool) (string, []byte, error) {
	p := &classPull{query: &batchQuery{idKey: key, ownID: keep}, shape: &shape{answer: &Answer{}}}
	return p.document(row)
}

// Fields returns the fields of an answered object of a class.
func Fields(schemaList []byte, class, query string, row []byte) (string, error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return "", err
	}
	p := newPlan(s, Class{Name: class, Query: query, Template: "x"})
	if p.fail != nil {
		return "", p.fail
	}
	found := map[string]contract.Op{}
	if err := new(Client).read(p, []json.RawMessage{row}, found); err != nil {
		return "", err
	}
	for _, op := range found {
		return string(op.Fields), nil
	}
	return "", errors.New("no operation")
}

// Changes reads the answers of triple queries under a schema and returns the
// properties that changed, by id.
func Changes(schemaList []byte, answers ...[]byte) (map[string][]string, error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return nil, err
	}
	c := newChanges(s, nil)
	for _, a := range answers {
		rows, err := parseRows(a)
		if err != nil {
			return nil, err
		}
		c.add(rows)
	}
	out := map[string][]string{}
	for iri, ch := range c.byID {
		out[iri] = slices.Sorted(maps.Keys(ch.reads))
		for _, t := range ch.types {
			out[iri] = append(out[iri], rdfType+" "+t)
		}
	}
	for cell := range c.cells {
		out[cell] = []string{"cell"}
	}
	return out, nil
}

// Objects returns an id and what holds it, each with its class.
func Objects(schemaList []byte, iri string) ([]string, error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, o := range s.objects(iri) {
		list = append(list, o.iri+" "+o.class)
	}
	return list, nil
}

// Names returns the IRI of a name in an answer, the local name of a class or
// property, and how a query names the IRI.
func Names(schemaList []byte, name string) (iri, local, node string, err error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return "", "", "", err
	}
	iri = s.names.iri(name)
	return iri, s.names.local(name), s.names.node(iri), nil
}

// Reads lays a class's query over a schema and returns the places it reads,
// one a line, or why that cannot be told.
func Reads(schemaList []byte, class, query string) (places []string, opaque string, err error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return nil, "", err
	}
	p := newPlan(s, Class{Name: class, Query: query})
	if p.fail != nil {
		return nil, "", p.fail
	}
	for _, at := range p.shape.places {
		line := fmt.Sprintf("%d %s", at.depth, at.class)
		if at.up != nil {
			line += fmt.Sprintf(" of %s by %s", at.up.class, at.via)
		}
		if at.back {
			line += " backwards"
		}
		if at.listed {
			line += " through cells"
		}
		places = append(places, line+": "+strings.Join(slices.Sorted(maps.Keys(at.reads)), " "))
	}
	return places, p.shape.opaque, nil
}

// Arrange puts the unordered collections of an answered object in order, as a
// class's query and a schema tell them.
func Arrange(schemaList []byte, class, query string, data []byte) ([]byte, error) {
	s, err := parseSchema(schemaList)
	if err != nil {
		return nil, err
	}
	p := newPlan(s, Class{Name: class, Query: query})
	if p.fail != nil {
		return nil, p.fail
	}
	return p.shape.answer.arrange(data), nil
}
