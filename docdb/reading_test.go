package docdb_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

const describedSchema = `[
	{"@type":"@context","@base":"terminusdb:///b/","@schema":"terminusdb:///b/schema#"},
	{"@id":"Thing","@type":"Class","@abstract":[],"name":"xsd:string",
	 "@documentation":{"@comment":"Anything.","@properties":{"name":{"@label":"full name"}}}},
	{"@id":"Place","@type":"Class","@inherits":"Thing","size":"Size","of-old":{"@type":"Optional","@class":"xsd:boolean"},
	 "within":{"@type":"Optional","@class":"Place"},"near":{"@type":"Set","@class":"Place"},"roads":{"@type":"List","@class":"Road"},
	 "@documentation":[{"@language":"ka","@label":"ადგილი"},{"@language":"en","@label":"Place on a map","@properties":{"size":"how big","near":{"@label":"Neighbours"}}}],
	 "@metadata":{"author":"me","embedding":{"query":"query($id: ID){ Place(id: $id) { name } }","template":"{{name}}"}}},
	{"@id":"Road","@type":"Class","@subdocument":[],"@key":{"@type":"Random"},"number":"xsd:string"},
	{"@id":"Size","@type":"Enum","@value":["small","large"]}
]`

func described(t *testing.T) (*docdb.Client, *docdb.Schema) {
	t.Helper()
	db := minidb.New(minidb.Config{})
	srv := httptest.NewServer(db)
	t.Cleanup(srv.Close)
	ids, err := db.Load("a/b", minidb.Prefixes{Base: "terminusdb:///b/"}, []minidb.Step{
		{Name: "schema", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Schema: []json.RawMessage{json.RawMessage(describedSchema)}}},
		{Name: "documents", Change: minidb.Change{Branch: "main", Author: "a", Message: "m", Put: []json.RawMessage{json.RawMessage(`[
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
	s, err := c.Schema(t.Context(), "a/b", ids["documents"])
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestSchema(t *testing.T) {
	_, s := described(t)
	if len(s.Objects) != 5 || len(s.Pairs) != 1 || s.Pairs[0].Name != "Place" || s.Pairs[0].Template != "{{name}}" {
		t.Errorf("%d objects, pairs %+v", len(s.Objects), s.Pairs)
	}
	want := []docdb.Property{
		{Name: "name", Field: "name", Type: "xsd:string"},
		{Name: "near", Field: "near", Type: "Place", Many: true, Unordered: true},
		{Name: "of-old", Field: "of_old", Type: "xsd:boolean"},
		{Name: "roads", Field: "roads", Type: "Road", Many: true},
		{Name: "size", Field: "size", Type: "Size"},
		{Name: "within", Field: "within", Type: "Place"},
	}
	if got := s.Properties("Place"); !slices.Equal(got, want) {
		t.Errorf("properties of Place:\n%+v, want\n%+v", got, want)
	}
	if got := s.Ancestors("Place"); !slices.Equal(got, []string{"Thing"}) {
		t.Errorf("ancestors of Place: %v", got)
	}
	if !s.IsPart("Road") || s.IsPart("Place") || s.IsPart("Missing") || s.Properties("Missing") != nil {
		t.Error("kinds of classes are wrong")
	}
	if got := s.IRI("Place/1"); got != "terminusdb:///b/Place/1" {
		t.Errorf("IRI %s", got)
	}
}

func TestAnswer(t *testing.T) {
	_, s := described(t)
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
	c, s := described(t)
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

// FuzzParseMetadata: usable metadata has a query, unusable a reason.
func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(`{"embedding":{"query":"q","template":"t"}}`))
	f.Add([]byte(`{"embedding":[]}`))
	f.Add([]byte(` null`))
	f.Fuzz(func(t *testing.T, metadata []byte) {
		class, ok := docdb.ParseMetadata(metadata)
		if ok && (class.Query == "") != (class.Err != nil) || !ok && class != (docdb.Class{}) {
			t.Errorf("%q: %+v, %v", metadata, class, ok)
		}
	})
}
