package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/page"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// site is a server of the page over a real store.
type site struct {
	t    *testing.T
	url  string
	ix   *indexer.Indexer
	page *page.Site
}

type noRenderer struct{}

func (noRenderer) Render(context.Context, string, []byte) (string, error) {
	return "", errors.New("no template in this test")
}

// history names the commits of these tests.
type history struct{}

var told = map[string]contract.Ancestor{
	"first": {Commit: "first", About: contract.About{Author: "Ada", Message: "Load the planets", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}},
	"later": {Commit: "later", About: contract.About{Author: "Bo", Message: "Mend <b>texts</b>", Time: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}},
}

func (history) Heads(context.Context, string) (map[string]string, error) { return nil, nil }

func (history) Ancestry(_ context.Context, _, commit string) iter.Seq2[contract.Ancestor, error] {
	return func(yield func(contract.Ancestor, error) bool) {
		if a, ok := told[commit]; ok {
			yield(a, nil)
			return
		}
		yield(contract.Ancestor{}, contract.ErrNotFound)
	}
}

// drafts is a schema of two classes, whose templates stand for themselves.
type drafts struct{}

func (drafts) Classes(_ context.Context, domain, _ string) ([]page.Template, error) {
	if domain != "org/db" {
		return nil, fmt.Errorf("%w: no such database", contract.ErrSource)
	}
	return []page.Template{{Class: "Nothing"}, {Class: "Planet", Query: "{ Planet { label } }", Template: "The planet {{label}}"}, {Class: "Torn", Problem: "no JSON"}, {Class: "Two", Query: "{ x }", Template: "one\ntwo"}}, nil
}

func (drafts) Try(_ context.Context, _, _ string, t page.Template, ids []string, count int) (page.Trial, error) {
	if t.Template == "" {
		return page.Trial{}, nil
	}
	trial := page.Trial{Tried: 7, Object: json.RawMessage(`{"@id":"Planet","template":"<b> & "}`)}
	if strings.Contains(t.Template, "bad") {
		trial.Findings = append(trial.Findings, page.Finding{Part: "template", Line: 2, Text: "there is no field bad"})
	}
	if strings.Contains(t.Query, "torn") {
		trial.Findings = append(trial.Findings, page.Finding{Wrong: true, Part: "query", Text: "unexpected torn"})
		return trial, nil
	}
	if len(ids) == 0 {
		ids = []string{"Planet/1", "Planet/2", "Planet/3"}[:count]
	}
	for _, id := range ids {
		trial.Documents = append(trial.Documents, page.Tried{ID: id, Text: t.Template + " of " + id, Tokens: 12, Chunks: 1})
	}
	return trial, nil
}

const (
	base    = "terminusdb:///x/"
	hostile = `<script>document.title="owned"</script><img src=x onerror=alert(1)> wise`
	rtl     = "שלום עולם \u202eevil\u202c wise"
)

func operation(op, id, text string, fields map[string]any) string {
	line, err := json.Marshal(map[string]any{"op": op, "id": base + id, "string": text, "fields": fields})
	if err != nil {
		panic(err)
	}
	return string(line) + "\n"
}

