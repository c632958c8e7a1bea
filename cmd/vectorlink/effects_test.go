package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// away is a setting away from its default, and the source it comes from: flag,
// file, or the name of a variable.
type away struct{ key, value, from string }

// TestEffects starts the program with every setting of serve away from its
// default, and looks for what each does: in answers, in files, in the log, or in
// what a database and a provider are asked. A setting that is read but not handed
// on fails here.
func TestEffects(t *testing.T) {
	seen := make(map[string]bool)
	for name, server := range map[string]func(*effects){
		"access and memory": accessEffects, "database and provider": databaseEffects, "token": tokenEffects,
		"content endpoint": contentEffects, "refusals": refusalEffects, "keys": keyEffects, "pushes": pushEffects, "reader": readerEffects,
		"retention": retentionEffects,
	} {
		t.Run(name, func(t *testing.T) { server(&effects{T: t, seen: seen}) })
	}
	for _, s := range settingsOf(reflect.ValueOf(new(Config)).Elem()) {
		if testing.Short() {
			break // some servers were not started
		}
		if !seen[s.key] && !t.Failed() {
			t.Errorf("no effect of %s was looked for", s.key)
		}
	}
}

// effects is a server with some settings, whose effects are looked for.
type effects struct {
	*testing.T
	*process
	seen map[string]bool
}

// start starts the program. Settings that it is not given have their defaults.
func (e *effects) start(settings ...away) {
	e.Helper()
	args, env, file := []string{"serve"}, environ(), ""
	for _, s := range settings {
		switch s.from {
		case "flag":
			args = append(args, "--"+s.key+"="+s.value)
		case "file":
			file += s.key + ": " + yamlScalar(s.value) + "\n"
		default:
			env = append(env, s.from+"="+s.value)
		}
	}
	name := filepath.Join(e.TempDir(), "settings.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		e.Fatal(err)
	}
	e.process = launch(e.T, env, nil, func(line []byte) string {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal(line, &entry) != nil || entry.Msg != "listening" {
			return ""
		}
		return "http://" + entry.Addr
	}, append(args, "--config", name)...)
}

// check notes that an effect of a setting was looked for, and whether it was
// there.
func (e *effects) check(key string, ok bool, format string, args ...any) {
	e.Helper()
	e.seen[key] = true
	if !ok {
		e.Errorf("%s has no effect: "+format, append([]any{key}, args...)...)
	}
}

