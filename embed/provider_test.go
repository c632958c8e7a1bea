package embed_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDim is the length of the fake provider's vectors.
const fakeDim = 8

// canaryKey must never be seen in an error.
const canaryKey = "sk-canary-0123456789abcdef"

// A request is the body that the fake provider was sent.
type request struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`

	members map[string]any  // all of them
	gone    <-chan struct{} // closed when nobody waits for the answer
}

// A fault returns true if it has written an answer.
type fault func(w http.ResponseWriter, r request) bool

// A provider is a fake one. Its vectors are those of fakeVector.
type provider struct {
	*httptest.Server

	mu       sync.Mutex
	fault    fault
	requests []request
	headers  []http.Header
	paths    []string
	now, top atomic.Int32 // requests under way, the most ever
}

func newProvider(t testing.TB) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Server.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, hr *http.Request) {
	for n := p.now.Add(1); ; {
		top := p.top.Load()
		if n <= top || p.top.CompareAndSwap(top, n) {
			break
		}
	}
	defer p.now.Add(-1)
	body, err := io.ReadAll(hr.Body)
	var r request
	if err == nil {
		err = errors.Join(json.Unmarshal(body, &r), json.Unmarshal(body, &r.members))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	r.gone = hr.Context().Done()
	p.mu.Lock()
	p.requests = append(p.requests, r)
	p.headers = append(p.headers, hr.Header)
	p.paths = append(p.paths, hr.Method+" "+hr.URL.RequestURI())
	fault := p.fault
	p.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	writeVectors(w, r, func(i int) int { return i })
}

// play lets every request from now on meet f first.
func (p *provider) play(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

// writeVectors answers well, with the items in the order that at gives, in the
// encoding that is asked for.
func writeVectors(w http.ResponseWriter, r request, at func(int) int) {
	type item struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	items := []item{}
	for n := range r.Input {
		i := at(n)
		v := fakeVector(r.Input[i])
		if r.EncodingFormat != "base64" {
			items = append(items, item{"embedding", i, v})
			continue
		}
		items = append(items, item{"embedding", i, inBase64(v)})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": items, "model": r.Model})
}

// inBase64 encodes numbers as float32s.
func inBase64(v []float64) string {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// fakeVector is a vector, not of unit length, that depends on the whole text.
func fakeVector(text string) []float64 {
	v := make([]float64, fakeDim)
	for i := range v {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %s", i, text)
		v[i] = float64(h.Sum32()%2001)/100 - 10
	}
	return v
}

// isFake reports whether v is the unit vector of text.
func isFake(v []float32, text string) bool {
	if len(v) != fakeDim {
		return false
	}
	want := make([]float32, fakeDim)
	for i, x := range fakeVector(text) {
		want[i] = float32(x)
	}
	length := dot(v, v)
	cos := dot(v, want)
	return length > 1-1e-6 && length < 1+1e-6 && cos*cos > dot(want, want)*(1-1e-6) && cos > 0
}

// remote returns an embedder that asks p and does not wait long.
func (p *provider) remote(t testing.TB, change ...func(*embed.Config)) *embed.OpenAIEmbedder {
	t.Helper()
	c := embed.Config{URL: p.URL, Model: "fake", Key: contract.NewSecret(canaryKey), Timeout: 5 * time.Second}
	for _, f := range change {
		f(&c)
	}
	e, err := embed.OpenAI(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	e.RetryQuickly(4)
	return e
}

// documents asks for the vectors of documents, queries for those of what
// somebody searches with.
func documents(texts ...string) contract.EmbedRequest {
	return contract.EmbedRequest{Role: contract.RoleDocument, Texts: texts, Patient: true}
}

func queries(texts ...string) contract.EmbedRequest {
	return contract.EmbedRequest{Role: contract.RoleQuery, Texts: texts}
}

// numbered returns n different texts.
func numbered(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("text number %d", i)
	}
	return texts
}

// clean fails if an error shows a key or a text.
func clean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, shown := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err.Error())} {
		for _, canary := range []string{canaryKey, "sk-canary", "text number", "poison", "127.0.0.1"} {
			if strings.Contains(shown, canary) {
				t.Errorf("error shows %q: %s", canary, shown)
			}
		}
	}
}
