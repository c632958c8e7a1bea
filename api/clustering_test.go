package api_test

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestStoreClustering checks what a domain that stores clustering shows of it on
// the wire, and one that does not.
func TestStoreClustering(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("d/A/1", "one fish"))
	ask := func(target, accept string) reply {
		return l.do(request{target: target, header: map[string]string{"Accept": accept}})
	}
	const lines, bytes = "application/x-ndjson", "application/octet-stream"
	if got := ask("/embeddings?domain=org/db&commit=c1", lines); got.header.Get("X-Store-Clustering") != "false" || strings.Contains(got.body, "clustering") {
		t.Errorf("before: %v %s", got.header, got.body)
	}
	l.postJSON("/candidates", `{"domain":"org/db","commit":"c1","threshold_set":1}`)
	l.mustPush("c2", inserted("d/A/2", "two fish", "d/A/3", "red fish"), "store_clustering", "true")
	l.mustPush("c3", inserted("d/A/4", "blue fish"), "store_clustering", "false")
	if got := l.get("/statistics?domain=org/db"); !strings.Contains(got.body, `"store_clustering":true`) {
		t.Errorf("statistics: %s", got.body)
	}
	if got := l.get("/statistics"); strings.Contains(got.body, "store_clustering") {
		t.Errorf("statistics of all: %s", got.body)
	}
	var body struct {
		Documents  map[string][]float64 `json:"doc_embeddings"`
		Clustering map[string][]float64 `json:"clustering_embeddings"`
		On         bool                 `json:"store_clustering"`
	}
	got := l.get("/embeddings?domain=org/db&commit=c3")
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Documents) != 4 || len(body.Clustering) != 3 || body.Clustering["d/A/1"] != nil || !body.On {
		t.Errorf("%v: %s", err, got.body)
	}
	got = ask("/embeddings?domain=org/db&commit=c3", lines)
	if got.header.Get("X-Store-Clustering") != "true" || strings.Count(got.body, "clustering_embedding") != 3 {
		t.Errorf("%v %s", got.header, got.body)
	}
	for line := range strings.Lines(got.body) {
		var row struct {
			ID                    string `json:"doc_id"`
			Embedding, Clustering []float64
		}
		if err := json.Unmarshal([]byte(strings.Replace(line, "clustering_embedding", "clustering", 1)), &row); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(row.Clustering, body.Clustering[row.ID]) || !slices.Equal(row.Embedding, body.Documents[row.ID]) {
			t.Errorf("%s: the line has other vectors than the object", row.ID)
		}
	}
	got = ask("/embeddings?domain=org/db&commit=c3", bytes)
	length := binary.LittleEndian.Uint64([]byte(got.body[:8]))
	var header struct {
		Metadata map[string]string `json:"__metadata__"`
		Rows     struct {
			Shape   []int
			Offsets []int `json:"data_offsets"`
		} `json:"embeddings"`
		Clustering struct {
			Shape   []int
			Offsets []int `json:"data_offsets"`
		} `json:"clustering_embeddings"`
	}
	if err := json.Unmarshal([]byte(got.body[8:8+length]), &header); err != nil {
		t.Fatal(err)
	}
	if header.Metadata["clustering_ids"] != `["d/A/2","d/A/3","d/A/4"]` || !slices.Equal(header.Clustering.Shape, []int{3, 32}) ||
		!slices.Equal(header.Rows.Offsets, []int{0, 512}) || !slices.Equal(header.Clustering.Offsets, []int{512, 896}) || len(got.body) != 8+int(length)+896 {
		t.Errorf("%+v, %d bytes", header, len(got.body))
	}
	got = l.postJSON("/candidates", `{"domain":"org/db","commit":"c3","threshold_set":1,"k":10}`)
	if !strings.Contains(got.body, `"store_clustering":true`) || strings.Count(got.body, "clustering_distance") != 12 {
		t.Errorf("candidates: %s", got.body)
	}
	if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
		t.Fatal(got.status)
	}
	if got := l.get("/statistics?domain=org/db"); !strings.Contains(got.body, `"store_clustering":false`) {
		t.Errorf("statistics of a deleted domain: %s", got.body)
	}
}
