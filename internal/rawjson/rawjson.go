// Package rawjson looks at JSON from outside before it is decoded, for what
// package encoding/json replaces or refuses in silence.
package rawjson

import (
	"bytes"
	"errors"
)

// ErrSurrogate says that a text was cut in the middle of a character: decoding
// would make another character of it, and one id of several.
var ErrSurrogate = errors.New(`a text has half of a surrogate pair (an escape from \ud800 to \udfff without the other half)`)

// Trim returns JSON without a byte order mark before it, as RFC 8259 allows.
func Trim(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// Check returns ErrSurrogate where an escape in JSON is half of a surrogate pair.
func Check(data []byte) error {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 == len(data) {
			return nil
		}
		unit, rest := unit16(data[i:])
		data = rest
		switch {
		case unit < 0xd800 || unit > 0xdfff:
		case unit > 0xdbff:
			return ErrSurrogate
		default:
			low, rest := unit16(data)
			if low < 0xdc00 || low > 0xdfff {
				return ErrSurrogate
			}
			data = rest
		}
	}
}

// unit16 returns the UTF-16 unit of an escape \uXXXX at the start, and what follows;
// of anything else -1, and what follows one escape or one byte.
func unit16(data []byte) (int, []byte) {
	if len(data) < 2 || data[0] != '\\' {
		return -1, data[min(1, len(data)):]
	}
	if data[1] != 'u' || len(data) < 6 {
		return -1, data[2:]
	}
	unit := 0
	for _, c := range data[2:6] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 || c < '0' {
			return -1, data[2:]
		}
		unit = unit<<4 | digit
	}
	return unit, data[6:]
}
