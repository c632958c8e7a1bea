package minidb

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// document is immutable.
type document struct {
	id, class string         // id is short
	value     map[string]any // as the document interface prints it, ids short
	json      []byte         // canonical
}

// edit is a commit in the making.
type edit struct {
	prefixes  Prefixes
	schema    *schema
	documents map[string]*document
	changed   map[string]bool // short ids whose links must be checked
}

func newEdit(head *commit) *edit {
	return &edit{prefixes: head.prefixes, schema: head.schema, documents: maps.Clone(head.documents), changed: map[string]bool{}}
}

func (e *edit) apply(change Change) error {
	if err := e.editSchema(change); err != nil {
		return err
	}
	if err := e.delete(change.Delete); err != nil {
		return err
	}
	docs, err := decodeAll(change.Put)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		if err := e.put(doc); err != nil {
			return err
		}
	}
	return e.checkLinks()
}

// decodeAll decodes documents and lists of documents, numbers exact.
func decodeAll(raw []json.RawMessage) ([]map[string]any, error) {
	var docs []map[string]any
	for _, r := range raw {
		d := json.NewDecoder(bytes.NewReader(r))
		d.UseNumber()
		var v any
		err := d.Decode(&v)
		if _, more := d.Token(); err == nil && more != io.EOF {
			err = fmt.Errorf("text after the JSON")
		}
		if err != nil {
			return nil, badRequest("MalformedJson", "Submitted JSON is malformed: %v", err)
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			doc, ok := x.(map[string]any)
			if !ok {
				return nil, badRequest("MalformedJson", "Submitted JSON is not an object or a list of objects")
			}
			docs = append(docs, doc)
		}
	}
	return docs, nil
}

func (e *edit) editSchema(change Change) error {
	if len(change.Schema) == 0 {
		return nil
	}
	docs, err := decodeAll(change.Schema)
	if err != nil {
		return err
	}
	raw := maps.Clone(e.schema.raw)
	if change.FullSchema {
		raw = map[string]map[string]any{"@context": raw["@context"]}
	}
	for _, doc := range docs {
		name, _ := doc["@id"].(string)
		if doc["@type"] == "@context" {
			name = "@context"
			base, _ := doc["@base"].(string)
			schema, _ := doc["@schema"].(string)
			if base == "" || schema == "" {
				return schemaFailure("the @context has no @base or @schema")
			}
			e.prefixes = Prefixes{base, schema, map[string]string{}}
			for prefix, iri := range doc {
				if iri, ok := iri.(string); ok && !strings.HasPrefix(prefix, "@") {
					e.prefixes.others[prefix] = iri
				}
			}
		} else if name == "" {
			return schemaFailure("a class has no @id")
		}
		raw[name] = doc
	}
	e.schema = newSchema(raw)
	for id, doc := range e.documents {
		e.changed[id] = true
		if c := e.schema.classes[doc.class]; c == nil {
			return schemaFailure("%s would have no class", id)
		}
		value, err := e.refit(doc.value)
		if err != nil {
			return err
		}
		if text := canonical(value); !bytes.Equal(text, doc.json) {
			e.documents[id] = &document{id: id, class: doc.class, value: value, json: text}
		}
	}
	return nil
}

// refit returns an object with its values in the form that the schema gives
// them now: what was one value may be a collection, and the other way round.
// The triples stay as they are.
func (e *edit) refit(object map[string]any) (map[string]any, error) {
	class, _ := object["@type"].(string)
	c := e.schema.classes[class]
	if c == nil {
		return object, nil
	}
	object = maps.Clone(object)
	for field, v := range object {
		p, ok := c.properties[field]
		if !ok || p.class == "sys:JSON" {
			continue
		}
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		list = slices.Clone(list)
		for i, x := range list {
			if part, ok := x.(map[string]any); ok {
				var err error
				if list[i], err = e.refit(part); err != nil {
					return nil, err
				}
			}
		}
		switch {
		case p.isMany():
			object[field] = list
		case len(list) > 1:
			return nil, schemaFailure("%v would have several values for %s", object["@id"], field)
		case len(list) == 1:
			object[field] = list[0]
		default:
			delete(object, field)
		}
	}
	return object, nil
}

