package minilm_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/embed/minilm"
	"github.com/vectorlink/vectorlink/embed/subword"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func references(t testing.TB) []sample { return readSamples(t, "testdata/reference.jsonl.gz") }

func TestFiles(t *testing.T) {
	for name, want := range map[string]string{
		"minilm.i8": "9f485fe23d28e2bf39a6d04c20049f9f5b047878775da802f823ce5e7dea1da5",
		"vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
	} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", name, got, want)
		}
	}
	if n := minilm.Notice(); !strings.Contains(n, "sentence-transformers") || !strings.Contains(n, "Apache License") {
		t.Error("the notice lacks the model's origin or its licence")
	}
}

func TestTokens(t *testing.T) {
	m := load(t)
	for _, s := range references(t) {
		sameTokens(t, m, s)
	}
}

func sameTokens(t *testing.T, m *minilm.Model, s sample) {
	t.Helper()
	var ids []int32
	for _, tok := range m.Tokens(s.Text) {
		ids = append(ids, tok.ID)
	}
	if !slices.Equal(ids, s.Tokens) {
		t.Errorf("%q: tokens %v, want %v", s.Text, ids, s.Tokens)
	}
}

func TestTokenRanges(t *testing.T) {
	m := load(t)
	for _, test := range []struct {
		text string
		want []string
	}{
		{"Hello,  World!", []string{"Hello", ",", "World", "!"}},
		{"embeddings", []string{"em", "bed", "ding", "s"}},
		{"Crème BRÛLÉE", []string{"Cr", "ème", "BR", "ÛLÉ", "E"}},
		{"cre\u0300me", []string{"cr", "e\u0300me"}},
		{"각a", []string{"각", "각", "각", "a"}}, // a syllable is three letters
		{"東京タワー", []string{"東", "京", "タ", "ワ", "ー"}},
		{"a\x00b \xff c\xc3", []string{"a\x00b", "c"}},
		{"🙂 ok", []string{"🙂", "ok"}},
		{strings.Repeat("y", 101) + " z", []string{strings.Repeat("y", 101), "z"}},
	} {
		var got []string
		for _, tok := range m.Tokens(test.text) {
			got = append(got, test.text[tok.Start:tok.End])
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: pieces %q, want %q", test.text, got, test.want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range references(f) {
		f.Add(s.Text)
	}
	f.Add("\xff\xc3(\xf0\x9f\x99 Σ")
	m := load(f)
	f.Fuzz(func(t *testing.T, text string) {
		var last subword.Token
		for _, tok := range m.Tokens(text) {
			if tok.Start < last.Start || tok.End < last.End || tok.End <= tok.Start || tok.End > len(text) {
				t.Fatalf("token %+v after %+v in %d bytes", tok, last, len(text))
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[tok.Start:tok.End]) {
				t.Fatalf("token %+v cuts a character", tok)
			}
			last = tok
		}
	})
}

// TestAgreement compares the vectors with the original model's, and those of
// every implementation with each other: they must be the same bits.
func TestAgreement(t *testing.T) {
	all, err := minilm.AllKernels()
	if err != nil {
		t.Fatal(err)
	}
	samples := references(t)
	var texts []string
	for _, s := range samples {
		texts = append(texts, s.Text)
	}
	best, err := all[0].Embed(t.Context(), texts, 2)
	if err != nil {
		t.Fatal(err)
	}
	agreement(t, all[0], samples, 0.998)
	for _, m := range all[1:] {
		got, err := m.Embed(t.Context(), texts, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			if !slices.Equal(got[i], best[i]) {
				t.Errorf("%q: %s and %s differ", texts[i], m.Kernels(), all[0].Kernels())
			}
		}
	}
}

func TestShared(t *testing.T) {
	samples := sharedSamples(t)
	m := load(t)
	for _, s := range samples {
		sameTokens(t, m, s)
	}
	agreement(t, m, samples, 0.999)
}

// TestIndependence holds the promise that a vector does not depend on the
// other texts of its batch, on their order or on the number of workers.
func TestIndependence(t *testing.T) {
	m := load(t)
	var texts []string
	for i, s := range references(t) {
		if m.Kernels() != "portable" || i < 12 {
			texts = append(texts, s.Text)
		}
	}
	want := make([][]float32, len(texts))
	for i, text := range texts {
		v, err := m.Embed(t.Context(), []string{text}, 1)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = v[0]
		var sum float64
		for _, x := range v[0] {
			sum += float64(x) * float64(x)
		}
		if len(v[0]) != minilm.Dim || math.Abs(sum-1) > 1e-6 {
			t.Errorf("%q: %d dimensions, length² %v", text, len(v[0]), sum)
		}
	}
	for _, workers := range []int{0, 1, 2, 5} {
		slices.Reverse(texts)
		slices.Reverse(want)
		got, err := m.Embed(t.Context(), texts, workers)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%d workers: %q has another vector alone", workers, texts[i])
			}
		}
	}
}

func TestCut(t *testing.T) {
	m := load(t)
	long := strings.Repeat("one two three four five six ", 50)
	tok := m.Tokens(long)
	v, err := m.Embed(t.Context(), []string{long, long[:tok[minilm.Window-3].End]}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v[0], v[1]) {
		t.Error("tokens beyond the window change the vector")
	}
}

func TestCancel(t *testing.T) {
	m := load(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, err := m.Embed(ctx, []string{"a", "b", "c"}, 2); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want context.Canceled", v, err)
	}
	if v, err := m.Embed(t.Context(), nil, 2); len(v) != 0 || err != nil {
		t.Errorf("no texts: got %v, %v", v, err)
	}
}
