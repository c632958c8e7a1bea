package vector_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

func planes(dim int, rows ...[]float32) *vector.Planes {
	p := &vector.Planes{Stride: vector.PlaneLen(dim), Scales: make([]float32, len(rows))}
	p.Upper, p.Lower = make([]byte, p.Stride*len(rows)), make([]byte, p.Stride*len(rows))
	for i, r := range rows {
		p.Set(uint32(i), r)
	}
	return p
}

// products returns the products of q and all rows.
func products(p *vector.Planes, q *vector.Query) []float32 {
	ids, sums := rowsOf(p)
	dst := make([]float32, len(ids))
	p.Screen(sums, q, ids, slices.Clone(ids), float32(math.NaN()))
	p.Dots(dst, sums, q, ids)
	return dst
}

func rowsOf(p *vector.Planes) (ids []uint32, sums []int32) {
	ids = make([]uint32, len(p.Scales))
	for i := range ids {
		ids[i] = uint32(i)
	}
	return ids, make([]int32, len(ids))
}

// passed returns the rows that pass for a limit, with their products.
func passed(t *testing.T, p *vector.Planes, q *vector.Query, limit float32) map[uint32]float32 {
	t.Helper()
	ids, sums := rowsOf(p)
	along := make([]uint32, len(ids))
	for i := range along {
		along[i] = 1000 + uint32(i)
	}
	n := p.Screen(sums, q, ids, along, limit)
	dots := make([]float32, n)
	p.Dots(dots, sums[:n], q, ids[:n])
	got := make(map[uint32]float32)
	for i, id := range ids[:n] {
		if along[i] != 1000+id || i > 0 && ids[i-1] >= id {
			t.Fatalf("%d, after %v, moved along with %d", along[i], ids[:i], id)
		}
		got[id] = dots[i]
	}
	return got
}

// TestPlanesApproximate: products are as near as rounding lets them be, and
// hardly any is less than its estimate says. Values may be of one sign, and most
// of them zero or the greatest, as in pictures.
func TestPlanesApproximate(t *testing.T) {
	const seed = 21
	r := rand.New(rand.NewPCG(seed, 0))
	fills := map[string]func() float64{
		"normal":  r.NormFloat64,
		"picture": func() float64 { return min(max(3*r.NormFloat64(), 0), 1) },
	}
	for name, next := range fills {
		wrong, all := 0, 0
		for _, dim := range []int{1, 3, 63, 64, 65, 128, 129, 384, 784, 1536} {
			for _, size := range []float64{1e-12, 1e-3, 1, 1e10} {
				rows := make([][]float32, 40)
				for i := range rows {
					rows[i] = make([]float32, dim)
					for j := range rows[i] {
						rows[i][j] = float32(size * next())
						if i > 20 { // nearly that of the query
							rows[i][j] = rows[0][j] + rows[i][j]/100
						}
					}
				}
				p := planes(dim, rows...)
				var q vector.Query
				q.Set(rows[0])
				dots := products(p, &q)
				for i, got := range dots {
					var want, bound, most float64
					for _, x := range rows[i] {
						most = max(most, math.Abs(float64(x)))
					}
					for j, x := range rows[0] {
						y := float64(rows[i][j])
						want += float64(x) * y
						bound += math.Abs(y)*5*size/254 + math.Abs(float64(x))*most/224
					}
					if diff := math.Abs(float64(got) - want); diff > 1.01*bound+1e-6*math.Abs(want) {
						t.Errorf("%s, dim %d size %g: row %d has product %v, want %v ± %v", name, dim, size, i, got, want, bound)
					}
					all++
					if again, ok := passed(t, p, &q, got)[uint32(i)]; !ok {
						wrong++
					} else if again != got {
						t.Fatalf("%s, dim %d: row %d has product %v, and %v among all", name, dim, i, again, got)
					}
				}
			}
		}
		if wrong > all/100 {
			t.Errorf("%s, seed %d: %d of %d products are said to be less than they are", name, seed, wrong, all)
		}
	}
}

