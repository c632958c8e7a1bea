package service

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Schema describes the parameters of requests as JSON Schema does. Properties are
// by name, in the form of Property.
type Schema struct {
	Type       string              `json:"type"`
	Properties map[string]Property `json:"properties"`
	Required   []string            `json:"required,omitempty"`
	Names      []string            `json:"-"` // of the Properties, as they are declared
}

// Property is a parameter of a Schema.
type Property struct {
	// Flag is the parameter's name on a command line, Placeholder what stands for its
	// value in a description of that.
	Flag        string    `json:"-"`
	Placeholder string    `json:"-"`
	IsRef       bool      `json:"-"` // it is one of the two that name the commit to read
	Type        string    `json:"type"`
	Description string    `json:"description,omitempty"`
	Enum        []string  `json:"enum,omitempty"`
	Default     any       `json:"default,omitempty"`
	Minimum     *int      `json:"minimum,omitempty"`
	Maximum     *int      `json:"maximum,omitempty"`
	Items       *Property `json:"items,omitempty"`
	MaxItems    *int      `json:"maxItems,omitempty"`
	// Properties and Required are those of an object.
	Properties map[string]Property `json:"properties,omitempty"`
	Required   []string            `json:"required,omitempty"`
}

// SchemaOf returns the Schema of what requests, given as pointers to them, declare by
// their tags, without those of these names. The descriptions are the flags' help.
func SchemaOf(without []string, requests ...any) Schema {
	s := Schema{Type: "object", Properties: make(map[string]Property)}
	add := func(name string, p Property) {
		if slices.Contains(without, name) {
			return
		}
		if _, ok := s.Properties[name]; !ok {
			s.Names = append(s.Names, name)
		}
		p.Flag = cmp.Or(p.Flag, strings.ReplaceAll(name, "_", "-"))
		s.Properties[name] = p
	}
	for _, request := range requests {
		list, v := parameters(request)
		for _, param := range list {
			switch {
			case param.isKey:
				continue
			case param.isRef:
				add("commit", Property{IsRef: true, Type: "string", Description: "Commit to read, by its id or a tag. This or branch must be given."})
				add("branch", Property{IsRef: true, Type: "string", Description: "Branch of which to read the last indexed commit."})
				continue
			}
			field := v.Type().FieldByIndex(param.index)
			p := propertyOf(param, field)
			p.Description, p.Placeholder = field.Tag.Get("help"), field.Tag.Get("placeholder")
			// Of a nested request target_doc_type is --target-type, as doc_type is --type.
			if own := split(field.Tag.Get("param")); field.Tag.Get("name") != "" {
				p.Flag = strings.TrimSuffix(param.names[0], own[0]) + field.Tag.Get("name")
				p.Flag = strings.ReplaceAll(p.Flag, "_", "-")
			}
			if param.kind == "domain" {
				p.Description = cmp.Or(p.Description, "Database, as org/db.")
			}
			add(param.names[0], p)
			if param.isNeeded && len(param.need) == 0 {
				s.Required = append(s.Required, param.names[0])
			}
		}
	}
	return s
}

// propertyOf describes a parameter by the type of its field and its bounds.
func propertyOf(param parameter, field reflect.StructField) Property {
	bound := func(n int) *int {
		if n == math.MaxInt32 {
			return nil
		}
		return &n
	}
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p := Property{Enum: param.words}
	switch t.Kind() {
	case reflect.Bool:
		p.Type = "boolean"
	case reflect.Int:
		p.Type, p.Minimum, p.Maximum = "integer", bound(param.least), bound(param.most)
		if param.hasDefault {
			p.Default = param.byDefault
		}
	case reflect.Float32:
		p.Type, p.Minimum, p.Maximum = "number", bound(0), bound(param.most)
	case reflect.Slice:
		p.Type, p.Items, p.MaxItems = "array", &Property{Type: "string"}, bound(param.most)
		if t.Elem().Kind() == reflect.Float32 {
			p.Items.Type = "number"
		}
	default:
		p.Type = "string"
	}
	return p
}
