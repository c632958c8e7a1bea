package service

import (
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
)

// Route is a path at which a protocol of its own is answered over HTTP. Package api
// serves it beside its own, behind the same credentials, rate limit, rule about pages
// of other sites, log and table of errors.
type Route struct {
	Path    string
	Methods []string
	// Needs is what a key must have, any of the bits; none: Admin. The domain that a
	// request is about is for its answer to [Caller.Enter].
	Needs Scope
	// Answer answers a request, or returns why it could not and has then written
	// nothing.
	Answer func(w http.ResponseWriter, r *http.Request) error
	// Problem returns what is sent, as JSON, of an error, its status, its code and the
	// text to show; nil: what package api sends.
	Problem func(err error, status int, code, text string) any
	// Streams: requests and answers may take any time.
	Streams bool
}

// CallerKey returns the key of the embedding provider that a caller brings.
func CallerKey(h http.Header) contract.Secret {
	for _, name := range []string{"VECTORLINK_EMBEDDING_API_KEY", "X-Embedding-Api-Key"} {
		if key := h.Get(name); key != "" {
			return contract.NewSecret(key)
		}
	}
	return contract.Secret{}
}
