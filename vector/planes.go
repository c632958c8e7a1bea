package vector

import "encoding/binary"

// Planes are vectors rounded to 8 bits, like [Codes], of which the upper and the
// lower four bits lie apart. The upper ones, half the memory, tell most of the
// vectors that are far away ([Planes.Screen]); with the lower ones a product is
// as good as one of Codes ([Planes.Dots]).
//
// Value x of a row stands as the number round(x/s), where the row's scale s is
// its largest magnitude / 112, and that as 16·u + l, u from −7 to 7 and l from −8
// to 7: what is greatest in a vector, and what is zero, then needs no l. Both are
// stored plus 8, those of 128 values in 64 bytes of each plane: the first 64 in
// the lower halves of the bytes.
type Planes struct {
	Stride int       // bytes from row to row of a plane
	Upper  []byte    // both are fastest where they
	Lower  []byte    // begin at a multiple of 64 in memory
	Scales []float32 // by row
	// Halves are as in [Codes].
	Halves []float32
}

// PlaneLen returns the number of bytes of a vector's row in each plane.
func PlaneLen(dim int) int { return (dim + 2*Block - 1) / (2 * Block) * Block }

const (
	planesMost = 16 * 7
	planesZero = 8 // half a byte that stands for zero
	// What the lower plane adds to a product is a sum of as many errors as there
	// are values, each anywhere within 16 times one of the query. Three times its
	// root mean square is seldom passed: 3·16/√12.
	planesError = 14
)

// Set makes the row of id the codes of v. A vector that holds a NaN or an
// infinity has NaN for its inner product with any other.
func (p *Planes) Set(id uint32, v []float32) {
	var inv float32
	p.Scales[id], inv = scaleOf(v, planesMost)
	if inv == 0 {
		v = v[:0] // zeros
	}
	sum := int32(0)
	upper, lower := p.Upper[int(id)*p.Stride:][:p.Stride], p.Lower[int(id)*p.Stride:][:p.Stride]
	for len(upper) > 0 {
		var codes [2 * Block]byte // plus 128
		n := min(len(v), len(codes))
		round(codes[:n], v[:n], inv)
		fill(codes[n:], 128)
		if p.Halves != nil {
			sum += squareSum(codes[:])
		}
		for i := 0; i < Block; i += 8 {
			const eight, low = 0x0808080808080808, 0x0f0f0f0f0f0f0f0f
			// No byte overflows: the largest is 128 + 112 + 8.
			x := binary.LittleEndian.Uint64(codes[i:]) + eight
			y := binary.LittleEndian.Uint64(codes[Block+i:]) + eight
			binary.LittleEndian.PutUint64(upper[i:], x>>4&low|y&^low)
			binary.LittleEndian.PutUint64(lower[i:], x&low|y&low<<4)
		}
		v, upper, lower = v[n:], upper[Block:], lower[Block:]
	}
	if p.Halves != nil {
		p.Halves[id] = float32(p.Scales[id]*p.Scales[id]) * float32(sum) / 2
	}
}

// Screen moves to the front of ids, in order, those of rows whose product with q
// ([Planes.Dots]) may be at least a limit, and returns how many they are: of the others
// hardly any is. sums gets the products with the upper plane, for [Planes.Dots];
// along is moved like ids. All three are of one length. Where products or the
// limit are not numbers, rows stay.
func (p *Planes) Screen(sums []int32, q *Query, ids, along []uint32, limit float32) int {
	Dots4(sums, q.codes, p.Upper, p.Stride, ids)
	if p.Halves != nil {
		q.measure()
	}
	// All in variables: this loop is a good part of a search.
	scales, scale, zero, margin, halves, half := p.Scales, q.scale, planesZero*q.sum, q.margin, p.Halves, q.half
	along, sums = along[:len(ids)], sums[:len(ids)]
	n := 0
	for i, id := range ids {
		sum := 16 * (sums[i] - zero)
		ids[n], along[n], sums[n] = id, along[i], sum
		dot := float32(scale*scales[id]) * float32(sum+margin)
		if halves != nil {
			dot -= float32(half + halves[id])
		}
		if !(dot < limit) {
			n++
		}
	}
	return n
}

// Dots sets dst[i] to about the inner product of q and of the row of ids[i], or,
// where there are Halves, minus half the square of their distance; the same on
// every machine. sums is of [Planes.Screen]. It and dst are as long as ids.
func (p *Planes) Dots(dst []float32, sums []int32, q *Query, ids []uint32) {
	q.sums = sized(q.sums, len(ids))
	Dots4(q.sums, q.codes, p.Lower, p.Stride, ids)
	for i, id := range ids {
		dst[i] = float32(q.scale*p.Scales[id]) * float32(sums[i]+q.sums[i]-planesZero*q.sum)
	}
	if p.Halves != nil {
		for i, id := range ids {
			dst[i] -= float32(q.half + p.Halves[id])
		}
	}
}
