package templates

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aymerick/raymond/ast"
)

// A Program is a template ready to be filled in. It is never changed after
// compile, so goroutines share it.
type Program struct {
	Body     []Node
	Warnings []Warning // in order of lines
}

// A Warning points at something in a valid template that its author can hardly
// have meant.
type Warning struct {
	Line int    // line of the template, from 1
	Text string // what to do about it
}

// A Node is a Content, a Print or a *Block.
type Node any

// Content is text that stands as it is.
type Content string

// Print puts the text of a value.
type Print struct{ Value Expr }

// BlockKind says what a block does with its value.
type BlockKind int

// The kinds of blocks.
const (
	Section BlockKind = iota // {{#x}}: by the kind of the value
	If
	Unless
	With
	Each
)

// Block fills in its body or its otherwise by a value, with the context that its
// kind says.
type Block struct {
	Kind        BlockKind
	Value       Expr
	IncludeZero Expr     // of if and unless; nil when not given
	Names       []string // as |value key|
	Body        []Node
	Otherwise   []Node
}

// An Expr is a Literal, a *Path or a *Call.
type Expr any

// Literal is a value of the template's own.
type Literal struct{ value any }

// Path names a value: of a variable such as @root, or of the context some levels
// up, down through parts.
type Path struct {
	Line     int // of the template, from 1
	Up       int
	Variable string // without @; empty for a field
	Scoped   bool   // begins with this, . or ..: names of blocks do not count
	Parts    []string
}

// String writes the path as a template does.
func (p *Path) String() string {
	if p.Variable != "" {
		return strings.Join(append([]string{"@" + p.Variable}, p.Parts...), ".")
	}
	text := strings.Repeat("../", p.Up) + strings.Join(p.Parts, ".")
	return cmp.Or(text, "this")
}

// IsThis reports whether the path names the context itself.
func (p *Path) IsThis() bool { return p.Variable == "" && p.Up == 0 && len(p.Parts) == 0 }

// Call is a helper with its arguments.
type Call struct {
	Helper string
	Args   []Expr
}

var (
	// valueHelpers has the number of arguments of each; -1 for any.
	valueHelpers = map[string]int{"lookup": 2, "len": 1, "eq": 2, "log": -1}
	blockHelpers = map[string]BlockKind{
		"if": If, "unless": Unless, "with": With, "each": Each,
	}
)

// compile checks and translates raymond's tree.
func compile(src string, tree *ast.Program, depth int) (*Program, error) {
	c := &compiler{src: src, maxLoops: depth, prog: new(Program)}
	body, err := c.nodes(tree)
	if err != nil {
		return nil, err
	}
	c.prog.Body = body
	slices.SortStableFunc(c.prog.Warnings, func(a, b Warning) int { return cmp.Compare(a.Line, b.Line) })
	return c.prog, nil
}

type compiler struct {
	src      string
	maxLoops int
	loops    int // that are open
	prog     *Program
}

func (c *compiler) fail(at ast.Node, format string, args ...any) error {
	return badTemplate(c.src, at.Location().Pos, format, args...)
}

