package workshop_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

var library = []workshop.Class{
	{Name: "Books", Fields: []workshop.Field{
		{Name: "title", Type: "xsd:string"}, {Name: "isbn", Type: "xsd:string"}, {Name: "summary", Type: "xsd:string"},
		{Name: "genre", Type: "Genre"}, {Name: "topics", Type: "xsd:string", Many: true},
		{Name: "firstPublished", Type: "xsd:gYear"}, {Name: "created_at", Type: "xsd:dateTime"}, {Name: "pageCount", Type: "xsd:integer"},
		{Name: "outOfPrint", Type: "xsd:boolean"}, {Name: "has_maps", Type: "xsd:boolean"},
		{Name: "author", Label: "Main author", Type: "Author"}, {Name: "cites", Type: "Books", Many: true, Unordered: true},
		{Name: "awards", Type: "Award", Many: true}, {Name: "edition", Type: "Edition"},
		{Name: "cover_url", Type: "xsd:anyURI"}, {Name: "meta", Type: "sys:JSON"}, {Name: "place", Type: "Nameless"},
	}},
	{Name: "Genre", Enum: true},
	{Name: "Author", Label: "Writer of {{books}}", Fields: []workshop.Field{{Name: "fullName", Type: "xsd:string"}, {Name: "bio", Type: "xsd:string", Many: true}}},
	{Name: "Award", Part: true, Fields: []workshop.Field{{Name: "name", Type: "xsd:string"}, {Name: "jury", Type: "Author"}, {Name: "year", Type: "xsd:gYear"}}},
	{Name: "Edition", Part: true, Fields: []workshop.Field{{Name: "publisher", Type: "xsd:string"}, {Name: "pages", Type: "xsd:integer"}, {Name: "inner", Type: "Award"}}},
	{Name: "Nameless", Fields: []workshop.Field{{Name: "latitude", Type: "xsd:decimal"}, {Name: "id", Type: "xsd:string"}}},
	{Name: "Thing", Abstract: true, Fields: []workshop.Field{{Name: "name", Type: "xsd:string"}}},
}

func TestSuggest(t *testing.T) {
	pair, ok := workshop.SuggestFrom(library, "Books")
	const query = `query($id: ID){ Books(id: $id) { title, summary, genre, topics, firstPublished, has_maps, isbn, outOfPrint, author { fullName }, awards { name, year, jury { fullName } }, edition { publisher }, cites(orderBy: {title: ASC}, limit: 10) { title } } }`
	const template = `The book is called {{title}}.` +
		`{{#if summary}} {{summary}}{{/if}}` +
		`{{#if genre}} The genre is {{genre}}.{{/if}}` +
		`{{#if topics}} The topics are {{#each topics}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}.{{/if}}` +
		`{{#if firstPublished}} The first published is {{firstPublished}}.{{/if}}` +
		`{{#if has_maps}} It has maps.{{/if}}` +
		`{{#if isbn}} The isbn is {{isbn}}.{{/if}}` +
		`{{#if outOfPrint}} It is out of print.{{/if}}` +
		`{{#if author}} The main author is {{author.fullName}}.{{/if}}` +
		`{{#each awards}}{{#if name}} The name is {{name}}.{{/if}}{{#if year}} The year is {{year}}.{{/if}}{{#if jury}} The jury is {{jury.fullName}}.{{/if}}{{/each}}` +
		`{{#if edition.publisher}} The publisher is {{edition.publisher}}.{{/if}}` +
		`{{#if cites}} The cites are {{#each cites}}{{title}}{{#unless @last}}, {{/unless}}{{/each}}.{{/if}}`
	if !ok || pair.Query != query || pair.Template != template {
		t.Errorf("got %t\n%s\n%s\nwant\n%s\n%s", ok, pair.Query, pair.Template, query, template)
	}
	const data = `{"title":"Snow","summary":"It falls.","genre":"prose","topics":["cold","white"],"firstPublished":1990,"has_maps":false,"isbn":null,
		"outOfPrint":true,"author":{"fullName":"Ann"},"edition":{"publisher":"P"},"awards":[{"name":"A","year":null,"jury":null}],"cites":[]}`
	text, err := templates.New(templates.Limits{}).Render(t.Context(), pair.Template, []byte(data))
	if want := "The book is called Snow. It falls. The genre is prose. The topics are cold, white. The first published is 1990. It is out of print. The main author is Ann. The name is A. The publisher is P."; err != nil || text != want {
		t.Errorf("renders as %q, %v; want %q", text, err, want)
	}
	if pair, _ := workshop.SuggestFrom(library, "Author"); pair.Template != "The writer of books is called {{fullName}}.{{#each bio}} {{this}}{{/each}}" {
		t.Errorf("Author: %s", pair.Template)
	}
	for _, name := range []string{"Genre", "Award", "Thing", "Nameless", "Missing"} {
		if pair, ok := workshop.SuggestFrom(library, name); ok {
			t.Errorf("%s: %+v", name, pair)
		}
	}
}

