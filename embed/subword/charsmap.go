package subword

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// A charsMap is a table of replacements as SentencePiece compiles it: a double
// array from texts to places in a list of texts that end with a zero.
type charsMap struct {
	units []uint32
	texts []byte
}

var errCharsMap = errors.New("the compiled character map is damaged")

// parseCharsMap reads base64 of the size of the array in bytes (uint32), the
// array and the list, little-endian.
func parseCharsMap(encoded string) (*charsMap, error) {
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(b) < 4 {
		return nil, errCharsMap
	}
	size := int64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if size > int64(len(b)) || size%4 != 0 || size == 0 {
		return nil, errCharsMap
	}
	m := &charsMap{units: make([]uint32, size/4), texts: b[size:]}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return m, nil
}

// lookup returns the replacement of the shortest beginning of text that has
// one.
func (m *charsMap) lookup(text []byte) ([]byte, bool) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	at := offset(m.units[0])
	for _, c := range text {
		if c == 0 {
			return nil, false
		}
		at ^= uint32(c)
		if int64(at) >= int64(len(m.units)) {
			return nil, false
		}
		unit := m.units[at]
		if unit&(1<<31|0xFF) != uint32(c) { // the label
			return nil, false
		}
		at ^= offset(unit)
		if int64(at) >= int64(len(m.units)) {
			return nil, false
		}
		if unit>>8&1 == 1 { // a text ends here
			place := int64(m.units[at] &^ (1 << 31))
			if place > int64(len(m.texts)) {
				return nil, false
			}
			found := m.texts[place:]
			if end := bytes.IndexByte(found, 0); end >= 0 {
				found = found[:end]
			}
			return found, true
		}
	}
	return nil, false
}

// normalize replaces as Hugging Face's tokenizers do: each grapheme of fewer
// than six bytes that has a replacement, else each character of it.
func (m *charsMap) normalize(chars []char) []char {
	out := make([]char, 0, len(chars)+8)
	text := string(appendText(nil, chars))
	state := -1
	for len(text) > 0 {
		var cluster string
		if len(text) == 1 || text[0] < utf8.RuneSelf && text[1] < utf8.RuneSelf && text[0] != '\r' {
			cluster, text, state = text[:1], text[1:], -1 // the usual case, at no cost
		} else {
			cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		}
		n := utf8.RuneCountInString(cluster)
		if len(cluster) < 6 {
			if found, ok := m.lookup([]byte(cluster)); ok {
				out = substitute(out, chars[:n], found)
				chars = chars[n:]
				continue
			}
		}
		for i := range n {
			var b [utf8.UTFMax]byte
			if found, ok := m.lookup(b[:utf8.EncodeRune(b[:], chars[i].r)]); ok {
				out = substitute(out, chars[i:i+1], found)
			} else {
				out = append(out, chars[i])
			}
		}
		chars = chars[n:]
	}
	return out
}

// substitute appends text in the place of chars: one for one as long as there
// are any, the rest with the last one's bytes.
func substitute(out, chars []char, text []byte) []char {
	for i := 0; len(text) > 0; i++ {
		r, n := utf8.DecodeRune(text)
		out = append(out, chars[min(i, len(chars)-1)].with(r, false))
		text = text[n:]
	}
	return out
}
