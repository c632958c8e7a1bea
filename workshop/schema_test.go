package workshop_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

const describedSchema = `[
	{"@type":"@context","@base":"terminusdb:///b/","@schema":"terminusdb:///b/schema#"},
	{"@id":"Thing","@type":"Class","@abstract":[],"name":"xsd:string",
	 "@documentation":{"@comment":"Anything.","@properties":{"name":{"@label":"full name"}}}},
	{"@id":"Place","@type":"Class","@inherits":"Thing","size":"Size","of-old":{"@type":"Optional","@class":"xsd:boolean"},
	 "within":{"@type":"Optional","@class":"Place"},"near":{"@type":"Set","@class":"Place"},"roads":{"@type":"List","@class":"Road"},
	 "@documentation":[{"@language":"ka","@label":"ადგილი"},{"@language":"en","@label":"Place on a map","@properties":{"size":"how big","near":{"@label":"Neighbours"}}}],
	 "@metadata":{"author":"me","embedding":{"query":"query($id: ID){ Place(id: $id) { name } }","template":"{{name}}"}}},
	{"@id":"Gerät","@type":"Class","name":"xsd:string","gehört":{"@type":"Optional","@class":"Place"},"rabatt":"xsd:double","summe":"xsd:decimal","zahl":"xsd:integer"},
	{"@id":"Road","@type":"Class","@subdocument":[],"@key":{"@type":"Random"},"number":"xsd:string"},
	{"@id":"Size","@type":"Enum","@value":["small","large"]}
]`

