package minidb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// serveWrite answers POST, PUT and DELETE of documents.
func (db *DB) serveWrite(w http.ResponseWriter, r *http.Request, path []string) error {
	q := r.URL.Query()
	db.mu.RLock()
	res, err := db.resolve(path)
	db.mu.RUnlock()
	if err != nil {
		return err
	}
	graph := q.Get("graph_type")
	if res.branch == nil {
		if graph == "" {
			graph = "instance"
		}
		return refuse(http.StatusBadRequest, "DocumentAccessImpossible", fmt.Sprintf("action 'write' on graph type %s is impossible on resource '%s'", graph, res.name),
			map[string]any{"api:access_type": "write", "api:graph_type": graph, "api:resource_path": res.name})
	}
	change := Change{Branch: res.branch.name, Author: q.Get("author"), Message: q.Get("message")}
	for _, name := range []string{"author", "message"} {
		if q.Get(name) == "" {
			return refuse(http.StatusBadRequest, "MissingParameter", "Missing parameter: "+name, map[string]any{"api:parameter": name})
		}
	}
	if version := r.Header.Get("TerminusDB-Data-Version"); version != "" {
		change.IfHead = strings.TrimPrefix(version, "branch:")
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	documents := []json.RawMessage{body}
	switch {
	case r.Method == http.MethodDelete:
		if id := q.Get("id"); id != "" {
			change.Delete = []string{id}
		} else if json.Unmarshal(body, &change.Delete) != nil {
			return refuse(http.StatusBadRequest, "MalformedJson", "Submitted JSON is not a list of ids", nil)
		}
	case graph == "schema":
		change.Schema, change.FullSchema = documents, q.Get("full_replace") == "true"
	case r.Method == http.MethodPost:
		change.Insert = documents
	case r.Method == http.MethodPut && q.Get("create") == "true":
		change.Upsert = documents
	case r.Method == http.MethodPut:
		change.Replace = documents
	default:
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "Method not allowed", nil)
	}
	head, named, err := db.commit(res.db.name, change)
	if err != nil {
		return err
	}
	w.Header().Set("TerminusDB-Data-Version", "branch:"+head)
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	writeJSON(w, http.StatusOK, typeJSON, append([]string{}, named...))
	return nil
}

// serveBranch answers POST of a branch with {"origin": "<resource>"}.
func (db *DB) serveBranch(w http.ResponseWriter, r *http.Request, path []string) error {
	if r.Method != http.MethodPost || len(path) != 5 || path[2] != "local" || path[3] != "branch" {
		return refuse(http.StatusBadRequest, "InvalidResourcePath", "Resource path invalid: '"+strings.Join(path, "/")+"'", nil)
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var request struct {
		Origin string `json:"origin"`
	}
	if json.Unmarshal(body, &request) != nil || request.Origin == "" {
		return refuse(http.StatusBadRequest, "MissingParameter", "Missing parameter: origin", map[string]any{"api:parameter": "origin"})
	}
	db.mu.RLock()
	from, err := db.resolve(strings.Split(request.Origin, "/"))
	commit := ""
	if err == nil && from.commit != nil {
		commit = from.commit.id
	}
	db.mu.RUnlock()
	if err == nil {
		err = db.Branch(path[0]+"/"+path[1], path[4], commit)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, typeJSON, map[string]any{"@type": "api:BranchResponse", "api:status": "api:success"})
	return nil
}

// serveCreate answers POST of a database.
func (db *DB) serveCreate(w http.ResponseWriter, r *http.Request, path []string) error {
	if r.Method != http.MethodPost || len(path) != 2 {
		return refuse(http.StatusBadRequest, "InvalidResourcePath", "Resource path invalid: '"+strings.Join(path, "/")+"'", nil)
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var request struct {
		Prefixes struct {
			Base   string `json:"@base"`
			Schema string `json:"@schema"`
		} `json:"prefixes"`
	}
	if json.Unmarshal(body, &request) != nil {
		return refuse(http.StatusBadRequest, "MalformedJson", "Submitted JSON is malformed", nil)
	}
	domain := path[0] + "/" + path[1]
	if _, err := db.Create(domain, Prefixes{request.Prefixes.Base, request.Prefixes.Schema}); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, typeJSON, map[string]any{
		"@type": "api:DbCreateResponse", "api:database_uri": "terminusdb://system/data/UserDatabase/" + path[1], "api:status": "api:success",
	})
	return nil
}
