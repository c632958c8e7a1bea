package docdb_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
)

// fleetSchema has a link of every kind.
const fleetSchema = `[
 {"@type":"@context","@base":"terminusdb:///x/","@schema":"terminusdb:///y#","ex":"http://elsewhere.net/"},
 {"@id":"Kind","@type":"Enum","@value":["a","b"]},
 {"@id":"Place","@type":"Class","label":"xsd:string","kind":{"@type":"Optional","@class":"Kind"},"tags":{"@type":"Set","@class":"xsd:string"},"sizes":{"@type":"Set","@class":"xsd:integer"}},
 {"@id":"Port","@type":"Class","@inherits":"Place"},
 {"@id":"Bolt","@type":"Class","@subdocument":[],"from":{"@type":"Optional","@class":"Place"}},
 {"@id":"Part","@type":"Class","@subdocument":[],"name":"xsd:string","home":{"@type":"Optional","@class":"Place"},"bolts":{"@type":"Set","@class":"Bolt"}},
 {"@id":"Ship","@type":"Class","label":"xsd:string","built":"Place","calls":{"@type":"Set","@class":"Place"},"route":{"@type":"List","@class":"Place"},
  "grid":{"@type":"Array","@class":"Place"},"names":{"@type":"List","@class":"xsd:string"},"hull-part":{"@type":"Optional","@class":{"@class":"Part","@subdocument":[]}},"sister":{"@type":"Optional","@class":"Ship"},
  "crew":{"@type":"Cardinality","@class":"xsd:string","@min":1}},
 {"@id":"Either","@type":"TaggedUnion","@oneOf":[{"place":"Place","ship":"Ship"}]},
 {"@id":"Thing","@type":"Class"},{"@id":"Whole","@type":"Class","@inherits":["Thing"]},{"@id":"Piece","@type":"Class","@inherits":["Thing"],"@subdocument":[]},
 {"@id":"ex:Dock","@type":"Class","ex:berth":{"@type":"Optional","@class":"ex:Berth"}},{"@id":"ex:Berth","@type":"Class","@subdocument":[]},
 {"@id":"Own","@type":"Class","@base":"Ship/own-"},{"@id":"Own2","@type":"Class","@key":{"@type":"Random","@base":"Place_"}},
 {"@id":"Box","@type":"Class","holds":{"@type":"Optional","@class":"Thing"}}]`

// TestReads: what a query's texts depend on, at every place it reads.
func TestReads(t *testing.T) {
	for _, c := range []struct{ class, query, want, opaque string }{
		{"Ship", `label built { label }`, "0 Ship: built label|1 Place of Ship by built: label", ""},
		{"Ship", `_id l: label n: names crew`, "0 Ship: crew label names", ""},
		{"Ship", `route { label } grid { kind }`, "0 Ship: grid route|1 Place of Ship by route through cells: label|1 Place of Ship by grid through cells: kind", ""},
		{"Ship", `hull_part { name home { tags } bolts { from { label } } }`,
			"0 Ship: bolts from home hull-part name|1 Place of Ship by home: tags|1 Place of Ship by from: label", ""},
		{"Ship", `sister { sister { built { _type } } }`, "0 Ship: sister|1 Ship of Ship by sister: sister|2 Ship of Ship by sister: built|3 Place of Ship by built: rdf:type", ""},
		{"Ship", `calls(orderBy: {kind: ASC}, filter: {label: {ne: "x"}}) { _json }`, "0 Ship: calls|1 Place of Ship by calls: * kind label", ""},
		{"Ship", `calls(filter: {_or: [{tags: {someHave: {eq: "x"}}}, {_not: {kind: {eq: a}}}]}) { _id }`, "0 Ship: calls|1 Place of Ship by calls: kind tags", ""},
		{"Place", `label _calls_of_Ship { label built { label } }`, "0 Place: label|1 Ship of Place by calls backwards: built calls label|2 Place of Ship by built: label", ""},
		{"Place", `_built_of_Ship { label } _home_of_Part { name }`, "0 Place: |1 Ship of Place by built backwards: built label|1 Part of Place by home backwards: home name", ""},
		{"Place", `_route_of_Ship { label }`, "0 Place: |1 Ship of Place by route backwards: label route", "a list read backwards"},
		{"Place", `_path_to_Ship(path: "x") { label }`, "0 Place: ", "_path_to_Ship"},
		{"Port", `label _built_of_Ship { label }`, "0 Port: label", ""}, // which only Place has
		{"Either", `place { label } ship { label }`, "0 Either: place ship|1 Place of Either by place: label|1 Ship of Either by ship: label", ""},
		{"Box", `holds { _type }`, "0 Box: holds|1 Thing of Box by holds: rdf:type", "documents and to subdocuments"},
		{"Ship", `calls(filter: $f) { label }`, "0 Ship: calls|1 Place of Ship by calls: label", "filter that is not an object"},
		{"Ship", `nosuch label`, "0 Ship: label", ""},
	} {
		places, opaque, err := docdb.Reads([]byte(fleetSchema), c.class, fmt.Sprintf("query($id: ID){ %s(id: $id) { %s } }", c.class, c.query))
		if got := strings.Join(places, "|"); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.query, err, got, c.want)
		}
		if !strings.Contains(opaque, c.opaque) || (opaque == "") != (c.opaque == "") {
			t.Errorf("%s: opaque %q, want %q", c.query, opaque, c.opaque)
		}
	}
	places, _, err := docdb.Reads([]byte(fleetSchema), "Ship", `query($id: ID){ Ship(id: $id, filter: {sister: {built: {label: {eq: "x"}}}, calls: {allHave: {kind: {eq: a}}}}) { label } }`)
	want := "0 Ship: calls label sister|1 Ship of Ship by sister: built|2 Place of Ship by built: label|1 Place of Ship by calls: kind"
	if got := strings.Join(places, "|"); err != nil || got != want {
		t.Errorf("a filter at the root: %v\n got %s\nwant %s", err, got, want)
	}
}

