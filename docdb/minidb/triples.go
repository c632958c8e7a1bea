package minidb

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// The names that the original gives to what lists and arrays are made of.
const (
	rdfType  = "rdf:type"
	rdfFirst = "rdf:first"
	rdfRest  = "rdf:rest"
	rdfNil   = "rdf:nil"
	rdfList  = "rdf:List"
	sysArray = "sys:Array"
	sysIndex = "sys:index"
	sysValue = "sys:value"
	sysJSON  = "sys:JSON"
)

// triple is one fact. Names are shortened as the original prints them: ids and,
// where @schema lies under @base, classes and properties without @base. The
// object is a name, or for data its canonical JSON with its type.
type triple struct {
	s, p, o string
	data    bool
}

// short prints the id of a document as the document interface does.
func (p Prefixes) short(iri string) string {
	if short, ok := strings.CutPrefix(iri, p.Base); ok {
		return short
	}
	for prefix, full := range p.others {
		if short, ok := strings.CutPrefix(iri, full); ok {
			return prefix + ":" + short
		}
	}
	return iri
}

// shorten prints an IRI as WOQL answers do: @base is tried first.
func (p Prefixes) shorten(iri string) string {
	if short, ok := strings.CutPrefix(iri, p.Schema); ok && !strings.HasPrefix(iri, p.Base) {
		return "@schema:" + short
	}
	return p.short(iri)
}

// full returns the IRI of a document's id, which may be one.
func (p Prefixes) full(id string) string { return p.under(p.Base, id) }

// named returns the IRI of a class or property.
func (p Prefixes) named(name string) string { return p.under(p.Schema, name) }

func (p Prefixes) under(base, name string) string {
	prefix, rest, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.Contains(prefix, "/"):
		return base + name
	case strings.HasPrefix(rest, "//"):
		return name
	case p.others[prefix] != "":
		return p.others[prefix] + rest
	}
	return base + name
}

// expand is the inverse of shorten: it also takes IRIs.
func (p Prefixes) expand(name string) string {
	if short, ok := strings.CutPrefix(name, "@schema:"); ok {
		return p.Schema + short
	}
	switch prefix, _, _ := strings.Cut(name, ":"); prefix {
	case "rdf", "sys", "xsd":
		return name
	}
	return p.full(name)
}

// name returns how triples write a class or a property.
func (c *commit) name(name string) string { return c.prefixes.shorten(c.prefixes.named(name)) }

// triples returns the facts of a document and of its subdocuments.
func (c *commit) triples(doc *document) []triple {
	t := tripleWriter{c: c, version: doc.json}
	t.object(doc.value)
	return t.list
}

type tripleWriter struct {
	c       *commit
	version []byte // of the document: the cells of its lists are new with each
	list    []triple
}

func (t *tripleWriter) add(s, p, o string) { t.list = append(t.list, triple{s: s, p: p, o: o}) }

func (t *tripleWriter) object(object map[string]any) {
	id, _ := object["@id"].(string)
	class, _ := object["@type"].(string)
	t.add(id, rdfType, t.c.name(class))
	for field, v := range object {
		p, ok := t.c.schema.classes[class].properties[field]
		if !ok {
			continue
		}
		predicate := t.c.name(field)
		list, isList := v.([]any)
		switch {
		case !isList || p.class == "sys:JSON":
			t.value(id, predicate, p, v)
		case p.kind == "List":
			t.cells(id, field, predicate, p, list)
		case p.kind == "Array":
			for i, x := range list {
				cell := t.cell("Array", id, field, i)
				t.add(id, predicate, cell)
				t.add(cell, rdfType, sysArray)
				t.list = append(t.list, triple{cell, sysIndex, string(canonical(map[string]any{"@type": "xsd:nonNegativeInteger", "@value": i})), true})
				t.value(cell, sysValue, p, x)
			}
		default:
			for _, x := range list {
				t.value(id, predicate, p, x)
			}
		}
	}
}

