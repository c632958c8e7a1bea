package fields

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
)

// Bounds of a filter.
const (
	MaxFilter   = 16 << 10 // bytes of its text
	MaxNodes    = 5_000    // names, values and operators
	maxMessage  = 200      // bytes of what the parser or checker says
	environment = "$env"   // what expr calls the variables, by name
)

// Filter is an expression over the fields of a document that holds or does not.
// It is for one goroutine at a time until it was checked, then for any number.
type Filter struct {
	tree  *parser.Tree
	root  condition
	names []string          // of the fields it uses, ascending
	at    map[string]string // where each is first named, as line:column
	lists map[string]string // where each is first looked into as a list
	dates []file.Location   // of texts that look like dates and are none
}

// ParseFilter reads an expression in the language of expr-lang.org, of which
// filters have the comparisons == != < <= > >=, in, contains, startsWith and
// endsWith between a field and a value, a field that is true by itself, nil for
// what a document does not have, and and, or, not. Errors say where, and quote
// nothing.
func ParseFilter(text string) (*Filter, error) {
	switch {
	case len(text) > MaxFilter:
		return nil, fmt.Errorf("longer than %d bytes", MaxFilter)
	case !utf8.ValidString(text):
		return nil, errors.New("not UTF-8")
	}
	f := &Filter{}
	text, err := readable(text)
	if err != nil {
		return nil, err
	}
	guarded := guard(func() { f.tree, err = parser.ParseWithConfig(text, config()) })
	if err = errors.Join(guarded, err); err != nil {
		return nil, explain(unquoted(err))
	}
	c := compiler{names: make(map[string]file.Location), lists: make(map[string]file.Location)}
	if f.root, err = c.condition(f.tree.Node); err != nil {
		return nil, explain(bound(err, f.tree.Source))
	}
	f.at, f.lists, f.dates = f.placesOf(c.names), f.placesOf(c.lists), c.dates
	f.names = slices.Sorted(maps.Keys(c.names))
	return f, nil
}

// placesOf returns locations as line:column.
func (f *Filter) placesOf(locations map[string]file.Location) map[string]string {
	places := make(map[string]string, len(locations))
	for name, location := range locations {
		places[name] = f.place(location)
	}
	return places
}

func (f *Filter) place(location file.Location) string {
	at := (&file.Error{Location: location}).Bind(f.tree.Source)
	return fmt.Sprintf("%d:%d", at.Line, at.Column+1)
}

// config is expr's, with nothing in it that is called.
func config() *conf.Config {
	c := conf.CreateNew()
	clear(c.Builtins)
	c.MaxNodes = MaxNodes
	c.Expect = reflect.Bool
	c.ExpectAny = true
	return c
}

// guard turns a panic of the parser or the checker into an error.
func guard(f func()) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read")
		}
	}()
	f()
	return nil
}

// Names returns the names of the fields that the filter uses, ascending.
func (f *Filter) Names() []string { return f.names }

// At returns where the filter first names a field, as line:column.
func (f *Filter) At(name string) string { return f.at[name] }

// Check checks the filter against the kinds of the fields that it uses: comparing
// values that cannot be equal or ordered is an error. A field of kinds 0, which no
// document has, passes.
func (f *Filter) Check(kinds map[string]Kinds) error {
	env := make(types.Map, len(f.names))
	var held []string
	for _, name := range f.names {
		env[name] = typeOf(kinds[name])
		if at, ok := f.lists[name]; ok && kinds[name] != 0 && kinds[name]>>4 == 0 {
			// The checker would say that a text and a text do not match.
			return fmt.Errorf("in asks for a list behind it at %s; %s holds %s", at, clip(name), kinds[name])
		}
		if kinds[name] != 0 {
			held = append(held, fmt.Sprintf("%s holds %s", clip(name), kinds[name]))
		}
	}
	c := config()
	c.WithEnv(env)
	var err error
	guarded := guard(func() { _, err = checker.Check(f.tree, c) })
	if err = errors.Join(guarded, err); err != nil {
		return fmt.Errorf("%w; %s", explain(err), strings.Join(held, ", "))
	}
	return nil
}

// typeOf returns the checker's type for values of these kinds: Any, which passes
// every check, for several kinds.
func typeOf(k Kinds) types.Type {
	if list := k >> 4; list != 0 {
		if k&scalars != 0 {
			return types.Any
		}
		return types.Array(typeOf(list))
	}
	switch k {
	case Bools:
		return types.Bool
	case Numbers:
		return types.Float64
	case Texts, Dates, Texts | Dates:
		return types.String
	}
	return types.Any
}

