package minidb

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
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

// ServeHTTP answers as TerminusDB does.
func (db *DB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	segments := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		if u, err := url.PathUnescape(s); err == nil {
			segments[i] = u
		}
	}
	endpoint := ""
	if len(segments) > 1 && segments[0] == "api" {
		endpoint = segments[1]
	}
	user, known := db.authenticate(r)
	switch endpoint {
	case "ok":
		w.Header().Set("Content-Type", "application/octets")
		return
	case "document", "log", "graphql", "branch", "db", "prefixes", "info", "woql":
	default:
		w.Header().Set("Content-Type", typeJSON)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "{\n  \"api:message\":%s,\n  \"api:path\":%s,\n  \"api:status\":\"api:not_found\"\n}\n",
			canonical("Path not found: "+r.URL.Path), canonical(r.URL.Path))
		return
	}
	if !known {
		if endpoint == "graphql" {
			graphqlFailure(w, http.StatusUnauthorized, "Authentication incorrect")
			return
		}
		writeJSON(w, http.StatusUnauthorized, typeJSON, map[string]any{
			"@type": "api:ErrorResponse", "api:error": map[string]any{"@type": "api:IncorrectAuthenticationError"},
			"api:message": "Incorrect authentication information", "api:status": "api:failure",
		})
		return
	}
	if endpoint == "info" {
		writeJSON(w, http.StatusOK, typeJSON, map[string]any{
			"@type": "api:InfoResponse", "api:status": "api:success",
			"api:info": map[string]any{
				"authority":  "terminusdb://system/data/User/" + user,
				"storage":    map[string]any{"version": "2"},
				"terminusdb": map[string]any{"git_hash": "minidb", "version": "12.0.6"},
			},
		})
		return
	}
	if user != db.cfg.User {
		db.forbid(w, endpoint, user, segments[2:])
		return
	}
	path := segments[2:]
	var err error
	responseType := ""
	switch endpoint {
	case "document":
		responseType = map[string]string{http.MethodPost: "InsertDocument", http.MethodPut: "ReplaceDocument", http.MethodDelete: "DeleteDocument"}[r.Method]
		if isRead(r) {
			responseType = "GetDocument"
		}
		err = db.serveDocument(w, r, path)
	case "log":
		responseType = "Log"
		err = db.serveLog(w, r, path)
	case "branch":
		responseType = "Branch"
		err = db.serveBranch(w, r, path)
	case "db":
		responseType = "DbCreate"
		err = db.serveCreate(w, r, path)
	case "prefixes":
		responseType = "Prefix"
		err = db.servePrefixes(w, path)
	case "woql":
		responseType = "Woql"
		err = db.serveWOQL(w, r, path)
	case "graphql":
		db.serveGraphQL(w, r, path)
	}
	if err != nil {
		writeError(w, responseType, err)
	}
}

// authenticate returns the user of a request; known is false when its
// credentials are wrong.
func (db *DB) authenticate(r *http.Request) (user string, known bool) {
	if db.cfg.ForwardHeader != "" && r.Header.Get(db.cfg.ForwardHeader) != "" {
		return db.cfg.User, r.Header.Get(db.cfg.ForwardHeader) == db.cfg.User
	}
	if name, password, ok := r.BasicAuth(); ok {
		right := subtle.ConstantTimeCompare([]byte(name), []byte(db.cfg.User)) &
			subtle.ConstantTimeCompare([]byte(password), []byte(db.cfg.Password))
		return db.cfg.User, right == 1
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return "anonymous", scheme != "Basic" && scheme != "Bearer"
}

func (db *DB) forbid(w http.ResponseWriter, endpoint, user string, path []string) {
	scope := "'UserDatabase/" + strings.Join(path[min(1, len(path)):min(2, len(path))], "") + "'"
	action, auth := "'@schema':'Action/instance_read_access'", "'terminusdb://system/data/User/"+user+"'"
	message := fmt.Sprintf("Access to %s is not authorised with action %s and auth %s", scope, action, auth)
	if endpoint == "graphql" {
		graphqlFailure(w, http.StatusForbidden, message)
		return
	}
	writeJSON(w, http.StatusForbidden, typeJSON, map[string]any{
		"action": action, "api:message": message, "api:status": "api:forbidden", "auth": auth, "scope": scope,
	})
}

// resource is what a path names.
type resource struct {
	db     *database
	branch *branch
	commit *commit // the branch's head, or the one named
	graph  bool    // the commit graph
	name   string
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
	if len(path) != 2 && (len(path) < 4 || path[2] != "local") || slices.Contains(path, "") {
		return resource{}, refuse(http.StatusBadRequest, "InvalidResourcePath", fmt.Sprintf("Resource path invalid: '%s'", name), map[string]any{"api:resource_path": name})
	}
	d := db.databases[path[0]+"/"+path[1]]
	if d == nil {
		return resource{}, unknownDatabase(path[0] + "/" + path[1])
	}
	r := resource{db: d, name: name}
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
		return r, refuse(http.StatusBadRequest, "InvalidResourcePath", fmt.Sprintf("Resource path invalid: '%s'", name), map[string]any{"api:resource_path": name})
	}
	return r, nil
}

