package fields

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Kinds is a set of what values can be: by themselves, and in lists.
type Kinds uint8

const (
	Bools   Kinds = 1 << 0
	Numbers Kinds = 1 << 1
	Texts   Kinds = 1 << 2 // those that are no dates
	Dates   Kinds = 1 << 3 // texts that are dates

	scalars Kinds = 1<<4 - 1
)

// Listed returns the kinds as those of values in lists.
func (k Kinds) Listed() Kinds { return k << 4 }

// String names the kinds in words.
func (k Kinds) String() string {
	var words []string
	for i, word := range []string{"booleans", "numbers", "texts", "dates"} {
		if k&(1<<i) != 0 {
			words = append(words, word)
		}
		if k&(1<<(i+4)) != 0 {
			words = append(words, "lists of "+word)
		}
	}
	return strings.Join(words, ", ")
}

// value is one scalar.
type value struct {
	kind Kinds // one of Bools, Numbers, Texts
	b    bool
	n    number
	s    string
}

// each calls use for every value of the object, those of a list one by one with
// list set; texts are parts of o where they can be. It returns false where o is
// not canonical, as a damaged file might have it, from there on.
func (o Object) each(use func(name string, v value, list bool)) bool {
	if o == "" {
		return true
	}
	r := scanner{rest: string(o)}
	if !r.take('{') {
		return false
	}
	for {
		name, ok := r.text()
		if !ok || !r.take(':') {
			return false
		}
		if r.take('[') {
			for {
				v, ok := r.value()
				if !ok {
					return false
				}
				use(name, v, true)
				if r.take(']') {
					break
				}
				if !r.take(',') {
					return false
				}
			}
		} else {
			v, ok := r.value()
			if !ok {
				return false
			}
			use(name, v, false)
		}
		if r.take('}') {
			return r.rest == ""
		}
		if !r.take(',') {
			return false
		}
	}
}

// Select returns the fields of those names as a JSON object, {} for none; "*"
// stands for all names.
func (o Object) Select(names []string) json.RawMessage {
	if o == "" || !json.Valid([]byte(o)) { // which damage may have done
		return json.RawMessage("{}")
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "*" {
			return json.RawMessage(o)
		}
		wanted[name] = true
	}
	r := scanner{rest: string(o)}
	b := builder{}
	for r.take('{') || r.take(',') {
		name, ok := r.text()
		if !ok || !r.take(':') {
			break
		}
		start := r.rest
		if !r.skip() {
			break
		}
		if wanted[name] {
			b.add(name, []byte(start[:len(start)-len(r.rest)]))
		}
	}
	if len(b.text) == 0 {
		return json.RawMessage("{}")
	}
	return json.RawMessage(b.object())
}

// scanner reads canonical JSON.
type scanner struct{ rest string }

func (r *scanner) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *scanner) word(w string) bool {
	rest, ok := strings.CutPrefix(r.rest, w)
	if ok {
		r.rest = rest
	}
	return ok
}

// text reads a string.
func (r *scanner) text() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	end := strings.IndexByte(r.rest, '"')
	if end < 0 {
		return "", false
	}
	if s := r.rest[:end]; strings.IndexByte(s, '\\') < 0 {
		r.rest = r.rest[end+1:]
		return s, utf8.ValidString(s)
	}
	for end = 0; end < len(r.rest) && r.rest[end] != '"'; end++ {
		if r.rest[end] == '\\' {
			end++
		}
	}
	if end >= len(r.rest) {
		return "", false
	}
	var s string
	if json.Unmarshal([]byte(`"`+r.rest[:end+1]), &s) != nil {
		return "", false
	}
	r.rest = r.rest[end+1:]
	return s, true
}

// value reads a scalar.
func (r *scanner) value() (value, bool) {
	switch {
	case r.rest == "":
		return value{}, false
	case r.rest[0] == '"':
		s, ok := r.text()
		return value{kind: Texts, s: s}, ok
	case r.word("true"):
		return value{kind: Bools, b: true}, true
	case r.word("false"):
		return value{kind: Bools}, true
	}
	end := strings.IndexAny(r.rest, ",]}")
	if end < 0 {
		return value{}, false
	}
	n, err := parseNumber(r.rest[:end])
	r.rest = r.rest[end:]
	return value{kind: Numbers, n: n}, err == nil
}

// skip passes over a value.
func (r *scanner) skip() bool {
	if !r.take('[') {
		_, ok := r.value()
		return ok
	}
	for {
		if _, ok := r.value(); !ok {
			return false
		}
		if r.take(']') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}
