package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestFilters: pushed fields, filters on every endpoint, and what hits bring.
func TestFilters(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", strings.Join([]string{
		`{"op":"Inserted","id":"d/A/1","string":"the red squid","fields":{"language":"fr","year":1999,"tags":["sea","red"]}}`,
		`{"op":"Inserted","id":"d/A/2","string":"the blue squid","fields":{"language":"en","year":2024,"published":"2024-01-31"}}`,
		`{"op":"Inserted","id":"d/B/3","string":"the red squid","fields":{"language":"fr","year":2025,"tags":["sport"]}}`,
		`{"op":"Inserted","id":"d/B/4","string":"the green squid","fields":null}`,
	}, "\n"))
	const issue = `language == "fr" and year >= 2000 and not ("news" in tags)`
	at := "domain=org/db&commit=c1"
	for name, tt := range map[string]struct {
		request request
		want    []string // parts of the answer
		not     string
	}{
		"search":        {request{target: "/search?q=squid&" + at + "&filter=" + url.QueryEscape(issue)}, []string{`"d/B/3"`}, "d/A"},
		"fts":           {request{target: "/search?q=squid&mode=fts&" + at + "&filter=" + url.QueryEscape(`language == nil`)}, []string{`"d/B/4"`}, "d/A"},
		"date":          {request{target: "/search?q=squid&" + at + "&filter=" + url.QueryEscape(`published < "2024-02-01T00:00:00+01:00"`)}, []string{`"d/A/2"`}, "d/B"},
		"blank":         {request{target: "/search?q=squid&" + at + "&filter=%20"}, []string{"d/A/1", "d/B/4"}, "fields"},
		"output fields": {request{target: "/search?q=squid&count=1&" + at + "&output_fields=year&output_fields[]=nosuch&doc_id=d/A/1"}, []string{`"fields":{"year":1999}`}, "vector"},
		"all fields":    {request{target: "/search?q=squid&count=1&" + at + "&output_fields=*&doc_id=d/A/1"}, []string{`"fields":{"language":"fr","tags":["sea","red"],"year":1999}`}, "vector"},
		"no fields":     {request{target: "/search?q=squid&count=1&" + at + "&output_fields=*&doc_id=d/B/4"}, []string{`"fields":{}`}, "vector"},
		"vector":        {request{target: "/search?q=squid&count=1&" + at + "&output_fields=vector"}, []string{`"vector":[`}, "fields"},
		"body":          {request{method: "POST", target: "/search", media: "application/json", body: `{"domain":"org/db","commit":"c1","q":"squid","filter":"year < 2000","output_fields":["language"]}`}, []string{`"d/A/1"`, `"fields":{"language":"fr"}`}, "d/B"},
		"similar":       {request{target: "/similar?id=d/A/1&" + at + "&filter=" + url.QueryEscape(`"sport" in tags`)}, []string{`"d/B/3"`}, "d/A"},
		"similar body":  {request{method: "POST", target: "/similar", media: "application/json", body: `{"domain":"org/db","commit":"c1","id":"d/A/1","filter":"year != nil","output_fields":["*","vector"]}`}, []string{`"d/B/3"`, `"vector":[`}, "d/B/4"},
		"suggest":       {request{target: "/suggest?q=squid&" + at + "&filter=" + url.QueryEscape(`language startsWith "e"`)}, []string{`"d/A/2"`}, "d/B"},
		"duplicates":    {request{target: "/duplicates?" + at + "&filter=" + url.QueryEscape(`year == 1999`) + "&target_filter=" + url.QueryEscape(`year == 2025`)}, []string{`"d/A/1"`, `"d/B/3"`}, "d/A/2"},
		"no duplicates": {request{target: "/duplicates?" + at + "&filter=" + url.QueryEscape(`year == 1999`)}, []string{`[]`}, "d/"},
		"candidates":    {request{method: "POST", target: "/candidates", media: "application/json", body: `{"domain":"org/db","commit":"c1","threshold_set":0.1,"set_filter":"year == 1999","target_filter":"language == \"fr\""}`}, []string{`"d/A/1":[{"id":"d/B/3"`, `"target_points":2`}, "d/A/2"},
		"embeddings":    {request{target: "/embeddings?" + at + "&filter=" + url.QueryEscape(`"red" in tags`)}, []string{`"d/A/1"`}, "d/B"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.request.method == "" {
				tt.request.method = "GET"
			}
			got := l.do(tt.request)
			if got.status != 200 || tt.not != "" && strings.Contains(got.body, tt.not) {
				t.Errorf("%d %s", got.status, got.body)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.body, part) {
					t.Errorf("no %s in %s", part, got.body)
				}
			}
		})
	}
	for name, tt := range map[string]struct{ filter, want string }{
		"typing mistake": {`langauge == "fr"`, `did you mean "language"?`},
		"wrong type":     {`year == "1999"`, "year holds numbers"},
		"syntax":         {`year >=`, "filter: unexpected token EOF"},
		"call":           {`len(language) > 1`, "call of a function"},
		"long":           {strings.Repeat(" ", 20_000) + `or`, "filter:"},
	} {
		got := l.get("/search?q=squid&" + at + "&filter=" + url.QueryEscape(tt.filter))
		var problem struct{ Error, Code string }
		if err := json.Unmarshal([]byte(got.body), &problem); err != nil || got.status != 400 || problem.Code != "invalid_request" || !strings.Contains(problem.Error, tt.want) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := l.get("/search?q=squid&filter=true&filter=true&" + at); got.status != 400 || !strings.Contains(got.body, "filter is given more than once") {
		t.Errorf("two filters: %d %s", got.status, got.body)
	}
	if got := l.get("/search?q=squid&" + at + strings.Repeat("&output_fields=x", 101)); got.status != 400 || !strings.Contains(got.body, "output_fields") {
		t.Errorf("many output fields: %d %s", got.status, got.body)
	}
	if got := l.do(request{method: "POST", target: "/search", media: "application/json", body: `{"domain":"org/db","commit":"c1","q":"x","filter":5}`}); got.status != 422 {
		t.Errorf("a number for a filter: %d %s", got.status, got.body)
	}
}
