package docdb

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// Schema is the schema at a commit, for reading documents through queries that
// need not be its own. It is immutable.
type Schema struct {
	Objects []json.RawMessage // as the database holds them
	Pairs   []Class           // those that it holds, by name

	domain, commit string
	schema         *schema
}

// Property is a property of a class, its own or inherited.
type Property struct {
	Name      string // in the schema
	Field     string // in GraphQL
	Type      string // xsd:… or the name of a class
	Many      bool   // a Set, List, Array or Cardinality
	Unordered bool   // of those, a Set or Cardinality
}

// Schema reads the schema at a commit.
func (c *Client) Schema(ctx context.Context, domain, commit string) (*Schema, error) {
	list, err := c.schemaObjects(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	s := &Schema{domain: domain, commit: commit}
	if s.schema, err = parseSchema(list); err == nil {
		err = json.Unmarshal(list, &s.Objects)
	}
	if err != nil {
		return nil, c.wire.garbage("its schema is not a list of classes")
	}
	s.Pairs = s.schema.pairs
	return s, nil
}

// IRI returns the full id of a document that may be given short, as People/20.
func (s *Schema) IRI(id string) string { return s.schema.names.iri(id) }

// Ancestors returns the classes that a class inherits from, nearest first.
func (s *Schema) Ancestors(class string) []string { return s.schema.ancestors(class) }

// IsPart reports whether the instances of a class are subdocuments.
func (s *Schema) IsPart(class string) bool {
	c := s.schema.classes[class]
	return c != nil && c.subdocument
}

// Properties returns the properties of a class, by name.
func (s *Schema) Properties(class string) []Property {
	c := s.schema.classes[class]
	if c == nil {
		return nil
	}
	var list []Property
	for _, name := range slices.Sorted(maps.Keys(c.properties)) {
		p := c.properties[name]
		list = append(list, Property{
			Name: name, Field: gqlname.Of(name), Type: p.class,
			Many: p.isMany(), Unordered: p.isUnordered(),
		})
	}
	return list
}

// Answer tells what a class's query is answered with, and what is wrong with
// what it asks for. An error says that the query cannot be used at all.
func (s *Schema) Answer(class Class) (answer *Answer, problems []string, err error) {
	plan := newPlan(s.schema, class)
	if plan.fail != nil {
		return nil, nil, plan.fail
	}
	if !plan.query.ownID {
		delete(plan.shape.answer.Members, plan.query.idKey) // it is ours, and not in the document
	}
	return plan.shape.answer, plan.shape.problems, nil
}

// Documents reads documents of a class at the schema's commit through a pair,
// which need not be the schema's own: those of the given full ids, or, with none,
// the first so many by their ids (0: all). What cannot be read comes as Failed
// operations. An error ends it.
func (c *Client) Documents(ctx context.Context, s *Schema, class Class, ids []string, most int) iter.Seq2[contract.Op, error] {
	return func(yield func(contract.Op, error) bool) {
		p := newPlan(s.schema, class)
		if p.ids = ids; len(ids) == 0 {
			var err error
			if p.ids, err = c.ids(ctx, s.domain, s.commit, class.Name); err != nil {
				yield(contract.Op{}, c.listFault(class.Name, err))
				return
			}
			if most > 0 {
				p.ids = p.ids[:min(most, len(p.ids))]
			}
		}
		for op, err := range c.classOps(ctx, s.domain, s.commit, p, len(ids) == 0) {
			if !yield(op, err) || err != nil {
				return
			}
		}
	}
}

// ParsePair reads the embedding metadata of a class's object; ok is false where
// it has none.
func ParsePair(object json.RawMessage) (pair Class, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return Class{}, false
	}
	pair, ok = parseMetadata(members["@metadata"])
	pair.Name = text(members["@id"])
	return pair, ok
}
