// Package pairs answers what is about pairs of documents from the snapshots that a
// [search.Reader] opens: duplicates within a set, candidates between two, how their
// scores are spread, and what people decided about them.
//
// A [Matcher] needs no writer, as the Reader it stands on. A request leases its
// snapshot, takes a turn among those that compare many documents, and has one finder
// (pairs.go) with four sources. Three go by distance alone: the nearest of each chunk
// (duplicates.go), the nearest of each document (candidates.go), and all within a
// distance (near.go). By likeness partners are those that share rare words, trigrams or
// a neighbourhood (join.go); features.go has the words and trigrams of texts, kept by
// commit file, score.go measures, numbers.go tells what differs, and match.go chooses
// and groups. Decisions have the last word (decisions.go).
//
// # Concurrency
//
// A Matcher may be used by many goroutines. The goroutines of a request end before it
// does, and each has scratch memory of its own.
package pairs