// newSite returns a server with two commits of documents, hostile ones among them.
func newSite(t *testing.T, change ...func(*page.Config, *api.Config)) *site {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Embedder: &indexertest.Embedder{Window: 200}, Source: indexertest.NewSource(), Renderer: noRenderer{}, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	svc := service.New(ix.Reader, ix)
	pages, web := page.Config{Templates: drafts{}, OpenAPI: api.OpenAPI(), Service: svc, History: history{}, Stopping: stopping.Done(), Version: "test"}, api.Config{SearchReady: true}
	for _, c := range change {
		c(&pages, &web)
	}
	s := &site{t: t, ix: ix, page: page.New(pages)}
	web.Page = s.page
	srv := httptest.NewServer(api.New(web, svc))
	s.url = srv.URL
	t.Cleanup(func() {
		stop()
		srv.CloseClientConnections()
		srv.Close()
		s.page.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := ix.Close(ctx); err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		goleak.VerifyNone(t, leaks)
	})
	var first strings.Builder
	planet := "The planet is called Tatooine, a harsh desert world with two suns and many farmers."
	first.WriteString(operation("Inserted", "Planet/1", planet, map[string]any{"label": "Tatooine", "climate": "arid", "suns": 2}))
	first.WriteString(operation("Inserted", "Planet/61", strings.Replace(planet, "harsh", "dry", 1), map[string]any{"label": "Tatooine", "climate": "dry", "suns": 2}))
	first.WriteString(operation("Inserted", "People/20", "A wise old sage, small and green", map[string]any{"label": "Yoda", "species": "unknown"}))
	first.WriteString(operation("Inserted", "Evil/1", hostile, map[string]any{"label": hostile, "climate": hostile}))
	first.WriteString(operation("Inserted", "Evil/2", rtl, map[string]any{"label": rtl}))
	first.WriteString(operation("Inserted", "Long/1", strings.Repeat("many words of a long text and ", 36_000)+"wise", map[string]any{"label": "Long"}))
	for i := range 20 {
		first.WriteString(operation("Inserted", fmt.Sprintf("Thing/%d", i), fmt.Sprintf("A thing with number %d and colour %d", i, i%3), map[string]any{"label": fmt.Sprintf("Thing %d", i), "colour": []string{"red", "green", "blue"}[i%3]}))
	}
	s.push("first", first.String())
	s.push("later", operation("Changed", "People/20", "A very wise old sage, small and green", map[string]any{"label": "Yoda", "species": "unknown"})+
		operation("Inserted", "People/21", "A wise teacher of old", map[string]any{"label": "Qui"})+operation("Deleted", "Thing/0", "", nil), "previous", "first")
	return s
}

