package edit_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/internal/edit"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"ab", "ba", 2},
	} {
		if got, back := edit.Distance(c.a, c.b), edit.Distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q and %q: %d, and back %d; want %d", c.a, c.b, got, back, c.want)
		}
	}
}
