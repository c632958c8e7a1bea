// Package gqlname holds how TerminusDB's GraphQL writes the names of a schema.
package gqlname

import (
	"regexp"
	"strings"
)

// digraphs, first and leading are the server's own, of graphql/sanitize.rs.
var (
	digraphs = strings.NewReplacer(
		"Ä", "AE", "Æ", "AE", "Ǽ", "AE", "Đ", "D", "Ð", "D", "Ƒ", "F", "Ħ", "H", "Ł", "L", "Ø", "O", "Ǿ", "O", "Ö", "OE", "Œ", "OE",
		"ß", "SS", "Ŧ", "T", "Ü", "UE",
		"ä", "ae", "æ", "ae", "ǽ", "ae", "đ", "d", "ð", "d", "ƒ", "f", "ħ", "h", "ł", "l", "ø", "o", "ǿ", "o", "ö", "oe", "œ", "oe",
		"ŧ", "t", "ü", "ue")
	odd     = regexp.MustCompile(`^[^_a-zA-Z]|[^_a-zA-Z0-9]`)
	leading = regexp.MustCompile(`^_+`)
)

// Of returns what GraphQL calls a class, a property or a value of an enum.
func Of(name string) string {
	return leading.ReplaceAllString(odd.ReplaceAllString(digraphs.Replace(name), "_"), "_")
}

// Backlink returns what GraphQL calls the documents of a class that link here by
// a property. The server answers it with two underscores at its start too, though
// GraphQL reserves such names.
func Backlink(property, class string) string {
	return "_" + Of(property) + "_of_" + Of(class)
}