func (c *compiler) nodes(p *ast.Program) ([]Node, error) {
	if p == nil {
		return nil, nil
	}
	var out []Node
	for _, n := range p.Body {
		switch n := n.(type) {
		case *ast.ContentStatement:
			if n.Value != "" {
				out = append(out, Content(n.Value))
			}
		case *ast.CommentStatement:
		case *ast.MustacheStatement:
			e, err := c.expression(n.Expression)
			if err != nil {
				return nil, err
			}
			out = append(out, Print{e})
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

func (c *compiler) block(n *ast.BlockStatement) (Node, error) {
	if n.OpenStrip == nil { // only raw blocks have none
		return c.rawBlock(n)
	}
	b := new(Block)
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
		b.Kind = kind
		if b.Value, err = c.param(n.Expression.Params[0]); err != nil {
			return nil, err
		}
		if b.IncludeZero, err = c.includeZero(n.Expression.Hash); err != nil {
			return nil, err
		}
	default:
		b.Kind = Section
		if b.Value, err = c.expression(n.Expression); err != nil {
			return nil, err
		}
	}
	if n.Program != nil {
		if b.Names = n.Program.BlockParams; len(b.Names) > 2 {
			return nil, c.fail(n, "a block gives at most two names, not %d", len(b.Names))
		}
	}
	repeats := b.Kind == Each || b.Kind == With || b.Kind == Section
	if repeats {
		if c.loops++; c.loops > c.maxLoops {
			return nil, overLimit("the template nests more than %d loops at line %d", c.maxLoops, lineAt(c.src, n.Pos))
		}
	}
	if b.Body, err = c.nodes(n.Program); err != nil {
		return nil, err
	}
	if repeats {
		c.loops-- // what follows else does not repeat
	}
	if b.Otherwise, err = c.nodes(n.Inverse); err != nil {
		return nil, err
	}
	return b, nil
}

// rawBlock gives the content of {{{{raw}}}} as it stands.
func (c *compiler) rawBlock(n *ast.BlockStatement) (Node, error) {
	if name := n.Expression.Canonical(); name != "raw" || hasArguments(n.Expression) {
		return nil, c.fail(n, "the only raw block is {{{{raw}}}}, not %s", quote(name))
	}
	var text strings.Builder
	for _, n := range n.Program.Body {
		if n, ok := n.(*ast.ContentStatement); ok {
			text.WriteString(n.Value)
		}
	}
	return Content(text.String()), nil
}

// helperName is the name of the helper that an expression calls if there is one
// of that name, else "".
func helperName(e *ast.Expression) string { return unbracket(e.HelperName()) }

func hasArguments(e *ast.Expression) bool { return len(e.Params) > 0 || e.Hash != nil }

// expression translates what stands in {{...}} or (...). Without arguments it is
// a field, whatever its name: all helpers take arguments, and a document may have
// a field called len.
func (c *compiler) expression(e *ast.Expression) (Expr, error) {
	if !hasArguments(e) {
		switch p := e.Path.(type) {
		case *ast.PathExpression:
			return c.path(p), nil
		default: // {{"a name"}} and {{12}} are fields
			name, _ := ast.LiteralStr(p)
			return &Path{Parts: []string{name}}, nil
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
	args := make([]Expr, len(e.Params))
	for i, p := range e.Params {
		var err error
		if args[i], err = c.param(p); err != nil {
			return nil, err
		}
	}
	return &Call{name, args}, nil
}

func (c *compiler) param(n ast.Node) (Expr, error) {
	switch n := n.(type) {
	case *ast.PathExpression:
		return c.path(n), nil
	case *ast.SubExpression:
		return c.expression(n.Expression)
	case *ast.StringLiteral:
		return Literal{n.Value}, nil
	case *ast.BooleanLiteral:
		return Literal{n.Value}, nil
	case *ast.NumberLiteral:
		return Literal{number(strings.TrimPrefix(n.Original, "+"))}, nil
	default:
		return nil, c.fail(n, "not supported here")
	}
}

// includeZero is the option of that name; others mean nothing and are passed over.
func (c *compiler) includeZero(h *ast.Hash) (Expr, error) {
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

func (c *compiler) path(n *ast.PathExpression) *Path {
	p := &Path{Line: lineAt(c.src, n.Pos), Up: n.Depth, Scoped: n.Scoped}
	for _, part := range n.Parts {
		p.Parts = append(p.Parts, unbracket(part))
	}
	if !n.Data {
		return p
	}
	p.Variable = "." // {{@.}}, which is never set
	if len(p.Parts) > 0 {
		p.Variable, p.Parts = p.Parts[0], p.Parts[1:]
	}
	if !slices.Contains(variables, p.Variable) {
		c.prog.Warnings = append(c.prog.Warnings, Warning{
			Line: p.Line,
			Text: "@" + p.Variable + " is a variable that is never set; for the field write {{[@" + p.Variable + "]}}",
		})
	}
	return p
}

var variables = []string{"root", "index", "key", "first", "last"}
