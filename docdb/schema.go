package docdb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
)

// Class is a document class that says how it becomes text: the query that
// fetches a document and the template that is rendered over what it fetched.
type Class struct {
	Name     string
	Query    string
	Template string // "" where the class has none
	Err      error  // not nil: the metadata cannot be used; Query and Template are empty
}

// Classes lists the classes with embedding metadata in the schema at a commit,
// by name. The database does not inherit metadata, so neither does this: a
// subclass needs its own. A class with unusable metadata has its Err set.
func (c *Client) Classes(ctx context.Context, domain, commit string) ([]Class, error) {
	path, err := resource("/api/document", domain, "local", "commit", commit)
	if err != nil {
		return nil, err
	}
	a, err := c.wire.do(ctx, http.MethodGet, path, url.Values{"graph_type": {"schema"}, "as_list": {"true"}}, nil)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		if a.status == http.StatusInternalServerError {
			// What it also answers for a commit it does not know.
			if _, err := c.Commit(ctx, domain, commit); err != nil {
				return nil, err
			}
		}
		return nil, c.wire.fault(a, domain)
	}
	var schema []struct {
		ID       string          `json:"@id"`
		Type     string          `json:"@type"`
		Metadata json.RawMessage `json:"@metadata"`
	}
	if err := json.Unmarshal(a.body, &schema); err != nil {
		return nil, c.wire.garbage("its schema is not a list of classes")
	}
	var classes []Class
	for _, s := range schema {
		if s.Type != "Class" && s.Type != "TaggedUnion" || s.ID == "" {
			continue
		}
		if class, ok := parseMetadata(s.Metadata); ok {
			class.Name = s.ID
			classes = append(classes, class)
		}
	}
	slices.SortFunc(classes, func(a, b Class) int { return cmp.Compare(a.Name, b.Name) })
	return classes, nil
}

// parseMetadata reads the @metadata of a class; ok is false when it says
// nothing of embedding. The database stores whatever it is given, so anything
// may be met.
func parseMetadata(raw json.RawMessage) (class Class, ok bool) {
	if isNull(raw) {
		return Class{}, false
	}
	var metadata map[string]json.RawMessage
	if json.Unmarshal(raw, &metadata) != nil {
		return Class{Err: errors.New("@metadata is not an object")}, true
	}
	if isNull(metadata["embedding"]) {
		return Class{}, false
	}
	var embedding map[string]json.RawMessage
	if json.Unmarshal(metadata["embedding"], &embedding) != nil {
		return Class{Err: errors.New("@metadata.embedding is not an object")}, true
	}
	if raw := embedding["query"]; !isNull(raw) && json.Unmarshal(raw, &class.Query) != nil {
		return Class{Err: errors.New("@metadata.embedding.query is not a string")}, true
	}
	if raw := embedding["template"]; !isNull(raw) && json.Unmarshal(raw, &class.Template) != nil {
		return Class{Err: errors.New("@metadata.embedding.template is not a string")}, true
	}
	if class.Query == "" {
		return Class{Err: errors.New("@metadata.embedding has no query")}, true
	}
	return class, true
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}