// ask returns the status and the body of an answer.
func (e *effects) ask(method, address, user, secret string, body string) (int, string) {
	e.Helper()
	req, err := http.NewRequestWithContext(e.Context(), method, address, strings.NewReader(body))
	if err != nil {
		e.Fatal(err)
	}
	if secret != "" {
		req.SetBasicAuth(user, secret)
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		e.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// figures returns the figures of /statistics under internal.
func (e *effects) figures(user, secret string) map[string]int64 {
	e.Helper()
	_, text := e.ask("GET", e.url+"/statistics", user, secret, "")
	var body struct{ Internal map[string]int64 }
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		e.Fatalf("%v: %s", err, text)
	}
	return body.Internal
}

// logged waits for a line of the log, and returns it; "" if none comes.
func (e *effects) logged(text string) string {
	for range 400 {
		for line := range strings.Lines(e.log.String()) {
			if strings.Contains(line, text) {
				return line
			}
		}
		time.Sleep(50 * time.Millisecond) // poll of another process
	}
	return ""
}

// accessEffects looks at settings of access and of memory, and at one that comes
// from everywhere: its flag counts.
func accessEffects(e *effects) {
	dir := filepath.Join(e.TempDir(), "elsewhere")
	port, metrics := freePort(e.T), freePort(e.T)
	e.start(
		away{"listen", port, "VECTORLINK_PORT"},
		away{"data-dir", dir, "flag"},
		away{"admin-user", "flag", "flag"}, away{"admin-user", "environment", "VECTORLINK_ADMIN_USER"}, away{"admin-user", "file", "file"},
		away{"admin-secret", "sesame", "file"},
		away{"page-pool-bytes", "2MiB", "file"},
		away{"index-pool-bytes", "3MiB", "VECTORLINK_INDEX_POOL_BYTES"},
		away{"prometheus-port", metrics, "VECTORLINK_PROMETHEUS_PORT"},
		away{"log-level", "debug", "file"},
		away{"mcp-write", "true", "file"},
		away{"no-page", "true", "flag"},
		away{"pprof", "true", "VECTORLINK_PPROF"}, away{"log-format", "json", "file"},
	)
	e.check("listen", e.url == "http://127.0.0.1:"+port, "serves on %s", e.url)
	status, _ := e.ask("GET", e.url+"/statistics", "", "", "")
	e.check("admin-secret", status == 401, "status %d without it", status)
	for user, want := range map[string]int{"flag": 200, "environment": 401, "file": 401, "admin": 401} {
		status, _ := e.ask("GET", e.url+"/statistics", user, "sesame", "")
		e.check("admin-user", status == want, "status %d of %s", status, user)
	}
	figures := e.figures("flag", "sesame")
	n := figures["lance_metadata_cache_capacity_bytes"]
	e.check("page-pool-bytes", n == 2<<20, "%d bytes", n)
	n = figures["lance_index_cache_capacity_bytes"]
	e.check("index-pool-bytes", n == 3<<20, "%d bytes", n)
	_, text := e.ask("GET", "http://127.0.0.1:"+metrics+"/metrics", "", "", "")
	e.check("prometheus-port", strings.Contains(text, "\nvectorlink_domains 0") && strings.Contains(text, `route="/statistics",status="401"`), "%s", text)
	status, text = e.ask("GET", e.url+"/debug/pprof/goroutine?debug=1", "flag", "sesame", "")
	e.check("pprof", status == 200 && strings.Contains(text, "goroutine profile"), "status %d, %s", status, text)
	status, _ = e.ask("GET", e.url+"/debug/pprof/heap", "", "", "")
	e.check("pprof", status == 401, "status %d without the secret", status)
	status, _ = e.ask("GET", e.url+"/ui/", "flag", "sesame", "")
	e.check("no-page", status == 404, "status %d", status)
	_, text = e.ask("POST", e.url+"/mcp", "flag", "sesame", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	e.check("mcp-write", strings.Contains(text, `"name":"push"`), "%s", text)
	e.ask("GET", e.url+"/health/live", "", "", "") // logged as debugging alone
	status, text = e.ask("POST", e.url+"/push?domain=a/b&target_commit=c1&stream=true", "flag", "sesame", "")
	if status != 200 {
		e.Errorf("push: status %d, %s", status, text)
	}
	_, text = e.ask("GET", "http://127.0.0.1:"+metrics+"/metrics", "", "", "")
	e.check("prometheus-port", strings.Contains(text, `vectorlink_task_duration_seconds_count{state="complete"} 1`) && !strings.Contains(text, "vectorlink_disk_free_bytes 0\n"), "%s", text)
	e.stop(e.T, os.Interrupt)
	for _, pattern := range []string{taskFile, "*.hnsw"} { // the push's task and its commit
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		e.check("data-dir", err == nil && len(names) == 1, "%d files %s, %v", len(names), pattern, err)
	}
	e.check("log-format", strings.HasPrefix(e.log.String(), "{"), "%s", e.log.String())
	e.check("log-level", strings.Contains(e.log.String(), "/health/live"), "the probe is not logged")
}

// retentionEffects looks at what is pruned by itself: nothing where that is only told,
// and nothing of a database whose commits all stay.
func retentionEffects(e *effects) {
	push := func(domain string) (commits int) {
		for i := range 8 {
			parent := ""
			if i > 0 {
				parent = fmt.Sprint("&parent_commit=c", i-1)
			}
			line := fmt.Sprintf(`{"op":"Inserted","id":"d%d","string":"word","vector":[1,%d]}`, i, i)
			if status, text := e.ask("POST", fmt.Sprintf("%s/push?domain=%s&target_commit=c%d&dim=2&strict=true%s", e.url, domain, i, parent), "", "", line); status != 200 {
				e.Fatalf("push: %d %s", status, text)
			}
		}
		return 8
	}
	count := func(domain string) (commits int) {
		_, text := e.ask("GET", e.url+"/commits?domain="+domain, "", "", "")
		return strings.Count(text, `"commit":`)
	}
	e.start(away{"keep-last", "1", "VECTORLINK_KEEP_LAST"}, away{"retention-dry-run", "true", "file"}, away{"log-format", "json", "file"})
	n := push("a/b")
	e.check("keep-last", e.logged("commits would be pruned") != "", "nothing is told: %s", e.log.tail())
	e.check("retention-dry-run", count("a/b") == n, "%d commits of %d", count("a/b"), n)
	e.stop(e.T, os.Interrupt)
	e.start(away{"keep-daily", "1", "flag"}, away{"retention", "c/*=all", "file"})
	push("c/d")
	n = push("a/b")
	e.check("keep-daily", e.logged(`"commits pruned"`) != "" && count("a/b") < n, "%d commits of %d: %s", count("a/b"), n, e.log.tail())
	e.check("retention", count("c/d") == n, "%d commits of %d", count("c/d"), n)
	e.stop(e.T, os.Interrupt)
}

// databaseEffects follows a database and embeds with a provider, and looks at
// what both are asked.
func databaseEffects(e *effects) {
	data, err := starwars.Load()
	if err != nil {
		e.Fatal(err)
	}
	db := minidb.New(minidb.Config{Now: demoClock()})
	commits, err := db.Load(domain, minidb.Prefixes{Base: starwars.Base}, steps(data))
	if err != nil {
		e.Fatal(err)
	}
	database := newRecorder(e.T, db)
	prov := newRecorder(e.T, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"slow a","slow b"`)) {
			<-r.Context().Done()
			return
		}
		if bytes.Contains(body, []byte(`"word"`)) {
			time.Sleep(100 * time.Millisecond) // which is slow
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		embedAnything(w, r)
	}))
	words := filepath.Join(e.TempDir(), "tokenizer.json")
	if err := os.WriteFile(words, []byte(`{"pre_tokenizer":{"type":"BertPreTokenizer"},
		"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"word":1}}}`), 0o600); err != nil {
		e.Fatal(err)
	}
	e.start(
		away{"listen", "127.0.0.1:0", "flag"},
		away{"terminusdb-url", database.URL, "file"},
		away{"terminusdb-user", "reader", "VECTORLINK_TERMINUSDB_USER"},
		away{"terminusdb-password", "pass", "VECTORLINK_TERMINUSDB_PASSWORD"},
		away{"watch", domain + ":main", "flag"},
		away{"watch-interval", "100ms", "file"},
		away{"embed-provider", "voyage", "VECTORLINK_EMBED_PROVIDER"},
		away{"embed-url", prov.URL, "flag"},
		away{"embed-key", "key", "OPENAI_API_KEY"},
		away{"model", "some-model", "VECTORLINK_MODEL"},
		away{"dim", "8", "file"},
		away{"embed-batch-size", "5", "flag"},
		away{"embed-timeout", "1s", "flag"},
		away{"embed-price", "1000000", "file"},
		away{"tokenizer-path", words, "VECTORLINK_TOKENIZER_PATH"},
		away{"query-cache-bytes", "0", "file"},
		away{"slow", "100ms", "VECTORLINK_SLOW"},
	)
	// Eight equal requests take less than a second, and with the default of
	// five seconds more than the patience of the recorder.
	polls := make(map[string]int)
	polled := database.find(e.T, func(r recorded) bool {
		key := r.method + r.url + string(r.body)
		polls[key]++
		return polls[key] == 8
	})
	e.check("watch", len(polls) > 0, "the database was not asked")
	e.check("watch-interval", polled.method != "", "%v", polls)
	e.check("terminusdb-url", polled.method != "", "the database was not asked")
	e.check("terminusdb-user", polled.user == "reader", "%q", polled.user)
	e.check("terminusdb-password", polled.password == "pass", "%q", polled.password)
	_, text := e.ask("GET", e.url+"/index?dry_run=true&domain="+domain+"&commit="+commits["load"], "", "", "")
	var plan struct {
		Tokens int
		Price  float64
	}
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		e.Fatalf("%v: %s", err, text)
	}
	e.check("embed-price", plan.Tokens > 0 && plan.Price == float64(plan.Tokens), "%s", text)
	cl := newClient(e.url, "", contract.Secret{})
	defer cl.close()
	id, err := cl.index(e.Context(), values("domain", domain, "commit", commits["load"]))
	if err != nil {
		e.Fatal(err)
	}
	if _, err := cl.wait(e.Context(), id, 0, func(taskState) {}); err != nil {
		e.Fatal(err)
	}
	asked := prov.find(e.T, func(r recorded) bool { return len(r.embedding().Input) > 1 })
	e.check("embed-url", asked.method != "", "the provider was not asked")
	e.check("embed-key", asked.header.Get("Authorization") == "Bearer key", "%v", asked.header)
	body := asked.embedding()
	e.check("embed-provider", body.InputType == "document", "%s", asked.body)
	e.check("model", body.Model == "some-model", "%s", asked.body)
	e.check("dim", body.OutputDimension == 8, "%s", asked.body)
	e.check("embed-batch-size", len(body.Input) == 5, "%d texts at once", len(body.Input))
	e.ask("POST", e.url+"/push?domain=a/c&target_commit=c1&stream=true", "", "", `{"op":"Inserted","id":"d/A/1","string":"slow a"}`+"\n"+`{"op":"Inserted","id":"d/A/2","string":"slow b"}`)
	half := prov.find(e.T, func(r recorded) bool { return slices.Equal(r.embedding().Input, []string{"slow b"}) })
	e.check("embed-timeout", half.method != "", "a request that took too long was not given up")
	// Of its own words this text fits one window of 512, and not one of 480,
	// which is what is taken without a tokenizer.
	long := strings.Repeat("word ", 499) + "word"
	e.ask("POST", e.url+"/push?domain=a/b&target_commit=c1&stream=true", "", "", `{"op":"Inserted","id":"d/A/1","string":"`+long+`"}`)
	whole := prov.find(e.T, func(r recorded) bool { return slices.Contains(r.embedding().Input, long) })
	e.check("tokenizer-path", whole.method != "", "a text was cut")
	_, text = e.ask("GET", e.url+"/search?mode=vector&domain=a/b&commit=c1&q=word", "", "", "")
	if !strings.Contains(text, "d/A/1") {
		e.Fatalf("search: %s", text)
	}
	e.check("slow", e.logged(`"slow request"`) != "", "%s", e.log)
	figures := e.figures("", "")
	e.check("query-cache-bytes", figures["query_cache_entries"] == 0 && figures["query_cache_misses"] == 1, "%v", figures)
}

// tokenEffects looks at how a database is asked with a token.
func tokenEffects(e *effects) {
	database := newRecorder(e.T, http.NotFoundHandler())
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"terminusdb-url", database.URL, "flag"}, away{"terminusdb-token", "token", "file"},
		away{"memory-limit", "1GiB", "VECTORLINK_MEMORY_LIMIT"}, away{"scrub-every", "100ms", "flag"}, away{"scrub-rate", "5MiB", "file"})
	n := e.figures("", "")["lance_index_cache_capacity_bytes"]
	e.check("memory-limit", n == 256<<20, "%d bytes of snapshots", n)
	line := e.logged(`"msg":"scrubbed"`)
	e.check("scrub-every", line != "", "%s", e.log)
	e.check("scrub-rate", strings.Contains(line, `"rate":5242880`), "%s", line)
	e.ask("POST", e.url+"/index?domain=a/b&commit=c1", "", "", "")
	asked := database.find(e.T, func(recorded) bool { return true })
	e.check("terminusdb-token", asked.header.Get("Authorization") == "Bearer token", "%v", asked.header)
}

