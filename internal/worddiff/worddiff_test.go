package worddiff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/internal/worddiff"
)

func show(runs []worddiff.Run) string {
	var b strings.Builder
	for _, r := range runs {
		switch r.Kind {
		case worddiff.Same:
			b.WriteString(r.Text)
		case worddiff.Removed:
			fmt.Fprintf(&b, "[-%s]", r.Text)
		case worddiff.Added:
			fmt.Fprintf(&b, "[+%s]", r.Text)
		}
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	for _, tt := range [][3]string{
		{"", "", ""},
		{"a b", "a b", "a b"},
		{"", "a", "[+a]"},
		{"a", "", "[-a]"},
		{"It has an arid climate.", "It has a dry climate.", "It has [-an arid][+a dry] climate."},
		{"one two three", "one three", "one [-two ]three"},
		{"one three", "one two three", "one [+two ]three"},
		{"age 900", "age 901", "age [-900][+901]"},
		{"wise old", "old wise", "[-wise ]old[+ wise]"},
		{"日本語の文", "日本の文", "日本[-語]の文"},
		{"<b>x</b>", "<b>y</b>", "<b>[-x][+y]</b>"},
	} {
		if got := show(worddiff.Diff(tt[0], tt[1])); got != tt[2] {
			t.Errorf("%q, %q: got %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}

// TestDiffRestores has both texts come out of the runs, whatever they are.
func TestDiffRestores(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString([]string{"a", "b", " ", "cc ", "d, ", "é", "ש", "\n"}[r.IntN(8)])
		}
		return b.String()
	}
	for range 3000 {
		a, b := text(), text()
		var first, second string
		for _, run := range worddiff.Diff(a, b) {
			if run.Kind != worddiff.Added {
				first += run.Text
			}
			if run.Kind != worddiff.Removed {
				second += run.Text
			}
		}
		if first != a || second != b {
			t.Fatalf("%q, %q: the runs are %q and %q", a, b, first, second)
		}
	}
}

// TestDiffOfLongTexts has one change in a long text found, and texts without anything in
// common given up.
func TestDiffOfLongTexts(t *testing.T) {
	long := strings.Repeat("word and ", 20_000)
	got := show(worddiff.Diff(long+"old "+long, long+"new "+long))
	if want := long + "[-old][+new] " + long; got != want {
		t.Errorf("a change in a long text: %d bytes, want %d", len(got), len(want))
	}
	var a, b strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&a, "a%d ", i)
		fmt.Fprintf(&b, "b%d ", i)
	}
	runs := worddiff.Diff(a.String(), b.String())
	if len(runs) != 3 {
		t.Errorf("%d runs", len(runs))
	}
}