func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead ||
		r.Method == http.MethodPost && r.Header.Get("X-HTTP-Method-Override") == http.MethodGet
}

// readOptions are the parameters of a document read, from the query or the
// body.
type readOptions struct {
	graph     string
	class     string
	id        string
	ids       []string
	skip      int
	count     int // -1: all
	list      bool
	minimized bool
}

func parseRead(r *http.Request) (readOptions, error) {
	o := readOptions{count: -1, minimized: true}
	bad := func(name string) error {
		return refuse(http.StatusBadRequest, "BadParameterType", "Bad parameter: "+name, map[string]any{"api:parameter": name})
	}
	q := map[string]any{}
	for name, v := range r.URL.Query() {
		q[name] = v[0]
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			return o, refuse(http.StatusBadRequest, "MalformedJson", "Submitted JSON is malformed", nil)
		}
	}
	for name, v := range q {
		text := fmt.Sprint(v)
		var err error
		switch name {
		case "graph_type":
			o.graph = text
		case "type":
			o.class = text
		case "id":
			o.id = text
		case "ids":
			o.ids = append([]string{}, texts(v)...)
		case "skip":
			o.skip, err = strconv.Atoi(text)
		case "count":
			o.count, err = strconv.Atoi(text)
		case "as_list":
			o.list, err = strconv.ParseBool(text)
		case "minimized":
			o.minimized, err = strconv.ParseBool(text)
		}
		if err != nil || o.skip < 0 {
			return o, bad(name)
		}
	}
	return o, nil
}

func (db *DB) serveDocument(w http.ResponseWriter, r *http.Request, path []string) error {
	if !isRead(r) {
		return db.serveWrite(w, r, path)
	}
	options, err := parseRead(r)
	if err != nil {
		return err
	}
	db.mu.RLock()
	res, err := db.resolve(path)
	var docs [][]byte
	if err == nil {
		docs, err = selectDocuments(res, options)
	}
	version := ""
	if err == nil {
		version = res.version()
	}
	db.mu.RUnlock()
	if err != nil {
		return err
	}
	w.Header().Set("TerminusDB-Data-Version", version)
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", "0")
		return nil
	}
	var b bytes.Buffer
	for i, doc := range docs {
		if i > 0 {
			b.WriteString(map[bool]string{true: ",\n", false: "\n"}[options.list])
		}
		if options.minimized {
			b.Write(doc)
		} else if err := json.Indent(&b, doc, "", "  "); err != nil {
			return err
		}
	}
	if options.list {
		w.Header().Set("Content-Type", typeJSON)
		fmt.Fprintf(w, "[\n%s\n]\n", b.Bytes())
		return nil
	}
	w.Header().Set("Content-Type", typeStream)
	_, err = fmt.Fprintf(w, "%s\n", b.Bytes())
	return err
}

