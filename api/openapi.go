package api

import (
	_ "embed"
	"net/http"
)

// openapiYAML is the contract of the endpoints, which the tests hold every
// answer against.
//
//go:embed openapi.yaml
var openapiYAML []byte

// docsPage shows the contract and sends requests. It loads nothing from
// elsewhere.
//
//go:embed docs.html
var docsPage []byte

// docsPolicy has a browser see to it that the page stays by itself.
const docsPolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// openapi answers GET /openapi.yaml. There is nothing in it to be kept from
// anybody, so it asks for no credentials.
func (s *server) openapi(w http.ResponseWriter, _ *http.Request) error {
	return send(w, http.StatusOK, "application/yaml", openapiYAML)
}

// docs answers GET /docs.
func (s *server) docs(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Security-Policy", docsPolicy)
	return send(w, http.StatusOK, "text/html; charset=utf-8", docsPage)
}