// TestArrange: Sets are sorted, by whatever depth; Lists and what the query
// orders itself are not.
func TestArrange(t *testing.T) {
	for _, c := range []struct{ class, query, data, want string }{
		{"Place", "tags", `{"tags":["Zebra","1 first","Apple pie","Apple","é"]}`, `{"tags":["1 first","Apple","Apple pie","Zebra","é"]}`},
		{"Place", "t: tags sizes", `{"t":["b","a"],"sizes":[10,9,-1,12345678901234567890123,9]}`, `{"t":["a","b"],"sizes":[-1,9,9,10,12345678901234567890123]}`},
		{"Ship", "names crew", `{"names":["b","a"],"crew":["b","a"]}`, `{"names":["b","a"],"crew":["a","b"]}`},
		{"Ship", "route { tags } grid { label }", `{"route":[{"tags":["b","a"]},{"tags":[]}],"grid":[{"label":"b"},{"label":"a"}]}`, `{"route":[{"tags":["a","b"]},{"tags":[]}],"grid":[{"label":"b"},{"label":"a"}]}`},
		{"Ship", "calls { label tags }", `{"calls":[{"label":"b","tags":["y","x"]},{"label":"a","tags":["z"]}]}`, `{"calls":[{"label":"a","tags":["z"]},{"label":"b","tags":["x","y"]}]}`},
		{"Ship", "calls(orderBy: {label: DESC}) { label tags }", `{"calls":[{"label":"b","tags":["y","x"]},{"label":"a","tags":[]}]}`, `{"calls":[{"label":"b","tags":["x","y"]},{"label":"a","tags":[]}]}`},
		{"Place", "_calls_of_Ship { label }", `{"_calls_of_Ship":[{"label":"b"},{"label":"a"}]}`, `{"_calls_of_Ship":[{"label":"a"},{"label":"b"}]}`},
		{"Ship", "built { tags }", `{"built":null}`, `{"built":null}`},
		{"Ship", "calls { label }", `{"calls":"odd"}`, `{"calls":"odd"}`},
	} {
		got, err := docdb.Arrange([]byte(fleetSchema), c.class, fmt.Sprintf("query($id: ID){ %s(id: $id) { %s } }", c.class, c.query), []byte(c.data))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.query, err, got, c.want)
		}
	}
}

