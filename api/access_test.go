package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
)

func basic(user, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

// withSecret configures a secret that contains colons.
const secret = canary + ":with:colons"

func withSecret(c *api.Config) { c.Secret = contract.NewSecret(secret) }

// TestCredentials holds wire contract §2.2.
func TestCredentials(t *testing.T) {
	e := newEnv(t, withSecret)
	tests := []struct {
		name, header string
		ok           bool
	}{
		{"none", "", false},
		{"right", basic("admin", secret), true},
		{"scheme in other letters", "bASIC" + strings.TrimPrefix(basic("admin", secret), "Basic"), true},
		{"wrong user", basic("root", secret), false},
		{"wrong secret", basic("admin", secret+"x"), false},
		{"secret cut at its colon", basic("admin", canary), false},
		{"empty secret", basic("admin", ""), false},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("admin")), false},
		{"not base64", "Basic !!!", false},
		{"bearer", "Bearer " + secret, true},
		{"bearer in other letters", "bearer " + secret, true},
		{"wrong bearer", "Bearer " + secret + "x", false},
		{"empty bearer", "Bearer ", false},
		{"bare", secret, false},
		{"other scheme", "Digest " + secret, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{}
			if tt.header != "" {
				header["Authorization"] = tt.header
			}
			got := e.do(request{target: "/statistics", header: header})
			if tt.ok {
				if got.status != http.StatusOK {
					t.Errorf("status %d, want 200: %s", got.status, got.body)
				}
				return
			}
			got.wantError(t, http.StatusUnauthorized, "unauthorized")
			if h := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(h, "Basic ") {
				t.Errorf("WWW-Authenticate %q, want Basic", h)
			}
		})
	}
}

// TestCredentialsOfUser checks a configured user name.
func TestCredentialsOfUser(t *testing.T) {
	e := newEnv(t, withSecret, func(c *api.Config) { c.User = "leia" })
	for user, want := range map[string]int{"leia": 200, "admin": 401} {
		got := e.do(request{target: "/statistics", header: map[string]string{"Authorization": basic(user, secret)}})
		if got.status != want {
			t.Errorf("user %s: status %d, want %d", user, got.status, want)
		}
	}
}

// endpoints lists every path with what it answers to; private is everything
// but the probes.
var endpoints = []struct {
	path    string
	allow   string
	private bool
}{
	{"/health/live", "GET, HEAD", false},
	{"/health/ready", "GET, HEAD", false},
	{"/openapi.yaml", "GET, HEAD", false},
	{"/docs", "GET, HEAD", false},
	{"/index", "GET, POST", true},
	{"/push", "POST", true},
	{"/notify", "POST", true},
	{"/domain", "DELETE", true},
	{"/branch-index", "DELETE", true},
	{"/check", "GET, HEAD", true},
	{"/assign", "GET, POST", true},
	{"/search", "GET, HEAD, POST", true},
	{"/similar", "GET, HEAD, POST", true},
	{"/suggest", "GET, HEAD", true},
	{"/duplicates", "GET, HEAD, POST", true},
	{"/duplicates/profile", "GET, HEAD, POST", true},
	{"/decisions", "GET, HEAD, POST", true},
	{"/candidates", "POST", true},
	{"/clusters", "GET, HEAD", true},
	{"/clusters/diff", "GET, HEAD", true},
	{"/map", "GET, HEAD", true},
	{"/compare", "POST", true},
	{"/embeddings", "GET, HEAD, POST", true},
	{"/integrity", "GET, HEAD", true},
	{"/last-indexed", "GET, HEAD", true},
	{"/statistics", "GET, HEAD", true},
	{"/commits", "GET, HEAD", true},
	{"/search/diff", "GET, HEAD", true},
	{"/diff", "GET, HEAD", true},
	{"/documents", "GET, HEAD", true},
	{"/tags", "GET, HEAD, POST, DELETE", true},
	{"/prune", "POST", true},
	{"/pruned", "GET, HEAD", true},
	{"/domains", "GET, HEAD", true},
	{"/tasks", "GET, HEAD", true},
	{"/document", "GET, HEAD", true},
	{"/snapshot", "GET, HEAD, POST", true},
}

// spaceEndpoints are those that package door/spaces answers, which tests that the
// contract has its calls below them.
var spaceEndpoints = []struct {
	path    string
	allow   string
	private bool
}{
	{"/spaces", "GET, HEAD, POST", true},
	{"/spaces/{name}", "GET, HEAD, DELETE", true},
}

