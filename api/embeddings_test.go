package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
)

func someVectors(commit string, last error) indexer.Embeddings {
	return indexer.Embeddings{Commit: commit, Count: 2, Dim: 2, Vectors: func(yield func(indexer.Embedding, error) bool) {
		if !yield(indexer.Embedding{ID: "a&", Vector: []float32{0.6, -0.8}}, nil) {
			return
		}
		yield(indexer.Embedding{ID: `b"`, Vector: []float32{1, 1e-9}}, last)
	}}
}

// TestEmbeddings holds rules 36 and 140 as far as they concern the wire.
func TestEmbeddings(t *testing.T) {
	e := newEnv(t)
	e.vecs = someVectors("k6", nil)
	ref := indexer.Ref{Commit: "k7"}
	plain := indexer.EmbeddingsRequest{Domain: "a/b", Ref: ref}
	wide := indexer.EmbeddingsRequest{
		Domain: "a/b", Ref: indexer.Ref{Commit: "k7", Ancestors: []string{"k6", "k5"}},
		Filter: indexer.Filter{Types: []string{"T", "U", "V"}, IDs: []string{"x", "y", "z,"}},
	}
	const least = "/embeddings?domain=a/b&commit=k7"
	const object = `{"doc_embeddings":{"a&":[0.6,-0.8],"b\"":[1,1e-09]},"clustering_embeddings":{},"store_clustering":false,"served_commit":"k6"}`
	const lines = `{"doc_id":"a&","embedding":[0.6,-0.8]}` + "\n" + `{"doc_id":"b\"","embedding":[1,1e-09]}` + "\n"
	accept := map[string]string{"Accept": "application/x-ndjson"}
	nd := "application/x-ndjson"
	tests := []struct {
		name  string
		q     request
		want  indexer.EmbeddingsRequest
		lines bool
	}{
		{"least", request{target: least}, plain, false},
		{"wide", request{target: least + "&ancestor=k6&ancestors=k5&doc_types=T,U&doc_type=V&doc_ids=x,,y&doc_id=z%2C"}, wide, false},
		{"accept", request{target: least, header: accept}, plain, true},
		{"flag", request{target: least + "&stream=true"}, plain, true},
		{"post", request{method: "POST", target: "/embeddings", media: "application/json", body: `{"domain":"a/b","commit":"k7"}`}, plain, false},
		{"post wide", request{method: "POST", target: "/embeddings?commit=k1", media: "text/plain",
			body: `{"domain":"a/b","commit":"k7","ancestors":["k6","k5"],"doc_types":["T","U","V"],"doc_ids":["x","y","z,"],"stream":null}`}, wide, false},
		{"post stream", request{method: "POST", target: "/embeddings", body: `{"domain":"a/b","commit":"k7","stream":true}`}, plain, true},
		{"lines", request{method: "POST", target: "/embeddings", media: nd, body: `{"domain":"a/b","commit":"k7"}`}, plain, true},
		{"lines wide", request{method: "POST", target: "/embeddings", media: nd,
			body: `{"domain":"a/b","commit":"k7","ancestors":["k6","k5"],"doc_types":["T","U","V"],"doc_id":"x"}` + "\r\n\n" +
				`{"doc_id":"y","domain":"a/b","commit":"k7"}` + "\n" + `{"doc_id":"z,"}`}, wide, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := e.do(tt.q)
			want := object
			if tt.lines {
				want = lines
			}
			got.wantBody(t, want)
			wantAsked(t, e.last(t), tt.want)
			h := got.header
			if h.Get("TerminusDB-Data-Version") != "commit:k6" {
				t.Errorf("headers %v", h)
			}
			if media, total := h.Get("Content-Type"), h.Get("X-Total-Count"); tt.lines {
				if media != nd || total != "2" || h.Get("X-Served-Commit") != "k6" || h.Get("X-Store-Clustering") != "false" {
					t.Errorf("headers %v", h)
				}
			} else if media != "application/json" {
				t.Errorf("headers %v", h)
			}
		})
	}
	if got := e.do(request{method: "HEAD", target: least, header: accept}); got.status != 200 || got.header.Get("X-Total-Count") != "2" {
		t.Errorf("HEAD: status %d, %v", got.status, got.header)
	}
	e.last(t)
}

