package minidb_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb/docdbtest"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// deltaSteps are the recorded commits of admin/star_wars, cut down to the
// documents that the recorded deltas and look-ups name.
func deltaSteps(t *testing.T) []minidb.Step {
	t.Helper()
	schema := docdbtest.One(t, transcripts, "20").Answer
	const kiAdi = `{"@type":"People","@id":"People/52","label":"Ki-Adi-Mundi","created":"2014-12-20T10:15:32.293Z","edited":"2014-12-20T21:17:50.422Z","url":"https://swapi.dev/api/people/52/","birth_year":"92BBY","eye_color":"yellow","gender":"male","hair_colors":"white","height":"198","mass":"82","skin_colors":"pale","homeworld":"Planet/43","species":"Species/20"}`
	const starship = `{"@type":"Starship","@id":"Starship/901","label":"Low Tide","manufacturer":"Reef Yards","model":"skiff","pilots":["People/901"],
		"specs":{"@type":"Specs","@id":"Starship/901/specs/Specs/tW3p-DYtRBd6wySd","crew":"%d","length":"31"}}`
	return []minidb.Step{
		{Name: "v0kmxg1825d7weaq9e98rt7ewvo9uxg", Change: minidb.Change{Message: "schema", FullSchema: true, Schema: raw(string(schema))}},
		{Name: "anm7p83nwg86o1ecu6b4qpthhm9v2l0", Change: minidb.Change{Message: "bulk-load", Put: raw(
			`[{"@type":"Planet","@id":"Planet/4","label":"Hoth","climate":"frozen"},{"@type":"Planet","@id":"Planet/10","label":"Kamino"},{"@type":"Planet","@id":"Planet/43","label":"Cerea"}]`,
			`[{"@type":"Species","@id":"Species/20","label":"Cerean"},{"@type":"Species","@id":"Species/32","label":"Kaminoan","homeworld":"Planet/10"}]`,
			`[{"@type":"People","@id":"People/1","label":"Luke Skywalker","hair_colors":"blond"},{"@type":"People","@id":"People/20","label":"Yoda"}]`,
			`[{"@type":"People","@id":"People/22","label":"Boba Fett","homeworld":"Planet/10"},{"@type":"People","@id":"People/72","label":"Lama Su","homeworld":"Planet/10","species":"Species/32"},{"@type":"People","@id":"People/73","label":"Taun We","homeworld":"Planet/10"}]`,
			kiAdi, `{"@type":"Film","@id":"Film/5","label":"Attack of the Clones","planets":["Planet/4","Planet/10"]}`)}},
		{Name: "iuoilw4bz934j5m3qo6lfieyn05co68", Change: minidb.Change{Message: "change-3", Put: raw(
			`{"@type":"People","@id":"People/1","label":"Luke Skywalker","hair_colors":"blond, grey"}`,
			`{"@type":"People","@id":"People/20","label":"Yoda","desc":["He dies at a great age."]}`,
			`{"@type":"Planet","@id":"Planet/4","label":"Hoth","climate":"frozen, windy"}`)}},
		{Name: "b8uppmkm8a1b5pa9yzjemgk589vcnho", Change: minidb.Change{Message: "add-4", Put: raw(
			`{"@type":"Planet","@id":"Planet/901","label":"Glass Reef","climate":"humid","terrain":"coral, shallow sea"}`,
			`{"@type":"Species","@id":"Species/901","label":"Reef Singer","hair_colors":"none","homeworld":"Planet/901","language":"Reefsong","skin_colors":"teal"}`,
			`{"@type":"People","@id":"People/901","label":"Ona Tidewell","desc":["A navigator who maps the currents of the Glass Reef."],"gender":"female","homeworld":"Planet/901","species":"Species/901"}`,
			fmt.Sprintf(starship, 2))}},
		{Name: "bhx0fa9yz8xqoqjdr8f4unu29ol04t9", Change: minidb.Change{Message: "schema-template", Schema: raw(
			`{"@id":"Note","@type":"Class","label":"xsd:string"}`)}},
		{Name: "ikbp6504qf58nk1lgkr5ei0r3yy7ri8", Change: minidb.Change{Message: "subdoc-and-label", Put: raw(
			`{"@type":"Planet","@id":"Planet/10","label":"Kamino (ocean world)"}`, fmt.Sprintf(starship, 3))}},
		{Name: "waocbby44r0rf4dwh76sd3yv8an5dpv", Change: minidb.Change{Message: "delete-person", Delete: []string{"People/52"}}},
	}
}

