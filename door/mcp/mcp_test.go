package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/mcp"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const secret = "k-5e1f"

// bearer adds the secret to requests.
type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// newService returns a service over a directory in memory, and the door to it.
func newService(t *testing.T, write bool) (*service.Service, mcp.Config) {
	t.Helper()
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ix.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	svc := service.New(ix.Reader, ix)
	inner := api.New(api.Config{SearchReady: true, Insecure: true}, svc)
	return svc, mcp.Config{API: mcp.Local(inner), Write: write, Version: "test"}
}

// overHTTP connects the SDK's client to a server's /mcp.
func overHTTP(t *testing.T, svc *service.Service, cfg mcp.Config) *sdk.ClientSession {
	t.Helper()
	srv := httptest.NewServer(api.New(api.Config{Secret: contract.NewSecret(secret), SearchReady: true, Routes: mcp.Routes(cfg)}, svc))
	t.Cleanup(srv.Close)
	return connect(t, &sdk.StreamableClientTransport{Endpoint: srv.URL + "/mcp", HTTPClient: &http.Client{Transport: bearer{secret}}, MaxRetries: -1})
}

// overStreams connects the SDK's client to a server by standard streams.
func overStreams(t *testing.T, _ *service.Service, cfg mcp.Config) *sdk.ClientSession {
	t.Helper()
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- mcp.Serve(context.Background(), cfg, in, out) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return connect(t, &sdk.IOTransport{Reader: fromServer, Writer: toServer})
}

func connect(t *testing.T, transport sdk.Transport) *sdk.ClientSession {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return session
}

// call calls a tool and returns its answer; wrong is what it failed with.
func call(t *testing.T, s *sdk.ClientSession, tool string, args map[string]any) (answer map[string]any, wrong string) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	text := res.Content[0].(*sdk.TextContent).Text
	if len(text) > 50<<10 {
		t.Errorf("%s %v: an answer of %d bytes", tool, args, len(text))
	}
	if res.IsError {
		return nil, text
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %q: %v", tool, text, err)
	}
	return answer, ""
}

func must(t *testing.T, s *sdk.ClientSession, tool string, args map[string]any) map[string]any {
	t.Helper()
	answer, wrong := call(t, s, tool, args)
	if wrong != "" {
		t.Fatalf("%s %v: %s", tool, args, wrong)
	}
	return answer
}