func TestSuggestNouns(t *testing.T) {
	for name, want := range map[string]string{
		"People": "person", "Species": "species", "Countries": "country", "Boxes": "box", "Class": "class", "Bus": "bus",
		"StarshipClass": "starship class", "MGLTUnit": "MGLT unit", "Addresses": "address", "Gas": "gas", "blog_posts": "blog post", "Status": "status",
	} {
		class := workshop.Class{Name: name, Fields: []workshop.Field{{Name: "label", Type: "xsd:string"}}}
		if pair, _ := workshop.SuggestFrom([]workshop.Class{class}, name); pair.Template != "The "+want+" is called {{label}}." {
			t.Errorf("%s: %s, want %s", name, pair.Template, want)
		}
	}
}

// TestSuggestRandom checks that what is suggested for whatever classes can be
// filled in, reviews without warning, and does not depend on the order in which
// a schema lists its fields.
func TestSuggestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := templates.New(templates.Limits{})
	types := []string{"xsd:string", "xsd:string", "xsd:boolean", "xsd:date", "xsd:integer", "xsd:dateTime", "C0", "C1", "C2", "C3", "E", "sys:JSON"}
	stems := []string{"label", "name", "title", "desc", "summary", "is_new", "hasWings", "kind", "homeWorld", "color", "url", "created", "X", "part_of", "len", "each", "this"}
	said := 0
	for range 200 {
		classes := []workshop.Class{{Name: "E", Enum: true}}
		for i := range 4 {
			c := workshop.Class{Name: fmt.Sprintf("C%d", i), Part: rng.IntN(3) == 0}
			for _, j := range rng.Perm(len(stems))[:rng.IntN(8)] {
				many := rng.IntN(3) == 0
				c.Fields = append(c.Fields, workshop.Field{Name: stems[j], Type: types[rng.IntN(len(types))], Many: many, Unordered: many && rng.IntN(2) == 0})
			}
			classes = append(classes, c)
		}
		for _, c := range classes {
			pair, ok := workshop.SuggestFrom(classes, c.Name)
			if !ok {
				continue
			}
			said++
			shape, data := answered(rng, classes, c.Name, 0)
			warnings, err := workshop.Review(r, pair.Template, shape)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%+v\n%s\n%v %+v", classes, pair.Template, err, warnings)
			}
			raw, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := r.Render(t.Context(), pair.Template, raw); err != nil && strings.TrimSpace(text) != "" {
				t.Fatalf("%s over %s: %v", pair.Template, raw, err)
			}
			shuffled := slices.Clone(classes)
			for i := range shuffled {
				shuffled[i].Fields = slices.Clone(shuffled[i].Fields)
				rng.Shuffle(len(shuffled[i].Fields), func(a, b int) {
					f := shuffled[i].Fields
					f[a], f[b] = f[b], f[a]
				})
			}
			if again, _ := workshop.SuggestFrom(shuffled, c.Name); again != pair {
				t.Fatalf("in another order of fields\n%+v\nbecomes\n%+v", pair, again)
			}
		}
	}
	if said < 100 {
		t.Errorf("only %d suggestions were made", said)
	}
}

// answered makes the shape of a class with every field, and a random object of
// it.
func answered(rng *rand.Rand, classes []workshop.Class, name string, depth int) (*docdb.Answer, map[string]any) {
	i := slices.IndexFunc(classes, func(c workshop.Class) bool { return c.Name == name })
	shape, data := &docdb.Answer{Members: make(map[string]*docdb.Answer)}, make(map[string]any)
	for _, f := range classes[i].Fields {
		var member *docdb.Answer
		var value any
		switch {
		case strings.HasPrefix(f.Type, "C") && depth < 3:
			member, value = answered(rng, classes, f.Type, depth+1)
		case f.Type == "xsd:boolean":
			member, value = &docdb.Answer{}, rng.IntN(2) == 0
		default:
			member, value = &docdb.Answer{}, "text"
		}
		if f.Many {
			member = &docdb.Answer{Many: true, Members: member.Members}
			list := []any{}
			for range rng.IntN(3) {
				list = append(list, value)
			}
			value = list
		} else if rng.IntN(3) == 0 {
			value = nil
		}
		shape.Members[f.Name], data[f.Name] = member, value
	}
	return shape, data
}
