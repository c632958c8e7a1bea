package service

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// Values are the parameters of one request, as its protocol carries them: with
// types, as members of JSON do, or as texts, as a query string does.
type Values interface {
	// Member returns a value that has a type; a null is none. It wins over
	// texts of the same name.
	Member(name string) (json.RawMessage, bool)
	// Texts returns the texts given for a parameter that may be given once.
	Texts(name string) []string
	// List returns the texts of a parameter that may be repeated, given under
	// any of its names, in their order.
	List(names ...string) []string
	// Names returns the names of all that is given.
	Names() []string
}

// Params reads the parameters of one request. To give one that nothing asks for is
// a mistake.
//
// Its methods look a parameter up, check it and return its value. The first
// error is kept, and what later ones return then means nothing: callers ask in
// the order in which mistakes are to be reported, and look at Err once, before
// they act.
type Params struct {
	Key    contract.Secret // the caller's, of an embedding provider
	caller *Caller
	values Values
	err    error
	main   []string        // the names that were asked for
	known  map[string]bool // those and their other names
	hints  []string
	spec   GraphSpec // of the domain
	domain string    // that was asked for, and the commit
	commit string
}

// NewParams returns the Params of the values of a request with that context. Domains
// that its caller does not see are an error.
func NewParams(ctx context.Context, values Values) *Params {
	return &Params{values: values, caller: CallerOf(ctx), known: make(map[string]bool)}
}

// Values returns what the parameters are read from.
func (p *Params) Values() Values { return p.values }

// Err returns the first error. One that something is missing tells also what was
// given that nothing asks for, which may be the same under a wrong name.
func (p *Params) Err() error {
	if p.err != nil && !errors.Is(p.err, ErrMissing) {
		return p.err
	}
	switch unknown := p.unknown(); {
	case unknown == "":
		return p.err
	case p.err == nil:
		return Failure(ErrUnknown, "%s", unknown)
	default:
		return Failure(ErrMissing, "%v; %s", p.err, unknown)
	}
}

// Fail keeps an error, if it is the first.
func (p *Params) Fail(kind error, format string, args ...any) {
	if p.err == nil {
		p.err = Failure(kind, format, args...)
	}
}

// member returns a value that has a type, given under any of the parameter's names.
func (p *Params) member(name string) (json.RawMessage, bool) {
	p.know(name)
	var found json.RawMessage
	for _, n := range namesOf(name) {
		raw, ok := p.values.Member(n.name)
		if ok && found != nil {
			p.Fail(ErrParameter, "%s is given again as %s", name, n.name)
		}
		if ok {
			found = raw
		}
	}
	return found, found != nil
}

// given returns the name under which a parameter is given, its own if it is not.
func (p *Params) given(name string) string {
	names := p.values.Names()
	for _, n := range namesOf(name) {
		if slices.Contains(names, n.name) {
			return n.name
		}
	}
	return name
}

// single returns a text that may be given once.
func (p *Params) single(name string) (string, bool) {
	var texts []string
	for _, n := range namesOf(name) {
		texts = append(texts, p.values.Texts(n.name)...)
	}
	switch len(texts) {
	case 0:
		return "", false
	case 1:
		return texts[0], true
	}
	p.Fail(ErrParameter, "%s is given more than once", name)
	return "", false
}

// Lookup returns a text and whether it was given.
func (p *Params) Lookup(name string) (string, bool) {
	raw, ok := p.member(name)
	if !ok {
		return p.single(name)
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		p.Fail(ErrType, "%s must be a string", name)
		return "", false
	}
	return text, true
}

// Text returns a text; empty and absent are one.
func (p *Params) Text(name string) string {
	text, _ := p.Lookup(name)
	return text
}

// Blank reports whether a text has nothing to be seen in it, so that it says no more
// than an empty one: white space, and characters without width.
func Blank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		const brailleBlank = 0x2800
		return r != brailleBlank && !unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}

// Word returns a text that is one of the words, "" where it is not given.
func (p *Params) Word(name string, words ...string) string {
	word, ok := p.Lookup(name)
	if ok && !slices.Contains(words, word) {
		p.Fail(ErrParameter, "%s must be %s", name, either(words))
	}
	return word
}

