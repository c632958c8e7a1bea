package fields

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/internal/edit"
)

const (
	nearNames = 3  // names that are suggested for a wrong one
	allNames  = 20 // names that are listed where none is near
	shownName = 64 // bytes of a name to compare and to show
)

// Suggest returns what to say of a name that is not among names: those nearest
// to it, or, where none is near, what names there are.
func Suggest(name string, names []string) string {
	if len(names) == 0 {
		return ": the documents have no fields"
	}
	type near struct {
		name string
		cost int
	}
	var list []near
	for _, n := range names {
		if cost := edit.Distance(strings.ToLower(short(name)), strings.ToLower(short(n))); cost <= max(2, min(len(name), len(n))/3) || strings.EqualFold(name, n) {
			list = append(list, near{n, cost})
		}
	}
	slices.SortFunc(list, func(a, b near) int { return cmp.Or(cmp.Compare(a.cost, b.cost), strings.Compare(a.name, b.name)) })
	if len(list) > 0 {
		quoted := make([]string, 0, nearNames)
		for _, n := range list[:min(len(list), nearNames)] {
			quoted = append(quoted, strconv.Quote(short(n.name)))
		}
		return ": did you mean " + strings.Join(quoted, " or ") + "?"
	}
	var known []string
	for _, n := range names[:min(len(names), allNames)] {
		known = append(known, strconv.Quote(short(n)))
	}
	more := ""
	if len(names) > allNames {
		more = ", …"
	}
	return ": there are " + strings.Join(known, ", ") + more
}

func short(s string) string {
	if len(s) > shownName {
		s = strings.ToValidUTF8(s[:shownName], "") + "…"
	}
	return s
}
