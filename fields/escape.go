package fields

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// token matches what of a filter must not be looked into, or is rewritten: texts, raw
// texts, comments, names and numbers.
var token = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|//[^\n]*|/\\*(?s:.*?)\\*/|[\\pL_$][\\pL\\pN_$]*|[0-9][0-9A-Za-z_]*(?:\\.[0-9])?")

// unit matches an escape of a character in a text, or another one.
var unit = regexp.MustCompile(`\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\.`)

// readable returns a filter in a form that expr's parser reads as it is meant, every
// token at its place: surrogate pairs as the characters that they are, and 2⁶³, which
// is no integer of 64 bits before its minus is, as the float that equals it.
func readable(text string) (string, error) {
	var err error
	text = token.ReplaceAllStringFunc(text, func(t string) string {
		switch c := t[0]; {
		case c == '"' || c == '\'':
			joined, bad := joinPairs(t)
			err = errors.Join(err, bad)
			return joined
		case c >= '0' && c <= '9':
			plain := strings.ReplaceAll(t, "_", "")
			base := 10
			if len(plain) > 1 && plain[0] == '0' && strings.ContainsAny(plain[1:2], "xXbBoO") {
				base = 0
			}
			if n, bad := strconv.ParseUint(plain, base, 64); bad == nil && n == 1<<63 {
				const mantissa, exponent = "9223372036854776", "e3"
				return mantissa + strings.Repeat("_", len(t)-len(mantissa)-len(exponent)) + exponent
			}
		}
		return t
	})
	return text, err
}

// joinPairs returns a quoted text with its surrogate pairs joined, and behind it as
// many blanks as it became shorter.
func joinPairs(text string) (string, error) {
	if !strings.Contains(text, `\u`) && !strings.Contains(text, `\U`) {
		return text, nil
	}
	var b strings.Builder
	blanks, from := 0, 0
	var high rune // which the escape before was; 0: none
	for _, m := range unit.FindAllStringSubmatchIndex(text, -1) {
		var r rune
		for i := 2; i < len(m); i += 2 {
			if m[i] >= 0 {
				n, _ := strconv.ParseUint(text[m[i]:m[i+1]], 16, 32)
				r = rune(n)
			}
		}
		if high != 0 && (m[0] != from || !utf16.IsSurrogate(r) || r < 0xdc00) || high == 0 && r >= 0xdc00 && r <= 0xdfff {
			return "", errSurrogate
		}
		switch {
		case high != 0:
			b.WriteRune(utf16.DecodeRune(high, r))
			blanks += m[1] - m[0] - 1
			high = 0
		case utf16.IsSurrogate(r):
			b.WriteString(text[from:m[0]])
			high, blanks = r, blanks+m[1]-m[0]
		default:
			b.WriteString(text[from:m[1]])
		}
		from = m[1]
	}
	if high != 0 {
		return "", errSurrogate
	}
	b.WriteString(text[from:])
	return b.String() + strings.Repeat(" ", blanks), nil
}

var errSurrogate = errors.New(`a text has half of a surrogate pair (an escape from \ud800 to \udfff without the other half)`)

// spelled matches texts that look like dates.
var spelled = regexp.MustCompile(`^\s*(\d{4,}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([Tt ,]+\d{1,2}:\d{2}.*)?\s*$|^\d{8}T\d{4}`)

// Hints returns what is to be known about a filter that can be read and may not do
// what is meant: that a text in it looks like a date and is none.
func Hints(text string) []string {
	if !strings.ContainsAny(text, "0123456789") {
		return nil
	}
	f, err := ParseFilter(text)
	if err != nil {
		return nil
	}
	var hints []string
	for _, at := range f.dates {
		hints = append(hints, "filter: the text at "+f.place(at)+" looks like a date and is compared as a text: dates are written as 2024-01-31 or 2024-01-31T09:30:00Z")
	}
	return hints
}
