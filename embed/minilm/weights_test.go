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
