package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// canaries are secrets and texts that must never be seen where they do not
// belong.
var canaries = map[string]string{
	"the server's secret":     "canary-secret-71c0",
	"the provider's key":      "canary-key-71c1",
	"a caller's key":          "canary-caller-71c2",
	"the database's password": "canary-password-71c3",
	"a document's text":       "canarytext71c4",
	"a query":                 "canaryquery71c5",
	"a guessed secret":        "canary-guess-71c6",
	"an upstream message":     "canary-message-71c7",
}

// echo answers with a status and everything it was sent: the worst that a
// service behind us can do.
func echo(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	if status >= 300 && status < 400 {
		w.Header().Set("Location", "http://127.0.0.1:1/?"+url.QueryEscape(string(body)))
	}
	w.WriteHeader(status)
	text, _ := json.Marshal(fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body))
	fmt.Fprintf(w, `{"error":{"message":%s,"type":%s},"api:message":%s}`, text, text, text)
}

// TestCanaries drives the program through the failures of everything around it,
// with a provider and a database that repeat what they are sent, and looks for
// secrets and texts in its log, its metrics, its errors and its tasks.
func TestCanaries(t *testing.T) {
	var mode atomic.Value // what the provider does
	mode.Store("")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.HasSuffix(r.URL.Path, "/embeddings") { // the database
			echo(w, r, http.StatusForbidden, body) // which nobody tries again
			return
		}
		switch m := mode.Load().(string); m {
		case "":
			var in struct{ Input []string }
			_ = json.Unmarshal(body, &in)
			rows := make([]string, len(in.Input))
			for i := range rows {
				rows[i] = fmt.Sprintf(`{"index":%d,"embedding":[%d,1,0,0]}`, i, len(in.Input[i]))
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(rows, ","))
		case "html":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<html>%s %v</html>", body, r.Header)
		case "cut":
			fmt.Fprintf(w, `{"data":[{"embedding":"%s`, body)
		case "none":
			fmt.Fprintf(w, `{"data":[],"model":%q}`, body)
		case "gone":
			panic(http.ErrAbortHandler)
		default:
			status, _ := strconv.Atoi(m)
			echo(w, r, status, body)
		}
	}))
	t.Cleanup(upstream.Close)
	port := freePort(t)
	p := launchServe(t, t.TempDir(),
		"VECTORLINK_ADMIN_SECRET="+canaries["the server's secret"], "VECTORLINK_LOG_LEVEL=debug",
		"VECTORLINK_EMBED_URL="+upstream.URL, "VECTORLINK_EMBED_KEY="+canaries["the provider's key"], "VECTORLINK_EMBED_PROVIDER=openai_compatible",
		"VECTORLINK_MODEL=echo", "VECTORLINK_TERMINUSDB_URL="+upstream.URL, "VECTORLINK_TERMINUSDB_PASSWORD="+canaries["the database's password"],
		"VECTORLINK_PUSH_LINE_BYTES=4KiB", "VECTORLINK_PROMETHEUS_PORT="+port)
	checked, failed := 0, make(map[int]int)
	clean := func(where, text string, but ...string) {
		t.Helper()
		checked++
		for name, canary := range canaries {
			if strings.Contains(text, canary) && !strings.Contains(strings.Join(but, " "), canary) {
				t.Errorf("%s shows %s: %.600s", where, name, text)
			}
		}
	}
	ask := func(method, target, secret, media, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", secret)
		req.Header.Set("Content-Type", media)
		req.Header.Set("X-Embedding-Api-Key", canaries["a caller's key"])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, target, err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 400 {
			failed[resp.StatusCode]++
			clean(fmt.Sprintf("%s %.60s: %d", method, target, resp.StatusCode), string(answer)+fmt.Sprint(resp.Header))
		}
		return resp.StatusCode, string(answer)
	}
	secret, text, words := canaries["the server's secret"], canaries["a document's text"], canaries["a query"]
	pushes := 0
	push := func(body string) {
		t.Helper()
		pushes++
		status, task := ask("POST", "/push?domain=a/b&target_commit=c"+strconv.Itoa(pushes), secret, "application/x-ndjson", body)
		if status != 200 {
			return
		}
		for {
			_, state := ask("GET", "/check?task_id="+task, secret, "", "")
			if !strings.Contains(state, `"Pending"`) {
				clean("task", state, canaries["an upstream message"])
				return
			}
			time.Sleep(20 * time.Millisecond) // as a client polls
		}
	}
	line := func(id, text string) string {
		return fmt.Sprintf(`{"op":"Inserted","id":"d/A/%s","string":"%s"}`+"\n", id, text)
	}
	push(line("1", text+" one") + line("2", text+" two"))
	push(fmt.Sprintf(`{"op":"Error","message":"%s"}`, canaries["an upstream message"]))

	// What passes is tried again, for a while.
	patient := map[string]bool{"500": true, "gone": true}
	for _, m := range []string{"400", "401", "403", "404", "413", "422", "307", "html", "cut", "none", "500", "gone"} {
		if m == "gone" && os.Getenv("VECTORLINK_LONG") == "" {
			continue // takes 20 seconds
		}
		mode.Store(m)
		for i, target := range []string{"/search?", "/search?mode=vector&", "/similar?"} {
			param := []string{"q", "q", "text"}[i]
			ask("GET", target+url.Values{"domain": {"a/b"}, "commit": {"c1"}, param: {words + " " + m + param + strconv.Itoa(i)}}.Encode(), secret, "", "")
			if patient[m] {
				break
			}
		}
		if patient[m] {
			continue
		}
		ask("POST", "/compare?method=embedding", secret, "application/json", fmt.Sprintf(`{"source":"%s %s","target":"x"}`, text, m))
		push(line("3", text+" three "+m))
	}
	mode.Store("")
	for _, bad := range []string{
		`{"op":"Inserted","id":"x","string":"` + text + `"`, `{"op":"` + text + `"}`, text, `"` + text + `"`, `{"op":"Inserted","string":"` + text + `"}`,
		`{"op":"Inserted","id":"x","string":["` + text + `"]}`, "{\"op\":\"Inserted\",\"id\":\"x\",\"string\":\"" + text + "\xff\"}",
		line("1", text+strings.Repeat("x", 5000)), `{"op":"Inserted","id":"x","string":"` + text + `","vector":["` + text + `"]}`,
		line("1", text) + `{"op":"Abort"}`,
	} {
		push(bad)
	}
	// The database, which says everything again.
	for _, target := range []string{"/index?domain=a/b&commit=k1", "/index?domain=a/b&commit=k1&dry_run=true"} {
		status, task := ask("GET", target, secret, "", "")
		for status == 200 && strings.HasPrefix(task, "task-") {
			if code, state := ask("GET", "/check?task_id="+task, secret, "", ""); code != 200 || !strings.Contains(state, `"Pending"`) {
				break
			}
			time.Sleep(20 * time.Millisecond) // as a client polls
		}
	}
	for _, target := range []string{"/search", "/similar", "/candidates", "/compare?method=embedding", "/embeddings", "/index", "/assign", "/notify"} {
		for _, body := range []string{text, `{"` + text, `{"domain":"a/b","commit":"c1","q":["` + text + `"]}`, `["` + text + `"]`, `{"domain":["` + text + `"]}`, "\xff" + text} {
			ask("POST", target, secret, "application/json", body)
		}
		ask("POST", target, canaries["a guessed secret"], "application/json", text)
		ask("GET", target+"?q="+words+"&text="+words+"%zz", secret, "", "")
	}
	for _, query := range []string{"q=" + words, "domain=a/b&q=" + words, "domain=a/b&commit=none&q=" + words, "domain=a/b&commit=c1&q=" + words + "&count=" + words, "domain=a/b&commit=c1&q=" + words + "&mode=" + words, "domain=a/b&commit=c1&q=" + words + "&filter=" + url.QueryEscape(words+" == \""+words+"\"")} {
		ask("GET", "/search?"+query, secret, "", "")
		ask("GET", "/suggest?"+query, secret, "", "")
		ask("GET", "/duplicates?"+query+"&threshold="+words, secret, "", "")
	}
	resp, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(metrics), "vectorlink_domains 1") {
		t.Errorf("metrics: %v, %.200s", err, metrics)
	}
	clean("the metrics", string(metrics))
	if _, body := ask("GET", "/statistics", secret, "", ""); true {
		clean("statistics", body)
	}
	p.stop(t, os.Interrupt)
	log := fmt.Sprint(p.log)
	clean("the log", log)
	if failed[400] < 40 || failed[401] < 8 || failed[500] < 30 || failed[422] < 5 {
		t.Errorf("too few failures: %v", failed)
	}
	t.Logf("%d canaries in %d answers and a log of %d lines: errors by status %v", len(canaries), checked, strings.Count(log, "\n"), failed)
}
