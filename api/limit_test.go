package api_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/api"
)

// TestRateLimit checks what a client sees that asks too often: 429 with
// Retry-After before anything else, on every path but the open ones.
func TestRateLimit(t *testing.T) {
	e := newEnv(t, withSecret, func(c *api.Config) { c.RateLimit = 0.01 })
	e.get("/statistics").wantError(t, 401, "unauthorized")
	for _, q := range []request{
		{target: "/statistics", header: map[string]string{"Authorization": basic("admin", secret)}},
		{target: "/search?domain=a/b"},
		{method: "POST", target: "/push?domain=a/b&target_commit=k7", body: "{}"},
		{method: "DELETE", target: "/domain?domain=a/b"},
	} {
		got := e.do(q)
		got.wantError(t, 429, "rate_limited", "100 s")
		if after := got.header.Get("Retry-After"); after != "100" {
			t.Errorf("Retry-After %q, want 100", after)
		}
	}
	for range 5 {
		for _, path := range []string{"/health/live", "/health/ready", "/openapi.yaml", "/docs"} {
			if got := e.get(path); got.status != 200 {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
	}
	e.untouched(t)
}
