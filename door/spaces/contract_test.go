package spaces_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/door/spaces"
)

// TestContractNamesEveryCall compares the calls that openapi.yaml tells of with those
// there are.
func TestContractNamesEveryCall(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
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
