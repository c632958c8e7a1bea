// Package templates turns a document into the text that is embedded: a
// Handlebars template, kept in the database's schema, filled with one JSON
// object.
//
// The language comes from github.com/aymerick/raymond: its lexer and parser,
// with Handlebars' white-space control. The filling-in is ours, because a text
// that is paid for and hashed needs what raymond's own evaluator does not give:
// plain text instead of escaped HTML, the same text every time (members of an
// object in sorted order), numbers as they were written, no look-up of a
// missing field in an outer document, and bounds on time and size that hold
// while it runs. Only parse.go, syntax.go and compile.go know raymond.
//
// # Language
//
// {{x}}, {{{x}}} and {{&x}} are the same and print the value as it is: a string
// or number as the document spells it, true or false, nothing for null and for
// a field that is not there. A list prints its items joined by ", " (inner lists
// flattened, items without text left out); an object prints "key: value, ..." in
// sorted order of the keys, with inner lists and objects in parentheses, and a
// list that holds objects is joined by "; ".
//
// Paths: a.b, a/b, list.[0], list.0, list.length, this, ".", ../, @root, @index,
// @key, @first, @last, @../index, [any name] and so {{[@type]}}. {{@type}} is a
// variable of the template and prints nothing; [Renderer.Program] warns of it.
//
// Blocks: if, unless (both with includeZero=true), with, each (over lists and
// objects, with "as |value key|"), else, else if, sections {{#x}} and {{^x}}, raw
// blocks {{{{raw}}}}. False are null, false, "", the empty list and zero, however
// zero is spelled. Helpers: lookup, len (items, members or characters), eq (same
// JSON value; numbers by value, so 1 equals 1.0) and log, which prints and logs
// nothing. Comments, ~ and \{{ work as in Handlebars. Partials and other helpers
// are errors.
//
// testdata compares all this with recorded answers of Handlebars.js and of
// TerminusDB. One known difference from Handlebars.js is raymond's: a tag that
// stands alone on its line but for blanks and another tag after it loses those
// blanks, and a few places beside carriage returns keep or lose a line break.
//
// # Bounds
//
// A template is refused when it is too long or nests too many loops; filling in
// stops when the text grows too long, the time is over or the context is done
// (see [Limits]). Work happens on the caller's goroutine and nothing is left
// behind, whatever the template.
//
// # Concurrency
//
// A [Renderer] serves any number of goroutines. Parsed templates, and the
// refusals of bad ones, are kept in a bounded cache. Nothing touches the disk.
//
// Errors name lines of the template and limits, never the text of a document.
package templates
