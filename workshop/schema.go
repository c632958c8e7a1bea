package workshop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
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

// Class and Field are what a schema says of them.
type (
	Class = docdb.Described
	Field = docdb.Field
)

// Open reads the schema at a commit.
func Open(ctx context.Context, client *docdb.Client, domain, commit string) (*Schema, error) {
	schema, err := client.Schema(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	return &Schema{schema.Described, slices.Clone(schema.Pairs), client, schema}, nil
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
func with(c *Class, pair Pair) (json.RawMessage, error) {
	embedding, err := json.Marshal(pair)
	if err != nil {
		return nil, fmt.Errorf("workshop: %w", err)
	}
	var metadata map[string]json.RawMessage
	if json.Unmarshal(c.Object["@metadata"], &metadata) != nil || metadata == nil {
		metadata = map[string]json.RawMessage{} // it was no object, which nothing can read
	}
	metadata["embedding"] = embedding
	object := maps.Clone(c.Object)
	if object["@metadata"], err = json.Marshal(metadata); err != nil {
		return nil, fmt.Errorf("workshop: %w", err)
	}
	return json.Marshal(object)
}
