package spaces

import (
	"maps"
	"slices"
)

// Calls returns the names of the calls of a method.
func Calls(method string) []string {
	names := slices.Sorted(maps.Keys(operations[method]))
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
