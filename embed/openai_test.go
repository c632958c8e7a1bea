package embed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

func TestOpenAIEmbed(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t, func(c *embed.Config) { c.Batch, c.Parallel = 10, 3 })
	texts := numbered(95)
	v, err := e.Embed(t.Context(), documents(texts...))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if !isFake(v[i], text) {
			t.Errorf("text %d has the wrong vector", i)
		}
	}
	if n := p.count(); n != 10 {
		t.Errorf("%d requests, want 10", n)
	}
	if top := p.top.Load(); top > 3 {
		t.Errorf("%d requests at once, want at most 3", top)
	}
	for i, r := range p.requests {
		if r.Model != "fake" || len(r.members) != 3 || len(r.Input) > 10 {
			t.Errorf("request %d: %+v", i, r)
		}
		if got := p.headers[i].Get("Authorization"); got != "Bearer "+canaryKey {
			t.Errorf("request %d: wrong authorization", i)
		}
		if p.paths[i] != "POST /v1/embeddings" {
			t.Errorf("request %d: %s", i, p.paths[i])
		}
	}
	if dim, err := e.Dim(t.Context(), contract.Secret{}); dim != fakeDim || err != nil || p.count() != 10 {
		t.Errorf("dim %d, %v after %d requests, want %d without another", dim, err, p.count(), fakeDim)
	}
}

