package templates

import (
	"slices"
	"strconv"
)

// fill walks the program over the document and returns the text.
func fill(prog *Program, root *object, b *budget) (string, error) {
	r := &run{budget: b, contexts: []any{root}}
	if err := r.nodes(prog.Body); err != nil {
		return "", err
	}
	return string(r.out), nil
}

// run is the state of one filling-in.
type run struct {
	*budget
	out      []byte
	contexts []any     // the last one is this, the one before it ../
	loops    []loop    // the each blocks that are open
	params   []binding // the block parameters in scope
}

// loop is where an each block stands.
type loop struct {
	index int
	key   any // of an object's member; nil in a list, where it is the index
	last  bool
}

var notLooping = loop{index: -1}

// name is what @key prints.
func (l loop) name() any {
	switch {
	case l.key != nil:
		return l.key
	case l.index >= 0:
		return number(strconv.Itoa(l.index))
	}
	return nil
}

type binding struct {
	name  string
	value any
}

func (r *run) write(s string) error {
	if len(s) > r.limits.OutputBytes-len(r.out) {
		return overLimit("the text grows beyond %d bytes", r.limits.OutputBytes)
	}
	r.out = append(r.out, s...)
	return r.spendBytes(len(s))
}

func (r *run) nodes(nodes []Node) error {
	for _, n := range nodes {
		if err := r.spend(1); err != nil {
			return err
		}
		var err error
		switch n := n.(type) {
		case Content:
			err = r.write(string(n))
		case Print:
			var v any
			if v, err = r.eval(n.Value); err == nil {
				err = r.print(v)
			}
		case *Block:
			err = r.block(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) block(b *Block) error {
	v, err := r.eval(b.Value)
	if err != nil {
		return err
	}
	switch b.Kind {
	case If, Unless:
		zero := false
		if b.IncludeZero != nil {
			z, err := r.eval(b.IncludeZero)
			if err != nil {
				return err
			}
			zero = truthy(z, false)
		}
		if truthy(v, zero) == (b.Kind == If) {
			return r.nodes(b.Body)
		}
		return r.nodes(b.Otherwise)
	case With:
		if truthy(v, true) {
			return r.with(b, v, notLooping)
		}
		return r.nodes(b.Otherwise)
	case Each:
		return r.each(b, v)
	default:
		return r.section(b, v)
	}
}

// section is a block without a helper: as each over a list, else as with; true
// keeps the context.
func (r *run) section(b *Block, v any) error {
	switch v {
	case nil, false:
		return r.nodes(b.Otherwise)
	case true:
		return r.nodes(b.Body)
	}
	if list, ok := v.([]any); ok {
		return r.each(b, list)
	}
	return r.with(b, v, notLooping)
}

// with fills in the body with v as the context, in a loop or not.
func (r *run) with(b *Block, v any, at loop) error {
	bound := len(r.params)
	for i, name := range b.Names {
		switch i {
		case 0:
			r.params = append(r.params, binding{name, v})
		case 1:
			r.params = append(r.params, binding{name, at.name()})
		}
	}
	depth := len(r.contexts)
	// As in Handlebars, {{#with this}} makes no new level for ../ to leave.
	if !same(v, r.contexts[depth-1]) {
		r.contexts = append(r.contexts, v)
	}
	err := r.nodes(b.Body)
	r.contexts = r.contexts[:depth]
	r.params = r.params[:bound]
	return err
}

// same reports whether a and b are one object or list, or equal scalars.
func same(a, b any) bool {
	la, ok := a.([]any)
	if !ok {
		return a == b // a list in b makes it false: the types differ
	}
	lb, ok := b.([]any)
	return ok && len(la) == len(lb) && (len(la) == 0 || &la[0] == &lb[0])
}

func (r *run) each(b *Block, v any) error {
	var list []any
	var members []member
	n := 0
	switch v := v.(type) {
	case []any:
		list, n = v, len(v)
	case *object:
		members, n = v.members, len(v.members)
	}
	if n == 0 {
		return r.nodes(b.Otherwise)
	}
	level := len(r.loops)
	r.loops = append(r.loops, loop{})
	for i := range n {
		// An empty body spends nothing of its own.
		if err := r.spend(1); err != nil {
			return err
		}
		at := loop{index: i, last: i == n-1}
		var value any
		if members != nil {
			at.key, value = members[i].key, members[i].value
		} else {
			value = list[i]
		}
		r.loops[level] = at
		if err := r.with(b, value, at); err != nil {
			return err
		}
	}
	r.loops = r.loops[:level]
	return nil
}

func (r *run) eval(e Expr) (any, error) {
	switch e := e.(type) {
	case Literal:
		return e.value, nil
	case *Path:
		return r.path(e)
	case *Call:
		return r.call(e)
	}
	return nil, nil
}

func (r *run) path(p *Path) (any, error) {
	if err := r.spend(1 + len(p.Parts)/8); err != nil {
		return nil, err
	}
	parts := p.Parts
	var v any
	if p.Variable != "" {
		v = r.variable(p)
	} else {
		bound := false
		if !p.Scoped && len(parts) > 0 {
			if v, bound = r.param(parts[0]); bound {
				parts = parts[1:]
			}
		}
		if i := len(r.contexts) - 1 - p.Up; !bound && i >= 0 {
			v = r.contexts[i]
		}
	}
	for _, part := range parts {
		if part == "length" { // counts characters
			if s, ok := v.(string); ok {
				if err := r.spendBytes(len(s)); err != nil {
					return nil, err
				}
			}
		}
		if v = field(v, part); v == nil {
			break
		}
	}
	return v, nil
}

func (r *run) param(name string) (any, bool) {
	for i := len(r.params) - 1; i >= 0; i-- {
		if r.params[i].name == name {
			return r.params[i].value, true
		}
	}
	return nil, false
}

func (r *run) variable(p *Path) any {
	if p.Variable == "root" {
		return r.contexts[0]
	}
	i := len(r.loops) - 1 - p.Up
	if i < 0 {
		return nil
	}
	switch at := &r.loops[i]; p.Variable {
	case "index":
		return number(strconv.Itoa(at.index))
	case "key":
		return at.name()
	case "first":
		return at.index == 0
	case "last":
		return at.last
	}
	return nil
}

func (r *run) call(c *Call) (any, error) {
	var args [2]any
	for i, a := range c.Args {
		v, err := r.eval(a)
		if err != nil {
			return nil, err
		}
		if i < len(args) {
			args[i] = v
		}
	}
	switch c.Helper {
	case "lookup":
		switch key := args[1].(type) {
		case string:
			return field(args[0], key), r.spend(1)
		case number:
			return field(args[0], string(key)), r.spend(1)
		}
	case "len":
		if s, ok := args[0].(string); ok {
			if err := r.spendBytes(len(s)); err != nil {
				return nil, err
			}
		}
		return length(args[0]), nil
	case "eq":
		return equal(args[0], args[1], r.budget)
	}
	return nil, nil // log, and look-ups by what is no key
}

// print writes the text of a value: nothing for nil, and for lists and objects
// what doc.go says.
func (r *run) print(v any) error {
	switch v := v.(type) {
	case bool:
		return r.write(strconv.FormatBool(v))
	case string:
		return r.write(v)
	case number:
		return r.write(string(v))
	case []any:
		sep := ", "
		if slices.ContainsFunc(v, isObject) {
			sep = "; "
		}
		return r.join(len(v), sep, func(i int) error { return r.print(v[i]) })
	case *object:
		return r.join(len(v.members), ", ", func(i int) error { return r.member(v.members[i]) })
	}
	return nil
}

// join writes n texts with sep between them, leaving out those that are empty.
func (r *run) join(n int, sep string, text func(i int) error) error {
	some := false
	for i := range n {
		if err := r.spend(1); err != nil {
			return err
		}
		mark := len(r.out)
		if some {
			if err := r.write(sep); err != nil {
				return err
			}
		}
		start := len(r.out)
		if err := text(i); err != nil {
			return err
		}
		if len(r.out) == start {
			r.out = r.out[:mark]
		} else {
			some = true
		}
	}
	return nil
}

// member writes "key: value", or nothing when the value has no text.
func (r *run) member(m member) error {
	list, isList := m.value.([]any)
	opening, closing := ": ", ""
	if isObject(m.value) || isList && len(list) > 1 {
		opening, closing = ": (", ")"
	}
	mark := len(r.out)
	if err := r.write(m.key + opening); err != nil {
		return err
	}
	start := len(r.out)
	if err := r.print(m.value); err != nil {
		return err
	}
	if len(r.out) == start {
		r.out = r.out[:mark]
		return nil
	}
	return r.write(closing)
}

func isObject(v any) bool {
	_, ok := v.(*object)
	return ok
}
