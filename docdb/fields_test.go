package docdb_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
)

// TestFieldsGoByTheSchema: what GraphQL answers does not say whether a value is
// a text or a number; the schema does.
func TestFieldsGoByTheSchema(t *testing.T) {
	schema := []byte(`[{"@type":"Class","@id":"Book","title":"xsd:string","codes":{"@type":"Set","@class":"xsd:string"},
		"price":{"@type":"Optional","@class":"xsd:decimal"},"ratings":{"@type":"List","@class":"xsd:double"},
		"pages":"xsd:integer","out":"xsd:boolean","printed":"xsd:dateTime","genre":"Genre","author":"Author"},
		{"@type":"Enum","@id":"Genre","@value":["novel"]},{"@type":"Class","@id":"Author","name":"xsd:string"}]`)
	query := `query($id: ID){ Book(id: $id) { kind: _type name: title codes price ratings pages out printed genre author { name } } }`
	for _, tt := range []struct{ row, want string }{
		{
			`{"_id":"Book/1","kind":"Book","name":1984,"codes":[7.5,"a","1.0"],"price":"2.0","ratings":[1,"2.0",3.5],"pages":328,"out":true,"printed":"1949-06-08T00:00:00Z","genre":"novel","author":{"name":"Orwell"}}`,
			`{"codes":["1.0","7.5","a"],"genre":"novel","kind":"Book","name":"1984","out":true,"pages":328,"price":2,"printed":"1949-06-08T00:00:00Z","ratings":[1,2,3.5]}`,
		},
		{`{"_id":"Book/2","name":"Dune","codes":[],"price":null}`, `{"name":"Dune"}`},
		{`{"_id":"Book/3"}`, ``},
	} {
		got, err := docdb.Fields(schema, "Book", query, []byte(tt.row))
		if got != tt.want || err != nil {
			t.Errorf("fields of %s\n got %s (%v)\nwant %s", tt.row, got, err, tt.want)
		}
	}
}
