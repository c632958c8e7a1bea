package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A value of a document is nil, bool, string, number, []any or *object. A field
// that is not there is nil too.

// number is a JSON number as it was written: "1.10", "12345678901234567890".
type number string

// object holds its members sorted by key, so that every walk has one order.
type object struct {
	members []member
}

type member struct {
	key   string
	value any
}

func (o *object) get(key string) any {
	i, ok := slices.BinarySearchFunc(o.members, key, func(m member, k string) int {
		return strings.Compare(m.key, k)
	})
	if !ok {
		return nil
	}
	return o.members[i].value
}

const (
	// maxDataDepth bounds the recursion over a document.
	maxDataDepth = 100
	// maxNumberBytes bounds the work on one number.
	maxNumberBytes = 1000
	// valuesPerItem times Limits.Items is the number of values in a document.
	valuesPerItem = 16
)

// decode reads one JSON object. It reads token by token, so that a list of
// millions is refused before it is in memory.
func decode(data []byte, b *budget) (*object, error) {
	if !utf8.Valid(data) {
		return nil, badData("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	d := &decoder{dec: dec, b: b, values: b.limits.Items * valuesPerItem}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*object)
	if !ok {
		return nil, badData("not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, badData("more than one JSON value")
	}
	return o, nil
}

func badData(format string, args ...any) error {
	return fmt.Errorf("templates: %w: %s", ErrData, fmt.Sprintf(format, args...))
}

type decoder struct {
	dec    *json.Decoder
	b      *budget
	values int // how many more there may be
}

func (d *decoder) value(depth int) (any, error) {
	tok, err := d.token()
	if err != nil {
		return nil, err
	}
	return d.valueOf(tok, depth)
}

func (d *decoder) token() (json.Token, error) {
	tok, err := d.dec.Token()
	if err != nil {
		// The decoder's message quotes the document; the place is enough.
		return nil, badData("not valid JSON at byte %d", d.dec.InputOffset())
	}
	return tok, d.b.spend(1)
}

func (d *decoder) valueOf(tok json.Token, depth int) (any, error) {
	if d.values--; d.values < 0 {
		return nil, overLimit("the document has more than %d values", d.b.limits.Items*valuesPerItem)
	}
	switch t := tok.(type) {
	case json.Delim:
		if depth >= maxDataDepth {
			return nil, overLimit("the document is nested deeper than %d", maxDataDepth)
		}
		if t == '{' {
			return d.object(depth + 1)
		}
		return d.list(depth + 1)
	case json.Number:
		if len(t) > maxNumberBytes {
			return nil, overLimit("the document has a number of more than %d digits", maxNumberBytes)
		}
		return number(t), nil
	default: // nil, bool, string
		return t, nil
	}
}

func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	for {
		tok, err := d.token()
		if err != nil {
			return nil, err
		}
		if tok == json.Delim(']') {
			return list, nil
		}
		if len(list) == d.b.limits.Items {
			return nil, overLimit("the document has a list of more than %d items", d.b.limits.Items)
		}
		v, err := d.valueOf(tok, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (d *decoder) object(depth int) (any, error) {
	var members []member
	for {
		tok, err := d.token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok { // the closing brace; the decoder lets nothing else through
			break
		}
		if len(members) == d.b.limits.Items {
			return nil, overLimit("the document has an object of more than %d members", d.b.limits.Items)
		}
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{key, v})
	}
	// Stable, so that of members with one key the last one stands, as everywhere.
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	kept := members[:0]
	for i, m := range members {
		if i+1 == len(members) || members[i+1].key != m.key {
			kept = append(kept, m)
		}
	}
	return &object{kept}, nil
}

// isZero reports whether the number is zero, however it is written.
func (n number) isZero() bool {
	for _, c := range []byte(n) {
		switch {
		case c == 'e' || c == 'E':
			return true
		case c >= '1' && c <= '9':
			return false
		}
	}
	return true
}

// decimal is a number in canonical form: 0.digits × 10^exponent, no leading and
// no trailing zeros in digits, which are empty for zero.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func (n number) decimal() decimal {
	s, negative := strings.CutPrefix(string(n), "-")
	mantissa, exp := s, int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		// Out of range gives the largest value, which is good enough to differ.
		mantissa = s[:i]
		exp, _ = strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 32)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	exp += int64(len(whole))
	trimmed := strings.TrimLeft(digits, "0")
	exp -= int64(len(digits) - len(trimmed))
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return decimal{}
	}
	return decimal{negative, trimmed, exp}
}

// truthy is Handlebars' idea of true: not null, false, "", the empty list or
// zero, the last of which may count as true.
func truthy(v any, includeZero bool) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case number:
		return includeZero || !v.isZero()
	case []any:
		return len(v) > 0
	default:
		return true
	}
}

// field returns a member of an object, an item of a list, or the length of a list
// or string; nil where there is none.
func field(v any, name string) any {
	switch v := v.(type) {
	case *object:
		return v.get(name)
	case []any:
		if name == "length" {
			return length(v)
		}
		i, err := strconv.ParseUint(name, 10, 31)
		if err != nil || int(i) >= len(v) || name[0] == '0' && i > 0 {
			return nil
		}
		return v[i]
	case string:
		if name == "length" {
			return length(v)
		}
	}
	return nil
}

// length counts items, members or characters.
func length(v any) number {
	n := 0
	switch v := v.(type) {
	case string:
		n = utf8.RuneCountInString(v)
	case []any:
		n = len(v)
	case *object:
		n = len(v.members)
	}
	return number(strconv.Itoa(n))
}

// equal compares two values as JSON values, numbers by what they are worth.
func equal(a, b any, bud *budget) (bool, error) {
	if err := bud.spend(1); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		return a == b, bud.spendBytes(len(a))
	case number:
		b, ok := b.(number)
		return ok && (a == b || a.decimal() == b.decimal()), nil
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for i := range a {
			if same, err := equal(a[i], b[i], bud); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case *object:
		b, ok := b.(*object)
		if !ok || len(a.members) != len(b.members) {
			return false, nil
		}
		for i, m := range a.members {
			n := b.members[i]
			if m.key != n.key {
				return false, nil
			}
			if same, err := equal(m.value, n.value, bud); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	default: // nil, bool
		return a == b, nil
	}
}
