package templates

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Shape is what is known of a value that a template is filled in with.
type Shape struct {
	Many bool // a list of such
	// Members are those of an object; nil: text, a number or the like.
	Members map[string]*Shape
}

// Review returns the warnings for a template that is filled in with objects of
// a shape (nil: not known), in order of lines: those of Lint, fields that are not
// there, values that print as objects, and HTML. The error is that of Check.
func (r *Renderer) Review(template string, shape *Shape) ([]Warning, error) {
	prog, err := r.program(template)
	if err != nil {
		return nil, err
	}
	v := &reviewer{warnings: slices.Clone(prog.warnings), seen: make(map[Warning]bool), contexts: []*Shape{shape}}
	v.nodes(prog.body)
	if html := FindHTML(template); html != "" {
		v.warn(lineAt(template, strings.Index(template, html)), "the template writes %s: a text is embedded as it stands, without HTML", quote(html))
	}
	slices.SortStableFunc(v.warnings, func(a, b Warning) int { return cmp.Compare(a.Line, b.Line) })
	return v.warnings, nil
}

// html matches character references, and tags that texts are marked up with.
var html = regexp.MustCompile(`&(?:[a-zA-Z]{2,8}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});|</?(?i:p|br|hr|b|i|u|em|strong|small|sup|sub|span|div|ul|ol|li|a|img|h[1-6]|table|tr|td|th|blockquote|pre|code)(?:\s[^<>]*)?/?>`)

// FindHTML returns the first HTML tag or character reference in a text, "" where
// there is none.
func FindHTML(text string) string { return html.FindString(text) }

// reviewer walks a program with shapes in the place of values. A nil shape is one
// that is not known, of which nothing is wrong.
type reviewer struct {
	warnings []Warning
	seen     map[Warning]bool
	contexts []*Shape // as a run's
	params   []shapeBinding
}

type shapeBinding struct {
	name  string
	shape *Shape
}

func (v *reviewer) warn(line int, format string, args ...any) {
	w := Warning{Line: line, Text: fmt.Sprintf(format, args...)}
	if !v.seen[w] {
		v.seen[w] = true
		v.warnings = append(v.warnings, w)
	}
}

func (v *reviewer) nodes(nodes []node) {
	for _, n := range nodes {
		switch n := n.(type) {
		case print:
			shape := v.eval(n.value)
			if p, ok := n.value.(*path); ok && shape != nil && shape.Members != nil {
				what := "an object"
				if shape.Many {
					what = "a list of objects"
				}
				v.warn(p.line, "{{%s}} is %s: name one of its fields (%s)", p, what, strings.Join(slices.Sorted(maps.Keys(shape.Members)), ", "))
			}
		case *block:
			v.block(n)
		}
	}
}

func (v *reviewer) block(b *block) {
	shape := v.eval(b.value)
	if b.includeZero != nil {
		v.eval(b.includeZero)
	}
	element := shape
	if shape != nil && shape.Many {
		element = &Shape{Members: shape.Members}
	}
	switch b.kind {
	case blockIf, blockUnless:
		v.nodes(b.body)
	case blockWith:
		v.with(b, shape)
	case blockEach:
		if shape != nil && !shape.Many {
			// Over an object: its members, each of another shape. Over text:
			// nothing.
			element = nil
		}
		v.with(b, element)
	default: // a section may keep its context, for a value that is true
		if shape != nil && shape.Members == nil && !shape.Many {
			element = nil
		}
		v.with(b, element)
	}
	v.nodes(b.otherwise)
}

// with walks the body with another context.
func (v *reviewer) with(b *block, shape *Shape) {
	bound, depth := len(v.params), len(v.contexts)
	for i, name := range b.params {
		s := shape
		if i > 0 {
			s = &Shape{} // a key or an index
		}
		v.params = append(v.params, shapeBinding{name, s})
	}
	if p, ok := b.value.(*path); !ok || !p.isThis() || b.kind == blockEach {
		v.contexts = append(v.contexts, shape)
	}
	v.nodes(b.body)
	v.contexts, v.params = v.contexts[:depth], v.params[:bound]
}

// isThis reports whether a path names the context itself, which makes no new
// level.
func (p *path) isThis() bool { return !p.isVar && p.up == 0 && len(p.parts) == 0 }

// eval returns the shape of an expression's value.
func (v *reviewer) eval(e expr) *Shape {
	switch e := e.(type) {
	case *path:
		return v.path(e)
	case *call:
		for _, a := range e.args {
			v.eval(a)
		}
		if e.helper == "len" || e.helper == "eq" {
			return &Shape{}
		}
		return nil
	}
	return &Shape{}
}

func (v *reviewer) path(p *path) *Shape {
	parts := p.parts
	var at *Shape
	bound := false
	switch {
	case p.isVar && p.variable == "root":
		at = v.contexts[0]
	case p.isVar:
		return nil
	default:
		if !p.scoped && len(parts) > 0 {
			for i := len(v.params) - 1; i >= 0 && !bound; i-- {
				if v.params[i].name == parts[0] {
					at, parts, bound = v.params[i].shape, parts[1:], true
				}
			}
		}
		if i := len(v.contexts) - 1 - p.up; !bound && i >= 0 {
			at = v.contexts[i]
		}
	}
	for _, part := range parts {
		if at == nil {
			return nil
		}
		next, ok := at.member(part)
		if !ok {
			v.warn(p.line, "{{%s}}: there is no field %s here%s", p, quote(part), at.hint(part))
			return nil
		}
		at = next
	}
	return at
}

// member returns the shape of what a path's part leads to.
func (s *Shape) member(part string) (*Shape, bool) {
	if s.Many {
		if _, err := strconv.Atoi(part); err == nil {
			return &Shape{Members: s.Members}, true
		}
		if part == "length" {
			return &Shape{}, true
		}
		return nil, false
	}
	if s.Members == nil {
		return &Shape{}, part == "length" // of a text
	}
	m, ok := s.Members[part]
	return m, ok
}

// hint names the fields there are.
func (s *Shape) hint(part string) string {
	switch {
	case s.Many && s.Members[part] != nil:
		return ": it is one of each item of a list (#each)"
	case s.Many:
		return ", in a list"
	case s.Members == nil:
		return ", in a text"
	}
	return fmt.Sprintf(" (it has %s)", strings.Join(slices.Sorted(maps.Keys(s.Members)), ", "))
}

// String writes the path as a template does.
func (p *path) String() string {
	if p.isVar {
		return strings.Join(append([]string{"@" + p.variable}, p.parts...), ".")
	}
	text := strings.Repeat("../", p.up) + strings.Join(p.parts, ".")
	if text == "" {
		return "this"
	}
	return text
}
