package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// tool is a tool and the endpoint of the API that it asks.
type tool struct {
	name, title, text string
	method, path      string
	// requests declare the parameters, of which these are left out: what an agent can
	// make nothing of.
	requests []any
	without  []string
	// byDefault are the arguments of a call that does not have them.
	byDefault map[string]any
	// list is the member of the answer that can be long, "." for the answer itself. It
	// is cut here if cut is set, otherwise by the endpoint.
	list string
	cut  bool
	// make, in the place of the arguments as they are, makes the query and the body.
	make   func(arguments) (url.Values, []byte, error)
	shape  func(arguments, map[string]json.RawMessage) error // the answer, when it is no list
	writes bool
}

// documentPart and pushRequest declare what no request of the service does.
type documentPart struct {
	TextStart int `param:"text_start" least:"0" help:"Leave out so many bytes of the text: text_next of the answer before."`
}

type pushRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Branch string `param:"branch" help:"Branch to add the commit to (default main)."`
	Commit string `param:"target_commit" need:"" help:"Id of the new commit: one that there is not yet."`
	Parent string `param:"parent_commit" help:"Indexed commit that it goes on from; without it the new commit has these documents alone."`
}

// pushed describes the documents of a push.
var pushed = service.Property{Type: "array", Description: "Documents that are new or changed, whole, and the ids of those that go.", Items: &service.Property{
	Type: "object", Required: []string{"id"}, Properties: map[string]service.Property{
		"id":     {Type: "string", Description: "Id of the document, in full."},
		"text":   {Type: "string", Description: "Its text."},
		"fields": {Type: "object", Description: "Fields to filter by: texts, numbers, booleans or lists of texts."},
		"delete": {Type: "boolean", Description: "Whether it goes."},
	},
}}

// unread are parameters that an agent can make nothing of.
var unread = []string{"vector", "ancestor", "ef", "text", "explain", "feedback", "weight", "fallback", "rank"}

// tools are all tools. The first page of a list is short, for an agent to see whether
// it asks the right thing.
var tools = []tool{
	{
		name: "domains", title: "List databases", text: "List the databases that can be searched, with their branches and newest commits.",
		method: "GET", path: "/domains", requests: []any{&search.Page{}}, list: ".", cut: true,
	},
	{
		name: "log", title: "List commits", text: "List the commits of a database that can be searched, newest first.",
		method: "GET", path: "/commits", requests: []any{&service.CommitsRequest{}, &search.Page{}}, list: ".", cut: true,
	},
	{
		name: "search", title: "Search", text: "Find the documents of a commit that are about a text, by meaning and by words, best first, each with the part that matched.",
		method: "POST", path: "/search", requests: []any{&search.SearchRequest{}}, without: unread,
		byDefault: map[string]any{"snippet": true}, list: ".",
	},
	{
		name: "similar", title: "Find similar documents", text: "Find the documents of a commit that are nearest in meaning to one of them (id), to the mean of several (ids), or to a text.",
		method: "POST", path: "/similar", requests: []any{&search.SimilarRequest{}}, without: []string{"vector", "ancestor", "ef"},
		byDefault: map[string]any{"snippet": true}, list: ".",
	},
	{
		name: "document", title: "Read a document", text: "Read a document as it stands at a commit: its text and its fields. A long text comes in parts.",
		method: "GET", path: "/document", requests: []any{&search.DocumentRequest{}, &documentPart{}}, without: []string{"ancestor"}, shape: partOf,
	},
	{
		name: "duplicates", title: "List duplicates", text: "List the documents of a commit that are nearly the same, in groups or pairs, surest first.",
		method: "GET", path: "/duplicates", requests: []any{&pairs.DuplicatesRequest{}}, without: []string{"ancestor", "target_doc_type", "target_doc_id", "target_filter"},
		byDefault: map[string]any{"count": 20, "snippet": true}, list: ".",
	},
	{
		name: "clusters", title: "List clusters", text: "List the groups of documents of a commit that are alike in meaning, largest first, with telling words and typical documents.",
		method: "GET", path: "/clusters", requests: []any{&overview.ClustersRequest{}, &search.Page{}}, without: []string{"ancestor"}, list: "clusters", cut: true,
	},
	{
		name: "diff", title: "Compare commits", text: "List the documents that changed between two commits or branches, and how far each moved in meaning, farthest first.",
		method: "GET", path: "/diff", requests: []any{&search.DiffRequest{}}, list: "documents",
	},
	{
		name: "push", title: "Push documents", text: "Make a new commit of documents that are new, changed or gone since its parent commit. It is durable when the answer comes.",
		method: "POST", path: "/push", requests: []any{&pushRequest{}}, make: lines, writes: true,
	},
	{
		name: "decide", title: "Note a decision", text: "Note whether two documents are the same thing. Duplicates are listed accordingly from then on.",
		method: "POST", path: "/decisions", requests: []any{&pairs.DecisionRequest{}}, without: []string{"ancestor"}, writes: true,
	},
}

