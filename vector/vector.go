package vector

import (
	"fmt"
	"math"
)

// lanes is the number of running sums; fixed, because the order of additions
// is part of the result.
const lanes = 16

// Dot returns the inner product of a and b, which have the same length; b's
// further elements are ignored.
func Dot(a, b []float32) float32 { return dot(a, b[:len(a)]) }

// Dots sets dst[i] to the inner product ([Dot]) of q and of the row
// rows[ids[i]*stride:]. It has the same bits, and takes less time than one row
// after another. dst is as long as ids.
func Dots(dst, q, rows []float32, stride int, ids []uint32) {
	check(len(dst), len(ids), len(q), len(rows), stride)
	if left := dots(dst, q, rows, stride, ids); left > 0 {
		beyond(len(q), len(rows), stride, ids[len(ids)-left:])
	}
}

// Squares sets dst[i] to the squared Euclidean distance of q and of the row
// rows[ids[i]*stride:]: the sum of the squared differences, 0 exactly for equal
// vectors. dst is as long as ids.
func Squares(dst, q, rows []float32, stride int, ids []uint32) {
	check(len(dst), len(ids), len(q), len(rows), stride)
	if left := squares(dst, q, rows, stride, ids); left > 0 {
		beyond(len(q), len(rows), stride, ids[len(ids)-left:])
	}
}

// Square returns the squared Euclidean distance of a and b, which have the same
// length, with the same bits as [Squares].
func Square(a, b []float32) float32 {
	var dst [1]float32
	Squares(dst[:], a, b, 0, []uint32{0})
	return dst[0]
}

// Block is what the length of a query of [Dots8] is a multiple of.
const Block = 64

// Dots8 sets dst[i] to the inner product of q and of the bytes
// codes[ids[i]*stride:], exactly, on every machine. The length of q is a
// multiple of [Block], at most 65536, and dst is as long as ids. It is fastest
// when the rows start at multiples of 64 in memory.
func Dots8(dst []int32, q []int8, codes []byte, stride int, ids []uint32) {
	if len(q)%Block != 0 || len(q) > maxCodes {
		panic(fmt.Sprintf("vector: a query of %d codes, want a multiple of %d up to %d", len(q), Block, maxCodes))
	}
	check(len(dst), len(ids), len(q), len(codes), stride)
	if left := dots8(dst, q, codes, stride, ids); left > 0 {
		beyond(len(q), len(codes), stride, ids[len(ids)-left:])
	}
}

// Dots4 sets dst[i] to the inner product of q and of the halves of bytes
// codes[ids[i]*stride:], exactly, on every machine. The halves of 64 bytes are
// those of 128 values: first come the lower ones, then the upper. The length of
// q is a multiple of 2·[Block], at most 65536, and dst is as long as ids. It is
// fastest when the rows start at multiples of 64 in memory.
func Dots4(dst []int32, q []int8, codes []byte, stride int, ids []uint32) {
	if len(q)%(2*Block) != 0 || len(q) > maxCodes {
		panic(fmt.Sprintf("vector: a query of %d codes, want a multiple of %d up to %d", len(q), 2*Block, maxCodes))
	}
	check(len(dst), len(ids), len(q)/2, len(codes), stride)
	if left := dots4(dst, q, codes, stride, ids); left > 0 {
		beyond(len(q)/2, len(codes), stride, ids[len(ids)-left:])
	}
}

// Prefetch has the n bytes codes[ids[i]*stride:] of every i fetched into the
// processor's cache, without waiting for them: a hint for a [Dots8] to come.
// Dots8 does it by itself for all rows but its first.
func Prefetch(codes []byte, stride, n int, ids []uint32) {
	if len(codes) > 0 && n > 0 && len(ids) > 0 {
		prefetchRows(codes, stride, n, ids)
	}
}

// maxCodes is below 2³¹/(255·128), so that no sum of products overflows.
const maxCodes = 1 << 16

// maxStride keeps the product with an id within 63 bits, in bytes too.
const maxStride = 1 << 28

// check panics if arguments are not as [Dots] wants them.
func check(dst, ids, q, rows, stride int) {
	if dst != ids || stride < 0 || stride > maxStride || ids > 0 && rows < q {
		panic(fmt.Sprintf("vector: %d results for %d ids, queries of %d, rows of %d with stride %d", dst, ids, q, rows, stride))
	}
}

// beyond panics for the first of ids whose row is not within rows.
func beyond(q, rows, stride int, ids []uint32) {
	for _, id := range ids {
		if int(id)*stride > rows-q {
			panic(fmt.Sprintf("vector: row %d of %d with stride %d is beyond %d", id, q, stride, rows))
		}
	}
}

func dotsGo(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	for i, id := range ids {
		at := uint64(id) * uint64(stride)
		if at > uint64(len(rows)-len(q)) {
			return len(ids) - i
		}
		dst[i] = dotGo(q, rows[at:][:len(q)])
	}
	return 0
}

func squaresGo(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	for i, id := range ids {
		at := uint64(id) * uint64(stride)
		if at > uint64(len(rows)-len(q)) {
			return len(ids) - i
		}
		dst[i] = squareGo(q, rows[at:][:len(q)])
	}
	return 0
}

func dots8Go(dst []int32, q []int8, codes []byte, stride int, ids []uint32) (left int) {
	for i, id := range ids {
		at := uint64(id) * uint64(stride)
		if at > uint64(len(codes)-len(q)) {
			return len(ids) - i
		}
		row := codes[at:][:len(q)]
		var s0, s1, s2, s3 int32
		for at := 0; at+4 <= len(q); at += 4 {
			x, y := (*[4]int8)(q[at:]), (*[4]byte)(row[at:])
			s0 += int32(x[0]) * int32(y[0])
			s1 += int32(x[1]) * int32(y[1])
			s2 += int32(x[2]) * int32(y[2])
			s3 += int32(x[3]) * int32(y[3])
		}
		dst[i] = s0 + s1 + s2 + s3
	}
	return 0
}

func dots4Go(dst []int32, q []int8, codes []byte, stride int, ids []uint32) (left int) {
	n := len(q) / 2
	for i, id := range ids {
		at := uint64(id) * uint64(stride)
		if at > uint64(len(codes)-n) {
			return len(ids) - i
		}
		row, sum := codes[at:][:n], int32(0)
		for at := 0; at+Block <= len(row) && 2*at+2*Block <= len(q); at += Block {
			x, y, codes := (*[Block]int8)(q[2*at:]), (*[Block]int8)(q[2*at+Block:]), (*[Block]byte)(row[at:])
			var lower, upper int32
			for j, c := range codes {
				lower += int32(x[j]) * int32(c&15)
				upper += int32(y[j]) * int32(c>>4)
			}
			sum += lower + upper
		}
		dst[i] = sum
	}
	return 0
}

func dotGo(a, b []float32) float32 {
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
	return fold(&s)
}

// fold adds up the running sums.
func fold(s *[lanes]float32) float32 {
	return ((s[0] + s[8]) + (s[4] + s[12])) + ((s[2] + s[10]) + (s[6] + s[14])) +
		(((s[1] + s[9]) + (s[5] + s[13])) + ((s[3] + s[11]) + (s[7] + s[15])))
}

func squareGo(a, b []float32) float32 {
	b = b[:len(a)]
	var s [lanes]float32
	for len(a) >= lanes {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		for l := range s {
			d := x[l] - y[l]
			s[l] += float32(d * d)
		}
		a, b = a[lanes:], b[lanes:]
	}
	for l, x := range a {
		d := x - b[l]
		s[l] += float32(d * d)
	}
	return fold(&s)
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
