// Package search answers requests from the snapshots of a data directory: by
// vector, by words, both fused, filtered, suggestions,
// vectors of documents, and what there is to search.
//
// A [Reader] needs no writer. It knows the domains of a catalog, opens the
// snapshot of a commit when a request first asks for it (commit files, view,
// graph, and full text at the first search by words), and keeps it in a pool
// within a limit of bytes. The package never imports indexer, which adds commits
// and builds upon open snapshots. [OpenReadOnly] returns a Reader of a directory
// that another process writes; [Reader.Follow] has it see that process's commits.
//
// A request goes through the state of its domain, from which the served commit
// follows ([Ref]), the pool (Reader.Open), and the search itself, whose struct in
// requests.go declares the parameters of every protocol.
//
// Package pairs stands on this one: it goes by the snapshots that are leased here
// (Reader.Serve, Reader.Turn), what they hold, [Measure], and Snapshot.Keep, which keeps
// what was made of a snapshot or of one of its files.
//
// # Concurrency
//
// A Reader may be used by many goroutines. The state of a domain is loaded without
// a lock. A snapshot is immutable and counted: it keeps the files and vectors that
// it needs open, whatever is replaced or removed meanwhile. Of several requests for
// one snapshot at once, one loads it; the others wait for that or for the end of
// their context. Requests that compare many documents take turns.
package search
