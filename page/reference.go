package page

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vectorlink/vectorlink/contract"
)

// reference is what the page shows of an OpenAPI document.
type reference struct {
	Info       struct{ Description string }
	Tags       []struct{ Name string }
	Security   []any
	Paths      ordered[ordered[*operation]]
	Components struct {
		Parameters map[string]parameter
		Headers    map[string]described
		Responses  map[string]response
		Schemas    map[string]*schema
	}
	operations []*operation
}

// operation is one method of a path.
type operation struct {
	Method, Path string `yaml:"-"`
	ID           string `yaml:"operationId"`
	Tags         []string
	Summary      string
	Description  string
	Parameters   []parameter
	RequestBody  *struct {
		Description string
		Required    bool
		Content     ordered[described]
	} `yaml:"requestBody"`
	Responses ordered[response]
	Security  *[]any
	// Changes has a GET answered that changes something: the page does not send it.
	Changes bool `yaml:"x-changes"`
}

// Sendable reports whether the page offers to send the request.
func (o *operation) Sendable() bool { return o.Method == http.MethodGet && !o.Changes }

// Open reports whether it asks for no credentials.
func (o *operation) Open() bool { return o.Security != nil && len(*o.Security) == 0 }

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      *schema
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[described]
	Content     ordered[described]
}

// described is a header or a media type.
type described struct {
	Ref         string `yaml:"$ref"`
	Description string
	Schema      *schema
}

type schema struct {
	Ref                 string `yaml:"$ref"`
	Type, Format        string
	Description         string
	Nullable            bool
	Enum                []any
	Default             any
	Minimum, Maximum    *float64
	Items               *schema
	Properties          ordered[*schema]
	Required            []string
	OneOf, AnyOf, AllOf []*schema
	Additional          any `yaml:"additionalProperties"`
}

// Name returns what a referred schema is called.
func (s *schema) Name() string { return path.Base(s.Ref) }

// Bounds returns what a value may be, "" where nothing is said.
func (s *schema) Bounds() string {
	var said []string
	if s.Minimum != nil {
		said = append(said, fmt.Sprintf("at least %v", *s.Minimum))
	}
	if s.Maximum != nil {
		said = append(said, fmt.Sprintf("at most %.0f", *s.Maximum))
	}
	if s.Default != nil {
		said = append(said, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(said, ", ")
}

// Any returns the alternatives.
func (s *schema) Any() []*schema { return slices.Concat(s.OneOf, s.AnyOf) }

// Has reports whether the object always has a member.
func (s *schema) Has(member string) bool { return slices.Contains(s.Required, member) }

// ordered is a mapping in the order in which it is written.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Name  string
	Value T
}

// UnmarshalYAML reads a mapping.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: no mapping", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var value T
		if err := n.Content[i+1].Decode(&value); err != nil {
			return err
		}
		*o = append(*o, entry[T]{n.Content[i].Value, value})
	}
	return nil
}

// parseReference reads an OpenAPI document and puts what is referred to in its place,
// but for schemas, which have names of their own.
func parseReference(text []byte) (*reference, error) {
	var ref reference
	if err := yaml.Unmarshal(text, &ref); err != nil {
		return nil, fmt.Errorf("page: read the contract: %w", err)
	}
	for _, p := range ref.Paths {
		for _, method := range p.Value {
			op := method.Value
			op.Method, op.Path = strings.ToUpper(method.Name), p.Name
			for i, v := range op.Parameters {
				if v.Ref != "" {
					op.Parameters[i] = ref.Components.Parameters[path.Base(v.Ref)]
				}
			}
			for i, v := range op.Responses {
				if v.Value.Ref != "" {
					op.Responses[i].Value = ref.Components.Responses[path.Base(v.Value.Ref)]
				}
				for j, h := range op.Responses[i].Value.Headers {
					if h.Value.Ref != "" {
						op.Responses[i].Value.Headers[j].Value = ref.Components.Headers[path.Base(h.Value.Ref)]
					}
				}
			}
			ref.operations = append(ref.operations, op)
		}
	}
	return &ref, nil
}

// Of returns the operations under a tag.
func (ref *reference) Of(tag string) (list []*operation) {
	for _, op := range ref.operations {
		if slices.Contains(op.Tags, tag) {
			list = append(list, op)
		}
	}
	return list
}

// schemas returns those that an operation refers to, as they are first met.
func (ref *reference) schemas(op *operation) (list ordered[*schema]) {
	seen := make(map[string]bool)
	var visit func(s *schema)
	visit = func(s *schema) {
		if s == nil {
			return
		}
		if s.Ref != "" {
			if name := s.Name(); !seen[name] {
				seen[name] = true
				found := entry[*schema]{name, ref.Components.Schemas[name]}
				list = append(list, found)
				visit(found.Value)
			}
			return
		}
		visit(s.Items)
		for _, p := range s.Properties {
			visit(p.Value)
		}
		for _, part := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf) {
			visit(part)
		}
	}
	if op.RequestBody != nil {
		for _, c := range op.RequestBody.Content {
			visit(c.Value.Schema)
		}
	}
	for _, answer := range op.Responses {
		for _, c := range answer.Value.Content {
			visit(c.Value.Schema)
		}
	}
	return list
}

// asked returns the request that the page's address asks for, relative to the API's
// root, or "" where a parameter that must be given is missing.
func (o *operation) asked(q url.Values) string {
	if !o.Sendable() || q.Get("send") == "" {
		return ""
	}
	at, params := strings.TrimPrefix(o.Path, "/"), make(url.Values)
	for _, p := range o.Parameters {
		values := slices.DeleteFunc(slices.Clone(q[p.Name]), func(v string) bool { return v == "" })
		switch {
		case len(values) == 0 && p.Required:
			return ""
		case p.In == "path":
			at = strings.ReplaceAll(at, "{"+p.Name+"}", url.PathEscape(values[0]))
		case p.In == "query" && len(values) > 0:
			params[p.Name] = values
		}
	}
	if len(params) > 0 {
		at += "?" + params.Encode()
	}
	return at
}

// api shows the reference, or one operation of it. The browser sends the request.
func (s *Site) api(a *answer) error {
	ref, err := s.reference()
	if err != nil {
		return err
	}
	f := s.frameOf(a.r, "API")
	f.Active = "api"
	view := struct {
		*frame
		*reference
		Operation *operation
		Schemas   ordered[*schema]
		Asked     string
	}{frame: f, reference: ref}
	if id := f.Given("op"); id != "" {
		i := slices.IndexFunc(ref.operations, func(op *operation) bool { return op.ID == id })
		if i < 0 {
			return fmt.Errorf("%w: the API has no operation of the name %s", contract.ErrNotFound, clip(id, 80))
		}
		op := ref.operations[i]
		f.Title = op.Method + " " + op.Path
		view.Operation, view.Schemas, view.Asked = op, ref.schemas(op), op.asked(f.query)
	}
	return s.render(a, http.StatusOK, "api", f, view)
}

// passage is a part of a text that is code or is not.
type passage struct {
	Text string
	Code bool
}

// passages splits a text at its backticks.
func passages(text string) (list []passage) {
	for i, part := range strings.Split(text, "`") {
		list = append(list, passage{part, i%2 == 1})
	}
	return list
}
