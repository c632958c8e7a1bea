package space

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

const (
	// MaxDims bounds the length of a space's vectors.
	MaxDims = 16384
	// MaxNameBytes bounds the name of a space.
	MaxNameBytes = 512
	maxFieldDefs = fields.MaxFields
	// MaxTextBytes bounds the text that an item may have besides its vector.
	MaxTextBytes = 1 << 20
)

// Schema is what a space is created with, and keeps.
type Schema struct {
	Dims int `json:"dims"`
	// Metric is the distance of answers: (1 − cos)/2, 1 − q·x, or the squared
	// Euclidean distance.
	Metric catalog.Metric `json:"metric"`
	// Normalize has vectors compared as if they had unit length. They are stored as
	// they were given.
	Normalize bool `json:"normalize"`
	// Fields are the types of fields by name. An item may have others, of any type.
	Fields         map[string]FieldType `json:"fields,omitempty"`
	M              int                  `json:"m,omitempty"`
	EfConstruction int                  `json:"ef_construction,omitempty"`
}

// FieldType is the type of a field's values.
type FieldType string

// The types of fields. An integer is a number without a fraction, of 64 bits; a list
// has values of any of the first four. Values of JSON are stored as they are, up to
// [fields.MaxText] bytes, and filters see their text.
const (
	String  FieldType = "string"
	Number  FieldType = "number"
	Integer FieldType = "integer"
	Bool    FieldType = "bool"
	List    FieldType = "list"
	JSON    FieldType = "json"
)

var fieldTypes = []FieldType{String, Number, Integer, Bool, List, JSON}

// complete sets what a schema leaves open, and checks the rest.
func (s *Schema) complete() error {
	if s.Metric == "" {
		s.Metric = catalog.MetricL2
	}
	switch {
	case s.Dims < 1 || s.Dims > MaxDims:
		return invalid("dims must be 1 to %d", MaxDims)
	case !s.Metric.Known():
		return invalid("metric must be l2, cosine or ip")
	case s.M != 0 && (s.M < 2 || s.M > 256), s.EfConstruction != 0 && (s.EfConstruction < 2 || s.EfConstruction > 10_000):
		return invalid("m must be 2 to 256, ef_construction 2 to 10000")
	case len(s.Fields) > maxFieldDefs:
		return invalid("a space has at most %d fields", maxFieldDefs)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if name == "" || len(name) > fields.MaxName {
			return invalid("the name of a field has 1 to %d bytes", fields.MaxName)
		}
		if !slices.Contains(fieldTypes, s.Fields[name]) {
			return invalid("the type of field %q must be one of string, number, integer, bool, list, json", name)
		}
	}
	return nil
}

func (s Schema) equal(o Schema) bool {
	return s.Dims == o.Dims && s.Metric == o.Metric && s.Normalize == o.Normalize && s.M == o.M &&
		s.EfConstruction == o.EfConstruction && maps.Equal(s.Fields, o.Fields)
}

// settings returns those of the domain. What is compared at unit length is a domain of
// directions: its vectors are kept as they are given.
func (s Schema) settings() catalog.Settings {
	d := catalog.Settings{Metric: s.Metric, Language: catalog.DefaultSettings.Language, M: s.M, EfConstruction: s.EfConstruction, Dim: s.Dims}
	if s.Normalize {
		d.Metric = catalog.MetricCosine
	}
	return d
}

// request is settings as a push names them.
func (s Schema) request() catalog.SettingsRequest {
	d := s.settings()
	normalize := false
	return catalog.SettingsRequest{Metric: d.Metric, Normalize: &normalize, M: d.M, EfConstruction: d.EfConstruction, Dim: d.Dim}
}

// distance turns a distance of the domain into one of the space: of vectors of unit
// length 1 − q·x is twice (1 − cos)/2, and |q − x|² four times.
func (s Schema) distance(d float32) float32 {
	switch {
	case s.Normalize && s.Metric == catalog.MetricIP:
		return 2 * d
	case s.Normalize && s.Metric == catalog.MetricL2:
		return 4 * d
	}
	return d
}

// schemaOf returns the schema of a domain of supplied vectors that no journal tells of.
func schemaOf(d catalog.Settings) Schema {
	return Schema{Dims: d.Dim, Metric: d.Metric, Normalize: d.Normalize, M: d.M, EfConstruction: d.EfConstruction}
}

// Key names an item: a string, or an integer of 64 bits. 1 and "1" are two keys.
type Key = snapshot.Key

