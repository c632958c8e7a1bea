package docdb_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

const contextEx = `{"@type":"@context","@base":"terminusdb:///star-wars/","@schema":"terminusdb:///star-wars/schema#","ex":"http://ex.org/ns#"}`

// named is a class with a pair.
func named(name, properties, query, template string) string {
	return fmt.Sprintf(`{"@id":%q,"@type":"Class",%s,"@metadata":%s}`, name, properties, embedding(query, template))
}

// TestNamesAsGraphQLWritesThem: classes and properties whose names GraphQL writes
// otherwise are listed, followed and counted like any other.
func TestNamesAsGraphQLWritesThem(t *testing.T) {
	var requests *recorder
	p := newPulls(t, func(h http.Handler) http.Handler { requests = record(h); return requests })
	schema := raw(contextEx,
		named("Gerät", `"label":"xsd:string","gehört":{"@type":"Optional","@class":"ex:Person"}`, `query($id: ID){ Geraet(id: $id) { label gehoert { label } } }`, "t"),
		named("Star-Ship", `"label":"xsd:string","2nd…":{"@type":"Optional","@class":"ex:Person"}`, `query($id: ID){ Star_Ship(id: $id) { label o: _nd_ { label } } }`, "t"),
		named("ex:Person", `"label":"xsd:string","ex:maker":{"@type":"Set","@class":"Gerät"}`, `query($id: ID){ ex_Person(id: $id) { label ex_maker { label } } }`, "t"),
		named("Quote", `"label":"xsd:string","of":{"@type":"Optional","@class":"Gerät"}`, `query($id: ID){ Quote(id: $id) { of { gehoert { label } } } }`, "t"))
	_, got := p.pull(p.commit(minidb.Change{Schema: schema, Put: raw(
		`{"@type":"ex:Person","@id":"ex:Person/1","label":"Ada"}`, `{"@type":"ex:Person","@id":"ex:Person/2","label":"Bo"}`,
		`{"@type":"Gerät","@id":"Gerät/1","label":"x","gehört":"ex:Person/1"}`, `{"@type":"Star-Ship","@id":"Star-Ship/1","label":"y","2nd…":"ex:Person/1"}`,
		`{"@type":"Quote","@id":"Quote/1","label":"q","of":"Gerät/1"}`)}))
	const person = "http://ex.org/ns#Person/"
	if want := "+Gerät/1 +Quote/1 +Star-Ship/1 +" + person + "1 +" + person + "2"; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	p.expect("a person renamed", minidb.Change{Put: raw(`{"@type":"ex:Person","@id":"ex:Person/1","label":"Eve"}`)}, "+Gerät/1 +Quote/1 +Star-Ship/1 +"+person+"1")
	p.expect("another owner", minidb.Change{Put: raw(`{"@type":"Gerät","@id":"Gerät/1","label":"x","gehört":"ex:Person/2"}`)}, "+Gerät/1 +Quote/1")
	p.expect("a link of another namespace", minidb.Change{Put: raw(`{"@type":"ex:Person","@id":"ex:Person/2","label":"Bo","ex:maker":["Gerät/1"]}`)}, "+"+person+"2")
	requests.take()
	p.expect("new ones", minidb.Change{Put: raw(`{"@type":"Gerät","@id":"Gerät/2","label":"z"}`, `{"@type":"ex:Person","@id":"ex:Person/3","label":"New"}`)}, "+Gerät/2 +"+person+"3")
	if seen, _ := requests.take(); seen["delta"] != 1 || seen["graphql"] > 2+4 { // the batches: ids tell the classes
		t.Errorf("requests %v", seen)
	}
	p.expect("gone ones", minidb.Change{Delete: []string{"Gerät/2", "ex:Person/3"}}, "-Gerät/2 -"+person+"3")
	var last string
	for i := range 17 { // more than are followed without counting
		last = p.commit(minidb.Change{Put: raw(fmt.Sprintf(`{"@type":"Gerät","@id":"Gerät/1","label":"%d"}`, i))})
	}
	requests.take()
	if pull, _ := p.pull(last); !pull.Complete {
		t.Error("17 commits of five documents are followed one by one")
	}
	if seen, _ := requests.take(); seen["count"] != 1 {
		t.Errorf("requests %v", seen)
	}
	if bad := requests.complaints(); bad != "" {
		t.Errorf("GraphQL complains: %s", bad)
	}
}

