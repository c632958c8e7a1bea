package minilm_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/embed/minilm"
)

// realTexts are the reference texts of 15 tokens or more that fit the window.
func realTexts(tb testing.TB) []string {
	var texts []string
	for _, s := range references(tb) {
		if n := len(s.Tokens); n >= 15 && n <= minilm.Window-2 {
			texts = append(texts, s.Text)
		}
	}
	if len(texts) == 0 {
		tb.Fatal("no reference texts")
	}
	return texts
}

// BenchmarkEmbed prints tokens, the special ones included, per second of
// processor time, milliseconds of processor time per text, and tokens per
// second of the clock, which is what a second worker changes.
func BenchmarkEmbed(b *testing.B) {
	all, err := minilm.AllKernels()
	if err != nil {
		b.Fatal(err)
	}
	query := "how do i get yesterday's backup of the customer database back"
	for _, m := range all {
		for _, set := range []struct {
			name    string
			texts   []string
			workers int
		}{
			{"query", []string{query}, 1},
			{"texts", realTexts(b), 1},
			{"texts", realTexts(b), 2},
		} {
			b.Run(fmt.Sprintf("%s/%s/workers=%d", m.Kernels(), set.name, set.workers), func(b *testing.B) {
				tokens := 0
				for _, t := range set.texts {
					tokens += min(len(m.Tokens(t)), minilm.Window-2) + 2
				}
				if _, err := m.Embed(b.Context(), set.texts, set.workers); err != nil { // makes the workers' memory
					b.Fatal(err)
				}
				before := processorTime()
				for b.Loop() {
					if _, err := m.Embed(b.Context(), set.texts, set.workers); err != nil {
						b.Fatal(err)
					}
				}
				used := processorTime() - before
				b.ReportMetric(float64(tokens*b.N)/used.Seconds(), "tokens/cpu-s")
				b.ReportMetric(used.Seconds()*1000/float64(len(set.texts)*b.N), "cpu-ms/text")
				b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(0, "ns/op") // not the time of a text
			})
		}
	}
}

func BenchmarkTokens(b *testing.B) {
	m := load(b)
	for _, s := range references(b) {
		if len(s.Tokens) > minilm.Window {
			tokens := 0
			before := processorTime()
			for b.Loop() {
				tokens += len(m.Tokens(s.Text))
			}
			b.ReportMetric(float64(tokens)/(processorTime()-before).Seconds(), "tokens/cpu-s")
			return
		}
	}
	b.Fatal("no long reference text")
}

// BenchmarkLoad prints what making the model takes, which a process does once.
func BenchmarkLoad(b *testing.B) {
	before := processorTime()
	for b.Loop() {
		if err := minilm.LoadAnew(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((processorTime()-before).Seconds()*1000/float64(b.N), "cpu-ms")
}

// embedAndReport has this test program be the process that BenchmarkMemory
// measures.
const embedAndReport = "VECTORLINK_TEST_MEMORY"

// BenchmarkMemory prints the resident memory of a process that embeds with two
// workers.
func BenchmarkMemory(b *testing.B) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("no /proc here")
	}
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := exec.CommandContext(b.Context(), program, "-test.run=^TestMemory$", "-test.v")
		c.Env = append(os.Environ(), embedAndReport+"=1")
		out, err := c.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.SplitSeq(string(out), "\n") {
			for field, unit := range map[string]string{"VmHWM:": "MB-peak", "RssAnon:": "MB-own"} {
				if rest, ok := strings.CutPrefix(line, field); ok {
					kb, err := strconv.Atoi(strings.Fields(rest)[0])
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(kb)/1024, unit)
				}
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

// TestMemory is the process that BenchmarkMemory measures.
func TestMemory(t *testing.T) {
	if os.Getenv(embedAndReport) == "" {
		t.Skip("only for BenchmarkMemory")
	}
	m, texts := load(t), realTexts(t)
	for start := time.Now(); time.Since(start) < time.Second; {
		if _, err := m.Embed(t.Context(), texts, 2); err != nil {
			t.Fatal(err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(status))
}
