package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
)

// follower follows the domain a/b.
type follower struct{ notified []string }

func (f *follower) Notify(domain, branch string) bool {
	f.notified = append(f.notified, domain+":"+branch)
	return domain == "a/b"
}

func (f *follower) Lag(domain string) []indexer.BranchLag {
	if domain == "a/c" {
		return []indexer.BranchLag{}
	}
	return []indexer.BranchLag{{Domain: "a/b", Branch: "main", Head: "k7", Commits: 2, Seconds: 1.5, Polled: time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)}}
}

func TestNotify(t *testing.T) {
	f := &follower{}
	e := newEnv(t, withSecret, func(c *api.Config) { c.Watcher = f })
	signed := map[string]string{"Authorization": basic("admin", secret)}
	post := func(target, body string) reply {
		t.Helper()
		return e.do(request{method: "POST", target: target, media: "application/json", body: body, header: signed})
	}
	for _, c := range []struct{ target, body, notified, answer string }{
		{"/notify", `{"path":"a/b/local/branch/fan","branch_head":"k7","inserts":3,"deletes":0}`, "a/b:fan", `{"watched":true}`},
		{"/notify", `{"path":"a/b"}`, "a/b:", `{"watched":true}`},
		{"/notify?domain=a/b&branch=main", ``, "a/b:main", `{"watched":true}`},
		{"/notify/", `{"domain":"x/y","branch":"main"}`, "x/y:main", `{"watched":false}`},
	} {
		f.notified = nil
		got := post(c.target, c.body)
		if got.status != 202 || got.body != c.answer || !slices.Equal(f.notified, []string{c.notified}) {
			t.Errorf("%s %s: %d %s, notified %v; want 202 %s, %s", c.target, c.body, got.status, got.body, f.notified, c.answer, c.notified)
		}
	}
	f.notified = nil
	e.do(request{method: "POST", target: "/notify?domain=a/b"}).wantError(t, 401, "unauthorized")
	post("/notify", "").wantError(t, 400, "missing_parameter", "domain")
	post("/notify", `{"path":"_system"}`).wantError(t, 400, "bad_parameter", "path")
	post("/notify", `{"path":7}`).wantError(t, 422, "wrong_type", "path")
	e.do(request{target: "/notify?domain=a/b", header: signed}).wantError(t, 405, "method_not_allowed")
	if len(f.notified) > 0 {
		t.Errorf("notified %v", f.notified)
	}
	newEnv(t).do(request{method: "POST", target: "/notify?domain=a/b"}).wantError(t, 400, "not_configured", "--watch")
	e.untouched(t)
}

func TestWatchStatistics(t *testing.T) {
	e := newEnv(t, func(c *api.Config) { c.Watcher = &follower{} })
	for target, want := range map[string]string{
		"/statistics":            `"watch":[{"domain":"a/b","branch":"main","head":"k7","lag_commits":2,"lag_seconds":1.5,"polled":"2026-11-20T01:02:03Z"}]`,
		"/statistics?domain=a/b": `"watch":[{"domain":"a/b"`,
		"/statistics?domain=a/c": `"watch":[]`,
	} {
		if got := e.get(target); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %s", target, got.status, got.body, want)
		}
	}
}
