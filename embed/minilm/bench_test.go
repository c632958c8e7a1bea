package minilm_test

import (
	"fmt"
	"testing"

	"github.com/vectorlink/vectorlink/embed/minilm"
)

// BenchmarkEmbed prints tokens/s, the special ones included, and ms/text.
func BenchmarkEmbed(b *testing.B) {
	all, err := minilm.AllKernels()
	if err != nil {
		b.Fatal(err)
	}
	var real []string
	for _, s := range references(b) {
		if n := len(s.Tokens); n >= 15 && n <= minilm.Window-2 {
			real = append(real, s.Text)
		}
	}
	query := "how do i get yesterday's backup of the customer database back"
	for _, m := range all {
		for _, set := range []struct {
			name    string
			texts   []string
			workers int
		}{
			{"query", []string{query}, 1},
			{"texts", real, 1},
			{"texts", real, 2},
		} {
			b.Run(fmt.Sprintf("%s/%s/workers=%d", m.Kernels(), set.name, set.workers), func(b *testing.B) {
				tokens := 0
				for _, t := range set.texts {
					tokens += min(len(m.Tokens(t)), minilm.Window-2) + 2
				}
				for b.Loop() {
					if _, err := m.Embed(b.Context(), set.texts, set.workers); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(b.Elapsed().Seconds()*1000/float64(len(set.texts)*b.N), "ms/text")
			})
		}
	}
}

func BenchmarkTokens(b *testing.B) {
	m := load(b)
	for _, s := range references(b) {
		if len(s.Tokens) > minilm.Window {
			tokens := 0
			for b.Loop() {
				tokens += len(m.Tokens(s.Text))
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
			return
		}
	}
	b.Fatal("no long reference text")
}
