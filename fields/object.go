package fields

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Bounds of a document's fields. They are held in memory with the entries of a
// snapshot.
const (
	MaxFields = 100      // fields of a document
	MaxName   = 128      // bytes of a name
	MaxText   = 2 << 10  // bytes of a text
	MaxList   = 1_000    // values of a list
	MaxBytes  = 16 << 10 // bytes of all of them, as canonical JSON
)

// Object is a document's fields as canonical JSON: one object, names ascending,
// without blanks; integers of 64 bits as such, other numbers as the shortest
// text of a float64; equal fields have equal Objects. "" is an object without
// fields. Only Parse and Pick make one.
type Object string

// errors of one value.
var (
	errNull   = errors.New("null")
	errNested = errors.New("neither a text, a number, a boolean nor a list of those")
	errLong   = fmt.Errorf("a text above %d bytes", MaxText)
	errMany   = fmt.Errorf("a list above %d values", MaxList)
	errRange  = errors.New("a number beyond 64 bits")
)

// Parse reads fields of a request: a JSON object of texts, numbers,
// booleans and lists of those. Null and empty lists are no fields. An error
// reports what is wrong and names the field by its place alone; it quotes nothing.
func Parse(raw []byte) (Object, error) {
	members, err := split(raw)
	if err != nil {
		return "", err
	}
	o := builder{}
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if !usableName(name) {
			return "", fmt.Errorf("the name of a field is empty, longer than %d bytes or has control characters", MaxName)
		}
		var v []byte
		v, err = appendValue(nil, members[name], false)
		if err != nil {
			return "", fmt.Errorf("field %d by name is or holds %w", i+1, err)
		}
		o.add(name, v)
	}
	switch {
	case o.count > MaxFields:
		return "", fmt.Errorf("more than %d fields", MaxFields)
	case len(o.text) > MaxBytes:
		return "", fmt.Errorf("more than %d bytes of fields", MaxBytes)
	}
	return o.object(), nil
}

// Pick takes the fields out of a document that was queried, a JSON object: its
// members that are texts, numbers, booleans and lists of those. Members of another
// kind, beyond the bounds, or named _id, _type, _json or __… are left out without
// an error. If more members remain than fit, the first by name are kept. Anything
// but a JSON object has no fields.
func Pick(data []byte) Object {
	members, err := split(data)
	if err != nil {
		return ""
	}
	o := builder{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == "_id" || name == "_type" || name == "_json" || len(name) > 1 && name[:2] == "__" || !usableName(name) {
			continue
		}
		v, err := appendValue(nil, members[name], true)
		if err != nil || o.count == MaxFields || len(o.text)+len(name)+len(v)+8 > MaxBytes {
			continue
		}
		o.add(name, v)
	}
	return o.object()
}

func split(raw []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

func usableName(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// builder writes an Object; the names come in order.
type builder struct {
	text  []byte
	count int
}

func (b *builder) add(name string, value []byte) {
	if len(value) == 0 {
		return
	}
	b.count++
	if len(b.text) == 0 {
		b.text = append(b.text, '{')
	} else {
		b.text = append(b.text, ',')
	}
	b.text = appendText(b.text, name)
	b.text = append(b.text, ':')
	b.text = append(b.text, value...)
}

func (b *builder) object() Object {
	if len(b.text) == 0 {
		return ""
	}
	return Object(append(b.text, '}'))
}

// appendValue appends a value in its canonical form; nothing for null and for a
// list of nothing. With lax, lists are without what cannot be in one.
func appendValue(b []byte, raw json.RawMessage, lax bool) ([]byte, error) {
	if len(raw) == 0 || raw[0] != '[' {
		v, err := appendScalar(b, raw, lax)
		if errors.Is(err, errNull) {
			return b, nil
		}
		return v, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errNested
	}
	if len(list) > MaxList {
		return nil, errMany
	}
	start := len(b)
	for _, item := range list {
		at := len(b)
		if at == start {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		v, err := appendScalar(b, item, lax)
		if lax && err != nil && !errors.Is(err, errNested) {
			b = b[:at]
			continue
		}
		if err != nil {
			return nil, err
		}
		b = v
	}
	if len(b) == start {
		return b, nil
	}
	return append(b, ']'), nil
}

// appendScalar appends one value. With lax, an integer beyond 64 bits is taken
// for the float64 next to it: filters compare it nearly right.
func appendScalar(b []byte, raw json.RawMessage, lax bool) ([]byte, error) {
	if len(raw) == 0 {
		return nil, errNested
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, errNested
		}
		if len(s) > MaxText {
			return nil, errLong
		}
		return appendText(b, s), nil
	case 't', 'f':
		return append(b, raw...), nil
	case 'n':
		return nil, errNull
	case '[', '{':
		return nil, errNested
	}
	n, err := parseNumber(string(raw))
	if err != nil && lax {
		if near, ok := readNumber(string(raw)); ok {
			n, err = near, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return n.append(b), nil
}

// readNumber reads a number as databases write them: also with a plus, or with
// zeros in front. What is no number at all, as NaN, is none.
func readNumber(s string) (number, bool) {
	if len(s) > 400 || len(bytes.Trim([]byte(s), "0123456789.eE+-")) > 0 {
		return number{}, false
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return intNumber(i), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return number{}, false
	}
	return floatNumber(f), true
}

const hex = "0123456789abcdef"

// appendText appends a JSON string: as few escapes as JSON allows.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(append(b, s[start:i]...), '\\', c)
		case c < 0x20:
			b = append(append(b, s[start:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n != 1 {
				i += n
				continue
			}
			b = append(append(b, s[start:i]...), "\uFFFD"...)
		default:
			i++
			continue
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