func TestEmbeddingsRefusals(t *testing.T) {
	e := newEnv(t)
	const least = "/embeddings?domain=a/b&commit=k7"
	e.get("/embeddings?commit=k7").wantError(t, 400, "missing_parameter", "domain")
	e.get("/embeddings?domain=a/b").wantError(t, 400, "missing_parameter", "commit")
	e.get(least+"&stream=yes").wantError(t, 400, "bad_parameter", "stream")
	for _, tt := range []struct {
		media, body string
		status      int
		word        string
	}{
		{"application/json", `{"commit":"k7"}`, 400, "domain"},
		{"application/json", `{"domain":"a/b"}`, 400, "commit"},
		{"application/json", ``, 400, "JSON"},
		{"application/json", `[]`, 422, "object"},
		{"application/json", `{"domain":"a/b","commit":"k7","doc_ids":"x","stream":1}`, 422, "stream"},
		{"application/json", `{"domain":"a/b","commit":"k7","doc_types":[1]}`, 422, "doc_types"},
		{"application/x-ndjson", ``, 400, "domain"},
		{"application/x-ndjson", `{"domain":"a/b","commit":"k7"}` + "\n\nnonsense", 400, "line 3"},
		{"application/x-ndjson", `null`, 400, "line 1"},
		{"application/x-ndjson", `{"domain":"a/b","commit":"k7"}` + "\n" + `{"commit":"k8","doc_id":"x"}`, 400, "line 2"},
		{"application/x-ndjson", `{"domain":"a/b","commit":"k7"}` + "\n" + `{"doc_id":7}`, 422, "line 2"},
		{"application/x-ndjson", `{"doc_id":"x"}`, 400, "domain"},
		{"application/x-ndjson", strings.Repeat(`{"domain":"a/b","commit":"k7"}`+"\n", 80_000), 413, "body"},
	} {
		e.do(request{method: "POST", target: "/embeddings", media: tt.media, body: tt.body}).wantError(t, tt.status, "", tt.word)
	}
	e.untouched(t)
	e.err = fmt.Errorf("%w: x", indexer.ErrNotFound)
	e.get(least).wantError(t, 404, "not_found")
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.get(least).wantError(t, 503, "not_ready")
}

// TestEmbeddingsBreak checks that what fails half way does not look whole.
func TestEmbeddingsBreak(t *testing.T) {
	e := newEnv(t)
	e.vecs = indexer.Embeddings{Commit: "k7", Count: 2, Vectors: func(yield func(indexer.Embedding, error) bool) {
		if yield(indexer.Embedding{ID: strings.Repeat("x", 100_000), Vector: []float32{1}}, nil) {
			yield(indexer.Embedding{}, errors.New("disk"))
		}
	}}
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/embeddings?domain=a/b&commit=k7", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer ended as if it were whole", accept)
		}
	}
	// What fails before anything has left is an answer of its own.
	e.vecs = someVectors("k7", fmt.Errorf("%w: page 7", indexer.ErrCorrupt))
	e.get("/embeddings?domain=a/b&commit=k7").wantError(t, 500, "damaged")
}

// TestEmbeddingsLive holds rules 35 and 140 over a real indexer.
func TestEmbeddingsLive(t *testing.T) {
	l := pushed(t)
	var body struct {
		Vectors map[string][]float64 `json:"doc_embeddings"`
		Served  string               `json:"served_commit"`
	}
	got := l.get("/embeddings?domain=a/b&commit=k9&ancestor=k1&doc_types=Ship&doc_ids=terminusdb:///holonet/Ship/1,terminusdb:///holonet/Part/1,nobody")
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	v := body.Vectors["terminusdb:///holonet/Ship/1"]
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	if len(body.Vectors) != 1 || body.Served != "k1" || math.Abs(sum-1) > 1e-5 {
		t.Errorf("length² %v: %s", sum, got.body)
	}
	got = l.do(request{target: "/embeddings?domain=a/b&branch=main", header: map[string]string{"Accept": "application/x-ndjson"}})
	if n := strings.Count(got.body, "\n"); n != 5 || got.header.Get("X-Total-Count") != "5" {
		t.Errorf("%d lines, X-Total-Count %s", n, got.header.Get("X-Total-Count"))
	}
	last := ""
	for line := range strings.Lines(got.body) {
		var row struct {
			ID string `json:"doc_id"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.ID <= last {
			t.Errorf("%q behind %q: %v", row.ID, last, err)
		}
		last = row.ID
	}
}
