package minidb

import (
	"encoding/json"
	"net/http"
	"slices"
)

// bindings are one answer to a query: a triple's part by the variable's name.
type bindings map[string]any

// woqlError is a complaint about a query.
func woqlError(format string, args ...any) error {
	return badRequest("WOQLSyntaxError", "Not well formed WOQL: "+format, args...)
}

// serveWOQL answers the part of TerminusDB's triple query language that
// vectorlink speaks: Triple, AddedTriple, DeletedTriple, and Or of these.
func (db *DB) serveWOQL(w http.ResponseWriter, r *http.Request, path []string) error {
	var request struct {
		Query map[string]any `json:"query"`
	}
	if readJSON(r, &request) != nil || request.Query == nil {
		return badRequest("MissingParameter", "Missing parameter: query")
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
	q := woql{commit: res.commit, bindings: []bindings{}}
	parts := []any{request.Query}
	if request.Query["@type"] == "Or" {
		parts, _ = request.Query["or"].([]any)
	}
	for _, part := range parts {
		query, _ := part.(map[string]any)
		if err := q.match(query); err != nil {
			return err
		}
	}
	w.Header().Set("TerminusDB-Data-Version", res.version())
	writeJSON(w, http.StatusOK, map[string]any{
		"@type": "api:WoqlResponse", "api:status": "api:success", "api:variable_names": append([]string{}, q.variables...),
		"bindings": q.bindings, "deletes": 0, "inserts": 0, "transaction_retry_count": 0,
	})
	return nil
}

// woql is one query at a commit.
type woql struct {
	commit         *commit
	variables      []string // in the order in which they were met
	bindings       []bindings
	haveDelta      bool
	added, deleted []triple
}

// place is one place of a triple: a variable, or a name to equal.
type place struct {
	variable, name string
}

func (q *woql) place(v any) (place, error) {
	object, _ := v.(map[string]any)
	if name, ok := object["variable"].(string); ok {
		if !slices.Contains(q.variables, name) {
			q.variables = append(q.variables, name)
		}
		return place{variable: name}, nil
	}
	if node, ok := object["node"].(string); ok {
		return place{name: q.commit.prefixes.shorten(q.commit.prefixes.expand(node))}, nil
	}
	return place{}, woqlError("a place with no variable or node")
}

// match adds the triples that fit a query.
func (q *woql) match(query map[string]any) error {
	var places [3]place
	for i, name := range []string{"subject", "predicate", "object"} {
		var err error
		if places[i], err = q.place(query[name]); err != nil {
			return err
		}
	}
	if graph, ok := query["graph"]; ok && graph != "instance" {
		return woqlError("no graph %v here", graph)
	}
	var candidates []triple
	switch kind, _ := query["@type"].(string); {
	case kind == "AddedTriple", kind == "DeletedTriple":
		if !q.haveDelta {
			q.added, q.deleted = q.commit.delta()
			q.haveDelta = true
		}
		if candidates = q.added; kind == "DeletedTriple" {
			candidates = q.deleted
		}
	case kind != "Triple":
		return woqlError("no query of type %q here", kind)
	case places[0].variable == "":
		candidates = q.commit.allFacts().bySubject[places[0].name]
	case places[2].variable == "":
		candidates = q.commit.allFacts().byObject[places[2].name]
	default:
		return woqlError("neither subject nor object is given")
	}
	for _, t := range candidates {
		found := bindings{}
		fits := true
		for i, part := range []string{t.s, t.p, t.o} {
			switch data := i == 2 && t.data; {
			case places[i].variable == "":
				fits = fits && !data && part == places[i].name
			case data:
				found[places[i].variable] = json.RawMessage(part)
			default:
				found[places[i].variable] = part
			}
		}
		if fits {
			q.bindings = append(q.bindings, found)
		}
	}
	return nil
}