// selectDocuments returns the printed documents that the options ask for.
func selectDocuments(r resource, o readOptions) ([][]byte, error) {
	var docs [][]byte
	missing := func(id string) error {
		return refuse(http.StatusNotFound, "DocumentNotFound", fmt.Sprintf("Document not found: '%s'", id), map[string]any{"api:document_id": id})
	}
	switch {
	case r.graph:
		docs = r.db.commitGraph(o)
	case o.graph == "schema":
		// The context comes first, having no id.
		raw := r.commit.schema.raw
		for _, name := range slices.Sorted(maps.Keys(raw)) {
			if o.id == "" || o.id == name {
				docs = append(docs, canonical(raw[name]))
			}
		}
	default:
		docs = r.commit.selectInstances(o)
	}
	if o.id != "" && len(docs) == 0 && !o.list {
		return nil, missing(o.id)
	}
	docs = docs[min(o.skip, len(docs)):]
	if o.count >= 0 {
		docs = docs[:min(o.count, len(docs))]
	}
	return docs, nil
}

func (c *commit) selectInstances(o readOptions) [][]byte {
	c.index()
	ids := c.order
	switch {
	case o.ids != nil:
		ids = o.ids
	case o.id != "":
		ids = []string{o.id}
	}
	class := strings.TrimPrefix(o.class, c.prefixes.Schema)
	byID := o.ids != nil || o.id != ""
	var docs [][]byte
	for _, id := range ids {
		n := c.nodes[strings.TrimPrefix(id, c.prefixes.Base)]
		switch {
		case n == nil, class != "" && !c.schema.isA(n.class, class):
		case n.id == n.document.id:
			docs = append(docs, n.document.json)
		case byID:
			docs = append(docs, canonical(n.value))
		}
	}
	return docs
}

// commitGraph lists branches and commits as documents.
func (d *database) commitGraph(o readOptions) [][]byte {
	var docs [][]byte
	add := func(class, id string, doc []byte) {
		if (o.class == "" || o.class == class) && (o.id == "" || o.id == class+"/"+id) {
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
	if r.Method != http.MethodGet {
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "Method not allowed", nil)
	}
	options, err := parseRead(r) // skip is called start here
	if err != nil {
		return err
	}
	start, err := strconv.Atoi(r.URL.Query().Get("start"))
	if err != nil && r.URL.Query().Has("start") || start < 0 {
		return refuse(http.StatusBadRequest, "BadParameterType", "Bad parameter: start", map[string]any{"api:parameter": "start"})
	}
	db.mu.RLock()
	res, err := db.resolve(path)
	var commit *commit
	if err == nil {
		commit = res.commit
	}
	db.mu.RUnlock()
	if err != nil {
		return err
	}
	if commit == nil {
		return errUnhandled
	}
	var list []json.RawMessage
	for position := 0; commit != nil && (options.count < 0 || len(list) < options.count); position++ {
		if position >= start {
			list = append(list, commit.print())
		}
		commit = commit.parent
	}
	writeJSON(w, http.StatusOK, typeJSON, append([]json.RawMessage{}, list...))
	return nil
}

func (db *DB) servePrefixes(w http.ResponseWriter, path []string) error {
	db.mu.RLock()
	res, err := db.resolve(path)
	var p Prefixes
	if err == nil {
		p = res.db.prefixes
	}
	db.mu.RUnlock()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, typeJSON, map[string]any{"@type": "Context", "@base": p.Base, "@schema": p.Schema})
	return nil
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body := canonical(v)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // an error here is the client's going away
}

// writeError answers an error as the original words it.
func writeError(w http.ResponseWriter, responseType string, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		writeJSON(w, http.StatusInternalServerError, typeJSON, map[string]any{
			"@type": "api:UnhandledErrorResponse", "api:error": map[string]any{"@type": "api:InternalServerError"},
			"api:message": "An internal server error occurred. Please contact the administrator.", "api:status": "api:server_error",
		})
		return
	}
	detail := map[string]any{"@type": "api:" + r.kind}
	maps.Copy(detail, r.detail)
	status := "api:failure"
	if r.status == http.StatusNotFound {
		status = "api:not_found"
	}
	writeJSON(w, r.status, typeJSON, map[string]any{
		"@type": "api:" + responseType + "ErrorResponse", "api:error": detail,
		"api:message": r.message, "api:request_id": requestID(), "api:status": status,
	})
}

func requestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// readBody returns the whole body, within the limit.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, refuse(http.StatusRequestEntityTooLarge, "RequestTooLarge", "The request body cannot be read", nil)
	}
	return body, nil
}
