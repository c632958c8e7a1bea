package subword

import (
	"bytes"
	"compress/bzip2"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unicode/utf8"
)

// ErrFormat reports a file that is no tokenizer.json, or one that needs what
// this package does not know.
var ErrFormat = errors.New("not a tokenizer.json that can be used")

// A Token is a piece of a text and its place in the vocabulary.
type Token struct {
	ID         int32
	Start, End int // byte range in the text
}

// A Tokenizer cuts texts as one file says.
type Tokenizer struct {
	raw, normalized added // tokens looked for before and after normalization
	normalize       normalizer
	split           splitter
	model           model
	trim            trimming
	special         int
}

// step is a normalizer, pre-tokenizer or post-processor as the file describes
// it, with the members of all of them.
type step struct {
	Type          string
	Normalizers   []step
	Pretokenizers []step
	Processors    []step

	CleanText          *bool `json:"clean_text"`
	HandleChineseChars *bool `json:"handle_chinese_chars"`
	StripAccents       *bool `json:"strip_accents"`
	Lowercase          *bool

	StripLeft  *bool `json:"strip_left"`
	StripRight *bool `json:"strip_right"`

	Prepend             string
	Pattern             *patternSource
	Content             string
	PrecompiledCharsMap string `json:"precompiled_charsmap"`

	Behavior         string
	Invert           *bool
	IndividualDigits *bool `json:"individual_digits"`
	Replacement      string
	PrependScheme    string `json:"prepend_scheme"`
	Split            *bool
	AddPrefixSpace   *bool `json:"add_prefix_space"`
	UseRegex         *bool `json:"use_regex"`

	TrimOffsets   *bool `json:"trim_offsets"`
	Single        []map[string]struct{ ID string }
	SpecialTokens map[string]struct{ IDs []int32 } `json:"special_tokens"`
}

// maxFile bounds a file, unpacked. The largest ones known have 35 MB.
const maxFile = 256 << 20

// Open reads a file, which bzip2 may have packed.
func Open(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("subword: %w", err)
	}
	defer f.Close()
	return Read(f)
}

// Read reads a tokenizer.json, which bzip2 may have packed.
func Read(r io.Reader) (*Tokenizer, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && bytes.HasPrefix(data, []byte("BZh")) {
		data, err = io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(data)), maxFile+1))
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("subword: %w: %w", ErrFormat, err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("subword: %w: it is larger than %d bytes", ErrFormat, maxFile)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("subword: %w: %w", ErrFormat, err)
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
	var file struct {
		AddedTokens   []addedToken `json:"added_tokens"`
		Normalizer    *step
		PreTokenizer  *step `json:"pre_tokenizer"`
		PostProcessor *step `json:"post_processor"`
		Model         *modelJSON
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if file.Model == nil {
		return nil, errors.New("it describes no model")
	}
	t := &Tokenizer{
		normalize: func(chars []char) []char { return chars },
		split:     func(pieces []piece) []piece { return pieces },
	}
	var err error
	if file.Normalizer != nil {
		if t.normalize, err = file.Normalizer.normalizer(); err != nil {
			return nil, err
		}
	}
	if file.PreTokenizer != nil {
		if t.split, err = file.PreTokenizer.splitter(); err != nil {
			return nil, err
		}
	}
	if t.model, err = file.Model.model(); err != nil {
		return nil, err
	}
	if file.PostProcessor != nil {
		if err := t.postProcess(file.PostProcessor); err != nil {
			return nil, err
		}
	}
	var raw, normalized []addedToken
	for _, a := range file.AddedTokens {
		if a.Normalized {
			a.runes = runesOf(nil, t.normalize(charsOf(a.Content)))
			normalized = append(normalized, a)
		} else {
			a.runes = []rune(a.Content)
			raw = append(raw, a)
		}
	}
	t.raw, t.normalized = newAdded(raw), newAdded(normalized)
	return t, nil
}

// trimming reports whether the spaces at the ends of tokens belong to no token.
type trimming struct{ on, prefix bool }

// postProcess takes what concerns us out of a post-processor: how many special
// tokens it puts around a text, and whether it trims places.
func (t *Tokenizer) postProcess(s *step) error {
	switch s.Type {
	case "Sequence":
		for i := range s.Processors {
			if err := t.postProcess(&s.Processors[i]); err != nil {
				return err
			}
		}
	case "TemplateProcessing":
		for _, part := range s.Single {
			if p, ok := part["SpecialToken"]; ok {
				t.special += len(s.SpecialTokens[p.ID].IDs)
			}
		}
	case "BertProcessing":
		t.special += 2
	case "RobertaProcessing":
		t.special += 2
		t.trim = trimming{optional(s.TrimOffsets, true), optional(s.AddPrefixSpace, true)}
	case "ByteLevel":
		t.trim = trimming{optional(s.TrimOffsets, true), optional(s.AddPrefixSpace, true)}
	default:
		return fmt.Errorf("post-processor %.40q is not known", s.Type)
	}
	return nil
}

// Special returns the number of tokens that the model is given around every
// text, such as those that begin and end it.
func (t *Tokenizer) Special() int { return t.special }

// Tokens returns the tokens of text, without the special ones around it. Their
// places are the boundaries of characters. They mostly follow one another, but
// what a normalizer drops is in none, and tokens that stand for parts of one
// character share it. A text of more than 2 GB has none.
func (t *Tokenizer) Tokens(text string) []Token {
	if len(text) > math.MaxInt32 {
		return nil
	}
	out := make([]Token, 0, len(text)/4+1)
	one := func(id int32, chars []char) { out = append(out, token(id, chars)) }
	t.raw.split(charsOf(text), one, func(chars []char) {
		first := chars[0].start == 0
		t.normalized.split(t.normalize(chars), one, func(chars []char) {
			for _, p := range t.split([]piece{{chars, first}}) {
				if len(p.chars) == 0 {
					continue
				}
				out = t.model.append(out, p.chars)
			}
			first = false
		})
	})
	if t.trim.on {
		t.trim.trim(out, text)
	}
	return out
}

// trim takes the spaces off the ends of the tokens' places. As in the
// reference, a space that begins the text stays where one is put there anyway.
func (tr trimming) trim(tokens []Token, text string) {
	for i := range tokens {
		t := &tokens[i]
		for t.Start < t.End && text[t.Start] == ' ' && !(tr.prefix && t.Start == 0) {
			t.Start++
		}
		for t.End > t.Start && text[t.End-1] == ' ' {
			t.End--
		}
	}
}

func runeLen(r rune) int {
	if n := utf8.RuneLen(r); n > 0 {
		return n
	}
	return utf8.RuneLen(utf8.RuneError)
}
