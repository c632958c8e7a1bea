package api

import (
	_ "embed"
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// openapiYAML is the contract of the endpoints, which the tests hold every
// answer against.
//
//go:embed openapi.yaml
var openapiYAML []byte

// OpenAPI returns the contract of the endpoints. It must not be changed.
func OpenAPI() []byte { return openapiYAML }

// openapi answers GET /openapi.yaml. There is nothing in it to be kept from
// anybody, so it asks for no credentials.
func (s *server) openapi(w http.ResponseWriter, _ *http.Request) error {
	return service.Send(w, http.StatusOK, "application/yaml", openapiYAML)
}

// docs answers GET /docs where there is no page to lead to.
func (s *server) docs(w http.ResponseWriter, _ *http.Request) error {
	return service.Send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("/openapi.yaml describes the API.\n"))
}
