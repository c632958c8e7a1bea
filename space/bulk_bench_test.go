package space_test

import (
	"math/rand/v2"
	"testing"

	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs"
)

// BenchmarkBulk sets 20,000 vectors of 384 numbers by one commit.
func BenchmarkBulk(b *testing.B) {
	const n, dims = 20_000, 384
	vectors := make([][]float32, n)
	for i := range vectors {
		vectors[i] = make([]float32, dims)
		for j := range vectors[i] {
			vectors[i][j] = rand.Float32()
		}
	}
	for b.Loop() {
		files, err := vfs.NewOS(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		w := open(b, files)
		sp := w.make("s", space.Schema{Dims: dims})
		bulk, err := sp.Bulk(b.Context(), main_)
		if err != nil {
			b.Fatal(err)
		}
		for i, v := range vectors {
			if err := bulk.Set(space.Item{Key: space.IntKey(int64(i)), Vector: v}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := bulk.Commit(); err != nil {
			b.Fatal(err)
		}
		w.shut()
	}
}
