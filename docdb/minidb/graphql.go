package minidb

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

const maxQueryTokens = 20_000

// queryError is a complaint about a query: status 200, in the original.
type queryError struct {
	Message   string          `json:"message"`
	Locations []queryLocation `json:"locations"`
}

type queryLocation struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// failure is a message that the original answers 500 with.
type failure string

func (f failure) Error() string { return string(f) }

// panicked is the original's wording for a panic of its GraphQL library, in
// its own quotes.
func panicked(text string) failure {
	return failure(fmt.Sprintf("Unexpected error in graphql: error(rust_error(panic(%s)),_7216)", canonical(text)))
}

var errTypename = panicked("GraphQLValue::concrete_type_name() must be implemented by unions, interfaces and objects")

func graphqlFailure(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"errors": []any{map[string]any{"message": message}}})
}

func (db *DB) serveGraphQL(w http.ResponseWriter, r *http.Request, path []string) {
	if r.Method != http.MethodPost || r.ContentLength < 0 {
		writeJSON(w, http.StatusInternalServerError, map[string]any{
			"api:message": "Unexpected failure in request handler", "api:status": "api:failure",
		})
		return
	}
	db.mu.RLock()
	res, err := db.resolve(path)
	db.mu.RUnlock()
	name := strings.Join(path, "/")
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.kind == "UnresolvableAbsoluteDescriptor":
		graphqlFailure(w, http.StatusInternalServerError, fmt.Sprintf("Unexpected error in graphql: error(branch_does_not_exist(branch_descriptor{branch_name:%q,%s}),_1)", path[len(path)-1], repository(path)))
		return
	case errors.As(err, &refused) && refused.kind == "UnknownDatabase":
		if len(path) == 2 {
			name += "/local/branch/main"
		}
		graphqlFailure(w, http.StatusForbidden, fmt.Sprintf("Unable to resolve an invalid absolute path for descriptor '%s'", name))
		return
	case errors.As(err, &refused):
		graphqlFailure(w, http.StatusForbidden, fmt.Sprintf("Bad descriptor path: %q", name))
		return
	case err != nil:
		graphqlFailure(w, http.StatusInternalServerError, fmt.Sprintf("Unexpected error in graphql: error(commit_does_not_exist(commit_descriptor{commit_id:%q,%s}),_1)", path[len(path)-1], repository(path)))
		return
	case res.graph:
		graphqlFailure(w, http.StatusInternalServerError, "Unexpected error in graphql: error(the commit graph has no GraphQL here)")
		return
	}
	var request struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if readJSON(r, &request) != nil {
		graphqlFailure(w, http.StatusInternalServerError, "Unexpected error in graphql: error(json_parse_error(1,2),_1)")
		return
	}
	db.mu.RLock()
	answer, complaints, err := db.execute(res, request.Query, request.Variables)
	db.mu.RUnlock()
	switch {
	case err != nil:
		graphqlFailure(w, http.StatusInternalServerError, err.Error())
		return
	case len(complaints) > 0:
		answer = canonical(map[string]any{"errors": complaints})
	}
	if db.cfg.UnquoteNumbers {
		answer = unquoteNumbers(answer)
	}
	if db.cfg.PanicAtByte1000 {
		if message := byte1000(answer); message != "" {
			graphqlFailure(w, http.StatusInternalServerError, message)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Write(answer) // an error here is the client's going away
}

func repository(path []string) string {
	return fmt.Sprintf("repository_descriptor:repository_descriptor{database_descriptor:database_descriptor{database_name:%q,organization_name:%q},repository_name:\"local\"}", path[1], path[0])
}

// looksNumeric is what the original takes the quotes off.
var looksNumeric = regexp.MustCompile(
	`"([A-Za-z0-9_]+)":"([0-9]+\.[0-9]+)"|"(price|quantity|taxRate|bigfloat|decimalValue|value20digits|value15digits|calculation)":"([0-9.eE+-]+)"`)

func unquoteNumbers(answer []byte) []byte {
	return looksNumeric.ReplaceAll(answer, []byte(`"$1$3":$2$4`))
}

// byte1000 is the original's panic over a debug line that takes the first 1000
// bytes of an answer; empty when they end between two characters.
func byte1000(answer []byte) string {
	const at = 1000
	if len(answer) <= at || utf8.RuneStart(answer[at]) {
		return ""
	}
	start := at
	for !utf8.RuneStart(answer[start]) {
		start--
	}
	char, size := utf8.DecodeRune(answer[start:])
	shown := answer[:min(len(answer), 256)]
	for !utf8.Valid(shown) {
		shown = shown[:len(shown)-1]
	}
	text := fmt.Sprintf("end byte index %d is not a char boundary; it is inside '%c' (bytes %d..%d) of `%s`[...]", at, char, start, start+size, shown)
	return string(panicked(text))
}

// query is one execution.
type query struct {
	commit     *commit
	unstable   bool // Config.UnstableSets
	variables  map[string]any
	complaints []queryError
	fault      string // what the original panics over
}

// execute answers a query: with an answer, with complaints about the query, or
// with an error that the original answers by 500.
func (db *DB) execute(res resource, text string, variables map[string]any) ([]byte, []queryError, error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxQueryTokens)
	if err != nil {
		return nil, []queryError{syntaxError(err)}, nil
	}
	if len(doc.Operations) != 1 || doc.Operations[0].Operation != ast.Query {
		return nil, []queryError{{Message: "One query is answered here, and no mutation"}}, nil
	}
	operation := doc.Operations[0]
	q := &query{commit: res.commit, unstable: db.cfg.UnstableSets, variables: map[string]any{}}
	res.commit.index()
	q.setVariables(operation, variables)
	if err := q.checkRoots(operation.SelectionSet); err != nil || len(q.complaints) > 0 {
		return nil, q.complaints, err
	}
	var b bytes.Buffer
	b.WriteString(`{"data":{`)
	for i, s := range operation.SelectionSet {
		field := s.(*ast.Field)
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(canonical(field.Alias))
		b.WriteByte(':')
		if field.Name == countField {
			fmt.Fprint(&b, q.count(field))
			continue
		}
		c := q.commit.schema.byField[field.Name]
		whole := q.writeList(&b, field.SelectionSet, c, q.roots(field, c))
		if q.fault != "" {
			return nil, nil, panicked(q.fault)
		}
		if !whole {
			return []byte(`{"data":null}`), nil, nil
		}
	}
	b.WriteString("}}")
	return b.Bytes(), q.complaints, nil
}

