package vector

import "math"

// lanes is the number of running sums; fixed, because the order of additions
// is part of the result.
const lanes = 16

// Dot returns the inner product of a and b, which have the same length; b's
// further elements are ignored.
func Dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s [lanes]float32
	// Eight sums fit into the registers of every machine, sixteen do not: two
	// passes over the data, in cache, are faster than sums kept in memory.
	whole := len(a) &^ (lanes - 1)
	if whole > 0 {
		sum8((*[8]float32)(s[:8]), a[:whole], b[:whole])
		sum8((*[8]float32)(s[8:]), a[8:whole], b[8:whole])
	}
	for l, x := range a[whole:] {
		s[l] += float32(x * b[whole+l])
	}
	return ((s[0] + s[8]) + (s[4] + s[12])) + ((s[2] + s[10]) + (s[6] + s[14])) +
		(((s[1] + s[9]) + (s[5] + s[13])) + ((s[3] + s[11]) + (s[7] + s[15])))
}

// sum8 sets s to the sums of products over elements 0 to 7 of a and b, 16 to
// 23, 32 to 39 and so on; every second eight is left out.
func sum8(s *[8]float32, a, b []float32) {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for i := 0; i+8 <= len(a); i += lanes {
		x, y := (*[8]float32)(a[i:]), (*[8]float32)(b[i:])
		// The conversions forbid fusing the product into the sum, which some
		// compilers do on some machines (Go spec, "Floating-point operators").
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		s4 += float32(x[4] * y[4])
		s5 += float32(x[5] * y[5])
		s6 += float32(x[6] * y[6])
		s7 += float32(x[7] * y[7])
	}
	*s = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// Normalize scales v to unit length in place and reports whether it could: a
// vector that is zero, or holds a NaN or an infinity, is left alone.
func Normalize(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return false
	}
	inv := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * inv)
	}
	return true
}

// Distance maps the inner product of two unit vectors to the distance every
// answer carries: (1 − cos)/2 clamped to [0, 1], so that 0 is identical, 0.5
// orthogonal and 1 opposite.
func Distance(dot float32) float32 {
	return min(max((1-dot)/2, 0), 1)
}
