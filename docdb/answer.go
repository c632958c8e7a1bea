package docdb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Answer is a value in the answer to a query: an object with members, or, where
// Members is nil, text, a number or the like.
type Answer struct {
	Many    bool // a list of such
	Members map[string]*Answer

	unordered bool              // the database gives the list in any order
	scalar    scalar            // what the values are
	values    map[string]string // of an enum, by what GraphQL writes for them
	empty     bool              // always an empty list
}

// scalar says what values of the schema's data types are, since GraphQL's answers
// do not: strings that look like numbers come without their quotes, and some
// numbers are made strings for it (see repairNumbers).
type scalar uint8

const (
	asItIs     scalar = 0 // what JSON says
	textual    scalar = 1 // texts; a number is one whose quotes were lost
	numberlike scalar = 2 // numbers; a text that reads as one is one
)

func scalarOf(xsd string) scalar {
	name, ok := strings.CutPrefix(xsd, "xsd:")
	switch {
	case !ok || name == "boolean":
		return asItIs
	case slices.Contains(numeric, name):
		return numberlike
	}
	return textual
}

// numeric are the types of XML Schema that are numbers.
var numeric = strings.Fields(`decimal integer double float byte short int long unsignedByte unsignedShort unsignedInt unsignedLong
	positiveInteger nonNegativeInteger negativeInteger nonPositiveInteger`)

// arrange gives an answered value the form that the schema says it has: numbers
// and texts as such, enums with the values of the schema, and collections that
// have no order in one, so that the order in which the database happens to store
// a Set does not change a text. Lists stay as they are.
func (a *Answer) arrange(value json.RawMessage) json.RawMessage {
	value = bytes.TrimSpace(value)
	switch {
	case a == nil || len(value) == 0:
		return value
	case a.empty:
		return json.RawMessage("[]")
	case value[0] == '{':
		out, err := rewriteObject(value, func(name string, member json.RawMessage) (json.RawMessage, bool) {
			return a.Members[name].arrange(member), true
		})
		if err != nil {
			return value
		}
		return out
	case value[0] != '[':
		return a.leaf(value)
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return value
	}
	for i, x := range list {
		if len(x) > 0 && x[0] != '[' {
			list[i] = a.arrange(x)
		}
	}
	if a.unordered {
		slices.SortStableFunc(list, compareJSON)
	}
	out := []byte{'['}
	for i, x := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, x...)
	}
	return append(out, ']')
}

// maxNumber bounds the texts that are read as numbers, in bytes.
const maxNumber = 400

// leaf is arrange for what is no object and no list.
func (a *Answer) leaf(value json.RawMessage) json.RawMessage {
	isNumber := func(v []byte) bool { return len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') }
	s := text(value)
	switch {
	case a.scalar == textual && isNumber(value):
		return json.RawMessage(`"` + string(value) + `"`)
	case a.scalar == numberlike && len(s) <= maxNumber && isNumber([]byte(s)) && json.Valid([]byte(s)):
		return json.RawMessage(s)
	case a.values[s] != "":
		if quoted, err := json.Marshal(a.values[s]); err == nil {
			return quoted
		}
	}
	return value
}

// compareJSON orders strings as texts, numbers as numbers and all else by its
// bytes.
func compareJSON(a, b json.RawMessage) int {
	kind := func(x json.RawMessage) byte {
		switch {
		case len(x) == 0:
			return 0
		case x[0] == '-' || x[0] >= '0' && x[0] <= '9':
			return '0'
		}
		return x[0]
	}
	if c := cmp.Compare(kind(a), kind(b)); c != 0 {
		return c
	}
	switch kind(a) {
	case '"':
		if c := cmp.Compare(text(a), text(b)); c != 0 {
			return c
		}
	case '0':
		x, _ := strconv.ParseFloat(string(a), 64) // out of range is infinite, which is right
		y, _ := strconv.ParseFloat(string(b), 64)
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return bytes.Compare(a, b)
}

var errNotObject = errors.New("a document that is not an object")

// rewriteObject copies a JSON object with other values, or without those
// members for which keep is false. The order of members stays.
func rewriteObject(data []byte, value func(name string, value json.RawMessage) (_ json.RawMessage, keep bool)) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	out := append(make([]byte, 0, len(data)), '{')
	for d.More() {
		var v json.RawMessage
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || d.Decode(&v) != nil {
			return nil, errNotObject
		}
		v, keep := value(name, v)
		if !keep {
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, errNotObject
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), v...)
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, errNotObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return append(out, '}'), nil
}