func (e *edit) put(doc map[string]any) error {
	name, _ := doc["@type"].(string)
	name = strings.TrimPrefix(name, e.prefixes.Schema)
	c := e.schema.classes[name]
	if c == nil || c.enum != nil || c.abstract || c.subdocument {
		return schemaFailure("a document has the @type %q, which is no document class", name)
	}
	id, _ := doc["@id"].(string)
	if id = e.prefixes.short(id); !strings.HasPrefix(id, c.prefix) {
		return badRequest("SubmittedDocumentIdDoesNotHaveExpectedPrefix", "Document id %q does not have expected prefix '%s'", id, c.prefix)
	}
	value, err := e.object(c, id, doc)
	if err != nil {
		return err
	}
	e.documents[id] = &document{id: id, class: name, value: value, json: canonical(value)}
	e.changed[id] = true
	return nil
}

// object brings the fields of a document or subdocument into the form they are
// stored in.
func (e *edit) object(c *class, id string, doc map[string]any) (map[string]any, error) {
	out := map[string]any{"@id": id, "@type": c.name}
	for field, v := range doc {
		if strings.HasPrefix(field, "@") || v == nil {
			continue
		}
		p, ok := c.properties[field]
		if !ok {
			return nil, schemaFailure("%s has a field %q, which its class %s has not", id, field, c.name)
		}
		values, isList := v.([]any)
		switch {
		case p.isMany() && !isList:
			values = []any{v}
		case !p.isMany() && isList && p.class != "sys:JSON":
			return nil, schemaFailure("%s has a list for %s", id, field)
		case !p.isMany():
			x, err := e.value(p, id, field, 0, v)
			if err != nil {
				return nil, err
			}
			out[field] = x
			continue
		}
		var list []any
		seen := map[string]bool{}
		for i, v := range values {
			x, err := e.value(p, id, field, i, v)
			if err != nil {
				return nil, err
			}
			if p.kind == "Set" {
				key := string(canonical(x))
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			list = append(list, x)
		}
		if p.kind == "Set" && !p.isBasic() {
			slices.SortFunc(list, func(a, b any) int { return cmp.Compare(linkOf(a), linkOf(b)) })
		}
		if len(list) > 0 || p.kind == "List" || p.kind == "Array" {
			out[field] = list
		}
	}
	for field, p := range c.properties {
		if _, ok := out[field]; !ok && (p.kind == "List" || p.kind == "Array") {
			out[field] = []any{}
		}
	}
	return out, nil
}

// linkOf returns the id of a link or subdocument.
func linkOf(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["@id"]
	}
	s, _ := v.(string)
	return s
}

func (e *edit) value(p property, id, field string, index int, v any) (any, error) {
	bad := func() error {
		return schemaFailure("%s has a value for %s that is no %s", id, field, p.class)
	}
	c := e.schema.classes[p.class]
	switch {
	case strings.HasPrefix(p.class, "sys:"):
		return v, nil
	case p.isBasic():
		x, ok := basicValue(p.class, v)
		if !ok {
			return nil, bad()
		}
		return x, nil
	case c == nil:
		return nil, bad()
	case c.enum != nil:
		if s, ok := v.(string); !ok || !slices.Contains(c.enum, s) {
			return nil, bad()
		}
		return v, nil
	}
	if s, ok := v.(string); ok && !c.subdocument {
		return e.prefixes.short(s), nil
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, bad()
	}
	if name, ok := doc["@type"].(string); ok {
		if c = e.schema.classes[name]; c == nil || !e.schema.isA(name, p.class) {
			return nil, bad()
		}
	}
	if !c.subdocument {
		return nil, bad()
	}
	sub, _ := doc["@id"].(string)
	if sub == "" {
		// What the original draws at random comes from the content here,
		// so that it is the same each time.
		sum := sha256.Sum256(canonical(map[string]any{"index": index, "document": doc}))
		class := c.prefix
		if strings.Contains(class, ":") {
			class = e.prefixes.full(class)
		}
		sub = fmt.Sprintf("%s/%s/%s%s", id, field, class, base64.RawURLEncoding.EncodeToString(sum[:12]))
	}
	return e.object(c, e.prefixes.short(sub), doc)
}

// numeric is a number as JSON writes it.
var numeric = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// basicValue brings a value of an xsd type into the form it is printed in.
func basicValue(class string, v any) (any, bool) {
	switch class {
	case "xsd:boolean":
		switch v {
		case true, "true":
			return true, true
		case false, "false":
			return false, true
		}
		return nil, false
	case "xsd:integer", "xsd:int", "xsd:long", "xsd:short", "xsd:byte", "xsd:nonNegativeInteger", "xsd:positiveInteger",
		"xsd:unsignedInt", "xsd:unsignedLong", "xsd:unsignedShort", "xsd:unsignedByte", "xsd:decimal", "xsd:double", "xsd:float":
		var n json.Number
		switch v := v.(type) {
		case json.Number:
			n = v
		case string:
			n = json.Number(v)
		default:
			return nil, false
		}
		if !numeric.MatchString(string(n)) {
			return nil, false
		}
		if class == "xsd:decimal" && strings.Contains(string(n), ".") {
			n = json.Number(strings.TrimRight(strings.TrimRight(string(n), "0"), "."))
		}
		return n, true
	}
	s, ok := v.(string)
	return s, ok
}

