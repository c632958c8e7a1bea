package minidb

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// maxWOQLDepth bounds how deep a query may nest.
const maxWOQLDepth = 64

// bindings are one answer to a query: a triple's part by the variable's name.
type bindings map[string]term

// term is a name, or data as canonical JSON.
type term struct {
	text string
	data bool
}

// woqlError is a complaint about a query.
func woqlError(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "WOQLSyntaxError", "Not well formed WOQL: "+fmt.Sprintf(format, args...), nil)
}

// serveWOQL answers the reads of TerminusDB's triple query language: And, Or,
// Optional, Distinct, IsA, Triple, AddedTriple and DeletedTriple.
func (db *DB) serveWOQL(w http.ResponseWriter, r *http.Request, path []string) error {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "Method not allowed", nil)
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var request struct {
		Query map[string]any `json:"query"`
	}
	if json.Unmarshal(body, &request) != nil || request.Query == nil {
		return refuse(http.StatusBadRequest, "MissingParameter", "Missing parameter: query", map[string]any{"api:parameter": "query"})
	}
	db.mu.RLock()
	res, err := db.resolve(path)
	db.mu.RUnlock()
	switch {
	case err != nil:
		return err
	case res.graph:
		return errUnhandled
	}
	q := woql{commit: res.commit}
	answers, err := q.solve(request.Query, bindings{}, 0)
	if err != nil {
		return err
	}
	list := make([]map[string]any, len(answers))
	for i, b := range answers {
		list[i] = map[string]any{}
		for name, t := range b {
			if list[i][name] = t.text; t.data {
				list[i][name] = json.RawMessage(t.text)
			}
		}
	}
	w.Header().Set("TerminusDB-Data-Version", res.version())
	writeJSON(w, http.StatusOK, typeJSON, map[string]any{
		"@type": "api:WoqlResponse", "api:status": "api:success", "api:variable_names": append([]string{}, q.variables...),
		"bindings": list, "deletes": 0, "inserts": 0, "transaction_retry_count": 0,
	})
	return nil
}

// woql is one query at a commit.
type woql struct {
	commit         *commit
	variables      []string // in the order in which they were met
	haveDelta      bool
	added, deleted []triple
}

// solve returns the ways in which b can be extended so that the query holds.
func (q *woql) solve(query map[string]any, b bindings, depth int) ([]bindings, error) {
	if depth > maxWOQLDepth {
		return nil, woqlError("nested too deep")
	}
	switch kind, _ := query["@type"].(string); kind {
	case "Triple", "AddedTriple", "DeletedTriple":
		return q.match(kind, query, b)
	case "And":
		parts, err := queries(query["and"])
		found := []bindings{b}
		for _, part := range parts {
			var next []bindings
			for _, b := range found {
				more, err := q.solve(part, b, depth+1)
				if err != nil {
					return nil, err
				}
				next = append(next, more...)
			}
			found = next
		}
		return found, err
	case "Or":
		parts, err := queries(query["or"])
		var found []bindings
		for _, part := range parts {
			more, err := q.solve(part, b, depth+1)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
		return found, err
	case "Optional", "Distinct":
		part, ok := query["query"].(map[string]any)
		if !ok {
			return nil, woqlError("%s without query", kind)
		}
		found, err := q.solve(part, b, depth+1)
		if kind == "Optional" {
			if len(found) == 0 {
				found = []bindings{b}
			}
			return found, err
		}
		return distinct(found, texts(query["variables"])), err
	case "IsA":
		return q.isA(query, b)
	default:
		return nil, woqlError("no query of type %q here", kind)
	}
}

func queries(v any) ([]map[string]any, error) {
	list, _ := v.([]any)
	var parts []map[string]any
	for _, x := range list {
		part, ok := x.(map[string]any)
		if !ok {
			return nil, woqlError("a part that is no query")
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// distinct keeps the first of the answers that agree in the variables.
func distinct(all []bindings, variables []string) []bindings {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(b bindings) bool {
		var key []byte
		for _, name := range variables {
			key = fmt.Appendf(key, "%v %q ", b[name].data, b[name].text)
		}
		again := seen[string(key)]
		seen[string(key)] = true
		return again
	})
}

// pattern is one place of a triple: a variable, or a value to equal.
type pattern struct {
	variable string
	value    term
}

func (q *woql) pattern(v any) (pattern, error) {
	object, _ := v.(map[string]any)
	if name, ok := object["variable"].(string); ok {
		if !slices.Contains(q.variables, name) {
			q.variables = append(q.variables, name)
		}
		return pattern{variable: name}, nil
	}
	if node, ok := object["node"].(string); ok {
		return pattern{value: term{text: q.commit.prefixes.shorten(q.commit.prefixes.expand(node))}}, nil
	}
	if data, ok := object["data"].(map[string]any); ok {
		return pattern{value: term{text: string(canonical(data)), data: true}}, nil
	}
	return pattern{}, woqlError("a place with no variable, node or data")
}

// bound returns the value that the place must have, if it must have one.
func (p pattern) bound(b bindings) (term, bool) {
	if p.variable == "" {
		return p.value, true
	}
	t, ok := b[p.variable]
	return t, ok
}

func (q *woql) match(kind string, query map[string]any, b bindings) ([]bindings, error) {
	var places [3]pattern
	for i, name := range []string{"subject", "predicate", "object"} {
		var err error
		if places[i], err = q.pattern(query[name]); err != nil {
			return nil, err
		}
	}
	if graph, ok := query["graph"]; ok && graph != "instance" {
		return nil, woqlError("no graph %v here", graph)
	}
	subject, hasSubject := places[0].bound(b)
	object, hasObject := places[2].bound(b)
	var candidates []triple
	switch {
	case kind != "Triple":
		if !q.haveDelta {
			q.added, q.deleted = q.commit.delta()
			q.haveDelta = true
		}
		if candidates = q.added; kind == "DeletedTriple" {
			candidates = q.deleted
		}
	case hasSubject:
		candidates = q.commit.allFacts().bySubject[subject.text]
	case hasObject && !object.data:
		candidates = q.commit.allFacts().byObject[object.text]
	default:
		candidates = q.commit.allFacts().all
	}
	var found []bindings
candidate:
	for _, t := range candidates {
		next := bindings{}
		maps.Copy(next, b)
		for i, v := range []term{{text: t.s}, {text: t.p}, {t.o, t.data}} {
			if want, ok := places[i].bound(next); ok && want != v {
				continue candidate
			}
			if places[i].variable != "" {
				next[places[i].variable] = v
			}
		}
		found = append(found, next)
	}
	return found, nil
}

// isA binds the classes of an element, inherited ones too.
func (q *woql) isA(query map[string]any, b bindings) ([]bindings, error) {
	element, err := q.pattern(query["element"])
	if err != nil {
		return nil, err
	}
	class, err := q.pattern(query["type"])
	if err != nil {
		return nil, err
	}
	subject, ok := element.bound(b)
	if !ok {
		return nil, woqlError("IsA of an unknown element is not answered here")
	}
	q.commit.index()
	n := q.commit.nodes[subject.text]
	if n == nil {
		return nil, nil
	}
	var found []bindings
	for _, name := range append([]string{n.class}, q.commit.schema.ancestors(n.class)...) {
		t := term{text: q.commit.prefixes.shorten(q.commit.prefixes.Schema + name)}
		if want, ok := class.bound(b); ok && want != t {
			continue
		}
		next := bindings{}
		maps.Copy(next, b)
		if class.variable != "" {
			next[class.variable] = t
		}
		found = append(found, next)
	}
	return found, nil
}
