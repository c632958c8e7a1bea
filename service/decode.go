package service

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// parameter is what a request's field declares by its tags:
//
//	param        its names on the wire, of which errors tell the first; of a
//	             nested struct, the names of that one's fields, in their order
//	kind         domain, branch, commit, expression or names, where the type of
//	             the field does not say it; a head is a branch, main by default,
//	             a target a commit that is changed, which the log names. What the
//	             domain's graphspec names stands for a branch or the parameter
//	             commit that is not given
//	default      what an absent number is; "none" on a nested struct takes
//	             the defaults from its fields
//	without      what an absent distance is, 0 if it does not say
//	least, most  the bounds of a number; the most names of a list
//	words        what a text can be
//	need         it, or one of these before it, must be given
//	ref          "none" on a nested struct leaves its reference out
//	unless       it is not read where one of these before it is given
//	apart        it and this one before it are not to be given together
//
// A field without the tag param is none, but for the [search.Ref], which follows
// the domain, and for the caller's key, a [contract.Secret]. Fields are read in their order, so that it is the order in which
// mistakes are reported. Other tags are those of the command line's flags.
type parameter struct {
	index       []int // of the field in the request
	isRef       bool
	isKey       bool // of the caller, at an embedding provider
	names       []string
	kind        string
	hasDefault  bool
	byDefault   int
	without     int
	least, most int
	words       []string
	isNeeded    bool
	need        []string
	unless      []string
	apart       string
}

// declared holds the parameters of each type of request that was asked for,
// []parameter by [reflect.Type]: to read tags takes longer than to read values.
var declared sync.Map

// parameters returns what the request that a pointer leads to declares, and the
// request.
func parameters(request any) ([]parameter, reflect.Value) {
	v := reflect.ValueOf(request).Elem()
	list, ok := declared.Load(v.Type())
	if !ok {
		list, _ = declared.LoadOrStore(v.Type(), declare(v.Type(), nil, nil, true))
	}
	return list.([]parameter), v
}

// declare returns the parameters of a struct at that index of a request. They have
// those names, if there are any, and no defaults unless those are wanted.
func declare(request reflect.Type, index []int, names []string, defaults bool) []parameter {
	var list []parameter
	for f := range request.Fields() {
		own := split(f.Tag.Get("param"))
		param := parameter{
			index: append(slices.Clone(index), f.Index...), isRef: f.Type == reflect.TypeFor[search.Ref](), isKey: f.Type == reflect.TypeFor[contract.Secret](),
			names: own, kind: f.Tag.Get("kind"), words: split(f.Tag.Get("words")),
			unless: split(f.Tag.Get("unless")), apart: f.Tag.Get("apart"),
		}
		switch {
		case !param.isRef && !param.isKey && f.Type.Kind() == reflect.Struct && f.IsExported():
			nested := declare(f.Type, param.index, own, defaults && f.Tag.Get("default") != "none")
			if f.Tag.Get("ref") == "none" {
				nested = slices.DeleteFunc(nested, func(param parameter) bool { return param.isRef })
			}
			list = append(list, nested...)
			continue
		case !param.isRef && !param.isKey && len(own) == 0:
			continue
		case len(names) > 0:
			param.names, names = names[:1], names[1:]
		}
		need, isNeeded := f.Tag.Lookup("need")
		param.need, param.isNeeded = split(need), isNeeded
		if defaults {
			param.byDefault, param.hasDefault = number(f.Tag, "default", 0)
		}
		param.without, _ = number(f.Tag, "without", 0)
		param.least, _ = number(f.Tag, "least", 0)
		param.most, _ = number(f.Tag, "most", math.MaxInt32)
		list = append(list, param)
	}
	return list
}

// split cuts a tag's value at commas; an empty one has no parts.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// number returns the number of a tag and whether there is one, or else what it is
// without.
func number(tag reflect.StructTag, key string, without int) (int, bool) {
	text, ok := tag.Lookup(key)
	if !ok {
		return without, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("service: the tags %s: %v", tag, err))
	}
	return n, true
}

// Decode sets the fields of the request that into points at to the parameters
// that they declare; a text that is not given is left as it is. Then the request
// completes itself, if it has a method Complete.
func (p *Params) Decode(into any) {
	var given []string
	isGiven := func(name string) bool { return slices.Contains(given, name) }
	list, request := parameters(into)
	for _, param := range list {
		p.know(param.names...) // though it may not be read
		if slices.ContainsFunc(param.unless, isGiven) {
			continue
		}
		field := request.FieldByIndex(param.index)
		switch {
		case param.isRef:
			field.Set(reflect.ValueOf(p.ref()))
			continue
		case param.isKey:
			field.Set(reflect.ValueOf(p.Key))
			continue
		case param.kind == "domain":
			field.SetString(p.domainOf(param))
			continue
		}
		name := param.names[0]
		switch {
		case p.decode(param, field):
			given = append(given, name)
			if isGiven(param.apart) {
				p.Fail(ErrParameter, "%s and %s cannot be given together", param.apart, name)
			}
		case param.isNeeded && !slices.ContainsFunc(param.need, isGiven):
			p.Fail(ErrMissing, "%s", required(slices.Concat(param.need, param.names)))
		}
	}
	if req, ok := into.(interface{ Complete() error }); ok && p.err == nil {
		if err := req.Complete(); err != nil {
			p.Fail(ErrParameter, "%s", strings.TrimPrefix(err.Error(), contract.ErrInvalid.Error()+": "))
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
		*into = p.flag(name)
	case **bool:
		if _, _, ok := p.scalar(name); ok {
			flag := p.flag(name)
			*into = &flag
		}
	case *int:
		*into = p.whole(name, param.byDefault, param.least, param.most)
	case *float32:
		for _, name := range param.names {
			if x, ok := p.distance(name); ok {
				*into = x
				return true
			}
		}
		*into = float32(param.without)
		return false
	case **float32:
		if x, ok := p.distance(name); ok {
			if x > float32(param.most) {
				p.Fail(ErrParameter, "%s must be from 0 to %d", name, param.most)
			}
			*into = &x
		}
	case *[]float32:
		*into = p.vector(name, param.names[1])
	case *[]string:
		*into = p.List(name)
		if param.kind == "names" {
			*into = notEmpty(*into)
		}
		if len(*into) > param.most {
			p.Fail(ErrParameter, "%s has more than %d names", name, param.most)
		}
	default:
		if text := p.textOf(param); text != "" {
			field.SetString(text)
		}
	}
	return !field.IsZero()
}

// textOf returns a parameter that is a text.
func (p *Params) textOf(param parameter) string {
	name := param.names[0]
	switch {
	case len(param.words) > 0:
		return p.Word(name, param.words...)
	case param.kind == "branch":
		return cmp.Or(p.branch(), p.spec.Branch)
	case param.kind == "head":
		return cmp.Or(p.branch(), p.spec.Branch, contract.MainBranch)
	case param.kind == "commit":
		return p.commitOf(name)
	case param.kind == "target":
		p.commit = p.commitOf(name)
		if name == "commit" {
			p.commit = cmp.Or(p.commit, p.spec.Commit)
		}
		return p.commit
	case param.kind == "decisions":
		return p.decisions(name)
	case param.kind == "expression":
		return p.expression(name)
	}
	if text := p.Text(name); !Blank(text) {
		return text
	}
	return ""
}
