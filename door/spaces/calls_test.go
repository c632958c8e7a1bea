package spaces_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/door/spaces"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// server returns a way to ask a server that has spaces.
func server(t *testing.T) func(method, path, mediaType, body string) (int, string) {
	t.Helper()
	files := vfstest.NewMem()
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	live := space.New(space.Config{FS: files, Service: svc})
	server := httptest.NewServer(api.New(api.Config{SearchReady: true, Routes: spaces.Routes(live, 1<<20), Spaces: live}, svc))
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(live.Close(), ix.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return func(method, path, mediaType, body string) (int, string) {
		t.Helper()
		method, accept, _ := strings.Cut(method, " accept: ")
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if mediaType != "" {
			req.Header.Set("Content-Type", mediaType)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if accept != "" {
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(raw)
		}
		var text strings.Builder
		if err := resp.Write(&text); err != nil {
			t.Fatal(err)
		}
		_, answer, _ := strings.Cut(text.String(), "\r\n\r\n")
		if resp.ContentLength < 0 {
			answer = regexp.MustCompile(`(?m)^[0-9a-f]+\r\n|\r\n`).ReplaceAllString(answer, "")
		}
		return resp.StatusCode, strings.TrimSpace(answer)
	}
}

// commits in an answer are random.
var anyCommit = regexp.MustCompile(`"[0-9a-v]{32}"|"20[0-9T:Z.-]{18,}"`)

// TestCalls makes the calls one after another, and compares each answer.
func TestCalls(t *testing.T) {
	ask := server(t)
	told := loadContract(t)
	const lines = "application/x-ndjson"
	for _, c := range []struct {
		call, body string
		status     int
		want       string
	}{
		{"POST /spaces", `{"name":"a/b","dims":2,"fields":{"n":"integer","j":"json"}}`, 201,
			`{"name":"a/b","dims":2,"metric":"l2","normalize":false,"fields":{"j":"json","n":"integer"},"keys":0,"branch":"main","pending":0,"frozen":false,"sync":"always"}`},
		{"POST /spaces", `{"name":"a/b","dims":2,"fields":{"n":"integer","j":"json"}}`, 200, `{"name":"a/b",*`},
		{"POST /spaces", `{"name":"a/b","dims":3}`, 409, `*"code":"conflict"}`},
		{"POST /spaces", `{"name":"a@b","dims":3}`, 400, `*NAME@REF*`},
		{"POST /spaces", `{"name":"c","dims":3,"dimm":1}`, 400, `*dimm*did you mean dims?*"code":"unknown_parameter"}`},
		{"GET /spaces?foo=1", "", 400, `*foo*"code":"unknown_parameter"}`},
		{"GET /spaces/none", "", 404, `*"code":"not_found"}`},
		{"POST /spaces/a%2Fb/set", `{"key":"x","vector":[1,2],"fields":{"n":3,"j":{"k":[1]}}}`, 204, ""},
		{"POST /spaces/a/b/set", `{"key":1,"vector_b64":"AACAPwAAAEA=","text":"one"}`, 204, ""},
		{"POST /spaces/a%2Fb/set", `{"key":"1","vector":[5,5]}`, 204, ""},
		{"POST /spaces/a%2Fb/set", `{"key":"x","vector":[1]}`, 400, `*1 numbers, the space has 2*`},
		{"POST /spaces/a%2Fb/set", `{"key":"x","vector":[1,"a"]}`, 400, `*vector must be an array of numbers*`},
		{"POST /spaces/a%2Fb/set", `{"key":1.5,"vector":[1,2]}`, 400, `*key must be a string or an integer*`},
		{"POST /spaces/a%2Fb/set", `{"key":"x","vector":[1,2],"fields":{"n":"3"}}`, 400, `*\"n\" must be of type integer*`},
		{"POST /spaces/a%2Fb/set", `{"key":"x"`, 400, `*one JSON object*`},
		{"POST /spaces/a%2Fb/set", `{"key":"\ud800","vector":[1,2]}`, 400, `*"code":"invalid_request"}`},
		{"POST /spaces/a%2Fb/get", `{"key":"x"}`, 200, `{"key":"x","vector":[1,2],"fields":{"j":{"k":[1]},"n":3}}`},
		{"POST /spaces/a%2Fb/get", `{"key":1}`, 200, `{"key":1,"vector":[1,2],"text":"one"}`},
		{"POST /spaces/a%2Fb/get", `{"key":2}`, 404, `*"code":"key_not_found"}`},
		{"POST /spaces/a%2Fb/nearest", `{"key":"x","n":1}`, 200, `{"hits":[{"key":1,"distance":0,"score":1}]}`},
		{"POST /spaces/a%2Fb/nearest", `{"vector":[1,2],"filter":"n == 3","output_fields":["n"]}`, 200, `{"hits":[{"key":"x","distance":0,"score":1,"fields":{"n":3}}]}`},
		{"POST /spaces/a%2Fb/nearest", `{"n":1}`, 400, `*one of key, keys and vector*`},
		{"POST /spaces/a%2Fb/commit", "", 200, `{"commit":"…"}`},
		{"POST /spaces/a%2Fb/multiset " + lines, `{"key":"y","vector":[3,4]}` + "\n\n" + `{"key":"x","vector":[9,9]}`, 200, `{"commit":"…","set":2}`},
		{"POST /spaces/a%2Fb/multiset " + lines, `{"key":"z","vector":[3,4]}` + "\n" + `{"key":"x","vector":[9]}`, 400, `*"line":2}`},
		{"POST /spaces/a%2Fb/multiget", `{"keys":["y","z",1],"vectors":false}`, 200, `{"key":"y"}` + "\n" + `{"key":"z","missing":true}` + "\n" + `{"key":1,"text":"one"}`},
		{"POST /spaces/a%2Fb@main~1/get", `{"key":"x"}`, 200, `{"key":"x","vector":[1,2],"fields":{"j":{"k":[1]},"n":3}}`},
		{"POST /spaces/a%2Fb@main~1/set", `{"key":"x","vector":[1,2]}`, 409, `*"code":"immutable"}`},
		{"POST /spaces/a%2Fb@main~9/get", `{"key":"x"}`, 404, `*not that many ancestors*`},
		{"GET /spaces/a%2Fb/items?limit=2&vectors=false", "", 200, `{"key":1,"text":"one"}` + "\n" + `{"key":"1"}`},
		{"GET /spaces/a%2Fb/items?after=%22x%22", "", 200, `{"key":"y","vector":[3,4]}`},
		{"GET /spaces/a%2Fb/items?afer=1", "", 400, `*did you mean after?*"code":"unknown_parameter"}`},
		{"GET /spaces/a%2Fb/log?limit=1", "", 200, `{"commits":[{"commit":"…","parent":"…","time":"…","set":2,"deleted":0,"keys":4}],"more":true}`},
		{"POST /spaces/a%2Fb/branch", `{"branch":"try"}`, 201, `*"branch":"try"*`},
		{"POST /spaces/a%2Fb/branch", `{"branch":"try"}`, 409, `*"code":"conflict"}`},
		{"POST /spaces/a%2Fb@try/delete", `{"key":"y"}`, 204, ""},
		{"POST /spaces/a%2Fb@try/delete", `{"key":"nowhere"}`, 204, ""},
		{"GET /spaces/a%2Fb/diff?from=main&to=try", "", 200, `{"added":[],"removed":["y"],"changed":[]}`},
		{"GET /spaces/a%2Fb/diff?from=main", "", 400, `*from and to are needed*`},
		{"POST /spaces/a%2Fb/merge?author=Ada", `{"from":"try","into":"main"}`, 200, `{"commit":"…","conflicts":[]}`},
		{"GET /spaces/a%2Fb/log?limit=1", "", 200, `*"author":"Ada","message":"merge of try"}],*`},
		{"POST /spaces/a%2Fb/get", `{"key":"y"}`, 404, `*"code":"key_not_found"}`},
		{"POST /spaces/a%2Fb/revert", `{"to":"main~1"}`, 200, `{"commit":"…"}`},
		{"GET /spaces/a%2Fb/log?limit=1", "", 200, `*"message":"revert to main~1"}],*`},
		{"POST /spaces/a%2Fb/get", `{"key":"y"}`, 200, `{"key":"y","vector":[3,4]}`},
		{"POST /spaces/a%2Fb/transaction", `{"writes":[{"set":{"key":"t","vector":[1,1]}},{"delete":"y"}]}`, 200, `{"commit":"…"}`},
		{"POST /spaces/a%2Fb/transaction", `{"writes":[{"set":{"key":"u","vector":[1,1]}},{}]}`, 400, `*(write 2)*`},
		{"POST /spaces/a%2Fb/get", `{"key":"u"}`, 404, `*"code":"key_not_found"}`},
		{"POST /spaces/a%2Fb/multidelete", `{"keys":["t","nowhere"]}`, 200, `{"commit":"…","deleted":2}`},
		{"POST /spaces/a%2Fb/multiset?author=Ada&message=two+%E2%80%93+lines " + lines, `{"key":"v","vector":[3,4]}`, 200, `{"commit":"…","set":1}`},
		{"GET /spaces/a%2Fb/log?limit=1", "", 200, `*"author":"Ada","message":"two – lines"}],*`},
		{"POST /spaces/a%2Fb/set?message=x", `{"key":"v","vector":[3,4]}`, 400, `*"code":"unknown_parameter"}`},
		{"POST /spaces/a%2Fb/commit?message=" + strings.Repeat("x", 4097), "", 400, `*message must be UTF-8 of at most 4096 bytes*`},
		{"POST /spaces/a%2Fb/delete", `{"key":"v"}`, 204, ""},
		{"POST /spaces/a%2Fb/commit?message=one+less", "", 200, `{"commit":"…"}`},
		{"GET /spaces/a%2Fb/log?limit=1", "", 200, `*"deleted":1,*"message":"one less"}],*`},
		{"POST /spaces/a%2Fb/delete_all", "", 200, `{"commit":"…","deleted":3}`},
		{"GET /spaces/a%2Fb", "", 200, `*"keys":0,*`},
		{"POST /spaces/a%2Fb/freeze", "", 200, `*"frozen":true*`},
		{"POST /spaces/a%2Fb/set", `{"key":"x","vector":[1,2]}`, 409, `*"code":"frozen"}`},
		{"GET /spaces", "", 200, `{"spaces":[{"name":"a/b",*`},
		{"POST /spaces/a%2Fb/what", "", 400, `*name a call*`},
		{"DELETE /spaces/a%2Fb", "", 204, ""},
		{"GET /spaces/a%2Fb", "", 404, `*"code":"not_found"}`},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		path, mediaType, _ := strings.Cut(path, " ")
		status, got := ask(method, path, mediaType, c.body)
		if err := told.holds(method, path, mediaType, c.body, status, got); err != nil {
			t.Errorf("%s %s answers %d %s, which is not what openapi.yaml says: %v", c.call, c.body, status, got, err)
		}
		got = anyCommit.ReplaceAllString(got, `"…"`)
		if status != c.status || !matches(got, c.want) {
			t.Errorf("%s %s\n got %d %s\nwant %d %s", c.call, c.body, status, got, c.status, c.want)
		}
	}
}

// matches reports whether a text is a pattern, in which * stands for anything.
func matches(text, pattern string) bool {
	parts := strings.Split(regexp.QuoteMeta(pattern), `\*`)
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(text)
}

// tensors returns the start of a safetensors file.
func tensors(header string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header
}

// TestArrays stores two arrays, and refuses others.
func TestArrays(t *testing.T) {
	ask := server(t)
	ask("POST", "/spaces", "", `{"name":"s","dims":2}`)
	keys := npy.Header{Type: "<U2", Rows: 2}.Append(nil)
	keys = npy.AppendText(npy.AppendText(keys, "a", 2), "bé", 2)
	rows := npy.Header{Type: npy.Float32, Rows: 2, Cols: 2}.Append(nil)
	rows = npy.AppendFloats(npy.AppendFloats(rows, []float32{1, 2}), []float32{3, 4})
	const arrays = "application/x-npy"
	if status, got := ask("POST", "/spaces/s/multiset", arrays, string(keys)+string(rows)); status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	if _, got := ask("POST", "/spaces/s/get", "", `{"key":"bé"}`); got != `{"key":"bé","vector":[3,4]}` {
		t.Error(got)
	}
	for _, body := range []string{
		tensors(`{"__metadata__":{"ids":"[1,\"1\"]"},"embeddings":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}`) + string(npy.AppendFloats(nil, []float32{5, 6, 7, 8})),
		tensors(`{"keys":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"vectors":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}`) + "\x01\x00\x00\x00\x00\x00\x00\x00" + string(npy.AppendFloats(nil, []float32{9, 9})),
	} {
		if status, got := ask("POST", "/spaces/s/multiset", "application/x-safetensors", body); status != 200 {
			t.Fatalf("%d %s", status, got)
		}
	}
	all := `{"key":1,"vector":[9,9]}` + "\n" + `{"key":"1","vector":[7,8]}` + "\n" + `{"key":"a","vector":[1,2]}` + "\n" + `{"key":"bé","vector":[3,4]}`
	if _, got := ask("GET", "/spaces/s/items", "", ""); got != all {
		t.Error(got)
	}
	// What is sent can be taken back.
	ask("POST", "/spaces", "", `{"name":"t","dims":2}`)
	_, file := ask("GET accept: application/x-safetensors", "/spaces/s/items", "", "")
	if status, got := ask("POST", "/spaces/t/multiset", "application/x-safetensors", file); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if _, got := ask("GET", "/spaces/t/items", "", ""); got != all {
		t.Error(got)
	}
	ask("POST", "/spaces/s/multidelete", "", `{"keys":[1,"1"]}`)
	for name, body := range map[string]string{
		"no ids":    tensors(`{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`) + string(npy.AppendFloats(nil, []float32{5, 6})),
		"arrays":    string(keys) + string(rows),
		"NaN":       tensors(`{"__metadata__":{"ids":"[1]"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`) + string(npy.AppendFloats(nil, []float32{5, float32(math.NaN())})),
		"bad keys":  tensors(`{"__metadata__":{"ids":"{x}"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`) + string(npy.AppendFloats(nil, []float32{5, 6})),
		"bad keys2": tensors(`{"__metadata__":{"ids":"[.5]"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`) + string(npy.AppendFloats(nil, []float32{5, 6})),
	} {
		if status, got := ask("POST", "/spaces/s/multiset", "application/x-safetensors", body); status != 400 || !strings.Contains(got, `"code":"invalid_request"`) {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	for name, body := range map[string]string{
		"nothing":       "",
		"keys alone":    string(keys),
		"cut":           string(keys) + string(rows[:len(rows)-3]),
		"vectors first": string(rows) + string(keys),
		"no array":      "{}",
		"other width":   string(keys) + string(npy.Header{Type: npy.Float32, Rows: 2, Cols: 3}.Append(nil)),
		"other height":  string(keys) + string(npy.Header{Type: npy.Float32, Rows: 1 << 39, Cols: 2}.Append(nil)),
	} {
		if status, got := ask("POST", "/spaces/s/multiset", arrays, body); status != 400 {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	if _, got := ask("GET", "/spaces/s", "", ""); !strings.Contains(got, `"keys":2,`) {
		t.Errorf("after refused bodies: %s", got)
	}
}
