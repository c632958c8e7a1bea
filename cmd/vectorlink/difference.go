package main

import (
	"html"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/internal/worddiff"
)

// maxAlike is how many characters of a run of words that is in both texts are shown
// on either side of what differs.
const maxAlike = 60

// markedPair returns two texts, each on a line, with the words that differ marked: those
// of a by removed, of b by added. What is alike is shown near to them. escape makes a
// text harmless where it is shown.
func markedPair(a, b string, removed, added, escape func(string) string) (markedA, markedB string) {
	runs := worddiff.Diff(oneLine(a), oneLine(b))
	var left, right strings.Builder
	for i, run := range runs {
		switch text := run.Text; run.Kind {
		case worddiff.Removed:
			left.WriteString(removed(escape(text)))
		case worddiff.Added:
			right.WriteString(added(escape(text)))
		default:
			text = escape(shortened(text, i > 0, i < len(runs)-1))
			left.WriteString(text)
			right.WriteString(text)
		}
	}
	return left.String(), right.String()
}

// oneLine returns a text with one space in the place of each white space.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// shortened cuts the middle out of a text that is alike, or what is far from what
// differs before or after it.
func shortened(text string, before, after bool) string {
	keep := 2 * maxAlike // at either end, in characters
	if utf8.RuneCountInString(text) <= keep {
		return text
	}
	runes := []rune(text)
	switch {
	case before && after:
		return string(runes[:maxAlike]) + "…" + string(runes[len(runes)-maxAlike:])
	case after:
		return "…" + string(runes[len(runes)-maxAlike:])
	}
	return string(runes[:keep]) + "…"
}

// removed and added mark words on a terminal, and in plain text as git does.
func (c paint) removed(s string) string { return c.mark("31", "[-", s, "-]") }
func (c paint) added(s string) string   { return c.mark("32", "{+", s, "+}") }

func (c paint) mark(colour, open, s, end string) string {
	if c.on {
		return c.code(colour, s)
	}
	return open + s + end
}

// htmlMark returns a function that puts HTML into an element.
func htmlMark(element string) func(string) string {
	return func(s string) string { return "<" + element + ">" + s + "</" + element + ">" }
}

// htmlText returns a text as HTML.
func htmlText(s string) string { return html.EscapeString(plainText(s)) }