func args(pairs ...any) map[string]any {
	out := map[string]any{"domain": "me/notes"}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

func document(id, text string) map[string]any { return map[string]any{"id": id, "text": text} }

// ids are those of the things of an answer's list.
func ids(answer map[string]any, list string) []string {
	var out []string
	for _, item := range answer[list].([]any) {
		out = append(out, fmt.Sprint(item.(map[string]any)["id"]))
	}
	return out
}

var transports = map[string]func(*testing.T, *service.Service, mcp.Config) *sdk.ClientSession{"http": overHTTP, "stdio": overStreams}

// TestTools has the SDK's client use every tool, over both transports.
func TestTools(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, over := range transports {
		t.Run(name, func(t *testing.T) {
			svc, cfg := newService(t, true)
			s := over(t, svc, cfg)
			var names []string
			for tool, err := range s.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, tool.Name)
			}
			slices.Sort(names)
			if got, want := fmt.Sprint(names), "[clusters decide diff document domains duplicates log push search similar]"; got != want {
				t.Errorf("tools: got %s, want %s", got, want)
			}
			must(t, s, "push", args("target_commit", "c1", "documents", []any{
				map[string]any{"id": "n/1", "text": "the harbour freezes in winter", "fields": map[string]any{"year": 2024}},
				document("n/2", "ships wait for the ice to break"), document("n/3", "a cake of apples"), document("n/4", "the harbour freezes in winter"),
			}))
			must(t, s, "push", args("target_commit", "c2", "parent_commit", "c1", "documents", []any{
				document("n/5", "pears and plums"), document("n/3", "a cake of cherries"), map[string]any{"id": "n/2", "delete": true},
			}))
			if got := must(t, s, "domains", nil); got["total"] != 1.0 || !strings.Contains(fmt.Sprint(got["results"]), "me/notes") {
				t.Errorf("domains: %v", got)
			}
			if got := must(t, s, "log", args("count", 1)); got["total"] != 2.0 || got["next_start"] != 1.0 || got["results"].([]any)[0].(map[string]any)["commit"] != "c2" {
				t.Errorf("log: %v", got)
			}
			found := must(t, s, "search", args("commit", "c1", "q", "harbour", "mode", "fts"))
			if got := ids(found, "results"); found["commit"] != "c1" || fmt.Sprint(got) != "[n/1 n/4]" || !strings.Contains(fmt.Sprint(found), "snippet:the harbour freezes") {
				t.Errorf("search: %v", found)
			}
			if got := must(t, s, "search", args("branch", "main", "q", "harbour", "filter", "year == 2024")); fmt.Sprint(ids(got, "results")) != "[n/1]" || got["commit"] != "c2" {
				t.Errorf("search with a filter: %v", got)
			}
			if got := must(t, s, "similar", args("commit", "c1", "id", "n/1", "count", 2)); ids(got, "results")[0] != "n/4" || got["next_start"] != 2.0 {
				t.Errorf("similar: %v", got)
			}
			if got := must(t, s, "similar", args("commit", "c1", "ids", []any{"n/1", "n/4"}, "doc_id", []any{"n/2", "n/3"})); len(ids(got, "results")) != 2 {
				t.Errorf("similar to a mean: %v", got)
			}
			doc := must(t, s, "document", args("commit", "c1", "id", "n/1"))
			if doc["text"] != "the harbour freezes in winter" || doc["chunks"] != nil || doc["commit"] != "c1" || doc["text_next"] != nil || fmt.Sprint(doc["fields"]) != "map[year:2024]" {
				t.Errorf("document: %v", doc)
			}
			if got := must(t, s, "duplicates", args("commit", "c1")); !strings.Contains(fmt.Sprint(got["results"]), "n/1") || strings.Contains(fmt.Sprint(got["results"]), "n/3") {
				t.Errorf("duplicates: %v", got)
			}
			must(t, s, "decide", args("commit", "c1", "a", "n/1", "b", "n/4", "decision", "different", "by", "me"))
			if got := must(t, s, "duplicates", args("commit", "c1")); len(got["results"].([]any)) != 0 {
				t.Errorf("duplicates after the decision: %v", got)
			}
			if got := must(t, s, "clusters", args("commit", "c1")); got["documents"] != 4.0 || got["clusters"] == nil {
				t.Errorf("clusters: %v", got)
			}
			diff := must(t, s, "diff", args("from", "c1", "to", "c2", "texts", true))
			if diff["added"] != 1.0 || diff["removed"] != 1.0 || diff["changed"] != 1.0 || !strings.Contains(fmt.Sprint(diff["documents"]), "after:a cake of cherries") {
				t.Errorf("diff: %v", diff)
			}
			for _, tt := range []struct {
				tool string
				args map[string]any
				want string
			}{
				{"search", args("q", "x"), "commit or branch is required (missing_parameter)"},
				{"search", args("commit", "c9", "q", "x"), "(not_found)"},
				{"search", args("commit", "c1", "q", "x", "count", 1001), "count must be"},
				{"search", args("commit", "c1", "q", "x", "coutn", 1), "coutn"},
				{"search", args("commit", "c1", "q", 7), "q must be a string"},
				{"document", args("commit", "c1", "id", "n/9"), "(not_found)"},
				{"document", args("commit", "c1", "id", "n/1", "text_start", -1), "text_start must be"},
				{"clusters", args("commit", "c1", "start", "x"), "start must be"},
				{"duplicates", args("commit", "c1", "since", map[string]any{}), "since must be"},
				{"push", args("target_commit", "c3"), "documents must be"},
				{"push", args("target_commit", "c3", "documents", []any{map[string]any{"text": "x"}}), "documents[0] has no id"},
				{"push", args("target_commit", "c3", "documents", []any{map[string]any{"id": "x"}}), "documents[0] has no text"},
				{"push", args("target_commit", "c3", "documents", []any{map[string]any{"id": "x", "text": "y", "fields": 7}}), "fields"},
				{"decide", args("commit", "c1", "a", "n/1", "b", "n/4", "decision", "perhaps"), "decision must be"},
			} {
				if _, wrong := call(t, s, tt.tool, tt.args); !strings.Contains(wrong, tt.want) {
					t.Errorf("%s %v: got %q, want %q", tt.tool, tt.args, wrong, tt.want)
				}
			}
		})
	}
}

