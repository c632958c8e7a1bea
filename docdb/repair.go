package docdb

import "bytes"

// repairNumbers turns the bare tokens of a GraphQL answer that are not plain
// numbers into strings, and leaves every other byte alone.
//
// TerminusDB's GraphQL takes the quotes off strings that look like numbers: the
// string "1.0" arrives as 1.0, "007.5" as 007.5, and in fields of certain names
// anything made of digits, signs, dots and e, "1-2" as 1-2. The second and
// third are no JSON at all, and decoding the first as a number would lose its
// zero. A token that is exactly how a number would be written anyway (see
// isPlainNumber) stays a number: there the text is the same either way.
//
// The result is body itself when there is nothing to repair.
func repairNumbers(body []byte) []byte {
	var out []byte // nil until something was repaired
	done := 0      // body[:done] has been copied to out
	for i := 0; i < len(body); {
		switch c := body[i]; {
		case c == '"':
			i = skipString(body, i)
		case isTokenByte(c):
			start := i
			for i < len(body) && isTokenByte(body[i]) {
				i++
			}
			if token := body[start:i]; isUnquoted(token) {
				out = append(out, body[done:start]...)
				out = append(out, '"')
				out = append(out, token...)
				out = append(out, '"')
				done = i
			}
		default:
			i++
		}
	}
	if out == nil {
		return body
	}
	return append(out, body[done:]...)
}

// skipString returns the index after the string that starts at body[i].
func skipString(body []byte, i int) int {
	for i++; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

func isTokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// isUnquoted reports whether a bare token was a string: it is made of what the
// server takes quotes off, and is not a plain number.
func isUnquoted(token []byte) bool {
	return len(bytes.Trim(token, "0123456789.eE+-")) == 0 && !isPlainNumber(token)
}

// isPlainNumber reports whether token is a number as one writes it: an integer
// or decimal without exponent, sign of zero, leading or trailing zeros.
func isPlainNumber(token []byte) bool {
	rest, negative := bytes.CutPrefix(token, []byte("-"))
	whole, fraction, dotted := bytes.Cut(rest, []byte("."))
	if !isDigits(whole) || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if !dotted {
		return !negative || whole[0] != '0'
	}
	return isDigits(fraction) && fraction[len(fraction)-1] != '0'
}

func isDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}
