package docdb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxQueryTokens bounds a class's query before it is parsed.
const maxQueryTokens = 20_000

// batchQuery is a class's query for one document, turned into one for many:
//
//	query($id: ID){ People(id: $id) { label } }
//	query($ids: [ID!]){ People(ids: $ids) { _id label } }
//
// which costs the server a sixtieth per document.
type batchQuery struct {
	operation ast.OperationDefinition
	root      ast.Field
	variable  string // name of the list variable, without $
	idKey     string // the member of each answered object that holds its id
	ownID     bool   // the query asked for it itself
	// filtered: the query restricts its documents further, so one that is
	// missing from an answer was not meant.
	filtered bool
}

// parseBatch rewrites the query of a class that GraphQL calls class. It may ask for
// an ancestor of it, of the names given: then it becomes a query for the class
// itself, because the database finds no instance of a subclass by ids on its
// parent. The error says what is wrong with the query, for its author.
func parseBatch(class, query string, ancestors ...string) (*batchQuery, error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxQueryTokens)
	if err != nil {
		return nil, fmt.Errorf("query does not parse: %s", syntaxError(err))
	}
	switch {
	case len(doc.Fragments) > 0:
		return nil, errors.New("query has a fragment, which TerminusDB cannot answer")
	case len(doc.Operations) != 1:
		return nil, fmt.Errorf("query has %d operations, not one", len(doc.Operations))
	case doc.Operations[0].Operation != ast.Query:
		return nil, fmt.Errorf("query is a %s", doc.Operations[0].Operation)
	case len(doc.Operations[0].SelectionSet) != 1:
		return nil, fmt.Errorf("query asks for %d things, not for %s alone", len(doc.Operations[0].SelectionSet), class)
	}
	q := &batchQuery{operation: *doc.Operations[0]}
	root, ok := q.operation.SelectionSet[0].(*ast.Field)
	if !ok {
		return nil, errors.New("query has a fragment, which TerminusDB cannot answer")
	}
	q.root = *root
	if slices.Contains(ancestors, q.root.Name) {
		q.root.Name = class
	}
	if q.root.Name != class {
		return nil, fmt.Errorf("query asks for %s, not for %s", q.root.Name, class)
	}
	if len(q.root.Directives) > 0 {
		return nil, fmt.Errorf("query has a directive on %s", class)
	}
	if err := checkSelection(q.root.SelectionSet); err != nil {
		return nil, err
	}
	if err := q.replaceID(); err != nil {
		return nil, err
	}
	q.addID()
	return q, nil
}

// syntaxError returns a parser's complaint without the file name it makes up.
func syntaxError(err error) string {
	var e *gqlerror.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if len(e.Locations) == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (%d:%d)", e.Message, e.Locations[0].Line, e.Locations[0].Column)
}

// checkSelection refuses what makes the server panic.
func checkSelection(set ast.SelectionSet) error {
	for _, s := range set {
		field, ok := s.(*ast.Field)
		if !ok {
			return errors.New("query has a fragment, which TerminusDB cannot answer")
		}
		if field.Name == "__typename" {
			return errors.New("query asks for __typename, which TerminusDB cannot answer: _type is the class")
		}
		if err := checkSelection(field.SelectionSet); err != nil {
			return err
		}
	}
	return nil
}

// replaceID turns the root's id: $id into ids: $ids.
func (q *batchQuery) replaceID() error {
	var id *ast.Argument
	var args ast.ArgumentList
	for _, a := range q.root.Arguments {
		switch a.Name {
		case "id":
			id = a
		case "limit": // meant for one document
		case "ids", "offset":
			return fmt.Errorf("query gives %s the argument %s", q.root.Name, a.Name)
		case "filter":
			q.filtered = true
			args = append(args, a)
		default:
			args = append(args, a)
		}
	}
	if id == nil {
		return fmt.Errorf("query has no id argument: %s(id: $id)", q.root.Name)
	}
	if id.Value.Kind != ast.Variable {
		return errors.New("the id argument of the query is not a variable: id: $id")
	}
	name := id.Value.Raw
	rest := q.root
	rest.Arguments = args
	if usesVariable(ast.SelectionSet{&rest}, name) {
		return fmt.Errorf("query uses $%s for more than the id", name)
	}

	q.variable = "ids"
	taken := func(v *ast.VariableDefinition) bool { return v.Variable == q.variable && v.Variable != name }
	for n := 2; slices.ContainsFunc(q.operation.VariableDefinitions, taken); n++ {
		q.variable = "ids" + strconv.Itoa(n)
	}
	definitions := ast.VariableDefinitionList{{
		Variable: q.variable, Type: ast.ListType(ast.NonNullNamedType("ID", nil), nil),
	}}
	for _, v := range q.operation.VariableDefinitions {
		if v.Variable != name {
			definitions = append(definitions, v)
		}
	}
	q.operation.VariableDefinitions = definitions
	ids := &ast.Argument{Name: "ids", Value: &ast.Value{Raw: q.variable, Kind: ast.Variable}}
	q.root.Arguments = append(ast.ArgumentList{ids}, args...)
	return nil
}

// usesVariable reports whether a variable occurs anywhere in set.
func usesVariable(set ast.SelectionSet, name string) bool {
	inArguments := func(args ast.ArgumentList) bool {
		return slices.ContainsFunc(args, func(a *ast.Argument) bool { return valueUses(a.Value, name) })
	}
	for _, s := range set {
		field := s.(*ast.Field) // checkSelection has been here
		if inArguments(field.Arguments) || usesVariable(field.SelectionSet, name) ||
			slices.ContainsFunc(field.Directives, func(d *ast.Directive) bool { return inArguments(d.Arguments) }) {
			return true
		}
	}
	return false
}

func valueUses(v *ast.Value, name string) bool {
	return v.Kind == ast.Variable && v.Raw == name ||
		slices.ContainsFunc(v.Children, func(c *ast.ChildValue) bool { return valueUses(c.Value, name) })
}

// addID makes the query ask for each document's id, under a key that it does
// not use for something else.
func (q *batchQuery) addID() {
	keys := map[string]bool{}
	for _, s := range q.root.SelectionSet {
		field := s.(*ast.Field)
		key := field.Alias
		if key == "" {
			key = field.Name
		}
		if field.Name == "_id" && len(field.Directives) == 0 {
			q.idKey, q.ownID = key, true
			return
		}
		keys[key] = true
	}
	q.idKey = "_id"
	for keys[q.idKey] {
		q.idKey += "_"
	}
	id := &ast.Field{Alias: q.idKey, Name: "_id"}
	q.root.SelectionSet = append(ast.SelectionSet{id}, q.root.SelectionSet...)
}

// text returns the query with its answer under key.
func (q *batchQuery) text(key string) string {
	root := q.root
	root.Alias = key
	operation := q.operation
	operation.SelectionSet = ast.SelectionSet{&root}
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("")).FormatQueryDocument(&ast.QueryDocument{
		Operations: ast.OperationList{&operation},
	})
	return b.String()
}
