package textindex

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// analyzedScripts are the scripts of the analyzers that have others than Latin.
var analyzedScripts = map[string][]string{
	"ar": {"Arabic"},
	"fa": {"Arabic"},
	"hi": {"Devanagari"},
	"ru": {"Cyrillic"},
	CJK:  {"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Latin"},
}

// maxScripted bounds the letters of a query that are looked at.
const maxScripted = 1 << 10

// Unanalyzed returns the scripts in which the text has words that the analyzer
// knows no forms of: a search finds them as they are written, and in texts
// without spaces only where they stand alone. Ascending.
func Unanalyzed(analyzer, text string) []string {
	known, ok := analyzedScripts[analyzer]
	if !ok {
		known = []string{"Latin"}
	}
	var found []string
	last, letters := "", 0
	for _, r := range text {
		if letters > maxScripted {
			break
		}
		if mark(r) {
			continue
		}
		script := ""
		if unicode.IsLetter(r) && !spaceless(r) {
			script = scriptOf(r, last)
			letters++
		}
		// A single letter is a symbol, but for ideographs.
		if script != "" && (script == last || script == "Han") && !slices.Contains(known, script) && !slices.Contains(found, script) {
			found = append(found, script)
		}
		last = script
	}
	slices.Sort(found)
	return found
}

// scriptOf returns the name of a letter's script, which is probably that one;
// empty if it belongs to several.
func scriptOf(r rune, probably string) string {
	if r < utf8.RuneSelf {
		return "Latin"
	}
	if t := unicode.Scripts[probably]; t != nil && unicode.Is(t, r) {
		return probably
	}
	for name, t := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(t, r) {
			return name
		}
	}
	return ""
}
