package vector_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

func BenchmarkDot(b *testing.B) {
	for _, dim := range []int{64, 384, 784, 1536} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			x, y := make([]float32, dim), make([]float32, dim)
			for i := range x {
				x[i], y[i] = r.Float32(), r.Float32()
			}
			var s float32
			for b.Loop() {
				s += vector.Dot(x, y)
			}
			_ = s
		})
	}
}
