package embed

import (
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/indexer"
)

// A window is the rule by which long texts are split, in tokens.
type window struct{ size, overlap int }

// split cuts a text of n tokens, of which at gives the byte ranges. A text
// that fits stays whole; otherwise windows begin every size-overlap tokens,
// until one reaches the end. The bytes of a chunk are those from its first
// token to its last, widened to whole characters.
func (w window) split(text string, n int, at func(int) (start, end int)) []indexer.Chunk {
	if n <= w.size {
		return []indexer.Chunk{{Start: 0, End: len(text), TokenStart: 0, Tokens: n}}
	}
	var chunks []indexer.Chunk
	for first := 0; ; first += w.size - w.overlap {
		last := min(first+w.size, n)
		start, _ := at(first)
		_, end := at(last - 1)
		for start > 0 && !utf8.RuneStart(text[start]) {
			start--
		}
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		chunks = append(chunks, indexer.Chunk{Start: start, End: end, TokenStart: first, Tokens: last - first})
		if last == n {
			return chunks
		}
	}
}
