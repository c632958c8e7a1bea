// Package worddiff compares two texts word by word: it tells which runs of words are in
// both, and which in one of them alone.
//
// The comparison is Myers' (An O(ND) Difference Algorithm, 1986) over words as Unicode
// segments them. Common beginnings and ends are cut off first, so a long text with one
// change takes a time in proportion to its length. Texts that have little in common are
// not compared further than maxEdits.
package worddiff

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// Kind says where a run of text is.
type Kind uint8

const (
	Same    Kind = iota // in both
	Removed             // in the first text alone
	Added               // in the second alone
)

// Run is a piece of a text.
type Run struct {
	Kind Kind
	Text string
}

// maxEdits is the number of words, removed or added, beyond which two texts count as
// different throughout.
const maxEdits = 1000

// Diff returns the runs that make a text the other one: those that are not added are a,
// those that are not removed are b.
func Diff(a, b string) []Run {
	x, y := words(a), words(b)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	var d runs
	d.add(Same, x[:head])
	d.middle(x[head:len(x)-tail], y[head:len(y)-tail])
	d.add(Same, x[len(x)-tail:])
	return d.joined()
}

// words cuts a text into words and what is between them.
func words(text string) []string {
	var out []string
	for state, word := -1, ""; len(text) > 0; {
		word, text, state = uniseg.FirstWordInString(text, state)
		out = append(out, word)
	}
	return out
}

type runs []Run

func (d *runs) add(kind Kind, words []string) {
	if len(words) > 0 {
		*d = append(*d, Run{kind, strings.Join(words, "")})
	}
}

// middle adds the runs between two lists of words that begin and end differently.
func (d *runs) middle(x, y []string) {
	n, m := len(x), len(y)
	if n == 0 || m == 0 {
		d.add(Removed, x)
		d.add(Added, y)
		return
	}
	most := min(n+m, maxEdits)
	// far[k+most] is how far in x diagonal k = i-j reaches; trace keeps it for each
	// number of edits.
	far := make([]int, 2*most+2)
	var trace [][]int
	for edits := 0; edits <= most; edits++ {
		trace = append(trace, append([]int(nil), far[most-edits:most+edits+2]...))
		for k := -edits; k <= edits; k += 2 {
			i := 0
			if k == -edits || k != edits && far[most+k-1] < far[most+k+1] {
				if most+k+1 < len(far) {
					i = far[most+k+1]
				}
			} else {
				i = far[most+k-1] + 1
			}
			for i < n && i-k < m && i-k >= 0 && x[i] == y[i-k] {
				i++
			}
			far[most+k] = i
			if i >= n && i-k >= m {
				d.back(x, y, trace)
				return
			}
		}
	}
	d.add(Removed, x)
	d.add(Added, y)
}

// back adds the runs of the way that trace has found.
func (d *runs) back(x, y []string, trace [][]int) {
	type step struct {
		kind Kind
		word string
	}
	var steps []step
	i, j := len(x), len(y)
	for edits := len(trace) - 1; edits >= 0; edits-- {
		far := trace[edits] // of the diagonals from -edits to edits+1, before this edit
		at := func(k int) int {
			if k < -edits || k > edits {
				return -1
			}
			return far[k+edits]
		}
		k := i - j
		from := k - 1
		if k == -edits || k != edits && at(k-1) < at(k+1) {
			from = k + 1
		}
		pi := at(from)
		pj := pi - from
		if edits == 0 {
			pi, pj = 0, 0
		}
		for i > pi && j > pj {
			i, j = i-1, j-1
			steps = append(steps, step{Same, x[i]})
		}
		if edits > 0 && from == k+1 {
			j--
			steps = append(steps, step{Added, y[j]})
		} else if edits > 0 {
			i--
			steps = append(steps, step{Removed, x[i]})
		}
	}
	slices.Reverse(steps)
	for len(steps) > 0 {
		var run []string
		kind := steps[0].kind
		for len(steps) > 0 && steps[0].kind == kind {
			run, steps = append(run, steps[0].word), steps[1:]
		}
		d.add(kind, run)
	}
}

// joined returns the runs with what was removed before what was added, and with changes
// joined between which there is nothing but one word or less: people read one change.
func (d runs) joined() []Run {
	var out []Run
	for i := 0; i < len(d); {
		if n := len(out); d[i].Kind == Same {
			if n > 0 && out[n-1].Kind == Same {
				out[n-1].Text += d[i].Text
			} else {
				out = append(out, d[i])
			}
			i++
			continue
		}
		var removed, added string
		for ; i < len(d) && (d[i].Kind != Same || between(d, i)); i++ {
			if d[i].Kind != Added {
				removed += d[i].Text
			}
			if d[i].Kind != Removed {
				added += d[i].Text
			}
		}
		if removed != "" {
			out = append(out, Run{Removed, removed})
		}
		if added != "" {
			out = append(out, Run{Added, added})
		}
	}
	return out
}

// between reports whether a run that is the same is white space between two changes.
func between(d []Run, i int) bool {
	if i == 0 || i+1 == len(d) || d[i-1].Kind == Same || d[i+1].Kind == Same {
		return false
	}
	for _, r := range d[i].Text {
		if !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}
