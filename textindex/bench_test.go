package textindex_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// words is a vocabulary whose i-th word is drawn about as often as natural
// language's: the common ones are in a tenth to a quarter of the chunks.
func corpus(seed uint64, n, words int) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	z := rand.NewZipf(r, 1.1, 30, 30000)
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range words {
			fmt.Fprintf(&b, "%s ", word(z.Uint64()))
		}
		texts[i] = b.String()
	}
	return texts
}

// word returns the nth word: letters alone, and no stop word.
func word(n uint64) string {
	return "q" + strings.Map(func(r rune) rune { return 'b' + r - '0' }, fmt.Sprint(n))
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		texts := corpus(1, n, 40)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			size := int64(0)
			for b.Loop() {
				s := build(b, id("c1"), texts...)
				mem := vfstest.NewMem()
				if err := s.Write(mem); err != nil {
					b.Fatal(err)
				}
				data, err := mem.ReadFile(textindex.FileName("org/db", "c1"))
				if err != nil {
					b.Fatal(err)
				}
				size = int64(len(data))
			}
			b.ReportMetric(float64(size), "file-bytes")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	mem := vfstest.NewMem()
	if err := build(b, id("c1"), corpus(1, 10_000, 40)...).Write(mem); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := textindex.Open(mem, id("c1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAnalyze(b *testing.B) {
	text := strings.Join(corpus(1, 100, 40), " ")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := textindex.Analyze(textindex.English, text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch looks for the three most common words among 10,000 chunks, of
// which every tenth is dead.
func BenchmarkSearch(b *testing.B) {
	query := word(0) + " " + word(1) + " " + word(2)
	search := func(b *testing.B, parts ...textindex.Part) {
		x, err := textindex.NewIndex(parts...)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		start := cpuTime(b)
		for b.Loop() {
			if hits, err := x.Search(b.Context(), textindex.Plain(query), 10, nil); err != nil || len(hits) < 10 {
				b.Fatal(len(hits), err)
			}
		}
		b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
	}
	every := func(step, n int) *textindex.Bitmap {
		dead := new(textindex.Bitmap)
		for i := 0; i < n; i += step {
			dead.Add(uint32(i))
		}
		return dead
	}
	big := build(b, id("c1"), corpus(1, 10_000, 40)...)
	b.Run("clean", func(b *testing.B) { search(b, textindex.Part{Segment: big}) })
	b.Run("dead", func(b *testing.B) { search(b, textindex.Part{Segment: big, Dead: every(10, 10_000)}) })
	for _, n := range []int{16, 64} {
		parts := []textindex.Part{{Segment: big, Dead: every(10, 10_000)}}
		for i := range n {
			parts = append(parts, textindex.Part{Segment: build(b, id(fmt.Sprint("d", i)), corpus(uint64(i)+2, 100, 40)...), Dead: every(20, 100)})
		}
		b.Run(fmt.Sprintf("deltas=%d", n), func(b *testing.B) { search(b, parts...) })
	}
}

// cpuTime returns what the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkQuery looks for words, phrases and prefixes among 60,000 chunks.
func BenchmarkQuery(b *testing.B) {
	n := 60_000
	x, err := textindex.NewIndex(textindex.Part{Segment: build(b, id("c1"), corpus(1, n, 40)...)})
	if err != nil {
		b.Fatal(err)
	}
	common := word(0) + " " + word(1) + " " + word(2)
	for _, bb := range []struct {
		name  string
		query textindex.Query
	}{
		{"common", textindex.Plain(common)},
		{"rare", textindex.Plain(word(1000) + " " + word(2000) + " " + word(3000))},
		{"phrase", parse(b, `"`+word(0)+" "+word(1)+`"`)},
		{"and", parse(b, word(0)+" AND "+word(1)+" AND "+word(2))},
		{"prefix", parse(b, word(100)+"*")},
		{"misspelt", textindex.Plain(word(10) + " " + word(1001)[:4] + "x" + " " + word(1234567) + "yxyx").Fuzzy(textindex.FuzzyAuto)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime(b)
			for b.Loop() {
				if hits, err := x.Search(b.Context(), bb.query, 1000, nil); err != nil || len(hits) < 10 {
					b.Fatal(len(hits), err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
