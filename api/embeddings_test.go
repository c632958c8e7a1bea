package api_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

func someVectors(commit string, last error) search.Embeddings {
	return search.Embeddings{Commit: commit, Count: 2, Dim: 2, Vectors: func(yield func(search.Embedding, error) bool) {
		if !yield(search.Embedding{ID: "a&", Vector: []float32{0.6, -0.8}}, nil) {
			return
		}
		yield(search.Embedding{ID: `b"`, Vector: []float32{1, 1e-9}}, last)
	}}
}

// TestEmbeddings checks the request and the answer of /embeddings.
func TestEmbeddings(t *testing.T) {
	e := newEnv(t)
	e.vecs = someVectors("k6", nil)
	ref := search.Ref{Commit: "k7"}
	plain := search.EmbeddingsRequest{Domain: "a/b", Ref: ref}
	wide := search.EmbeddingsRequest{
		Domain: "a/b", Ref: search.Ref{Commit: "k7", Ancestors: []string{"k6", "k5"}},
		Filter: search.Filter{Types: []string{"T", "U", "V"}, IDs: []string{"x", "y", "z,"}},
	}
	const least = "/embeddings?domain=a/b&commit=k7"
	const object = `{"doc_embeddings":{"a&":[0.6,-0.8],"b\"":[1,1e-09]},"clustering_embeddings":{},"store_clustering":false,"served_commit":"k6"}`
	const lines = `{"doc_id":"a&","embedding":[0.6,-0.8]}` + "\n" + `{"doc_id":"b\"","embedding":[1,1e-09]}` + "\n"
	accept := map[string]string{"Accept": "application/x-ndjson"}
	nd := "application/x-ndjson"
	tests := []struct {
		name  string
		q     request
		want  search.EmbeddingsRequest
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
	e.err = fmt.Errorf("%w: x", contract.ErrNotFound)
	e.get(least).wantError(t, 404, "not_found")
	off := newEnv(t, func(c *api.Config) { c.SearchReady = false })
	off.get(least).wantError(t, 503, "not_ready")
}

// TestEmbeddingsBreak checks that what fails half way does not look whole.
func TestEmbeddingsBreak(t *testing.T) {
	e := newEnv(t)
	e.vecs = search.Embeddings{Commit: "k7", Count: 2, Vectors: func(yield func(search.Embedding, error) bool) {
		if yield(search.Embedding{ID: strings.Repeat("x", 100_000), Vector: []float32{1}}, nil) {
			yield(search.Embedding{}, errors.New("disk"))
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
	e.vecs = someVectors("k7", fmt.Errorf("%w: page 7", contract.ErrCorrupt))
	e.get("/embeddings?domain=a/b&commit=k7").wantError(t, 500, "damaged")
}

// TestEmbeddingsLive asks for vectors over a real indexer.
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

// TestVectorForms checks the forms of rows byte by byte, and what asks for which.
func TestVectorForms(t *testing.T) {
	e := newEnv(t)
	e.vecs = someVectors("k6", nil)
	rows := "\x9a\x99\x19\x3f\xcd\xcc\x4c\xbf" + "\x00\x00\x80\x3f\x5f\x70\x89\x30" // 0.6, -0.8, 1, 1e-9
	header := `{"__metadata__":{"ids":"[\"a&\",\"b\\\"\"]","served_commit":"k6"},"embeddings":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	tensors := string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + rows
	array := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
	array += strings.Repeat(" ", 128-10-1-len(array)) + "\n"
	numpy := "\x93NUMPY\x01\x00\x76\x00" + array + rows
	object := e.get("/embeddings?domain=a/b&commit=k7").body
	e.last(t)
	lines := e.get("/embeddings?domain=a/b&commit=k7&stream=true").body
	e.last(t)
	const bytes, npy, nd, obj = "application/octet-stream", "application/x-npy", "application/x-ndjson", "application/json"
	for _, tt := range []struct{ query, accept, media, want string }{
		{"", bytes, bytes, tensors},
		{"", "text/html, application/octet-stream;q=0.5, */*;q=0.1", bytes, tensors},
		{"&format=safetensors", "", bytes, tensors},
		{"", npy, npy, numpy},
		{"&format=npy", bytes, npy, numpy},
		{"&format=npy&stream=true", "", npy, numpy},
		{"&format=ids", npy, obj, `["a&","b\""]`},
		{"&format=json&stream=true", nd, obj, object},
		{"&format=ndjson", npy, nd, lines},
		{"", nd + ", " + npy, nd, lines},
		{"&format=", "", obj, object},
		{"", "*/*", obj, object},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := e.do(request{method: method, target: "/embeddings?domain=a/b&commit=k7" + tt.query, header: map[string]string{"Accept": tt.accept}})
			e.last(t)
			want := tt.want
			if method == "HEAD" {
				want = ""
			}
			got.wantBody(t, want)
			h := got.header
			if h.Get("Content-Type") != tt.media || h.Get("Vary") != "Accept" {
				t.Errorf("%s %q, Accept %q: headers %v", method, tt.query, tt.accept, h)
			}
			if (tt.media == bytes || tt.media == npy) && h.Get("Content-Length") != strconv.Itoa(len(tt.want)) {
				t.Errorf("Content-Length %s, want %d", h.Get("Content-Length"), len(tt.want))
			}
			if rows := h.Get("X-Total-Count") == "2" && h.Get("X-Served-Commit") == "k6"; rows != (tt.want != object) {
				t.Errorf("%q: headers %v", tt.query, h)
			}
		}
	}
	post := e.do(request{method: "POST", target: "/embeddings", body: `{"domain":"a/b","commit":"k7","format":"npy"}`})
	post.wantBody(t, numpy)
	e.last(t)
	e.get("/embeddings?domain=a/b&commit=k7&format=csv").wantError(t, 400, "bad_parameter", "format")
	e.untouched(t)
	e.vecs = search.Embeddings{Commit: "k7"}
	e.get("/embeddings?domain=a/b&commit=k7&format=ids").wantBody(t, "[]")
	if got := e.get("/embeddings?domain=a/b&commit=k7&format=npy"); !strings.Contains(got.body, "'shape': (0, 0)") {
		t.Errorf("nothing as npy: %q", got.body)
	}
}

// TestEmbeddingsAreKept checks the tags of immutable answers over a real
// indexer: one per form and choice, and none where another commit was served.
func TestEmbeddingsAreKept(t *testing.T) {
	l := pushed(t)
	seen := make(map[string]string)
	for _, query := range []string{"", "&format=npy", "&format=safetensors", "&format=ids", "&stream=true", "&doc_types=Ship", "&doc_types=Ship&format=npy"} {
		target := "/embeddings?domain=a/b&commit=k1" + query
		first := l.get(target)
		tag := first.header.Get("ETag")
		if tag == "" || !strings.HasPrefix(first.header.Get("Cache-Control"), "private, max-age=") || seen[tag] != "" {
			t.Errorf("%s: ETag %q, as of %q; %v", query, tag, seen[tag], first.header)
		}
		seen[tag] = target
		again := l.do(request{target: target, header: map[string]string{"If-None-Match": `"other", ` + tag}})
		if again.status != 304 || again.body != "" || again.header.Get("ETag") != tag {
			t.Errorf("%s again: status %d, %d bytes, %v", query, again.status, len(again.body), again.header)
		}
		if other := l.do(request{target: target, header: map[string]string{"If-None-Match": `"other"`}}); other.body != first.body || other.header.Get("ETag") != tag {
			t.Errorf("%s: the same request was answered otherwise", query)
		}
	}
	for _, target := range []string{"/embeddings?domain=a/b&branch=main", "/embeddings?domain=a/b&commit=k9&ancestor=k1"} {
		if h := l.get(target).header; h.Get("ETag") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", target, h)
		}
	}
	// A domain that is made anew with the same commits is another one.
	tag := l.get("/embeddings?domain=a/b&commit=k1").header.Get("ETag")
	if got := l.do(request{method: "DELETE", target: "/domain?domain=a/b"}); got.status != 204 {
		t.Fatal(got.status)
	}
	got := l.do(request{method: "POST", target: "/push?domain=a/b&target_commit=k1", body: inserted("d/A/1", "one")})
	if l.wait(got.body).Status != "Complete" {
		t.Fatal(got.body)
	}
	if again := l.do(request{target: "/embeddings?domain=a/b&commit=k1", header: map[string]string{"If-None-Match": tag}}); again.status != 200 {
		t.Errorf("after the domain was made anew: status %d", again.status)
	}
}
