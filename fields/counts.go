package fields

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Count is a value of a field and the number of documents that have it.
type Count struct {
	Text    string // as people read it
	Literal string // as filters say it
	// Listed: the documents have it in a list, so that a filter asks for Literal in
	// the field.
	Listed    bool
	Documents int
}

// Counts returns the values that documents have under a name, the commonest first, and
// reports false where there are more than most, or none.
func (t *Table) Counts(name string, most int) ([]Count, bool) {
	c := t.columns[name]
	if c == nil || len(c.numbers)+len(c.texts) > most {
		return nil, false
	}
	var list []Count
	listed := !c.lists.IsEmpty()
	add := func(text, literal string, documents int) {
		list = append(list, Count{text, literal, listed, documents})
	}
	for i, b := range c.bools {
		if text := []string{"false", "true"}[i]; b != nil && !b.IsEmpty() {
			add(text, text, int(b.GetCardinality()))
		}
	}
	for i, n := range c.numbers {
		add(n.text(), n.text(), len(c.byNumber.between(i, i+1)))
	}
	for i, s := range c.texts {
		literal, err := json.Marshal(s)
		if err != nil {
			continue // no text does that
		}
		add(s, string(literal), len(c.byText.between(i, i+1)))
	}
	slices.SortStableFunc(list, func(a, b Count) int { return cmp.Compare(b.Documents, a.Documents) })
	return list, len(list) > 0
}
