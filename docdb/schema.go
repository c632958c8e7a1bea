package docdb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// What a database without prefixes of its own has.
const (
	defaultBase   = "terminusdb:///data/"
	defaultSchema = "terminusdb:///schema#"
)

// Class is a document class that says how it becomes text: the query that
// fetches a document and the template that is rendered over what it fetched.
type Class struct {
	Name     string
	Query    string
	Template string // "" where the class has none
	Err      error  // not nil: the metadata cannot be used; Query and Template are empty
}

// same reports whether the two make the same text of the same document.
func (c Class) same(other Class) bool {
	return c.Name == other.Name && c.Query == other.Query && c.Template == other.Template &&
		(c.Err == nil) == (other.Err == nil)
}

// schema is the schema at a commit, as far as it says what a query reads and
// whom a change concerns.
type schema struct {
	names   names
	classes map[string]*class
	// pairs are the classes with embedding metadata, by name. The database
	// does not inherit metadata, so neither does this: a subclass needs its
	// own. A class with unusable metadata has its Err set.
	pairs []Class
	// parts are the properties that hold subdocuments, with the classes of
	// these and their heirs.
	parts map[string][]string
	// byBase are the classes by what the ids of their documents begin with,
	// and bases what the ids of classes that choose it themselves begin with:
	// such an id does not tell its class.
	byBase map[string]string
	bases  []string
}

// class is a document class or an enum.
type class struct {
	name        string
	enum        []string          // not nil: an enum
	values      map[string]string // of an enum, those that GraphQL writes otherwise, by what it writes
	abstract    bool
	subdocument bool // so marked, or an heir of such
	parents     []string
	properties  map[string]property // its own and the inherited
	fields      map[string]string   // the properties by their names in GraphQL
	backlinks   map[string]backlink // by their names in GraphQL

	object        map[string]json.RawMessage // as the schema holds it
	documentation documentation
}

// property is what a class says of a field.
type property struct {
	kind  string // One, Optional, Set, List, Array, Cardinality
	class string // xsd:…, sys:… or the name of a class
}

// backlink is a field in which GraphQL answers the documents of exactly one class
// that link here by a property: _homeworld_of_People.
type backlink struct {
	class, name string
	property
}

// isUnordered reports whether the database answers the values in any order.
func (p property) isUnordered() bool { return p.kind == "Set" || p.kind == "Cardinality" }

// isListed reports whether there are cells between a document and the values.
func (p property) isListed() bool { return p.kind == "List" || p.kind == "Array" }

// isMany reports whether there may be several values.
func (p property) isMany() bool { return p.isUnordered() || p.isListed() }

// schema reads the schema at a commit.
func (c *Client) schema(ctx context.Context, domain, commit string) (*schema, error) {
	objects, err := c.schemaObjects(ctx, domain, commit)
	if err != nil {
		return nil, err
	}
	s, err := parseSchema(objects)
	if err != nil {
		return nil, c.wire.garbage("its schema is not a list of classes")
	}
	return s, nil
}

// schemaObjects asks for the list of a schema's objects.
func (c *Client) schemaObjects(ctx context.Context, domain, commit string) (list json.RawMessage, err error) {
	a, err := c.get(ctx, "document", domain, []string{"commit", commit}, url.Values{"graph_type": {"schema"}, "as_list": {"true"}}, &list)
	if a != nil && a.status == http.StatusInternalServerError {
		// What it also answers for a commit it does not know.
		if _, err := c.Commit(ctx, domain, commit); err != nil {
			return nil, err
		}
	}
	return list, err
}

