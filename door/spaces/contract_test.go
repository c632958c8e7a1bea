package spaces_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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
	for method, want := range map[string][]string{
		http.MethodGet:  spaces.Calls(http.MethodGet),
		http.MethodPost: append(spaces.Calls(http.MethodPost), "snapshot"), // which needs no space
	} {
		var told []string
		for path, item := range doc.Paths.Map() {
			if name, ok := strings.CutPrefix(path, "/spaces/{name}/"); ok && item.GetOperation(method) != nil {
				told = append(told, name)
			}
		}
		slices.Sort(want)
		slices.Sort(told)
		if len(want) < 5 || !slices.Equal(told, want) {
			t.Errorf("%s: openapi.yaml has %v, the door %v", method, told, want)
		}
	}
}

// told is what openapi.yaml says.
type told struct{ *openapi3.T }

func loadContract(t *testing.T) told {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	return told{doc}
}

// holds compares an answer, and the body of a request that was granted, with their schemas.
func (c told) holds(method, path, mediaType, body string, status int, answer string) error {
	path, _, _ = strings.Cut(path, "?")
	call := path[strings.LastIndexByte(path, '/')+1:]
	item := c.Paths.Value("/spaces/{name}/" + call)
	if item == nil || item.GetOperation(method) == nil {
		return nil // none of the calls of a space
	}
	op := item.GetOperation(method)
	answered := op.Responses.Value(strconv.Itoa(status))
	if answered == nil {
		return errors.New("it has no such status")
	}
	if status >= 300 {
		return nil
	}
	if op.RequestBody != nil && body != "" {
		if err := match(op.RequestBody.Value.Content, mediaType, body); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	return match(answered.Value.Content, "", answer)
}

// match compares JSON, or lines of it, with the schema of their media type.
func match(content openapi3.Content, mediaType, text string) error {
	said := content["application/json"]
	if said == nil || mediaType != "" {
		said = content["application/x-ndjson"]
	}
	if said == nil || text == "" {
		return nil
	}
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var v any
		if err := decoder.Decode(&v); err != nil {
			return err
		}
		if err := said.Schema.Value.VisitJSON(v); err != nil {
			return err
		}
	}
	return nil
}