// TestRecordedDeltas: what each commit added and deleted, and who refers to a
// document, as recorded; with the trap that a commit of the schema alone
// repeats the delta before it.
func TestRecordedDeltas(t *testing.T) {
	db := minidb.New(minidb.Config{})
	ids, err := db.Load("admin/star_wars", minidb.Prefixes{}, deltaSteps(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{db: db, commits: ids}
	for _, name := range []string{"60", "60b", "60c", "60d", "60e", "61", "61c"} {
		r.play(t, name)
	}
	for from, id := range ids {
		status, body, _ := call(db, "GET", "/api/document/admin/star_wars/local/_commits?id=ValidCommit/"+id, "")
		if has := strings.Contains(body, `"instance"`); status != http.StatusOK || has != (from != "v0kmxg1825d7weaq9e98rt7ewvo9uxg") {
			t.Errorf("%s: %d %s", from, status, body)
		}
	}

	// Deleting a document nulls the references to it in the same commit.
	ids, err = db.Load("admin/scratch", minidb.Prefixes{}, []minidb.Step{
		{Name: "schema", Change: minidb.Change{FullSchema: true, Schema: raw(string(docdbtest.One(t, transcripts, "20").Answer))}},
		{Name: "v6qf05ke2om9wf8n31k13el4p3co21z", Change: minidb.Change{Put: raw(
			`{"@type":"Species","@id":"Species/8","label":"Mon Calamari","language":"Mon Calamarian"}`,
			`{"@type":"People","@id":"People/27","label":"Ackbar","gender":"male","species":"Species/8"}`)}},
		{Name: "t7s5lktn9r8mw8648ibhrea2d52erjj", Change: minidb.Change{Delete: []string{"Species/8"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.commits = ids
	r.play(t, "60g")
}

// TestRecordedRequired: the target of a required reference stays.
func TestRecordedRequired(t *testing.T) {
	db := minidb.New(minidb.Config{})
	if _, err := db.Load("admin/req", minidb.Prefixes{}, []minidb.Step{{Name: "all", Change: minidb.Change{
		Schema: raw(`[{"@id":"T","@type":"Class"},{"@id":"R","@type":"Class","must":"T"}]`),
		Put:    raw(`[{"@type":"T","@id":"T/1"},{"@type":"R","@id":"R/1","must":"T/1"}]`),
	}}}); err != nil {
		t.Fatal(err)
	}
	(&recorded{db: db, commits: map[string]string{}}).story(t, "06")
}

// triples asks for the pattern in JSON and prints the answers.
func triples(t *testing.T, db *minidb.DB, commit, query string) string {
	t.Helper()
	status, body, _ := call(db, "POST", "/api/woql/admin/x/local/commit/"+commit, `{"query":`+query+`}`)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", query, status, body)
	}
	var lines []string
	answer, _ := docdbtest.Decode(t, []byte(body)).(map[string]any)
	list, _ := answer["bindings"].([]any)
	for _, b := range list {
		m, _ := b.(map[string]any)
		lines = append(lines, fmt.Sprint(m["S"], " ", m["P"], " ", m["O"]))
	}
	return strings.Join(lines, "\n")
}

// TestTriples: lists are chains of cells, enums and JSON are nodes, and a name
// outside @base is printed by @schema.
func TestTriples(t *testing.T) {
	db := minidb.New(minidb.Config{})
	ids, err := db.Load("admin/x", minidb.Prefixes{}, []minidb.Step{
		{Name: "0", Change: minidb.Change{Schema: raw(`[
			{"@id":"Kind","@type":"Enum","@value":["a","b"]},
			{"@id":"A","@type":"Class","list":{"@type":"List","@class":"A"},"grid":{"@type":"Array","@class":"xsd:string"},
			 "kind":{"@type":"Optional","@class":"Kind"},"blob":{"@type":"Optional","@class":"sys:JSON"}}]`),
			Put: raw(`[{"@type":"A","@id":"A/1"},{"@type":"A","@id":"A/2","list":["A/1","A/2"],"grid":["x"],"kind":"b","blob":{"n":1}}]`)}},
		{Name: "1", Change: minidb.Change{Delete: []string{"A/2"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const place = `{"@type":"NodeValue","variable":"S"},"predicate":{"@type":"NodeValue","variable":"P"},"object":{"@type":"Value","variable":"O"}`
	for _, kind := range []string{"AddedTriple", "DeletedTriple"} {
		commit := ids["0"]
		if kind == "DeletedTriple" {
			commit = ids["1"]
		}
		got := triples(t, db, commit, `{"@type":"`+kind+`","subject":`+place+`,"graph":"instance"}`)
		for _, want := range []string{"A/2 rdf:type @schema:A", "rdf:first A/1", "rdf:rest rdf:nil", "rdf:type rdf:List", "A/2 @schema:kind @schema:Kind/b",
			"A/2 @schema:blob terminusdb:///json/JSON/SHA1/", "sys:value map[@type:xsd:string @value:x]", "A/2 @schema:grid Array/"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s without %q:\n%s", kind, want, got)
			}
		}
	}
	got := triples(t, db, ids["0"], `{"@type":"Or","or":[
		{"@type":"Triple","subject":{"@type":"NodeValue","variable":"S"},"predicate":{"@type":"NodeValue","variable":"P"},"object":{"@type":"Value","node":"A/1"}},
		{"@type":"Triple","subject":{"@type":"NodeValue","node":"terminusdb:///data/A/1"},"predicate":{"@type":"NodeValue","variable":"P"},"object":{"@type":"Value","variable":"O"}}]}`)
	lines := strings.Split(got, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "Cons/") || !strings.HasSuffix(lines[0], " rdf:first <nil>") ||
		lines[1] != "<nil> rdf:type @schema:A" || lines[2] != "<nil> @schema:list rdf:nil" {
		t.Errorf("answers\n%s", got)
	}
}

// TestReverse: reverse fields, counts and filters of linked documents.
func TestReverse(t *testing.T) {
	db, head := newFleet(t)
	for _, c := range []struct{ query, want string }{
		{`{ Place { label _calls_of_Ship { label } _built_of_Ship(filter: {label: {eq: "x"}}) { label } } }`,
			`{"data":{"Place":[{"label":"Yard","_calls_of_Ship":[],"_built_of_Ship":[]},{"label":"Reef","_calls_of_Ship":[{"label":"Low Tide"}],"_built_of_Ship":[]},{"label":"Haven","_calls_of_Ship":[{"label":"Low Tide"}],"_built_of_Ship":[]}]}}`},
		{`{ _count(Place: {}) }`, `{"data":{"_count":3}}`},
	} {
		if got := graphql(t, db, c.query); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
	// A branch that is reset or deleted leaves its commits; a squash has no
	// parent and the same documents.
	next, err := db.Commit("admin/x", minidb.Change{Delete: []string{"Ship/1"}})
	if err != nil {
		t.Fatal(err)
	}
	squash, err := db.Squash("admin/x", next)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Reset("admin/x", "main", head); err != nil {
		t.Fatal(err)
	}
	if _, _, header := call(db, "HEAD", "/api/document/admin/x", ""); header.Get("TerminusDB-Data-Version") != "branch:"+head {
		t.Errorf("after the reset: %v", header)
	}
	for _, id := range []string{next, squash} {
		if status, body, _ := call(db, "GET", "/api/document/admin/x/local/commit/"+id+"?as_list=true", ""); status != 200 || strings.Count(body, `"@id"`) != 3 {
			t.Errorf("%s: %d %s", id, status, body)
		}
	}
	if _, body, _ := call(db, "GET", "/api/log/admin/x/local/commit/"+squash, ""); strings.Count(body, `"identifier"`) != 1 {
		t.Errorf("log of the squash: %s", body)
	}
	if err := db.DeleteBranch("admin/x", "main"); err != nil {
		t.Error(err)
	}
	if status, _, _ := call(db, "GET", "/api/document/admin/x", ""); status == 200 {
		t.Error("the deleted branch is there")
	}
}

// FuzzWOQL: any triple query is answered or refused, in JSON.
func FuzzWOQL(f *testing.F) {
	const place = `{"@type":"NodeValue","variable":"S"},"predicate":{"@type":"NodeValue","variable":"P"},"object":{"@type":"Value","variable":"O"}`
	f.Add(`{"@type":"Or","or":[{"@type":"AddedTriple","subject":` + place + `},{"@type":"DeletedTriple","subject":` + place + `}]}`)
	f.Add(`{"@type":"And","and":[{"@type":"Triple","subject":` + place + `},{"@type":"Optional","query":{"@type":"IsA","element":{"variable":"S"},"type":{"variable":"T"}}}]}`)
	f.Add(`{"@type":"Distinct","variables":["S"],"query":{"@type":"Triple","subject":{"node":"Ship/1"},"predicate":{"variable":"P"},"object":{"data":{"@type":"xsd:string","@value":"x"}}}}`)
	f.Add(`{"@type":"Or","or":[7]}`)
	f.Add(`{"@type":"IsA"}`)
	db, head := newFleet(f)
	f.Fuzz(func(t *testing.T, query string) {
		if !json.Valid([]byte(query)) || strings.Count(query, "@type") > 12 {
			return
		}
		if status, answer, _ := call(db, "POST", "/api/woql/admin/x/local/commit/"+head, `{"query":`+query+`}`); !json.Valid([]byte(answer)) {
			t.Errorf("%q: %d %q", query, status, answer)
		}
	})
}