// either joins words by commas, the last by "or".
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// List returns the values of a repeatable parameter: an array (or one string) with
// a type, else texts.
func (p *Params) List(name string) []string {
	raw, ok := p.member(name)
	if !ok {
		return p.texts(name)
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []*string // a null among them is no string
	bad := json.Unmarshal(raw, &many) != nil
	values := make([]string, 0, len(many))
	for _, v := range many {
		if v == nil {
			bad = true
			break
		}
		values = append(values, *v)
	}
	if bad {
		p.Fail(ErrType, "%s must be an array of strings", p.given(name))
		return nil
	}
	return values
}

// texts returns the texts of a repeatable parameter: those with commas between
// values, then the others in their order.
func (p *Params) texts(name string) []string {
	var plain, texts []string
	for _, n := range namesOf(name) {
		if !n.commas {
			plain = append(plain, n.name)
			continue
		}
		for _, text := range p.values.List(n.name) {
			texts = append(texts, notEmpty(strings.Split(text, ","))...)
		}
	}
	return append(texts, p.values.List(plain...)...)
}

// notEmpty returns the texts without empty ones, nil for none.
func notEmpty(texts []string) []string {
	texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
	if len(texts) == 0 {
		return nil
	}
	return texts
}

// scalar returns the text of a number or boolean, and the kind of error that a
// text of the wrong kind is.
func (p *Params) scalar(name string) (text string, wrong error, ok bool) {
	if raw, ok := p.member(name); ok {
		return string(raw), ErrType, true
	}
	text, ok = p.single(name)
	return text, ErrParameter, ok
}

// flag returns a boolean, false by default.
func (p *Params) flag(name string) bool {
	text, wrong, ok := p.scalar(name)
	if ok && text != "true" && text != "false" {
		p.Fail(wrong, "%s must be true or false", name)
	}
	return text == "true"
}

// whole returns a whole number from lo to hi.
func (p *Params) whole(name string, byDefault, lo, hi int) int {
	text, wrong, ok := p.scalar(name)
	if !ok {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
	case err != nil, n < int64(lo), n > int64(hi):
		wrong = ErrParameter
	default:
		return int(n)
	}
	p.Fail(wrong, "%s must be a whole number from %d to %d", name, lo, hi)
	return byDefault
}

// decisions returns the number of a decision, or the word none or newest, as a text.
func (p *Params) decisions(name string) string {
	text, _, ok := p.scalar(name)
	if !ok {
		return ""
	}
	text = strings.Trim(text, `"`) // with a type it may be either
	if _, err := strconv.ParseUint(text, 10, 64); err != nil && text != pairs.NoDecisions && text != pairs.NewestDecisions {
		p.Fail(ErrParameter, "%s must be the number of a decision, none or newest", name)
	}
	return text
}

// distance returns a finite number of at least 0, no more than a float32 holds,
// and whether it was given. How large a distance can be depends on the metric,
// which package search knows.
func (p *Params) distance(name string) (float32, bool) {
	text, wrong, ok := p.scalar(name)
	if !ok {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	// The characters are checked because ParseFloat also reads what Go
	// programs write.
	case errors.Is(err, strconv.ErrSyntax), strings.Trim(text, "0123456789.eE+-") != "":
	case err != nil, x < 0:
		wrong = ErrParameter
	default:
		return float32(min(x, math.MaxFloat32)), true
	}
	p.Fail(wrong, "%s must be a finite number of at least 0", p.given(name))
	return 0, true
}

// vector returns the first parameter, an array of numbers, or the second, the
// same as base64; nil where neither is given.
func (p *Params) vector(array, base64 string) []float32 {
	if raw, ok := p.member(array); ok {
		v, err := ParseVector(raw)
		switch {
		case errors.Is(err, ErrNoNumbers):
			p.Fail(ErrType, "%s %v", array, err)
		case err != nil:
			p.Fail(ErrParameter, "%s %v", array, err)
		}
		return v
	}
	if _, ok := p.single(array); ok {
		p.Fail(ErrParameter, "%s is a member of a JSON body; among parameters a vector is given as %s", array, base64)
	}
	text := p.Text(base64)
	if text == "" {
		return nil
	}
	v, err := ParseVector64(text)
	if err != nil {
		p.Fail(ErrParameter, "%s %v", base64, err)
	}
	return v
}

// expression returns an expression over fields; blank is none.
func (p *Params) expression(name string) string {
	text := strings.TrimSpace(p.Text(name))
	p.hints = append(p.hints, fields.Hints(text)...)
	return text
}

// Hints returns what is to be known about parameters that may not do what is meant.
func (p *Params) Hints() []string { return p.hints }

// Asked returns the domain and the commit that the request names, as far as they
// were looked up and what it reads or changes is a commit.
func (p *Params) Asked() (domain, commit string) { return p.domain, p.commit }

// domainOf returns the org/db of a parameter, "" where it is not given and may be left
// out. Of several names the first that is given counts.
func (p *Params) domainOf(param parameter) string {
	i := slices.IndexFunc(param.names, func(name string) bool { return !Blank(p.Text(name)) })
	if i < 0 {
		if param.isNeeded {
			p.Fail(ErrMissing, "%s is required", param.names[len(param.names)-1])
		}
		return ""
	}
	if p.err != nil {
		return ""
	}
	spec, err := ParseGraphSpec(p.Text(param.names[i]))
	if err != nil {
		p.Fail(ErrParameter, "%s: %v", param.names[i], err)
	}
	p.spec, p.domain = spec, spec.Domain()
	if p.err == nil {
		p.err = p.caller.Enter(p.domain)
	}
	return p.domain
}

// branch returns a branch parameter, or "".
func (p *Params) branch() string {
	name := p.Text("branch")
	if err := CheckBranch(name); err != nil {
		p.Fail(ErrParameter, "branch %v", err)
	}
	return name
}

// commitOf returns a parameter that names a commit, or "".
func (p *Params) commitOf(name string) string {
	id := p.Text(name)
	if err := CheckRefName(id); err != nil {
		p.Fail(ErrParameter, "%s %v", p.given(name), err)
	}
	return id
}

// ref returns the commit to read from. A parameter wins over the graphspec, a
// commit over a branch; there is no silent default, because "the latest" would
// change under the reader's hands.
func (p *Params) ref() search.Ref {
	branch, commit := p.branch(), p.commitOf("commit")
	if commit == "" && branch == "" {
		branch, commit = p.spec.Branch, p.spec.Commit
	}
	ancestors := notEmpty(p.List("ancestor"))
	for _, a := range ancestors {
		if err := CheckRefName(a); err != nil {
			p.Fail(ErrParameter, "ancestor %v", err)
		}
	}
	switch {
	case commit != "":
		p.commit = commit
		return search.Ref{Commit: commit, Ancestors: ancestors}
	case branch != "":
		return search.Ref{Branch: branch}
	}
	p.Fail(ErrMissing, "commit or branch is required")
	return search.Ref{}
}
