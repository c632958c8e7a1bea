package minidb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// listArgs are the evaluated arguments of a field that answers a list.
type listArgs struct {
	id            *string
	ids           []string // nil: not given
	children      bool
	offset, limit int // limit -1: none
	filter        map[string]any
	order         []orderBy
}

type orderBy struct {
	field string
	down  bool
}

func (q *query) args(field *ast.Field) listArgs {
	args := listArgs{children: true, limit: -1}
	for _, a := range field.Arguments {
		v, err := a.Value.Value(q.variables)
		if err != nil || v == nil {
			continue // null is the same as absent: that is the trap of a null id
		}
		text := fmt.Sprint(v)
		switch a.Name {
		case "id":
			args.id = &text
		case "ids":
			list, ok := v.([]any)
			if !ok && a.Value.Kind != ast.ListValue {
				list = []any{v}
			}
			args.ids = []string{}
			for _, x := range list {
				args.ids = append(args.ids, fmt.Sprint(x))
			}
		case "include_children":
			args.children = text == "true"
		case "offset":
			args.offset, _ = strconv.Atoi(text)
		case "limit":
			args.limit, _ = strconv.Atoi(text)
		case "filter":
			args.filter, _ = v.(map[string]any)
		case "orderBy":
			for _, c := range a.Value.Children {
				args.order = append(args.order, orderBy{c.Name, c.Value.Raw == "DESC"})
			}
		}
	}
	return args
}

// roots returns the nodes of a class that a root field answers.
func (q *query) roots(field *ast.Field, class *class) []*node {
	args := q.args(field)
	var all []*node
	// By id, only the class itself is found, not its subclasses.
	exact := func(n *node) bool { return n.class == class.name }
	heirs := func(n *node) bool { return q.commit.schema.isA(n.class, class.name) }
	switch {
	case args.id != nil:
		all = q.find([]string{*args.id}, exact)
	case args.ids != nil:
		all = q.find(args.ids, exact)
	default:
		for _, id := range q.commit.order {
			if n := q.commit.nodes[id]; exact(n) || args.children && heirs(n) {
				all = append(all, n)
			}
		}
	}
	return q.arrange(all, args)
}

// find looks up full ids; short ones are not known here.
func (q *query) find(ids []string, fits func(*node) bool) []*node {
	var found []*node
	for _, id := range ids {
		short := q.commit.prefixes.short(id)
		if n := q.commit.nodes[short]; n != nil && (short != id || strings.Contains(id, "://")) && fits(n) {
			found = append(found, n)
		}
	}
	return found
}

// arrange filters, orders and cuts a list.
func (q *query) arrange(all []*node, args listArgs) []*node {
	if args.filter != nil {
		all = slices.DeleteFunc(slices.Clone(all), func(n *node) bool { return !q.matches(n, args.filter) })
	}
	if len(args.order) > 0 {
		all = slices.Clone(all)
		slices.SortStableFunc(all, func(a, b *node) int {
			for _, o := range args.order {
				if c := compareValues(q.value(a, o.field), q.value(b, o.field)); c != 0 {
					if o.down {
						return -c
					}
					return c
				}
			}
			return 0
		})
	}
	all = all[min(max(args.offset, 0), len(all)):]
	if args.limit >= 0 {
		all = all[:min(args.limit, len(all))]
	}
	return all
}

// matches applies a filter: fields with {eq, ne}, links with filters of their
// own, sets with {someHave}.
func (q *query) matches(n *node, filter map[string]any) bool {
	for name, want := range filter {
		condition, _ := want.(map[string]any)
		value := q.value(n, name)
		if some, ok := condition["someHave"].(map[string]any); ok {
			list, _ := value.([]any)
			if !slices.ContainsFunc(list, func(x any) bool { return q.matchesValue(x, some) }) {
				return false
			}
			continue
		}
		if !q.matchesValue(value, condition) {
			return false
		}
	}
	return true
}

// value returns what a node has for a property of that name in GraphQL.
func (q *query) value(n *node, field string) any {
	c := q.commit.schema.classes[n.class]
	value := n.value[c.fields[field]]
	if target := q.commit.schema.classes[c.properties[c.fields[field]].class]; target != nil && target.enum != nil && value != nil {
		return gqlname.Of(fmt.Sprint(value))
	}
	return value
}

func (q *query) matchesValue(value any, condition map[string]any) bool {
	if target := q.commit.nodes[linkOf(value)]; target != nil {
		return q.matches(target, condition)
	}
	if value == nil {
		return false
	}
	for op, want := range condition {
		if equal := compareValues(value, want) == 0; op != "eq" && op != "ne" || equal != (op == "eq") {
			return false
		}
	}
	return true
}