// TestAsGiven: vectors keep the length that the provider gave them where that
// is asked for, and are checked all the same.
func TestAsGiven(t *testing.T) {
	for _, tt := range []struct{ data, want string }{
		{`[3,0,4]`, "[3 0 4]"}, {`[0,0,0]`, "zero"}, {`[1e39,0,0]`, "cannot be read"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"data":[{"index":0,"embedding":%s}]}`, tt.data)
		}))
		e, err := embed.OpenAI(embed.Config{Provider: "openai_compatible", URL: srv.URL, Model: "fake", Batch: 1, Parallel: 1})
		if err != nil {
			t.Fatal(err)
		}
		r := documents("a text")
		r.AsGiven = true
		v, err := e.Embed(t.Context(), r)
		if got := fmt.Sprint(v, err); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.data, got, tt.want)
		}
		if v, err := e.Embed(t.Context(), documents("a text")); err == nil && v[0][0] != 0.6 {
			t.Errorf("%s at unit length is %v", tt.data, v)
		}
		e.Close()
		srv.Close()
	}
}

func TestOpenAIAddress(t *testing.T) {
	p := newProvider(t)
	for _, test := range []struct {
		url   string
		azure bool
		want  string
	}{
		{p.URL, false, "POST /v1/embeddings"},
		{p.URL + "/", false, "POST /v1/embeddings"},
		{p.URL + "/v1", false, "POST /v1/embeddings"},
		{p.URL + "/v1//", false, "POST /v1/embeddings"},
		{p.URL + "/api", false, "POST /api/v1/embeddings"},
		{p.URL + "/v1/embeddings", false, "POST /v1/embeddings"},
		{p.URL + "/v1/embeddings/", false, "POST /v1/embeddings"},
		{p.URL + "/embeddings", false, "POST /embeddings"},
		{p.URL, true, "POST /openai/deployments/fake/embeddings?api-version=2024-10-21"},
	} {
		e := p.remote(t, func(c *embed.Config) {
			c.URL = test.url
			if test.azure {
				c.Provider = "azure"
			}
		})
		if _, err := e.Embed(t.Context(), queries("a")); err != nil {
			t.Errorf("%s: %v", test.url, err)
		}
		if got := p.paths[len(p.paths)-1]; got != test.want {
			t.Errorf("%s: %s, want %s", test.url, got, test.want)
		}
	}
	if _, err := embed.OpenAI(embed.Config{Provider: "azure", Model: "m", URL: "https://x.test/openai/deployments/m/embeddings"}); err == nil || !strings.Contains(err.Error(), "the resource's address alone") {
		t.Errorf("azure's whole endpoint: %v", err)
	}
	for _, bad := range []string{"ftp://host", "host:80", "://", "http://", "http://user:pw@host", "http://host?key=x", "http://host/\x7f"} {
		_, err := embed.OpenAI(embed.Config{URL: bad, Batch: -1, Dimensions: -1, Parallel: -1, Timeout: -1})
		if !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", bad, err)
			continue
		}
		for _, setting := range []string{"url", "batch", "dimensions", "parallel", "timeout"} {
			if !strings.Contains(err.Error(), setting) {
				t.Errorf("%s: %v lacks %s", bad, err, setting)
			}
		}
		if strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "key=x") {
			t.Errorf("%v shows a secret", err)
		}
	}
}

func TestOpenAIKey(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t, func(c *embed.Config) { c.Key = contract.Secret{} })
	for _, key := range []string{"", "caller"} {
		r, want := queries("a"), ""
		if key != "" {
			r.Key, want = contract.NewSecret(key), "Bearer "+key
		}
		if _, err := e.Embed(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := p.headers[len(p.headers)-1].Get("Authorization"); got != want {
			t.Errorf("caller's key %q: authorization %q, want %q", key, got, want)
		}
	}
	e = p.remote(t)
	r := queries("a")
	r.Key = contract.NewSecret("caller")
	if _, err := e.Embed(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := p.headers[len(p.headers)-1].Get("Authorization"); got != "Bearer "+canaryKey {
		t.Error("the caller's key replaced the server's")
	}
	e, err := embed.OpenAI(embed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Embed(t.Context(), queries("a"))
	if !errors.Is(err, contract.ErrNotConfigured) || !strings.Contains(err.Error(), "VECTORLINK_EMBED_KEY") {
		t.Errorf("without a key: %v, want ErrNotConfigured", err)
	}
	e = p.remote(t, func(c *embed.Config) { c.Key = contract.NewSecret(canaryKey + "\n") })
	_, err = e.Embed(t.Context(), queries("a"))
	if !errors.Is(err, contract.ErrProvider) {
		t.Errorf("key with a line break: %v, want ErrProvider", err)
	}
	clean(t, err)
}

func TestOpenAIModels(t *testing.T) {
	for _, test := range []struct {
		model       string
		dimensions  int
		dim         int
		fingerprint string
	}{
		{"", 0, 1536, "openai/text-embedding-3-small/1536/w8191"},
		{"text-embedding-3-small", 256, 256, "openai/text-embedding-3-small/256/w8191"},
		{"text-embedding-3-large", 0, 3072, "openai/text-embedding-3-large/3072/w8191"},
		{"text-embedding-ada-002", 0, 1536, "openai/text-embedding-ada-002/1536/w8191"},
		{"nomic-embed-text-v2-moe", 0, 768, "openai/nomic-embed-text-v2-moe/768/w480/nomic"},
		{"bge-m3", 1024, 1024, "openai/bge-m3/1024/w480"},
		{"bge-m3", 0, fakeDim, "openai/bge-m3/native/w480"},
	} {
		p := newProvider(t)
		e := p.remote(t, func(c *embed.Config) { c.Model, c.Dimensions = test.model, test.dimensions })
		if got := e.Fingerprint(); got != test.fingerprint {
			t.Errorf("%s: fingerprint %s, want %s", test.model, got, test.fingerprint)
		}
		if strings.Contains(e.Fingerprint(), canaryKey) || strings.Contains(e.Fingerprint(), p.URL) {
			t.Errorf("%s: fingerprint shows the key or the address", test.model)
		}
		for range 2 {
			if dim, err := e.Dim(t.Context(), contract.Secret{}); dim != test.dim || err != nil {
				t.Errorf("%s: dim %d, %v, want %d", test.model, dim, err, test.dim)
			}
		}
		asked := 0
		if test.dim == fakeDim {
			asked = 1
		}
		if p.count() != asked {
			t.Errorf("%s: %d requests for the dimension, want %d", test.model, p.count(), asked)
		}
	}
}

func TestOpenAIDimensionsSent(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t, func(c *embed.Config) { c.Dimensions = fakeDim })
	if _, err := e.Embed(t.Context(), documents("a")); err != nil {
		t.Fatal(err)
	}
	if d := p.requests[0].members["dimensions"]; d != float64(fakeDim) {
		t.Errorf("dimensions sent: %v, want %d", d, fakeDim)
	}
	e = p.remote(t, func(c *embed.Config) { c.Dimensions = fakeDim + 1 })
	_, err := e.Embed(t.Context(), documents("a"))
	if !errors.Is(err, contract.ErrProvider) || !strings.Contains(err.Error(), "8 dimensions, not 9") {
		t.Errorf("wrong length: got %v, want ErrProvider", err)
	}
}

func TestOpenAIPrefixes(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t, func(c *embed.Config) { c.Model, c.Dimensions = "nomic-embed-text-v2-moe", fakeDim })
	for role, want := range map[contract.Role]string{
		contract.RoleDocument:       "search_document: x",
		contract.RoleQuery:          "search_query: x",
		contract.RoleClustering:     "clustering: x",
		contract.RoleClassification: "classification: x",
	} {
		if _, err := e.Embed(t.Context(), contract.EmbedRequest{Role: role, Texts: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		if got := p.requests[len(p.requests)-1].Input[0]; got != want {
			t.Errorf("%v: sent %q, want %q", role, got, want)
		}
	}
}

func TestOpenAIPack(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	word := "supercalifragilistic "
	texts := make([]string, 60)
	for i := range texts {
		texts[i] = strings.Repeat(word, 1000)
	}
	each := e.Tokens(texts[0])
	if _, err := e.Embed(t.Context(), documents(texts...)); err != nil {
		t.Fatal(err)
	}
	want := (len(texts)*each + 249_999) / 250_000
	for _, r := range p.requests {
		if len(r.Input)*each > 250_000 {
			t.Errorf("a request of %d tokens", len(r.Input)*each)
		}
	}
	if n := p.count(); n < want || n > want+1 {
		t.Errorf("%d requests of texts of %d tokens, want %d", n, each, want)
	}
}

func TestOpenAISplit(t *testing.T) {
	e, err := embed.OpenAI(embed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	small, err := embed.OpenAI(embed.Config{URL: "http://localhost:1", Model: "bge-m3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "hello", strings.Repeat("hello world, ", 4000),
		strings.Repeat("🙂東京é", 3000), strings.Repeat("a\xffb ", 3000),
	} {
		chunks, tokens := e.Split(text)
		checkChunks(t, text, chunks, tokens, 8191, 1170)
		if tokens != e.Tokens(text) {
			t.Errorf("%d tokens, but Split says %d", e.Tokens(text), tokens)
		}
		chunks, tokens = small.Split(text)
		checkChunks(t, text, chunks, tokens, 480, 64)
	}
	if n := e.Tokens("tiktoken is great!"); n != 6 {
		t.Errorf("%d tokens, want 6", n)
	}
}

func FuzzOpenAISplit(f *testing.F) {
	e, err := embed.OpenAI(embed.Config{URL: "http://localhost:1", Model: "bge-m3"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", 1)
	f.Add("plain words and, some punctuation! ", 90)
	f.Add("각나다라 東京 \xff e\u0301 \xf0\x9f", 60)
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.Repeat(text, max(0, min(times, 100, 1<<14/(len(text)+1))))
		chunks, tokens := e.Split(text)
		checkChunks(t, text, chunks, tokens, 480, 64)
	})
}

func TestPoison(t *testing.T) {
	for _, status := range []int{400, 413, 422, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			p := newProvider(t)
			p.play(func(w http.ResponseWriter, r request) bool {
				if !slices.ContainsFunc(r.Input, func(s string) bool { return strings.Contains(s, "poison") }) {
					return false
				}
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":{"message":"cannot embed %s","type":"poison","code":"poison","param":"input"}}`, r.Input)
				return true
			})
			e := p.remote(t)
			texts := numbered(600)
			texts[7], texts[8], texts[444] = "poison", "more poison", "poison again"
			v, err := e.Embed(t.Context(), documents(texts...))
			var refused *contract.RefusedError
			if !errors.As(err, &refused) || len(refused.Texts) != 3 {
				t.Fatalf("got %v, want 3 texts refused", err)
			}
			for i, text := range texts {
				switch reason := refused.Texts[i]; {
				case strings.Contains(text, "poison"):
					if reason == nil || v[i] != nil {
						t.Errorf("poison %d: reason %v, vector %v", i, reason, v[i])
					}
					clean(t, reason)
				case reason != nil || !isFake(v[i], text):
					t.Errorf("text %d: reason %v or wrong vector", i, reason)
				}
			}
			clean(t, err)
			tries := 1
			if status == 500 {
				tries = 3
			}
			if n := p.count(); n > 4+tries*3*2*9 {
				t.Errorf("%d requests to find 3 of %d texts", n, len(texts))
			}
		})
	}
}

