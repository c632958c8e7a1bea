package docdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/vectorlink/vectorlink/contract"
)

// Schema is the schema at a commit, described for people who write queries and
// templates. It is immutable.
type Schema struct {
	Classes []SchemaClass // by name

	domain, commit string
	schema         *schema
}

// SchemaClass is a class or an enum of a schema.
type SchemaClass struct {
	Name          string
	Label         string   // of its documentation; may be empty
	Parents       []string // what it inherits from directly
	Enum          bool
	Abstract      bool
	Part          bool // a subdocument
	Fields        []SchemaField
	Pair          *Class          // its embedding metadata; nil: none
	Source        json.RawMessage // the object that the schema holds
	documentation documentation
}

// SchemaField is a property of a class, its own or inherited.
type SchemaField struct {
	Name      string // in GraphQL
	Label     string // of its documentation; may be empty
	Type      string // xsd:… or the name of a class
	Many      bool   // a Set, List, Array or Cardinality
	Unordered bool   // of those, a Set or Cardinality
}

// Schema describes the schema at a commit.
func (c *Client) Schema(ctx context.Context, domain, commit string) (*Schema, error) {
	list, err := c.schemaObjects(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	s, err := describe(list)
	if err != nil {
		return nil, c.wire.garbage("its schema is not a list of classes")
	}
	s.domain, s.commit = domain, commit
	return s, nil
}

// describe describes the list of a schema's objects.
func describe(list []byte) (*Schema, error) {
	parsed, err := parseSchema(list)
	if err != nil {
		return nil, err
	}
	var objects []json.RawMessage
	if err := json.Unmarshal(list, &objects); err != nil {
		return nil, err
	}
	s := &Schema{schema: parsed}
	for _, raw := range objects {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, err
		}
		c := parsed.classes[text(object["@id"])]
		if c == nil {
			continue
		}
		_, abstract := object["@abstract"]
		described := SchemaClass{
			Name: c.name, Parents: c.parents, Enum: c.enum != nil, Abstract: abstract, Part: c.subdocument,
			Source: raw, documentation: parseDocumentation(object["@documentation"]),
		}
		described.Label = described.documentation.label
		if i := slices.IndexFunc(parsed.pairs, func(p Class) bool { return p.Name == c.name }); i >= 0 {
			described.Pair = &parsed.pairs[i]
		}
		s.Classes = append(s.Classes, described)
	}
	slices.SortFunc(s.Classes, func(a, b SchemaClass) int { return cmp.Compare(a.Name, b.Name) })
	for i := range s.Classes {
		s.describeFields(&s.Classes[i])
	}
	return s, nil
}

func (s *Schema) describeFields(c *SchemaClass) {
	properties := s.schema.classes[c.Name].properties
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties[name]
		f := SchemaField{Name: graphQLName(name), Type: p.class, Many: p.isUnordered() || p.isListed(), Unordered: p.isUnordered()}
		for _, owner := range append([]string{c.Name}, s.schema.ancestors(c.Name)...) {
			if class := s.Class(owner); class != nil && class.documentation.properties[name] != "" {
				f.Label = class.documentation.properties[name]
				break
			}
		}
		c.Fields = append(c.Fields, f)
	}
}

// Class returns the class of a name, or nil.
func (s *Schema) Class(name string) *SchemaClass {
	i, ok := slices.BinarySearchFunc(s.Classes, name, func(c SchemaClass, name string) int { return cmp.Compare(c.Name, name) })
	if !ok {
		return nil
	}
	return &s.Classes[i]
}

// IRI returns the full id of a document that may be given short, as People/20.
func (s *Schema) IRI(id string) string { return s.schema.names.iri(id) }

// documentation is what a class's @documentation says in one language.
type documentation struct {
	label      string
	properties map[string]string // labels, by property
}

// parseDocumentation reads an @documentation: an object, or a list of one for
// each language, of which English is taken, or else the first.
func parseDocumentation(raw json.RawMessage) documentation {
	list := []map[string]json.RawMessage{}
	if json.Unmarshal(raw, &list) != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal(raw, &one) != nil {
			return documentation{}
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return documentation{}
	}
	object := list[0]
	for _, o := range list {
		if text(o["@language"]) == "en" {
			object = o
		}
	}
	d := documentation{label: text(object["@label"]), properties: map[string]string{}}
	var properties map[string]json.RawMessage
	_ = json.Unmarshal(object["@properties"], &properties) // what is no object has no labels
	for name, raw := range properties {
		var p map[string]json.RawMessage
		if json.Unmarshal(raw, &p) == nil {
			d.properties[name] = text(p["@label"])
		}
	}
	return d
}

