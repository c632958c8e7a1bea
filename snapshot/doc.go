// Package snapshot keeps commit files, which are the truth about a commit, and
// the immutable view of a commit's entries that searches read.
//
// # Files
//
// There is one file per commit. A [Checkpoint] holds every entry of its
// snapshot and their texts. A [Delta] holds what differs from the snapshot of
// the commit it stands on: its base, the parent in history, or a commit before
// that. An [Alias] stands for another commit of the domain. Checkpoints and
// deltas may bring graphs (opaque bytes here) and a list of documents that could
// not be taken, for commits that build on them to try again. FORMAT.md describes the
// bytes. [Write] makes a file, [List] reads the headers of all, [Open] reads one,
// [Verify] checks one to the last byte.
//
// An entry has a key, a string or an integer, perhaps a text, fields, and chunks,
// which refer to vectors by slots: to the main ones, and to those of other names
// that the header lists.
//
// # Chains
//
// A commit's file, the one it stands on, and so on down to a checkpoint are its
// chain. [View.WriteDelta] keeps chains short as the levels of a log-structured
// merge tree do: a delta absorbs the last ones of the chain, by saying again what
// they say, when there are several that are not larger. A commit costs what it
// changes times the logarithm of the number of commits, and no chain has to be
// rewritten for its length alone. [View.PrepareMerge] rewrites what has grown: to
// a checkpoint, or to one delta on the chain's checkpoint, with a new graph.
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
// of every file it stands on, and the last Close closes the descriptor, which only
// large files keep. So a
// caller may close a file as soon as the views it wants are made, texts stay
// readable as long as a view is open, and a view on a delta keeps working after
// a merge has put another file in that delta's place.
//
// # Durability
//
// Write's rename, made durable by the directory sync after it, is the one
// commit point: a crash leaves the whole file or nothing under the final name,
// and at worst a temporary file, which [vfs.Clean] removes.
package snapshot
