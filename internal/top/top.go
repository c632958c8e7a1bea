// Package top finds the first few of many in an order.
package top

import "slices"

// First returns the first n in order, or all if there are fewer. Little is
// sorted where n is small. It uses the room of all.
func First[T any](all []T, n int, compare func(a, b T) int) []T {
	if n <= 0 {
		return nil
	}
	best, full := all[:0], false // full: best[n-1] is the n-th so far
	for _, x := range all {
		if full && compare(x, best[n-1]) >= 0 {
			continue
		}
		best = append(best, x)
		if len(best) == 2*n {
			slices.SortFunc(best, compare)
			best, full = best[:n], true
		}
	}
	slices.SortFunc(best, compare)
	return best[:min(n, len(best))]
}