// unquoted takes what the parser quotes of the expression out of its error, and says
// what is to be written where that is known.
func unquoted(err error) error {
	var at *file.Error
	if errors.As(err, &at) {
		switch {
		case strings.Contains(at.Message, strconv.ErrRange.Error()):
			at.Message = "a number beyond 64 bits"
		case strings.Contains(at.Message, `Operator("=")`):
			at.Message = "equal is written =="
		}
		if i := strings.IndexAny(at.Message, "\"'`"); i >= 0 {
			at.Message = strings.TrimRight(at.Message[:i], "(: ")
		}
	}
	return err
}

// explain shortens what the parser or the checker says: without the source, with
// the place.
func explain(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return errors.New(clip(err.Error()))
	}
	if at.Line == 0 {
		return errors.New(clip(at.Message))
	}
	return fmt.Errorf("%s at %d:%d", clip(at.Message), at.Line, at.Column+1)
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	n := maxMessage
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// wrong is an error at a node.
func wrong(n ast.Node, format string, args ...any) error {
	return &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
}

// bound gives an error its line and column.
func bound(err error, source file.Source) error {
	var at *file.Error
	if errors.As(err, &at) {
		return at.Bind(source)
	}
	return err
}

// compiler makes conditions of a tree.
type compiler struct {
	names map[string]file.Location // where each is first
	lists map[string]file.Location // where each first stands behind in
	dates []file.Location          // as of Filter
}

func (c *compiler) condition(n ast.Node) (condition, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return always(n.Value), nil
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			return nil, wrong(n, "%s is no condition", n.Operator)
		}
		x, err := c.condition(n.Node)
		return not{x}, err
	case *ast.BinaryNode:
		return c.binary(n)
	}
	if name, ok := c.field(n); ok {
		return equal{name, literal{kind: Bools, b: true}}, nil
	}
	return nil, wrong(n, "%s is no condition", describe(n))
}

func (c *compiler) binary(n *ast.BinaryNode) (condition, error) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, err := c.condition(n.Left)
		if err != nil {
			return nil, err
		}
		r, err := c.condition(n.Right)
		if n.Operator == "and" || n.Operator == "&&" {
			return both{l, r}, err
		}
		return either{l, r}, err
	}
	if err := bindsCloser(n); err != nil {
		return nil, err
	}
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=":
		return c.comparison(n)
	case "in":
		return c.in(n)
	case "contains", "startsWith", "endsWith":
		name, ok := c.field(n.Left)
		text, isText := n.Right.(*ast.StringNode)
		if !ok || !isText {
			return nil, wrong(n, "%s compares a field with a text", n.Operator)
		}
		return match{name, n.Operator, text.Value}, nil
	}
	return nil, wrong(n, "%s is not for filters", n.Operator)
}

func (c *compiler) comparison(n *ast.BinaryNode) (condition, error) {
	name, left := c.field(n.Left)
	other, op := n.Right, n.Operator
	if !left {
		var ok bool
		if name, ok = c.field(n.Right); !ok {
			return nil, wrong(n, "%s compares a field with a value; here is %s", n.Operator, describe(n.Left))
		}
		other, op = n.Left, mirrored(op)
	} else if _, both := c.field(n.Right); both && meant(name) != "" {
		other = n.Left // null == name
	}
	v, err := c.literal(other)
	if err != nil {
		return nil, err
	}
	switch {
	case v.kind == 0 && op == "==":
		return not{has{name}}, nil
	case v.kind == 0 && op == "!=":
		return has{name}, nil
	case v.kind == 0:
		return nil, wrong(n, "%s does not compare with nil", n.Operator)
	case op == "==":
		return equal{name, v}, nil
	case op == "!=":
		return not{equal{name, v}}, nil
	case v.kind == Bools:
		return nil, wrong(n, "%s does not compare booleans", n.Operator)
	}
	return order{name, op, v}, nil
}