// contentEffects looks at how a content endpoint is asked.
func contentEffects(e *effects) {
	endpoint := newRecorder(e.T, http.NotFoundHandler())
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"terminusdb-content-endpoint", endpoint.URL + "/here", "TERMINUSDB_CONTENT_ENDPOINT"},
		away{"user-forward-header", "X-User", "TERMINUSDB_USER_FORWARD_HEADER"}, away{"terminusdb-user", "reader", "file"})
	e.ask("POST", e.url+"/index?domain=a/b&commit=c1", "", "", "")
	asked := endpoint.find(e.T, func(recorded) bool { return true })
	e.check("terminusdb-content-endpoint", asked.url == "/here/a/b?commit_id=c1", "%s", asked.url)
	e.check("user-forward-header", asked.header.Get("X-User") != "", "%v", asked.header)
	e.check("terminusdb-user", asked.header.Get("X-User") == "reader", "%v", asked.header)
}

// readerEffects looks at a server that reads what another one writes: it follows
// that, also after a kill, answers as it does, and writes nothing.
func readerEffects(e *effects) {
	dir := filepath.Join(e.TempDir(), "shared")
	writer := &effects{T: e.T, seen: make(map[string]bool)}
	write := func() {
		writer.start(away{"listen", "127.0.0.1:0", "flag"}, away{"data-dir", dir, "flag"})
	}
	push := func(commit, text string) {
		e.Helper()
		status, answer := e.ask("POST", writer.url+"/push?domain=a/b&stream=true&target_commit="+commit, "", "",
			`{"op":"Inserted","id":"d/A/`+commit+`","string":"`+text+`"}`)
		if status != http.StatusOK || !strings.Contains(answer, `"complete"`) {
			e.Fatalf("push %s: %d %s", commit, status, answer)
		}
	}
	write()
	push("c1", "a red apple")
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"data-dir", dir, "flag"}, away{"read-only", "true", "VECTORLINK_READ_ONLY"})
	same := func(commit string) {
		e.Helper()
		for _, mode := range []string{"vector", "fts", "hybrid"} {
			path := "/search?domain=a/b&q=apple&mode=" + mode + "&commit=" + commit
			_, want := e.ask("GET", writer.url+path, "", "", "")
			status, got := e.ask("GET", e.url+path, "", "", "")
			for tries := 0; status == http.StatusNotFound && tries < 200; tries++ { // it looks once a second
				time.Sleep(50 * time.Millisecond)
				status, got = e.ask("GET", e.url+path, "", "", "")
			}
			e.check("read-only", status == http.StatusOK && got == want, "%s at %s: %d %s; the writer answers %s", mode, commit, status, got, want)
		}
	}
	same("c1")
	push("c2", "a green apple")
	same("c2")
	writer.kill(e.T)
	same2 := "/search?domain=a/b&q=apple&mode=fts&commit=c2"
	if status, text := e.ask("GET", e.url+same2, "", "", ""); status != http.StatusOK {
		e.Errorf("after the writer was killed: %d %s", status, text)
	}
	write()
	push("c3", "no fruit")
	same("c3")
	if status, text := e.ask("DELETE", writer.url+"/domain?domain=a/b", "", "", ""); status != http.StatusNoContent {
		e.Fatalf("delete: %d %s", status, text)
	}
	push("c5", "an apple again")
	same("c5")
	if status, text := e.ask("GET", e.url+same2, "", "", ""); status != http.StatusNotFound {
		e.Errorf("a commit that was deleted: %d %s", status, text)
	}
	status, text := e.ask("POST", e.url+"/push?domain=a/b&target_commit=c4", "", "", `{"op":"Deleted","id":"d/A/1"}`)
	e.check("read-only", status == http.StatusForbidden && strings.Contains(text, "read_only"), "a push: %d %s", status, text)
}

