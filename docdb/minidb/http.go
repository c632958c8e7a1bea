package minidb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	typeJSON   = "application/json; charset=UTF-8"
	typeStream = "application/json; stream=true; charset=UTF-8"
	maxBody    = 64 << 20
)

// ServeHTTP answers as TerminusDB does. Everybody is let in, whatever they call
// themselves.
func (db *DB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	segments := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		if u, err := url.PathUnescape(s); err == nil {
			segments[i] = u
		}
	}
	if len(segments) < 2 || segments[0] != "api" {
		segments = []string{"", ""}
	}
	endpoint, path := segments[1], segments[2:]
	if endpoint == "graphql" {
		db.serveGraphQL(w, r, path)
		return
	}
	var err error
	responseType := ""
	switch read := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case endpoint == "document" && read:
		responseType, err = "GetDocument", db.serveDocument(w, r, path)
	case endpoint == "log" && read:
		responseType, err = "Log", db.serveLog(w, r, path)
	case endpoint == "woql" && r.Method == http.MethodPost:
		responseType, err = "Woql", db.serveWOQL(w, r, path)
	default:
		writeJSON(w, http.StatusNotFound, map[string]any{
			"api:message": "Path not found: " + r.URL.Path, "api:path": r.URL.Path, "api:status": "api:not_found",
		})
	}
	if err != nil {
		writeError(w, responseType, err)
	}
}

// resource is what a path names.
type resource struct {
	db     *database
	branch *branch
	commit *commit // the branch's head, or the one named
	graph  bool    // the commit graph
}

func (r resource) version() string {
	switch {
	case r.graph:
		return "repo:" + r.db.branches[0].head.id
	case r.branch != nil:
		return "branch:" + r.commit.id
	}
	return "commit:" + r.commit.id
}

// errUnhandled stands for what the original has no better word for.
var errUnhandled = errors.New("minidb: internal server error")

// resolve finds what a path names. The caller holds db.mu.
func (db *DB) resolve(path []string) (resource, error) {
	name := strings.Join(path, "/")
	invalid := badRequest("InvalidResourcePath", "Resource path invalid: '%s'", name)
	if len(path) != 2 && (len(path) < 4 || path[2] != "local") || slices.Contains(path, "") {
		return resource{}, invalid
	}
	d := db.databases[path[0]+"/"+path[1]]
	if d == nil {
		return resource{}, unknownDatabase(path[0] + "/" + path[1])
	}
	r := resource{db: d}
	switch {
	case len(path) == 2:
		path = []string{path[0], path[1], "local", "branch", "main"}
		fallthrough
	case len(path) == 5 && path[3] == "branch":
		if r.branch = d.branch(path[4]); r.branch == nil {
			return r, unknownBranch(name)
		}
		r.commit = r.branch.head
	case len(path) == 5 && path[3] == "commit":
		if r.commit = d.commits[path[4]]; r.commit == nil {
			return r, errUnhandled
		}
	case len(path) == 4 && path[3] == "_commits":
		r.graph = true
	default:
		return r, invalid
	}
	return r, nil
}

func (db *DB) serveDocument(w http.ResponseWriter, r *http.Request, path []string) error {
	q := r.URL.Query()
	id, list := q.Get("id"), q.Get("as_list") == "true"
	db.mu.RLock()
	defer db.mu.RUnlock()
	res, err := db.resolve(path)
	if err != nil {
		return err
	}
	docs := res.documents(q.Get("graph_type"), q.Get("type"), id)
	if id != "" && len(docs) == 0 && !list {
		return documentNotFound(id)
	}
	w.Header().Set("TerminusDB-Data-Version", res.version())
	switch {
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Length", "0")
	case list:
		w.Header().Set("Content-Type", typeJSON)
		fmt.Fprintf(w, "[\n%s\n]\n", bytes.Join(docs, []byte(",\n")))
	default:
		w.Header().Set("Content-Type", typeStream)
		fmt.Fprintf(w, "%s\n", bytes.Join(docs, []byte("\n")))
	}
	return nil
}

func documentNotFound(id string) error {
	return refuse(http.StatusNotFound, "DocumentNotFound", "Document not found: '%s'", id)
}

