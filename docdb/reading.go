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
	Described []Described // classes and enums, by name
	Pairs     []Class     // those that it holds, by name

	domain, commit string
	schema         *schema
}

// Described is what a schema says of a class or an enum to those who write queries.
type Described struct {
	Name    string
	Field   string   // in GraphQL
	Label   string   // of its documentation; may be empty
	Parents []string // what it inherits from directly
	// Part: its instances are parts of documents and have no text of their
	// own. Enum: it is a list of values. Abstract: it has no instances.
	Part, Enum, Abstract bool
	Fields               []Field // by name

	Object map[string]json.RawMessage // as the schema holds it
}

// Field is a property of a class, its own or inherited, under the name that a query
// gives it.
type Field struct {
	Name  string
	Key   string // its name in the schema
	Label string // of its documentation; may be empty
	Type  string // xsd:string, …, or the name of a class
	// Many: a list or set of values. Unordered: the database may give them in
	// any order.
	Many, Unordered bool
}

// Schema reads the schema at a commit.
func (c *Client) Schema(ctx context.Context, domain, commit string) (*Schema, error) {
	list, err := c.schemaObjects(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	parsed, err := parseSchema(list)
	if err != nil {
		return nil, c.wire.garbage("its schema is not a list of classes")
	}
	s := &Schema{Pairs: parsed.pairs, domain: domain, commit: commit, schema: parsed}
	for _, name := range slices.Sorted(maps.Keys(parsed.classes)) {
		class := parsed.classes[name]
		d := Described{
			Name: name, Field: gqlname.Of(name), Label: class.documentation.label, Parents: class.parents,
			Part: class.subdocument, Enum: class.enum != nil, Abstract: class.abstract,
			Object: class.object,
		}
		for _, key := range slices.Sorted(maps.Keys(class.properties)) {
			p := class.properties[key]
			f := Field{Name: gqlname.Of(key), Key: key, Type: p.class, Many: p.isMany(), Unordered: p.isUnordered()}
			for _, owner := range append([]string{name}, parsed.ancestors(name)...) {
				if f.Label = parsed.classes[owner].documentation.properties[key]; f.Label != "" {
					break
				}
			}
			d.Fields = append(d.Fields, f)
		}
		s.Described = append(s.Described, d)
	}
	return s, nil
}

// documentation is what a class's @documentation says in one language.
type documentation struct {
	label      string
	properties map[string]string // labels, by property
}

// parseDocumentation reads an @documentation: an object, or a list of one for
// each language, of which English is taken, or else the first. What it cannot
// read has no labels.
func parseDocumentation(raw json.RawMessage) documentation {
	type object struct {
		Language   string                     `json:"@language"`
		Label      json.RawMessage            `json:"@label"`
		Properties map[string]json.RawMessage `json:"@properties"`
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var chosen object
	for i, raw := range list {
		var o object
		_ = json.Unmarshal(raw, &o)
		if i == 0 || o.Language == "en" {
			chosen = o
		}
	}
	d := documentation{text(chosen.Label), map[string]string{}}
	for name, raw := range chosen.Properties {
		var p struct {
			Label json.RawMessage `json:"@label"`
		}
		if json.Unmarshal(raw, &p) == nil {
			d.properties[name] = text(p.Label)
		}
	}
	return d
}

// IRI returns the full id of a document that may be given short, as People/20.
func (s *Schema) IRI(id string) string { return s.schema.names.iri(id) }

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
		if p.ids = ids; len(ids) > 0 && p.query != nil {
			p.query.filtered = true // nobody says that they are there
		}
		if len(ids) == 0 {
			var err error
			if p.ids, err = c.ids(ctx, s.domain, s.commit, class.Name); err != nil {
				yield(contract.Op{}, c.listFault(class.Name, err))
				return
			}
			if most > 0 {
				p.ids = p.ids[:min(most, len(p.ids))]
			}
		}
		f := &feed{c: c, domain: s.domain, commit: s.commit, plans: []*classPull{p}, whole: true}
		f.ops(ctx)(yield)
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
