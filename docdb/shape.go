package docdb

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// What a place can read besides properties.
const (
	readType = rdfType // the class of the document
	readAll  = "*"     // the document as JSON
)

// shape is what a class's query reads, laid over the schema at a commit.
type shape struct {
	root   *place
	places []*place // root first
	// opaque says why it cannot be told what the query reads; "" where it
	// can. Any change may then change any text.
	opaque string
	// problems are what the query asks for that the schema has not, which the
	// database will refuse.
	problems []string
	answer   *Answer
	// backlinks are the fields of that kind, and hidden says that one stands
	// below a link that need not be there (see Client.unused).
	backlinks []askedBacklink
	hidden    bool
	// print spells out how the schema answers the query: with the same print
	// and the same documents, the answers are the same.
	print string
}

// place is where documents stand in a query's answer: at the root, or behind a
// link. The subdocuments of a place's documents are part of it.
type place struct {
	class string          // of the documents, or an ancestor of theirs
	reads map[string]bool // the properties that are read there, filters included
	up    *place          // where the link starts; nil for the root
	depth int
	via   string // the property that links up's documents to these,
	// or, with back, these to up's: a reverse field.
	back   bool
	listed bool // the links go through the cells of a list or array
}

// shaper makes a shape.
type shaper struct {
	schema   *schema
	shape    *shape
	print    strings.Builder
	optional bool // within a link that need not be there
}

// shapeOf lays a class's query over the schema.
func (s *schema) shapeOf(q *batchQuery, class string) *shape {
	root := &place{class: class, reads: map[string]bool{}}
	b := shaper{schema: s, shape: &shape{root: root, places: []*place{root}}}
	b.arguments(&q.root, class, root)
	b.shape.answer = &Answer{Members: b.fields(q.root.SelectionSet, class, root)}
	b.shape.print = b.print.String()
	return b.shape
}

func (b *shaper) opaque(format string, args ...any) {
	if b.shape.opaque == "" {
		b.shape.opaque = fmt.Sprintf(format, args...)
	}
}

func (b *shaper) problem(format string, args ...any) {
	b.shape.problems = append(b.shape.problems, fmt.Sprintf(format, args...))
}

// fields notes what a selection reads of objects of a class at a place, and
// returns what it is answered with.
func (b *shaper) fields(set ast.SelectionSet, class string, at *place) map[string]*Answer {
	members := map[string]*Answer{}
	b.print.WriteByte('{')
	for _, s := range set {
		field := s.(*ast.Field) // a query with fragments is refused
		m := b.field(field, class, at)
		if key := cmp.Or(field.Alias, field.Name); m != nil && members[key] == nil {
			members[key] = m
		}
	}
	b.print.WriteByte('}')
	return members
}

func (b *shaper) field(field *ast.Field, class string, at *place) *Answer {
	switch field.Name {
	case "_id":
		return &Answer{}
	case "_type":
		at.reads[readType] = true
		return &Answer{}
	case "_json":
		at.reads[readAll] = true
		return &Answer{}
	}
	if name, p, ok := b.schema.property(class, field.Name); ok {
		at.reads[name] = true
		target, below := b.follow(name, p, at)
		m := &Answer{Many: p.isMany(), unordered: p.isUnordered() && field.Arguments.ForName("orderBy") == nil, scalar: scalarOf(p.class)}
		switch isObject, hasFields := target != nil && target.enum == nil, len(field.SelectionSet) > 0; {
		case isObject && !hasFields:
			b.problem("query asks for %s of %s without saying which of its fields: %s { … }", field.Name, class, field.Name)
		case isObject:
			outer := b.optional
			b.optional = outer || p.kind == "Optional"
			b.arguments(field, p.class, below)
			m.Members = b.fields(field.SelectionSet, p.class, below)
			b.optional = outer
		case hasFields:
			b.problem("query asks for fields of %s of %s, which has none", field.Name, class)
		case target != nil:
			m.values = target.values
		}
		return m
	}
	if c := b.schema.classes[class]; c != nil && c.backlinks[field.Name].name != "" {
		return b.backlink(field, class, c.backlinks[field.Name], at)
	}
	fmt.Fprintf(&b.print, " ?%s", field.Name)
	if strings.HasPrefix(field.Name, "_path_to_") || field.Name == "_restriction" {
		b.opaque("%s of %s", field.Name, class)
		return nil
	}
	b.problem("query asks for %s, which %s does not have", field.Name, class)
	return nil
}

