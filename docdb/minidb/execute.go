package minidb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
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

// roots returns the nodes that a root field answers.
func (q *query) roots(field *ast.Field) []*node {
	args := q.args(field)
	var all []*node
	class := field.Name
	// By id, only the class itself is found, not its subclasses.
	exact := func(n *node) bool { return n.class == class }
	heirs := func(n *node) bool { return q.commit.schema.isA(n.class, class) }
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
	base := q.commit.prefixes.Base
	for _, id := range ids {
		short, ok := strings.CutPrefix(id, base)
		if !ok && !strings.Contains(id, "://") {
			continue
		}
		if n := q.commit.nodes[short]; n != nil && fits(n) {
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
				if c := compareValues(a.value[o.field], b.value[o.field]); c != 0 {
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
		value := n.value[name]
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

func (q *query) writeList(b *bytes.Buffer, set ast.SelectionSet, nodes []*node) {
	b.WriteByte('[')
	for i, n := range nodes {
		if i > 0 {
			b.WriteByte(',')
		}
		q.writeObject(b, set, n)
	}
	b.WriteByte(']')
}

func (q *query) writeObject(b *bytes.Buffer, set ast.SelectionSet, n *node) {
	b.WriteByte('{')
	for i, s := range set {
		field := s.(*ast.Field)
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(canonical(field.Alias))
		b.WriteByte(':')
		q.writeField(b, field, n)
	}
	b.WriteByte('}')
}

func (q *query) writeField(b *bytes.Buffer, field *ast.Field, n *node) {
	switch field.Name {
	case "_id":
		b.Write(canonical(q.commit.prefixes.full(n.id)))
		return
	case "_type":
		b.Write(canonical(n.class))
		return
	case "_json":
		var pretty bytes.Buffer
		json.Indent(&pretty, canonical(n.value), "", "  ")
		b.Write(canonical(pretty.String()))
		return
	}
	if back, ok := q.commit.schema.classes[n.class].reverse[field.Name]; ok {
		q.writeList(b, field.SelectionSet, q.arrange(q.referrers(n, back), q.args(field)))
		return
	}
	p := q.commit.schema.classes[n.class].properties[field.Name]
	value := n.value[field.Name]
	target := q.commit.schema.classes[p.class]
	list, _ := value.([]any)
	if q.unstable && p.kind == "Set" {
		list = q.shuffle(list)
	}
	switch {
	case target == nil || target.enum != nil: // data or an enum
		switch {
		case !p.isMany():
			writeData(b, p, target, value)
		default:
			b.WriteByte('[')
			for i, x := range list {
				if i > 0 {
					b.WriteByte(',')
				}
				writeData(b, p, target, x)
			}
			b.WriteByte(']')
		}
	case p.isMany():
		var nodes []*node
		for _, x := range list {
			if t := q.commit.nodes[linkOf(x)]; t != nil {
				nodes = append(nodes, t)
			}
		}
		q.writeList(b, field.SelectionSet, q.arrange(nodes, q.args(field)))
	default:
		if t := q.commit.nodes[linkOf(value)]; t != nil {
			q.writeObject(b, field.SelectionSet, t)
		} else {
			b.WriteString("null")
		}
	}
}

// referrers returns the objects of a class that link to n by a property.
func (q *query) referrers(n *node, back reverse) []*node {
	var found []*node
	for _, id := range q.commit.order {
		other := q.commit.nodes[id]
		if !q.commit.schema.isA(other.class, back.class) {
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
// spelling in GraphQL, and JSON is a string there.
func writeData(b *bytes.Buffer, p property, enum *class, value any) {
	switch text, _ := value.(string); {
	case value == nil:
		b.WriteString("null")
	case enum != nil:
		b.Write(canonical(strings.Map(func(r rune) rune {
			if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, text)))
	case strings.HasPrefix(p.class, "sys:JSON"):
		b.Write(canonical(string(canonical(value))))
	default:
		b.Write(canonical(value))
	}
}