// TestReading: without leave to write there are no tools that do.
func TestReading(t *testing.T) {
	svc, cfg := newService(t, false)
	for name, over := range transports {
		s := over(t, svc, cfg)
		for tool, err := range s.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if !tool.Annotations.ReadOnlyHint || tool.Name == "push" || tool.Name == "decide" {
				t.Errorf("%s: there is the tool %s", name, tool.Name)
			}
			props := tool.InputSchema.(map[string]any)["properties"].(map[string]any)
			for param, p := range props {
				if p.(map[string]any)["description"] == nil {
					t.Errorf("%s: %s says nothing of %s", name, tool.Name, param)
				}
			}
		}
		if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "push", Arguments: args()}); err == nil {
			t.Errorf("%s: push was called", name)
		}
	}
}

// TestLong: an answer has a length that an agent can read, and says where to go on.
func TestLong(t *testing.T) {
	svc, cfg := newService(t, true)
	s := overStreams(t, svc, cfg)
	long := strings.Repeat("wörter \"ohne\" ende <b>\n", 10_000)
	documents := []any{document("n/long", long)}
	for i := range 40 {
		documents = append(documents, document(fmt.Sprintf("n/%02d", i), fmt.Sprint("number ", i, strings.Repeat(" ende", 600))))
	}
	must(t, s, "push", args("target_commit", "c1", "documents", documents))
	var text strings.Builder
	parts := 0
	for next := any(0); next != nil; parts++ {
		part := must(t, s, "document", args("commit", "c1", "id", "n/long", "text_start", next))
		text.WriteString(part["text"].(string))
		next = part["text_next"]
	}
	if text.String() != long || parts < 5 {
		t.Errorf("%d bytes of a text in %d parts, want %d", text.Len(), parts, len(long))
	}
	seen := make(map[string]bool)
	for next, pages := any(0), 0; next != nil && pages < 20; pages++ {
		page := must(t, s, "search", args("commit", "c1", "q", "ende", "mode", "fts", "texts", true, "count", 30, "start", next))
		for _, id := range ids(page, "results") {
			if seen[id] {
				t.Errorf("%s is told again", id)
			}
			seen[id] = true
		}
		next = page["next_start"]
	}
	if len(seen) != 41 {
		t.Errorf("%d documents are found, want 41", len(seen))
	}
	first := must(t, s, "similar", args("commit", "c1", "id", "n/00", "texts", true, "count", 1, "doc_id", []any{"n/long"}))
	if got := fmt.Sprint(first); !strings.Contains(got, "… (cut)") || first["next_start"] != 1.0 {
		t.Errorf("a hit that is too long: %.300s", got)
	}
}

// TestTexts: parts of a text end between characters, whatever they are, and are short
// as JSON too.
func TestTexts(t *testing.T) {
	svc, cfg := newService(t, true)
	s := overStreams(t, svc, cfg)
	for i, text := range []string{"a" + strings.Repeat("é", 30_000), strings.Repeat("\x01", 30_000), "日本" + strings.Repeat("𝄞", 20_000), strings.Repeat("<&>", 20_000), ""} {
		id := fmt.Sprint("n/", i)
		must(t, s, "push", args("target_commit", fmt.Sprint("c", i), "documents", []any{map[string]any{"id": id, "text": text, "fields": map[string]any{"day": "2024-01-31"}}}))
		var whole strings.Builder
		for next := any(0); next != nil; {
			part := must(t, s, "document", args("commit", fmt.Sprint("c", i), "id", id, "text_start", next))
			whole.WriteString(part["text"].(string))
			next = part["text_next"]
		}
		if whole.String() != text {
			t.Errorf("text %d: %d bytes, want %d", i, whole.Len(), len(text))
		}
	}
	inside := must(t, s, "document", args("commit", "c2", "id", "n/2", "text_start", 1)) // the second byte of 日
	if got := inside["text"].(string); !strings.HasPrefix(got, "日本") {
		t.Errorf("from within a character: %.9q", got)
	}
	found := must(t, s, "search", args("commit", "c0", "q", "a", "mode", "fts", "filter", `day == "2024-13-40"`))
	if !strings.Contains(fmt.Sprint(found["warnings"]), "looks like a date") {
		t.Errorf("no warning: %v", found)
	}
}

