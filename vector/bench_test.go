package vector_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

var benchDims = []int{64, 384, 784, 1536}

func BenchmarkDot(b *testing.B) {
	eachKernel(b, func(b *testing.B) {
		for _, dim := range benchDims {
			b.Run(fmt.Sprint(dim), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				x, y := random(r, dim), random(r, dim)
				for b.Loop() {
					vector.Dot(x, y)
				}
			})
		}
	})
}

// A batch has batch rows: hot ones are the same each time, cold ones are
// spread over more memory than caches have.
const batch = 32

var benchSizes = []struct {
	name  string
	bytes int
}{{"hot", 0}, {"cold", 256 << 20}}

// benchRows measures the time of a row, of stride values of size bytes.
func benchRows(b *testing.B, stride, size, bytes int, measure func(ids []uint32)) {
	r := rand.New(rand.NewPCG(3, 4))
	rows := max(batch, bytes/(stride*size))
	ids := make([]uint32, 1<<20)
	for i := range ids {
		ids[i] = uint32(r.IntN(rows))
	}
	if rows == batch {
		ids = ids[:batch]
	}
	at := 0
	for b.Loop() {
		measure(ids[at : at+batch])
		if at += batch; at == len(ids) {
			at = 0
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
}

func BenchmarkDots(b *testing.B) {
	arena := make([]float32, 256<<20/4+1)
	for i := range arena {
		arena[i] = float32(i % 7)
	}
	eachKernel(b, func(b *testing.B) {
		for _, dim := range benchDims {
			for _, size := range benchSizes {
				stride := dim + 10 // as in pages of vectors
				q, dst := random(rand.New(rand.NewPCG(1, 2)), dim), make([]float32, batch)
				rows := arena[:max(size.bytes/4, batch*stride)]
				b.Run(fmt.Sprintf("%d/%s/Dots", dim, size.name), func(b *testing.B) {
					benchRows(b, stride, 4, size.bytes, func(ids []uint32) {
						vector.Dots(dst, q, rows, stride, ids)
					})
				})
				b.Run(fmt.Sprintf("%d/%s/Dot", dim, size.name), func(b *testing.B) {
					benchRows(b, stride, 4, size.bytes, func(ids []uint32) {
						for i, id := range ids {
							dst[i] = vector.Dot(q, rows[int(id)*stride:])
						}
					})
				})
			}
		}
	})
}

func BenchmarkDots8(b *testing.B) {
	arena := make([]byte, 256<<20)
	for i := range arena {
		arena[i] = byte(i % 251)
	}
	eachKernel(b, func(b *testing.B) {
		for _, dim := range benchDims {
			for _, size := range benchSizes {
				stride := (dim + vector.Block - 1) / vector.Block * vector.Block
				q, dst := make([]int8, stride), make([]int32, batch)
				for i := range q {
					q[i] = int8(i)
				}
				rows := arena[:max(size.bytes, batch*stride)]
				b.Run(fmt.Sprintf("%d/%s", dim, size.name), func(b *testing.B) {
					benchRows(b, stride, 1, size.bytes, func(ids []uint32) {
						vector.Dots8(dst, q, rows, stride, ids)
					})
				})
				b.Run(fmt.Sprintf("%d/%s/halves", dim, size.name), func(b *testing.B) {
					stride, q := vector.PlaneLen(dim), make([]int8, 2*vector.PlaneLen(dim))
					benchRows(b, stride, 1, size.bytes, func(ids []uint32) {
						vector.Dots4(dst, q, rows, stride, ids)
					})
				})
			}
		}
	})
}

// A walk's step measures a few rows and keeps the best, in an order that
// branches cannot be predicted for. The next step's rows are fetched meanwhile.
func BenchmarkPrefetch(b *testing.B) {
	const dim = 384
	r := rand.New(rand.NewPCG(5, 6))
	codes, q := make([]byte, 256<<20/dim*dim), make([]int8, dim)
	for i := 0; i < len(codes); i += 8 {
		binary.LittleEndian.PutUint64(codes[i:], r.Uint64())
	}
	for i := range q {
		q[i] = int8(r.Uint32())
	}
	for _, step := range []int{4, 8, 16, 32} {
		for _, fetch := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/%v", step, fetch), func(b *testing.B) {
				var dst [batch]int32
				best := make([]int32, 0, 2*batch)
				benchRows(b, dim, 1, len(codes), func(ids []uint32) {
					for len(ids) > 0 {
						now := ids[:step]
						ids = ids[step:]
						if fetch && len(ids) > 0 {
							vector.Prefetch(codes, dim, dim, ids[:step])
						}
						vector.Dots8(dst[:step], q, codes, dim, now)
						for _, d := range dst[:step] {
							at, _ := slices.BinarySearch(best, d)
							if best = slices.Insert(best, at, d); len(best) == cap(best) {
								best = best[:0]
							}
						}
					}
				})
			})
		}
	}
}
