package subword

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A piece is a part of a text that later steps look at on its own.
type piece struct {
	chars []char
	first bool // nothing of the text is before it
}

// A splitter cuts pieces into smaller ones. It may write over what it is given
// and returns no empty piece.
type splitter func([]piece) []piece

// splitter returns the pre-tokenizer that a step of the file describes.
func (s *step) splitter() (splitter, error) {
	switch s.Type {
	case "Sequence":
		var all []splitter
		for i := range s.Pretokenizers {
			f, err := s.Pretokenizers[i].splitter()
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		return func(pieces []piece) []piece {
			for _, f := range all {
				pieces = f(pieces)
			}
			return pieces
		}, nil
	case "BertPreTokenizer":
		return bertSplit, nil
	case "WhitespaceSplit":
		return func(pieces []piece) []piece { return split(pieces, each(isSpace), removed) }, nil
	case "Whitespace":
		return func(pieces []piece) []piece { return split(pieces, invert(words), removed) }, nil
	case "Punctuation":
		b, err := behaviourOf(s.Behavior, isolated)
		if err != nil {
			return nil, err
		}
		return func(pieces []piece) []piece { return split(pieces, each(isPunct), b) }, nil
	case "Digits":
		b := contiguous
		if optional(s.IndividualDigits, false) {
			b = isolated
		}
		return func(pieces []piece) []piece { return split(pieces, each(unicode.IsNumber), b) }, nil
	case "Split":
		find, err := s.Pattern.compile()
		if err != nil {
			return nil, err
		}
		b, err := behaviourOf(s.Behavior, "")
		if err != nil {
			return nil, err
		}
		if optional(s.Invert, false) {
			find = invert(find)
		}
		return func(pieces []piece) []piece { return split(pieces, find, b) }, nil
	case "Metaspace":
		return s.metaspace()
	case "ByteLevel":
		return s.byteLevel()
	}
	return nil, fmt.Errorf("pre-tokenizer %.40q is not known", s.Type)
}

// bertSplit parts words at white space and sets punctuation apart.
func bertSplit(pieces []piece) []piece {
	return split(split(pieces, each(isSpace), removed), each(isPunct), isolated)
}

// A behaviour says what becomes of what a pattern finds.
type behaviour string

const (
	removed    behaviour = "Removed"
	isolated   behaviour = "Isolated"
	contiguous behaviour = "Contiguous" // isolated, neighbours together
	previous   behaviour = "MergedWithPrevious"
	next       behaviour = "MergedWithNext"
)

func behaviourOf(name string, otherwise behaviour) (behaviour, error) {
	if name == "" && otherwise != "" {
		return otherwise, nil
	}
	switch b := behaviour(name); b {
	case removed, isolated, contiguous, previous, next:
		return b, nil
	}
	return "", fmt.Errorf("split behaviour %.40q is not known", name)
}

// each matches, one by one, the characters that f is true of.
func each(f func(rune) bool) pattern {
	return func(chars []char) []span {
		var found []span
		for i, c := range chars {
			if f(c.r) {
				found = add(found, i, i+1)
			}
		}
		return finish(found, len(chars))
	}
}

// words matches runs of word characters, and of others that are not white
// space.
func words(chars []char) []span {
	var found []span
	for i := 0; i < len(chars); {
		j := i + 1
		if !isSpace(chars[i].r) {
			for j < len(chars) && !isSpace(chars[j].r) && isWord(chars[j].r) == isWord(chars[i].r) {
				j++
			}
			found = add(found, i, j)
		}
		i = j
	}
	return finish(found, len(chars))
}

// split cuts each piece at what find matches.
func split(pieces []piece, find pattern, b behaviour) []piece {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		for _, s := range b.apply(find(p.chars)) {
			out = append(out, piece{p.chars[s.start:s.end], p.first && s.start == 0})
		}
	}
	return out
}

// apply joins or drops spans as the behaviour says.
func (b behaviour) apply(spans []span) []span {
	out := make([]span, 0, len(spans))
	for i, s := range spans {
		last := len(out) - 1
		switch {
		case b == removed && s.match:
		case b == contiguous && i > 0 && s.match == spans[i-1].match,
			b == previous && i > 0 && s.match && !spans[i-1].match,
			b == next && i > 0 && !s.match && spans[i-1].match:
			out[last].end = s.end
		default:
			out = append(out, s)
		}
	}
	return out
}

// metaspace puts a sign in the place of spaces, and before the text.
func (s *step) metaspace() (splitter, error) {
	mark, n := utf8.DecodeRuneInString(s.Replacement)
	if n == 0 || n != len(s.Replacement) {
		return nil, fmt.Errorf("replacement %.40q of Metaspace is not one character", s.Replacement)
	}
	scheme := s.PrependScheme
	if scheme == "" { // older files say only whether
		scheme = "always"
		if !optional(s.AddPrefixSpace, true) {
			scheme = "never"
		}
	}
	if scheme != "always" && scheme != "first" && scheme != "never" {
		return nil, fmt.Errorf("prepend_scheme %.40q of Metaspace is not known", scheme)
	}
	cut := optional(s.Split, true)
	isMark := func(r rune) bool { return r == mark }
	return func(pieces []piece) []piece {
		for i, p := range pieces {
			chars := change(p.chars, func(r rune) rune {
				if r == ' ' {
					return mark
				}
				return r
			})
			if len(chars) > 0 && chars[0].r != mark && (scheme == "always" || scheme == "first" && p.first) {
				chars = prepend(chars, []rune{mark})
			}
			pieces[i].chars = chars
		}
		if cut {
			pieces = split(pieces, each(isMark), next)
		}
		return pieces
	}, nil
}

// gpt2 parts words, numbers and signs, each with the space before it.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// byteLevel puts a printable character in the place of every byte.
func (s *step) byteLevel() (splitter, error) {
	space, cut := optional(s.AddPrefixSpace, true), optional(s.UseRegex, true)
	find, err := expression(gpt2)
	if err != nil {
		return nil, err
	}
	return func(pieces []piece) []piece {
		if space {
			for i, p := range pieces {
				if len(p.chars) > 0 && p.chars[0].r != ' ' {
					pieces[i].chars = append([]char{{r: ' ', start: p.chars[0].start, end: p.chars[0].start}}, p.chars...)
				}
			}
		}
		if cut {
			pieces = split(pieces, find, isolated)
		}
		for i, p := range pieces {
			out := make([]char, 0, len(p.chars)+8)
			for _, c := range p.chars {
				var b [utf8.UTFMax]byte
				for _, x := range b[:utf8.EncodeRune(b[:], c.r)] {
					out = append(out, c.with(byteChars[x], false))
				}
			}
			pieces[i].chars = out
		}
		return pieces
	}, nil
}

// byteChars are the characters that stand for the bytes: for printable ones
// their own in Latin-1, for the others those from U+0100 on.
var byteChars = func() (chars [256]rune) {
	next := rune(256)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			chars[b] = b
		} else {
			chars[b] = next
			next++
		}
	}
	return chars
}()