// TestPartly: what came before a failure is not thrown away.
func TestPartly(t *testing.T) {
	p := newProvider(t)
	p.play(func(w http.ResponseWriter, r request) bool {
		return slices.Contains(r.Input, "text number 13") && answer(401, apiError)(w, r)
	})
	e := p.remote(t, func(c *embed.Config) { c.Batch, c.Parallel = 5, 1 })
	texts := numbered(20)
	v, err := e.Embed(t.Context(), documents(texts...))
	if !errors.Is(err, contract.ErrProvider) || len(v) != len(texts) {
		t.Fatalf("got %d vectors, %v, want ErrProvider with those that came before", len(v), err)
	}
	for i := range v {
		if i < 10 != (v[i] != nil) || v[i] != nil && !isFake(v[i], texts[i]) {
			t.Errorf("text %d: vector %v", i, v[i])
		}
	}
	clean(t, err)
}

// TestPoisonAmongMany: one text in ten thousand.
func TestPoisonAmongMany(t *testing.T) {
	p := newProvider(t)
	p.play(func(w http.ResponseWriter, r request) bool {
		return slices.Contains(r.Input, "poison") && answer(400, apiError)(w, r)
	})
	e := p.remote(t)
	texts := numbered(10_000)
	texts[6543] = "poison"
	v, err := e.Embed(t.Context(), documents(texts...))
	var refused *contract.RefusedError
	if !errors.As(err, &refused) || len(refused.Texts) != 1 || refused.Texts[6543] == nil {
		t.Fatalf("got %v, want text 6543 refused", err)
	}
	for i := range v {
		if i != 6543 && !isFake(v[i], texts[i]) {
			t.Fatalf("text %d has a wrong vector", i)
		}
	}
	if n := p.count(); n > 40+2*9+2 {
		t.Errorf("%d requests", n)
	}
}

