package minilm

import (
	"errors"
	"math"
	"testing"
)

// TestSums holds that no product of a row and an output channel leaves int32,
// whatever the row.
func TestSums(t *testing.T) {
	w, err := parseWeights(weightsFile)
	if err != nil {
		t.Fatal(err)
	}
	const limit = math.MaxInt32 / int(maxInt16)
	most := 0
	for i := range w.layers {
		l := &w.layers[i]
		for _, m := range []*matrix{&l.qkv, &l.out, &l.up, &l.down} {
			for p := 0; p < len(m.w); p += panel * m.k {
				for c := range panel {
					sum := 0
					for k := range m.k {
						v := int(m.w[p+k*panel+c])
						sum += max(v, -v)
					}
					most = max(most, sum)
				}
			}
		}
	}
	if most == 0 || most > limit {
		t.Errorf("an output channel's weights add up to %d, want at most %d", most, limit)
	}
}

func TestDamagedFiles(t *testing.T) {
	for _, file := range []string{"", "MLM8", "XXXX" + weightsFile[4:], weightsFile[:len(weightsFile)-1], weightsFile + "\x00"} {
		if _, err := parseWeights(file); !errors.Is(err, errWeights) {
			t.Errorf("weights of %d bytes: got %v, want errWeights", len(file), err)
		}
	}
	for _, file := range []string{"", vocabFile[7:], vocabFile + "more\n"} {
		if _, err := newTokenizer(file); err == nil {
			t.Errorf("vocabulary of %d bytes is taken", len(file))
		}
	}
}

// TestAllocations: the forward pass allocates the vectors that it returns and
// nothing else. (The portable kernels are for machines that have no others.)
func TestAllocations(t *testing.T) {
	m, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if m.Kernels() == "portable" {
		t.Skip("this machine runs the portable kernels")
	}
	texts := []string{"the first text", "another one, somewhat longer than the first", "a third"}
	inputs, group := make([][]int32, len(texts)), []int{0, 1, 2}
	for i, text := range texts {
		inputs[i] = m.input(text)
	}
	vectors, s := make([][]float32, len(texts)), newScratch()
	n := testing.AllocsPerRun(20, func() {
		if err := m.forward(t.Context(), s, inputs, vectors, group); err != nil {
			t.Error(err)
		}
	})
	if n > float64(len(texts)) {
		t.Errorf("%v allocations for %d texts", n, len(texts))
	}
}