// TestLocal: a request that a handler cuts short is an error, another panic stays one,
// and who leaves takes the request along.
func TestLocal(t *testing.T) {
	ask := func(ctx context.Context, h http.HandlerFunc) (string, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/x?y=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := mcp.Local(h).RoundTrip(req)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(res.Body)
		return fmt.Sprint(res.StatusCode, " ", string(body)), err
	}
	if got, err := ask(t.Context(), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Query().Get("y")) }); got != "200 1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ask(t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }); err == nil {
		t.Error("no error of a request that was cut short")
	}
	ctx, leave := context.WithCancel(t.Context())
	if got, err := ask(ctx, func(w http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
		w.WriteHeader(http.StatusTeapot)
	}); got != "418 " {
		t.Errorf("left: got %q, %v", got, err)
	}
	if _, err := ask(t.Context(), func(w http.ResponseWriter, _ *http.Request) {
		for part := make([]byte, 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("an answer without end: %v", err)
	}
	defer func() {
		if p := recover(); p != "bug" {
			t.Errorf("recovered %v", p)
		}
	}()
	_, _ = ask(t.Context(), func(http.ResponseWriter, *http.Request) { panic("bug") })
}

// TestAccess: the door asks for the API's credentials.
func TestAccess(t *testing.T) {
	svc, cfg := newService(t, true)
	h := api.New(api.Config{Secret: contract.NewSecret(secret), SearchReady: true, Routes: mcp.Routes(cfg)}, svc)
	for name, tt := range map[string]struct {
		method, token, origin string
		status                int
	}{
		"no secret":  {"POST", "", "", 401},
		"method":     {"GET", secret, "", 405},
		"other site": {"POST", secret, "https://other.example", 403},
		"too long":   {"POST", secret, "", 413},
		"by a proxy": {"POST", secret, "", 200},
	} {
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
		if tt.status == 413 {
			body = strings.Repeat(" ", 9<<20)
		}
		r := httptest.NewRequest(tt.method, "/mcp", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+tt.token)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		// A proxy on this machine asks by the name that it was asked by.
		r.Host = "search.example"
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, tt.status)
		}
	}
}

// FuzzCall: whatever arguments a call has, there is an answer, of bounded length.
func FuzzCall(f *testing.F) {
	for _, tool := range []string{"domains", "log", "search", "similar", "document", "duplicates", "clusters", "diff", "push", "decide", "none"} {
		f.Add(tool, `{"domain":"me/notes","commit":"c1","q":"x","id":"n/1","count":3,"start":1,"from":"c1","to":"c1"}`)
		f.Add(tool, `{"domain":["a"],"documents":[{"id":"a","text":"b"}],"target_commit":"c1","a":1e999,"text_start":-1}`)
	}
	f.Add("document", `[`)
	f.Add("clusters", `null`)
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Embedder: &indexertest.Embedder{Forget: true}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		f.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	door := mcp.Config{API: mcp.Local(api.New(api.Config{SearchReady: true, Insecure: true}, svc))}
	h := api.New(api.Config{Insecure: true, Routes: mcp.Routes(door)}, svc)
	f.Fuzz(func(t *testing.T, tool, args string) {
		name, _ := json.Marshal(tool)
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":`+string(name)+`,"arguments":`+args+`}}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || w.Body.Len() > 400<<10 {
			t.Fatalf("%s %q: %d, %d bytes: %.200s", tool, args, w.Code, w.Body.Len(), w.Body)
		}
	})
}
