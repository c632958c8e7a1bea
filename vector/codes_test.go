package vector_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

func coded(dim int, rows ...[]float32) *vector.Codes {
	c := &vector.Codes{Stride: vector.CodeLen(dim), Scales: make([]float32, len(rows))}
	c.Rows = make([]byte, c.Stride*len(rows))
	for i, r := range rows {
		c.Set(uint32(i), r)
	}
	return c
}

func dots8(c *vector.Codes, q *vector.Query) []float32 {
	dst, ids := make([]float32, len(c.Scales)), make([]uint32, len(c.Scales))
	for i := range ids {
		ids[i] = uint32(i)
	}
	c.Dots(dst, q, ids)
	return dst
}

// TestCodesApproximate: the error of a product of codes stays within what
// rounding both vectors can cause, for vectors of any length and scale.
func TestCodesApproximate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 3, 63, 64, 65, 384, 784, 1536} {
		for _, size := range []float64{1e-12, 1e-3, 1, 1e10} {
			var rows [][]float32
			for range 8 {
				v := make([]float32, dim)
				for i := range v {
					v[i] = float32(size * r.NormFloat64())
				}
				rows = append(rows, v)
			}
			c := coded(dim, rows...)
			var q vector.Query
			q.Set(rows[0])
			byVector := dots8(c, &q)
			q.SetRow(c, 0, dim)
			byRow := dots8(c, &q)
			for i, got := range byVector {
				var want, bound float64
				for j, x := range rows[0] {
					y := float64(rows[i][j])
					want += float64(x) * y
					bound += (math.Abs(y) + math.Abs(float64(x))) * 4 * size / 254
				}
				if diff := math.Abs(float64(got) - want); diff > bound+1e-6*math.Abs(want) {
					t.Errorf("dim %d size %g: row %d has product %v, want %v ± %v", dim, size, i, got, want, bound)
				}
				if byRow[i] != got {
					t.Errorf("dim %d: product with row %d is %v by its codes, %v by its values", dim, i, byRow[i], got)
				}
				q.SetRow(c, uint32(i), dim)
				if back := dots8(c, &q)[0]; back != got {
					t.Errorf("dim %d: rows 0 and %d have product %v, and %v the other way", dim, i, got, back)
				}
			}
		}
	}
}

// TestCodesExact: what fits into the codes is not rounded.
func TestCodesExact(t *testing.T) {
	c := coded(4, []float32{127, -127, 1, 0}, []float32{0.5, 2.5, -1.5, 127}, []float32{0, 0, 0, 0})
	var q vector.Query
	q.SetRow(c, 0, 4)
	want := []float32{2*127*127 + 1, -2*127 - 2, 0} // halves are rounded to even
	for i, got := range dots8(c, &q) {
		if got != want[i] {
			t.Errorf("row %d: product %v, want %v", i, got, want[i])
		}
	}
}

func TestCodesOfOddVectors(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, test := range []struct {
		v    []float32
		want float32
	}{
		{[]float32{0, 0, 0}, 0},
		{[]float32{1e-40, 0, -1e-31}, 0},
		{[]float32{1, nan, 0}, nan},
		{[]float32{1, -inf, 0}, nan},
		{[]float32{math.MaxFloat32, 0, 0}, inf},
	} {
		c := coded(3, test.v)
		var q vector.Query
		q.Set([]float32{2, 2, 2})
		if got := dots8(c, &q)[0]; fmt.Sprint(got) != fmt.Sprint(test.want) && test.want != inf {
			t.Errorf("product with %v is %v, want %v", test.v, got, test.want)
		}
	}
}

func BenchmarkCodesSet(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(i%17) - 8
			}
			c := coded(dim, v)
			for b.Loop() {
				c.Set(0, v)
			}
		})
	}
}

// TestCodesKernels: all implementations make the same codes.
func TestCodesKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, kind := range kinds {
		for _, dim := range []int{1, 31, 32, 33, 64, 100, 384, 785} {
			for range 20 {
				v := make([]float32, dim)
				for i := range v {
					v[i] = kind.next(r)
				}
				var want *vector.Codes
				for _, name := range vector.Kernels() {
					restore := vector.Use(name)
					got := coded(dim, v)
					restore()
					if want == nil {
						want = got
					}
					if !slices.Equal(got.Rows, want.Rows) || !same(got.Scales[0], want.Scales[0]) {
						t.Fatalf("%s, dim %d: %s makes other codes of %v than %s", kind.name, dim, name, v, vector.Kernels()[0])
					}
				}
			}
		}
	}
}

// TestCodesOfDistances: with halves a product is minus half a squared distance,
// 0 for a row and itself, the same both ways, and as exact far from the origin
// as the codes' steps allow.
func TestCodesOfDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, dim := range []int{1, 63, 384} {
		for _, offset := range []float32{0, 5} {
			c := &vector.Codes{Stride: vector.CodeLen(dim), Scales: make([]float32, 9), Halves: make([]float32, 9)}
			c.Rows = make([]byte, c.Stride*9)
			rows := make([][]float32, 9)
			for i := range rows {
				rows[i] = make([]float32, dim)
				for j := range rows[i] {
					rows[i][j] = offset + float32(r.NormFloat64())
				}
				if i == 8 {
					copy(rows[i], rows[0])
				}
				c.Set(uint32(i), rows[i])
			}
			var a, b vector.Query
			for i, row := range rows {
				a.Set(row)
				b.SetRow(c, uint32(i), dim)
				byVector, byRow := dots8(c, &a), dots8(c, &b)
				for j := range rows {
					want := float64(vector.Square(row, rows[j])) / 2
					// A value is off by half a step of either side at most.
					step := float64(c.Scales[i]+c.Scales[j]) / 2
					bound := step*math.Sqrt(2*want*float64(dim)) + step*step*float64(dim)/2 + 1e-4
					if diff := math.Abs(float64(byVector[j]) + want); diff > bound || byVector[j] != byRow[j] {
						t.Errorf("dim %d, offset %v: %d and %d: %v and %v, want %v ± %v", dim, offset, i, j, byVector[j], byRow[j], -want, bound)
					}
					b.SetRow(c, uint32(j), dim)
					if back := dots8(c, &b)[i]; back != byVector[j] {
						t.Errorf("dim %d: %v from %d to %d, %v back", dim, byVector[j], i, j, back)
					}
				}
				if byVector[i] != 0 || byRow[i] != 0 {
					t.Errorf("dim %d: row %d has the distance %v from itself", dim, i, byVector[i])
				}
			}
			if a.Set(rows[0]); dots8(c, &a)[8] != 0 {
				t.Error("equal vectors have a distance")
			}
		}
	}
}
