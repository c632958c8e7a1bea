package main

import (
	"cmp"
	"encoding"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/edit"
)

// setting is one field of a configuration struct.
type setting struct {
	key      string   // the flag's name, and the file's key
	environ  []string // its variables, the first that is set counts
	fallback string
	words    []string  // that a text can be; nil: any
	bounds   [2]string // the least and the most of a number, "" for none
	value    reflect.Value
}

// settingsOf lists the settings of a struct, those of embedded structs
// included.
func settingsOf(v reflect.Value) []setting {
	var list []setting
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag := f.Tag.Get("type")
		if tag != "setting" && tag != "switch" {
			continue
		}
		s := setting{key: f.Tag.Get("name"), fallback: f.Tag.Get("fallback"), value: v.FieldByIndex(f.Index)}
		for tag, list := range map[string]*[]string{"environ": &s.environ, "words": &s.words} {
			if names := f.Tag.Get(tag); names != "" {
				*list = strings.Split(names, ",")
			}
		}
		s.bounds = [2]string{f.Tag.Get("least"), f.Tag.Get("most")}
		list = append(list, s)
	}
	return list
}

// effective is a setting as it came out: for people to see where it comes from.
type effective struct {
	Key    string `json:"key"`
	Value  string `json:"value"` // *** for a secret
	Origin string `json:"origin"`
}

// given is a setting's value, and where it comes from.
type given struct {
	value  any
	origin string
}

// readSettings fills the settings of dst, a pointer to a struct, from flags, the
// environment, the file (if its name is not empty) and the defaults. It adds
// every complaint to bad.
func (p *program) readSettings(dst any, file string, bad *complaints) []effective {
	list := settingsOf(reflect.ValueOf(dst).Elem())
	keys := make([]string, len(list))
	values := make(map[string]given)
	for i, s := range list {
		keys[i] = s.key
	}
	// Each source puts its values over those of the sources before it.
	if file != "" {
		read, err := readFile(file)
		if err != nil {
			bad.add("%w", err)
		}
		for _, key := range slices.Sorted(maps.Keys(read)) {
			if slices.Contains(keys, key) {
				values[key] = given{read[key], file}
			} else {
				bad.add("%s: unknown key %q%s", file, key, didYouMean(key, keys))
			}
		}
	}
	maps.Copy(values, p.environment(list, bad))
	for key, value := range p.flags {
		values[key] = given{value, "--" + key}
	}

	out := make([]effective, 0, len(list))
	for _, s := range list {
		origin := ""
		if s.fallback != "" {
			origin = "default"
			if err := s.set(s.fallback); err != nil {
				panic(fmt.Sprintf("default of %s: %v", s.key, err))
			}
		}
		// A bad value leaves the default, so that what is compared later
		// makes no further complaints of it.
		if g, ok := values[s.key]; ok {
			origin = g.origin
			if err := s.set(g.value); err != nil {
				bad.add("%s (%s): %w", s.key, g.origin, err)
			}
		}
		out = append(out, effective{s.key, "", origin})
	}
	return out
}

// readFile returns the values of a YAML file, by key.
func readFile(name string) (map[string]any, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("--config: %s: %w", name, err)
	}
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil }) // "key:" with nothing after it
	return values, nil
}

// show writes down what the settings of dst have become.
func show(dst any, rows []effective) {
	for i, s := range settingsOf(reflect.ValueOf(dst).Elem()) {
		rows[i].Value = fmt.Sprint(s.value.Interface())
		if rows[i].Origin == "" {
			rows[i].Origin = "not set"
			if rows[i].Value != "" && rows[i].Value != "0" && rows[i].Value != "false" {
				rows[i].Origin = "default"
			}
		}
	}
}

// set sets the setting's field to a value, if that can be decoded and is in bounds.
// The error never quotes a secret.
func (s setting) set(raw any) error {
	field := s.value
	s.value = reflect.New(field.Type()).Elem()
	if err := s.decode(raw); err != nil {
		return err
	}
	for i, text := range s.bounds {
		if text == "" {
			continue
		}
		bound := setting{key: s.key, value: reflect.New(field.Type()).Elem()}
		if err := bound.decode(text); err != nil {
			panic(fmt.Sprintf("bounds of %s: %v", s.key, err))
		}
		switch order := compare(s.value, bound.value); {
		case i == 0 && order < 0:
			return fmt.Errorf("%v is less than %s", raw, text)
		case i == 1 && order > 0:
			return fmt.Errorf("%v is more than %s", raw, text)
		}
	}
	field.Set(s.value)
	return nil
}