// documents returns the printed documents of a class and an id, where these are
// not empty.
func (r resource) documents(graph, class, id string) (docs [][]byte) {
	if r.graph {
		return r.db.commitGraph(class, id)
	}
	if graph == "schema" {
		raw := r.commit.schema.raw
		for _, name := range slices.Sorted(maps.Keys(raw)) { // the context first
			if id == "" || id == name {
				docs = append(docs, canonical(raw[name]))
			}
		}
		return docs
	}
	c := r.commit
	c.index()
	ids := c.order
	if id != "" {
		ids = []string{c.prefixes.short(id)}
	}
	for _, short := range ids {
		n := c.nodes[short]
		switch {
		case n == nil, class != "" && !c.schema.isA(n.class, strings.TrimPrefix(class, c.prefixes.Schema)):
		case n.id == n.document.id:
			docs = append(docs, n.document.json)
		case id != "":
			docs = append(docs, canonical(n.value))
		}
	}
	return docs
}

// commitGraph lists branches and commits as documents.
func (d *database) commitGraph(class, id string) (docs [][]byte) {
	add := func(c, name string, doc []byte) {
		if (class == "" || class == c) && (id == "" || id == c+"/"+name) {
			docs = append(docs, doc)
		}
	}
	for _, b := range d.branches {
		add("Branch", b.name, members("@id", "Branch/"+b.name, "@type", "Branch", "name", b.name, "head", b.head.class+"/"+b.head.id))
	}
	for _, id := range slices.Sorted(maps.Keys(d.commits)) {
		c := d.commits[id]
		add(c.class, id, c.print())
	}
	return docs
}

// print returns the commit as the commit graph has it.
func (c *commit) print() []byte {
	pairs := []string{
		"@id", c.class + "/" + c.id, "@type", c.class, "author", c.author, "identifier", c.id, "message", c.message,
		"schema", c.schemaLayer, "timestamp", c.timestamp, "user", "terminusdb://system/data/User/admin",
	}
	if c.instanceLayer != "" {
		pairs = append(pairs, "instance", c.instanceLayer)
	}
	if c.parent != nil {
		pairs = append(pairs, "parent", c.parent.class+"/"+c.parent.id)
	}
	return members(pairs...)
}

// members prints an object of strings in the order given; the timestamp is a
// number.
func members(pairs ...string) []byte {
	b := []byte{'{'}
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, canonical(pairs[i])...), ':')
		if pairs[i] == "timestamp" {
			b = append(b, pairs[i+1]...)
		} else {
			b = append(b, canonical(pairs[i+1])...)
		}
	}
	return append(b, '}')
}

func (db *DB) serveLog(w http.ResponseWriter, r *http.Request, path []string) error {
	q := r.URL.Query()
	var start, count int
	for name, into := range map[string]*int{"start": &start, "count": &count} {
		var err error
		if *into, err = strconv.Atoi(q.Get(name)); q.Has(name) && (err != nil || *into < 0) {
			return badRequest("BadParameterType", "Bad parameter: %s", name)
		}
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
	list := []json.RawMessage{}
	for position, c := 0, res.commit; c != nil && (!q.Has("count") || len(list) < count); position, c = position+1, c.parent {
		if position >= start {
			list = append(list, c.print())
		}
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := canonical(v)
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // an error here is the client's going away
}

// writeError answers an error as the original words it.
func writeError(w http.ResponseWriter, responseType string, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		writeJSON(w, http.StatusInternalServerError, map[string]any{
			"@type": "api:UnhandledErrorResponse", "api:error": map[string]any{"@type": "api:InternalServerError"},
			"api:message": "An internal server error occurred. Please contact the administrator.", "api:status": "api:server_error",
		})
		return
	}
	status := "api:failure"
	if r.status == http.StatusNotFound {
		status = "api:not_found"
	}
	writeJSON(w, r.status, map[string]any{
		"@type": "api:" + responseType + "ErrorResponse", "api:error": map[string]any{"@type": "api:" + r.kind},
		"api:message": r.message, "api:status": status,
	})
}

// readJSON decodes a whole body, numbers exact.
func readJSON(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return d.Decode(v)
}
