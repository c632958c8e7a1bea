package vector

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Codes are vectors rounded to 8 bits, for approximate inner products that
// read a quarter of the memory. Value x of a row stands as the byte
// round(x/s)+128, where the row's scale s is its largest magnitude / 127: every
// row has its own, so that codes never need to be made anew when others come.
// The codes of a row end with bytes of 128, which stand for zero, up to a
// multiple of [Block].
type Codes struct {
	Stride int       // bytes from row to row
	Rows   []byte    // fastest where it begins at a multiple of 64 in memory
	Scales []float32 // by row
	// Halves, where not nil, are half the squared lengths of what the rows
	// stand for. [Codes.Dots] then gives minus half the squared distance.
	Halves []float32
}

// CodeLen returns the number of bytes of the codes of a vector.
func CodeLen(dim int) int { return (dim + Block - 1) / Block * Block }

// Set makes the row of id the codes of v. A vector that holds a NaN or an
// infinity has NaN for its inner product with any other.
func (c *Codes) Set(id uint32, v []float32) {
	row := c.Rows[int(id)*c.Stride:][:CodeLen(len(v))]
	c.Scales[id] = encode(row, v)
	if c.Halves != nil {
		c.Halves[id] = half(row, c.Scales[id])
	}
}

// half returns half the squared length of what a row of codes stands for.
// Measured by the codes and not by the vector: then a distance errs by what
// rounding does to the difference of two vectors, not to the vectors, and rows
// of the same codes have distance 0.
func half(row []byte, scale float32) float32 {
	return float32(scale*scale) * float32(squareSum(row)) / 2
}

// squareSum returns the sum of the squares of codes.
func squareSum(row []byte) int32 {
	sum := int32(0)
	for _, x := range row {
		d := int32(x) - 128
		sum += d * d
	}
	return sum
}

// Query is a vector made ready to be measured against [Codes] or [Planes], and scratch
// memory for that: it serves one goroutine at a time, and any number of
// vectors one after another.
type Query struct {
	codes  []int8 // of a row of Codes, and zeros up to a multiple of 2·Block
	n      int    // how many without these
	scale  float32
	half   float32 // as in [Codes.Halves]; negative: not known yet
	sum    int32   // of the codes
	margin int32   // at most as a rule, what the lower plane of a row adds
	ones   []int8
	row    []byte
	sums   []int32
}

// Set makes q stand for v.
func (q *Query) Set(v []float32) {
	q.row = sized(q.row, CodeLen(len(v)))
	q.scale = encode(q.row, v)
	q.setCodes(q.row)
	q.half = -1
}

// Loss returns what rounding took from v, for which q was set: the length of the
// difference between v and what q stands for, and the sum of the magnitudes of
// that. The inner products of both with another vector differ by no more than the
// length times that vector's, and to round that one as well changes a product by
// no more than the sum times half its scale.
func (q *Query) Loss(v []float32) (length, sum float32) {
	var squares, magnitudes float64
	for i, x := range v {
		y := float64(q.scale) * float64(int(q.row[i])-128)
		d := float64(x) - y
		squares += d * d
		magnitudes += math.Abs(y)
	}
	return float32(math.Sqrt(squares)), float32(magnitudes)
}

// SetRow makes q stand for a row of c, whose vector has dim values. Where c has
// no halves, q cannot be measured against codes that have.
func (q *Query) SetRow(c *Codes, id uint32, dim int) {
	q.scale = c.Scales[id]
	q.setCodes(c.Rows[int(id)*c.Stride:][:CodeLen(dim)])
	if c.Halves != nil {
		q.half = c.Halves[id]
	}
}

func (q *Query) setCodes(row []byte) {
	if q.n != len(row) {
		q.n = len(row)
		q.codes = make([]int8, 2*PlaneLen(len(row)))
		q.ones = make([]int8, len(row))
		for i := range q.ones {
			q.ones[i] = 1
		}
	}
	if len(row) == 0 {
		q.sum, q.margin = 0, 0
		return
	}
	signed := unsafe.Slice((*byte)(unsafe.Pointer(&q.codes[0])), len(row))
	for i := 0; i+8 <= len(row) && i+8 <= len(signed); i += 8 { // less 128, bytewise
		binary.NativeEndian.PutUint64(signed[i:], binary.NativeEndian.Uint64(row[i:])^0x8080808080808080)
	}
	var sums [1]int32
	Dots8(sums[:], q.ones, row, 0, []uint32{0})
	q.sum = sums[0] - 128*int32(len(row))
	Dots8(sums[:], q.codes[:len(row)], row, 0, []uint32{0})
	q.margin = int32(planesError * math.Sqrt(float64(sums[0]-128*q.sum)))
}

// measure sets half.
func (q *Query) measure() {
	if q.half < 0 {
		q.half = half(q.row, q.scale)
	}
}

// Dots sets dst[i] to about the inner product of q and of the row of ids[i],
// the same on every machine, and the same for a and b as for b and a; or, where
// there are [Codes.Halves], to about minus half the square of their distance. dst
// is as long as ids.
func (c *Codes) Dots(dst []float32, q *Query, ids []uint32) {
	q.sums = sized(q.sums, len(ids))
	Dots8(q.sums, q.codes[:q.n], c.Rows, c.Stride, ids)
	for i, id := range ids {
		dst[i] = float32(q.scale*c.Scales[id]) * float32(q.sums[i]-128*q.sum)
	}
	if c.Halves != nil {
		q.measure()
		for i, id := range ids {
			// Both halves first: then it is the same for a and b as for b and a.
			dst[i] -= float32(q.half + c.Halves[id])
		}
	}
}

// sized returns s, or a new slice, with n elements of any value.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// tiny is the largest magnitude whose vector is coded as zeros: below it the
// scale or its inverse would not be a normal number.
const tiny = 1e-30

// encode sets row to the codes of v and returns their scale.
func encode(row []byte, v []float32) float32 {
	scale, inv := scaleOf(v, 127)
	n := 0
	if inv != 0 {
		n = len(v)
		round(row, v, inv)
	}
	fill(row[n:], 128)
	return scale
}

// scaleOf returns the scale of codes up to most, and what a value is multiplied
// by for its code; 0 if all codes are zeros.
func scaleOf(v []float32, most float32) (scale, inv float32) {
	largest := math.Float32frombits(magnitude(v))
	switch {
	case largest != largest || largest > math.MaxFloat32:
		return float32(math.NaN()), 0
	case largest < tiny:
		return 0, 0
	}
	return largest / most, most / largest
}

// roundGo sets row to the products of v and inv, which are within ±127.5, as
// codes.
func roundGo(row []byte, v []float32, inv float32) {
	row = row[:len(v)]
	for i, x := range v {
		// Adding 1.5·2²³ rounds to an integer, half to even, and leaves it in
		// the lowest bits. The conversion forbids fusing the two operations.
		y := float32(x*inv) + 3<<22
		row[i] = byte(math.Float32bits(y)) + 128
	}
}

// magnitudeGo returns the bits of the largest magnitude in v. The order of the
// bits is that of the numbers, with infinity and then NaN above all.
func magnitudeGo(v []float32) uint32 {
	const abs = 1<<31 - 1
	most := uint32(0)
	for _, x := range v {
		most = max(most, math.Float32bits(x)&abs)
	}
	return most
}

func fill(row []byte, x byte) {
	for i := range row {
		row[i] = x
	}
}