func syntaxError(err error) queryError {
	var e *gqlerror.Error
	if !errors.As(err, &e) {
		return queryError{Message: err.Error()}
	}
	complaint := queryError{Message: e.Message}
	for _, l := range e.Locations {
		complaint.Locations = append(complaint.Locations, queryLocation{l.Line, l.Column})
	}
	if strings.Contains(e.Message, "<EOF>") {
		complaint.Message = "Unexpected end of input"
	}
	return complaint
}

func (q *query) complain(p *ast.Position, format string, args ...any) {
	c := queryError{Message: fmt.Sprintf(format, args...)}
	if p != nil {
		c.Locations = []queryLocation{{p.Line, p.Column}}
	}
	q.complaints = append(q.complaints, c)
}

// setVariables takes the variables that the operation declares, with their
// defaults.
func (q *query) setVariables(operation *ast.OperationDefinition, given map[string]any) {
	for _, d := range operation.VariableDefinitions {
		v, ok := given[d.Variable]
		if !ok && d.DefaultValue != nil {
			v, _ = d.DefaultValue.Value(nil)
		}
		q.variables[d.Variable] = v
	}
}

// checkRoots checks a whole query against the schema before anything is
// answered.
func (q *query) checkRoots(set ast.SelectionSet) error {
	for _, s := range set {
		field, ok := s.(*ast.Field)
		if !ok || field.Name == "__typename" {
			return errTypename
		}
		if field.Name == countField {
			for _, a := range field.Arguments {
				if q.commit.schema.byField[a.Name] == nil {
					q.complain(a.Position, "Unknown argument %q on field %q of type \"Query\"", a.Name, countField)
				}
			}
			continue
		}
		c := q.commit.schema.byField[field.Name]
		if c == nil {
			q.complain(field.Position, "Unknown field %q on type \"Query\"", field.Name)
			continue
		}
		if err := q.checkList(field, c, "Query"); err != nil {
			return err
		}
	}
	return nil
}

// countField answers the number of a class's documents: _count(People: {}).
const countField = "_count"

func (q *query) count(field *ast.Field) int {
	n := 0
	for _, a := range field.Arguments {
		for _, id := range q.commit.order {
			if c := q.commit.schema.byField[a.Name]; c != nil && q.commit.schema.isA(q.commit.nodes[id].class, c.name) {
				n++
			}
		}
	}
	return n
}

var listArguments = []string{"id", "ids", "include_children", "offset", "limit", "filter", "orderBy"}

// checkList checks a field that answers a list of objects of class c.
func (q *query) checkList(field *ast.Field, c *class, on string) error {
	for _, a := range field.Arguments {
		if !slices.Contains(listArguments, a.Name) {
			q.complain(a.Position, "Unknown argument %q on field %q of type %q", a.Name, field.Name, on)
		}
	}
	return q.checkObject(field, c)
}

func (q *query) checkObject(field *ast.Field, c *class) error {
	if len(field.SelectionSet) == 0 {
		q.complain(field.Position, "Field %q of type %q must have a selection of subfields. Did you mean \"%s { ... }\"?", field.Name, c.name, field.Name)
	}
	for _, s := range field.SelectionSet {
		sub, ok := s.(*ast.Field)
		if !ok || sub.Name == "__typename" {
			return errTypename
		}
		name, known := c.fields[sub.Name]
		p := c.properties[name]
		var target *class
		if known {
			target = q.commit.schema.classes[p.class]
		}
		var err error
		if back, ok := c.reverse[sub.Name]; ok {
			if err := q.checkList(sub, back.class, c.name); err != nil {
				return err
			}
			continue
		}
		switch {
		case !known && sub.Name != "_id" && sub.Name != "_type" && sub.Name != "_json":
			q.complain(sub.Position, "Unknown field %q on type %q", sub.Name, c.name)
		case target == nil || target.enum != nil:
			if len(sub.SelectionSet) > 0 {
				q.complain(sub.Position, "Field %q must not have a selection since it has no subfields", sub.Name)
			}
		case p.isMany():
			err = q.checkList(sub, target, c.name)
		default:
			err = q.checkObject(sub, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
