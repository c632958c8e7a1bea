package main

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/service"
)

// request is what a command asks a server: a flag for each parameter that a request
// of package search declares by its tags, with a help.
type request struct {
	Flags any `embed:""` // a pointer to a structure that is made of them
	names []string
}

// tags changes parameters, by name: what their flags have beside the usual for kong,
// or "-" for no flag.
type tags map[string]string

// asks returns the request of what these declare, given as pointers to them.
func asks(more tags, requests ...any) request {
	hints := map[string]string{"domain": "ORG/DB", "commit": "ID", "branch": "NAME"}
	var r request
	var fields []reflect.StructField
	schema := service.SchemaOf(nil, requests...)
	for _, name := range schema.Names {
		p := schema.Properties[name]
		tag, changed := more[name]
		switch {
		case changed:
		case p.IsRef: // the commit that is read, or its branch, must be named
			tag = `xor:"ref" required:""`
		case slices.Contains(schema.Required, name):
			tag = `required:""`
		}
		if p.Description == "" || tag == "-" {
			continue
		}
		f := reflect.StructField{Name: "P" + strconv.Itoa(len(fields)), Type: flagTypes[p.Type]}
		switch {
		case p.Type == "array" && p.Items.Type != "string":
			continue
		case p.Type == "array":
			tag += ` sep:"none"`
		case len(p.Enum) > 0 && !strings.Contains(tag, "arg:"):
			tag += fmt.Sprintf(` enum:%q default:""`, strings.Join(p.Enum, ",")+",")
		case len(p.Enum) > 0:
			tag += fmt.Sprintf(` enum:%q`, strings.Join(p.Enum, ","))
		}
		if hint := p.Placeholder; p.Type != "boolean" {
			for _, is := range []string{hints[name], map[string]string{"integer": "N", "number": "X"}[p.Type], map[bool]string{true: "WORD"}[len(p.Enum) > 0], "TEXT"} {
				if hint == "" {
					hint = is
				}
			}
			tag += fmt.Sprintf(` placeholder:%q`, hint)
		}
		// Kong takes ${…} for a variable.
		help := strings.ReplaceAll(p.Description, "$", "$$")
		f.Tag = reflect.StructTag(fmt.Sprintf(`%s name:%q help:%q`, tag, p.Flag, help))
		fields, r.names = append(fields, f), append(r.names, name)
	}
	r.Flags = reflect.New(reflect.StructOf(fields)).Interface()
	return r
}

// flagTypes are the types of flags, by those of a schema. A number that is not given
// is not the same as 0, nor a boolean as false.
var flagTypes = map[string]reflect.Type{
	"string": reflect.TypeFor[string](), "boolean": reflect.TypeFor[*bool](), "array": reflect.TypeFor[[]string](),
	"integer": reflect.TypeFor[*int](), "number": reflect.TypeFor[*float32](),
}

// values returns the parameters that are given, by name.
func (r *request) values() map[string]any {
	values, flags := make(map[string]any), reflect.ValueOf(r.Flags).Elem()
	for i, name := range r.names {
		f := flags.Field(i)
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Pointer:
			values[name] = f.Elem().Interface()
		default:
			values[name] = f.Interface()
		}
	}
	return values
}

// text returns a parameter that is a text.
func (r *request) text(name string) string {
	text, _ := r.values()[name].(string)
	return text
}

// query returns the parameters of a body as those of a query string.
func query(body map[string]any) url.Values {
	q := make(url.Values)
	for name, value := range body {
		if list, ok := value.([]string); ok {
			q[name] = list
		} else {
			q.Set(name, fmt.Sprint(value))
		}
	}
	return q
}
