package hnsw_test

import (
	"context"
	"fmt"

	"github.com/vectorlink/vectorlink/hnsw"
)

// A graph of three slots is built, stored, read and searched.
func Example() {
	ctx := context.Background()
	vecs := &memory{dim: 2, rows: []float32{
		1, 0, // slot 0
		0, 1, // slot 1
		0.6, 0.8, // slot 2
	}}
	built, err := hnsw.Build(ctx, vecs, []uint32{0, 1, 2}, hnsw.Params{}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	graph, err := hnsw.Decode(built.AppendTo(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	live := func(slot uint32) bool { return slot != 1 } // removed since
	hits, err := graph.Search(ctx, vecs, []float32{0, 1}, 10, 50, live)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range hits {
		fmt.Printf("slot %d: %.1f\n", h.Slot, h.Dot)
	}
	// Output:
	// slot 2: 0.8
	// slot 0: 0.0
}

// A slot is added to a graph, and another taken out.
func ExampleGraph_Extend() {
	ctx := context.Background()
	vecs := &memory{dim: 2, rows: []float32{1, 0, 0, 1, 0.6, 0.8, 0.8, 0.6}} // slots 0 to 3
	graph, err := hnsw.Build(ctx, vecs, []uint32{0, 1, 2}, hnsw.Params{}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	live := func(slot uint32) bool { return slot != 1 }
	extended, err := graph.Extend(ctx, vecs, []uint32{3}, live, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(graph.Len(), graph.Has(1), graph.Has(3))
	fmt.Println(extended.Len(), extended.Has(1), extended.Has(3))
	// Output:
	// 3 true false
	// 3 false true
}