// cells writes a list as the original does: a chain of cells with ids drawn at
// random, here from the document's content.
func (t *tripleWriter) cells(id, field, predicate string, p property, list []any) {
	if len(list) == 0 {
		t.add(id, predicate, rdfNil)
	}
	for i, x := range list {
		cell := t.cell("Cons", id, field, i)
		if i == 0 {
			t.add(id, predicate, cell)
		}
		t.add(cell, rdfType, rdfList)
		t.value(cell, rdfFirst, p, x)
		if i+1 < len(list) {
			t.add(cell, rdfRest, t.cell("Cons", id, field, i+1))
		} else {
			t.add(cell, rdfRest, rdfNil)
		}
	}
}

func (t *tripleWriter) cell(kind, id, field string, index int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %s", kind, id, field, index, t.version))
	return kind + "/" + hex.EncodeToString(sum[:12])
}

// value writes one value: a link, a subdocument, an enum's member or data.
func (t *tripleWriter) value(s, predicate string, p property, v any) {
	target := t.c.schema.classes[p.class]
	switch {
	case strings.HasPrefix(p.class, "sys:"):
		sum := sha256.Sum256(canonical(v))
		node := "terminusdb:///json/JSON/SHA1/" + hex.EncodeToString(sum[:20])
		t.add(s, predicate, node)
		t.add(node, rdfType, sysJSON)
	case target != nil && target.enum != nil:
		t.add(s, predicate, t.c.name(p.class+"/"+fmt.Sprint(v)))
	case target != nil:
		t.add(s, predicate, linkOf(v))
		if sub, ok := v.(map[string]any); ok {
			t.object(sub)
		}
	default:
		t.list = append(t.list, triple{s, predicate, string(canonical(map[string]any{"@type": p.class, "@value": v})), true})
	}
}

// delta returns what a commit added to its parent's facts and took from them. A
// commit that left the documents alone repeats the last that did not: that is
// the original's trap.
func (c *commit) delta() (added, deleted []triple) {
	for c.parent != nil && c.parent.instanceLayer == c.instanceLayer {
		c = c.parent
	}
	var old map[string]*document
	if c.parent != nil {
		old = c.parent.documents
	}
	now, before := map[triple]bool{}, map[triple]bool{}
	for id, doc := range c.documents {
		if was := old[id]; was == doc {
			continue
		} else if was != nil {
			collect(before, c.parent.triples(was))
		}
		collect(now, c.triples(doc))
	}
	for id, was := range old {
		if c.documents[id] == nil {
			collect(before, c.parent.triples(was))
		}
	}
	return sortedWithout(now, before), sortedWithout(before, now)
}

func collect(set map[triple]bool, list []triple) {
	for _, t := range list {
		set[t] = true
	}
}

// sortedWithout returns the members of a that are not in b: by subject, its
// type first.
func sortedWithout(a, b map[triple]bool) []triple {
	var list []triple
	for t := range a {
		if !b[t] {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, compareTriples)
	return list
}

func compareTriples(a, b triple) int {
	rank := func(t triple) string {
		if t.p == rdfType {
			return ""
		}
		return t.p
	}
	return cmp.Or(cmp.Compare(a.s, b.s), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.o, b.o))
}

// facts are the triples of a commit, found by subject or by object.
type facts struct {
	bySubject map[string][]triple
	byObject  map[string][]triple
	used      map[string]bool // predicates
}

// facts makes the commit's index of triples once.
func (c *commit) allFacts() *facts {
	c.factsOnce.Do(func() {
		f := &facts{bySubject: map[string][]triple{}, byObject: map[string][]triple{}, used: map[string]bool{}}
		set := map[triple]bool{}
		for _, doc := range c.documents {
			collect(set, c.triples(doc))
		}
		for _, t := range sortedWithout(set, nil) {
			f.used[t.p] = true
			f.bySubject[t.s] = append(f.bySubject[t.s], t)
			if !t.data {
				f.byObject[t.o] = append(f.byObject[t.o], t)
			}
		}
		c.facts = f
	})
	return c.facts
}