// compareValues orders numbers as numbers and all else as text; absent first.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(map[bool]int{true: 1}[a != nil], map[bool]int{true: 1}[b != nil])
	}
	x, okX := new(big.Rat).SetString(fmt.Sprint(a))
	y, okY := new(big.Rat).SetString(fmt.Sprint(b))
	_, number := a.(json.Number)
	if number && okX && okY {
		return x.Cmp(y)
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// writeList, writeObject and writeField write an answer for objects that the query
// takes for ones of a class. They return false where there is null in the place of
// what may not be null: then that is null which is around it.
func (q *query) writeList(b *bytes.Buffer, set ast.SelectionSet, class *class, nodes []*node) bool {
	b.WriteByte('[')
	for i, n := range nodes {
		if i > 0 {
			b.WriteByte(',')
		}
		if !q.writeObject(b, set, class, n) {
			return false
		}
	}
	b.WriteByte(']')
	return true
}

func (q *query) writeObject(b *bytes.Buffer, set ast.SelectionSet, class *class, n *node) bool {
	b.WriteByte('{')
	for i, s := range set {
		field := s.(*ast.Field)
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(canonical(field.Alias))
		b.WriteByte(':')
		if !q.writeField(b, field, class, n) {
			return false
		}
	}
	b.WriteByte('}')
	return true
}

func (q *query) writeField(b *bytes.Buffer, field *ast.Field, class *class, n *node) bool {
	switch field.Name {
	case "_id":
		b.Write(canonical(q.commit.prefixes.full(n.id)))
		return true
	case "_type":
		b.Write(canonical(gqlname.Of(n.class)))
		return true
	case "_json":
		var pretty bytes.Buffer
		json.Indent(&pretty, canonical(n.value), "", "  ")
		b.Write(canonical(pretty.String()))
		return true
	}
	if back, ok := class.reverse[field.Name]; ok {
		if !q.commit.allFacts().used[q.commit.name(back.property)] {
			return false // the original knows no predicate that no document ever had
		}
		return q.writeList(b, field.SelectionSet, back.class, q.arrange(q.referrers(n, back), q.args(field)))
	}
	name := class.fields[field.Name]
	p, value := class.properties[name], n.value[name]
	target := q.commit.schema.classes[p.class]
	list, _ := value.([]any)
	if q.unstable && p.kind == "Set" {
		list = q.shuffle(list)
	}
	switch {
	case target == nil || target.enum != nil: // data or an enum
		switch {
		case !p.isMany():
			q.writeData(b, p, target, value)
		default:
			b.WriteByte('[')
			for i, x := range list {
				if i > 0 {
					b.WriteByte(',')
				}
				q.writeData(b, p, target, x)
			}
			b.WriteByte(']')
		}
	case p.isMany():
		var nodes []*node
		for _, x := range list {
			if t := q.commit.nodes[linkOf(x)]; t != nil {
				nodes = append(nodes, t)
			} else if p.kind == "Array" {
				q.fault = "expected value property on array element"
			}
		}
		return q.writeList(b, field.SelectionSet, target, q.arrange(nodes, q.args(field)))
	default:
		mark := b.Len()
		if t := q.commit.nodes[linkOf(value)]; t != nil && q.writeObject(b, field.SelectionSet, target, t) {
			return true
		}
		b.Truncate(mark)
		b.WriteString("null")
		return p.kind == "Optional"
	}
	return true
}

// referrers returns the objects of a class that link to n by a property.
func (q *query) referrers(n *node, back reverse) []*node {
	var found []*node
	for _, id := range q.commit.order {
		other := q.commit.nodes[id]
		if other.class != back.class.name {
			continue
		}
		v := other.value[back.property]
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		if slices.ContainsFunc(list, func(x any) bool { return linkOf(x) == n.id }) {
			found = append(found, other)
		}
	}
	if q.unstable {
		slices.SortFunc(found, func(a, b *node) int { return cmp.Compare(q.scramble(a.id), q.scramble(b.id)) })
	}
	return found
}

// shuffle returns the members of a set in an order that the commit decides.
func (q *query) shuffle(list []any) []any {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int {
		return cmp.Compare(q.scramble(string(canonical(a))), q.scramble(string(canonical(b))))
	})
	return list
}

func (q *query) scramble(member string) string { return digestID(q.commit.id, member) }

// writeData writes a value that is no object: enum values have another
// spelling in GraphQL, and JSON is a string there. Of two values that are spelled
// alike the original knows the first.
func (q *query) writeData(b *bytes.Buffer, p property, enum *class, value any) {
	switch text, _ := value.(string); {
	case value == nil:
		b.WriteString("null")
	case enum != nil:
		first := slices.IndexFunc(enum.enum, func(v string) bool { return gqlname.Of(v) == gqlname.Of(text) })
		if first >= 0 && enum.enum[first] != text {
			q.fault = fmt.Sprintf(`The value for IriName("%s") *should* exist as it is in your database`, url.PathEscape(text))
		}
		b.Write(canonical(gqlname.Of(text)))
	case strings.HasPrefix(p.class, "sys:JSON"):
		b.Write(canonical(string(canonical(value))))
	default:
		b.Write(canonical(value))
	}
}
