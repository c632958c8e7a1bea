// Package fields keeps what is known of documents besides their texts, and
// filters documents by it.
//
// # Fields
//
// A document's fields are named texts, numbers, booleans, and lists of those.
// [Parse] reads those of a request, [Pick] those of a queried document; both
// return an [Object], canonical JSON, so that equal fields are equal bytes. A
// text that is a date stays a text and is compared as a date with dates. Numbers
// are compared by value, integers of 64 bits exactly. What is null, or a list of
// nothing, is missing.
//
// # Filters
//
// [ParseFilter] reads an expression in the language of expr-lang.org, through
// its parser; [Filter.Check] holds it against the kinds of the fields through its
// type checker. It is never run by that language's machine: what a filter may
// say (comparisons, membership, and, or, not) is turned into conditions, each of
// which is the set of documents that meet it. A [Table] holds the fields of many
// documents by column, values sorted, each with its documents; a comparison is
// then a look-up, and the rest is algebra of bitmaps.
//
// Every condition holds or does not: of what is missing or of another kind
// nothing is equal, less or greater, and not turns that round.
//
// # Concurrency and durability
//
// Objects, tables and checked filters are immutable and may be used by any
// number of goroutines. Nothing here touches a file.
package fields
