package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	client "github.com/sashabaranov/go-openai"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/openai"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const secret = "k-5e1f"

// server is a server with this door alone, and its embedder.
type server struct {
	*httptest.Server
	emb *indexertest.Embedder
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{emb: &indexertest.Embedder{BatchSize: 3}}
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Embedder: s.emb, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	routes := openai.Routes(openai.Config{Model: "tiny/one", Dim: s.emb.Dim, Text: embed.TextOf}, svc)
	s.Server = httptest.NewServer(api.New(api.Config{Secret: contract.NewSecret(secret), SearchReady: true, Routes: routes}, svc))
	t.Cleanup(func() {
		s.Close()
		if err := ix.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) client() *client.Client {
	cfg := client.DefaultConfig(secret)
	cfg.BaseURL = s.URL + "/v1"
	return client.NewClientWithConfig(cfg)
}

// told returns what openapi.yaml says.
var told = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(api.OpenAPI()) })

// post posts a body and returns the status, the error object and all of the answer.
func (s *server) post(t *testing.T, body string) (int, map[string]any, string) {
	t.Helper()
	req, err := http.NewRequest("POST", s.URL+"/v1/embeddings", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Error map[string]any }
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	doc, err := told()
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	answer := doc.Paths.Value("/v1/embeddings").Post.Responses.Value(strconv.Itoa(res.StatusCode))
	if answer == nil || json.Unmarshal(text, &whole) != nil {
		t.Errorf("openapi.yaml knows no %d %s", res.StatusCode, text)
	} else if err := answer.Value.Content["application/json"].Schema.Value.VisitJSON(whole); err != nil {
		t.Errorf("%d %s is not what openapi.yaml says: %v", res.StatusCode, text, err)
	}
	return res.StatusCode, out.Error, string(text)
}

// TestClient has OpenAI's Go client embed texts: as numbers and as base64 they are
// the vectors of the model, in their order, and no text is paid for twice.
func TestClient(t *testing.T) {
	s := newServer(t)
	texts := []string{"one", "two", "three", "four", "one"}
	var first []client.Embedding
	for _, format := range []client.EmbeddingEncodingFormat{client.EmbeddingEncodingFormatFloat, ""} {
		res, err := s.client().CreateEmbeddings(t.Context(), client.EmbeddingRequest{Input: texts, Model: "tiny/one", EncodingFormat: format})
		if err != nil {
			t.Fatal(format, err)
		}
		if res.Object != "list" || res.Model != "tiny/one" || res.Usage.PromptTokens == 0 || res.Usage.TotalTokens != res.Usage.PromptTokens || len(res.Data) != len(texts) {
			t.Fatalf("got %+v", res)
		}
		for i, d := range res.Data {
			if want := indexertest.Vector(texts[i], len(d.Embedding)); d.Index != i || !slices.Equal(d.Embedding, want) {
				t.Errorf("%d: not the vector of its text: %v, want %v", i, d, want)
			}
		}
		first = res.Data
	}
	packed, err := s.client().CreateEmbeddings(t.Context(), client.EmbeddingRequestStrings{Input: texts, Model: "tiny/one", EncodingFormat: client.EmbeddingEncodingFormatBase64})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range packed.Data {
		if !slices.Equal(d.Embedding, first[i].Embedding) {
			t.Errorf("%d: base64 gives %v, numbers gave %v", i, d.Embedding, first[i].Embedding)
		}
	}
	got := s.emb.Texts()
	slices.Sort(got)
	if want := "[four one three two]"; fmt.Sprint(got) != want {
		t.Errorf("embedded %v, want %v", got, want)
	}
	list, err := s.client().ListModels(t.Context())
	if err != nil || len(list.Models) != 1 || list.Models[0].ID != "tiny/one" {
		t.Errorf("models: got %+v, %v", list, err)
	}
	if one, err := s.client().GetModel(t.Context(), "tiny/one"); err != nil || one.ID != "tiny/one" {
		t.Errorf("model: got %+v, %v", one, err)
	}
}

// TestTokens: tokens stand for their text.
func TestTokens(t *testing.T) {
	s := newServer(t)
	for _, tt := range [][2]string{
		{`{"model":"tiny/one","input":[15339,1917]}`, "[hello world]"},
		{`{"model":"tiny/one","input":[[15339],[1917,0,1]]}`, "[hello  world!\"]"},
		{`{"model":"tiny/one","input":"hello","user":"me","x":[{"y":1}]}`, "[]"}, // known by now; parameters of other servers
	} {
		body, want := tt[0], tt[1]
		s.emb.Reset()
		if status, bad, _ := s.post(t, body); status != 200 {
			t.Errorf("%s: %d %v", body, status, bad)
		}
		if got := fmt.Sprint(s.emb.Texts()); got != want {
			t.Errorf("%s: embedded %q, want %q", body, got, want)
		}
	}
}

