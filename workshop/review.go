package workshop

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// Review returns the warnings for a template that is filled in with objects of
// the shape of a query's answer (nil: not known), in order of lines: those of
// the template alone, fields that are not there, values that print as objects,
// and HTML. The error is the template's.
func Review(r *templates.Renderer, template string, shape *docdb.Answer) ([]templates.Warning, error) {
	prog, err := r.Program(template)
	if err != nil {
		return nil, err
	}
	v := &reviewer{warnings: slices.Clone(prog.Warnings), seen: make(map[templates.Warning]bool), contexts: []*docdb.Answer{shape}}
	v.nodes(prog.Body)
	if html := FindHTML(template); html != "" {
		v.warn(1+strings.Count(template[:strings.Index(template, html)], "\n"),
			"the template writes %q: a text is embedded as it stands, without HTML", short(html))
	}
	slices.SortStableFunc(v.warnings, func(a, b templates.Warning) int { return cmp.Compare(a.Line, b.Line) })
	return v.warnings, nil
}

// short cuts a piece of a template at a length fit for a line.
func short(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// html matches character references, and tags that texts are marked up with.
var html = regexp.MustCompile(`&(?:[a-zA-Z]{2,8}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});|</?(?i:p|br|hr|b|i|u|em|strong|small|sup|sub|span|div|ul|ol|li|a|img|h[1-6]|table|tr|td|th|blockquote|pre|code)(?:\s[^<>]*)?/?>`)

// FindHTML returns the first HTML tag or character reference in a text, "" where
// there is none.
func FindHTML(text string) string { return html.FindString(text) }

// reviewer walks a template with shapes in the place of values. A nil shape is
// one that is not known, of which nothing is wrong.
type reviewer struct {
	warnings []templates.Warning
	seen     map[templates.Warning]bool
	contexts []*docdb.Answer // the last one is this, the one before it ../
	names    []namedShape    // those of the blocks that are open
}

type namedShape struct {
	name  string
	shape *docdb.Answer
}

func (v *reviewer) warn(line int, format string, args ...any) {
	w := templates.Warning{Line: line, Text: fmt.Sprintf(format, args...)}
	if !v.seen[w] {
		v.seen[w] = true
		v.warnings = append(v.warnings, w)
	}
}

func (v *reviewer) nodes(list []templates.Node) {
	for _, n := range list {
		switch n := n.(type) {
		case *templates.Block:
			v.block(n)
		case templates.Print:
			shape := v.value(n.Value)
			if path, ok := n.Value.(*templates.Path); ok && shape != nil && shape.Members != nil {
				what := "an object"
				if shape.Many {
					what = "a list of objects"
				}
				v.warn(path.Line, "{{%s}} is %s: name one of its fields (%s)", path, what, strings.Join(slices.Sorted(maps.Keys(shape.Members)), ", "))
			}
		}
	}
}

func (v *reviewer) block(b *templates.Block) {
	shape := v.value(b.Value)
	v.value(b.IncludeZero)
	inner := shape
	if b.Kind != templates.With && shape != nil && shape.Many {
		inner = &docdb.Answer{Members: shape.Members}
	}
	switch {
	case b.Kind == templates.If || b.Kind == templates.Unless:
		v.nodes(b.Body)
		v.nodes(b.Otherwise)
		return
	case b.Kind == templates.Each && shape != nil && !shape.Many:
		// Over an object: its members, each of another shape. Over text:
		// nothing.
		inner = nil
	case b.Kind == templates.Section && shape != nil && shape.Members == nil && !shape.Many:
		inner = nil // it may keep its context, for a value that is true
	}
	v.enter(b, inner)
	v.nodes(b.Otherwise)
}

// enter walks the body with another context.
func (v *reviewer) enter(b *templates.Block, shape *docdb.Answer) {
	bound, depth := len(v.names), len(v.contexts)
	for i, name := range b.Names {
		s := shape
		if i > 0 {
			s = &docdb.Answer{} // a key or an index
		}
		v.names = append(v.names, namedShape{name, s})
	}
	// {{#with this}} makes no new level.
	if path, ok := b.Value.(*templates.Path); !ok || !path.IsThis() || b.Kind == templates.Each {
		v.contexts = append(v.contexts, shape)
	}
	v.nodes(b.Body)
	v.contexts, v.names = v.contexts[:depth], v.names[:bound]
}

// value returns the shape of a value, and looks at all paths in it.
func (v *reviewer) value(e templates.Expr) *docdb.Answer {
	switch e := e.(type) {
	case *templates.Path:
		return v.path(e)
	case templates.Literal:
		return &docdb.Answer{}
	case *templates.Call:
		for _, a := range e.Args {
			v.value(a)
		}
		if e.Helper == "len" || e.Helper == "eq" {
			return &docdb.Answer{}
		}
	}
	return nil
}

func (v *reviewer) path(p *templates.Path) *docdb.Answer {
	parts := p.Parts
	var at *docdb.Answer
	bound := false
	switch {
	case p.Variable == "root":
		at = v.contexts[0]
	case p.Variable != "":
		return nil
	default:
		if !p.Scoped && len(parts) > 0 {
			for i := len(v.names) - 1; i >= 0 && !bound; i-- {
				if v.names[i].name == parts[0] {
					at, parts, bound = v.names[i].shape, parts[1:], true
				}
			}
		}
		if i := len(v.contexts) - 1 - p.Up; !bound && i >= 0 {
			at = v.contexts[i]
		}
	}
	for _, part := range parts {
		if at == nil {
			return nil
		}
		next, ok := member(at, part)
		if !ok {
			v.warn(p.Line, "{{%s}}: there is no field %q here%s", p, short(part), hint(at, part))
			return nil
		}
		at = next
	}
	return at
}

// member returns the shape of what a path's part leads to.
func member(s *docdb.Answer, part string) (*docdb.Answer, bool) {
	if s.Many {
		if _, err := strconv.Atoi(part); err == nil {
			return &docdb.Answer{Members: s.Members}, true
		}
		return &docdb.Answer{}, part == "length"
	}
	if s.Members == nil {
		return &docdb.Answer{}, part == "length" // of a text
	}
	m, ok := s.Members[part]
	return m, ok
}

// hint names the fields there are.
func hint(s *docdb.Answer, part string) string {
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