// refusalEffects looks at what is refused, and at what is not.
func refusalEffects(e *effects) {
	e.start(away{"listen", "0.0.0.0:0", "file"}, away{"insecure", "true", "VECTORLINK_INSECURE"},
		away{"search-ready", "false", "flag"}, away{"rate-limit", "0.001", "file"})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(e.url, "http://"))
	e.check("insecure", err == nil, "%v", err) // without it there is no address
	address := "http://127.0.0.1:" + port
	status, text := e.ask("GET", address+"/search?domain=a/b&commit=c1&q=x", "", "", "")
	e.check("search-ready", status == 503, "status %d, %s", status, text)
	status, text = e.ask("GET", address+"/statistics", "", "", "")
	e.check("rate-limit", status == 429, "status %d, %s", status, text)
}

// pushEffects looks at the settings of pushes. Silence in the middle of one push
// is the clock: it ends that push.
func pushEffects(e *effects) {
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"push-line-bytes", "1KiB", "VECTORLINK_PUSH_LINE_BYTES"},
		away{"push-idle", "3s", "flag"}, away{"push-progress", "100ms", "file"}, away{"branch-wait", "200ms", "VECTORLINK_BRANCH_WAIT"},
		away{"import-bytes", "1KiB", "VECTORLINK_IMPORT_BYTES"}, away{"space-sync", "everysec", "VECTORLINK_SPACE_SYNC"},
		away{"document-url", "https://db.example/{domain}?id={id}", "VECTORLINK_DOCUMENT_URL"})
	e.ask("POST", e.url+"/push?domain=c/d&target_commit=c1&strict=true", "", "", `{"op":"Inserted","id":"x/1","string":"word"}`)
	_, page := e.ask("GET", e.url+"/ui/c/d/doc?id=x%2F1", "", "", "")
	e.check("document-url", strings.Contains(page, `href="https://db.example/c/d?id=x%2F1"`), "%s", page)
	_, made := e.ask("POST", e.url+"/spaces", "", "", `{"name":"s","dims":2}`)
	e.check("space-sync", strings.Contains(made, `"sync":"everysec"`), "%s", made)
	status, text := e.ask("POST", e.url+"/snapshot?domain=a/b", "", "", strings.Repeat("x", 2000))
	e.check("import-bytes", status == 413 && strings.Contains(text, "1024"), "status %d, %s", status, text)
	_, text = e.ask("POST", e.url+"/push?domain=a/b&target_commit=long&stream=true", "", "",
		`{"op":"Deleted","id":"`+strings.Repeat("x", 2000)+`"}`)
	e.check("push-line-bytes", strings.Contains(text, `"status":"error"`) && strings.Contains(text, "malformed"), "%s", text)

	body, sending := io.Pipe()
	defer sending.Close()
	req, err := http.NewRequestWithContext(e.Context(), "POST", e.url+"/push?domain=a/b&target_commit=c1&stream=true", body)
	if err != nil {
		e.Fatal(err)
	}
	go func() { // ends when the pipe is closed
		_, _ = sending.Write([]byte(`{"op":"Deleted","id":"x"}` + "\n"))
	}()
	resp, err := http.DefaultClient.Do(req) // its header comes before its end
	if err != nil {
		e.Fatal(err)
	}
	defer resp.Body.Close()
	ended := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(resp.Body)
		ended <- string(text)
	}()
	status, text = e.ask("POST", e.url+"/push?domain=a/b&target_commit=c2", "", "", "")
	over := len(ended) > 0
	e.check("branch-wait", status == 503 && !over, "status %d, the other push was over: %t; %s", status, over, text)
	select {
	case text = <-ended:
		e.check("push-idle", strings.Contains(text, `"status":"error"`), "%s", text)
		e.check("push-progress", strings.Count(text, `"status":"progress"`) > 4, "%s", text)
	case <-time.After(patienceOfTests):
		e.check("push-idle", false, "a silent push goes on")
	}
}

