package overview

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

// TestNeighboursThroughAGraph: of more documents than are measured with each other,
// the neighbours are nearly those.
func TestNeighboursThroughAGraph(t *testing.T) {
	const n, dim = exactNeighbours + 1, 24
	for _, settings := range []catalog.Settings{{Metric: catalog.MetricCosine, Normalize: true}, {Metric: catalog.MetricL2}} {
		m := search.MeasureOf(settings)
		rng := rand.New(rand.NewPCG(1, 2))
		rows := cluster.Vectors{Dim: dim, Rows: make([]float32, n*dim)}
		for i := range rows.Rows {
			rows.Rows[i] = float32(rng.NormFloat64())
		}
		if settings.Normalize {
			for v := range n {
				vector.Normalize(rows.Row(v))
			}
		}
		p := &vectorSet{documents: make([]*snapshot.Entry, n), settings: settings, measure: m, rows: rows}
		o := New(search.New(search.ReaderConfig{Workers: 2}))
		lists, err := o.neighboursOf(t.Context(), p, numbers(n))
		if err != nil {
			t.Fatal(err)
		}
		found, want := 0, 0
		for v := 0; v < n; v += 50 {
			var exact []cluster.Neighbour
			for u := range n {
				if u != v {
					exact = addNeighbour(exact, cluster.Neighbour{Node: uint32(u), Distance: m.Between(rows.Row(v), rows.Row(u))})
				}
			}
			if !slices.IsSortedFunc(lists[v], compareNeighbours) {
				t.Fatalf("%d: %v is not in order", v, lists[v])
			}
			for _, e := range exact {
				want++
				if slices.ContainsFunc(lists[v], func(n cluster.Neighbour) bool { return n.Node == e.Node }) {
					found++
				}
			}
		}
		if found < want*98/100 { // a walk of no breadth finds 93 to 97 %
			t.Errorf("%v: %d of %d neighbours found", settings.Metric, found, want)
		}
	}
}
