package embed

import (
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed/subword"
)

// A window is the rule by which long texts are split, in tokens.
type window struct{ size, overlap int }

// windowOf returns a window of so many tokens, which overlap by a seventh.
func windowOf(size int) window { return window{size, size / 7} }

// A model is what is known of one by its name.
type model struct {
	dim      int  // 0: not known, ask
	window   int  // tokens it reads, 0: not known
	prefixes bool // wants nomic's prefix for each role
}

var models = map[string]model{
	"text-embedding-3-small": {dim: 1536, window: 8191},
	"text-embedding-3-large": {dim: 3072, window: 8191},
	"text-embedding-ada-002": {dim: 1536, window: 8191},

	"nomic-ai/nomic-embed-text-v2-moe": {dim: 768, prefixes: true},
	"nomic-embed-text-v2-moe":          {dim: 768, prefixes: true},
	"nomic-embed-v2":                   {dim: 768, prefixes: true},
	"nomic-ai/nomic-embed-text-v1.5":   {dim: 768, prefixes: true},
}

// nomicPrefixes tell nomic's models the role of a text.
var nomicPrefixes = map[contract.Role]string{
	contract.RoleDocument:       "search_document: ",
	contract.RoleQuery:          "search_query: ",
	contract.RoleClustering:     "clustering: ",
	contract.RoleClassification: "classification: ",
}

const (
	// tokenizerWindow is the number of tokens that a model is taken to read
	// if its tokenizer is there: most read this many, some more.
	tokenizerWindow = 512
	// minWindow keeps a strange tokenizer from cutting texts to pieces.
	minWindow = 64
)

// unknownWindow is in cl100k's tokens for a model that has others: these many
// fit 512 of most tokenizers.
var unknownWindow = window{size: 480, overlap: 64}

// windowOf returns the rule for a model. A window has room for the prefix of
// documents and for the special tokens around a text; but of nomic's models
// only for the prefix, so that chunks are those of other programs.
func (m model) windowOf(t *subword.Tokenizer) window {
	switch {
	case m.window != 0:
		return windowOf(m.window)
	case t == nil:
		return unknownWindow
	case m.prefixes:
		return windowOf(tokenizerWindow - len(t.Tokens(nomicPrefixes[contract.RoleDocument])))
	}
	return windowOf(tokenizerWindow - t.Special())
}

// split cuts a text of n tokens, of which at gives the byte ranges. A text
// that fits is not cut; otherwise windows begin every size-overlap tokens,
// until one reaches the end. The bytes of a chunk are those from its first
// token to its last, widened to the ends of characters.
func (w window) split(text string, n int, at func(int) (start, end int)) []contract.Chunk {
	if n <= w.size {
		return []contract.Chunk{{Start: 0, End: len(text), TokenStart: 0, Tokens: n}}
	}
	var chunks []contract.Chunk
	for first := 0; ; first += w.size - w.overlap {
		last := min(first+w.size, n)
		start, _ := at(first)
		_, end := at(last - 1)
		if end <= start { // tokens of nothing, such as spaces that were trimmed
			start = min(start, len(text)-1)
			end = start + 1
		}
		for start > 0 && !utf8.RuneStart(text[start]) {
			start--
		}
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		chunks = append(chunks, contract.Chunk{Start: start, End: end, TokenStart: first, Tokens: last - first})
		if last == n {
			return chunks
		}
	}
}
