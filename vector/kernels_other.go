//go:build !amd64

package vector

// kernel is an implementation of the arithmetic; here there is one.
type kernel int

const portable kernel = 0

func (kernel) String() string { return "portable" }

func available() []kernel { return []kernel{portable} }

var best = portable

func dot(a, b []float32) float32 { return dotGo(a, b) }

func dots(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	return dotsGo(dst, q, rows, stride, ids)
}

func squares(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	return squaresGo(dst, q, rows, stride, ids)
}

func dots8(dst []int32, q []int8, codes []byte, stride int, ids []uint32) (left int) {
	return dots8Go(dst, q, codes, stride, ids)
}

func dots4(dst []int32, q []int8, codes []byte, stride int, ids []uint32) (left int) {
	return dots4Go(dst, q, codes, stride, ids)
}

func prefetchRows([]byte, int, int, []uint32) {}

func magnitude(v []float32) uint32 { return magnitudeGo(v) }

func round(row []byte, v []float32, inv float32) { roundGo(row, v, inv) }
