package minilm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// The model's shape. The file states none of it but the positions, since no
// other model is run.
const (
	Dim    = 384 // length of a vector
	Window = 256 // tokens that one forward pass takes, [CLS] and [SEP] included

	layers    = 6
	heads     = 12
	headDim   = Dim / heads
	inner     = 1536 // width between the two matrices of a feed-forward block
	vocabSize = 30522
	panel     = 16 // output channels that lie side by side in the file
)

// fileMagic begins minilm.i8.
const fileMagic = "MLM8"

// errWeights reports a file that is not minilm.i8.
var errWeights = errors.New("the built-in weights are damaged: build the binary again")

// A matrix holds the weights of n output channels over k inputs, as int8
// panels [n/16][k][16], and the scale and bias of each output channel.
type matrix struct {
	n, k        int
	w           []int8
	scale, bias []float32
}

// A layerNorm holds the gain and the shift of one layer normalisation.
type layerNorm struct{ gain, shift []float32 }

type layer struct {
	qkv, out, up, down matrix
	attnNorm, mlpNorm  layerNorm
}

// weights are the model's parameters. The int8 slices are views of the
// embedded file.
type weights struct {
	words     []int8    // [vocabSize][Dim]
	wordScale []float32 // [vocabSize]
	positions []float32 // [Window][Dim], the token type's vector added in
	norm      layerNorm
	layers    [layers]layer
}

// parseWeights reads the layout that convert writes:
//
//	"MLM8", uint32 positions
//	int8 words [30522][384], float32 scale [30522]
//	float32 positions [256][384], norm gain and shift
//	6 layers: qkv, attention out, up, down; two norms
//	  matrix: int8 panels [n/16][k][16], float32 scale [n], float32 bias [n]
//	  norm: float32 gain [384], float32 shift [384]
//
// all little-endian.
func parseWeights(file string) (*weights, error) {
	r := &reader{rest: file}
	if r.take(4) != fileMagic || r.uint32() != Window {
		return nil, fmt.Errorf("%w (header)", errWeights)
	}
	w := &weights{
		words:     r.int8s(vocabSize * Dim),
		wordScale: r.floats(vocabSize),
		positions: r.floats(Window * Dim),
		norm:      r.norm(),
	}
	for i := range w.layers {
		w.layers[i] = layer{
			qkv:      r.matrix(3*Dim, Dim),
			out:      r.matrix(Dim, Dim),
			up:       r.matrix(inner, Dim),
			down:     r.matrix(Dim, inner),
			attnNorm: r.norm(),
			mlpNorm:  r.norm(),
		}
		// Attention divides the products of queries and keys by the root
		// of their length. Scaling the queries once does it for nothing.
		root := float32(1 / math.Sqrt(headDim))
		q := &w.layers[i].qkv
		for j := range Dim {
			q.scale[j] *= root
			q.bias[j] *= root
		}
	}
	if r.short || r.rest != "" {
		return nil, fmt.Errorf("%w (size)", errWeights)
	}
	return w, nil
}

// A reader takes values off the front of a file. Once the file turns out too
// short it returns zeros of the size asked for.
type reader struct {
	rest  string
	short bool
}

func (r *reader) take(n int) string {
	if r.short || len(r.rest) < n {
		r.short = true
		return string(make([]byte, n))
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) uint32() uint32 {
	return binary.LittleEndian.Uint32([]byte(r.take(4)))
}

// int8s returns a view, which must not be written to.
func (r *reader) int8s(n int) []int8 {
	s := r.take(n)
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.StringData(s))), n)
}

// floats returns a copy: the file does not align them.
func (r *reader) floats(n int) []float32 {
	s := r.take(4 * n)
	f := make([]float32, n)
	for i := range f {
		b := s[4*i : 4*i+4]
		f[i] = math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
	}
	return f
}

func (r *reader) norm() layerNorm {
	return layerNorm{gain: r.floats(Dim), shift: r.floats(Dim)}
}

func (r *reader) matrix(n, k int) matrix {
	return matrix{n: n, k: k, w: r.int8s(n * k), scale: r.floats(n), bias: r.floats(n)}
}
