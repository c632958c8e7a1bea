// Package catalog knows the commits of a data directory: which there are, what
// the headers of their files say, and where the heads of branches are.
//
// A [Catalog] holds a [Domain] for each org/db, and a Domain holds a [State]: an
// immutable value that readers load without a lock and keep for as long as they
// like. [Domain.Update] is the one way to change it, for one writer at a time; the
// new State shares with the old one all but the O(log n) tree nodes on the paths
// that changed, so that a commit costs the same however long the history is.
//
// The commit files are the truth. Beside them stands one catalog file for each
// domain, a log of what their headers say, so that a start reads one file for each
// domain and not one for each commit; it is rebuilt from the headers when it is
// missing, damaged or of another version. See FORMAT.md for what is synced when.
//
// A Catalog that was opened for reading only follows the one process that writes
// by [Catalog.Refresh].
package catalog
