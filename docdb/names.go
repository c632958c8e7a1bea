package docdb

import (
	"encoding/json"
	"slices"
	"strings"
)

// What the triples of lists, arrays and JSON values are called.
const (
	rdfType   = "rdf:type"
	rdfFirst  = "rdf:first"
	rdfRest   = "rdf:rest"
	rdfList   = "rdf:List"
	sysArray  = "sys:Array"
	sysIndex  = "sys:index" // also sys:index2, … in arrays of more dimensions
	sysValue  = "sys:value"
	jsonNodes = "terminusdb:///json/"
)

// standard are the prefixes that no context can redefine.
var standard = map[string]string{
	"rdf":  "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
	"rdfs": "http://www.w3.org/2000/01/rdf-schema#",
	"xsd":  "http://www.w3.org/2001/XMLSchema#",
	"owl":  "http://www.w3.org/2002/07/owl#",
	"sys":  "http://terminusdb.com/schema/sys#",
	"json": "http://terminusdb.com/schema/json#",
}

// names turns the names in WOQL answers into IRIs and back. The database
// shortens by @base first, so that with @schema under @base a property reads
// schema#label; else @schema:label.
type names struct {
	base, schema string
	prefixes     map[string]string // of the context's own
}

// read takes the prefixes of a context object.
func (n *names) read(context map[string]json.RawMessage) {
	for name, raw := range context {
		switch iri := text(raw); {
		case iri == "":
		case name == "@base":
			n.base = iri
		case name == "@schema":
			n.schema = iri
		case !strings.HasPrefix(name, "@"):
			n.prefixes[name] = iri
		}
	}
}

// same reports whether both give every document the same id.
func (n names) same(other names) bool { return n.base == other.base && n.schema == other.schema }

// iri returns the full IRI of a name. Standard names stay short.
func (n names) iri(name string) string {
	if strings.Contains(name, "://") {
		for prefix, iri := range standard {
			if rest, ok := strings.CutPrefix(name, iri); ok {
				return prefix + ":" + rest
			}
		}
		return name
	}
	prefix, rest, ok := strings.Cut(name, ":")
	switch {
	case !ok:
		return n.base + name
	case prefix == "@schema":
		return n.schema + rest
	case prefix == "@base":
		return n.base + rest
	case standard[prefix] != "":
		return name
	case n.prefixes[prefix] != "":
		return n.prefixes[prefix] + rest
	}
	return n.base + name
}

// local returns the name of a class or property; a standard one stays as it is.
func (n names) local(name string) string {
	iri := n.iri(name)
	if short, ok := strings.CutPrefix(iri, n.schema); ok {
		return short
	}
	return iri
}

// node returns how a query names a document: short, unless the colon in it
// could be taken for a prefix's.
func (n names) node(iri string) string {
	if short, ok := strings.CutPrefix(iri, n.base); ok && short != "" && !strings.Contains(short, ":") {
		return short
	}
	return iri
}

// object is a document or a part of one, with its class as its id tells it: ""
// where it does not.
type object struct{ iri, class string }

// objects returns an id with its class, and after it, for a subdocument, what
// holds it, outwards to the document: a subdocument's id is its holder's id,
// the property, its class and a key of its own.
func (s *schema) objects(iri string) []object {
	short, ok := strings.CutPrefix(iri, s.names.base)
	if !ok {
		return []object{{iri: iri}}
	}
	segments := strings.Split(short, "/")
	class := ""
	chosen := slices.ContainsFunc(s.bases, func(base string) bool { return strings.HasPrefix(short, base) })
	if c := s.classes[segments[0]]; c != nil && c.enum == nil && len(segments) > 1 && !chosen {
		class = segments[0]
	}
	var chain []object
	for i := 2; i+2 < len(segments); i++ {
		for _, part := range s.parts[segments[i]] {
			if c := s.classes[segments[i+1]]; c != nil && s.isA(c.name, part) {
				chain = append(chain, object{s.names.base + strings.Join(segments[:i], "/"), class})
				class = c.name
				i += 2
				break
			}
		}
	}
	chain = append(chain, object{iri, class})
	slices.Reverse(chain)
	return chain
}
