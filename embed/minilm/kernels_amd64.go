package minilm

import "golang.org/x/sys/cpu"

//go:generate go run ./kernels -out kernels_amd64.s -stubs kernels_stubs_amd64.go -pkg minilm

// available returns the implementations that the machine runs, the best first.
func available() []*kernels {
	var all []*kernels
	x := cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI {
		all = append(all, avx512)
	}
	if x.HasAVX2 {
		all = append(all, avx2)
	}
	return append(all, &portable)
}

// The assembly's types; see package kernels' sources for what they compute.
type (
	weighTile    func(dst *float32, a *int16, scale *float32, w *int8, wScale, bias *float32, k, n int)
	multiplyTile func(dst *float32, dstRow int, a *float32, aRow int, b *float32, bRow, bVec, bPair, depth, pairs int)
	roundRows    func(x *float32, width int, q *int16, scale *float32, rows int)
)

// The tiles stand at the number of their rows less 1.
var avx512 = assembly("avx512",
	[]weighTile{
		weigh1x512, weigh2x512, weigh3x512, weigh4x512, weigh5x512, weigh6x512,
		weigh7x512, weigh8x512, weigh9x512, weigh10x512, weigh11x512, weigh12x512,
	},
	[]multiplyTile{
		multiply1x512, multiply2x512, multiply3x512, multiply4x512,
		multiply5x512, multiply6x512, multiply7x512, multiply8x512,
	},
	addNorm512, round512, gelu512, softmax512)

var avx2 = assembly("avx2",
	[]weighTile{weigh1x2, weigh2x2, weigh3x2, weigh4x2, weigh5x2, weigh6x2},
	[]multiplyTile{multiply1x2, multiply2x2, multiply3x2, multiply4x2},
	addNorm2, round2, gelu2, softmax2)

func assembly(
	name string, weigh []weighTile, multiply []multiplyTile,
	addNorm func(x, y, gain, shift *float32, q *int16, scale *float32, rows int),
	round, gelu roundRows,
	softmax func(x, mask *float32, rows, width int),
) *kernels {
	return &kernels{
		name: name,
		weigh: func(dst []float32, a []int16, scale []float32, w *matrix) {
			_, _ = dst[:len(scale)*w.n], a[:len(scale)*w.k] // the assembly trusts
			for r, rows := range tiles(len(scale), len(weigh)) {
				weigh[rows-1](&dst[r*w.n], &a[r*w.k], &scale[r], &w.w[0], &w.scale[0], &w.bias[0], w.k, w.n)
			}
		},
		addNorm: func(x, y []float32, n *layerNorm, q []int16, scale []float32) {
			_, _, _ = x[:len(scale)*Dim], y[:len(scale)*Dim], q[:len(scale)*Dim]
			addNorm(&x[0], &y[0], &n.gain[0], &n.shift[0], &q[0], &scale[0], len(scale))
		},
		round: func(x []float32, width int, q []int16, scale []float32) {
			_, _ = x[:len(scale)*width], q[:len(scale)*width]
			round(&x[0], width, &q[0], &scale[0], len(scale))
		},
		gelu: func(x []float32, width int, q []int16, scale []float32) {
			_, _ = x[:len(scale)*width], q[:len(scale)*width]
			gelu(&x[0], width, &q[0], &scale[0], len(scale))
		},
		multiply: func(dst []float32, dstRow int, a []float32, aRow, rows int, b columns, depth, pairs int) {
			_, _ = dst[:(rows-1)*dstRow+pairs*pair], a[:(rows-1)*aRow+depth]
			_ = b.data[:(depth-1)*b.row+(pairs-1)*b.pair+b.vec+lanes]
			for r, rows := range tiles(rows, len(multiply)) {
				multiply[rows-1](&dst[r*dstRow], 4*dstRow, &a[r*aRow], 4*aRow,
					&b.data[0], 4*b.row, 4*b.vec, 4*b.pair, depth, pairs)
			}
		},
		softmax: func(x, mask []float32, rows, width int) {
			_, _ = x[:rows*width], mask[:width]
			softmax(&x[0], &mask[0], rows, width)
		},
	}
}

// tiles deals rows out to as few tiles of at most limit rows as there can be,
// evenly, and yields the first row and the number of rows of each.
func tiles(rows, limit int) func(yield func(first, rows int) bool) {
	return func(yield func(int, int) bool) {
		n := (rows + limit - 1) / limit
		for i := range n {
			first, next := i*rows/n, (i+1)*rows/n
			if !yield(first, next-first) {
				return
			}
		}
	}
}
