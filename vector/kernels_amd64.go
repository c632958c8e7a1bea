package vector

import "golang.org/x/sys/cpu"

//go:generate go run ./kernels -out kernels_amd64.s -stubs kernels_stubs_amd64.go -pkg vector

// A kernel is an implementation of the arithmetic. A number and a switch, not
// a function: arguments would escape through a variable of a function.
type kernel int

const (
	portable kernel = iota
	avx2
	avx512
)

func (k kernel) String() string { return [...]string{"portable", "avx2", "avx512"}[k] }

// available returns the kernels that the machine runs, the best first.
func available() []kernel {
	var all []kernel
	x := cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI {
		all = append(all, avx512)
	}
	if x.HasAVX2 {
		all = append(all, avx2)
	}
	return append(all, portable)
}

var best = available()[0]

func dot(a, b []float32) float32 {
	switch {
	case len(a) == 0 || best == portable:
		return dotGo(a, b)
	case best == avx2:
		return dot2(&a[0], &b[0], len(a))
	default:
		return dot512(&a[0], &b[0], len(a))
	}
}

func dots(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	if len(q) == 0 || len(ids) == 0 || best == portable {
		return dotsGo(dst, q, rows, stride, ids)
	}
	last := 4 * (len(rows) - len(q))
	if best == avx2 {
		return dots2(&dst[0], &q[0], &rows[0], &ids[0], len(q), 4*stride, last, len(ids))
	}
	return dots512(&dst[0], &q[0], &rows[0], &ids[0], len(q), 4*stride, last, len(ids))
}

func squares(dst, q, rows []float32, stride int, ids []uint32) (left int) {
	if len(q) == 0 || len(ids) == 0 || best == portable {
		return squaresGo(dst, q, rows, stride, ids)
	}
	last := 4 * (len(rows) - len(q))
	if best == avx2 {
		return squares2(&dst[0], &q[0], &rows[0], &ids[0], len(q), 4*stride, last, len(ids))
	}
	return squares512(&dst[0], &q[0], &rows[0], &ids[0], len(q), 4*stride, last, len(ids))
}

func dots8(dst []int32, q []int8, rows []byte, stride int, ids []uint32) (left int) {
	if len(q) == 0 || len(ids) == 0 || best == portable {
		return dots8Go(dst, q, rows, stride, ids)
	}
	last := len(rows) - len(q)
	if best == avx2 {
		return dots8x2(&dst[0], &q[0], &rows[0], &ids[0], len(q), stride, last, len(ids))
	}
	return dots8x512(&dst[0], &q[0], &rows[0], &ids[0], len(q), stride, last, len(ids))
}

func dots4(dst []int32, q []int8, rows []byte, stride int, ids []uint32) (left int) {
	if len(q) == 0 || len(ids) == 0 || best == portable {
		return dots4Go(dst, q, rows, stride, ids)
	}
	last := len(rows) - len(q)/2
	if best == avx2 {
		return dots4x2(&dst[0], &q[0], &rows[0], &ids[0], len(q)/2, stride, last, len(ids))
	}
	return dots4x512(&dst[0], &q[0], &rows[0], &ids[0], len(q)/2, stride, last, len(ids))
}

func prefetchRows(codes []byte, stride, n int, ids []uint32) {
	prefetch(&codes[0], &ids[0], n, stride, len(ids))
}

func magnitude(v []float32) uint32 {
	whole := len(v) &^ 31
	if whole == 0 || best == portable {
		return magnitudeGo(v)
	}
	var most uint32
	if best == avx2 {
		most = magnitude2(&v[0], whole)
	} else {
		most = magnitude512(&v[0], whole)
	}
	return max(most, magnitudeGo(v[whole:]))
}

func round(row []byte, v []float32, inv float32) {
	whole := len(v) &^ 31
	if whole == 0 || best == portable {
		roundGo(row, v, inv)
		return
	}
	row = row[:len(v)]
	if best == avx2 {
		round2(&row[0], &v[0], whole, inv)
	} else {
		round512(&row[0], &v[0], whole, inv)
	}
	roundGo(row[whole:], v[whole:], inv)
}