// schema returns what arguments a call has.
func (t *tool) schema() service.Schema {
	s := service.SchemaOf(t.without, t.requests...)
	if t.make != nil {
		s.Properties["documents"] = pushed
		s.Required = append(s.Required, "documents")
	}
	return s
}

// arguments are those of a call, by name.
type arguments map[string]json.RawMessage

// take returns a number, or what it is by default, and removes it.
func (a arguments) take(name string, byDefault, least, most int) (int, error) {
	raw, ok := a[name]
	delete(a, name)
	if !ok {
		return byDefault, nil
	}
	var n int
	if json.Unmarshal(raw, &n) != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a whole number from %d to %d", name, least, most)
	}
	return n, nil
}

// call asks the endpoint and returns the answer as an agent is to see it.
func (t *tool) call(ctx context.Context, api http.RoundTripper, raw json.RawMessage) ([]byte, error) {
	args := make(arguments)
	if len(raw) > 0 && json.Unmarshal(raw, &args) != nil {
		return nil, errors.New("the arguments must be an object")
	}
	for name, value := range args {
		if string(value) == "null" {
			delete(args, name)
		}
	}
	for name, value := range t.byDefault {
		if _, ok := args[name]; !ok {
			args[name] = encode(value)
		}
	}
	asked := args // what the endpoint is asked with
	var page cutting
	if t.list != "" {
		var err error
		if page, asked, err = t.page(args); err != nil {
			return nil, err
		}
	}
	if t.shape != nil {
		asked = args.without("text_start")
	}
	header, body, err := t.ask(ctx, api, asked)
	if err != nil {
		return nil, err
	}
	return t.answer(args, page, header, body)
}

func (a arguments) without(names ...string) arguments {
	out := make(arguments, len(a))
	maps.Copy(out, a)
	for _, name := range names {
		delete(out, name)
	}
	return out
}

// ask asks the endpoint.
func (t *tool) ask(ctx context.Context, api http.RoundTripper, args arguments) (http.Header, []byte, error) {
	var query url.Values
	var body []byte
	var err error
	switch {
	case t.make != nil:
		query, body, err = t.make(args)
	case t.method == http.MethodGet:
		query, err = args.query()
	default:
		body, err = json.Marshal(args)
	}
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, t.method, "http://localhost"+t.path+"?"+query.Encode(), strings.NewReader(string(body)))
	if err != nil {
		return nil, nil, err
	}
	if t.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if t.make != nil {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	res, err := api.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxRead+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(text) > maxRead:
		return nil, nil, errLong
	case res.StatusCode >= http.StatusMultipleChoices:
		return nil, nil, refusal(res.StatusCode, text)
	}
	return res.Header, text, nil
}

// maxRead bounds what is read of the API's answer.
const maxRead = 32 << 20

var errLong = errors.New("the answer is too long to be read: ask for less, by count or a filter")

// refusal returns what the API says of a request that it refuses.
func refusal(status int, body []byte) error {
	var problem struct{ Error, Code string }
	if json.Unmarshal(body, &problem) != nil || problem.Error == "" {
		return fmt.Errorf("the server answered %d", status)
	}
	return fmt.Errorf("%s (%s)", problem.Error, problem.Code)
}

// query returns arguments as a query string has them.
func (a arguments) query() (url.Values, error) {
	q := make(url.Values)
	for name, raw := range a {
		var text string
		var list []string
		switch {
		case json.Unmarshal(raw, &text) == nil:
			q.Set(name, text)
		case json.Unmarshal(raw, &list) == nil:
			q[name] = list
		case raw[0] == '{' || raw[0] == '[':
			return nil, fmt.Errorf("%s must be a text, a number, a boolean or a list of texts", name)
		default:
			q.Set(name, string(raw))
		}
	}
	return q, nil
}

// lines returns a push, a document a line.
func lines(args arguments) (url.Values, []byte, error) {
	type document struct {
		ID     string          `json:"id"`
		Text   *string         `json:"text"`
		Fields json.RawMessage `json:"fields"`
		Delete bool            `json:"delete"`
	}
	var documents []document
	if json.Unmarshal(args["documents"], &documents) != nil || len(documents) == 0 {
		return nil, nil, errors.New("documents must be a list of objects, and have one")
	}
	query, err := args.without("documents").query()
	if err != nil {
		return nil, nil, err
	}
	query.Set("strict", "true")
	var b strings.Builder
	for i, d := range documents {
		line := map[string]any{"op": "Replaced", "id": d.ID}
		switch {
		case d.ID == "":
			return nil, nil, fmt.Errorf("documents[%d] has no id", i)
		case d.Delete:
			line["op"] = "Deleted"
		case d.Text == nil:
			return nil, nil, fmt.Errorf("documents[%d] has no text, and is not to be deleted", i)
		default:
			line["string"] = *d.Text
			if len(d.Fields) > 0 {
				line["fields"] = d.Fields
			}
		}
		text, err := json.Marshal(line)
		if err != nil {
			return nil, nil, err
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return query, []byte(b.String()), nil
}
