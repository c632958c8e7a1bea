package api

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// params are the parameters of one request: those of the query string, and the
// members of a JSON body, which win over the query where they are present and
// not null. Unknown ones are ignored.
//
// Its methods look a parameter up, check it and return its value. The first
// that is missing or wrong is kept in err, and what later ones return then
// means nothing: handlers ask in the order in which mistakes are to be
// reported, and look at err once, before they act.
type params struct {
	query []pair
	body  map[string]json.RawMessage
	err   error
}

// queryParams returns the parameters of a request without a body.
func queryParams(r *http.Request) (*params, error) {
	pairs, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return &params{query: pairs}, nil
}

// anyParams returns the parameters of a request whose body, if it has one, may
// be a JSON object or a form.
func anyParams(r *http.Request) (*params, error) {
	p, err := queryParams(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil || len(body) == 0 {
		return p, err
	}
	switch t := mediaType(r); {
	case isJSON(t):
		p.body, err = parseObject(body)
	case t == mediaForm:
		var form []pair
		form, err = parseQuery(string(body))
		p.query = append(p.query, form...)
	default:
		err = failure(errMediaType, "the Content-Type of a body must be %s or %s", mediaJSON, mediaForm)
	}
	return p, err
}

// jsonParams returns the parameters of a request which, when it is a POST, has
// a JSON body.
func jsonParams(r *http.Request) (*params, error) {
	p, err := queryParams(r)
	if err != nil || r.Method != http.MethodPost {
		return p, err
	}
	if !isJSON(mediaType(r)) {
		return nil, failure(errMediaType, "the Content-Type must be %s", mediaJSON)
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	p.body, err = parseObject(body)
	return p, err
}

// fail keeps the first error.
func (p *params) fail(kind error, format string, args ...any) {
	if p.err == nil {
		p.err = failure(kind, format, args...)
	}
}

// member returns a member of the JSON body.
func (p *params) member(name string) (json.RawMessage, bool) {
	raw, ok := p.body[name]
	return raw, ok && string(raw) != "null"
}

// single returns a parameter of the query string that may be given once.
func (p *params) single(name string) (string, bool) {
	value, found := "", false
	for _, q := range p.query {
		if q.name != name || q.index != plain {
			continue
		}
		if found {
			p.fail(errParameter, "%s is given more than once", name)
			return "", false
		}
		value, found = q.value, true
	}
	return value, found
}

// lookup returns a text and whether it was given.
func (p *params) lookup(name string) (string, bool) {
	raw, ok := p.member(name)
	if !ok {
		return p.single(name)
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		p.fail(errType, "%s must be a string", name)
		return "", false
	}
	return text, true
}

// text returns a text; empty and absent are one.
func (p *params) text(name string) string {
	text, _ := p.lookup(name)
	return text
}

// required returns a text that must not be empty.
func (p *params) required(name string) string {
	text := p.text(name)
	if text == "" {
		p.fail(errMissing, "%s is required", name)
	}
	return text
}

// list returns the values of a repeatable parameter, under any of its names:
// an array of the JSON body (or one string), else those of the query.
func (p *params) list(names ...string) []string {
	for _, name := range names {
		raw, ok := p.member(name)
		if !ok {
			continue
		}
		var one string
		if json.Unmarshal(raw, &one) == nil {
			return []string{one}
		}
		var many []*string // a null among them is no string
		bad := json.Unmarshal(raw, &many) != nil
		values := make([]string, 0, len(many))
		for _, v := range many {
			if v == nil {
				bad = true
				break
			}
			values = append(values, *v)
		}
		if bad {
			p.fail(errType, "%s must be an array of strings", name)
			return nil
		}
		return values
	}
	return listed(p.query, names...)
}

// scalar returns the text of a number or boolean, and the kind of error that a
// text of the wrong kind is: JSON has types, a query string has not.
func (p *params) scalar(name string) (text string, wrong error, ok bool) {
	if raw, ok := p.member(name); ok {
		return string(raw), errType, true
	}
	text, ok = p.single(name)
	return text, errParameter, ok
}

// flag returns a boolean, false by default.
func (p *params) flag(name string) bool {
	text, wrong, ok := p.scalar(name)
	if ok && text != "true" && text != "false" {
		p.fail(wrong, "%s must be true or false", name)
	}
	return text == "true"
}

// whole returns a whole number from lo to hi.
func (p *params) whole(name string, byDefault, lo, hi int) int {
	text, wrong, ok := p.scalar(name)
	if !ok {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
	case err != nil, n < int64(lo), n > int64(hi):
		wrong = errParameter
	default:
		return int(n)
	}
	p.fail(wrong, "%s must be a whole number from %d to %d", name, lo, hi)
	return byDefault
}

// threshold returns a finite number of at least 0.
func (p *params) threshold(name string, byDefault float32) float32 {
	text, ok := p.single(name)
	if !ok {
		return byDefault
	}
	x, err := strconv.ParseFloat(text, 64)
	// The characters are checked because ParseFloat also reads what Go
	// programs write.
	if err != nil || strings.Trim(text, "0123456789.eE+-") != "" || x < 0 || math.IsInf(x, 0) {
		p.fail(errParameter, "%s must be a finite number of at least 0", name)
		return byDefault
	}
	return float32(min(x, math.MaxFloat32))
}

// domain returns the graphspec of the required domain parameter.
func (p *params) domain() service.GraphSpec { return p.graphSpec("domain") }

// graphSpec returns the graphspec of a required parameter.
func (p *params) graphSpec(name string) service.GraphSpec {
	text := p.required(name)
	if p.err != nil {
		return service.GraphSpec{}
	}
	spec, err := service.ParseGraphSpec(text)
	if err != nil {
		p.fail(errParameter, "%s: %v", name, err)
	}
	return spec
}

// branch returns a branch parameter, or "".
func (p *params) branch() string {
	name := p.text("branch")
	if err := service.CheckBranch(name); err != nil {
		p.fail(errParameter, "branch %v", err)
	}
	return name
}

// commit returns a parameter that names a commit, or "".
func (p *params) commit(name string) string {
	id := p.text(name)
	if err := service.CheckRefName(id); err != nil {
		p.fail(errParameter, "%s %v", name, err)
	}
	return id
}

// branchOr returns the branch to write to: the parameter's, else the
// graphspec's, else main.
func (p *params) branchOr(spec service.GraphSpec) string {
	branch := p.branch()
	if branch == "" {
		branch = spec.Branch
	}
	if branch == "" {
		branch = contract.MainBranch
	}
	return branch
}

// ref returns the commit to read from. A parameter wins over the graphspec, a
// commit over a branch; there is no silent default, because "the latest" would
// change under the reader's hands.
func (p *params) ref(spec service.GraphSpec) search.Ref {
	branch, commit := p.branch(), p.commit("commit")
	if commit == "" && branch == "" {
		branch, commit = spec.Branch, spec.Commit
	}
	var ancestors []string
	for _, a := range p.list("ancestors", "ancestor") {
		if err := service.CheckRefName(a); err != nil {
			p.fail(errParameter, "ancestor %v", err)
		}
		if a != "" {
			ancestors = append(ancestors, a)
		}
	}
	switch {
	case commit != "":
		return search.Ref{Commit: commit, Ancestors: ancestors}
	case branch != "":
		return search.Ref{Branch: branch}
	}
	p.fail(errMissing, "commit or branch is required")
	return search.Ref{}
}

// page returns the part of a ranking that is wanted.
func (p *params) page() search.Page {
	return search.Page{
		Start: p.whole("start", 0, 0, search.MaxStart),
		Count: p.whole("count", defaultCount, 1, search.MaxCount),
	}
}

const defaultCount = 10

// ef returns the breadth of the graph walk, 0 for the default.
func (p *params) ef() int { return p.whole("ef", 0, 1, search.MaxEf) }

// filter returns the filter of the parameters prefix + "doc_type", prefix +
// "doc_id" and prefix + "filter".
func (p *params) filter(prefix string) search.Filter {
	return search.Filter{
		Types: p.list(prefix + "doc_type"),
		IDs:   p.list(prefix + "doc_id"),
		Expr:  p.expression(prefix + "filter"),
	}
}

// expression returns an expression over fields; blank is none.
func (p *params) expression(name string) string { return strings.TrimSpace(p.text(name)) }

// outputFields returns the names of what hits are to bring besides.
func (p *params) outputFields() []string {
	names := slices.DeleteFunc(p.list("output_fields"), func(name string) bool { return name == "" })
	if len(names) == 0 {
		return nil
	}
	if len(names) > fields.MaxFields {
		p.fail(errParameter, "output_fields names more than %d fields", fields.MaxFields)
	}
	return names
}