// TestRole: input_type says what a text is to the model, which is another vector.
func TestRole(t *testing.T) {
	s := newServer(t)
	for _, kind := range []string{"query", "document", "query", "search_document"} {
		if status, bad, _ := s.post(t, `{"model":"tiny/one","input":"a","input_type":"`+kind+`"}`); status != 200 {
			t.Errorf("%s: %d %v", kind, status, bad)
		}
	}
	if got := s.emb.Texts(); len(got) != 2 {
		t.Errorf("embedded %q, want it once for each role", got)
	}
}

// TestErrors: whatever is wrong is told in OpenAI's shape, and nothing is embedded.
func TestErrors(t *testing.T) {
	s := newServer(t)
	many := `["` + strings.Repeat(`a","`, openai.MaxInputs) + `a"]`
	for _, tt := range []struct {
		body   string
		status int
		code   string
		param  string
		text   string
	}{
		{`{"model":"other","input":"a"}`, 404, "model_not_found", "model", "this server has tiny/one"},
		{`{"input":"a"}`, 400, "bad_parameter", "model", "model is required"},
		{`{"model":"tiny/one","input":"x\ud83d"}`, 400, "bad_parameter", "", "surrogate"},
		{"\ufeff" + `{"model":"tiny/one","input":""}`, 400, "bad_parameter", "input", "input[0] must not be empty"},
		{`{"model":"tiny/one"}`, 400, "bad_parameter", "input", "input is required"},
		{`{"model":"tiny/one","input":null}`, 400, "bad_parameter", "input", "input is required"},
		{`{"model":"tiny/one","input":""}`, 400, "bad_parameter", "input", "input[0] must not be empty"},
		{`{"model":"tiny/one","input":[]}`, 400, "bad_parameter", "input", "1 to 2048"},
		{`{"model":"tiny/one","input":` + many + `}`, 400, "bad_parameter", "input", "1 to 2048"},
		{`{"model":"tiny/one","input":["a",null]}`, 400, "bad_parameter", "input", "input[1]"},
		{`{"model":"tiny/one","input":["a",{}]}`, 400, "bad_parameter", "input", "input[1]"},
		{`{"model":"tiny/one","input":{}}`, 400, "bad_parameter", "input", "input must be"},
		{`{"model":"tiny/one","input":[[]]}`, 400, "bad_parameter", "input", "input[0] must not be empty"},
		{`{"model":"tiny/one","input":[-1]}`, 400, "bad_parameter", "input", "no tokens"},
		{`{"model":"tiny/one","input":[99999999]}`, 400, "bad_parameter", "input", "no tokens"},
		{`{"model":"tiny/one","input":"` + strings.Repeat("a", openai.MaxText+1) + `"}`, 400, "bad_parameter", "input", "longer than"},
		{`{"model":"tiny/one","input":"a","encoding_format":"hex"}`, 400, "bad_parameter", "encoding_format", "float or base64"},
		{`{"model":"tiny/one","input":"a","dimensions":3}`, 400, "bad_parameter", "dimensions", "not shortened"},
		{`{"model":"tiny/one","input":"a","input_type":"poem"}`, 400, "bad_parameter", "input_type", "must be"},
		{`{"model":`, 400, "bad_parameter", "", "JSON"},
		{`[]`, 400, "bad_parameter", "", "JSON"},
		{strings.Repeat(" ", openai.MaxBody+1), 413, "too_large", "", "larger"},
	} {
		status, bad, _ := s.post(t, tt.body)
		param, _ := bad["param"].(string)
		message, _ := bad["message"].(string)
		if status != tt.status || bad["code"] != tt.code || param != tt.param || bad["type"] != "invalid_request_error" || !strings.Contains(message, tt.text) {
			t.Errorf("%.80s: got %d %v, want %d %s of %q: %s", tt.body, status, bad, tt.status, tt.code, tt.param, tt.text)
		}
	}
	if got := s.emb.Texts(); len(got) != 0 {
		t.Errorf("embedded %q", got)
	}
	for _, dim := range []int{0, 1} { // the right number of dimensions may be said
		n, _ := s.emb.Dim(t.Context(), contract.Secret{})
		status, bad, _ := s.post(t, fmt.Sprintf(`{"model":"tiny/one","input":"a","dimensions":%d}`, n+dim))
		if (status == 200) != (dim == 0) {
			t.Errorf("%d dimensions: %d %v", n+dim, status, bad)
		}
	}
}

