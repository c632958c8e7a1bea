package workshop_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
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
	if want := []string{"Place", "Road", "Size", "Thing"}; !slices.Equal(names, want) {
		t.Fatalf("classes %v, want %v", names, want)
	}
	place := s.Class("Place")
	if place.Label != "Place on a map" || place.Part || place.Enum || place.Abstract || !slices.Equal(place.Parents, []string{"Thing"}) {
		t.Errorf("Place: %+v", place)
	}
	wantFields := []workshop.Field{
		{Name: "name", Label: "full name", Type: "xsd:string"},
		{Name: "near", Label: "Neighbours", Type: "Place", Many: true, Unordered: true},
		{Name: "of_old", Type: "xsd:boolean"},
		{Name: "roads", Type: "Road", Many: true},
		{Name: "size", Type: "Size"},
		{Name: "within", Type: "Place"},
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
	object, err := place.With(workshop.Pair{Query: "q < 1", Template: "t & u"})
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
