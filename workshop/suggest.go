package workshop

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Pair is a query and a template that go together.
type Pair struct {
	Query    string `json:"query"`
	Template string `json:"template"`
}

// suggest proposes a query and a template for the documents of a class: a
// sentence with the name, the descriptions as they stand, and a sentence for
// each further fact that says something in words, links by the name of what
// they lead to. Identifiers, addresses, times and measures are left out, because
// they say nothing to a model of language. The same classes give the same pair.
//
// ok is false where the class has no documents, or nothing to say of them.
func suggest(classes []Class, name string) (pair Pair, ok bool) {
	s := &suggester{classes: make(map[string]*Class, len(classes))}
	for i := range classes {
		s.classes[classes[i].Name] = &classes[i]
	}
	c := s.classes[name]
	if c == nil || c.Part || c.Enum || c.Abstract {
		return Pair{}, false
	}
	body := s.document(c)
	if body.empty() {
		return Pair{}, false
	}
	return Pair{
		Query:    fmt.Sprintf("query($id: ID){ %s(id: $id) { %s } }", cmp.Or(c.Field, c.Name), strings.Join(body.fields, ", ")),
		Template: body.text.String(),
	}, true
}

// Suggestion is a pair for a class.
type Suggestion struct {
	Class  string
	Pair   Pair
	Object json.RawMessage // the class as the schema should hold it
}

// Suggest suggests a pair for each of the classes that are wanted and that have
// documents with something to say.
func (s *Schema) Suggest(wanted func(*Class) bool) ([]Suggestion, error) {
	var list []Suggestion
	for i := range s.Classes {
		c := &s.Classes[i]
		if !wanted(c) {
			continue
		}
		pair, ok := suggest(s.Classes, c.Name)
		if !ok {
			continue
		}
		object, err := with(c, pair)
		if err != nil {
			return nil, err
		}
		list = append(list, Suggestion{c.Name, pair, object})
	}
	return list, nil
}

// manyShown is how many of a set of links a text names: a text with hundreds of
// names is about none of them.
const manyShown = 10

type suggester struct{ classes map[string]*Class }

// body is a selection of fields and the text over them.
type body struct {
	fields []string
	text   strings.Builder
}

func (b *body) empty() bool { return len(b.fields) == 0 }

// say adds a field of the query and what the template says of it.
func (b *body) say(field, format string, args ...any) {
	b.fields = append(b.fields, field)
	fmt.Fprintf(&b.text, format, args...)
}

// document is the pair of a class.
func (s *suggester) document(c *Class) *body {
	b := &body{}
	name := nameOf(c)
	if name != nil {
		b.say(name.Name, "The %s is called {{%s}}.", s.noun(c), name.Name)
	}
	for _, f := range s.ranked(c) {
		if name == nil || f.Name != name.Name {
			s.fact(b, f, "", 0)
		}
	}
	return b
}

// The places of facts in a text, most telling first: a long text is cut into
// pieces, and a reader tires.
const (
	rankDescription = iota
	rankKind
	rankText
	rankLink
	rankPart
	rankMany
)

func (s *suggester) rank(f Field) int {
	target := s.classes[f.Type]
	switch {
	case isText(f.Type) && has(f.Name, descriptions):
		return rankDescription
	case target == nil || target.Enum:
		if has(f.Name, kinds) {
			return rankKind
		}
		return rankText
	case target.Part:
		return rankPart
	case f.Many:
		return rankMany
	}
	return rankLink
}

// ranked returns the fields of a class in the order of their places.
func (s *suggester) ranked(c *Class) []Field {
	return slices.SortedStableFunc(slices.Values(c.Fields), func(x, y Field) int {
		return cmp.Or(cmp.Compare(s.rank(x), s.rank(y)), cmp.Compare(x.Name, y.Name))
	})
}