// TestBacklinksThatNobodyUses: GraphQL answers null for a backlink whose property
// no document has; the texts are as if nobody linked here, and change with the
// first link, also behind a link that need not be there.
func TestBacklinksThatNobodyUses(t *testing.T) {
	p := newPulls(t, plain)
	schema := raw(
		named("Person", `"label":"xsd:string","friend":{"@type":"Optional","@class":"Person"}`, `query($id: ID){ Person(id: $id) { label w: _author_of_Work(limit: 5) { label } _editor_of_Work { label } } }`, "t"),
		named("Fan", `"label":"xsd:string","of":{"@type":"Optional","@class":"Person"}`, `query($id: ID){ Fan(id: $id) { of { label _author_of_Work { label } _editor_of_Work { label } } } }`, "t"),
		`{"@id":"Work","@type":"Class","label":"xsd:string","author":{"@type":"Optional","@class":"Person"},"editor":{"@type":"Optional","@class":"Person"}}`)
	first := p.commit(minidb.Change{Schema: schema, Put: raw(`{"@type":"Person","@id":"Person/1","label":"Ada"}`, `{"@type":"Person","@id":"Person/2","label":"Bo"}`,
		`{"@type":"Fan","@id":"Fan/1","label":"f","of":"Person/2"}`)})
	expect := func(commit, person, fan string) {
		t.Helper()
		for id, want := range map[string]string{"Person/2": person, "Fan/1": fan} {
			if got := p.snapshots[commit]["terminusdb:///star-wars/"+id]; !strings.HasSuffix(got, want) {
				t.Errorf("%s reads %q, want %s", id, got, want)
			}
		}
	}
	if _, got := p.pull(first); got != "+Fan/1 +Person/1 +Person/2" {
		t.Errorf("listed %s", got)
	}
	expect(first, `{"label":"Bo","w":[],"_editor_of_Work":[]}`, `{"of":{"label":"Bo","_author_of_Work":[],"_editor_of_Work":[]}}`)
	p.expect("the first link", minidb.Change{Put: raw(`{"@type":"Work","@id":"Work/1","label":"W","author":"Person/1"}`)}, "+Person/1")
	head := p.commit(minidb.Change{Put: raw(`{"@type":"Work","@id":"Work/2","label":"V","author":"Person/2","editor":"Person/2"}`)})
	if _, got := p.pull(head); got != "+Fan/1 +Person/2" {
		t.Errorf("at the first links of both kinds: %s", got)
	}
	expect(head, `{"label":"Bo","w":[{"label":"V"}],"_editor_of_Work":[{"label":"V"}]}`, `{"of":{"label":"Bo","_author_of_Work":[{"label":"V"}],"_editor_of_Work":[{"label":"V"}]}}`)
	head, err := p.db.Squash(domain, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := p.pull(head); got != "+Fan/1 +Person/1 +Person/2" {
		t.Errorf("after a squash: %s", got)
	}
}

// TestEnumsAndNumbersAsTheSchemaHasThem: values of enums, numbers and texts reach
// templates and fields as the schema has them, not as GraphQL writes them.
func TestEnumsAndNumbersAsTheSchemaHasThem(t *testing.T) {
	db := minidb.New(minidb.Config{UnquoteNumbers: true})
	ids, err := db.Load(domain, minidb.Prefixes{}, []minidb.Step{{Name: "all", Change: minidb.Change{
		Schema: raw(`{"@id":"Genre","@type":"Enum","@value":["sci fi","how-to","plain","a-b","a b"]}`,
			named("Book", `"label":"xsd:string","genre":"Genre","also":{"@type":"Set","@class":"Genre"},"price":"xsd:string","off":"xsd:double","sum":"xsd:decimal","big":"xsd:integer"`,
				`query($id: ID){ Book(id: $id) { genre also price off sum big n: label } }`, "t")),
		Put: raw(`{"@type":"Book","@id":"Book/1","label":"1.50","genre":"sci fi","also":["plain","how-to","a-b"],"price":"0","off":0.0,"sum":1.25,"big":12345678901234567890123}`,
			`{"@type":"Book","@id":"Book/2","label":"7","genre":"plain","price":"1-2","off":1.50,"sum":100,"big":-9223372036854775808}`),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	pull, err := newClient(t, db).Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids["all"], Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, op := range collect(t, pull) {
		got = append(got, string(op.Data), op.Fields)
	}
	for i, want := range []string{
		// Of a-b and a b GraphQL answers the first alone, as a_b.
		`{"genre":"sci fi","also":["a-b","how-to","plain"],"price":"0","off":0.0,"sum":1.25,"big":12345678901234567890123,"n":"1.50"}`,
		`{"also":["a-b","how-to","plain"],"big":1.2345678901234568e+22,"genre":"sci fi","n":"1.50","off":0,"price":"0","sum":1.25}`,
		`{"genre":"plain","also":[],"price":"1-2","off":1.50,"sum":100,"big":-9223372036854775808,"n":"7"}`,
		`{"big":-9223372036854775808,"genre":"plain","n":"7","off":1.5,"price":"1-2","sum":100}`,
	} {
		if i >= len(got) || got[i] != want {
			t.Errorf("got %q\nwant %s", got, want)
		}
	}
}

// TestClassWithoutTemplate: a class with a query and no template is named at every
// commit and in the statistics, and what it had before goes.
func TestClassWithoutTemplate(t *testing.T) {
	p := newPulls(t, plain)
	film := func(template string) string {
		return named("Film", `"label":"xsd:string"`, "query($id: ID){ Film(id: $id) { label } }", template)
	}
	p.pull(p.commit(minidb.Change{Schema: raw(film("t"), class("Other", "{}")), Put: raw(`{"@type":"Film","@id":"Film/1","label":"x"}`)}))
	p.expect("its template went", minidb.Change{Schema: raw(film(""))}, "! -Film/1")
	p.expect("another class", minidb.Change{Put: raw(`{"@type":"Other","@id":"Other/1","label":"x"}`)}, "!")

	s := newSidecar(t)
	if _, err := s.db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	task, _, _, _ := s.commit(minidb.Change{Schema: raw(film("")), Put: raw(`{"@type":"Film","@id":"Film/1","label":"x"}`)})
	st, err := s.indexer.Statistics(domain)
	if err != nil || len(task.Skipped) != 1 || len(st.Skipped) != 1 || !strings.Contains(st.Skipped[0].Message, "class Film: it has a query but no template") {
		t.Errorf("the task skipped %v, the statistics say %v, %v", task.Skipped, st.Skipped, err)
	}
}