// patienceOfTests is how long a test waits for what should come at once.
const patienceOfTests = 20 * time.Second

// recorded is a request that a recorder was sent.
type recorded struct {
	method, url    string
	user, password string
	header         http.Header
	body           []byte
}

// embedding is a request of embeddings, the parts that settings decide.
type embedding struct {
	Model           string
	Input           []string
	InputType       string `json:"input_type"`
	OutputDimension int    `json:"output_dimension"`
}

func (r recorded) embedding() embedding {
	var e embedding
	_ = json.Unmarshal(r.body, &e) // what is none has no input
	return e
}

// recorder is a server that keeps what it is asked.
type recorder struct {
	*httptest.Server

	mu   sync.Mutex // guards below
	seen []recorded
	more chan struct{} // closed when there is another
}

func newRecorder(t *testing.T, next http.Handler) *recorder {
	t.Helper()
	rec := &recorder{more: make(chan struct{})}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		user, password, _ := r.BasicAuth()
		rec.mu.Lock()
		rec.seen = append(rec.seen, recorded{r.Method, r.URL.String(), user, password, r.Header.Clone(), body})
		close(rec.more)
		rec.more = make(chan struct{})
		rec.mu.Unlock()
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(rec.Close)
	return rec
}

// find returns the first request that is wanted, and waits for it. It returns
// none when none comes.
func (rec *recorder) find(t *testing.T, wanted func(recorded) bool) recorded {
	t.Helper()
	late := time.After(patienceOfTests)
	for i := 0; ; {
		rec.mu.Lock()
		news, more := rec.seen[i:], rec.more
		rec.mu.Unlock()
		for _, r := range news {
			if wanted(r) {
				return r
			}
		}
		i += len(news)
		select {
		case <-more:
		case <-late:
			return recorded{}
		}
	}
}

// embedAnything answers a request of embeddings with vectors of eight numbers.
func embedAnything(w http.ResponseWriter, r *http.Request) {
	var in struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows := make([]string, len(in.Input))
	for i, text := range in.Input {
		rows[i] = fmt.Sprintf(`{"index":%d,"embedding":[%d,1,0,0,0,0,0,0]}`, i, len(text))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(rows, ","))
}