// TestPlanesScreen: vectors that have nothing to do with the query do not pass.
func TestPlanesScreen(t *testing.T) {
	const dim = 384
	r := rand.New(rand.NewPCG(22, 0))
	rows := make([][]float32, 1000)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(r.NormFloat64())
		}
		vector.Normalize(rows[i])
	}
	p := planes(dim, rows...)
	var q vector.Query
	q.Set(rows[700])
	got := passed(t, p, &q, 0.25)
	if _, ok := got[700]; !ok || len(got) > 10 {
		t.Errorf("%d of 1000 pass, the query's own: %v", len(got), ok)
	}
}

// TestPlanesExact: what fits into the codes is not rounded.
func TestPlanesExact(t *testing.T) {
	p := planes(4, []float32{112, -112, 1, 0}, []float32{0.5, 2.5, -1.5, 112}, []float32{0, 0, 0, 0}, []float32{7, 8, -8, -112})
	var q vector.Query
	q.Set([]float32{127, -127, 1, 0})
	want := []float32{2*127*112 + 1, -2*127 - 2, 0, 7*127 - 8*127 - 8} // halves are rounded to even
	got := products(p, &q)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: product %v, want %v", i, got[i], want[i])
		}
	}
}

func TestPlanesOfOddVectors(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, test := range []struct {
		v    []float32
		want float32
	}{
		{[]float32{0, 0, 0}, 0},
		{[]float32{1e-40, 0, -1e-31}, 0},
		{[]float32{1, nan, 0}, nan},
		{[]float32{1, -inf, 0}, nan},
	} {
		p := planes(3, test.v)
		var q vector.Query
		q.Set([]float32{2, 2, 2})
		got := products(p, &q)
		if fmt.Sprint(got[0]) != fmt.Sprint(test.want) {
			t.Errorf("product with %v is %v, want %v", test.v, got[0], test.want)
		}
		if test.want != test.want && len(passed(t, p, &q, 1)) != 1 {
			t.Errorf("product with %v is said to be small", test.v)
		}
	}
}

// TestPlanesKernels: all implementations make the same planes and products.
func TestPlanesKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 4))
	for _, kind := range kinds {
		for _, dim := range []int{1, 31, 64, 65, 128, 129, 384, 785} {
			for range 10 {
				v, w := make([]float32, dim), make([]float32, dim)
				for i := range v {
					v[i], w[i] = kind.next(r), kind.next(r)
				}
				var want *vector.Planes
				var dot float32
				for _, name := range vector.Kernels() {
					restore := vector.Use(name)
					got := planes(dim, v)
					var q vector.Query
					q.Set(w)
					dots := products(got, &q)
					restore()
					if want == nil {
						want, dot = got, dots[0]
					}
					if !slices.Equal(got.Upper, want.Upper) || !slices.Equal(got.Lower, want.Lower) ||
						!same(got.Scales[0], want.Scales[0]) || !same(dots[0], dot) {
						t.Fatalf("%s, dim %d: %s makes other planes of %v than %s", kind.name, dim, name, v, vector.Kernels()[0])
					}
				}
			}
		}
	}
}

// TestLoss: products by codes err by no more than the bound that Loss gives, also
// where all values of a vector are rounded the same way.
func TestLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var worst float64
	for _, dim := range []int{1, 3, 64, 384, 1000} {
		for round := range 200 {
			v, w := make([]float32, dim), make([]float32, dim)
			level := 127 * rng.Float32()
			for i := range v {
				v[i], w[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
				if round%2 == 0 {
					v[i], w[i] = level, level*112/127
				}
			}
			v[0], w[0] = 127, 112
			vector.Normalize(v)
			vector.Normalize(w)
			p := planes(dim, w)
			var q vector.Query
			q.Set(v)
			length, sum := q.Loss(v)
			bound := float64(length) + float64(sum*p.Scales[0]/2)
			loss := math.Abs(float64(products(p, &q)[0]) - float64(vector.Dot(v, w)))
			if loss > bound+1e-5 {
				t.Errorf("%d dimensions: a product errs by %v, the bound is %v", dim, loss, bound)
			}
			if bound > 1e-5 {
				worst = max(worst, loss/bound)
			}
		}
	}
	if worst < 0.5 {
		t.Errorf("the worst error is %.2f of its bound, which is then too wide", worst)
	}
}

func BenchmarkPlanesSet(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(i%17) - 8
			}
			p := planes(dim, v)
			for b.Loop() {
				p.Set(0, v)
			}
		})
	}
}
