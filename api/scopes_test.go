package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
)

// TestEveryRouteStatesItsScope walks the table of routes: each says what a key must have,
// and the contract says the same. How keys fare at them is tested beside all protocols,
// in cmd/vectorlink.
func TestEveryRouteStatesItsScope(t *testing.T) {
	doc, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	table := api.Needs(api.Config{})
	if len(table) < 40 {
		t.Fatalf("%d routes", len(table))
	}
	told := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			needs, ok := table[method+" "+path]
			raw, _ := op.Extensions["x-needs"].([]any)
			open := op.Security != nil && len(*op.Security) == 0
			switch {
			case strings.HasPrefix(path, "/spaces"), strings.HasPrefix(path, "/v1/"), path == "/mcp": // packages below door
			case ok == open:
				t.Errorf("%s %s: openapi.yaml and the table differ in whether it asks for credentials", method, path)
			case ok && fmt.Sprint(raw) != fmt.Sprint(needs.Words()):
				t.Errorf("%s %s needs %v, openapi.yaml says %v", method, path, needs.Words(), raw)
			case ok:
				told++
			}
		}
	}
	for route, needs := range api.Needs(api.Config{Profile: true}) {
		if needs == 0 {
			t.Errorf("%s states no scope", route)
		}
	}
	for route, needs := range table {
		if strings.HasPrefix(route, "HEAD ") {
			told++
			if get := "GET " + strings.TrimPrefix(route, "HEAD "); table[get] != needs {
				t.Errorf("%s needs %v, and GET %v", route, needs.Words(), table[get].Words())
			}
		}
	}
	if told != len(table) {
		t.Errorf("openapi.yaml tells of %d routes of %d", told, len(table))
	}
}
