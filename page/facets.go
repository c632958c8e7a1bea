package page

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/search"
)

const (
	// mostValues is how many values a field may have to be offered, shownValues how
	// many of them are listed.
	mostValues  = 60
	shownValues = 12
	// chosenField and chosenList begin the parameters of an address that choose a
	// value of a field, and of a list.
	chosenField = "f."
	chosenList  = "in."
)

// facet is a field to choose by.
type facet struct {
	Name   string
	Values []choice
	More   int // values that are not listed
	Open   bool
}

// choice is a value of it.
type choice struct {
	Text, Param, Literal string
	Documents            int
	Chosen               bool
}

// facets returns the fields of a commit; nil while they are counted.
func (s *Site) facets(ctx context.Context, f *frame) (*search.Facets, error) {
	domain, ref := f.Domain, f.ref()
	return kept(ctx, s.works, "facets\x00"+domain+"\x00"+f.At.Commit, func(ctx context.Context) (*search.Facets, error) {
		return s.cfg.Service.Facets(ctx, domain, ref, mostValues)
	})
}

// offer adds to the page what can be chosen by, with counts. A large commit whose
// fields are still being counted has none yet.
func (s *Site) offer(a *answer, p *searchPage) error {
	counted, err := s.facets(a.r.Context(), p.frame)
	if err != nil {
		return err
	}
	if counted == nil {
		p.Counting = true
		return nil
	}
	known := func(name, param string, values []fields.Count) facet {
		f := facet{Name: name}
		for _, v := range values {
			c := choice{v.Text, param, v.Literal, v.Documents, slices.Contains(p.query[param], v.Literal)}
			f.Open = f.Open || c.Chosen
			if len(f.Values) < shownValues || c.Chosen {
				f.Values = append(f.Values, c)
			} else {
				f.More++
			}
		}
		return f
	}
	p.Classes = known("class", "type", counted.Classes)
	p.Classes.Open = true
	p.OtherFields = len(counted.Others)
	for _, f := range counted.Fields {
		param := chosenField + f.Name
		if f.Values[0].Listed {
			param = chosenList + f.Name
		}
		p.Facets = append(p.Facets, known(f.Name, param, f.Values))
	}
	return nil
}

// filterOf returns the expression that an address asks for: what is typed, and the
// values chosen, any of one field and all of several.
func filterOf(q url.Values) string {
	parts := notEmpty([]string{strings.TrimSpace(q.Get("filter"))})
	if len(parts) > 0 {
		parts[0] = "(" + parts[0] + ")"
	}
	var names []string
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, param := range names {
		var either []string
		for _, literal := range notEmpty(q[param]) {
			if name, ok := strings.CutPrefix(param, chosenField); ok {
				either = append(either, fieldName(name)+" == "+literal)
			} else if name, ok := strings.CutPrefix(param, chosenList); ok {
				either = append(either, literal+" in "+fieldName(name))
			}
		}
		if len(either) > 0 {
			parts = append(parts, "("+strings.Join(either, " or ")+")")
		}
	}
	return strings.Join(parts, " and ")
}

// fieldName returns a field's name as filters say it.
func fieldName(name string) string {
	return `$env["` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"]`
}