// compare compares two numbers of one type.
func compare(a, b reflect.Value) int {
	if a.CanFloat() {
		return cmp.Compare(a.Float(), b.Float())
	}
	return cmp.Compare(a.Int(), b.Int())
}

// decode decodes a value into the setting's field.
func (s setting) decode(raw any) error {
	text, isText := raw.(string)
	if !isText {
		switch raw.(type) {
		case int, int64, uint64, float64, bool:
			text = fmt.Sprint(raw)
		default:
			return fmt.Errorf("is not a single value")
		}
	}
	field := s.value.Addr().Interface()
	u, decodes := field.(encoding.TextUnmarshaler)
	_, secret := field.(*contract.Secret)
	if !isText && (secret || !decodes && s.value.Kind() == reflect.String) {
		// YAML reads 0123 as 83, and yes as true: a name or a secret would
		// silently be another one.
		return fmt.Errorf("must stand in quotes")
	}
	if decodes {
		err := u.UnmarshalText([]byte(text))
		if err != nil && !secret {
			err = fmt.Errorf("%q %w", text, err)
		}
		return err
	}
	switch s.value.Kind() {
	case reflect.String:
		if s.words != nil && !slices.Contains(s.words, text) {
			return fmt.Errorf("%q is none of %s", text, strings.Join(s.words, ", "))
		}
		s.value.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is not true or false", text)
		}
		s.value.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		s.value.SetInt(int64(n))
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) {
			return fmt.Errorf("%q is not a number", text)
		}
		s.value.SetFloat(x)
	default:
		panic("setting " + s.key + " has a type that settings cannot have")
	}
	return nil
}

// kubernetes matches the variables that a cluster makes for every service of
// its name space: a service called vectorlink, or vectorlink-something, would
// otherwise keep us from starting.
var kubernetes = regexp.MustCompile(`^VECTORLINK_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// environment returns the settings that the environment gives. An empty variable
// counts as not set, and of one that is there twice the last counts. Of variables
// that look like ours and are none, those that are one letter from one of ours are
// complained of, and the others are told to people: the environment may be shared
// with programs of other versions.
func (p *program) environment(list []setting, bad *complaints) map[string]given {
	set := make(map[string]string)
	for _, kv := range p.environ {
		name, value, _ := strings.Cut(kv, "=")
		service := strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://") // kubernetes' too
		if set[name] = value; value == "" || service {
			delete(set, name)
		}
	}
	values := make(map[string]given)
	for _, s := range list {
		for _, name := range s.environ {
			if value, ok := set[name]; ok {
				values[s.key] = given{value, name}
				break
			}
		}
	}
	if p.variables {
		return values
	}
	p.variables = true
	names := []string{"VECTORLINK_CONFIG"}
	for _, known := range []any{Config{}, ClientConfig{}} {
		for _, s := range settingsOf(reflect.ValueOf(known)) {
			names = append(names, s.environ...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch {
		case !strings.HasPrefix(name, "VECTORLINK_"), slices.Contains(names, name), kubernetes.MatchString(name):
		case slices.ContainsFunc(names, func(known string) bool { return edit.Distance(name, known) == 1 }):
			bad.add("environment: unknown variable %s%s", name, didYouMean(name, names))
		default:
			p.warn("environment: unknown variable %s is ignored%s", name, didYouMean(name, names))
		}
	}
	return values
}

// didYouMean returns a hint at the known name nearest to an unknown one, or "".
func didYouMean(name string, known []string) string {
	best, at := "", max(3, len(name)/4)
	for _, k := range known {
		if d := edit.Distance(name, k); d < at {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (is %s meant?)", best)
}

// printSettings writes the settings as a YAML file that would give the same,
// with where each comes from; secrets are masked.
func printSettings(w io.Writer, rows []effective) {
	width := 0
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.Key + ": " + yamlScalar(r.Value)
		width = max(width, len(lines[i]))
	}
	for i, r := range rows {
		fmt.Fprintf(w, "%-*s  # %s\n", width, lines[i], r.Origin)
	}
}

// plain are the texts that YAML takes for what they look like.
var plain = regexp.MustCompile(`^([A-Za-z./][A-Za-z0-9_./-]*|[0-9]+[A-Za-z]*)$`)

func yamlScalar(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