// mirrored returns the operator with its sides swapped.
func mirrored(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

// in reads a field in a list of values, or a value in a field.
func (c *compiler) in(n *ast.BinaryNode) (condition, error) {
	if name, ok := c.field(n.Right); ok {
		if _, ok := c.lists[name]; !ok {
			c.lists[name] = n.Right.Location()
		}
		v, err := c.literal(n.Left)
		if err == nil && v.kind == 0 {
			err = wrong(n, "nil is in no list")
		}
		return member{name, v}, err
	}
	list, isList := n.Right.(*ast.ArrayNode)
	name, ok := c.field(n.Left)
	if !isList || !ok {
		return nil, wrong(n, "in asks for a field in a list of values, or for a value in a field")
	}
	among := among{name: name}
	for _, x := range list.Nodes {
		v, err := c.literal(x)
		if err != nil {
			return nil, err
		}
		if v.kind == 0 {
			return nil, wrong(x, "nil is in no list")
		}
		among.values = append(among.values, v)
	}
	return among, nil
}

// field returns the name that a node stands for: name or $env["any name"].
func (c *compiler) field(n ast.Node) (string, bool) {
	name := ""
	switch n := n.(type) {
	case *ast.IdentifierNode:
		name = n.Value
		if name == environment {
			return "", false
		}
	case *ast.MemberNode:
		base, ok := n.Node.(*ast.IdentifierNode)
		property, isText := n.Property.(*ast.StringNode)
		if !ok || !isText || base.Value != environment || n.Optional || n.Method {
			return "", false
		}
		name = property.Value
	default:
		return "", false
	}
	if _, ok := c.names[name]; !ok {
		c.names[name] = n.Location()
	}
	return name, true
}

// literal is a value in a filter; of kind 0 it is nil.
type literal struct {
	kind Kinds
	b    bool
	n    number
	s    string
	at   instant // of a text with date
	date bool
}

func (c *compiler) literal(n ast.Node) (literal, error) {
	switch n := n.(type) {
	case *ast.NilNode:
		return literal{}, nil
	case *ast.BoolNode:
		return literal{kind: Bools, b: n.Value}, nil
	case *ast.IntegerNode:
		return literal{kind: Numbers, n: intNumber(int64(n.Value))}, nil
	case *ast.FloatNode:
		return literal{kind: Numbers, n: floatNumber(n.Value)}, nil
	case *ast.StringNode:
		v := literal{kind: Texts, s: n.Value}
		if v.at, v.date = parseDate(n.Value); !v.date && spelled.MatchString(n.Value) {
			c.dates = append(c.dates, n.Location())
		}
		return v, nil
	case *ast.UnaryNode:
		if n.Operator != "-" && n.Operator != "+" {
			break
		}
		v, err := c.literal(n.Node)
		if err != nil || v.kind != Numbers {
			break
		}
		if n.Operator == "-" {
			v.n.i = -v.n.i
			if v.n.float {
				v.n = floatNumber(-v.n.f)
			}
		}
		return v, nil
	}
	if name, ok := c.field(n); ok {
		return literal{}, wrong(n, "fields are compared with values, not with each other%s", meant(name))
	}
	return literal{}, wrong(n, "%s is no value", describe(n))
}

// meant says what to write for a name that other languages have for a value.
func meant(name string) string {
	switch strings.ToLower(name) {
	case "null", "none", "nil", "undefined", "nan":
		return "; what a document does not have is nil"
	case "true", "false":
		return "; booleans are true and false, in small letters"
	}
	return ""
}

// bindsCloser is the mistake of denying the left side of an operator where the whole
// is meant; nil if it is not made.
func bindsCloser(n *ast.BinaryNode) error {
	u, ok := n.Left.(*ast.UnaryNode)
	if !ok || u.Operator != "not" && u.Operator != "!" {
		return nil
	}
	instead := map[string]string{"==": "write !=", "!=": "write ==", "in": "write not in"}[n.Operator]
	if instead == "" {
		instead = "put what it denies in parentheses"
	}
	return wrong(n, "%s binds closer than %s: %s", u.Operator, n.Operator, instead)
}

// describe names what a node is.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	case *ast.StringNode, *ast.BytesNode:
		return "a text"
	case *ast.NilNode:
		return "nil"
	case *ast.ArrayNode:
		return "a list"
	case *ast.CallNode, *ast.BuiltinNode:
		return "a call of a function"
	case *ast.MemberNode:
		return "a member"
	case *ast.IdentifierNode:
		return "a name"
	case *ast.BinaryNode:
		return n.Operator
	case *ast.UnaryNode:
		return n.Operator
	case *ast.ConditionalNode:
		return "a choice"
	}
	return "this"
}
