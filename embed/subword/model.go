package subword

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A model cuts one piece of a text into tokens.
type model interface {
	// append appends the tokens of word, which is not empty.
	append(out []Token, word []char) []Token
}

// modelJSON is a model as the file describes it.
type modelJSON struct {
	Type  string
	Vocab json.RawMessage

	UnkToken                *string `json:"unk_token"`
	ContinuingSubwordPrefix *string `json:"continuing_subword_prefix"`

	// WordPiece
	MaxInputCharsPerWord *int `json:"max_input_chars_per_word"`

	// BPE
	Merges          json.RawMessage
	EndOfWordSuffix *string `json:"end_of_word_suffix"`
	FuseUnk         bool    `json:"fuse_unk"`
	IgnoreMerges    bool    `json:"ignore_merges"`

	// Unigram
	UnkID *int32 `json:"unk_id"`

	ByteFallback bool `json:"byte_fallback"`
}

var errVocab = errors.New("the vocabulary cannot be read")

// model returns the model that the file describes.
func (m *modelJSON) model() (model, error) {
	switch m.Type {
	case "WordPiece":
		return m.wordPiece()
	case "BPE":
		return m.bpe()
	case "Unigram":
		return m.unigram()
	}
	return nil, fmt.Errorf("model %.40q is not known", m.Type)
}

// pieces reads a vocabulary that is an object of ids.
func (m *modelJSON) pieces() (map[string]int32, error) {
	var vocab map[string]int32
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil || len(vocab) == 0 {
		return nil, errVocab
	}
	return vocab, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// token makes a token of some characters.
func token(id int32, chars []char) Token {
	t := Token{ID: id, Start: int(chars[0].start), End: int(chars[0].end)}
	for _, c := range chars[1:] {
		t.Start, t.End = min(t.Start, int(c.start)), max(t.End, int(c.end))
	}
	return t
}

// byteIDs returns the tokens that stand for single bytes, if there are all.
func byteIDs(id func(string) (int32, bool)) (*[256]int32, error) {
	var ids [256]int32
	for b := range ids {
		var ok bool
		if ids[b], ok = id(fmt.Sprintf("<0x%02X>", b)); !ok {
			return nil, fmt.Errorf("the vocabulary has no token for byte %02X", b)
		}
	}
	return &ids, nil
}

// wordPiece cuts words greedily into the longest pieces that it knows.
type wordPiece struct {
	first   map[string]int32 // pieces that begin a word
	next    map[string]int32 // pieces that continue one, without their sign
	longest int              // characters of the longest piece
	most    int              // characters of the longest word
	unknown int32
}

func (m *modelJSON) wordPiece() (model, error) {
	vocab, err := m.pieces()
	if err != nil {
		return nil, err
	}
	sign, most := "##", 100
	if m.ContinuingSubwordPrefix != nil {
		sign = *m.ContinuingSubwordPrefix
	}
	if m.MaxInputCharsPerWord != nil {
		most = *m.MaxInputCharsPerWord
	}
	unknown, ok := vocab[text(m.UnkToken)]
	if !ok {
		return nil, errors.New("the vocabulary has no token for what is unknown")
	}
	return newWordPiece(vocab, sign, most, unknown), nil
}

func newWordPiece(vocab map[string]int32, sign string, most int, unknown int32) *wordPiece {
	w := &wordPiece{first: vocab, next: make(map[string]int32, len(vocab)/4), most: most, unknown: unknown}
	for p, id := range vocab {
		w.longest = max(w.longest, utf8.RuneCountInString(p))
		if rest, ok := strings.CutPrefix(p, sign); ok {
			w.next[rest] = id
		}
	}
	return w
}

func (w *wordPiece) append(out []Token, word []char) []Token {
	if len(word) > w.most {
		return append(out, token(w.unknown, word))
	}
	buf := appendText(make([]byte, 0, 64), word)
	ends := make([]int, 0, 64) // byte at which each character ends in buf
	for i := range word {
		before := 0
		if i > 0 {
			before = ends[i-1]
		}
		ends = append(ends, before+runeLen(word[i].r))
	}
	mark, pieces, start := len(out), w.first, 0 // start is a byte of buf
	for i := 0; i < len(word); {
		j := min(len(word), i+w.longest)
		for ; j > i; j-- {
			if id, ok := pieces[string(buf[start:ends[j-1]])]; ok {
				out = append(out, token(id, word[i:j]))
				start = ends[j-1]
				break
			}
		}
		if j == i {
			return append(out[:mark], token(w.unknown, word))
		}
		i, pieces = j, w.next
	}
	return out
}
