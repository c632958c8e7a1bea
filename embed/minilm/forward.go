package minilm

import "context"

// A scratch is one worker's memory. Group and batch sizes do not change it:
// no group has more than maxRows rows.
type scratch struct {
	x, y  []float32 // [maxRows][Dim] the residual stream, what is added to it
	qkv   []float32 // [maxRows][3·Dim]
	q     []int16   // [maxRows][Dim] x rounded
	scale []float32 // [maxRows]

	mlp      []float32 // [mlpRows][inner]
	mlpQ     []int16   // [mlpRows][inner]
	mlpScale []float32 // [mlpRows]

	keys   []float32 // [Window/16][headDim][16] one head's keys, transposed
	scores []float32 // [Window][Window]
	mask   []float32 // [Window]
}

const (
	maxRows = max(Window, groupRows)
	// mlpRows is the number of rows that go through a feed-forward block
	// together: their wide activations should stay in the second-level cache.
	mlpRows = 48
	// pair is the number of columns that kernels.multiply takes together.
	pair = 2 * lanes
)

func newScratch() *scratch {
	return &scratch{
		x:        make([]float32, maxRows*Dim),
		y:        make([]float32, maxRows*Dim),
		qkv:      make([]float32, maxRows*3*Dim),
		q:        make([]int16, maxRows*Dim),
		scale:    make([]float32, maxRows),
		mlp:      make([]float32, mlpRows*inner),
		mlpQ:     make([]int16, mlpRows*inner),
		mlpScale: make([]float32, mlpRows),
		keys:     make([]float32, Window*headDim),
		scores:   make([]float32, Window*Window),
		mask:     make([]float32, Window),
	}
}

// forward embeds the texts of one group. Each row's arithmetic is its own but
// for attention, which is its text's, so the other members do not matter.
func (m *Model) forward(ctx context.Context, s *scratch, inputs [][]int32, vectors [][]float32, group []int) error {
	w, k := m.weights, m.kernels
	rows := 0
	for _, t := range group {
		w.look(s.x[rows*Dim:], s.y[rows*Dim:], inputs[t])
		rows += len(inputs[t])
	}
	scale := s.scale[:rows]
	k.addNorm(s.x, s.y, &w.norm, s.q, scale)
	for i := range w.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		l := &w.layers[i]
		k.weigh(s.qkv, s.q, scale, &l.qkv)
		first := 0
		for _, t := range group {
			k.attend(s, first, len(inputs[t]))
			first += len(inputs[t])
		}
		k.round(s.y, Dim, s.q, scale)
		k.weigh(s.y, s.q, scale, &l.out)
		k.addNorm(s.x, s.y, &l.attnNorm, s.q, scale)
		for first := 0; first < rows; first += mlpRows {
			n := min(mlpRows, rows-first)
			mlpScale := s.mlpScale[:n]
			k.weigh(s.mlp, s.q[first*Dim:], scale[first:first+n], &l.up)
			k.gelu(s.mlp, inner, s.mlpQ, mlpScale)
			k.weigh(s.y[first*Dim:], s.mlpQ, mlpScale, &l.down)
		}
		k.addNorm(s.x, s.y, &l.mlpNorm, s.q, scale)
	}
	first := 0
	for _, t := range group {
		vectors[t] = pool(s.x[first*Dim : (first+len(inputs[t]))*Dim])
		first += len(inputs[t])
	}
	return nil
}

// look sets x to the positions' vectors and y to the tokens'.
//
//go:norace
func (w *weights) look(x, y []float32, ids []int32) {
	copy(x, w.positions[:len(ids)*Dim])
	for i, id := range ids {
		word, scale := w.words[int(id)*Dim:(int(id)+1)*Dim], w.wordScale[id]
		row := y[i*Dim : (i+1)*Dim]
		for j, v := range word {
			row[j] = float32(v) * scale
		}
	}
}

// attend sets the rows of s.y from first on to the attention of a text of n
// tokens, whose queries, keys and values are in s.qkv.
func (k *kernels) attend(s *scratch, first, n int) {
	const row = 3 * Dim
	width := (n + pair - 1) / pair * pair
	for i := range width {
		s.mask[i] = 0
		if i >= n {
			s.mask[i] = -1e9
		}
	}
	qkv := s.qkv[first*row : (first+n)*row]
	for h := range heads {
		transpose(s.keys, qkv[Dim+h*headDim:], n, width)
		k.multiply(s.scores, width, qkv[h*headDim:], row, n,
			columns{data: s.keys, row: lanes, vec: lanes * headDim, pair: pair * headDim}, headDim, width/pair)
		k.softmax(s.scores, s.mask, n, width)
		k.multiply(s.y[first*Dim+h*headDim:], Dim, s.scores, width, n,
			columns{data: qkv[2*Dim+h*headDim:], row: row, vec: lanes}, n, 1)
	}
}

// transpose lays one head's keys out as [width/16][headDim][16], zeros beyond
// the n-th.
//
//go:norace
func transpose(dst, keys []float32, n, width int) {
	for i := range width {
		to := dst[i/lanes*lanes*headDim+i%lanes:]
		if i >= n {
			for d := range headDim {
				to[d*lanes] = 0
			}
			continue
		}
		for d, v := range keys[i*3*Dim : i*3*Dim+headDim] {
			to[d*lanes] = v
		}
	}
}

// pool returns the mean of the rows at unit length. A mean differs from a sum
// in length only.
//
//go:norace
func pool(x []float32) []float32 {
	v := make([]float32, Dim)
	for ; len(x) > 0; x = x[Dim:] {
		for i, e := range x[:Dim] {
			v[i] += e
		}
	}
	unit(v)
	return v
}
