package minilm

import "math"

// kernels are the inner loops of a forward pass, chosen once for the machine.
// All implementations return the same bits: integer sums are exact, float
// operations are single and in the same order (see lanes).
//
// Rows are those of the tokens, one after another. A row x of floats that
// enters a weight matrix is rounded to int16s q and a scale s, x ≈ q·s.
type kernels struct {
	name string

	// weigh sets dst[r][n] = Σk(a[r][k]·w[n][k])·w.scale[n]·scale[r] + w.bias[n]
	// for len(scale) rows.
	weigh func(dst []float32, a []int16, scale []float32, w *matrix)
	// addNorm adds y to x, normalises each row of Dim to mean 0 and variance
	// 1, applies n, and rounds the rows into q and scale.
	addNorm func(x, y []float32, n *layerNorm, q []int16, scale []float32)
	// round rounds rows of width floats into q and scale.
	round func(x []float32, width int, q []int16, scale []float32)
	// gelu applies the activation in place and rounds the rows.
	gelu func(x []float32, width int, q []int16, scale []float32)
	// multiply sets dst[r][c] = Σd a[r][d]·b[d][c] for rows of a and 32·pairs
	// columns of b.
	multiply func(dst []float32, dstRow int, a []float32, aRow, rows int, b columns, depth, pairs int)
	// softmax adds mask to each row of width floats (a multiple of 16) and
	// turns it into shares of 1.
	softmax func(x []float32, mask []float32, rows, width int)
}

// columns are a matrix given as 16 columns side by side: element (d, c) lies
// at d·row + c/32·pair + c%32/16·vec + c%16.
type columns struct {
	data           []float32
	row, vec, pair int
}

// lanes is the number of running sums of a reduction: element i goes to sum
// i%16, and the sums are added in halves, 8 and 8, 4 and 4, 2 and 2, 1 and 1.
// AVX2 keeps them in two registers and AVX-512 in one.
const lanes = 16

// Rounding to 16 bits. The sums stay below 2³¹ because no output channel's
// weights add up to more than 65,538 (a test holds this).
const (
	maxInt16  float32 = 32767
	perInt16  float32 = 1 / maxInt16
	tinyScale float32 = 1e-30 // stands in for the largest value of a row of zeros
)

const normEpsilon float32 = 1e-12

// exp by Cephes' expf: 2ⁿ times a polynomial in r, where x = n·ln 2 + r. Adding
// expRound to x/ln 2 leaves n in the low bits of the sum.
const (
	expMin   float32 = -87
	expRound float32 = 12582912 // 1.5·2²³
	log2E    float32 = 1.44269504
	ln2High  float32 = 0.693359375
	ln2Low   float32 = -2.12194440e-4
	exp5     float32 = 1.9875691500e-4
	exp4     float32 = 1.3981999507e-3
	exp3     float32 = 8.3334519073e-3
	exp2     float32 = 4.1665795894e-2
	exp1     float32 = 1.6666665459e-1
	exp0     float32 = 5.0000001201e-1
)

// erf by Abramowitz and Stegun 7.1.26: 1 - (e1·t + … + e5·t⁵)·exp(-z²) with
// t = 1/(1+erfT·z). Its error is below 1.5e-7.
const (
	halfRoot float32 = 0.70710678 // 1/√2
	erfT     float32 = 0.3275911
	erf1     float32 = 0.254829592
	erf2     float32 = -0.284496736
	erf3     float32 = 1.421413741
	erf4     float32 = -1.453152027
	erf5     float32 = 1.061405429
)

// portable are the kernels in plain Go. Every product is converted to float32
// before it is added to, which forbids the compiler to fuse the two, as some
// machines would. The race detector is kept out, as it is out of assembly:
// the loops touch only what their caller owns, and would be thirty times
// slower.
var portable = kernels{
	name:     "portable",
	weigh:    weighGo,
	addNorm:  addNormGo,
	round:    roundGo,
	gelu:     geluGo,
	multiply: multiplyGo,
	softmax:  softmaxGo,
}

// weighGo puts two channels' weights into one integer, the second 32 bits up,
// so that one multiplication serves both; the borrow of a negative lower half
// is undone at the end.
//
//go:norace
func weighGo(dst []float32, a []int16, scale []float32, w *matrix) {
	k := w.k
	pairs := make([][panel / 2]int64, k)
	for n := 0; n < w.n; n += panel {
		weights := w.w[n*k : (n+panel)*k]
		for i := range pairs {
			c := (*[panel]int8)(weights[i*panel:])
			for j := range pairs[i] {
				pairs[i][j] = int64(c[2*j]) + int64(c[2*j+1])<<32
			}
		}
		channelScale, bias := w.scale[n:n+panel], w.bias[n:n+panel]
		for r, rowScale := range scale {
			sums := dot(a[r*k:(r+1)*k], pairs)
			out := dst[r*w.n+n : r*w.n+n+panel]
			for j, s := range sums {
				low := int32(s)
				high := int32((s - int64(low)) >> 32)
				v := float32(low) * channelScale[2*j]
				v = float32(v) * rowScale
				out[2*j] = float32(v) + bias[2*j]
				v = float32(high) * channelScale[2*j+1]
				v = float32(v) * rowScale
				out[2*j+1] = float32(v) + bias[2*j+1]
			}
		}
	}
}