// push makes a commit and waits for it.
func (s *site) push(commit, body string, params ...string) {
	s.t.Helper()
	q := url.Values{"domain": {"org/db"}, "target_commit": {commit}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	res, err := http.Post(s.url+"/push?"+q.Encode(), "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	id, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 {
		s.t.Fatalf("push: %s", id)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		task, err := s.ix.Task(string(id))
		if err != nil || !task.Finished.IsZero() && task.Error != "" || time.Now().After(deadline) {
			s.t.Fatalf("push: %v, %+v", err, task)
		}
		if !task.Finished.IsZero() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

var noRedirect = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// get asks for a page below /ui/.
func (s *site) get(path string, params ...string) (int, string, http.Header) {
	s.t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	res, err := noRedirect.Get(s.url + "/ui/" + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

// has checks what a page holds, and with a leading "!" what it does not.
func (s *site) has(path string, params []string, want ...string) string {
	s.t.Helper()
	status, body, _ := s.get(path, params...)
	if status != 200 {
		s.t.Errorf("%s %v: status %d: %.2000s", path, params, status, body)
	}
	for _, w := range want {
		w, not := strings.CutPrefix(w, "!")
		if strings.Contains(body, w) == not {
			s.t.Errorf("%s %v: has %q: %v; %.0s", path, params, w, not, body)
		}
	}
	return body
}

// all are the pages, with parameters that have each show something.
var all = map[string][]string{
	"": nil, "about": nil, "api": nil, "org/db": nil, "org/db/search": {"q", "wise old", "explain", "1"}, "org/db/doc": {"id", base + "People/20", "history", "1"},
	"org/db/templates": {"template", "A planet {{label}} {{bad}} </textarea><script>"}, "org/db/changes": nil, "org/db/duplicates": nil, "org/db/clusters": nil, "org/db/map": {"q", "wise"},
}

// TestPages holds for every page: its policy, one heading, links that stay relative,
// no vector, and times under the bound.
func TestPages(t *testing.T) {
	s := newSite(t)
	for path, params := range all {
		status, body, h := s.get(path, params...)
		if status != 200 {
			t.Errorf("%s: status %d: %.500s", path, status, body)
			continue
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self' 'nonce-") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s: %d headings of the first order", path, n)
		}
		for _, wrong := range []string{`href="/`, `src="/`, `action="/`, "http://", "https://", " style=", " onclick=", "javascript:", "<script>", "ZgotmplZ", "%!"} {
			if strings.Contains(body, wrong) {
				t.Errorf("%s has %s", path, wrong)
			}
		}
		if len(body) > 100<<10 {
			t.Errorf("%s: %d bytes", path, len(body))
		}
	}
}

// TestRoot leads from / to the page, unless there is none.
func TestRoot(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/ui"} {
		res, err := noRedirect.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 302 || res.Header.Get("Location") != "./ui/" {
			t.Errorf("%s: %d %q", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	status, body, h := s.get("nothing")
	if status != 404 || !strings.Contains(body, "There is nothing here") || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Errorf("no such page: %d %.300s", status, body)
	}
	if status, body, _ := s.get("org/db/search", "q", "x", "at", "nonsense"); status != 404 || !strings.Contains(body, "no branch or commit of the name nonsense") {
		t.Errorf("no such commit: %d %.300s", status, body)
	}
}

// TestHome tells of databases, their commits by name, and tasks.
func TestHome(t *testing.T) {
	s := newSite(t)
	s.has("", nil, "org/db", "Mend &lt;b&gt;texts&lt;/b&gt;", "Bo", `datetime="2026-03-02T12:00:00Z"`, "26 documents", "tokens embedded", "no damage known", "known already")
	s.has("", []string{"find", "nothing"}, "No database is called like")
	s.has("org/db", nil, "Load the planets", "2 changed, 1 deleted")
	// A commit that was pushed with a message is called by that.
	s.push("said", operation("Inserted", "Thing/50", "one more", nil), "previous", "later", "branch", "early", "message", "By its own words", "author", "Eva")
	s.has("org/db", []string{"at", "early"}, "By its own words", "Eva")
	if home := s.has("", nil, "By its own words"); strings.Index(home, `branch">main<`) > strings.Index(home, `branch">early<`) {
		t.Error("main is not the first branch")
	}
}

// TestFirstPaint adds up what a browser loads for Home, and what stays in it.
func TestFirstPaint(t *testing.T) {
	s := newSite(t)
	total := 0
	load := func(path string) (string, http.Header) {
		req, err := http.NewRequest("GET", s.url+"/ui/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip") // not undone by the client then
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
		}
		total += len(body)
		return string(body), res.Header
	}
	load("")
	files := regexp.MustCompile(` (?:href|src)="\./(static/[^"]*)"`).FindAllStringSubmatch(s.has("", nil), -1)
	for _, f := range files {
		if _, h := load(f[1]); h.Get("Content-Encoding") != "gzip" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", f[1], h)
		}
	}
	if len(files) < 6 || total > 100<<10 {
		t.Errorf("Home is %d bytes in %d files", total, len(files)+1)
	}
	t.Logf("Home is %d bytes in %d files", total, len(files)+1)
}

// TestSearch finds, marks, filters, explains, and says what is wrong.
func TestSearch(t *testing.T) {
	s := newSite(t)
	s.has("org/db/search", []string{"q", "wise old", "mode", "fts"}, "Yoda", "A very <mark>wise</mark> <mark>old</mark> sage", "People/20", "found by", "like this", "history", "curl", "!In the database")
	s.has("org/db/search", []string{"q", "wise old", "explain", "1"}, "weighing")
	s.has("org/db/search", nil, "Ask in your own words", "colour", "People", `<span class="num">7</span>`)
	s.has("org/db/search", []string{"q", "thing", "f.colour", `"red"`}, "Thing 3", "!Thing 4<")
	s.has("org/db/search", []string{"q", "thing", "f.colour", `"red"`, "f.colour", `"blue"`}, "Thing 3<", "Thing 5<", "!Thing 4<")
	s.has("org/db/search", []string{"q", "sage", "type", "Planet", "mode", "fts"}, "Nothing is found", "Search without the filter")
	s.has("org/db/search", []string{"q", "zzzz", "mode", "fts"}, "Nothing is found", "Search by meaning")
	s.has("org/db/search", []string{"q", "thing", "filter", "nofield == 1"}, "This could not be searched", `value="thing"`)
	s.has("org/db/search", []string{"q", "thing", "page", "1"}, "Hits 11 to")
	s.has("org/db/search", []string{"q", `a&b="<`}, `value="a&amp;b=&#34;&lt;"`)
	// As it was, by commit, by day, and beside now.
	s.has("org/db/search", []string{"q", "wise", "at", "first"}, "!Qui", "Load the planets")
	s.has("org/db/search", []string{"q", "wise", "at", "2026-03-01"}, "!>Qui<", "A <mark>wise</mark> old sage")
	s.has("org/db/search", []string{"q", "wise old", "with", "first"}, "new document", "Qui", "text changed", "Load the planets")
	s.has("org/db/search", []string{"q", "thing number 0", "with", "first", "mode", "fts"}, "deleted since")
}

// TestHostile has documents' texts stay texts, and long ones be cut with a way to all.
func TestHostile(t *testing.T) {
	s := newSite(t)
	for path, params := range map[string][]string{
		"org/db/search": {"q", "wise", "mode", "fts"}, "org/db/doc": {"id", base + "Evil/1"}, "org/db/changes": {"at", "first"}, "org/db/clusters": nil, "org/db/map": {"q", "wise"},
	} {
		body := s.has(path, params)
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img") || strings.Contains(body, "<b>texts") {
			t.Errorf("%s: a text became markup", path)
		}
	}
	body := s.has("org/db/doc", []string{"id", base + "Long/1"}, "1,080,004 bytes, of which a part is shown", "Show all")
	if len(body) > 40<<10 {
		t.Errorf("a long text: %d bytes", len(body))
	}
	if body := s.has("org/db/doc", []string{"id", base + "Long/1", "all", "1"}); len(body) < 1<<20 {
		t.Errorf("all of a long text: %d bytes", len(body))
	}
	s.has("org/db/doc", []string{"id", base + "Evil/2"}, `dir="auto"`)
}

// TestDocument shows a document's history as differences of words.
func TestDocument(t *testing.T) {
	s := newSite(t)
	s.has("org/db/doc", []string{"id", base + "People/20"}, "Yoda", "species", "Most alike", `hx-trigger="load"`, "!first seen")
	s.has("org/db/doc", []string{"id", base + "People/20", "history", "1"}, "first seen", `A <ins><span class="unseen">added: </span>very </ins>wise old sage`)
	s.has("org/db/doc", []string{"id", base + "Planet/1"}, "Look for its group and duplicates", "among=1", `data-key="["`, "!data-key=\"]\"")
	s.has("org/db/doc", []string{"id", base + "Planet/1", "among", "1"}, "clusters?id=", "duplicates?a=", ">Planet/61</a>", "!alike enough")
	for id, name := range map[string]string{"Planet/1": "Tatooine", "Thing/5": "Thing 5"} { // the group that it says has it
		group := regexp.MustCompile(`clusters\?id=([^"&]+)"`).FindStringSubmatch(s.has("org/db/doc", []string{"id", base + id, "among", "1"}))
		if group == nil {
			t.Errorf("%s has no group", id)
			continue
		}
		s.has("org/db/clusters", []string{"id", group[1]}, ">"+name+"</a>")
	}
	s.has("org/db/doc", []string{"id", base + "People/20", "among", "1", "at", "first"}, "none is alike enough", `data-key="]"`, "!data-key=\"[\"", "at=later")
	if status, _, _ := s.get("org/db/doc", "id", base+"Thing/0"); status != 404 {
		t.Errorf("a deleted document: %d", status)
	}
	s.has("org/db/doc", []string{"id", base + "Thing/0", "at", "first"}, "Thing 0")
	s.has("org/db/changes", nil, "<b>1</b> added", "<b>1</b> removed", "<b>1</b> changed", "very </ins>")
	s.has("org/db/changes", []string{"at", "first"}, "The first commit")
	s.has("org/db/changes", []string{"at", "first", "with", "main"}, `very </del>`)
}

// post sends a form as a browser does from a site.
func (s *site) post(path, site string, form url.Values) *http.Response {
	s.t.Helper()
	req, err := http.NewRequest("POST", s.url+"/ui/"+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", site)
	res, err := noRedirect.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// TestDuplicates decides a pair, takes it back, and refuses what comes from elsewhere.
func TestDuplicates(t *testing.T) {
	s := newSite(t)
	body := s.has("org/db/duplicates", nil, "Pair 1 of", "Planet/61", `only here: </span>harsh</mark>`, `only here: </span>dry</mark>`, "≠", "Nothing was decided yet", "<summary><kbd>h</kbd> Score")
	s.has("org/db/duplicates", []string{"blind", "1"}, "Pair 1 of", "!Score</summary>")
	if !strings.Contains(body, "open <span") {
		t.Error("no states")
	}
	pair := url.Values{"a": {base + "Planet/1"}, "b": {base + "Planet/61"}, "decision": {"same"}, "note": {"two <suns>"}}
	if res := s.post("org/db/duplicates", "cross-site", pair); res.StatusCode != 403 {
		t.Errorf("a POST of another site: %d", res.StatusCode)
	}
	res := s.post("org/db/duplicates", "same-origin", pair)
	if res.StatusCode != 303 || res.Header.Get("Location") != "duplicates?undo=1#pair" {
		t.Fatalf("%d %q", res.StatusCode, res.Header.Get("Location"))
	}
	s.has("org/db/duplicates", []string{"undo", "1"}, "Decided <b>same</b>", "two &lt;suns&gt;", `same <span class="num">1`, "!Pair 1 of 1<")
	s.has("org/db/duplicates", []string{"state", "same"}, "Planet/61", "Reason: two &lt;suns&gt;")
	s.has("org/db/doc", []string{"id", base + "Planet/1"}, "same as", ">Decided<")
	s.has("org/db/duplicates", []string{"with", "first", "state", "same"}, "No pair is decided same")
	pair.Set("decision", "undo")
	if res = s.post("org/db/duplicates", "same-origin", pair); res.StatusCode != 303 {
		t.Fatalf("undo: %d", res.StatusCode)
	}
	s.has("org/db/doc", []string{"id", base + "Planet/1"}, "!>Decided<")
	s.has("org/db/duplicates", nil, "Planet/61", "Nothing was decided yet", `later <span class="num">0<`)
	s.has("org/db/duplicates", []string{"with", "first"}, "No two documents are alike enough", "since", "Do not compare")
	s.has("org/db/duplicates", []string{"with", "first", "view", "groups"}, "No two documents are alike enough", "since")
	pair.Set("decision", "nonsense")
	if res = s.post("org/db/duplicates", "same-origin", pair); res.StatusCode != 400 {
		t.Errorf("nonsense: %d", res.StatusCode)
	}
	s.has("org/db/duplicates", []string{"view", "groups"}, "2 documents", "leave out")
	s.has("org/db/duplicates", []string{"view", "profile"}, "<rect", "Least score", "Decide pairs from")
	s.has("org/db/duplicates", []string{"min", "0.999"}, "No two documents are alike enough")
}

// TestTemplates shows a class's template on documents, and another one that the address
// brings beside it, with what is wrong and what to put into the schema.
func TestTemplates(t *testing.T) {
	s := newSite(t)
	s.has("org/db/templates", nil, "How Planet becomes text", "The planet {{label}} of Planet/3", "12 tokens", "no mistakes</span> found in the query, the template and 7 documents", `aria-current="page">Templates`, "no template", "broken", "!edited</span>", `{{label}}</textarea>`)
	s.has("org/db/templates", []string{"template", "The world {{bad}}\r\n"}, "edited</span>", `The <del><span class="unseen">removed: </span>planet`, `<ins><span class="unseen">added: </span>world`, "warning</span>", "template, line 2: there is no field bad", `&#34;&lt;b&gt; &amp; &#34;`, "As in the schema")
	s.has("org/db/templates", []string{"query", "torn"}, "error</span>", "query: unexpected torn", "No document could be tried", "!for the schema, as JSON", "<details open><summary>Query")
	s.has("org/db/templates", []string{"class", "Planet", "id", "Planet/9, Planet/8"}, "of Planet/9", "of Planet/8", "!of Planet/1")
	s.has("org/db/templates", []string{"class", "Two", "template", "one\r\ntwo"}, "!edited</span>") // as a form sends lines
	s.has("org/db/templates", []string{"class", "Nothing"}, "Nothing has no template", "vectorlink templates suggest")
	s.has("org/db/templates", []string{"class", "Torn"}, "no JSON")
	s.has("org/db/templates", []string{"class", "Other"}, "The templates cannot be shown", "no class Other")
	s.has("org/db/templates", []string{"template", strings.Repeat("x", 70<<10)}, "The templates cannot be shown", "64.0 KiB")
	none := newSite(t, func(c *page.Config, _ *api.Config) { c.Templates = nil })
	none.has("org/db/search", nil, "!>Templates<")
	if status, _, _ := none.get("org/db/templates"); status != 404 {
		t.Errorf("without a database: %d", status)
	}
}

// TestNewer tells a page that follows a branch when the branch has gone on.
func TestNewer(t *testing.T) {
	s := newSite(t)
	s.has("org/db/search", nil, `hx-get="../../org/db/newer?shown=later"`)
	if body := s.has("org/db/search", []string{"at", "later"}); strings.Contains(body, "newer?") {
		t.Error("a page of one commit asks for others")
	}
	if _, body, _ := s.get("org/db/newer", "shown", "later"); body != "" {
		t.Errorf("nothing is newer: %s", body)
	}
	s.push("last", operation("Inserted", "Thing/99", "one more", nil), "previous", "later")
	_, body, _ := s.get("org/db/newer", "shown", "later")
	for _, want := range []string{"A newer commit is there", ">last<", "1 changed", `href=""`, `changes?with=later`} {
		if !strings.Contains(body, want) {
			t.Errorf("the notice lacks %s: %s", want, body)
		}
	}
}

// TestReadOnly has a page that only reads offer nothing else.
func TestReadOnly(t *testing.T) {
	s := newSite(t, func(c *page.Config, _ *api.Config) { c.ReadOnly = true })
	s.has("org/db/duplicates", nil, "This server only reads")
	for path, params := range all {
		s.has(path, params, `!method="post"`, "!formmethod", "!hx-post", "!hx-delete")
	}
	if res := s.post("org/db/duplicates", "same-origin", url.Values{"a": {"x"}, "b": {"y"}, "decision": {"same"}}); res.StatusCode != 403 {
		t.Errorf("a decision: %d", res.StatusCode)
	}
}

// TestCredentials asks for them before anything is shown.
func TestCredentials(t *testing.T) {
	s := newSite(t)
	guarded := httptest.NewServer(api.New(api.Config{SearchReady: true, Page: s.page, Secret: contract.NewSecret("s3cret")}, service.New(s.ix.Reader, s.ix)))
	defer guarded.Close()
	for _, path := range []string{"/ui/", "/ui/org/db/search?q=wise"} {
		res, err := http.Get(guarded.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") == "" || strings.Contains(string(body), "Yoda") || !strings.Contains(string(body), "Who are you?") {
			t.Errorf("%s: %d %.300s", path, res.StatusCode, body)
		}
	}
}

// TestEvents sends the tasks when they change, and ends when the server stops.
func TestEvents(t *testing.T) {
	stopping := make(chan struct{})
	s := newSite(t, func(c *page.Config, _ *api.Config) { c.Stopping = stopping })
	res, err := http.Get(s.url + "/ui/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	close(stopping)
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(string(body), "data: ") || !strings.HasSuffix(string(body), "\n\n") {
		t.Errorf("%v %q", err, body)
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(string(body), "\n\n"), "\n") {
		if !strings.HasPrefix(l, "data: ") {
			t.Errorf("a line of an event: %q", l)
		}
	}
}

// TestVendored compares the list of what others made with the files.
func TestVendored(t *testing.T) {
	raw, err := os.ReadFile("static/vendor/VENDOR.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []page.Vendored
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	known := []string{"VENDOR.json"}
	for _, v := range list {
		body, err := os.ReadFile("static/vendor/" + v.File)
		if err != nil {
			t.Fatal(err)
		}
		if sum := page.Sum(body); sum != v.SHA256 {
			t.Errorf("%s: sum %s, listed %s", v.File, sum, v.SHA256)
		}
		if v.Licence != "0BSD" && v.Licence != "MIT" || v.Integrity == "" {
			t.Errorf("%s: licence %s, integrity %q", v.File, v.Licence, v.Integrity)
		}
		known = append(known, v.File, v.LicenceFile)
	}
	notice, err := os.ReadFile("../NOTICE")
	if err != nil || !strings.Contains(string(notice), "htmx (https://htmx.org, Zero-Clause BSD)") {
		t.Errorf("NOTICE lacks htmx: %v", err)
	}
	entries, err := os.ReadDir("static/vendor")
	if err != nil || len(entries) < 4 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			t.Errorf("%s is not listed", e.Name())
		}
	}
}
