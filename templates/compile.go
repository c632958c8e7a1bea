package templates

import (
	"slices"
	"strings"

	"github.com/aymerick/raymond/ast"
)

// A program is a template ready to be filled in. It is never changed after
// compile, so goroutines share it.
type program struct {
	body     []node
	warnings []Warning
}

// A node is a content, a print or a *block.
type node any

// content is text that stands as it is.
type content string

// print puts the text of a value.
type print struct{ value expr }

type blockKind int

const (
	blockSection blockKind = iota // {{#x}}: by the kind of the value
	blockIf
	blockUnless
	blockWith
	blockEach
)

// block fills in its body or its otherwise by a value, with the context that its
// kind says.
type block struct {
	kind        blockKind
	value       expr
	includeZero expr     // of if and unless; nil when not given
	params      []string // as |value key|
	body        []node
	otherwise   []node
}

// An expr is a literal, a *path or a *call.
type expr any

type literal struct{ value any }

// path names a value: from a variable (@index), or from the context some levels
// up, down through parts.
type path struct {
	line     int // of the template, from 1
	up       int
	variable string // without @; empty for a field
	isVar    bool
	scoped   bool // begins with this, . or ..: block parameters do not count
	parts    []string
}

type call struct {
	helper string
	args   []expr
}

var (
	// valueHelpers has the number of arguments of each; -1 for any.
	valueHelpers = map[string]int{"lookup": 2, "len": 1, "eq": 2, "log": -1}
	blockHelpers = map[string]blockKind{
		"if": blockIf, "unless": blockUnless, "with": blockWith, "each": blockEach,
	}
)

// compile checks and translates raymond's tree.
func compile(src string, tree *ast.Program, depth int) (*program, error) {
	c := &compiler{src: src, maxLoops: depth, prog: new(program)}
	body, err := c.nodes(tree)
	if err != nil {
		return nil, err
	}
	c.prog.body = body
	slices.SortStableFunc(c.prog.warnings, func(a, b Warning) int { return a.Line - b.Line })
	return c.prog, nil
}

type compiler struct {
	src      string
	maxLoops int
	loops    int // that are open
	prog     *program
}

func (c *compiler) fail(at ast.Node, format string, args ...any) error {
	return badTemplate(c.src, at.Location().Pos, format, args...)
}

func (c *compiler) nodes(p *ast.Program) ([]node, error) {
	if p == nil {
		return nil, nil
	}
	var out []node
	for _, n := range p.Body {
		switch n := n.(type) {
		case *ast.ContentStatement:
			if n.Value != "" {
				out = append(out, content(n.Value))
			}
		case *ast.CommentStatement:
		case *ast.MustacheStatement:
			e, err := c.expression(n.Expression)
			if err != nil {
				return nil, err
			}
			out = append(out, print{e})
		case *ast.BlockStatement:
			b, err := c.block(n)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		default:
			return nil, c.fail(n, "not supported here")
		}
	}
	return out, nil
}

func (c *compiler) block(n *ast.BlockStatement) (node, error) {
	if n.OpenStrip == nil { // only raw blocks have none
		return c.rawBlock(n)
	}
	b := new(block)
	var err error
	name, hasArgs := helperName(n.Expression), hasArguments(n.Expression)
	kind, known := blockHelpers[name]
	switch {
	case known && !hasArgs:
		return nil, c.fail(n, "{{#%s}} needs a value", name)
	case known:
		if len(n.Expression.Params) != 1 {
			return nil, c.fail(n, "{{#%s}} takes one value, not %d", name, len(n.Expression.Params))
		}
		b.kind = kind
		if b.value, err = c.param(n.Expression.Params[0]); err != nil {
			return nil, err
		}
		if b.includeZero, err = c.includeZero(n.Expression.Hash); err != nil {
			return nil, err
		}
	default:
		b.kind = blockSection
		if b.value, err = c.expression(n.Expression); err != nil {
			return nil, err
		}
	}
	if n.Program != nil {
		if b.params = n.Program.BlockParams; len(b.params) > 2 {
			return nil, c.fail(n, "a block gives at most two names, not %d", len(b.params))
		}
	}
	repeats := b.kind == blockEach || b.kind == blockWith || b.kind == blockSection
	if repeats {
		if c.loops++; c.loops > c.maxLoops {
			return nil, overLimit("the template nests more than %d loops at line %d", c.maxLoops, lineAt(c.src, n.Pos))
		}
	}
	if b.body, err = c.nodes(n.Program); err != nil {
		return nil, err
	}
	if repeats {
		c.loops-- // what follows else does not repeat
	}
	if b.otherwise, err = c.nodes(n.Inverse); err != nil {
		return nil, err
	}
	return b, nil
}

