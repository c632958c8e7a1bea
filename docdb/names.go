package docdb

import (
	"cmp"
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
	keys         map[string]string // how the schema writes names of other namespaces, by IRI
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
	prefix, rest, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.Contains(prefix, "/"):
		return n.base + name // any colon is the id's own
	case strings.HasPrefix(rest, "//"):
		for prefix, iri := range standard {
			if rest, ok := strings.CutPrefix(name, iri); ok {
				return prefix + ":" + rest
			}
		}
		return name
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

// learn notes how the schema writes the name of a class or property.
func (n names) learn(key string) {
	if strings.Contains(key, ":") {
		n.keys[n.iri(key)] = key
	}
}

// local returns the name of a class or property as the schema writes it; one
// that it does not have stays an IRI, and a standard one as it is.
func (n names) local(name string) string {
	iri := n.iri(name)
	if short, ok := strings.CutPrefix(iri, n.schema); ok {
		return short
	}
	return cmp.Or(n.keys[iri], iri)
}

// partBase returns what stands between the property and the key of its own in
// the id of a subdocument: the class, of another namespace as an IRI.
func (n names) partBase(class string) string {
	if strings.Contains(class, ":") {
		class = n.iri(class)
	}
	return class + "/"
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
	class, at := s.classOf(iri)
	chain := []object{}
	for at >= 0 {
		next := strings.IndexByte(iri[at:], '/')
		if next < 0 {
			break
		}
		at += next + 1
		property, rest, _ := strings.Cut(iri[at:], "/")
		for _, part := range s.parts[property] {
			if base := s.names.partBase(part); strings.HasPrefix(rest, base) {
				chain = append(chain, object{iri[:at-1], class})
				class = part
				at += len(property) + 1 + len(base)
				break
			}
		}
	}
	chain = append(chain, object{iri, class})
	slices.Reverse(chain)
	return chain
}

// classOf reads the class off an id, "" where it does not tell, and returns
// where the class's own part of the id begins, -1 where nothing can be told.
func (s *schema) classOf(iri string) (class string, at int) {
	chosen := slices.ContainsFunc(s.bases, func(base string) bool { return strings.HasPrefix(iri, base) })
	for i, c := range iri {
		if c == '/' && !chosen && s.byBase[iri[:i+1]] != "" {
			return s.byBase[iri[:i+1]], i + 1
		}
	}
	if short, ok := strings.CutPrefix(iri, s.names.base); ok {
		if first, _, more := strings.Cut(short, "/"); more {
			return "", len(iri) - len(short) + len(first) + 1
		}
	}
	return "", -1
}
