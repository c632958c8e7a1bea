package subword

import (
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normalizer changes characters before they are cut. It may write over what
// it is given.
type normalizer func([]char) []char

// normalizer returns the normalizer that a step of the file describes.
func (s *step) normalizer() (normalizer, error) {
	switch s.Type {
	case "Sequence":
		var all []normalizer
		for i := range s.Normalizers {
			n, err := s.Normalizers[i].normalizer()
			if err != nil {
				return nil, err
			}
			all = append(all, n)
		}
		return func(chars []char) []char {
			for _, n := range all {
				chars = n(chars)
			}
			return chars
		}, nil
	case "BertNormalizer":
		b := bert{
			clean: optional(s.CleanText, true), ideographs: optional(s.HandleChineseChars, true), lowercase: optional(s.Lowercase, true),
		}
		b.strip = optional(s.StripAccents, b.lowercase)
		return b.normalize, nil
	case "NFD":
		return func(chars []char) []char { return decompose(chars, norm.NFD) }, nil
	case "NFKD":
		return func(chars []char) []char { return decompose(chars, norm.NFKD) }, nil
	case "NFC":
		return func(chars []char) []char { return compose(decompose(chars, norm.NFD)) }, nil
	case "NFKC":
		return func(chars []char) []char { return compose(decompose(chars, norm.NFKD)) }, nil
	case "Lowercase":
		return lowercase, nil
	case "StripAccents":
		return func(chars []char) []char {
			return keep(chars, func(r rune) bool { return !unicode.Is(unicode.M, r) })
		}, nil
	case "Strip":
		left, right := optional(s.StripLeft, true), optional(s.StripRight, true)
		return func(chars []char) []char {
			for left && len(chars) > 0 && isSpace(chars[0].r) {
				chars = chars[1:]
			}
			for right && len(chars) > 0 && isSpace(chars[len(chars)-1].r) {
				chars = chars[:len(chars)-1]
			}
			return chars
		}, nil
	case "Nmt":
		return nmt, nil
	case "Prepend":
		content := []rune(s.Prepend)
		return func(chars []char) []char { return prepend(chars, content) }, nil
	case "Replace":
		find, err := s.Pattern.compile()
		if err != nil {
			return nil, err
		}
		content := []rune(s.Content)
		return func(chars []char) []char { return replace(chars, find, content) }, nil
	case "Precompiled":
		m, err := parseCharsMap(s.PrecompiledCharsMap)
		if err != nil {
			return nil, err
		}
		return m.normalize, nil
	}
	return nil, fmt.Errorf("normalizer %.40q is not known", s.Type)
}

func optional(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// bert is what BERT does to a text.
type bert struct{ clean, ideographs, strip, lowercase bool }

func (b bert) normalize(chars []char) []char {
	if b.clean {
		chars = keep(chars, func(r rune) bool { return r != 0 && r != '\uFFFD' && !isControl(r) })
		chars = change(chars, func(r rune) rune {
			if isSpace(r) {
				return ' '
			}
			return r
		})
	}
	if b.ideographs && slices.ContainsFunc(chars, func(c char) bool { return isIdeograph(c.r) }) {
		out := make([]char, 0, len(chars)*3)
		for _, c := range chars {
			if isIdeograph(c.r) {
				out = append(out, c.with(' ', false), c, c.with(' ', true))
			} else {
				out = append(out, c)
			}
		}
		chars = out
	}
	if b.strip {
		chars = keep(decompose(chars, norm.NFD), func(r rune) bool { return r < 0x300 || !unicode.Is(unicode.Mn, r) })
	}
	if b.lowercase {
		chars = lowercase(chars)
	}
	return chars
}

// isControl reports characters that show nothing, apart from those that part
// words.
func isControl(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

func lowercase(chars []char) []char {
	if !slices.ContainsFunc(chars, func(c char) bool { return c.r == 'İ' }) {
		return change(chars, unicode.ToLower)
	}
	out := make([]char, 0, len(chars)+8)
	for _, c := range chars {
		out = appendLower(out, c)
	}
	return out
}

// nmt drops control characters and makes spaces of what parts words.
func nmt(chars []char) []char {
	chars = keep(chars, func(r rune) bool {
		return !(1 <= r && r <= 8 || r == 0xB || 0xE <= r && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
	})
	return change(chars, func(r rune) rune {
		switch r {
		case '\t', '\n', '\f', '\r', 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
			return ' '
		}
		return r
	})
}

// prepend puts content before the first character, of whose bytes it is.
// Where there is no character it does nothing.
func prepend(chars []char, content []rune) []char {
	if len(chars) == 0 {
		return chars
	}
	out := make([]char, 0, len(content)+len(chars))
	for _, r := range content {
		out = append(out, chars[0].with(r, false))
	}
	return append(out, chars...)
}

// replace puts content in the place of every match, of whose last character's
// bytes it is.
func replace(chars []char, find pattern, content []rune) []char {
	spans := find(chars)
	out := make([]char, 0, len(chars)+len(spans)*len(content))
	for _, s := range spans {
		if !s.match {
			out = append(out, chars[s.start:s.end]...)
			continue
		}
		for _, r := range content {
			out = append(out, chars[s.end-1].with(r, false))
		}
	}
	return out
}

var errPattern = errors.New("a pattern is missing")