// rawBlock gives the content of {{{{raw}}}} as it stands.
func (c *compiler) rawBlock(n *ast.BlockStatement) (node, error) {
	if name := n.Expression.Canonical(); name != "raw" || hasArguments(n.Expression) {
		return nil, c.fail(n, "the only raw block is {{{{raw}}}}, not %s", quote(name))
	}
	var text strings.Builder
	for _, n := range n.Program.Body {
		if n, ok := n.(*ast.ContentStatement); ok {
			text.WriteString(n.Value)
		}
	}
	return content(text.String()), nil
}

// helperName is the name of the helper that an expression calls if there is one
// of that name, else "".
func helperName(e *ast.Expression) string { return unbracket(e.HelperName()) }

func hasArguments(e *ast.Expression) bool { return len(e.Params) > 0 || e.Hash != nil }

// expression translates what stands in {{...}} or (...). Without arguments it is
// a field, whatever its name: all helpers take arguments, and a document may have
// a field called len.
func (c *compiler) expression(e *ast.Expression) (expr, error) {
	if !hasArguments(e) {
		switch p := e.Path.(type) {
		case *ast.PathExpression:
			return c.path(p), nil
		default: // {{"a name"}} and {{12}} are fields
			name, _ := ast.LiteralStr(p)
			return &path{parts: []string{name}}, nil
		}
	}
	name := helperName(e)
	want, known := valueHelpers[name]
	if !known {
		if _, ok := blockHelpers[name]; ok {
			return nil, c.fail(e.Path, "%s is a block: {{#%s ...}}", name, name)
		}
		return nil, c.fail(e.Path, "unknown helper %s", quote(e.Canonical()))
	}
	if want >= 0 && len(e.Params) != want {
		return nil, c.fail(e.Path, "%s takes %d arguments, not %d", name, want, len(e.Params))
	}
	args := make([]expr, len(e.Params))
	for i, p := range e.Params {
		var err error
		if args[i], err = c.param(p); err != nil {
			return nil, err
		}
	}
	return &call{name, args}, nil
}

func (c *compiler) param(n ast.Node) (expr, error) {
	switch n := n.(type) {
	case *ast.PathExpression:
		return c.path(n), nil
	case *ast.SubExpression:
		return c.expression(n.Expression)
	case *ast.StringLiteral:
		return literal{n.Value}, nil
	case *ast.BooleanLiteral:
		return literal{n.Value}, nil
	case *ast.NumberLiteral:
		return literal{number(strings.TrimPrefix(n.Original, "+"))}, nil
	default:
		return nil, c.fail(n, "not supported here")
	}
}

// includeZero is the option of that name; others mean nothing and are passed over.
func (c *compiler) includeZero(h *ast.Hash) (expr, error) {
	if h == nil {
		return nil, nil
	}
	for _, p := range h.Pairs {
		if p.Key == "includeZero" {
			return c.param(p.Val)
		}
	}
	return nil, nil
}

func (c *compiler) path(n *ast.PathExpression) *path {
	p := &path{line: lineAt(c.src, n.Pos), up: n.Depth, scoped: n.Scoped, isVar: n.Data}
	for _, part := range n.Parts {
		p.parts = append(p.parts, unbracket(part))
	}
	if !p.isVar {
		return p
	}
	if len(p.parts) > 0 {
		p.variable, p.parts = p.parts[0], p.parts[1:]
	}
	switch p.variable {
	case "root", "index", "key", "first", "last":
	default:
		c.prog.warnings = append(c.prog.warnings, Warning{
			Line: lineAt(c.src, n.Pos),
			Text: "@" + p.variable + " is a variable that is never set; for the field write {{[@" + p.variable + "]}}",
		})
	}
	return p
}
