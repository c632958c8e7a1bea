package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"go.yaml.in/yaml/v3"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// specification is openapi.yaml.
var specification = sync.OnceValues(func() (*openapi3.T, error) {
	for _, media := range []string{"application/octet-stream", "application/x-npy", bundle.MediaType} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	data, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

// conforms checks an answer against the contract: its status, headers and body
// must be ones that openapi.yaml tells of.
func conforms(t *testing.T, req *http.Request, got reply) {
	t.Helper()
	doc, err := specification()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	path := req.URL.Path
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if got.status == http.StatusMethodNotAllowed {
		if req.Method != http.MethodHead {
			conformsTo(t, doc, "Error", got.body)
		}
		return
	}
	item := doc.Paths.Value(path)
	method := req.Method
	if method == http.MethodHead { // documented once, for all paths
		method = http.MethodGet
	}
	if item == nil || item.GetOperation(method) == nil {
		if got.status != http.StatusNotFound && got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
			t.Errorf("%s %s is not in openapi.yaml and answers %d", req.Method, path, got.status)
		}
		if req.Method != http.MethodHead {
			conformsTo(t, doc, "Error", got.body)
		}
		return
	}
	operation := item.GetOperation(method)
	response := operation.Responses.Status(got.status)
	if response == nil {
		t.Errorf("%s %s: status %d is not in openapi.yaml: %.200s", req.Method, path, got.status, got.body)
		return
	}
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	lines := media == "application/x-ndjson"
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req,
			Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation},
		},
		Status: got.status, Header: got.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: lines || req.Method == http.MethodHead},
	}
	in.SetBodyBytes([]byte(got.body))
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		t.Errorf("%s %s: the answer is not what openapi.yaml says: %v", req.Method, path, err)
	}
	if !lines || req.Method == http.MethodHead {
		return
	}
	content := response.Value.Content.Get("application/x-ndjson")
	if content == nil {
		t.Errorf("%s %s: openapi.yaml has no lines", req.Method, path)
		return
	}
	for line := range strings.Lines(got.body) {
		var v any
		err := json.Unmarshal([]byte(line), &v)
		if err == nil {
			err = content.Schema.Value.VisitJSON(v)
		}
		if err != nil {
			t.Errorf("%s %s: the line %.200s is not what openapi.yaml says: %v", req.Method, path, line, err)
		}
	}
}

func conformsTo(t *testing.T, doc *openapi3.T, schema, body string) {
	t.Helper()
	var v any
	err := json.Unmarshal([]byte(body), &v)
	if err == nil {
		err = doc.Components.Schemas[schema].Value.VisitJSON(v)
	}
	if err != nil {
		t.Errorf("%.200s is no %s: %v", body, schema, err)
	}
}

// TestContractNamesEveryEndpoint compares openapi.yaml with the paths and
// methods that the server has.
func TestContractNamesEveryEndpoint(t *testing.T) {
	doc, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]string)
	for path, item := range doc.Paths.Map() {
		var methods []string
		for method, op := range item.Operations() {
			methods = append(methods, method)
			// The page sends a GET unless it is said to change something.
			if method == http.MethodGet && op.Extensions["x-changes"] == nil {
				methods = append(methods, http.MethodHead)
			}
			open := op.Security != nil && len(*op.Security) == 0
			for _, ep := range endpoints {
				if ep.path == path && ep.private == open {
					t.Errorf("%s %s: openapi.yaml says that it is open: %t", method, path, open)
				}
			}
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: has no name, summary or tag", method, path)
			}
			// What every request may meet with must be told everywhere.
			for _, status := range []int{400, 401, 403, 429, 500, 503} {
				if !open && op.Responses.Status(status) == nil {
					t.Errorf("%s %s: tells nothing of status %d", method, path, status)
				}
			}
		}
		slices.Sort(methods)
		named[path] = strings.Join(methods, ", ")
	}
	for _, ep := range slices.Concat(endpoints, spaceEndpoints) {
		methods := strings.Split(ep.allow, ", ")
		slices.Sort(methods)
		if got, want := named[ep.path], strings.Join(methods, ", "); got != want {
			t.Errorf("%s: openapi.yaml has %q, the server %q", ep.path, got, want)
		}
		delete(named, ep.path)
	}
	for path := range named {
		if strings.HasPrefix(path, "/spaces/{name}/") || strings.HasPrefix(path, "/v1/") || path == "/mcp" {
			continue // of doors, which are tested against the contract where they are
		}
		t.Errorf("%s: the tests' table of endpoints does not have it", path)
	}
}

