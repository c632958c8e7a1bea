// Package search answers requests from the snapshots of a data directory: by
// vector, by words, both fused, filtered, near pairs, candidates, suggestions,
// vectors of documents, and what there is to search.
//
// A [Reader] needs no writer. It holds the domains it was told of, opens the
// snapshot of a commit when a request first asks for it (commit files, view,
// graph, and full text at the first search by words), and keeps it in a pool
// within a limit of bytes. The package never imports indexer, which adds commits
// and builds upon open snapshots.
//
// # Concurrency
//
// A Reader may be used by many goroutines. A snapshot is immutable and counted:
// who holds one keeps all that it needs, whatever is replaced or removed
// meanwhile, and waits for no writer. Of several who ask for one snapshot at
// once, one loads it; the others wait for that or for the end of their context.
package search
