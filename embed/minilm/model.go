package minilm

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/embed/subword"
	"github.com/vectorlink/vectorlink/internal/parallel"
)

// A Model is the loaded model.
type Model struct {
	weights   *weights
	tokenizer *subword.Tokenizer
	words     []bool // by token: it begins a word or is a symbol that the model knows
	kernels   *kernels
	scratches *sync.Pool
}

// Load returns the built-in model. It takes a few milliseconds the first
// time; later calls return the same Model. It fails only in a binary built
// from damaged files.
func Load() (*Model, error) { return load() }

var load = sync.OnceValues(loadAnew)

func loadAnew() (*Model, error) {
	w, err := parseWeights(weightsFile)
	if err != nil {
		return nil, err
	}
	t, err := newTokenizer(vocabFile)
	if err != nil {
		return nil, err
	}
	return newModel(w, t, wordsOf(vocabFile), available()[0]), nil
}

func newModel(w *weights, t *subword.Tokenizer, words []bool, k *kernels) *Model {
	return &Model{
		weights:   w,
		tokenizer: t,
		words:     words,
		kernels:   k,
		scratches: &sync.Pool{New: func() any { return newScratch() }},
	}
}

// Kernels names the implementation that this machine runs: "avx512", "avx2" or
// "portable".
func (m *Model) Kernels() string { return m.kernels.name }

// Tokens returns the tokens of text without the special ones that begin and
// end the model's input. Their byte ranges never go back and lie on character
// boundaries; two share a character only where it decomposes into several
// letters (Hangul). Space and what the tokenizer drops, accents among it, are
// in none.
func (m *Model) Tokens(text string) []subword.Token { return m.tokenizer.Tokens(text) }

// groupRows is the number of tokens that a worker takes through the model
// together: enough to fill the kernels' tiles, little enough for the
// activations to stay in the processor's caches.
const groupRows = 128

// Embed returns one vector of Dim floats and unit length per text, in order,
// computed by at most workers goroutines. Of a text longer than the window,
// the first Window-2 tokens count. The empty text has a vector too. The only
// error is the context's, looked at between the layers of each group of about
// a hundred tokens.
func (m *Model) Embed(ctx context.Context, texts []string, workers int) ([][]float32, error) {
	inputs := make([][]int32, len(texts))
	vectors := make([][]float32, len(texts))
	workers = max(workers, 1)

	err := parallel.Do(ctx, workers, len(texts), func(_ context.Context, _, i int) error {
		inputs[i] = m.input(texts[i])
		return nil
	})
	if err != nil {
		return nil, err
	}

	// The longest first: what remains for the end is small, so that the
	// workers finish together.
	order := make([]int, len(texts))
	rows := 0
	for i := range order {
		order[i] = i
		rows += len(inputs[i])
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(len(inputs[b]), len(inputs[a]))
	})
	limit := min(groupRows, (rows+workers-1)/workers)
	var groups [][]int
	for len(order) > 0 {
		n, rows := 0, 0
		for n < len(order) && (n == 0 || rows+len(inputs[order[n]]) <= limit) {
			rows += len(inputs[order[n]])
			n++
		}
		groups = append(groups, order[:n])
		order = order[n:]
	}

	err = parallel.Do(ctx, workers, len(groups), func(ctx context.Context, _, i int) error {
		s := m.scratches.Get().(*scratch)
		defer m.scratches.Put(s)
		return m.forward(ctx, s, inputs, vectors, groups[i])
	})
	if err != nil {
		return nil, err
	}
	return vectors, nil
}

// Lines of the vocabulary that the model gives a meaning of their own.
const (
	idUnknown = 100 // [UNK]
	idStart   = 101 // [CLS]
	idEnd     = 102 // [SEP]
)

func newTokenizer(vocab string) (*subword.Tokenizer, error) {
	lines := strings.Split(strings.TrimSuffix(vocab, "\n"), "\n")
	if len(lines) != vocabSize || lines[idUnknown] != "[UNK]" || lines[idStart] != "[CLS]" || lines[idEnd] != "[SEP]" {
		return nil, errors.New("the built-in vocabulary is damaged: build the binary again")
	}
	return subword.BERT(lines)
}

// wordsOf returns which pieces of the vocabulary begin a word or are a symbol, by
// their line. Digits and punctuation, and the model's own signs, say too little.
func wordsOf(vocab string) []bool {
	words := make([]bool, 0, vocabSize)
	for piece := range strings.Lines(vocab) {
		r, _ := utf8.DecodeRuneInString(piece)
		words = append(words, r >= utf8.RuneSelf && !unicode.IsPunct(r) && !unicode.IsNumber(r) || unicode.IsLetter(r))
	}
	return words
}

// Unreadable reports whether the model knows next to nothing of a text with these
// tokens: fewer than a quarter of its words, not counting digits and punctuation,
// or no token at all. Each other word is the one unknown token. If a text's vector
// is the mean of k parts that differ from text to text and 1−k parts that do not,
// two texts without anything in common are (k²/(k²+(1−k)²))/2 apart: at a quarter
// 0.05, where duplicates are looked for.
func (m *Model) Unreadable(tokens []subword.Token) bool {
	known, unknown := 0, 0
	for _, t := range tokens {
		switch {
		case t.ID == idUnknown:
			unknown++
		case m.words[t.ID]:
			known++
		}
	}
	return len(tokens) == 0 || unknown > 3*known
}

// input returns the ids that the model is fed for text.
func (m *Model) input(text string) []int32 {
	tokens := m.beginning(text)
	ids := make([]int32, 0, len(tokens)+2)
	ids = append(ids, idStart)
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	return append(ids, idEnd)
}

// beginning returns the tokens of text that fit the window.
func (m *Model) beginning(text string) []subword.Token {
	const (
		enough = 32 << 10 // bytes that hold a window of most texts
		word   = 100      // most tokens of a word, such as one that is cut there
	)
	if len(text) > enough {
		if tokens := m.Tokens(text[:enough]); len(tokens) > Window+word {
			return tokens[:Window-2]
		}
	}
	tokens := m.Tokens(text)
	return tokens[:min(len(tokens), Window-2)]
}

// unit scales v to length 1.
func unit(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	inverse := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * inverse)
	}
}
