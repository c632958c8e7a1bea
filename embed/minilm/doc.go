// Package minilm runs the sentence embedding model all-MiniLM-L6-v2: text in,
// vectors of 384 dimensions and unit length out, with no service, no cgo and
// no file beside the binary.
//
// The model is a BERT of 6 layers (hidden 384, 12 heads of 32, intermediate
// 1536) over at most 256 tokens of an uncased WordPiece vocabulary, pooled by
// the mean. Its weights are rounded to 8 bits with one scale per output
// channel (minilm.i8, see README.md). Activations stay float32, except that
// the rows that enter a weight matrix are rounded to 16 bits with one scale
// per row: a product of 16 and 8 bit integers is twice as fast as one of
// floats, and its sum is exact, whatever the order.
//
// Everything that is not an integer is done in single operations that IEEE
// 754 rounds correctly, sums in 16 lanes of fixed order, and no fused
// multiply-add. So a text has the same vector, bit for bit, on every machine,
// in every batch and with any number of workers, be it computed by the
// AVX-512, the AVX2 or the portable kernels.
//
// A Model is immutable and shared by any number of goroutines; each worker of
// an Embed call takes scratch memory of about 5 MB from a pool.
package minilm
