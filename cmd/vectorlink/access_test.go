package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// guarded is a server of all protocols, with a file of keys.
type guarded struct {
	t     *testing.T
	url   string
	cfg   Config
	doors []service.Route
	keys  vfs.FS
	log   *sharedLog
	// secrets of the keys by a word for each, and their ids.
	secrets, ids map[string]string
}

// sharedLog is a log that many write.
type sharedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was logged since the last call.
func (l *sharedLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func guard(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, log: new(sharedLog), secrets: map[string]string{"master": "sesame"}, ids: map[string]string{"master": "secret"}}
	log := slog.New(slog.NewJSONHandler(g.log, nil))
	g.cfg = Config{EmbedConfig: EmbedConfig{Model: "m"}, ImportBytes: 1 << 20, MCPWrite: true, AdminUser: "admin", AdminSecret: contract.NewSecret("sesame"), SearchReady: true}
	g.cfg.DataDir = t.TempDir()
	dir, err := vfs.NewOS(g.cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	g.keys = dir
	files := vfstest.NewMem()
	embedder := &indexertest.Embedder{}
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: embedder, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	live := space.New(space.Config{FS: files, Service: svc})
	web := g.cfg.api(log)
	web.SearchReady, web.Spaces = true, live
	if web.Keys, err = service.OpenKeys(filepath.Join(g.cfg.DataDir, service.KeysFile), log); err != nil {
		t.Fatal(err)
	}
	g.doors = g.cfg.doors(web, svc, embedder, live)
	web.Routes = g.doors
	site := g.cfg.site(t.Context(), web, svc, nil, embedder, log)
	web.Page = site
	srv := httptest.NewUnstartedServer(api.New(web, svc))
	srv.Config.Protocols = new(http.Protocols) // as api.Serve has them
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	g.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		site.Close()
		for _, err := range []error{live.Close(), ix.Close(context.Background()), dir.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return g
}

// add makes a key and keeps its secret under a word.
func (g *guarded) add(word string, scopes service.Scope, domains ...string) {
	g.t.Helper()
	k, secret, err := service.NewKey(service.Key{Scopes: scopes, Domains: domains})
	if err == nil {
		err = service.AddKey(g.keys, service.KeysFile, k)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.secrets[word], g.ids[word] = secret.Reveal(), k.ID
}

// ask sends a request, written as method, target and, behind a blank, a body, with the
// key of a word.
func (g *guarded) ask(word, request string) (status int, body string) {
	g.t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	target, sent, _ := strings.Cut(rest, " ")
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+target, strings.NewReader(sent))
	if err != nil {
		g.t.Fatal(err)
	}
	if sent != "" {
		req.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(target, "/push") {
			req.Header.Set("Content-Type", "application/x-ndjson")
		}
		if strings.HasPrefix(target, "/ui/") {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	req.Header.Set("Accept", "application/json, text/event-stream, text/html")
	if word != "" {
		req.Header.Set("Authorization", "Bearer "+g.secrets[word])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (g *guarded) must(word, request string) string {
	g.t.Helper()
	status, body := g.ask(word, request)
	if status >= 300 {
		g.t.Fatalf("%s: %d %s", request, status, body)
	}
	return body
}

// fill makes a domain and a space of each organisation, and returns the last task.
func (g *guarded) fill(orgs ...string) (task string) {
	g.t.Helper()
	for _, org := range orgs {
		g.must("master", "POST /push?domain="+org+`/db&target_commit=c1 {"op":"Inserted","id":"d/`+org+`1","string":"zebra one"}`)
		task = g.must("master", "POST /push?domain="+org+`/db&target_commit=c2&parent_commit=c1 {"op":"Inserted","id":"d/`+org+`2","string":"zebra two"}`)
		g.must("master", "POST /tags?domain="+org+"/db&commit=c1&name=v1")
		g.must("master", `POST /spaces {"name":"`+org+`/s","dims":1}`)
		g.must("master", "POST /spaces/"+org+`/s/set {"key":"`+org+`key","vector":[1]}`)
	}
	return task
}

var single = map[string]service.Scope{"read": service.Read, "index": service.Index, "push": service.Push, "metrics": service.Metrics, "admin": service.Admin}

// TestScopesOfEveryRoute: a key passes where its scope is among those that a route needs,
// and nowhere else; without a key nothing is answered.
func TestScopesOfEveryRoute(t *testing.T) {
	g := guard(t)
	for word, scope := range single {
		g.add(word, scope, "*")
	}
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	needs := make(map[string][]string) // by request
	for path, item := range doc.Paths.Map() {
		path = strings.ReplaceAll(path, "{name}", "n")
		for method, op := range item.Operations() {
			if raw, ok := op.Extensions["x-needs"].([]any); ok {
				for _, word := range raw {
					needs[method+" "+path] = append(needs[method+" "+path], word.(string))
				}
			}
		}
	}
	spaces := needs["POST /spaces"] != nil && needs["DELETE /spaces/n"] != nil
	if len(needs) < 40 || !spaces {
		t.Fatalf("openapi.yaml tells of %d requests, of spaces: %t", len(needs), spaces)
	}
	for _, rt := range g.doors {
		if rt.Needs == 0 {
			t.Errorf("%v %s states no scope", rt.Methods, rt.Path)
		}
		if !strings.HasPrefix(rt.Path, "/spaces") {
			for _, method := range rt.Methods {
				needs[method+" "+strings.ReplaceAll(rt.Path, "*", "x")] = rt.Needs.Words()
			}
		}
	}
	for _, view := range []string{"", "about", "api", "a/b", "a/b/search", "a/b/doc", "a/b/changes", "a/b/duplicates", "a/b/clusters", "a/b/map", "a/b/map/points"} {
		needs["GET /ui/"+view] = []string{"read"}
	}
	needs["POST /ui/a/b/duplicates"] = []string{"push"}
	method := func(request string) string { m, _, _ := strings.Cut(request, " "); return m }
	for request, words := range needs {
		if status, _ := g.ask("", request); status != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d", request, status)
		}
		for word := range single {
			status, body := g.ask(word, request)
			passes := word == "admin" || slices.Contains(words, word)
			if refused := status == http.StatusForbidden; refused == passes || status == http.StatusUnauthorized || refused && method(request) != "HEAD" && !strings.Contains(body, "a key with") {
				t.Errorf("%s needs %v, and a key with %s is answered %d %.200s", request, words, word, status, body)
			}
		}
	}
}

// TestKeySeesItsDomainsAlone: to a key for some domains another domain is as one that does
// not exist, wherever it asks, and no list names it. The secret is answered everywhere, so
// each of these requests would find what there is.
func TestKeySeesItsDomainsAlone(t *testing.T) {
	g := guard(t)
	task := g.fill("acme", "other")
	g.add("acme", service.Anything, "acme/*")
	g.add("reader", service.Read, "acme/*")
	hidden := []string{ // DOM is the domain, SPC the space
		"GET /search?domain=DOM&commit=c1&q=zebra&mode=fts", "GET /search?domain=DOM/local/branch/main&q=zebra", `POST /search {"domain":"DOM","commit":"c1","q":"zebra"}`,
		`POST /search {"domain":"DOM","commit":"c1","queries":["zebra"]}`, "GET /search/diff?domain=DOM&from=c1&to=c2&q=zebra", "GET /diff?domain=DOM&from=c1&to=c2",
		"GET /documents?domain=DOM&commit=c1", "GET /similar?domain=DOM&commit=c1&text=zebra", `POST /similar {"domain":"DOM","commit":"c1","text":"zebra"}`,
		"GET /suggest?domain=DOM&commit=c1&q=zeb", "GET /duplicates?domain=DOM&commit=c2", "GET /duplicates/profile?domain=DOM&commit=c2", "GET /decisions?domain=DOM",
		`POST /candidates {"domain":"DOM","commit":"c1","threshold_set":1}`, "GET /clusters?domain=DOM&commit=c2", "GET /clusters/diff?domain=DOM&from=c1&to=c2",
		"GET /map?domain=DOM&commit=c2", "GET /embeddings?domain=DOM&commit=c1", `POST /embeddings {"domain":"DOM","commit":"c1"}`, "GET /last-indexed?domain=DOM",
		"GET /statistics?domain=DOM", "GET /integrity?domain=DOM", "GET /commits?domain=DOM", "GET /tags?domain=DOM", "GET /pruned?domain=DOM", "GET /tasks?domain=DOM",
		"GET /document?domain=DOM&commit=c1&id=d/other1", "GET /snapshot?domain=DOM&commit=c1", "GET /ui/DOM", "GET /ui/DOM/search?q=zebra", "GET /ui/DOM/doc?id=d/other1",
		"GET /ui/DOM/changes", "GET /ui/DOM/duplicates", "GET /ui/DOM/clusters", "GET /ui/DOM/map", "GET /ui/DOM/map/points",
		"GET /spaces/SPC", "GET /spaces/SPC/items", "GET /spaces/SPC/log", "GET /spaces/SPC@main/items", "GET /spaces/SPC/branch", "GET /spaces/SPC/snapshot",
		`POST /spaces/SPC/get {"key":"otherkey"}`, `POST /spaces/SPC/nearest {"vector":[1]}`,
		// What writes is refused.
		`POST /push?domain=DOM&target_commit=c9 {"op":"Inserted","id":"x","string":"x"}`, "POST /tags?domain=DOM&commit=c1&name=v2", "DELETE /tags?domain=DOM&name=v2",
		"POST /assign?domain=DOM&source_commit=c1&target_commit=c8", `POST /decisions?domain=DOM&commit=c2 {"a":"d/other1","b":"d/other2","decision":"different"}`,
		`POST /prune?domain=DOM&keep_last=9&apply=true`, "DELETE /branch-index?domain=DOM&branch=none", `POST /spaces/SPC/set {"key":"k","vector":[1]}`,
		"POST /spaces/SPC/commit", "POST /spaces/SPC/branch {\"branch\":\"b\"}", "DELETE /spaces/SPC", "DELETE /domain?domain=DOM&purge=true",
	}
	for _, request := range hidden {
		about := func(domain, space string) string {
			return strings.ReplaceAll(strings.ReplaceAll(request, "DOM", domain), "SPC", space)
		}
		g.log.take()
		status, there := g.ask("acme", about("other/db", "other/s"))
		if log := g.log.take(); !strings.Contains(log, `"audit":true`) || !strings.Contains(log, `"key":"`+g.ids["acme"]+`"`) || !strings.Contains(log, `"msg":"denied"`) {
			t.Errorf("%s: no audit line: %s", request, log)
		}
		missing, nothing := g.ask("acme", about("other/absent", "other/zzz"))
		for from, to := range map[string]string{"other/absent": "other/db", "other/zzz": "other/s"} {
			nothing = strings.ReplaceAll(nothing, from, to)
		}
		if strings.HasPrefix(request, "GET /ui") { // a nonce, and the request's id
			there, nothing = strings.Join(strings.Fields(there)[:3], " "), strings.Join(strings.Fields(nothing)[:3], " ")
		}
		if status != missing || there != nothing || status != http.StatusNotFound && status != http.StatusForbidden {
			t.Errorf("%s: %d %.300s\nof one that does not exist: %d %.300s", request, status, there, missing, nothing)
		}
		if status, body := g.ask("master", about("other/db", "other/s")); status >= 300 {
			t.Errorf("%s is no request to go by: %d %s", request, status, body)
		}
	}
	for _, request := range []string{`POST /spaces {"name":"other/new","dims":1}`, "POST /spaces/other/new/snapshot x", "POST /snapshot?domain=other/new x"} {
		if status, body := g.ask("acme", request); status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("%s: %d %s", request, status, body)
		}
	}
	g.fill("other") // of which all was deleted
	known := g.must("acme", "GET /check?task_id="+g.must("master", `POST /push?domain=acme/db&target_commit=c3 {"op":"Inserted","id":"d/acme3","string":"x"}`))
	status, unknown := g.ask("acme", "GET /check?task_id=task-none")
	if hid, body := g.ask("acme", "GET /check?task_id="+task); hid != status || hid != http.StatusNotFound || strings.ReplaceAll(body, task, "task-none") != unknown || !strings.Contains(known, "acme/db") {
		t.Errorf("the task of another domain: %d %s, one that is unknown: %d %s", hid, body, status, unknown)
	}
	mcp := func(tool, args string) string {
		return `POST /mcp {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + args + `}}`
	}
	for _, list := range []string{"GET /domains", "GET /tasks", "GET /statistics", "GET /spaces", "GET /ui/", mcp("domains", "{}")} {
		for word, want := range map[string]bool{"acme": false, "reader": false, "master": true} {
			body := g.must(word, list)
			if strings.Contains(body, "other/") != want && list != "GET /statistics" || !strings.Contains(body, "acme/") && list != "GET /statistics" {
				t.Errorf("%s of %s: %s", list, word, body)
			}
		}
	}
	var mine, whole struct {
		Domains, Documents int
		Internal           map[string]int
	}
	for word, into := range map[string]any{"acme": &mine, "master": &whole} {
		if err := json.Unmarshal([]byte(g.must(word, "GET /statistics")), into); err != nil {
			t.Fatal(err)
		}
	}
	if mine.Domains == 0 || 2*mine.Domains > whole.Domains+1 || mine.Internal != nil || whole.Internal == nil {
		t.Errorf("statistics of a part: %+v, of all: %+v", mine, whole)
	}
	for _, tool := range []struct{ name, args string }{
		{"search", `{"domain":"DOM","commit":"c1","q":"zebra"}`}, {"log", `{"domain":"DOM"}`}, {"document", `{"domain":"DOM","commit":"c1","id":"d/other1"}`},
	} {
		ask := func(word, domain string) string {
			return strings.ReplaceAll(g.must(word, mcp(tool.name, strings.ReplaceAll(tool.args, "DOM", domain))), domain, "DOM")
		}
		there, missing := ask("reader", "other/db"), ask("reader", "other/no")
		if there != missing || !strings.Contains(there, `"isError":true`) || strings.Contains(ask("master", "other/db"), "isError") {
			t.Errorf("tool %s: %s, of a domain that does not exist: %s", tool.name, there, missing)
		}
	}
	// Tools that write ask for a key that may.
	push := mcp("push", `{"domain":"acme/db","target_commit":"m1","documents":[{"id":"m","text":"m"}]}`)
	if got := g.must("reader", push); !strings.Contains(got, "isError") {
		t.Errorf("a key that reads pushes by a tool: %s", got)
	}
	if got := g.must("acme", push); strings.Contains(got, "isError") {
		t.Errorf("a key that pushes cannot by a tool: %s", got)
	}
	if log := g.log.take(); strings.Contains(log, g.secrets["acme"]) || strings.Contains(log, "sesame") {
		t.Error("the log has a secret")
	}
}

// TestAudit: refusals and deletions have a line that names the key.
func TestAudit(t *testing.T) {
	g := guard(t)
	g.fill("acme", "other")
	g.add("reader", service.Read, "*")
	g.add("tool", service.Admin, "acme/*")
	g.ask("tool", "GET /domains") // the keys are read
	for _, tt := range []struct{ word, request, msg, key, domain string }{
		{"", "GET /domains", "denied", "", ""},
		{"reader", "DELETE /domain?domain=acme/db", "denied", g.ids["reader"], ""},
		{"reader", `POST /spaces/acme/s/set {"key":"k","vector":[1]}`, "denied", g.ids["reader"], ""},
		{"tool", "DELETE /domain?domain=other/db", "denied", g.ids["tool"], "other/db"},
		{"tool", "GET /commits?domain=other/db", "denied", g.ids["tool"], "other/db"},
		{"tool", "DELETE /tags?domain=acme/db&name=v1", "deleted", g.ids["tool"], "acme/db"},
		{"tool", "DELETE /tags?domain=acme/db&name=v1", "", "", ""}, // there is none
		{"tool", "POST /prune?domain=acme/db&keep_last=1", "", "", ""},
		{"tool", "POST /prune?domain=acme/db&keep_last=1&apply=true", "deleted", g.ids["tool"], "acme/db"},
		{"tool", "DELETE /spaces/acme/s", "deleted", g.ids["tool"], "acme/s"},
		{"master", "DELETE /branch-index?domain=acme/db&branch=main", "deleted", "secret", "acme/db"},
		{"master", "DELETE /domain?domain=other/db", "deleted", "secret", "other/db"},
		{"master", "GET /domains", "", "", ""},
		{"tool", "GET /spaces", "", "", ""}, // which leaves some out
		{"tool", "GET /tasks", "", "", ""},
		{"tool", "GET /ui/", "", "", ""},
	} {
		g.log.take()
		g.ask(tt.word, tt.request)
		want, got := "", ""
		if tt.msg != "" {
			want = fmt.Sprint(tt.msg, tt.key, tt.domain)
		}
		for line := range strings.Lines(g.log.take()) {
			var l struct {
				Audit            bool
				Msg, Key, Domain string
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.Audit {
				got += fmt.Sprint(l.Msg, l.Key, l.Domain)
			} else if l.Msg == "request" && l.Key != g.ids[tt.word] {
				t.Errorf("%s: the log's line names the key %q", tt.request, l.Key)
			}
		}
		if got != want {
			t.Errorf("%s by %s: audited %q, want %q", tt.request, tt.word, got, want)
		}
	}
}
