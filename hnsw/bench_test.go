package hnsw_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
)

// Sizes of a sentence-embedding model; the crowds overlap, as topics do.
var benchData = sync.OnceValue(func() *memory { return clustered(90, 10000, 384, 500, 1) })

func BenchmarkBuild(b *testing.B) {
	m := benchData()
	nodes := m.slots(nil)
	for b.Loop() {
		mustBuild(b, m, nodes, hnsw.Params{}, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(nodes)), "µs/node")
}

// Beside BenchmarkBuild: a fiftieth of the slots comes, or an eighth goes.
func BenchmarkExtend(b *testing.B) {
	m := benchData()
	dead := func(slot uint32) bool { return slot*2654435761>>16%8 == 0 }
	g := mustBuild(b, m, m.slots(func(slot uint32) bool { return slot%51 > 0 }), hnsw.Params{}, 0)
	b.Run("insert", func(b *testing.B) {
		add := m.slots(func(slot uint32) bool { return slot%51 == 0 })
		for b.Loop() {
			mustExtend(b, g, m, add, nil, 0)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(add)), "µs/node")
	})
	b.Run("relink", func(b *testing.B) {
		for b.Loop() {
			mustExtend(b, g, m, nil, func(slot uint32) bool { return !dead(slot) }, 0)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*g.Len()), "µs/node")
	})
}

func BenchmarkSearch(b *testing.B) {
	m := benchData()
	g := mustBuild(b, m, m.slots(nil), hnsw.Params{}, 0)
	qs := m.queries(91, 200, 0.1)
	for _, ef := range []int{20, 50, 100, 200} {
		b.Run(fmt.Sprint("ef", ef), func(b *testing.B) {
			m.measured.Store(0)
			i := 0
			for b.Loop() {
				if _, err := g.Search(b.Context(), m, qs[i%len(qs)], 10, ef, nil); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(m.measured.Load())/float64(i), "vectors/op")
			b.StopTimer()
			b.ReportMetric(recall(b, m, g, qs[:50], 10, ef, nil), "recall@10")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	m := benchData()
	slots := m.slots(nil)[:5000]
	q := m.queries(92, 1, 0.02)[0]
	for b.Loop() {
		if _, err := hnsw.Scan(b.Context(), m, q, slots, 10); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	_, g := sharedFixture(b)
	section := g.AppendTo(nil)
	b.SetBytes(int64(len(section)))
	for b.Loop() {
		if _, err := hnsw.Decode(section); err != nil {
			b.Fatal(err)
		}
	}
}
