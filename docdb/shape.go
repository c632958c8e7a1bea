package docdb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/vectorlink/vectorlink/fields"
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
	// unknown is what the query asks for that the schema has not, which the
	// database will refuse; "" where there is nothing.
	unknown string
	// order tells the collections of an answered object that the database
	// gives in any order, by key.
	order map[string]*member
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

// member is one member of an answered object.
type member struct {
	unordered bool
	hint      fields.Hint // what its values are
	members   map[string]*member
}

// shaper makes a shape.
type shaper struct {
	schema *schema
	shape  *shape
	print  strings.Builder
}

// shapeOf lays a class's query over the schema.
func (s *schema) shapeOf(q *batchQuery, class string) *shape {
	root := &place{class: class, reads: map[string]bool{}}
	b := shaper{schema: s, shape: &shape{root: root, places: []*place{root}}}
	b.arguments(&q.root, class, root)
	b.shape.order = b.fields(q.root.SelectionSet, class, root)
	b.shape.print = b.print.String()
	return b.shape
}

func (b *shaper) opaque(format string, args ...any) {
	if b.shape.opaque == "" {
		b.shape.opaque = fmt.Sprintf(format, args...)
	}
}

// fields notes what a selection reads of objects of a class at a place.
func (b *shaper) fields(set ast.SelectionSet, class string, at *place) map[string]*member {
	members := map[string]*member{}
	b.print.WriteByte('{')
	for _, s := range set {
		field, ok := s.(*ast.Field)
		if !ok {
			b.opaque("a fragment")
			continue
		}
		m := b.field(field, class, at)
		if key := cmp.Or(field.Alias, field.Name); m != nil && members[key] == nil {
			members[key] = m
		}
	}
	b.print.WriteByte('}')
	return members
}

func (b *shaper) field(field *ast.Field, class string, at *place) *member {
	switch field.Name {
	case "_id":
		return nil
	case "_type":
		at.reads[readType] = true
		return nil
	case "_json":
		at.reads[readAll] = true
		return nil
	}
	if name, p, ok := b.schema.property(class, field.Name); ok {
		at.reads[name] = true
		target, below := b.follow(name, p, at)
		m := &member{unordered: p.isUnordered() && field.Arguments.ForName("orderBy") == nil}
		if target == nil {
			m.hint = hintOf(p.class)
		}
		if target != nil && target.enum == nil {
			b.arguments(field, p.class, below)
			m.members = b.fields(field.SelectionSet, p.class, below)
		}
		return m
	}
	if from, name, p, ok := b.schema.reverse(class, field.Name); ok {
		if p.isListed() {
			b.opaque("%s: a list read backwards", field.Name)
		}
		fmt.Fprintf(&b.print, " <%s %s %s", from, name, p.kind)
		below := b.place(&place{class: from, up: at, via: name, back: true})
		below.reads[name] = true
		b.arguments(field, from, below)
		return &member{unordered: field.Arguments.ForName("orderBy") == nil, members: b.fields(field.SelectionSet, from, below)}
	}
	fmt.Fprintf(&b.print, " ?%s", field.Name)
	if strings.HasPrefix(field.Name, "_") {
		b.opaque("%s of %s", field.Name, class) // such as _path_to_People
	} else if b.shape.unknown == "" {
		b.shape.unknown = fmt.Sprintf("query asks for %s, which %s does not have", field.Name, class)
	}
	return nil
}

// hintOf tells what values of an xsd type are, since GraphQL's answers do not:
// strings that look like numbers come without their quotes, and some numbers
// are made strings for it (see repairNumbers).
func hintOf(xsd string) fields.Hint {
	name, ok := strings.CutPrefix(xsd, "xsd:")
	switch {
	case !ok || name == "boolean":
		return fields.AsItIs
	case numeric[name]:
		return fields.Number
	}
	return fields.Text
}

