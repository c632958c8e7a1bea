package vecstore_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestMetrics: every metric measures what it says, exactly by vectors and about
// so by codes, and a file keeps its own.
func TestMetrics(t *testing.T) {
	const dim, n = 24, 200
	for _, cfg := range []vecstore.Config{
		{Metric: vecstore.Cosine, Normalized: true},
		{Metric: vecstore.Cosine},
		{Metric: vecstore.InnerProduct, Normalized: true},
		{Metric: vecstore.InnerProduct},
		{Metric: vecstore.Euclidean, Normalized: true},
		{Metric: vecstore.Euclidean},
	} {
		cfg.Domain, cfg.Fingerprint, cfg.Dim = "admin/db", "test-model", dim
		mem, pool := vfstest.NewMem(), vecstore.NewPool(1<<20)
		s, err := vecstore.Create(mem, "m.vecs", cfg, pool)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(cfg.Metric), 7))
		random := func() []float32 {
			v := make([]float32, dim)
			for i := range v {
				v[i] = 1 + 3*float32(r.NormFloat64())
			}
			return v
		}
		var keys []vecstore.Key
		var vecs [][]float32
		var slots []uint32
		for i := range n {
			v := random()
			if cfg.Normalized {
				vector.Normalize(v)
			}
			keys, vecs, slots = append(keys, vecstore.Key{byte(i), byte(i >> 8)}), append(vecs, v), append(slots, uint32(i))
		}
		if _, err := s.Append(keys, vecs); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		other := cfg
		other.Metric = cfg.Metric%3 + 1
		if _, err := vecstore.Open(mem, "m.vecs", other, pool); !errors.Is(err, vecstore.ErrMismatch) {
			t.Errorf("opening %v as %v: %v", cfg.Metric, other.Metric, err)
		}
		other = cfg
		other.Normalized = !cfg.Normalized
		if _, err := vecstore.Open(mem, "m.vecs", other, pool); !errors.Is(err, vecstore.ErrMismatch) {
			t.Errorf("opening with normalized %v: %v", other.Normalized, err)
		}
		if s, err = vecstore.Open(mem, "m.vecs", cfg, pool); err != nil || s.Config() != cfg {
			t.Fatalf("%+v, %v; want %+v", s.Config(), err, cfg)
		}
		q := random()
		if cfg.Metric == vecstore.Cosine {
			vector.Normalize(q)
		}
		got := make([]float32, n)
		if err := s.Dots(q, slots, got); err != nil {
			t.Fatal(err)
		}
		codes, err := s.Codes(slots)
		if err != nil {
			t.Fatal(err)
		}
		if (codes.Codes().Halves != nil) != (cfg.Metric == vecstore.Euclidean) {
			t.Errorf("%v: halves %v", cfg.Metric, codes.Codes().Halves != nil)
		}
		var query vector.Query
		query.Set(q)
		near, c := make([]float32, n), codes.Codes()
		sums, of := make([]int32, n), slices.Clone(slots)
		c.Screen(sums, &query, of, slices.Clone(slots), float32(math.NaN())) // all pass
		c.Dots(near, sums, &query, of)
		for i, v := range vecs {
			var dot, norm, square float64
			for j := range v {
				x, y := float64(v[j]), float64(q[j])
				dot += x * y
				norm += x * x
				square += (x - y) * (x - y)
			}
			want, step := dot, float64(c.Scales[i])*math.Sqrt(dim)
			switch cfg.Metric {
			case vecstore.Cosine:
				want = dot / math.Sqrt(norm)
			case vecstore.Euclidean:
				want = -square / 2
				step *= math.Sqrt(square)
			}
			if math.Abs(float64(got[i])-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("%v, normalized %v: slot %d is %v, want %v", cfg.Metric, cfg.Normalized, i, got[i], want)
			}
			if math.Abs(float64(near[i])-want) > 1e-3+8*step {
				t.Errorf("%v, normalized %v: slot %d is %v by codes, want about %v", cfg.Metric, cfg.Normalized, i, near[i], want)
			}
		}
		codes.Release()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVectorsThatCannotBeMeasured(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	cosine, free := vecstore.Cosine, vecstore.Euclidean
	for _, tt := range []struct {
		metric     vecstore.Metric
		normalized bool
		v          []float32
		ok         bool
	}{
		{cosine, true, []float32{1, 0}, true},
		{cosine, true, []float32{2, 0}, false},
		{cosine, true, []float32{0, 0}, false},
		{cosine, false, []float32{2, 0}, true},
		{cosine, false, []float32{0, 0}, false},
		{cosine, false, []float32{1e-20, 0}, false},
		{free, false, []float32{0, 0}, true},
		{free, false, []float32{1e17, 1e17}, true},
		{free, false, []float32{1e19, 0}, false},
		{free, false, []float32{nan, 0}, false},
		{free, false, []float32{inf, 0}, false},
		{free, false, []float32{1}, false},
		{free, true, []float32{0, 0}, false},
	} {
		cfg := vecstore.Config{Domain: "a/b", Fingerprint: "m", Dim: 2, Metric: tt.metric, Normalized: tt.normalized}
		if err := cfg.Check(tt.v); (err == nil) != tt.ok || err != nil && !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("%v, normalized %v, %v: %v", tt.metric, tt.normalized, tt.v, err)
		}
	}
}