// TestRefused: a text that the provider refuses is named by its place; the others
// were paid for and are not paid for again.
func TestRefused(t *testing.T) {
	s := newServer(t)
	refuse := true
	s.emb.Refuse = func(text string) error {
		if refuse && text == "bad" {
			return errors.New("too long")
		}
		return nil
	}
	const body = `{"model":"tiny/one","input":["a","b","c","d","bad","e"]}`
	status, bad, _ := s.post(t, body)
	if message, _ := bad["message"].(string); status != 400 || bad["param"] != "input" || !strings.Contains(message, "input[4]") || !strings.Contains(message, "too long") {
		t.Errorf("got %d %v", status, bad)
	}
	s.emb.Reset()
	refuse = false
	if status, bad, _ = s.post(t, body); status != 200 || fmt.Sprint(s.emb.Texts()) != "[bad]" {
		t.Errorf("again: %d %v, embedded %q", status, bad, s.emb.Texts())
	}
	s.emb.Fail = func([]string) error { return fmt.Errorf("embed: %w: off", contract.ErrDown) }
	if status, bad, _ = s.post(t, `{"model":"tiny/one","input":"new"}`); status != 503 || bad["type"] != "server_error" || bad["code"] != "provider_down" {
		t.Errorf("down: got %d %v", status, bad)
	}
}

// TestAccess: the door asks for the API's credentials, and answers without them, to
// another method and to a page of another site in OpenAI's shape.
func TestAccess(t *testing.T) {
	s := newServer(t)
	for name, tt := range map[string]struct {
		method, path, token, origin string
		status                      int
		code                        string
	}{
		"no secret":    {"POST", "/v1/embeddings", "", "", 401, "invalid_api_key"},
		"wrong secret": {"GET", "/v1/models", "wrong", "", 401, "invalid_api_key"},
		"method":       {"GET", "/v1/embeddings", secret, "", 405, "method_not_allowed"},
		"other site":   {"POST", "/v1/embeddings", secret, "https://other.example", 403, "cross_site"},
		"model":        {"GET", "/v1/models/other", secret, "", 404, "model_not_found"},
	} {
		req, err := http.NewRequest(tt.method, s.URL+tt.path, strings.NewReader(`{"model":"tiny/one","input":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		if tt.token != "" {
			req.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Error struct{ Message, Type, Code string }
		}
		err = json.NewDecoder(res.Body).Decode(&out)
		res.Body.Close()
		if err != nil || res.StatusCode != tt.status || out.Error.Code != tt.code || out.Error.Type != "invalid_request_error" || out.Error.Message == "" {
			t.Errorf("%s: got %d %+v, %v", name, res.StatusCode, out, err)
		}
	}
	if got := s.emb.Texts(); len(got) != 0 {
		t.Errorf("embedded %q", got)
	}
}

// asked is an Embedder that keeps what it was asked.
type asked struct{ last search.EmbedRequest }

func (a *asked) Embed(_ context.Context, req search.EmbedRequest) (search.Embedded, error) {
	a.last = req
	return search.Embedded{Vectors: [][]float32{{1}}, Tokens: 9, Cut: 1}, nil
}

// TestCaller: the caller's own key at the provider goes along, a text that the model
// does not read to its end is told of, and so is a rate that is too high.
func TestCaller(t *testing.T) {
	e := &asked{}
	h := api.New(api.Config{Insecure: true, RateLimit: .5, Routes: openai.Routes(openai.Config{Model: "m"}, e)}, (*service.Service)(nil))
	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v1/embeddings", strings.NewReader(`{"model":"m","input":"a"}`))
		r.Header.Set("X-Embedding-Api-Key", "theirs")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := post(); w.Code != 200 || e.last.CallerKey.Reveal() != "theirs" || !strings.Contains(w.Header().Get("X-Vectorlink-Warning"), "1 of the texts") {
		t.Errorf("got %d %s %v, asked with %q", w.Code, w.Body, w.Header(), e.last.CallerKey.Reveal())
	}
	if w := post(); w.Code != 429 || !strings.Contains(w.Body.String(), `"type":"rate_limit_error"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("a second request: got %d %s", w.Code, w.Body)
	}
}

// FuzzEmbeddings: whatever is sent, the answer is JSON of one of the two shapes.
func FuzzEmbeddings(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":"a"}`, `{"model":"m","input":["a","b"],"encoding_format":"base64"}`, `{"model":"m","input":[1,2]}`,
		`{"model":"m","input":[[1],[2]],"dimensions":8}`, `{"model":"m","input": ["a",[1]]}`, `{"input":1}`, `[`, `{"model":"m","input":[""]}`,
	} {
		f.Add(seed)
	}
	emb := &indexertest.Embedder{Forget: true}
	ix, err := indexer.Open(indexer.Config{FS: vfstest.NewMem(), Embedder: emb, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		f.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	h := api.New(api.Config{SearchReady: true, Insecure: true, Routes: openai.Routes(openai.Config{Model: "m", Dim: emb.Dim, Text: embed.TextOf}, svc)}, svc)
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/embeddings", strings.NewReader(body)))
		var out struct {
			Data  []struct{ Embedding any }
			Error *struct{ Message, Type, Code string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%q: %s: %v", body, w.Body, err)
		}
		switch ok := len(out.Data) > 0; {
		case ok != (w.Code == 200), ok == (out.Error != nil), w.Code >= 500:
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