// numeric are the types of XML Schema that are numbers.
var numeric = map[string]bool{
	"decimal": true, "integer": true, "double": true, "float": true,
	"byte": true, "short": true, "int": true, "long": true,
	"unsignedByte": true, "unsignedShort": true, "unsignedInt": true, "unsignedLong": true,
	"positiveInteger": true, "nonNegativeInteger": true, "negativeInteger": true, "nonPositiveInteger": true,
}

// hint tells what the values of a member of an answered object are.
func (s *shape) hint(name string) fields.Hint {
	if m := s.order[name]; m != nil {
		return m.hint
	}
	return fields.AsItIs
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
		inner := c.Value
		if have := inner.Children.ForName("someHave"); have != nil {
			b.filter(have, p.class, below)
		}
		if have := inner.Children.ForName("allHave"); have != nil {
			b.filter(have, p.class, below)
		}
		if inner.Children.ForName("someHave") == nil && inner.Children.ForName("allHave") == nil {
			b.filter(inner, p.class, below)
		}
	}
}

// arrange puts the members of a JSON object's unordered collections in order,
// so that the order in which the database happens to store a Set does not
// change a text. Lists stay as they are.
func arrange(data []byte, order map[string]*member) []byte {
	if !hasUnordered(order) {
		return data
	}
	out, err := rewriteObject(data, func(name string, value json.RawMessage) (json.RawMessage, bool) {
		return arrangeValue(value, order[name]), true
	})
	if err != nil {
		return data
	}
	return out
}

func hasUnordered(order map[string]*member) bool {
	for _, m := range order {
		if m.unordered || hasUnordered(m.members) {
			return true
		}
	}
	return false
}

func arrangeValue(value json.RawMessage, m *member) json.RawMessage {
	if m == nil || !m.unordered && !hasUnordered(m.members) {
		return value
	}
	var list []json.RawMessage
	switch trimmed := bytes.TrimSpace(value); {
	case len(trimmed) > 0 && trimmed[0] == '{':
		return arrange(value, m.members)
	case len(trimmed) == 0 || trimmed[0] != '[' || json.Unmarshal(value, &list) != nil:
		return value
	}
	for i, x := range list {
		if x := bytes.TrimSpace(x); len(x) > 0 && x[0] == '{' {
			list[i] = arrange(x, m.members)
		}
	}
	if m.unordered {
		slices.SortStableFunc(list, compareJSON)
	}
	return append(append([]byte{'['}, bytes.Join(asBytes(list), []byte{','})...), ']')
}

func asBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, x := range list {
		out[i] = x
	}
	return out
}

// compareJSON orders strings as texts, numbers as numbers and all else by its
// bytes.
func compareJSON(a, b json.RawMessage) int {
	kind := func(x json.RawMessage) byte {
		switch {
		case len(x) == 0:
			return 0
		case x[0] == '-' || x[0] >= '0' && x[0] <= '9':
			return '0'
		}
		return x[0]
	}
	if c := cmp.Compare(kind(a), kind(b)); c != 0 {
		return c
	}
	switch kind(a) {
	case '"':
		if c := cmp.Compare(text(a), text(b)); c != 0 {
			return c
		}
	case '0':
		x, _ := strconv.ParseFloat(string(a), 64) // out of range is infinite, which is right
		y, _ := strconv.ParseFloat(string(b), 64)
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return bytes.Compare(a, b)
}

// rewriteObject copies a JSON object with other values, or without those
// members for which keep is false. The order of members stays.
func rewriteObject(data []byte, value func(name string, value json.RawMessage) (_ json.RawMessage, keep bool)) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	out := append(make([]byte, 0, len(data)), '{')
	for d.More() {
		var v json.RawMessage
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || d.Decode(&v) != nil {
			return nil, errNotObject
		}
		v, keep := value(name, v)
		if !keep {
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, errNotObject
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), v...)
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, errNotObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return append(out, '}'), nil
}
