package api_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSyntax: operators count where they are asked for, and nowhere else; a
// mistake is 400 and says where it is.
func TestSyntax(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted(
		"h/Ship/1", "the death star is a battle station", "h/Ship/2", "a star, and death among the stars",
		"h/Ship/3", "X-wing starfighter", "h/Ship/4", "universities of the empire"))
	const least = "/search?domain=org/db&commit=c1&count=100"
	ask := func(a reply) []string {
		t.Helper()
		var hits []struct{ ID string }
		if err := json.Unmarshal([]byte(a.body), &hits); a.status != 200 || err != nil {
			t.Fatalf("status %d, %v: %s", a.status, err, a.body)
		}
		ids := []string{}
		for _, h := range hits {
			ids = append(ids, strings.TrimPrefix(h.ID, "h/Ship/"))
		}
		slices.Sort(ids)
		return ids
	}
	for _, tt := range []struct {
		q                    string
		words, hybrid, plain string // what is found, joined
	}{
		{`"death star"`, "1", "1234", "12"},
		{`death AND battle`, "1", "1", "12"},
		{`death -battle`, "2", "234", "12"},
		{`star* NOT death`, "3", "34", "12"},
		{`x-wing`, "3", "1234", "3"},
		{`universit*`, "4", "1234", "4"},
		{`+star +(battle OR among) death`, "12", "12", "12"},
	} {
		q := url.QueryEscape(tt.q)
		for target, want := range map[string]string{
			least + "&mode=fts&syntax=query&q=" + q: tt.words,
			least + "&syntax=query&q=" + q:          tt.hybrid,
			least + "&mode=fts&q=" + q:              tt.plain,
			least + "&mode=fts&syntax=plain&q=" + q: tt.plain,
		} {
			if got := strings.Join(ask(l.get(target)), ""); got != want {
				t.Errorf("%s finds %s, want %s", target, got, want)
			}
		}
		body, err := json.Marshal(map[string]any{"domain": "org/db", "commit": "c1", "count": 100, "q": tt.q, "mode": "fts", "syntax": "query"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(ask(l.postJSON("/search", string(body))), ""); got != tt.words {
			t.Errorf("POST %s finds %s, want %s", body, got, tt.words)
		}
		if got := strings.Join(ask(l.do(request{method: "POST", target: least + "&mode=fts&syntax=query", media: "text/plain", body: tt.q})), ""); got != tt.words {
			t.Errorf("a raw %s finds %s, want %s", tt.q, got, tt.words)
		}
	}
	for q, position := range map[string]string{`"death`: "character 1 ", `star AND`: "character 6 ", `a (b`: "character 3 ", `-death`: "character 1 ", `sta*r`: "character 4 "} {
		for _, mode := range []string{"fts", "hybrid"} {
			a := l.get(least + "&syntax=query&mode=" + mode + "&q=" + url.QueryEscape(q))
			if a.status != 400 || !strings.Contains(a.body, position) {
				t.Errorf("%s by %s: status %d, %s", q, mode, a.status, a.body)
			}
		}
	}
}

// TestFuzzy: a misspelt word finds a near one unless it is told not to, and hits
// say which; words that the language does not analyse are warned of.
func TestFuzzy(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("h/Ship/1", "the smuggler's freighter", "h/Ship/2", "a space station"))
	for _, tt := range []struct{ query, want, matched string }{
		{"q=smugler&mode=fts", "h/Ship/1", `"matched":["smuggler"]`},
		{"q=smugler&mode=fts&fuzzy=auto", "h/Ship/1", `"matched":["smuggler"]`},
		{"q=smugler", "h/Ship/1", `"matched":["smuggler"]`},
		{"q=%2Bsmugler&mode=fts&syntax=query", "h/Ship/1", `"matched":["smuggler"]`},
		{"q=smugler&mode=fts&fuzzy=off", "", ""},
		{"q=smuggler&mode=fts", "h/Ship/1", ""},
	} {
		a := l.get("/search?domain=org/db&commit=c1&count=1&" + tt.query)
		if !strings.Contains(a.body, tt.want) || (tt.want == "") != (strings.TrimSpace(a.body) == "[]") ||
			!strings.Contains(a.body, tt.matched) || (tt.matched == "") == strings.Contains(a.body, "matched") {
			t.Errorf("%s: %d %s", tt.query, a.status, a.body)
		}
	}
	if a := l.get("/search?domain=org/db&commit=c1&q=x&fuzzy=perhaps"); a.status != 400 || !strings.Contains(a.body, "fuzzy") {
		t.Errorf("an unknown value: %d %s", a.status, a.body)
	}
	for target, want := range map[string]string{
		"/search?mode=fts&q=": "Cyrillic", "/search?q=": "Cyrillic", "/suggest?q=": "Cyrillic", "/search?mode=vector&q=": "",
	} {
		a := l.get(target + url.QueryEscape("корабль") + "&domain=org/db&commit=c1")
		if got := a.header.Get("X-Vectorlink-Warning"); a.status != 200 || !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %d, warning %q", target, a.status, got)
		}
	}
}