// Answer is a value in the answer to a query: an object with members, or, where
// Members is nil, text, a number or the like.
type Answer struct {
	Many    bool // a list of such
	Members map[string]*Answer
}

// Answer tells what a class's query is answered with, and what is wrong with
// what it asks for. An error says that the query cannot be used at all.
func (s *Schema) Answer(class Class) (answer *Answer, problems []string, err error) {
	plan := newPlan(s.schema, class)
	if plan.fail != nil {
		return nil, nil, plan.fail
	}
	answer = &Answer{}
	answer.Members = s.members(plan.query.root.SelectionSet, class.Name, &problems)
	if !plan.query.ownID {
		delete(answer.Members, plan.query.idKey) // it is ours, and not in the document
	}
	return answer, problems, nil
}

func (s *Schema) members(set ast.SelectionSet, class string, problems *[]string) map[string]*Answer {
	members := make(map[string]*Answer)
	for _, selection := range set {
		field := selection.(*ast.Field) // a query with fragments is refused
		key := cmp.Or(field.Alias, field.Name)
		switch field.Name {
		case "_id", "_type", "_json":
			members[key] = &Answer{}
			continue
		}
		target, many := "", false
		if _, p, ok := s.schema.property(class, field.Name); ok {
			target, many = p.class, p.isUnordered() || p.isListed()
		} else if from, _, _, ok := s.schema.reverse(class, field.Name); ok {
			target, many = from, true
		} else {
			*problems = append(*problems, fmt.Sprintf("the query asks for %s, which is no field of %s", field.Name, class))
			continue
		}
		c := s.schema.classes[target]
		member := &Answer{Many: many}
		switch hasFields, isObject := len(field.SelectionSet) > 0, c != nil && c.enum == nil; {
		case isObject && !hasFields:
			*problems = append(*problems, fmt.Sprintf("the query asks for %s of %s without saying which of its fields: %s { … }", field.Name, class, field.Name))
		case !isObject && hasFields:
			*problems = append(*problems, fmt.Sprintf("the query asks for fields of %s of %s, which has none", field.Name, class))
		case isObject:
			member.Members = s.members(field.SelectionSet, target, problems)
		}
		members[key] = member
	}
	return members
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
		for op, err := range c.classOps(ctx, s.domain, s.commit, p) {
			if !yield(op, err) || err != nil {
				return
			}
		}
	}
}

// ParsePairs reads pairs from a list of classes such as a schema holds, or from
// one class. Classes without a pair are left out.
func ParsePairs(data []byte) ([]Class, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal(data, &one) != nil {
			return nil, errors.New("docdb: not a JSON list of classes")
		}
		list = append(list, one)
	}
	var pairs []Class
	for i, object := range list {
		pair, ok := parseMetadata(object["@metadata"])
		if !ok {
			continue
		}
		if pair.Name = text(object["@id"]); pair.Name == "" {
			return nil, fmt.Errorf("docdb: class %d of the list has no @id", i+1)
		}
		if pair.Err != nil {
			return nil, fmt.Errorf("docdb: class %s: %w", pair.Name, pair.Err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// WithPair returns the object of a class that the schema holds, with other
// embedding metadata: what to send to change it.
func (c *SchemaClass) WithPair(query, template string) (json.RawMessage, error) {
	embedding, err := json.Marshal(struct {
		Query    string `json:"query"`
		Template string `json:"template"`
	}{query, template})
	if err != nil {
		return nil, fmt.Errorf("docdb: %w", err)
	}
	metadata := map[string]json.RawMessage{}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(c.Source, &object); err != nil {
		return nil, fmt.Errorf("docdb: class %s: %w", c.Name, err)
	}
	if !isNull(object["@metadata"]) && json.Unmarshal(object["@metadata"], &metadata) != nil {
		metadata = map[string]json.RawMessage{} // it was no object, which nothing can read
	}
	metadata["embedding"] = embedding
	if object["@metadata"], err = json.Marshal(metadata); err != nil {
		return nil, fmt.Errorf("docdb: %w", err)
	}
	return json.Marshal(object)
}
