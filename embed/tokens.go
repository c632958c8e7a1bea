package embed

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"
)

// cl100k is built on first use: its tables take some 10 MB.
var cl100k = sync.OnceValues(func() (tokenizer.Codec, error) {
	return tokenizer.Get(tokenizer.Cl100kBase)
})

// TextOf returns the text of cl100k_base's tokens, which clients of OpenAI's models may
// send in its place.
func TextOf(tokens []int) (string, error) {
	codec, err := cl100k()
	if err != nil {
		return "", fmt.Errorf("embed: %w", err)
	}
	ids := make([]uint, len(tokens))
	for i, id := range tokens {
		ids[i] = uint(id) // a negative one is no token either
	}
	text, err := codec.Decode(ids)
	if err != nil {
		return "", fmt.Errorf("embed: %w", err)
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

// tokenEnds returns the byte at which each of text's cl100k tokens ends; each
// begins where the one before it ends. A token may end inside a character.
func tokenEnds(text string) []int {
	if text == "" {
		return nil
	}
	// Each broken byte becomes one sign, so that the places stay; the
	// tokenizer would replace it by three bytes.
	clean := text
	if !utf8.ValidString(text) {
		b := []byte(text)
		for i := 0; i < len(b); {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				b[i] = '?'
			}
			i += n
		}
		clean = string(b)
	}
	if codec, err := cl100k(); err == nil {
		if _, tokens, err := codec.Encode(clean); err == nil {
			ends, at := make([]int, len(tokens)), 0
			for i, t := range tokens {
				at += len(t)
				ends[i] = at
			}
			if at == len(text) {
				return ends
			}
		}
	}
	// Should the library ever fail: no text has more tokens than bytes.
	ends := make([]int, len(text))
	for i := range ends {
		ends[i] = i + 1
	}
	return ends
}
