package minidb

import (
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// schema is immutable.
type schema struct {
	raw     map[string]map[string]any // by @id; the context as @context
	classes map[string]*class
	byField map[string]*class // document classes by their names in GraphQL
	bytes   []byte
}

// class is a document class or an enum.
type class struct {
	name        string
	prefix      string   // of its documents' ids: its name, or its own @base
	enum        []string // not nil: an enum
	abstract    bool
	subdocument bool
	parents     []string
	properties  map[string]property // its own and the inherited
	fields      map[string]string   // properties by their names in GraphQL
	reverse     map[string]reverse  // by GraphQL field, such as _homeworld_of_People
}

// reverse says which objects a reverse field answers: those of exactly a class
// that link to one of exactly another by a property.
type reverse struct {
	class    *class
	property string
}

// property is what a class says of one field.
type property struct {
	kind  string // One, Optional, or a collection: Set, List, Array, Cardinality
	class string // xsd:…, sys:… or the name of a class
}

func (p property) isMany() bool { return p.kind != "One" && p.kind != "Optional" }

// isBasic reports whether the values are data, not documents or enums.
func (p property) isBasic() bool {
	return strings.HasPrefix(p.class, "xsd:") || strings.HasPrefix(p.class, "sys:")
}

func newSchema(raw map[string]map[string]any) *schema {
	s := &schema{raw: raw, classes: map[string]*class{}, byField: map[string]*class{}}
	for name, doc := range raw {
		if c := parseClass(name, doc); c != nil {
			s.classes[name] = c
			if c.enum == nil {
				s.byField[gqlname.Of(name)] = c
			}
		}
	}
	for _, c := range s.classes {
		for _, ancestor := range s.ancestors(c.name) {
			for name, p := range s.classes[ancestor].properties {
				if _, own := c.properties[name]; !own {
					c.properties[name] = p
				}
			}
		}
	}
	for _, c := range s.classes {
		for name, p := range c.properties {
			c.fields[gqlname.Of(name)] = name
			if target := s.classes[p.class]; target != nil && target.enum == nil {
				target.reverse[gqlname.Backlink(name, c.name)] = reverse{c, name}
			}
		}
	}
	s.bytes = canonical(raw)
	return s
}

func (s *schema) canonical() []byte { return s.bytes }

func parseClass(name string, doc map[string]any) *class {
	c := &class{name: name, prefix: name + "/", properties: map[string]property{}, fields: map[string]string{}, reverse: map[string]reverse{}}
	switch doc["@type"] {
	case "Enum":
		c.enum = texts(doc["@value"])
		return c
	case "Class", "TaggedUnion":
	default:
		return nil
	}
	if base, ok := doc["@base"].(string); ok {
		c.prefix = base
	}
	_, c.abstract = doc["@abstract"]
	_, c.subdocument = doc["@subdocument"]
	c.parents = texts(doc["@inherits"])
	for field, v := range doc {
		if strings.HasPrefix(field, "@") {
			continue
		}
		c.properties[field] = parseProperty(v)
	}
	return c
}

func parseProperty(v any) property {
	p := property{kind: "One"}
	if m, ok := v.(map[string]any); ok {
		if kind, ok := m["@type"].(string); ok {
			p.kind = kind
		}
		v = m["@class"]
		if inner, ok := v.(map[string]any); ok { // {"@class": …, "@subdocument": []}
			v = inner["@class"]
		}
	}
	p.class, _ = v.(string)
	return p
}

// texts returns the strings of a string or a list.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// ancestors returns the classes that name inherits from, nearest first.
func (s *schema) ancestors(name string) []string {
	var list []string
	seen := map[string]bool{name: true}
	queue := []string{name}
	for len(queue) > 0 {
		c := s.classes[queue[0]]
		queue = queue[1:]
		if c == nil {
			continue
		}
		for _, p := range c.parents {
			if !seen[p] && s.classes[p] != nil {
				seen[p] = true
				list = append(list, p)
				queue = append(queue, p)
			}
		}
	}
	return list
}

// isA reports whether class is wanted or inherits from it.
func (s *schema) isA(class, wanted string) bool {
	return class == wanted || slices.Contains(s.ancestors(class), wanted)
}

func schemaFailure(format string, args ...any) error {
	return badRequest("SchemaCheckFailure", "Schema check failure: "+format, args...)
}