// delete removes documents and the references to them.
func (e *edit) delete(ids []string) error {
	gone := map[string]bool{}
	for _, id := range ids {
		id = e.prefixes.short(id)
		if e.documents[id] == nil {
			return documentNotFound(id)
		}
		delete(e.documents, id)
		gone[id] = true
	}
	if len(gone) == 0 {
		return nil
	}
	for other, doc := range e.documents {
		value, found := e.without(doc.value, gone)
		if !found {
			continue
		}
		e.documents[other] = &document{id: other, class: doc.class, value: value, json: canonical(value)}
		e.changed[other] = true
	}
	return nil
}

// without returns an object less its links to what is gone, and whether it had any. A
// required link stays, to be refused by checkLinks unless the object goes too.
func (e *edit) without(object map[string]any, gone map[string]bool) (out map[string]any, found bool) {
	class, _ := object["@type"].(string)
	c := e.schema.classes[class]
	if c == nil {
		return object, false
	}
	set := func(field string, v any) {
		if !found {
			out, found = maps.Clone(object), true
		}
		if v == nil {
			delete(out, field)
		} else {
			out[field] = v
		}
	}
	for field, p := range c.properties {
		if p.isBasic() {
			continue
		}
		switch v := object[field].(type) {
		case string:
			switch {
			case !gone[v]:
			case p.kind == "Optional":
				set(field, nil)
			default:
				set(field, v)
			}
		case map[string]any:
			if sub, ok := e.without(v, gone); ok {
				set(field, sub)
			}
		case []any:
			var list []any
			changed := false
			for _, x := range v {
				if link, ok := x.(string); ok && gone[link] {
					changed = true
					if p.kind == "Set" {
						continue
					}
				}
				if sub, ok := x.(map[string]any); ok {
					if sub, ok = e.without(sub, gone); ok {
						x, changed = sub, true
					}
				}
				list = append(list, x)
			}
			if changed && len(list) == 0 {
				set(field, nil)
			} else if changed {
				set(field, list)
			}
		}
	}
	if !found {
		return object, false
	}
	return out, true
}

// checkLinks refuses links to what does not exist or is of another class.
func (e *edit) checkLinks() error {
	for _, id := range slices.Sorted(maps.Keys(e.changed)) {
		if doc := e.documents[id]; doc != nil {
			if err := e.checkObject(doc.value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *edit) checkObject(object map[string]any) error {
	class, _ := object["@type"].(string)
	for field, p := range e.schema.classes[class].properties {
		v, ok := object[field]
		if !ok && p.kind == "One" {
			return schemaFailure("%s lacks %s", object["@id"], field)
		}
		target := e.schema.classes[p.class]
		if !ok || p.isBasic() || target == nil || target.enum != nil {
			continue
		}
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		for _, x := range list {
			switch x := x.(type) {
			case string:
				doc := e.documents[x]
				if doc == nil && p.kind == "Array" {
					continue // the original looks for links from objects, and an array's cell is none
				}
				if doc == nil || !e.schema.isA(doc.class, p.class) {
					return schemaFailure("%s refers by %s to %s, which is no %s", object["@id"], field, x, p.class)
				}
			case map[string]any:
				if err := e.checkObject(x); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// node is an object that GraphQL can answer: a document or a subdocument.
type node struct {
	id, class string // id is short
	value     map[string]any
	document  *document // the one it is, or is part of
}

// index makes the commit's nodes and their order.
func (c *commit) index() {
	c.once.Do(func() {
		c.nodes = make(map[string]*node, len(c.documents))
		for _, doc := range c.documents {
			c.addNodes(doc, doc.value)
		}
		c.order = slices.Sorted(maps.Keys(c.nodes))
	})
}

func (c *commit) addNodes(doc *document, object map[string]any) {
	id, _ := object["@id"].(string)
	class, _ := object["@type"].(string)
	c.nodes[id] = &node{id, class, object, doc}
	for field, v := range object {
		if p, ok := c.schema.classes[class].properties[field]; !ok || p.isBasic() {
			continue
		}
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		for _, x := range list {
			if sub, ok := x.(map[string]any); ok {
				c.addNodes(doc, sub)
			}
		}
	}
}