// TestContractNamesEveryParameter compares the parameters of openapi.yaml, and
// their defaults and bounds, with those that the requests declare.
func TestContractNamesEveryParameter(t *testing.T) {
	doc, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	inBody := []string{"q", "vector_b64", "id", "ids", "text"} // which a POST would hardly have in its query
	for _, tt := range []struct {
		path, body string
		request    any
	}{
		{"/search", "SearchBody", search.SearchRequest{}},
		{"/similar", "SimilarBody", search.SimilarRequest{}},
		{"/suggest", "", search.SuggestRequest{}},
		{"/duplicates", "", pairs.DuplicatesRequest{}},
		{"/decisions", "", pairs.DecisionsRequest{}},
		{"/candidates", "CandidatesBody", pairs.CandidatesRequest{}},
		{"/embeddings", "EmbeddingsBody", search.EmbeddingsRequest{}},
	} {
		named := 0
		declared(reflect.TypeOf(tt.request), nil, func(names []string, tag reflect.StructTag, byDefault string) {
			named++
			if tt.body != "" {
				for _, name := range names {
					if doc.Components.Schemas[tt.body].Value.Properties[name] == nil {
						t.Errorf("%s: %s does not have %s", tt.path, tt.body, name)
					}
				}
			}
			get := doc.Paths.Value(tt.path).Get
			if get == nil {
				return
			}
			name := names[len(names)-1] // vector_b64: there are no arrays of numbers in a query
			p := get.Parameters.GetByInAndName("query", name)
			if p == nil {
				t.Errorf("GET %s does not have %s", tt.path, name)
				return
			}
			post := doc.Paths.Value(tt.path).Post
			if post != nil && tt.body != "" && !slices.Contains(inBody, name) && post.Parameters.GetByInAndName("query", name) == nil {
				t.Errorf("POST %s does not have %s", tt.path, name)
			}
			schema := p.Schema.Value
			for what, bound := range map[string]struct {
				told *float64
				tag  string
			}{"least": {schema.Min, tag.Get("least")}, "most": {schema.Max, tag.Get("most")}} {
				if bound.told != nil && bound.tag != fmt.Sprintf("%.0f", *bound.told) && schema.Type.Is("integer") {
					t.Errorf("GET %s: %s is at %s %v, not %q", tt.path, name, what, *bound.told, bound.tag)
				}
			}
			if schema.Type.Is("integer") && schema.Default != nil && fmt.Sprint(schema.Default) != cmp.Or(byDefault, "0") {
				t.Errorf("GET %s: %s is %v by default, not %q", tt.path, name, schema.Default, byDefault)
			}
			var words []string
			for _, word := range schema.Enum {
				words = append(words, fmt.Sprint(word))
			}
			if got := strings.Join(words, ","); got != tag.Get("words") {
				t.Errorf("GET %s: %s is one of %q, not %q", tt.path, name, got, tag.Get("words"))
			}
		})
		if named < 3 {
			t.Errorf("%s: %d parameters are declared; the test would be empty", tt.path, named)
		}
	}
}

// declared calls visit with the parameters that a request's tags declare.
func declared(request reflect.Type, names []string, visit func(names []string, tag reflect.StructTag, byDefault string)) {
	for f := range request.Fields() {
		param := strings.Split(f.Tag.Get("param"), ",")
		switch {
		case f.Type.Kind() == reflect.Struct && f.Tag.Get("default") == "none":
			declared(f.Type, param, func(names []string, tag reflect.StructTag, _ string) { visit(names, tag, "") })
		case f.Type.Kind() == reflect.Struct:
			declared(f.Type, param, visit)
		case param[0] == "":
		case len(names) > 0 && names[0] != "":
			visit(names[:1], f.Tag, f.Tag.Get("default"))
			names = names[1:]
		default:
			visit(param, f.Tag, f.Tag.Get("default"))
		}
	}
}

