package docdb_test

import (
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
)

const peopleQuery = "query($id: ID){ People(id : $id) { birth_year, created, desc, edited, eye_color, gender, hair_colors, height, homeworld { label }, label, mass, skin_colors, species { label }, url } }"

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestRewrite(t *testing.T) {
	for _, c := range []struct{ name, query, want, variable, idKey string }{
		{"plain", `query($id: ID){ A(id: $id) { label } }`,
			`query ($ids: [ID!]) { A(ids: $ids) { _id label } }`, "ids", "_id"},
		{"another variable", `query Q($doc: ID!, $n: Int = 3){ A(id: $doc, include_children: true) { b(limit: $n) { label } } }`,
			`query Q ($ids: [ID!], $n: Int = 3) { A(ids: $ids, include_children: true) { _id b(limit: $n) { label } } }`, "ids", "_id"},
		{"variable taken", `query($id: ID, $ids: [ID!]){ A(id: $id) { b(ids: $ids) { label } } }`,
			`query ($ids2: [ID!], $ids: [ID!]) { A(ids: $ids2) { _id b(ids: $ids) { label } } }`, "ids2", "_id"},
		{"id asked for", `query($id: ID){ A(id: $id) { label key: _id } }`,
			`query ($ids: [ID!]) { A(ids: $ids) { label key: _id } }`, "ids", "key"},
		{"key taken", `query($id: ID){ x: A(id: $id) { _id: label _id_: label } }`,
			`query ($ids: [ID!]) { A(ids: $ids) { _id__: _id _id: label _id_: label } }`, "ids", "_id__"},
		{"limit dropped", `query($id: ID){ A(id: $id, limit: 1) { b(orderBy: {label: ASC}) { label } } }`,
			`query ($ids: [ID!]) { A(ids: $ids) { _id b(orderBy: {label:ASC}) { label } } }`, "ids", "_id"},
		{"commas, comments and line ends", "query ( $id : ID ) {\n # the A\n A ( id : $id ) { label , , other }\r\n}",
			`query ($ids: [ID!]) { A(ids: $ids) { _id label other } }`, "ids", "_id"},
	} {
		text, variable, idKey, err := docdb.Rewrite("A", c.query)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := words(text); got != c.want || variable != c.variable || idKey != c.idKey {
			t.Errorf("%s:\n got %s, %s, %s\nwant %s, %s, %s", c.name, got, variable, idKey, c.want, c.variable, c.idKey)
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{``, "0 operations"},
		{`query($id: ID){ A(id: $id) { label `, "does not parse"},
		{`{{`, "does not parse"},
		{`mutation($id: ID){ A(id: $id) { label } }`, "is a mutation"},
		{`query($id: ID){ A(id: $id) { label } } query B { A { label } }`, "2 operations"},
		{`query($id: ID){ A(id: $id) { label } b: A { label } }`, "asks for 2 things"},
		{`query($id: ID){ B(id: $id) { label } }`, "asks for B, not for A"},
		{`query($id: ID){ A(id: $id) { ...F } } fragment F on A { label }`, "fragment"},
		{`query($id: ID){ ... { A(id: $id) { label } } }`, "fragment"},
		{`query($id: ID){ A(id: $id) { b { ... on A { label } } } }`, "fragment"},
		{`query($id: ID){ A(id: $id) { b { __typename } } }`, "__typename"},
		{`query($id: ID){ A { label } }`, "no id argument"},
		{`query($id: ID){ A(filter: {_id: $id}) { label } }`, "no id argument"},
		{`query($ids: [ID!]){ A(ids: $ids) { label } }`, "argument ids"},
		{`query($id: ID){ A(id: $id, offset: 1) { label } }`, "argument offset"},
		{`{ A(id: "terminusdb:///data/A/1") { label } }`, "not a variable"},
		{`query($id: ID){ A(id: $id) { b(id: $id) { label } } }`, "uses $id for more"},
		{`query($id: ID){ A(id: $id, filter: {b: {_ids: [$id]}}) { label } }`, "uses $id for more"},
		{`query($id: ID){ A(id: $id) @skip(if: true) { label } }`, "directive"},
		{"query($id: ID){ A(id: $id) { " + strings.Repeat("a ", 50_000) + "} }", "does not parse"},
	} {
		_, _, _, err := docdb.Rewrite("A", c.query)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: error %v, want one with %q", c.query, err, c.want)
		}
	}
}

// FuzzRewrite: whatever a schema holds, rewriting ends, and what it makes can
// be rewritten no more than a query that already asks for a list.
func FuzzRewrite(f *testing.F) {
	f.Add("People", peopleQuery)
	f.Add("A", `query($id: ID = "x" @d(a: [1 2.5 {b: $c}])){ A(id: $id, filter: {x: {eq: """block"""}}) { _id: b @include(if: true) } }`)
	f.Add("A", "\ufeffquery($id:ID){A(id:$id){label}}#")
	f.Fuzz(func(t *testing.T, class, query string) {
		text, _, _, err := docdb.Rewrite(class, query)
		if err != nil {
			return
		}
		if _, _, _, err := docdb.Rewrite(class, text); err == nil || !strings.Contains(err.Error(), "argument ids") {
			t.Fatalf("%q became %q, which rewrites with error %v", query, text, err)
		}
	})
}

func TestSplitID(t *testing.T) {
	for _, c := range []struct {
		row, key string
		keep     bool
		id, data string
	}{
		{`{"_id":"A/1","b":1,"a":"x"}`, "_id", false, "A/1", `{"b":1,"a":"x"}`},
		{`{"b":{"_id":"no"},"_id":"A/1"}`, "_id", false, "A/1", `{"b":{"_id":"no"}}`},
		{`{"_id":"A/1","b":1}`, "_id", true, "A/1", `{"_id":"A/1","b":1}`},
		{`{ "_id" : "A/1" }`, "_id", false, "A/1", `{}`},
		{`{"n":12345678901234567890.10,"_id":"é"}`, "_id", false, "é", `{"n":12345678901234567890.10}`},
	} {
		id, data, err := docdb.SplitID([]byte(c.row), c.key, c.keep)
		if err != nil || id != c.id || string(data) != c.data {
			t.Errorf("%s: got %q, %s, %v; want %q, %s", c.row, id, data, err, c.id, c.data)
		}
	}
	for _, row := range []string{``, `null`, `[]`, `{}`, `{"_id":1}`, `{"_id":""}`, `{"_id"`, `"x"`} {
		if _, _, err := docdb.SplitID([]byte(row), "_id", false); err == nil {
			t.Errorf("%s: no error", row)
		}
	}
}