func described(t *testing.T) *workshop.Schema {
	t.Helper()
	db := minidb.New(minidb.Config{})
	srv := httptest.NewServer(db)
	t.Cleanup(srv.Close)
	ids, err := db.Load("a/b", minidb.Prefixes{Base: "terminusdb:///b/"}, []minidb.Step{
		{Name: "schema", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Schema: []json.RawMessage{json.RawMessage(describedSchema)}}},
		{Name: "documents", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Put: []json.RawMessage{json.RawMessage(`[
			{"@id":"Gerät/1","@type":"Gerät","name":"x","gehört":"Place/1","rabatt":0.0,"summe":12.50,"zahl":123456789012345678901234567890},
			{"@id":"Gerät/2","@type":"Gerät","name":"y","rabatt":0.50,"summe":0,"zahl":0},
			{"@id":"Place/1","@type":"Place","name":"one","size":"small"},
			{"@id":"Place/2","@type":"Place","name":"two","size":"large","near":["Place/1"],"within":"Place/1"},
			{"@id":"Place/3","@type":"Place","name":"three","size":"large"}]`)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := docdb.NewClient(docdb.Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	s, err := workshop.Open(t.Context(), c, "a/b", ids["documents"])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchema(t *testing.T) {
	s := described(t)
	var names []string
	for _, c := range s.Classes {
		names = append(names, c.Name)
	}
	if want := []string{"Gerät", "Place", "Road", "Size", "Thing"}; !slices.Equal(names, want) {
		t.Fatalf("classes %v, want %v", names, want)
	}
	place := s.Class("Place")
	if place.Label != "Place on a map" || place.Part || place.Enum || place.Abstract || !slices.Equal(place.Parents, []string{"Thing"}) {
		t.Errorf("Place: %+v", place)
	}
	wantFields := []workshop.Field{
		{Name: "name", Key: "name", Label: "full name", Type: "xsd:string"},
		{Name: "near", Key: "near", Label: "Neighbours", Type: "Place", Many: true, Unordered: true},
		{Name: "of_old", Key: "of-old", Type: "xsd:boolean"},
		{Name: "roads", Key: "roads", Type: "Road", Many: true},
		{Name: "size", Key: "size", Type: "Size"},
		{Name: "within", Key: "within", Type: "Place"},
	}
	if !reflect.DeepEqual(place.Fields, wantFields) {
		t.Errorf("fields of Place:\n%+v, want\n%+v", place.Fields, wantFields)
	}
	if !s.Class("Road").Part || !s.Class("Size").Enum || !s.Class("Thing").Abstract || s.Class("Missing") != nil {
		t.Error("kinds of classes are wrong")
	}
	if pair := s.Pair("Place"); pair == nil || pair.Template != "{{name}}" || s.Pair("Road") != nil {
		t.Errorf("pairs %+v", s.Pairs)
	}
	if got := s.IRI("Place/1"); got != "terminusdb:///b/Place/1" {
		t.Errorf("IRI %s", got)
	}
	object, err := workshop.With(place, workshop.Pair{Query: "q < 1", Template: "t & u"})
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := workshop.ParsePairs(object)
	if err != nil || len(pairs) != 1 || pairs[0] != (docdb.Class{Name: "Place", Query: "q < 1", Template: "t & u"}) {
		t.Errorf("pairs %+v, %v", pairs, err)
	}
	var back map[string]any
	if err := json.Unmarshal(object, &back); err != nil || back["@metadata"].(map[string]any)["author"] != "me" || back["size"] != "Size" {
		t.Errorf("object %s, %v", object, err)
	}
}

// TestNumbersInTemplates: the schema's numbers are numbers to a template, zero
// however it is spelled, and keep their digits when they are printed.
func TestNumbersInTemplates(t *testing.T) {
	s := described(t)
	pair := docdb.Class{Name: "Gerät", Query: "query($id: ID){ Geraet(id: $id) { rabatt summe zahl } }",
		Template: "{{#if rabatt}}yes{{else}}no{{/if}} {{rabatt}} {{#if summe}}yes{{else}}no{{/if}} {{summe}} {{#if zahl}}yes{{else}}no{{/if}} {{zahl}}"}
	var got []string
	for op, err := range s.Documents(t.Context(), pair, nil, 0) {
		if err != nil || op.Err != nil {
			t.Fatal(err, op.Err)
		}
		text, err := templates.New(templates.Limits{}).Render(t.Context(), op.Template, op.Data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	if want := []string{"no 0.0 yes 12.5 yes 123456789012345678901234567890", "yes 0.50 no 0 no 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSuggestNamesOfGraphQL: what is suggested asks for names as GraphQL writes them,
// and speaks of them as the schema does.
func TestSuggestNamesOfGraphQL(t *testing.T) {
	s := described(t)
	list, err := s.Suggest(func(c *workshop.Class) bool { return c.Name == "Gerät" })
	want := workshop.Pair{Query: "query($id: ID){ Geraet(id: $id) { name, gehoert { name } } }", Template: "The gerät is called {{name}}.{{#if gehoert}} The gehört is {{gehoert.name}}.{{/if}}"}
	if err != nil || len(list) != 1 || list[0].Pair != want {
		t.Fatalf("%+v, %v", list, err)
	}
	for op, err := range s.Documents(t.Context(), docdb.Class{Name: "Gerät", Query: want.Query, Template: want.Template}, []string{s.IRI("Gerät/1")}, 0) {
		if err != nil || string(op.Data) != `{"name":"x","gehoert":{"name":"one"}}` {
			t.Errorf("%s, %v, %v", op.Data, op.Err, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	_, s := described(t).DB()
	class := func(fields string) docdb.Class {
		return docdb.Class{Name: "Place", Query: "query($id: ID){ Place(id: $id) { " + fields + " } }", Template: "x"}
	}
	answer, problems, err := s.Answer(class("n: name, size, _type, near(orderBy: {name: ASC}) { name, within { name } }, roads { number }, _within_of_Place { of_old }"))
	leaf := &docdb.Answer{}
	want := &docdb.Answer{Members: map[string]*docdb.Answer{
		"n": leaf, "size": leaf, "_type": leaf,
		"near":             {Many: true, Members: map[string]*docdb.Answer{"name": leaf, "within": {Members: map[string]*docdb.Answer{"name": leaf}}}},
		"roads":            {Many: true, Members: map[string]*docdb.Answer{"number": leaf}},
		"_within_of_Place": {Many: true, Members: map[string]*docdb.Answer{"of_old": leaf}},
	}}
	got, _ := json.Marshal(answer)
	if want, _ := json.Marshal(want); err != nil || len(problems) > 0 || string(got) != string(want) {
		t.Errorf("answer %s, %v, %v", got, problems, err)
	}
	for fields, problem := range map[string]string{
		"name, colour":        "colour, which Place does not have",
		"near { colour }":     "colour, which Place does not have",
		"within":              "without saying which",
		"name { first }":      "fields of name of Place, which has none",
		"_near_of_Road { x }": "_near_of_Road",
	} {
		if _, problems, err := s.Answer(class(fields)); err != nil || len(problems) != 1 || !strings.Contains(problems[0], problem) {
			t.Errorf("%s: %v, %v; want %q", fields, problems, err, problem)
		}
	}
	if _, _, err := s.Answer(docdb.Class{Name: "Place", Query: "{"}); err == nil {
		t.Error("a query that does not parse has an answer")
	}
}

func TestDocuments(t *testing.T) {
	c, s := described(t).DB()
	pair := docdb.Class{Name: "Place", Query: "query($id: ID){ Place(id: $id) { name, near { name } } }", Template: "other than the schema's"}
	read := func(pair docdb.Class, ids []string, most int) (got []string) {
		t.Helper()
		for op, err := range c.Documents(t.Context(), s, pair, ids, most) {
			if err != nil {
				t.Fatal(err)
			}
			text := string(op.Data)
			if op.Kind == contract.Failed {
				text = "failed"
			} else if op.Template != pair.Template {
				t.Errorf("template %q", op.Template)
			}
			got = append(got, strings.TrimPrefix(op.ID, "terminusdb:///b/")+text)
		}
		return got
	}
	one, two := `Place/1{"name":"one","near":[]}`, `Place/2{"name":"two","near":[{"name":"one"}]}`
	if got, want := read(pair, nil, 2), []string{one, two}; !slices.Equal(got, want) {
		t.Errorf("the first two: %v, want %v", got, want)
	}
	if got := read(pair, nil, 0); len(got) != 3 {
		t.Errorf("all: %v", got)
	}
	if got, want := read(pair, []string{s.IRI("Place/2"), s.IRI("Place/9")}, 0), []string{two}; !slices.Equal(got, want) {
		t.Errorf("by id: %v, want %v", got, want)
	}
	pair.Query = "{"
	if got, want := read(pair, nil, 1), []string{"Place/1failed"}; !slices.Equal(got, want) {
		t.Errorf("by a bad query: %v, want %v", got, want)
	}
}

func TestParsePairs(t *testing.T) {
	for text, want := range map[string]string{
		`7`:     "not a JSON list",
		`["a"]`: "not a JSON list",
		`[{"@metadata":{"embedding":{"query":"q"}}}]`:       "no @id",
		`[{"@id":"A","@metadata":{"embedding":{}}}]`:        "no query",
		`[{"@id":"A","@metadata":{"embedding":"text"}}]`:    "not an object",
		`[{"@id":"A"},{"@id":"B","@metadata":{"other":1}}]`: "",
	} {
		pairs, err := workshop.ParsePairs([]byte(text))
		if want == "" && (err != nil || len(pairs) > 0) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v; want %q", text, pairs, err, want)
		}
	}
}
