package docdb_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// TestClientIsASource: the client is what every source must be.
func TestClientIsASource(t *testing.T) {
	const base = "terminusdb:///data/"
	db := minidb.New(minidb.Config{})
	if _, err := db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	schema := raw(class("A", embedding("query($id: ID){ A(id: $id) { label } }", "{{label}}")))
	var before map[string]string
	docdbtest.TestSource(t, docdbtest.Database{
		Source: newClient(t, db), Domain: domain,
		Commit: func(t *testing.T, documents map[string]string) string {
			change := minidb.Change{Schema: schema}
			for id := range before {
				if _, ok := documents[id]; !ok {
					change.Delete = append(change.Delete, id)
				}
			}
			for _, id := range slices.Sorted(maps.Keys(documents)) {
				change.Put = append(change.Put, json.RawMessage(fmt.Sprintf(`{"@type":"A","@id":%q,"label":%q}`, id, documents[id])))
			}
			before = documents
			head, err := db.Commit(domain, change)
			if err != nil {
				t.Fatal(err)
			}
			return head
		},
		ID: func(short string) string { return base + short },
		Text: func(t *testing.T, op contract.Op) string {
			var data struct {
				Label string `json:"label"`
			}
			if err := json.Unmarshal(op.Data, &data); err != nil || op.Template != "{{label}}" {
				t.Errorf("template %q over %s: %v", op.Template, op.Data, err)
			}
			return data.Label
		},
	})
}

// TestNotebookIsASource: so is the example.
func TestNotebookIsASource(t *testing.T) {
	n := &notebook{domain: "me/notes"}
	docdbtest.TestSource(t, docdbtest.Database{
		Source: n, Domain: "me/notes",
		Commit: func(_ *testing.T, documents map[string]string) string {
			n.names = append(n.names, fmt.Sprintf("day %d", len(n.names)))
			n.commits = append(n.commits, documents)
			return n.names[len(n.names)-1]
		},
	})
}
