package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/service"
)

// values are the parameters of one request: those of the query string, and the
// members of a JSON body.
type values struct {
	query []pair
	body  map[string]json.RawMessage
	ids   []string // of documents, in a body by lines
}

// Member returns a member of the JSON body.
func (v *values) Member(name string) (json.RawMessage, bool) {
	raw, ok := v.body[name]
	return raw, ok && string(raw) != "null"
}

// Texts returns the values of a parameter in the query string; brackets behind its
// name mean nothing.
func (v *values) Texts(name string) []string {
	var texts []string
	for _, q := range v.query {
		if q.name == name {
			texts = append(texts, q.value)
		}
	}
	return texts
}

// List returns the values of a repeatable parameter of the query string.
func (v *values) List(names ...string) []string { return listed(v.query, names...) }

// Names returns the names in the query string, then those of the JSON body's members.
func (v *values) Names() []string {
	names := make([]string, 0, len(v.query)+len(v.body))
	for _, q := range v.query {
		names = append(names, q.name)
	}
	return append(names, slices.Sorted(maps.Keys(v.body))...)
}

// useless lists, by path, what published clients send to endpoints that have no use
// for it (wire contract §2.4). Any other parameter that an endpoint does not have is
// a mistake.
var useless = map[string][]string{
	"/statistics": {"commit", "branch", "ancestor"},
	"/integrity":  {"commit", "branch", "ancestor"},
	"/compare":    {"domain", "commit", "branch", "ancestor"},
	"/notify":     {"domain", "branch_head", "inserts", "deletes"},
}

// newValues returns the values of a request, without those of its body, and the
// parameters that they are.
func newValues(r *http.Request) (*values, *service.Params, error) {
	pairs, err := parseQuery(r.URL.RawQuery)
	v := &values{query: pairs}
	p := service.NewParams(r.Context(), v)
	p.Accept(useless[r.URL.Path]...)
	p.Key = service.CallerKey(r.Header)
	return v, p, err
}

// queryParams returns the parameters of a request without a body.
func queryParams(r *http.Request) (*service.Params, error) {
	_, p, err := newValues(r)
	return p, err
}

// anyParams returns the parameters of a request whose body, if it has one, may
// be a JSON object or a form.
func anyParams(r *http.Request) (*service.Params, error) {
	v, p, err := newValues(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil || len(body) == 0 {
		return p, err
	}
	switch t := service.MediaType(r); {
	case isJSON(t):
		v.body, err = parseObject(body)
	case t == mediaForm:
		var form []pair
		form, err = parseQuery(string(body))
		v.query = append(v.query, form...)
	default:
		err = service.Failure(errMediaType, "the Content-Type of a body must be %s or %s", mediaJSON, mediaForm)
	}
	return p, err
}

// jsonParams returns the parameters of a request which, when it is a POST, has
// a JSON body.
func jsonParams(r *http.Request) (*service.Params, error) {
	v, p, err := newValues(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	if !isJSON(service.MediaType(r)) {
		return nil, service.Failure(errMediaType, "the Content-Type must be %s", mediaJSON)
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	v.body, err = parseObject(body)
	return p, err
}
