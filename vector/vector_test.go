package vector_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

func random(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// plainDot is the definition: 16 running sums, element i into sum i mod 16,
// then folded by halves, every step rounded to float32.
func plainDot(a, b []float32) float32 {
	var s [16]float32
	for i := range a {
		p := float32(a[i] * b[i])
		s[i%16] = float32(s[i%16] + p)
	}
	for half := 8; half > 0; half /= 2 {
		for l := range half {
			s[l] = float32(s[l] + s[l+half])
		}
	}
	return s[0]
}

// Dot is the definition to the bit, whatever the length.
func TestDotBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		for range 5 {
			a, b := random(r, n), random(r, n)
			if got, want := vector.Dot(a, b), plainDot(a, b); math.Float32bits(got) != math.Float32bits(want) {
				t.Errorf("length %d: %v (%#x), want %v (%#x)", n, got, math.Float32bits(got), want, math.Float32bits(want))
			}
			if ab, ba := vector.Dot(a, b), vector.Dot(b, a); ab != ba {
				t.Errorf("length %d: %v one way, %v the other", n, ab, ba)
			}
		}
	}
}

// One number that must come out on every machine.
func TestDotPinned(t *testing.T) {
	a, b := make([]float32, 387), make([]float32, 387)
	x := uint32(1)
	for i := range a {
		x = x*1664525 + 1013904223
		a[i] = float32(int32(x)>>8) / (1 << 23)
		x = x*1664525 + 1013904223
		b[i] = float32(int32(x)>>8) / (1 << 23)
	}
	if got, want := math.Float32bits(vector.Dot(a, b)), uint32(0xc07a20d3); got != want {
		t.Errorf("Dot has bits %#x, want %#x", got, want)
	}
}

func TestDotAccuracy(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 15, 16, 17, 384, 784, 1536, 3072} {
		a, b := random(r, n), random(r, n)
		var exact, size float64
		for i := range a {
			p := float64(a[i]) * float64(b[i])
			exact += p
			size += math.Abs(p)
		}
		// Each product and each of n/16+4 additions on its way rounds once.
		bound := size * float64(n/16+6) * 0x1p-24
		if got := float64(vector.Dot(a, b)); math.Abs(got-exact) > bound {
			t.Errorf("length %d: %v, want %v ± %v", n, got, exact, bound)
		}
	}
}

func TestDotLengths(t *testing.T) {
	if got := vector.Dot(nil, nil); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
	long := slices.Repeat([]float32{2}, 40)
	if got := vector.Dot(slices.Repeat([]float32{1}, 20), long); got != 40 {
		t.Errorf("further elements of b count: %v, want 40", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a shorter b passes unnoticed")
		}
	}()
	vector.Dot(long, long[:39:39])
}

// Not a number is not lost on the way, wherever it stands.
func TestDotNaN(t *testing.T) {
	for i := range 37 {
		a, b := slices.Repeat([]float32{1}, 37), slices.Repeat([]float32{1}, 37)
		a[i] = float32(math.NaN())
		if got := vector.Dot(a, b); got == got {
			t.Errorf("NaN at %d: %v", i, got)
		}
	}
}

func TestNormalize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 384, 1536} {
		for _, scale := range []float32{1, 1e-30, 1e30, 0x1p-149} {
			v := random(r, n)
			for i := range v {
				v[i] *= scale
			}
			if slices.Max(v) == 0 && slices.Min(v) == 0 {
				v[0] = scale
			}
			if !vector.Normalize(v) {
				t.Errorf("%d × %g: false", n, scale)
			}
			if got := vector.Dot(v, v); math.Abs(float64(got)-1) > 1e-6 {
				t.Errorf("%d × %g: length² is %v", n, scale, got)
			}
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, v := range [][]float32{nil, {}, {0}, {0, 0, 0}, {1, nan}, {inf, 1}, {-inf}, {inf, nan}} {
		was := fmt.Sprint(v)
		if vector.Normalize(v) {
			t.Errorf("Normalize(%s) = true", was)
		}
		if got := fmt.Sprint(v); got != was {
			t.Errorf("Normalize(%s) leaves %s", was, got)
		}
	}
	if v := []float32{3, -4}; !vector.Normalize(v) || v[0] != 0.6 || v[1] != -0.8 {
		t.Errorf("of (3, -4): %v, want (0.6, -0.8)", v)
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct{ dot, want float32 }{
		{1, 0}, {0.5, 0.25}, {0, 0.5}, {-1, 1},
		{1.0000002, 0}, {-1.0000002, 1}, {7, 0}, {-7, 1}, // rounding, or no unit vectors
	} {
		if got := vector.Distance(tc.dot); got != tc.want {
			t.Errorf("Distance(%v) = %v, want %v", tc.dot, got, tc.want)
		}
	}
}