// fact adds what a field says, if it says anything. Its value stands at path +
// its name in the document; depth counts the parts around it.
func (s *suggester) fact(b *body, f Field, path string, depth int) {
	if f.Name == "this" || !has(f.Name, descriptions) && has(f.Name, silent) {
		return
	}
	at := path + f.Name
	target := s.classes[f.Type]
	switch {
	case isText(f.Type) && has(f.Name, descriptions):
		if f.Many {
			b.say(f.Name, "{{#each %s}} {{this}}{{/each}}", at)
		} else {
			b.say(f.Name, "{{#if %s}} {{%s}}{{/if}}", at, at)
		}
	case isText(f.Type) || isDate(f.Type) || target != nil && target.Enum:
		if f.Many {
			b.say(f.Name, "{{#if %s}} The %s {{#each %s}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}.{{/if}}", at, are(words(f)), at)
		} else {
			b.say(f.Name, "{{#if %s}} The %s {{%s}}.{{/if}}", at, is(words(f)), at)
		}
	case f.Type == "xsd:boolean" && !f.Many:
		b.say(f.Name, "{{#if %s}} It %s.{{/if}}", at, quality(words(f)))
	case target == nil:
	case target.Part:
		if depth == 0 {
			s.part(b, f, target)
		}
	default:
		s.link(b, f, target, at)
	}
}

// link names what a link leads to.
func (s *suggester) link(b *body, f Field, target *Class, at string) {
	name := nameOf(target)
	if name == nil {
		return
	}
	if !f.Many {
		b.say(fmt.Sprintf("%s { %s }", f.Name, name.Name), "{{#if %s}} The %s {{%s.%s}}.{{/if}}", at, is(words(f)), at, name.Name)
		return
	}
	// Lists of links take the arguments that root fields take.
	arguments := fmt.Sprintf("(limit: %d)", manyShown)
	if f.Unordered {
		arguments = fmt.Sprintf("(orderBy: {%s: ASC}, limit: %d)", name.Name, manyShown)
	}
	b.say(fmt.Sprintf("%s%s { %s }", f.Name, arguments, name.Name),
		"{{#if %s}} The %s {{#each %s}}{{%s}}{{#unless @last}}, {{/unless}}{{/each}}.{{/if}}", at, are(words(f)), at, name.Name)
}

// part adds what the fields of a part of the document say.
func (s *suggester) part(b *body, f Field, target *Class) {
	inner := &body{}
	path := f.Name + "."
	if f.Many {
		path = ""
	}
	for _, field := range s.ranked(target) {
		s.fact(inner, field, path, 1)
	}
	if inner.empty() {
		return
	}
	query := fmt.Sprintf("%s { %s }", f.Name, strings.Join(inner.fields, ", "))
	if f.Many {
		b.say(query, "{{#each %s}}%s{{/each}}", f.Name, inner.text.String())
		return
	}
	b.say(query, "%s", inner.text.String())
}

// noun is what a document of the class is called in a sentence.
func (s *suggester) noun(c *Class) string {
	return cmp.Or(spoken(c.Label), singular(phrase(unprefixed(c.Name))))
}

// words are what a field is called in a sentence.
func words(f Field) string {
	return cmp.Or(spoken(f.Label), phrase(unprefixed(cmp.Or(f.Key, f.Name))))
}

// unprefixed takes the namespace off a name.
func unprefixed(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

// nameOf returns the field that names a class's documents, or nil.
func nameOf(c *Class) *Field {
	best, rank := -1, len(names)
	for i, f := range c.Fields {
		if f.Many || !isText(f.Type) {
			continue
		}
		words := splitWords(f.Name)
		at := slices.Index(names, strings.Join(words, " "))
		if at < 0 && len(words) > 0 && slices.Contains(names[:3], words[len(words)-1]) {
			at = len(names) - 1 // some_name
		}
		if at >= 0 && at < rank {
			best, rank = i, at
		}
	}
	if best < 0 {
		return nil
	}
	return &c.Fields[best]
}

func isText(t string) bool {
	switch t {
	case "xsd:string", "xsd:normalizedString", "xsd:token", "xsd:Name", "xsd:NCName", "xsd:language", "rdf:PlainLiteral", "rdf:langString":
		return true
	}
	return false
}

func isDate(t string) bool { return t == "xsd:date" || t == "xsd:gYear" || t == "xsd:gYearMonth" }
