package spaces_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/door/spaces"
)

// TestContractNamesEveryCall compares the calls that openapi.yaml tells of with those
// there are, and a space with its schema.
func TestContractNamesEveryCall(t *testing.T) {
	call := open(t)
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	for _, space := range []string{`{"name":"a","dims":3,"fields":{"year":"integer"}}`, `{"name":"b","dims":3,"normalize":true,"m":8}`} {
		body, err := call("/spaces", "application/json", strings.NewReader(space))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(body, err)
		}
		if err := doc.Components.Schemas["Space"].Value.VisitJSON(v); err != nil {
			t.Errorf("%s is not what openapi.yaml says: %v", body, err)
		}
	}
	item := doc.Paths.Value("/spaces/{name}/{call}")
	for method, want := range map[string][]string{
		http.MethodGet:  spaces.Calls(http.MethodGet),
		http.MethodPost: append(spaces.Calls(http.MethodPost), "snapshot"), // which needs no space
	} {
		var told []string
		for _, name := range item.GetOperation(method).Parameters.GetByInAndName("path", "call").Schema.Value.Enum {
			told = append(told, name.(string))
		}
		slices.Sort(want)
		slices.Sort(told)
		if len(want) < 5 || !slices.Equal(told, want) {
			t.Errorf("%s: openapi.yaml has %v, the door %v", method, told, want)
		}
	}
}
