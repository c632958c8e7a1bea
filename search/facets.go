package search

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Facet is a field whose values are few enough to choose among.
type Facet struct {
	Name   string
	Values []fields.Count // the commonest first
}

// Facets are what the documents of a commit can be chosen by.
type Facets struct {
	Classes []fields.Count // by the number of their documents
	Fields  []Facet        // by name
	// Others names the fields left out: of more than so many values, or of none
	// that two documents share.
	Others []string
}

// Facets counts the documents of a commit by their classes, and by the fields that
// have no more than most values. It reads the fields of all documents.
func (r *Reader) Facets(ctx context.Context, domain string, ref Ref, most int) (*Facets, error) {
	_, _, s, err := r.Serve(ctx, domain, ref)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	var all []*snapshot.Entry
	classes := make(map[string]int)
	for e := range s.view.All() {
		all = append(all, e)
		classes[e.Type]++
	}
	found := &Facets{}
	for _, class := range slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	}) {
		found.Classes = append(found.Classes, fields.Count{Text: class, Literal: class, Documents: classes[class]})
	}
	table := fields.NewTable(len(all), func(i int) fields.Object { return fields.Object(all[i].Fields) })
	names := table.Names()
	slices.Sort(names)
	for _, name := range names {
		if values, ok := table.Counts(name, most); ok && values[0].Documents > 1 {
			found.Fields = append(found.Fields, Facet{name, values})
		} else {
			found.Others = append(found.Others, name)
		}
	}
	return found, nil
}

// FieldValues returns the values of a field, as JSON, by the ids of a commit's documents
// that have it.
func (r *Reader) FieldValues(ctx context.Context, domain string, ref Ref, name string) (map[string]json.RawMessage, error) {
	_, _, s, err := r.Serve(ctx, domain, ref)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	values := make(map[string]json.RawMessage)
	for e := range s.view.All() {
		var object map[string]json.RawMessage
		if raw := fields.Object(e.Fields).Select([]string{name}); len(raw) > len("{}") && json.Unmarshal(raw, &object) == nil {
			values[e.ID] = object[name]
		}
	}
	return values, nil
}
