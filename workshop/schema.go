package workshop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
)

// Schema is the schema at a commit, and the pairs of query and template that
// are worked on.
type Schema struct {
	Classes []Class // by name
	// Pairs are the schema's own, or those that took their place; by name.
	Pairs []docdb.Class

	client *docdb.Client
	schema *docdb.Schema
}

// Class is what a schema says of a class or an enum.
type Class struct {
	Name    string
	Label   string   // of its documentation; may be empty
	Parents []string // what it inherits from directly
	// Part: its instances are parts of documents and have no text of their
	// own. Enum: it is a list of values. Abstract: it has no instances.
	Part, Enum, Abstract bool
	Fields               []Field

	object json.RawMessage // as the schema holds it
}

// Field is a field of a class, its own or inherited, under the name that a query
// gives it.
type Field struct {
	Name  string
	Label string // of its documentation; may be empty
	Type  string // xsd:string, …, or the name of a class
	// Many: a list or set of values. Unordered: the database may give them in
	// any order.
	Many, Unordered bool
}

// Open reads the schema at a commit.
func Open(ctx context.Context, client *docdb.Client, domain, commit string) (*Schema, error) {
	schema, err := client.Schema(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	s := &Schema{Pairs: slices.Clone(schema.Pairs), client: client, schema: schema}
	labels := map[string]documentation{}
	for _, raw := range schema.Objects {
		var object struct {
			ID            string          `json:"@id"`
			Type          string          `json:"@type"`
			Inherits      json.RawMessage `json:"@inherits"`
			Abstract      json.RawMessage `json:"@abstract"`
			Documentation json.RawMessage `json:"@documentation"`
		}
		if json.Unmarshal(raw, &object) != nil || object.ID == "" {
			continue // the context
		}
		switch object.Type {
		case "Class", "TaggedUnion", "Enum":
		default:
			continue
		}
		labels[object.ID] = parseDocumentation(object.Documentation)
		s.Classes = append(s.Classes, Class{
			Name: object.ID, Label: labels[object.ID].label, Parents: oneOrMore(object.Inherits),
			Part: schema.IsPart(object.ID), Enum: object.Type == "Enum", Abstract: object.Abstract != nil, object: raw,
		})
	}
	slices.SortFunc(s.Classes, func(a, b Class) int { return cmp.Compare(a.Name, b.Name) })
	for i := range s.Classes {
		c := &s.Classes[i]
		owners := append([]string{c.Name}, schema.Ancestors(c.Name)...)
		for _, p := range schema.Properties(c.Name) {
			f := Field{Name: p.Field, Type: p.Type, Many: p.Many, Unordered: p.Unordered}
			for _, owner := range owners {
				if f.Label = labels[owner].properties[p.Name]; f.Label != "" {
					break
				}
			}
			c.Fields = append(c.Fields, f)
		}
	}
	return s, nil
}

// Class returns the class of a name, or nil.
func (s *Schema) Class(name string) *Class {
	i, ok := slices.BinarySearchFunc(s.Classes, name, func(c Class, name string) int { return cmp.Compare(c.Name, name) })
	if !ok {
		return nil
	}
	return &s.Classes[i]
}

// Pair returns the pair of a class, or nil.
func (s *Schema) Pair(class string) *docdb.Class {
	for i := range s.Pairs {
		if s.Pairs[i].Name == class {
			return &s.Pairs[i]
		}
	}
	return nil
}

// Replace takes pairs in the place of those of their classes.
func (s *Schema) Replace(pairs []docdb.Class) error {
	for _, pair := range pairs {
		if s.Class(pair.Name) == nil {
			return fmt.Errorf("the schema has no class %s", pair.Name)
		}
		if old := s.Pair(pair.Name); old != nil {
			*old = pair
		} else {
			s.Pairs = append(s.Pairs, pair)
		}
	}
	slices.SortFunc(s.Pairs, func(a, b docdb.Class) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// IRI returns the full id of a document that may be given short, as People/20.
func (s *Schema) IRI(id string) string { return s.schema.IRI(id) }

// Documents reads documents of a class through a pair: those of the given full
// ids, or, with none, the first so many (0: all).
func (s *Schema) Documents(ctx context.Context, pair docdb.Class, ids []string, most int) iter.Seq2[contract.Op, error] {
	return s.client.Documents(ctx, s.schema, pair, ids, most)
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
		Language   any                        `json:"@language"`
		Label      any                        `json:"@label"`
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
	d := documentation{properties: map[string]string{}}
	d.label, _ = chosen.Label.(string)
	for name, raw := range chosen.Properties {
		var p struct {
			Label string `json:"@label"`
		}
		if json.Unmarshal(raw, &p) == nil {
			d.properties[name] = p.Label
		}
	}
	return d
}

// oneOrMore returns the strings of a JSON string or list.
func oneOrMore(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) != nil || one == "" {
		return nil
	}
	return []string{one}
}

// ParsePairs reads pairs from a list of classes such as a schema holds, or from
// one class. Classes without a pair are left out.
func ParsePairs(data []byte) ([]docdb.Class, error) {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		list = []json.RawMessage{data}
	}
	var pairs []docdb.Class
	for i, raw := range list {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, errors.New("not a JSON list of classes")
		}
		pair, ok := docdb.ParsePair(raw)
		switch {
		case !ok:
			continue
		case pair.Name == "":
			return nil, fmt.Errorf("class %d of the list has no @id", i+1)
		case pair.Err != nil:
			return nil, fmt.Errorf("class %s: %w", pair.Name, pair.Err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// with returns the object of a class with other embedding metadata: what to
// send to the database to change it.
func (c *Class) with(pair Pair) (json.RawMessage, error) {
	embedding, err := json.Marshal(pair)
	if err != nil {
		return nil, fmt.Errorf("workshop: %w", err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(c.object, &object); err != nil {
		return nil, fmt.Errorf("workshop: class %s: %w", c.Name, err)
	}
	var metadata map[string]json.RawMessage
	if raw := object["@metadata"]; raw == nil || json.Unmarshal(raw, &metadata) != nil || metadata == nil {
		metadata = map[string]json.RawMessage{} // it was no object, which nothing can read
	}
	metadata["embedding"] = embedding
	if object["@metadata"], err = json.Marshal(metadata); err != nil {
		return nil, fmt.Errorf("workshop: %w", err)
	}
	return json.Marshal(object)
}
