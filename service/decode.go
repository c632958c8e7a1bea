package service

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/search"
)

// parameter is what a request's field declares by its tags:
//
//	param        its names on the wire, of which errors tell the first; of a
//	             nested struct, the names of that one's fields, in their order
//	kind         domain, commit, expression or names, where the type of the
//	             field does not say it
//	default      what an absent number is; "none" on a nested struct takes
//	             the defaults from its fields
//	least, most  the bounds of a number; the most names of a list
//	words        what a text can be
//	need         it, or one of these before it, must be given
//	unless       it is not read where one of these before it is given
//	apart        it and this one before it are not to be given together
//
// A field without the tag param is none, but for the [search.Ref], which follows
// the domain. Fields are read in their order, so that it is the order in which
// mistakes are reported. Other tags are those of the command line's flags.
type parameter struct {
	names     []string
	tag       reflect.StructTag
	byDefault string
}

// parameters calls visit with each parameter that a struct declares, and its
// field.
func parameters(v reflect.Value, visit func(parameter, reflect.Value)) {
	walk(v, nil, false, visit)
}

func walk(v reflect.Value, names []string, plain bool, visit func(parameter, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		param := parameter{names: split(f.Tag.Get("param")), tag: f.Tag}
		isRef := f.Type == reflect.TypeFor[search.Ref]()
		switch {
		case !isRef && f.Type.Kind() == reflect.Struct && f.IsExported():
			walk(v.Field(i), param.names, plain || f.Tag.Get("default") == "none", visit)
			continue
		case !isRef && len(param.names) == 0:
			continue
		case len(names) > 0:
			param.names, names = names[:1], names[1:]
		}
		if !plain {
			param.byDefault = f.Tag.Get("default")
		}
		visit(param, v.Field(i))
	}
}

// split cuts a tag's value at commas; an empty one has no parts.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// Decode sets the fields of the request that into points at to the parameters
// that they declare; a text that is not given is left as it is. Then the request
// completes itself, if it has a method Complete.
func (p *Params) Decode(into any) {
	var spec GraphSpec
	given := make(map[string]bool)
	parameters(reflect.ValueOf(into).Elem(), func(param parameter, field reflect.Value) {
		isGiven := func(name string) bool { return given[name] }
		if slices.ContainsFunc(split(param.tag.Get("unless")), isGiven) {
			return
		}
		switch {
		case field.Type() == reflect.TypeFor[search.Ref]():
			field.Set(reflect.ValueOf(p.Ref(spec)))
			return
		case param.tag.Get("kind") == "domain":
			spec = p.GraphSpec(param.names[0])
			field.SetString(spec.Domain())
			return
		}
		name := param.names[0]
		given[name] = p.decode(param, field)
		if others, ok := param.tag.Lookup("need"); ok && !given[name] && !slices.ContainsFunc(split(others), isGiven) {
			p.Fail(ErrMissing, "%s", required(append(split(others), param.names...)))
		}
		if other := param.tag.Get("apart"); given[name] && given[other] {
			p.Fail(ErrParameter, "%s and %s cannot be given together", other, name)
		}
	})
	if req, ok := into.(interface{ Complete() error }); ok && p.err == nil {
		if err := req.Complete(); err != nil {
			p.Fail(ErrParameter, "%v", err)
		}
	}
}

// required says that the first of these parameters, or another, must be given.
func required(names []string) string {
	if len(names) == 1 {
		return names[0] + " is required"
	}
	return names[0] + " is required, or " + either(names[1:])
}

// decode sets a field to its parameter, and reports whether that is given and not
// empty.
func (p *Params) decode(param parameter, field reflect.Value) bool {
	name := param.names[0]
	switch into := field.Addr().Interface().(type) {
	case *bool:
		*into = p.Flag(name)
	case *int:
		*into = p.Whole(name, param.bound(param.byDefault, 0), param.bound(param.tag.Get("least"), 0), param.bound(param.tag.Get("most"), math.MaxInt32))
	case *float32:
		for _, name := range param.names {
			if x, ok := p.Distance(name); ok {
				*into = x
				return true
			}
		}
		return false
	case *[]float32:
		*into = p.Vector(name, param.names[1])
	case *[]string:
		*into = p.List(param.names...)
		if param.tag.Get("kind") == "names" {
			*into = notEmpty(*into)
		}
		if most := param.bound(param.tag.Get("most"), math.MaxInt32); len(*into) > most {
			p.Fail(ErrParameter, "%s has more than %d names", name, most)
		}
	default:
		p.decodeText(param, field)
	}
	return !field.IsZero()
}

// decodeText sets a field that is a text, of whatever type.
func (p *Params) decodeText(param parameter, field reflect.Value) {
	name := param.names[0]
	text := ""
	switch kind := param.tag.Get("kind"); {
	case param.tag.Get("words") != "":
		text = p.Word(name, split(param.tag.Get("words"))...)
	case kind == "commit":
		text = p.Commit(name)
	case kind == "expression":
		text = p.Expression(name)
	default:
		text = p.Text(name)
	}
	if text != "" {
		field.SetString(text)
	}
}

// bound returns the number of a tag, or what it is without one.
func (param parameter) bound(text string, without int) int {
	if text == "" {
		return without
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("service: the tags of %s: %v", param.names[0], err))
	}
	return n
}

// Encode returns the parameters that the request which from points at asks with,
// by name, for a client to send: those that are not zero, or have a default that a
// server would take for it.
func Encode(from any) map[string]any {
	values := make(map[string]any)
	parameters(reflect.ValueOf(from).Elem(), func(param parameter, field reflect.Value) {
		if len(param.names) > 0 && (!field.IsZero() || param.byDefault != "") {
			values[param.names[0]] = field.Interface()
		}
	})
	return values
}
