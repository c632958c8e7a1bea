package service_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vecstore"
)

// TestSchema: a schema has what tags declare: types, bounds, defaults, words, and what
// must be given.
func TestSchema(t *testing.T) {
	type request struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Ref    search.Ref
		Q      string      `param:"q" help:"What to find."`
		Mode   string      `param:"mode" words:"a,b" need:"q"`
		Page   search.Page `embed:""`
		Texts  bool        `param:"texts"`
		Far    *float32    `param:"far" most:"1"`
		Names  []string    `param:"names" kind:"names" most:"3"`
		Vector []float32   `param:"vector,vector_b64"`
		Hidden string      `param:"hidden"`
		Own    string
	}
	got, err := json.Marshal(service.SchemaOf([]string{"hidden", "branch"}, &request{}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"object","properties":{` +
		`"commit":{"type":"string","description":"Commit to read, by its id or a tag. This or branch must be given."},` +
		`"count":{"type":"integer","description":"Most results to list, 1 to 1000 (default 10).","default":10,"minimum":1,"maximum":1000},` +
		`"domain":{"type":"string","description":"Database, as org/db."},` +
		`"far":{"type":"number","minimum":0,"maximum":1},` +
		`"mode":{"type":"string","enum":["a","b"]},` +
		`"names":{"type":"array","items":{"type":"string"},"maxItems":3},` +
		`"q":{"type":"string","description":"What to find."},` +
		`"start":{"type":"integer","description":"Leave out this many of the best.","minimum":0,"maximum":1000000},` +
		`"texts":{"type":"boolean"},` +
		`"vector":{"type":"array","items":{"type":"number"}}},"required":["domain"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestLimits compares what tags say with the limits that the program goes by.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		of    any
		field string
		want  int
	}{
		{search.Page{}, "Start", search.MaxStart},
		{search.Page{}, "Count", search.MaxCount},
		{search.SimilarRequest{}, "IDs", search.MaxSimilarIDs},
		{search.Options{}, "OutputFields", fields.MaxFields},
		{catalog.SettingsRequest{}, "Dim", vecstore.MaxDim},
		{indexer.PruneRequest{}, "KeepDaily", indexer.MaxKeepDaily},
	} {
		f, _ := reflect.TypeOf(tt.of).FieldByName(tt.field)
		if got := f.Tag.Get("most"); got != strconv.Itoa(tt.want) {
			t.Errorf("%s is at most %s by its tag, not %d", tt.field, got, tt.want)
		}
	}
}