func (b *shaper) backlink(field *ast.Field, class string, back backlink, at *place) *Answer {
	if back.isListed() {
		b.opaque("%s: a list read backwards", field.Name)
	}
	fmt.Fprintf(&b.print, " <%s %s %s", back.class, back.name, back.kind)
	below := b.place(&place{class: back.class, up: at, via: back.name, back: true})
	below.reads[back.name] = true
	b.arguments(field, back.class, below)
	m := &Answer{Many: true, unordered: field.Arguments.ForName("orderBy") == nil}
	b.shape.backlinks = append(b.shape.backlinks, askedBacklink{class, field, m})
	b.shape.hidden = b.shape.hidden || b.optional
	m.Members = b.fields(field.SelectionSet, back.class, below)
	return m
}

// follow returns the class that a property leads to and the place where its
// documents stand: another one for documents, the same for subdocuments.
func (b *shaper) follow(name string, p property, at *place) (*class, *place) {
	target := b.schema.classes[p.class]
	fmt.Fprintf(&b.print, " %s %s %s", name, p.kind, p.class)
	switch {
	case target == nil:
		if !strings.HasPrefix(p.class, "xsd:") && !strings.HasPrefix(p.class, "sys:") {
			b.opaque("%s leads to %q, which is no class", name, p.class)
		}
		return nil, at
	case target.enum != nil:
		fmt.Fprintf(&b.print, "%q", target.enum)
		return target, at
	case target.subdocument:
		b.print.WriteString(" part")
		return target, at
	}
	if b.schema.hasPartHeirs(p.class) {
		b.opaque("%s leads to documents and to subdocuments", name)
	}
	return target, b.place(&place{class: p.class, up: at, via: name, listed: p.isListed()})
}

func (b *shaper) place(p *place) *place {
	p.reads, p.depth = map[string]bool{}, p.up.depth+1
	b.shape.places = append(b.shape.places, p)
	return p
}

// arguments notes what the arguments of a list read of its objects.
func (b *shaper) arguments(field *ast.Field, class string, at *place) {
	for _, a := range field.Arguments {
		switch a.Name {
		case "filter":
			b.filter(a.Value, class, at)
		case "orderBy":
			b.orderBy(a.Value, class, at)
		}
	}
}

func (b *shaper) orderBy(v *ast.Value, class string, at *place) {
	if v.Kind != ast.ObjectValue {
		b.opaque("orderBy is not an object")
		return
	}
	for _, c := range v.Children {
		name, _, ok := b.schema.property(class, c.Name)
		if !ok || c.Value.Kind == ast.ObjectValue {
			b.opaque("orderBy %s", c.Name)
			continue
		}
		at.reads[name] = true
	}
}

// filter notes what a filter reads: properties with conditions, links with
// filters of their own, collections with someHave or allHave, and _and, _or and
// _not of filters.
func (b *shaper) filter(v *ast.Value, class string, at *place) {
	if v.Kind != ast.ObjectValue {
		b.opaque("a filter that is not an object")
		return
	}
	for _, c := range v.Children {
		switch c.Name {
		case "_id", "_ids":
			continue
		case "_and", "_or":
			for _, part := range c.Value.Children {
				b.filter(part.Value, class, at)
			}
			if c.Value.Kind != ast.ListValue {
				b.opaque("%s is not a list", c.Name)
			}
			continue
		case "_not":
			b.filter(c.Value, class, at)
			continue
		}
		name, p, ok := b.schema.property(class, c.Name)
		if !ok {
			b.opaque("a filter by %s", c.Name)
			continue
		}
		at.reads[name] = true
		target, below := b.follow(name, p, at)
		if target == nil || target.enum != nil {
			continue
		}
		some, all := c.Value.Children.ForName("someHave"), c.Value.Children.ForName("allHave")
		if some == nil && all == nil {
			some = c.Value
		}
		for _, inner := range []*ast.Value{some, all} {
			if inner != nil {
				b.filter(inner, p.class, below)
			}
		}
	}
}
