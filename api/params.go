package api

import (
	"encoding/json"
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// values are the parameters of one request: those of the query string, and the
// members of a JSON body.
type values struct {
	query []pair
	body  map[string]json.RawMessage
}

// Member returns a member of the JSON body.
func (v *values) Member(name string) (json.RawMessage, bool) {
	raw, ok := v.body[name]
	return raw, ok && string(raw) != "null"
}

// Texts returns the values of name=value in the query string.
func (v *values) Texts(name string) []string {
	var texts []string
	for _, q := range v.query {
		if q.name == name && q.index == plain {
			texts = append(texts, q.value)
		}
	}
	return texts
}

// List returns the values of a repeatable parameter of the query string.
func (v *values) List(names ...string) []string { return listed(v.query, names...) }

// queryValues returns the values of a request without a body.
func queryValues(r *http.Request) (*values, error) {
	pairs, err := parseQuery(r.URL.RawQuery)
	return &values{query: pairs}, err
}

// queryParams returns the parameters of a request without a body.
func queryParams(r *http.Request) (*service.Params, error) {
	v, err := queryValues(r)
	return service.NewParams(v), err
}

// anyParams returns the parameters of a request whose body, if it has one, may
// be a JSON object or a form.
func anyParams(r *http.Request) (*service.Params, error) {
	v, err := queryValues(r)
	p := service.NewParams(v)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil || len(body) == 0 {
		return p, err
	}
	switch t := mediaType(r); {
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
	v, err := queryValues(r)
	p := service.NewParams(v)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	if !isJSON(mediaType(r)) {
		return nil, service.Failure(errMediaType, "the Content-Type must be %s", mediaJSON)
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	v.body, err = parseObject(body)
	return p, err
}
