package rawjson

import "bytes"

// CutNumbers takes an array of numbers out of a JSON object: it returns the text of the
// first member of that name, and the object with null in its place, which is all that is
// left for a decoder to go through. The numbers are not looked at. Where there is no such
// member, or something else than numbers may be in it, array is nil, and rest is all.
func CutNumbers(object []byte, name string) (array, rest []byte) {
	depth := 0
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start := i + 1
			end := endOfText(object, start)
			if end < 0 {
				return nil, object
			}
			i = end
			if depth != 1 || string(object[start:end]) != name {
				continue
			}
			after := bytes.TrimLeft(object[end+1:], " \t\r\n")
			if len(after) == 0 || after[0] != ':' {
				continue // a text that reads so
			}
			after = bytes.TrimLeft(after[1:], " \t\r\n")
			n := bytes.IndexByte(after, ']') + 1
			if n == 0 || after[0] != '[' || bytes.ContainsAny(after[1:n], `"[{`) {
				return nil, object
			}
			at := len(object) - len(after)
			rest = append(append(make([]byte, 0, len(object)-n+4), object[:at]...), "null"...)
			return after[:n], append(rest, after[n:]...)
		}
	}
	return nil, object
}

// endOfText returns where a text ends that begins at start, -1 if it does not.
func endOfText(b []byte, start int) int {
	for i := start; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