// FuzzArrange: the order of members never changes what they are.
func FuzzArrange(f *testing.F) {
	f.Add(`{"calls":[{"label":"b","tags":["y","x"]},{"label":"a","tags":["z", null, {}]}],"label":"x"}`)
	f.Add(`{"calls":[[],"",{"tags":null}] , "calls" : [1e99999,-0]}`)
	f.Add(`{"calls":`)
	count := func(data []byte) [256]int {
		var n [256]int
		for _, b := range data {
			n[b]++
		}
		n[' '], n['\t'], n['\n'], n['\r'] = 0, 0, 0, 0
		return n
	}
	f.Fuzz(func(t *testing.T, data string) {
		got, err := docdb.Arrange([]byte(fleetSchema), "Ship", "query($id: ID){ Ship(id: $id) { label calls { label tags } } }", []byte(data))
		if err != nil || json.Valid([]byte(data)) != json.Valid(got) {
			t.Fatalf("%s: %s, %v", data, got, err)
		}
		if again, _ := docdb.Arrange([]byte(fleetSchema), "Ship", "query($id: ID){ Ship(id: $id) { label calls { label tags } } }", got); !bytes.Equal(again, got) {
			t.Fatalf("%s: %s, then %s", data, got, again)
		}
		if !strings.Contains(data, `\`) && json.Valid([]byte(data)) && !strings.ContainsAny(data, "<>&\u2028\u2029-0123456789") && count(got) != count([]byte(data)) {
			t.Fatalf("%s: %s", data, got)
		}
	})
}

// TestObjects: the class and the holders of an object, read off its id.
func TestObjects(t *testing.T) {
	for id, want := range map[string]string{
		"terminusdb:///x/Ship/1":                                            "terminusdb:///x/Ship/1 Ship",
		"terminusdb:///x/Ship/a/b c":                                        "terminusdb:///x/Ship/a/b c Ship",
		"terminusdb:///x/Ship/1/hull-part/Part/k":                           "terminusdb:///x/Ship/1/hull-part/Part/k Part|terminusdb:///x/Ship/1 Ship",
		"terminusdb:///x/Ship/1/hull-part/Part/k/bolts/Bolt/j":              "terminusdb:///x/Ship/1/hull-part/Part/k/bolts/Bolt/j Bolt|terminusdb:///x/Ship/1/hull-part/Part/k Part|terminusdb:///x/Ship/1 Ship",
		"terminusdb:///x/Ship/hull-part/Part/k":                             "terminusdb:///x/Ship/hull-part/Part/k Ship",
		"terminusdb:///x/Ship/1/hull-part/Bolt/k":                           "terminusdb:///x/Ship/1/hull-part/Bolt/k Ship",
		"terminusdb:///x/Ship/1/hull-part/Part":                             "terminusdb:///x/Ship/1/hull-part/Part Ship",
		"terminusdb:///x/Kind/1":                                            "terminusdb:///x/Kind/1 ",
		"terminusdb:///x/Ship/own-1":                                        "terminusdb:///x/Ship/own-1 ",
		"terminusdb:///x/Place_1":                                           "terminusdb:///x/Place_1 ",
		"terminusdb:///x/Ship":                                              "terminusdb:///x/Ship ",
		"terminusdb:///x/":                                                  "terminusdb:///x/ ",
		"http://elsewhere.net/Dock/1":                                       "http://elsewhere.net/Dock/1 ex:Dock",
		"http://elsewhere.net/Dock/1/ex:berth/http://elsewhere.net/Berth/k": "http://elsewhere.net/Dock/1/ex:berth/http://elsewhere.net/Berth/k ex:Berth|http://elsewhere.net/Dock/1 ex:Dock",
		"http://elsewhere.net/Ship/1":                                       "http://elsewhere.net/Ship/1 ",
		"terminusdb:///x/Colour/1/hull-part/Part/k":                         "terminusdb:///x/Colour/1/hull-part/Part/k Part|terminusdb:///x/Colour/1 ",
		"terminusdb:///x/Ship/1/hull-part/Part/k/hull-part/Part":            "terminusdb:///x/Ship/1/hull-part/Part/k/hull-part/Part Part|terminusdb:///x/Ship/1 Ship",
	} {
		got, err := docdb.Objects([]byte(fleetSchema), id)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %v\n got %s\nwant %s", id, err, strings.Join(got, "|"), want)
		}
	}
}

// TestNames: however an answer shortens a name, it is understood.
func TestNames(t *testing.T) {
	for _, c := range []struct{ name, iri, local, node string }{
		{"Ship/1", "terminusdb:///x/Ship/1", "terminusdb:///x/Ship/1", "Ship/1"},
		{"Free/a b", "terminusdb:///x/Free/a b", "terminusdb:///x/Free/a b", "Free/a b"},
		{"Free/a:b", "terminusdb:///x/Free/a:b", "terminusdb:///x/Free/a:b", "terminusdb:///x/Free/a:b"},
		{"@schema:label", "terminusdb:///y#label", "label", "terminusdb:///y#label"},
		{"terminusdb:///y#label", "terminusdb:///y#label", "label", "terminusdb:///y#label"},
		{"ex:thing", "http://elsewhere.net/thing", "http://elsewhere.net/thing", "http://elsewhere.net/thing"},
		{"ex:Dock", "http://elsewhere.net/Dock", "ex:Dock", "http://elsewhere.net/Dock"},
		{"Dock/1/ex:berth/http://elsewhere.net/Berth/k", "terminusdb:///x/Dock/1/ex:berth/http://elsewhere.net/Berth/k", "terminusdb:///x/Dock/1/ex:berth/http://elsewhere.net/Berth/k", "terminusdb:///x/Dock/1/ex:berth/http://elsewhere.net/Berth/k"},
		{"rdf:type", "rdf:type", "rdf:type", "rdf:type"},
		{"http://www.w3.org/1999/02/22-rdf-syntax-ns#first", "rdf:first", "rdf:first", "rdf:first"},
	} {
		iri, local, node, err := docdb.Names([]byte(fleetSchema), c.name)
		if err != nil || iri != c.iri || local != c.local || node != c.node {
			t.Errorf("%s: %q, %q, %q, %v", c.name, iri, local, node, err)
		}
	}
	under := `[{"@type":"@context","@base":"terminusdb:///star-wars/","@schema":"terminusdb:///star-wars/schema#"}]`
	if iri, local, _, err := docdb.Names([]byte(under), "schema#label"); err != nil || iri != "terminusdb:///star-wars/schema#label" || local != "label" {
		t.Errorf("@schema under @base: %q, %q, %v", iri, local, err)
	}
}

// TestRecordedChanges: the recorded deltas name the documents that the commits
// changed, subdocuments with their owners.
func TestRecordedChanges(t *testing.T) {
	schema := docdbtest.One(t, transcripts, "20").Answer
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"60", "60b"}, "People/1[hair_colors] People/20[desc] Planet/4[climate]"},
		{[]string{"75j"}, "People/1[hair_colors] People/20[desc] Planet/4[climate]"},
		{[]string{"60c"}, "Planet/10[label] Starship/901[crew] Starship/901/specs/Specs/tW3p-DYtRBd6wySd[crew]"},
		{[]string{"60d"}, "People/52[birth_year created edited eye_color gender hair_colors height homeworld label mass skin_colors species url rdf:type People]"},
		{[]string{"60g"}, "People/27[species] Species/8[label language rdf:type Species]"},
	} {
		var answers [][]byte
		for _, name := range c.names {
			answers = append(answers, docdbtest.One(t, transcripts, name).Answer)
		}
		changes, err := docdb.Changes(schema, answers...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range slices.Sorted(maps.Keys(changes)) {
			got = append(got, strings.TrimPrefix(id, "terminusdb:///star-wars/")+fmt.Sprint(changes[id]))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v\n got %s\nwant %s", c.names, strings.Join(got, " "), c.want)
		}
	}
}

// TestCells: a list that was written anew changes its document, one that was
// changed in place only its cells; JSON is named by its content.
func TestCells(t *testing.T) {
	answer := `{"api:status":"api:success","bindings":[
		{"S":"Ship/1","P":"@schema:route","O":"Cons/a"},{"S":"Cons/a","P":"rdf:type","O":"rdf:List"},{"S":"Cons/a","P":"rdf:first","O":"Place/1"},{"S":"Cons/a","P":"rdf:rest","O":"rdf:nil"},
		{"S":"Cons/b","P":"rdf:first","O":"Place/2"},{"S":"Array/c","P":"sys:value","O":"Place/2"},{"S":"Array/c","P":"sys:index2","O":{"@type":"xsd:integer","@value":1}},
		{"S":"terminusdb:///json/JSON/SHA1/1","P":"rdf:type","O":"sys:JSON"},{"S":"terminusdb:///json/JSON/SHA1/1","P":"json:a","O":{"@type":"xsd:string","@value":"x"}},
		{"S":"Ship/2","P":"rdf:type","O":"@schema:Ship"},{"S":"Ship/2","P":"rdf:type","O":"@schema:Port"}]}`
	got, err := docdb.Changes([]byte(fleetSchema), []byte(answer))
	want := "map[terminusdb:///x/Array/c:[cell] terminusdb:///x/Cons/b:[cell] terminusdb:///x/Ship/1:[route] terminusdb:///x/Ship/2:[rdf:type rdf:type Ship rdf:type Port]]"
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v\n got %v\nwant %s", err, got, want)
	}
}

// FuzzChanges: whatever a schema and a delta hold, reading them ends.
func FuzzChanges(f *testing.F) {
	f.Add(fleetSchema, `{"api:status":"api:success","bindings":[{"S":"Ship/1/hull-part/Part/k","P":"@schema:name","O":"x"}]}`, "Ship", "hull_part { bolts { from { label } } } _x_of_y { a }")
	f.Add(`[{"@id":"A","@type":"Class","@inherits":["B","A"],"x":{"@type":"Set","@class":{"@class":{"@class":"A"}}}},{"@id":"B","@type":"Class","@inherits":"A","@subdocument":[]},{"@id":"C","@type":"TaggedUnion","@oneOf":{"x":7}}]`,
		`{"api:status":"api:success","bindings":[{"S":"A/1/x/B/x/x/A/1","P":":","O":{}},{}]}`, "A", "x { x { _json } }")
	f.Fuzz(func(t *testing.T, schema, answer, class, selection string) {
		docdb.Changes([]byte(schema), []byte(answer))
		docdb.Reads([]byte(schema), class, fmt.Sprintf("query($id: ID){ %s(id: $id, filter: {x: {x: {eq: 1}}}) { %s } }", class, selection))
	})
}