// ParseKey reads a key from JSON.
func ParseKey(raw json.RawMessage) (Key, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		var id string
		if json.Unmarshal(raw, &id) != nil {
			return Key{}, invalid("key is no string")
		}
		return StringKey(id)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return Key{}, invalid("key must be a string or an integer of 64 bits")
	}
	return snapshot.IntKey(n), nil
}

// StringKey returns the key of a string.
func StringKey(id string) (Key, error) {
	if id == "" || len(id) > contract.MaxIDBytes {
		return Key{}, invalid("a key has 1 to %d bytes", contract.MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return Key{}, invalid("a key must be UTF-8")
	}
	return Key{ID: id}, nil
}

// KeyJSON returns a key as JSON.
func KeyJSON(k Key) json.RawMessage {
	if k.Int {
		return json.RawMessage(k.ID)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(k.ID); err != nil {
		panic(err) // strings encode
	}
	return bytes.TrimSpace(b.Bytes())
}

// vectors returns what the vectors of the space must be.
func (s *Schema) vectors() vecstore.Config {
	return vecstore.Config{Dim: s.Dims, Metric: s.settings().Metric.Stored()}
}

// Item is what a key stands for.
type Item struct {
	Key    Key
	Vector []float32
	// Fields are a JSON object, nil for none.
	Fields json.RawMessage
	Text   *string // nil: there is none
}

// check returns the write that an item makes, or what is wrong with it.
func (s *Schema) check(it Item) (*write, error) {
	w := &write{key: it.Key, vector: it.Vector}
	if len(it.Vector) != s.Dims {
		return nil, invalid("vector of key %s has %d numbers, the space has %d dimensions", shown(it.Key), len(it.Vector), s.Dims)
	}
	if err := s.vectors().Check(it.Vector); err != nil {
		if !isZero(it.Vector) {
			return nil, invalid("vector of key %s: %v", shown(it.Key), reason(err))
		}
		w.bare = true
	}
	if it.Text != nil {
		if len(*it.Text) > MaxTextBytes || !utf8.ValidString(*it.Text) {
			return nil, invalid("text of key %s must be UTF-8 of at most %d bytes", shown(it.Key), MaxTextBytes)
		}
		w.text = it.Text
	}
	var err error
	if w.fields, err = s.parseFields(it.Fields); err != nil {
		return nil, invalid("fields of key %s: %v", shown(it.Key), err)
	}
	return w, nil
}

func isZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

// reason returns what a check of vecstore says, without its prefix.
func reason(err error) string {
	text := err.Error()
	if i := strings.Index(text, "a vector "); i >= 0 {
		return text[i:]
	}
	return text
}

func shown(k Key) string { return fmt.Sprintf("%.100s", KeyJSON(k)) }

// parseFields returns fields as they are stored, canonical.
func (s *Schema) parseFields(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return "", fmt.Errorf("not a JSON object")
	}
	changed := false
	for name, value := range members {
		want, typed := s.Fields[name]
		if !typed || string(value) == "null" {
			continue
		}
		if want == JSON {
			var b bytes.Buffer
			if json.Compact(&b, value) != nil || b.Len() > fields.MaxText {
				return "", fmt.Errorf("field %q has more than %d bytes of JSON", name, fields.MaxText)
			}
			members[name], _ = json.Marshal(b.String())
			changed = true
			continue
		}
		if !want.holds(value) {
			return "", fmt.Errorf("field %q must be of type %s", name, want)
		}
	}
	if changed {
		raw, _ = json.Marshal(members)
	}
	o, err := fields.Parse(raw)
	return string(o), err
}

func (t FieldType) holds(v json.RawMessage) bool {
	switch t {
	case String:
		return v[0] == '"'
	case Bool:
		return v[0] == 't' || v[0] == 'f'
	case List:
		return v[0] == '['
	case Integer:
		_, err := strconv.ParseInt(string(v), 10, 64)
		return err == nil
	}
	return v[0] == '-' || v[0] >= '0' && v[0] <= '9'
}

// showFields returns stored fields as they were given; nil for none.
func (s *Schema) showFields(stored string) json.RawMessage {
	if stored == "" {
		return nil
	}
	found := false
	for _, t := range s.Fields {
		found = found || t == JSON
	}
	if !found {
		return json.RawMessage(stored)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(stored), &members) != nil {
		return json.RawMessage("{}")
	}
	for name, value := range members {
		var text string
		if s.Fields[name] == JSON && json.Unmarshal(value, &text) == nil && json.Valid([]byte(text)) {
			members[name] = json.RawMessage(text)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return json.RawMessage("{}")
	}
	return b
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", contract.ErrInvalid, fmt.Sprintf(format, args...))
}

// IntKey returns the key of an integer.
func IntKey(n int64) Key { return snapshot.IntKey(n) }