func TestEmptyText(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	v, err := e.Embed(t.Context(), documents("", "b"))
	var refused *contract.RefusedError
	if !errors.As(err, &refused) || len(refused.Texts) != 1 || refused.Texts[0] == nil || !isFake(v[1], "b") {
		t.Errorf("got %v, %v, want the empty text refused and the other embedded", v, err)
	}
	if v, err := e.Embed(t.Context(), documents()); len(v) != 0 || err != nil {
		t.Errorf("no texts: %v, %v", v, err)
	}
	if p.count() != 1 {
		t.Errorf("%d requests, want 1", p.count())
	}
}

func TestOpenAICancel(t *testing.T) {
	p := newProvider(t)
	arrived := make(chan struct{})
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	p.play(func(http.ResponseWriter, request) bool {
		close(arrived)
		<-release
		return true
	})
	e := p.remote(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	start := time.Now()
	_, err := e.Embed(ctx, documents("a"))
	if !errors.Is(err, context.Canceled) || time.Since(start) > 4*time.Second {
		t.Errorf("got %v after %v, want context.Canceled at once", err, time.Since(start))
	}
}

// TestProbe checks what a probe tells, and that it does not insist.
func TestProbe(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	if err := e.Probe(t.Context()); err != nil || p.count() != 1 {
		t.Errorf("a provider that is well: %v after %d requests", err, p.count())
	}
	for _, status := range []int{401, 429, 500, 503} {
		p.play(func(w http.ResponseWriter, _ request) bool {
			http.Error(w, "no", status)
			return true
		})
		before := p.count()
		err := e.Probe(t.Context())
		if !errors.Is(err, contract.ErrProvider) || errors.Is(err, contract.ErrUnavailable) != (status >= 500) || p.count() != before+1 {
			t.Errorf("%d: %v after %d requests", status, err, p.count()-before)
		}
		clean(t, err)
	}
	// Without a key it asks all the same: to be told to bring one is an answer.
	none, err := embed.OpenAI(embed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	none.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		return bodies{status: 401, body: apiError}.RoundTrip(r)
	}))
	if err := none.Probe(t.Context()); !errors.Is(err, contract.ErrProvider) || errors.Is(err, contract.ErrUnavailable) || asked != 1 {
		t.Errorf("without a key: %v after %d requests, want an ErrProvider of a provider that is there", err, asked)
	}
}

// TestProbeDoesNotWait: a provider that asks everybody to wait is asked all the
// same whether it is there, beside the requests under way.
func TestProbeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Parallel: 1})
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		e.SetTransport(roundTrip(func() (int, string) {
			if asked.Add(1) == 1 {
				time.Sleep(time.Second)
				return 429, "50"
			}
			return 200, ""
		}))
		var job sync.WaitGroup
		job.Go(func() {
			if _, err := e.Embed(t.Context(), documents("a")); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		for _, at := range []time.Duration{time.Second / 2, 2 * time.Second} { // under way, held back
			time.Sleep(at - time.Since(start))
			if err := e.Probe(t.Context()); err != nil || time.Since(start) != at {
				t.Errorf("at %v: %v after %v", at, err, time.Since(start)-at)
			}
		}
		job.Wait()
	})
}
