// Package edit measures how far two names are apart, for messages that suggest
// the one that was meant.
package edit

// Distance returns the number of bytes to change, add or take away to make b of
// a (Levenshtein 1966). It takes time in proportion to both lengths.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
