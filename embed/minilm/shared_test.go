package minilm_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/embed/minilm"
)

// A sample is a text with what the original model makes of it.
type sample struct {
	Text   string    `json:"text"`
	Tokens []int32   `json:"tokens"`
	Vector []float32 `json:"vector"`
}

// readSamples reads a gzipped file of JSON lines and fails if it holds none.
func readSamples(t testing.TB, path string) []sample {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	d := json.NewDecoder(bufio.NewReader(z))
	for d.More() {
		var s sample
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
	if len(samples) == 0 {
		t.Fatalf("%s: no samples", path)
	}
	return samples
}

// sharedSamples returns the larger set of samples that stands beside some
// checkouts.
func sharedSamples(t testing.TB) []sample {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "models", "minilm", "reference.jsonl.gz")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the large set of reference vectors is not here; testdata/reference.jsonl.gz is tested in any case")
	}
	return readSamples(t, path)
}

func load(t testing.TB) *minilm.Model {
	t.Helper()
	m, err := minilm.Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// agreement compares a model with the samples. The cosine at the first
// percentile must reach low; odd texts (one token, unknown words) lower it.
func agreement(t *testing.T, m *minilm.Model, samples []sample, low float64) {
	t.Helper()
	texts := make([]string, len(samples))
	for i, s := range samples {
		texts[i] = s.Text
	}
	vectors, err := m.Embed(t.Context(), texts, 2)
	if err != nil {
		t.Fatal(err)
	}
	cos := make([]float64, len(samples))
	for i, s := range samples {
		cos[i] = cosine(vectors[i], s.Vector)
	}
	slices.Sort(cos)
	worst, first := cos[0], cos[max(1, len(cos)/100)]
	t.Logf("%s: cosine worst %.5f, 1st percentile %.5f, median %.5f", m.Kernels(), worst, first, cos[len(cos)/2])
	if !(worst >= 0.996 && first >= low) {
		t.Errorf("%s: cosine worst %v, 1st percentile %v, want 0.996, %v", m.Kernels(), worst, first, low)
	}
}