// TestContractSuitsGenerators checks what generators of clients stumble over:
// alternatives must be schemas with names, an enum that may be null must list
// null, and no two components share a name, because each becomes a type.
func TestContractSuitsGenerators(t *testing.T) {
	data, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range unsuited(t, string(data)) {
		t.Error(mistake)
	}
	// Each kind is found.
	if got := unsuited(t, "{schema: {oneOf: [{type: string}, {$ref: '#/x'}]}, a: [{nullable: true, enum: [x]}], b: {anyOf: [{$ref: '#/x'}, {type: array}]}}"); len(got) != 3 {
		t.Errorf("%q", got)
	}
	if got := unsuited(t, "{schema: {oneOf: [{$ref: '#/x'}]}, a: [{nullable: true, enum: [x, null]}, {enum: [x]}, {nullable: true}]}"); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := unsuited(t, "{components: {parameters: {Hit: {}}, schemas: {hit: {}, Other: {}}}}"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// unsuited lists the places of YAML at which an alternative has no name or a
// nullable enum no null, and the components that share a name.
func unsuited(t *testing.T, text string) (mistakes []string) {
	t.Helper()
	var root any
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	var visit func(at string, v any)
	visit = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				visit(fmt.Sprint(at, "/", i), item)
			}
		case map[string]any:
			for _, key := range []string{"oneOf", "anyOf"} {
				list, _ := v[key].([]any)
				for i, item := range list {
					if m, ok := item.(map[string]any); ok && m["$ref"] == nil {
						mistakes = append(mistakes, fmt.Sprintf("%s/%s/%d has no name", at, key, i))
					}
				}
			}
			if enum, ok := v["enum"].([]any); ok && v["nullable"] == true && !slices.Contains(enum, nil) {
				mistakes = append(mistakes, at+": the enum does not list null")
			}
			for key, item := range v {
				visit(at+"/"+key, item)
			}
		}
	}
	visit("", root)
	top, _ := root.(map[string]any)
	sections, _ := top["components"].(map[string]any)
	names := map[string]string{}
	for section, components := range sections {
		components, _ := components.(map[string]any)
		for name := range components {
			if other, ok := names[strings.ToLower(name)]; ok {
				mistakes = append(mistakes, fmt.Sprintf("components of %s and %s are both called %s", other, section, name))
			}
			names[strings.ToLower(name)] = section
		}
	}
	return mistakes
}

// TestContractNamesEveryErrorCode compares the codes of openapi.yaml with those
// of the program's one table.
func TestContractNamesEveryErrorCode(t *testing.T) {
	doc, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	var codes, told []string
	for _, m := range regexp.MustCompile(`http\.Status\w+, "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		codes = append(codes, m[1])
	}
	for _, v := range doc.Components.Schemas["Error"].Value.Properties["code"].Value.Enum {
		told = append(told, fmt.Sprint(v))
	}
	slices.Sort(codes)
	slices.Sort(told)
	if len(codes) < 20 || !slices.Equal(codes, told) {
		t.Errorf("openapi.yaml has the codes %v\nthe program %v", told, codes)
	}
}

// TestDocs checks the contract as it is served, and where it is told of.
func TestDocs(t *testing.T) {
	e := newEnv(t, withSecret)
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := e.get("/openapi.yaml")
	got.wantBody(t, string(want))
	if media := got.header.Get("Content-Type"); media != "application/yaml" {
		t.Errorf("Content-Type %q", media)
	}
	got = e.get("/docs")
	got.wantBody(t, "/openapi.yaml describes the API.\n")
	e.untouched(t)
}

// TestConformsCatches checks the checker: a wrong answer must not pass.
func TestConformsCatches(t *testing.T) {
	doc, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.NewDecoder(strings.NewReader(`[{"id":"a","distance":2,"chunk":{}}]`)).Decode(&v); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if doc.Components.Schemas["Hits"].Value.VisitJSON(v) == nil {
		t.Error("a hit without its members passes")
	}
	if doc.Components.Schemas["Error"].Value.VisitJSON(map[string]any{"error": "x", "code": "nonsense"}) == nil {
		t.Error("an unknown code passes")
	}
}
