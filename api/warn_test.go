package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWarnings holds that warnings of an answer are headers of one line each,
// printable ASCII and of bounded length and number.
func TestWarnings(t *testing.T) {
	e := newEnv(t)
	e.hits.Warnings = []string{"only words\r\nSet-Cookie: a=1 für 5 %", strings.Repeat("ü", 1000)}
	for range 20 {
		e.hits.Warnings = append(e.hits.Warnings, "more")
	}
	for _, path := range []string{"/search?q=x&", "/similar?id=x&"} {
		got := e.get(path + "domain=a/b&commit=k7")
		lines := got.header.Values("X-Vectorlink-Warning")
		if len(lines) != 8 {
			t.Fatalf("%s: %d warnings: %q", path, len(lines), lines)
		}
		if want := "only words%0D%0ASet-Cookie: a=1 f%C3%BCr 5 %25"; lines[0] != want {
			t.Errorf("%s: got %q, want %q", path, lines[0], want)
		}
		if n := len(lines[1]); n > 400 || n < 390 || n%6 != 0 {
			t.Errorf("%s: a warning of %d bytes, which is too long or cut within a letter", path, n)
		}
	}
	e.hits.Warnings = nil
	if got := e.get("/search?q=x&domain=a/b&commit=k7").header.Values("X-Vectorlink-Warning"); got != nil {
		t.Errorf("warnings %q without any", got)
	}
}

// TestFallback holds that hits found by words for want of a provider are not kept
// by anybody, and that fallback=off reaches the search.
func TestFallback(t *testing.T) {
	e := newEnv(t)
	const path = "/search?q=x&mode=hybrid&domain=a/b&commit=k7"
	if got := e.get(path); got.header.Get("ETag") == "" {
		t.Error("an answer with a provider has no ETag")
	}
	e.hits.Fallback, e.hits.Warnings = true, []string{"the provider is down"}
	got := e.get(path + "&fallback=words")
	if h := got.header; got.status != http.StatusOK || h.Get("ETag") != "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Vectorlink-Warning") != "the provider is down" {
		t.Errorf("%d, %v", got.status, got.header)
	}
	if got := e.get(path + "&fallback=no"); got.status != http.StatusBadRequest {
		t.Errorf("fallback=no: %d", got.status)
	}
}
