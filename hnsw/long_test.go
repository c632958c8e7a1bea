package hnsw_test

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vector"
)

// TestMNIST measures the graph on data that nobody here made up: 60,000 images
// of 784 pixels, cosine, against the true neighbours.
func TestMNIST(t *testing.T) {
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("takes minutes; set VECTORLINK_LONG=1 to run it")
	}
	const dim, top, k = 784, 100, 10
	dir := filepath.Join("..", "..", "shared", "data", "ann")
	read := func(name string) []byte {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Skip("the data set is not here: ", err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	load := func(name string) *memory {
		b := read(name)
		m := &memory{dim: dim, rows: make([]float32, len(b))}
		for i, x := range b {
			m.rows[i] = float32(x)
		}
		for i := range m.len() {
			vector.Normalize(m.row(uint32(i)))
		}
		return m
	}
	base, queries := load("mnist-784-base.u8.gz"), load("mnist-784-query.u8.gz")
	truth := read("mnist-784-cosine-top100.u32.gz")

	began := time.Now()
	g := mustBuild(t, base, base.slots(nil), hnsw.Params{}, 0)
	t.Logf("%d nodes in %v, %.1f MB in memory, %.1f MB on disk", g.Len(), time.Since(began).Round(time.Second),
		float64(g.Bytes())/1e6, float64(len(g.AppendTo(nil)))/1e6)
	if problems := hnsw.Check(g); len(problems) > 0 {
		t.Error(problems)
	}
	for _, tc := range []struct {
		ef, dead int // dead: percent
		floor    float64
	}{{20, 0, 0.97}, {40, 0, 0.99}, {80, 0, 0.998}, {80, 30, 0.99}} {
		live := func(slot uint32) bool { return int(slot*2654435761>>16%100) >= tc.dead }
		found, want := 0, 0
		base.measured.Store(0)
		began := time.Now()
		for i := range queries.len() {
			hits, err := g.Search(t.Context(), base, queries.row(uint32(i)), k, tc.ef, live)
			if err != nil {
				t.Fatal(err)
			}
			// The k-th true live neighbour sets the bar: ties count as found.
			true10 := 0
			var bar float32
			for j := 0; j < top && true10 < k; j++ {
				if slot := binary.LittleEndian.Uint32(truth[4*(i*top+j):]); live(slot) {
					bar = vector.Dot(queries.row(uint32(i)), base.row(slot))
					true10++
				}
			}
			want += true10
			for _, h := range hits {
				if h.Dot >= bar-1e-6 {
					found++
				}
			}
		}
		n := queries.len()
		got := float64(found) / float64(want)
		t.Logf("ef %d, %d%% dead: recall@%d %.4f, %d vectors measured, %v a search", tc.ef, tc.dead, k, got,
			base.measured.Load()/int64(n), (time.Since(began) / time.Duration(n)).Round(time.Microsecond))
		if got < tc.floor {
			t.Errorf("ef %d, %d%% dead: recall@%d is %.4f, want %.3f", tc.ef, tc.dead, k, got, tc.floor)
		}
	}
}
