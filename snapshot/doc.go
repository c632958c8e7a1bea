// Package snapshot keeps commit files, which are the truth about a commit, and
// the immutable view of a commit's entries that searches read.
//
// # Files
//
// There is one file per commit. A [Checkpoint] holds every entry of its
// snapshot, their texts and, where it pays, a graph (opaque bytes here). A
// [Delta] holds what its commit changed against its base. An [Alias] stands for
// another commit of the domain. Beside its entries a file may list documents that
// could not be taken, for who builds on it to try again. FORMAT.md describes the bytes. [Write] makes a
// file, [List] reads the headers of all, [Open] reads one, [Verify] checks one
// to the last byte.
//
// # Views
//
// A [View] is one snapshot: a checkpoint and the deltas above it, oldest first.
// Entries of the checkpoint are one sorted slice that every view on it shares;
// what the deltas changed lies over it. Sets of slots are bitsets whose pages
// are shared between a view and those made from it by [View.Extend].
// Texts stay on disk and are read block by block when asked for.
//
// # Concurrency and ownership
//
// Files and views are immutable once made and may be used by any number of
// goroutines; what they hand out is shared and must not be changed. An open
// file is counted: [Open] gives its caller one reference, each view takes one
// of every file it stands on, and the last Close closes the descriptor. So a
// caller may close a file as soon as the views it wants are made, texts stay
// readable as long as a view is open, and a view on a delta keeps working after
// a merge has put a checkpoint in that delta's place.
//
// # Durability
//
// Write's rename, made durable by the directory sync after it, is the one
// commit point: a crash leaves the whole file or nothing under the final name,
// and at worst a temporary file, which [Clean] removes.
package snapshot