// parseSchema reads the list of a schema's objects: the context and classes.
func parseSchema(list []byte) (*schema, error) {
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(list, &objects); err != nil {
		return nil, err
	}
	s := &schema{
		names:   names{base: defaultBase, schema: defaultSchema, prefixes: map[string]string{}, keys: map[string]string{}},
		classes: map[string]*class{}, parts: map[string][]string{}, byBase: map[string]string{},
	}
	for _, object := range objects {
		if kind := text(object["@type"]); kind == "@context" || kind == "Context" {
			s.names.read(object)
		}
	}
	for _, object := range objects {
		id := text(object["@id"])
		switch kind := text(object["@type"]); {
		case id == "":
		case kind == "Enum":
			s.classes[id] = parseEnum(id, texts(object["@value"]))
			s.classes[id].object = object
		case kind == "Class" || kind == "TaggedUnion":
			s.classes[id] = parseClass(id, object)
			s.byBase[s.names.iri(id)+"/"] = id
			for _, base := range ownBases(object) {
				s.bases = append(s.bases, s.names.iri(base))
			}
			if pair, ok := parseMetadata(object["@metadata"]); ok {
				pair.Name = id
				s.pairs = append(s.pairs, pair)
			}
		}
	}
	slices.SortFunc(s.pairs, func(a, b Class) int { return cmp.Compare(a.Name, b.Name) })
	for _, c := range s.classes {
		for _, ancestor := range s.ancestors(c.name) {
			a := s.classes[ancestor]
			c.subdocument = c.subdocument || a.subdocument
			for name, p := range a.properties {
				if _, own := c.properties[name]; !own {
					c.properties[name] = p
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.classes)) {
		s.link(s.classes[name])
	}
	return s, nil
}

// link notes by what names queries, ids and triples know the properties of a
// class.
func (s *schema) link(c *class) {
	s.names.learn(c.name)
	for _, name := range slices.Sorted(maps.Keys(c.properties)) {
		p := c.properties[name]
		s.names.learn(name)
		c.fields[gqlname.Of(name)] = name
		target := s.classes[p.class]
		if target == nil || target.enum != nil {
			continue
		}
		target.backlinks[gqlname.Backlink(name, c.name)] = backlink{c.name, name, p}
		if target.subdocument && !slices.Contains(s.parts[name], p.class) {
			for heir, c := range s.classes {
				if c.subdocument && s.isA(heir, p.class) && !slices.Contains(s.parts[name], heir) {
					s.parts[name] = append(s.parts[name], heir)
				}
			}
		}
	}
}

// parseEnum returns an enum, with those of its values that GraphQL writes
// otherwise. Of values that are written alike the server answers the first alone,
// and fails at a document that has another.
func parseEnum(name string, list []string) *class {
	c := &class{name: name, enum: append([]string{}, list...), values: map[string]string{}}
	for _, v := range slices.Backward(list) {
		c.values[gqlname.Of(v)] = v
	}
	maps.DeleteFunc(c.values, func(name, v string) bool { return name == v })
	return c
}

func parseClass(name string, object map[string]json.RawMessage) *class {
	c := &class{
		name: name, parents: texts(object["@inherits"]), properties: map[string]property{},
		fields: map[string]string{}, backlinks: map[string]backlink{},
		object: object, documentation: parseDocumentation(object["@documentation"]),
	}
	_, c.subdocument = object["@subdocument"]
	_, c.abstract = object["@abstract"]
	for field, raw := range object {
		if !strings.HasPrefix(field, "@") {
			c.properties[field] = parseProperty(raw)
		}
	}
	// The alternatives of a tagged union: an object, or a list of them.
	alternatives := []json.RawMessage{object["@oneOf"]}
	if list := []json.RawMessage(nil); json.Unmarshal(object["@oneOf"], &list) == nil {
		alternatives = list
	}
	for _, raw := range alternatives {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			continue
		}
		for field, raw := range fields {
			p := parseProperty(raw)
			if p.kind == "One" {
				p.kind = "Optional"
			}
			c.properties[field] = p
		}
	}
	return c
}

// ownBases returns what a class says its documents' ids begin with, if it does.
func ownBases(object map[string]json.RawMessage) []string {
	var key map[string]json.RawMessage
	if json.Unmarshal(object["@key"], &key) != nil {
		key = nil
	}
	return append(texts(object["@base"]), texts(key["@base"])...)
}

func parseProperty(raw json.RawMessage) property {
	p := property{kind: "One", class: text(raw)}
	var family map[string]json.RawMessage
	for p.class == "" && json.Unmarshal(raw, &family) == nil {
		if kind := text(family["@type"]); kind != "" && p.kind == "One" {
			p.kind = kind
		}
		raw = family["@class"] // its name, or {"@class": its name, "@subdocument": []}
		p.class, family = text(raw), nil
		if isNull(raw) {
			break
		}
	}
	return p
}

// text returns a JSON string's value, or "".
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// texts returns the strings of a JSON string or list.
func texts(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if s := text(raw); s != "" {
		return []string{s}
	}
	return nil
}

// ancestors returns the classes that name inherits from, nearest first.
func (s *schema) ancestors(name string) []string {
	var list []string
	seen := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		c := s.classes[queue[0]]
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

// hasPartHeirs reports whether some heir of a class is a subdocument.
func (s *schema) hasPartHeirs(name string) bool {
	for _, heir := range s.classes {
		if heir.subdocument && s.isA(heir.name, name) {
			return true
		}
	}
	return false
}

// property finds a property of a class by its name in GraphQL.
func (s *schema) property(class, field string) (name string, p property, ok bool) {
	c := s.classes[class]
	if c == nil {
		return "", property{}, false
	}
	name, ok = c.fields[field]
	return name, c.properties[name], ok
}

// parseMetadata reads the @metadata of a class; ok is false when it says
// nothing of embedding. The database stores whatever it is given, so anything
// may be met.
func parseMetadata(raw json.RawMessage) (class Class, ok bool) {
	if isNull(raw) {
		return Class{}, false
	}
	var metadata map[string]json.RawMessage
	if json.Unmarshal(raw, &metadata) != nil {
		return Class{Err: errors.New("@metadata is not an object")}, true
	}
	if isNull(metadata["embedding"]) {
		return Class{}, false
	}
	var embedding map[string]json.RawMessage
	if json.Unmarshal(metadata["embedding"], &embedding) != nil {
		return Class{Err: errors.New("@metadata.embedding is not an object")}, true
	}
	if raw := embedding["query"]; !isNull(raw) && json.Unmarshal(raw, &class.Query) != nil {
		return Class{Err: errors.New("@metadata.embedding.query is not a string")}, true
	}
	if raw := embedding["template"]; !isNull(raw) && json.Unmarshal(raw, &class.Template) != nil {
		return Class{Err: errors.New("@metadata.embedding.template is not a string")}, true
	}
	if class.Query == "" {
		return Class{Err: errors.New("@metadata.embedding has no query")}, true
	}
	return class, true
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}