//go:norace
func dot(a []int16, pairs [][panel / 2]int64) [panel / 2]int64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 int64
	pairs = pairs[:len(a)]
	for i, v := range a {
		x, p := int64(v), &pairs[i]
		s0 += x * p[0]
		s1 += x * p[1]
		s2 += x * p[2]
		s3 += x * p[3]
		s4 += x * p[4]
		s5 += x * p[5]
		s6 += x * p[6]
		s7 += x * p[7]
	}
	return [panel / 2]int64{s0, s1, s2, s3, s4, s5, s6, s7}
}

//go:norace
func addNormGo(x, y []float32, n *layerNorm, q []int16, scale []float32) {
	for r := range scale {
		x, y := x[r*Dim:(r+1)*Dim], y[r*Dim:(r+1)*Dim]
		var sums [lanes]float32
		for i := range x {
			x[i] += y[i]
			sums[i%lanes] += x[i]
		}
		mean := total(sums) * float32(1.0/Dim)
		clear(sums[:])
		for i := range x {
			d := x[i] - float32(mean)
			x[i] = d
			sums[i%lanes] += float32(d * d)
		}
		variance := total(sums) * float32(1.0/Dim)
		inverse := 1 / float32(math.Sqrt(float64(float32(variance)+normEpsilon)))
		for i := range x {
			v := x[i] * inverse
			v = float32(v) * n.gain[i]
			x[i] = float32(v) + n.shift[i]
		}
	}
	roundGo(x, Dim, q, scale)
}

//go:norace
func total(s [lanes]float32) float32 {
	for half := lanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

//go:norace
func roundGo(x []float32, width int, q []int16, scale []float32) {
	for r := range scale {
		x, q := x[r*width:(r+1)*width], q[r*width:(r+1)*width]
		most := tinyScale
		for _, v := range x {
			most = max(most, abs(v))
		}
		scale[r] = most * perInt16
		inverse := maxInt16 / most
		for i, v := range x {
			q[i] = int16(math.RoundToEven(float64(v * inverse)))
		}
	}
}

//go:norace
func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

//go:norace
func geluGo(x []float32, width int, q []int16, scale []float32) {
	for i, v := range x[:width*len(scale)] {
		a := abs(v)
		z := a * halfRoot
		t := 1 / (float32(z*erfT) + 1)
		p := float32(t*erf5) + erf4
		p = float32(p*t) + erf3
		p = float32(p*t) + erf2
		p = float32(p*t) + erf1
		p = p * t
		tail := float32(p*exp(-float32(z*z))) * 0.5 // share of the normal distribution beyond a
		x[i] = max(v, 0) - float32(a*tail)
	}
	roundGo(x, width, q, scale)
}

// exp returns the exponential of x ≤ 0, with 2 ulp of error, and 1.6e-38 for
// all that is smaller.
//
//go:norace
func exp(x float32) float32 {
	x = max(x, expMin)
	t := float32(x*log2E) + expRound
	n := t - expRound
	r := x - float32(n*ln2High)
	r = r - float32(n*ln2Low)
	p := float32(r*exp5) + exp4
	p = float32(p*r) + exp3
	p = float32(p*r) + exp2
	p = float32(p*r) + exp1
	p = float32(p*r) + exp0
	p = float32(p*float32(r*r)) + r
	p = p + 1
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}

//go:norace
func multiplyGo(dst []float32, dstRow int, a []float32, aRow, rows int, b columns, depth, pairs int) {
	for c := 0; c < 2*pairs; c++ {
		column := b.data[c/2*b.pair+c%2*b.vec:]
		for r := range rows {
			var sums [lanes]float32
			for d, v := range a[r*aRow : r*aRow+depth] {
				row := (*[lanes]float32)(column[d*b.row:])
				for i := range sums {
					sums[i] += float32(v * row[i])
				}
			}
			copy(dst[r*dstRow+c*lanes:], sums[:])
		}
	}
}

//go:norace
func softmaxGo(x []float32, mask []float32, rows, width int) {
	mask = mask[:width]
	for r := range rows {
		x := x[r*width : (r+1)*width]
		most := x[0] + mask[0]
		for i := range x {
			x[i] += mask[i]
			most = max(most, x[i])
		}
		var sums [lanes]float32
		for i := range x {
			x[i] = exp(x[i] - most)
			sums[i%lanes] += x[i]
		}
		inverse := 1 / total(sums)
		for i := range x {
			x[i] *= inverse
		}
	}
}
