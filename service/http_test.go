package service_test

import (
	"net/http"
	"testing"

	"github.com/vectorlink/vectorlink/service"
)

// TestPreferred: the heaviest media type of Accept wins, a name over a star, and the
// first where none is wanted.
func TestPreferred(t *testing.T) {
	for accept, want := range map[string]string{
		"": "a/lines", "*/*": "a/lines", "text/html": "a/lines", "a/array": "a/array", "A/Array; q=0.5": "a/array",
		"a/array;q=0.1, a/lines": "a/lines", "a/*, a/array": "a/array", "a/*;q=0.2, a/array;q=0.1": "a/lines", "a/array;q=0": "a/lines",
	} {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if got := service.Preferred(r, "a/lines", "a/array"); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
}
