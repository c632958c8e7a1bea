package workshop

import (
	"slices"
	"strings"
	"unicode"
)

// The words by which suggest knows what a field is for. A field counts by any of
// the words of its name.
var (
	// names are the fields that name a document, best first. The last stands
	// for every other that ends in one of the first three.
	names = []string{"label", "name", "title", "full name", "display name", "preferred label", "pref label", "headline", "caption", "…"}

	// descriptions hold sentences.
	descriptions = wordSet(`abstract about bio biography body comment comments content desc description descriptions
		details intro introduction note notes overview plot remark remarks story summary synopsis text`)

	// kinds say what sort of thing it is.
	kinds = wordSet("category class classification designation genre kind subject tags topic topics type")

	// silent say nothing in words.
	silent = wordSet(`id ids uid uuid guid code url uri iri href link homepage image images img photo picture thumbnail icon avatar logo
		file filename path checksum hash digest etag slug key password secret token salt version revision
		created edited updated modified changed deleted timestamp mtime ctime
		age altitude amount angle area average balance capacity cargo cost count credits density depth diameter distance
		duration elevation frequency gravity height index latitude length lifespan longitude mass number order percent
		percentage period population position price quantity radius rank rate rating ratio score size sort speed
		temperature total volume weight width`)
)

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// has reports whether one of the words of a field's name is in the set.
func has(name string, set map[string]bool) bool {
	return slices.ContainsFunc(splitWords(name), func(w string) bool { return set[w] })
}

// splitWords returns the words of a name in lower case: hair_colors, hairColors
// and HairColors are two. Capitals in a row stay together.
func splitWords(name string) []string {
	list := splitName(name)
	for i, w := range list {
		list[i] = strings.ToLower(w)
	}
	return list
}

// phrase makes words of a name, in lower case but for abbreviations.
func phrase(name string) string {
	list := splitName(name)
	for i, w := range list {
		if len(w) < 2 || strings.ToUpper(w) != w {
			list[i] = strings.ToLower(w)
		}
	}
	return strings.Join(list, " ")
}

func splitName(name string) []string {
	var list []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			list = append(list, string(word))
		}
		word = word[:0]
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) ||
			unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end()
		}
		word = append(word, r)
	}
	end()
	return list
}

// spoken makes a label fit for the middle of a sentence, and for a template; ""
// where it is none.
func spoken(label string) string {
	text := strings.Join(strings.FieldsFunc(strings.ToLower(label), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("{}\\", r)
	}), " ")
	if len(text) > 60 {
		return "" // a sentence, not a name
	}
	return text
}

// Words whose plural is not made with an s, and words that end in s and are one.
var (
	plurals = map[string]string{"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot"}
	endInS  = wordSet("species series news means analysis basis thesis bus gas lens")
)

// singular returns words with the last of them in the singular.
func singular(text string) string {
	i := strings.LastIndexByte(text, ' ') + 1
	last := text[i:]
	one, irregular := plurals[last]
	switch {
	case irregular:
		last = one
	case !isPlural(last):
	case strings.HasSuffix(last, "ies") && len(last) > 4:
		last = strings.TrimSuffix(last, "ies") + "y"
	case strings.HasSuffix(last, "sses"), strings.HasSuffix(last, "xes"), strings.HasSuffix(last, "ches"), strings.HasSuffix(last, "shes"):
		last = strings.TrimSuffix(last, "es")
	default:
		last = strings.TrimSuffix(last, "s")
	}
	return text[:i] + last
}

// isPlural reports whether a word looks like a plural.
func isPlural(word string) bool {
	if _, irregular := plurals[word]; irregular {
		return true
	}
	return strings.HasSuffix(word, "s") && len(word) > 2 && !endInS[word] &&
		!strings.HasSuffix(word, "ss") && !strings.HasSuffix(word, "us") && !strings.HasSuffix(word, "is")
}

// is and are end the beginning of a sentence about a value, and about several.
func is(text string) string {
	if isPlural(text[strings.LastIndexByte(text, ' ')+1:]) {
		return text + " are"
	}
	return text + " is"
}

func are(text string) string { return text + " are" }

// quality turns the name of a flag into what is said when it is set: is_extinct
// and extinct are "is extinct", has_wings is "has wings".
func quality(text string) string {
	first, _, _ := strings.Cut(text, " ")
	switch first {
	case "is", "has", "can", "was", "does", "needs", "must", "may":
		return text
	}
	return "is " + text
}