// TestEndpoints checks access, methods and slashes for every path and method.
func TestEndpoints(t *testing.T) {
	locked := newEnv(t, withSecret)
	open := newEnv(t)
	for _, ep := range endpoints {
		t.Run(ep.path, func(t *testing.T) {
			for _, slash := range []string{"", "/"} {
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"} {
					q := request{method: method, target: ep.path + slash + "?domain=%00&count=x&threshold=x"}
					got := locked.do(q)
					if ep.private && got.status != http.StatusUnauthorized {
						t.Errorf("%s %s without credentials: status %d, want 401", method, ep.path+slash, got.status)
					}
					if !ep.private && got.status == http.StatusUnauthorized {
						t.Errorf("%s %s: status 401 for a probe", method, ep.path+slash)
					}
					allowed := strings.Contains(ep.allow, method)
					got = open.do(q)
					if allowed && (got.status == http.StatusMethodNotAllowed || got.status == http.StatusNotFound) {
						t.Errorf("%s %s: status %d", method, ep.path+slash, got.status)
					}
					if !allowed {
						if method != "HEAD" { // which has no body
							got.wantError(t, http.StatusMethodNotAllowed, "method_not_allowed")
						}
						if a := got.header.Get("Allow"); a != ep.allow {
							t.Errorf("%s %s: Allow %q, want %q", method, ep.path+slash, a, ep.allow)
						}
					}
				}
			}
		})
	}
	locked.untouched(t)
}

func TestUnknownPath(t *testing.T) {
	e := newEnv(t, withSecret)
	for _, path := range []string{"/", "/nothing", "/search//", "//search", "/search/x", "/Search", "/health", "/%2e%2e/search"} {
		e.get(path).wantError(t, http.StatusNotFound, "no_such_path")
		e.do(request{method: "BREW", target: path}).wantError(t, http.StatusNotFound, "no_such_path")
	}
	if got := e.get("/%73earch"); got.status != http.StatusUnauthorized {
		t.Errorf("escaped path: status %d, want 401", got.status)
	}
}

func TestHead(t *testing.T) {
	e := newEnv(t)
	e.stats.Domains = 3
	get, head := e.get("/statistics"), e.do(request{method: "HEAD", target: "/statistics"})
	if head.status != http.StatusOK || head.body != "" {
		t.Errorf("HEAD: status %d, body %q", head.status, head.body)
	}
	if got, want := head.header.Get("Content-Length"), fmt.Sprint(len(get.body)); got != want {
		t.Errorf("HEAD: Content-Length %s, want %s", got, want)
	}
}

// TestCrossSite checks that a browser cannot be talked into changing anything.
func TestCrossSite(t *testing.T) {
	e := newEnv(t)
	host := strings.TrimPrefix(e.url, "http://")
	tests := []struct {
		name   string
		header map[string]string
		ok     bool
	}{
		{"no browser", nil, true},
		{"cross-site", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"same-site", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"same-origin", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"typed", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"other origin", map[string]string{"Origin": "https://evil.example"}, false},
		{"null origin", map[string]string{"Origin": "null"}, false},
		{"own origin", map[string]string{"Origin": "http://" + host}, true},
	}
	const assign = "/assign?domain=a/b&source_commit=k1&target_commit=k2"
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			for target, want := range map[string]int{"/index?domain=a/b&commit=k1": 200, assign: 204} {
				t.Run(tt.name+" "+method+" "+target[:6], func(t *testing.T) {
					got := e.do(request{method: method, target: target, header: tt.header})
					if !tt.ok {
						got.wantError(t, http.StatusForbidden, "cross_site")
						e.untouched(t)
						return
					}
					if got.status != want {
						t.Errorf("status %d, want %d: %s", got.status, want, got.body)
					}
					e.last(t)
				})
			}
		}
	}
	// Without credentials the origin does not matter.
	locked := newEnv(t, withSecret)
	locked.do(request{target: assign, header: tests[1].header}).wantError(t, http.StatusUnauthorized, "")
}

// TestSecretIsSilent checks every way a secret could be printed by accident.
func TestSecretIsSilent(t *testing.T) {
	s := contract.NewSecret(canary)
	cfg := api.Config{Secret: s}
	for _, got := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %s %q %#v", s, s, s, s),
		fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), s.LogValue().String(),
	} {
		if strings.Contains(got, canary) {
			t.Errorf("the secret shows: %s", got)
		}
	}
	if b, err := s.MarshalText(); err != nil || string(b) != "***" {
		t.Errorf("MarshalText = %s, %v", b, err)
	}
	if got := (contract.Secret{}).String(); got != "" {
		t.Errorf("no secret prints as %q", got)
	}
}

// TestHostsOfAnOpenServer: without a secret, a name that a web page could have
// made to lead here is not answered; with one, or when told so, any is.
func TestHostsOfAnOpenServer(t *testing.T) {
	open := newEnv(t)
	told := newEnv(t, func(c *api.Config) { c.Insecure = true })
	locked := newEnv(t, func(c *api.Config) { c.Secret = contract.NewSecret("s") })
	ask := func(e *env, host string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/last-indexed?domain=a/b", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.SetBasicAuth("admin", "s")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "[::1]": 200, "localhost": 200, "LocalHost.:80": 200,
		"a.localhost:1": 200, "127.8.9.1": 200, "0.0.0.0:8080": 200, "[::]": 200, "[::ffff:127.0.0.1]": 200,
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "10.0.0.1": 403, "127.0.0.1.evil.example": 403, "notlocalhost": 403,
	} {
		if got := ask(open, host); got != want {
			t.Errorf("open server asked as %s: %d, want %d", host, got, want)
		}
		if got := ask(told, host); got != 200 {
			t.Errorf("insecure server asked as %s: %d", host, got)
		}
		if got := ask(locked, host); got != 200 {
			t.Errorf("server with a secret asked as %s: %d", host, got)
		}
	}
}
