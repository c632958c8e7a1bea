package api_test

import (
	"net/http"
	"testing"

	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// TestDamagedDocuments: an answer that lacks damaged documents says so, and is
// not to be kept.
func TestDamagedDocuments(t *testing.T) {
	for _, target := range []string{
		"/search?domain=a/b&commit=k7&q=squid", "/similar?domain=a/b&commit=k7&id=x",
		"/duplicates?domain=a/b&commit=k7&threshold=0.1",
	} {
		e := newEnv(t)
		e.hits = search.Hits{Commit: "k7", Damaged: []string{"x", "y"}}
		e.pairs = pairs.Pairs{Commit: "k7", Damaged: []string{"x", "y"}}
		for _, accept := range []string{"application/json", "application/x-ndjson"} {
			got := e.do(request{target: target, header: map[string]string{"Accept": accept}})
			if got.status != http.StatusOK || got.header.Get("X-Damaged-Documents") != "2" {
				t.Errorf("%s: status %d, X-Damaged-Documents %q", target, got.status, got.header.Get("X-Damaged-Documents"))
			}
			if got.header.Get("ETag") != "" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: ETag %q, Cache-Control %q", target, got.header.Get("ETag"), got.header.Get("Cache-Control"))
			}
		}
		e.hits.Damaged, e.pairs.Damaged = nil, nil
		if got := e.get(target); got.header.Values("X-Damaged-Documents") != nil || got.header.Get("ETag") == "" {
			t.Errorf("%s: a whole answer has headers %v", target, got.header)
		}
	}
}
